//! The table of connections, against a map.

use std::collections::HashMap;

use mayfly_core::tcp::Remote;
use mayfly_core::tcp::table::Table;
use proptest::prelude::*;
use smoltcp::wire::Ipv4Address;

fn remote(address: u8, port: u16) -> Remote {
    Remote { address: Ipv4Address::from(u32::from(address) * 0x0101_0101), port }
}

proptest! {
    #[test]
    fn it_finds_what_a_map_finds(
        key in any::<u64>(),
        steps in prop::collection::vec((any::<bool>(), 0_u8..4, 0_u16..80), 0..400),
    ) {
        let (mut table, mut map) = (Table::new(200, key), HashMap::new());
        for (number, (add, address, port)) in steps.into_iter().enumerate() {
            let remote = remote(address, port);
            if !add {
                table.remove(remote);
                map.remove(&(address, port));
            } else if map.len() < 200 && !map.contains_key(&(address, port)) {
                table.insert(remote, number as u16);
                map.insert((address, port), number as u16);
            }
            prop_assert_eq!(table.len(), map.len());
            for (address, port) in (0..4).flat_map(|address| (0..80).map(move |port| (address, port))) {
                let found = table.find(self::remote(address, port));
                prop_assert_eq!(found, map.get(&(address, port)).copied());
            }
        }
    }
}

#[test]
fn what_was_never_added_is_not_removed() {
    let mut table = Table::new(10, 1);
    table.remove(remote(0, 0));
    assert!(table.is_empty());
}

#[test]
fn one_address_cannot_keep_the_others_out() {
    let mut table = Table::new(800, 0x9e37_79b9_7f4a_7c15);
    let (greedy, modest) = (remote(1, 0), remote(2, 0));
    let mut port = 0;
    while table.has_room_for(greedy.address) {
        port += 1;
        table.insert(remote(1, port), port);
    }
    assert_eq!(table.len(), 700);
    for at in 0..100 {
        assert!(table.has_room_for(modest.address));
        table.insert(remote(2, at), port + 1 + at);
    }
    assert!(!table.has_room_for(modest.address));
    table.remove(remote(1, 1));
    assert!(!table.has_room_for(greedy.address));
}
