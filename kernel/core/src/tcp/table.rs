//! Which connection a segment belongs to: one lookup, however many there are.

use alloc::vec;
use alloc::vec::Vec;

use smoltcp::wire::Ipv4Address;

use super::segment::Remote;

/// Most connections that a table can name.
pub const CONNECTIONS_MAX: usize = u16::MAX as usize;
/// Places to begin with.
const PLACES_LEAST: usize = 64;
/// Groups of addresses whose connections are counted together.
const GROUPS: usize = 256;

/// Connections by their other end, each with a number below its capacity.
///
/// Open addressing with twice as many places as connections, and none left behind by those that are gone: a place holds
/// address, port and number plus one in one word, so that a lookup reads as good as always one.
#[derive(Debug)]
pub struct Table {
    places: Vec<u64>,
    /// Secret and odd: nobody outside can choose ends that collide.
    key: u64,
    len: usize,
    capacity: usize,
    /// Connections of each group of addresses.
    groups: [u16; GROUPS],
}

impl Table {
    /// For at most `capacity` connections, of [`CONNECTIONS_MAX`] at most.
    pub fn new(capacity: usize, key: u64) -> Self {
        let capacity = capacity.min(CONNECTIONS_MAX);
        Self { places: vec![0; PLACES_LEAST], key: key | 1, len: 0, capacity, groups: [0; GROUPS] }
    }

    /// Connections in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of the connection with this other end.
    pub fn find(&self, remote: Remote) -> Option<u16> {
        let name = name(remote);
        let mut at = self.home(name);
        loop {
            match self.places[at] {
                0 => return None,
                place if place >> 16 == name => return Some(place as u16 - 1),
                _ => at = self.after(at),
            }
        }
    }

    /// Whether there is room for one more from this address. The last eighth of all places is for addresses that hold less
    /// than an eighth: nobody keeps everybody else out.
    pub fn has_room_for(&self, address: Ipv4Address) -> bool {
        let left = self.capacity - self.len;
        left > self.capacity / 8 || left > 0 && !self.has_share(address)
    }

    /// Whether an address, with those that are counted together with it, holds an eighth of all places.
    pub fn has_share(&self, address: Ipv4Address) -> bool {
        usize::from(self.groups[self.group(address)]) >= self.capacity / 8
    }

    /// Adds a connection that is not in it. There must be room.
    pub fn insert(&mut self, remote: Remote, number: u16) {
        assert!(self.len < self.capacity && number < u16::MAX, "the table of connections is full");
        self.len += 1;
        if 2 * self.len > self.places.len() {
            let more = vec![0; 2 * self.places.len()];
            let known = core::mem::replace(&mut self.places, more);
            known.into_iter().filter(|place| *place != 0).for_each(|place| self.put(place));
        }
        self.put(name(remote) << 16 | u64::from(number + 1));
        let group = self.group(remote.address);
        self.groups[group] += 1;
    }

    fn put(&mut self, place: u64) {
        let mut at = self.home(place >> 16);
        while self.places[at] != 0 {
            at = self.after(at);
        }
        self.places[at] = place;
    }

    /// Takes a connection out, if it is in it.
    pub fn remove(&mut self, remote: Remote) {
        let name = name(remote);
        let mut hole = self.home(name);
        loop {
            match self.places[hole] {
                0 => return,
                place if place >> 16 == name => break,
                _ => hole = self.after(hole),
            }
        }
        self.len -= 1;
        let group = self.group(remote.address);
        self.groups[group] -= 1;
        // Those behind it move up if the hole lies on their way from home.
        let mut at = self.after(hole);
        while self.places[at] != 0 {
            let home = self.home(self.places[at] >> 16);
            let mask = self.places.len() - 1;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.places[hole] = self.places[at];
                hole = at;
            }
            at = self.after(at);
        }
        self.places[hole] = 0;
    }

    fn home(&self, name: u64) -> usize {
        // The top bits of the product depend on all bits of the name.
        let hash = name.wrapping_mul(self.key);
        (hash >> (64 - self.places.len().trailing_zeros())) as usize
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.places.len() - 1)
    }

    fn group(&self, address: Ipv4Address) -> usize {
        (u64::from(address.to_bits()).wrapping_mul(self.key) >> 56) as usize
    }
}

/// Address and port in one word of 48 bits.
fn name(remote: Remote) -> u64 {
    u64::from(remote.address.to_bits()) << 16 | u64::from(remote.port)
}
