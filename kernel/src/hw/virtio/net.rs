//! The virtio network card, however it is reached. (virtio 1.2: 5.1)

use super::{EVENT_IDX, Transport, VERSION_1, negotiate, queue, reset, start as go};
use crate::hw::memory::Memory;
use crate::hw::nic::{Nic, Unusable};

/// Device number of a network card.
pub(crate) const DEVICE: u32 = 1;
/// VIRTIO_NET_F_CSUM, F_GUEST_CSUM: the card completes checksums, and may leave them to whoever it got a frame from (5.1.3).
const CHECKSUM: u64 = 1;
const GUEST_CHECKSUM: u64 = 1 << 1;
/// VIRTIO_NET_F_MAC: the card has an address.
const MAC: u64 = 1 << 5;

/// Starts a card.
pub(crate) fn start(transport: &impl Transport, memory: &Memory) -> Result<Nic, Unusable> {
    reset(transport);
    let agreed = negotiate(transport, VERSION_1 | EVENT_IDX | MAC | CHECKSUM | GUEST_CHECKSUM)?;
    let interrupt = transport.route()?;
    let rings = [queue(transport, 0, agreed, memory)?, queue(transport, 1, agreed, memory)?];
    let address = core::array::from_fn(|at| transport.configuration(at as u64));
    let mut card = Nic::new(interrupt, address, agreed & CHECKSUM != 0, rings, memory)?;
    go(transport);
    card.flush();
    Ok(card)
}
