//! The network card on the PCI buses.

use super::{Nic, Unusable, e1000, e1000e};
use crate::hw::console::say;
use crate::hw::memory::Memory;
use crate::hw::pci::{self, Config};
use crate::hw::platform;
use crate::hw::virtio::net;
use crate::hw::virtio::pci::{NETWORK_CARDS, Pci};
use mayfly_core::pci::{DISPLAY, ETHERNET, Function, walk};

/// Starts a card. None if there is no driver for it.
fn start(config: &Config, function: &Function, memory: &Memory) -> Option<Result<Nic, Unusable>> {
    let is_virtio = NETWORK_CARDS.contains(&function.id);
    if !is_virtio && ![e1000::ID, e1000e::ID].contains(&function.id) {
        return None;
    }
    pci::enable(config, function);
    Some(match function.id {
        e1000::ID => e1000::start(config, function, memory),
        e1000e::ID => e1000e::start(config, function, memory),
        _ => Pci::find(config, function).and_then(|card| net::start(&card, memory)),
    })
}

/// Finds a card that there is a driver for, and starts it. Cards that cannot be used are told on the console.
// Kept apart from the way of machines whose command line names the card.
#[cold]
#[inline(never)]
pub(super) fn find(memory: &Memory) -> Result<Nic, Unusable> {
    let config = Config::new(platform::get().configuration);
    let mut found = Err(Unusable::Absent);
    walk(&config, 0, |function| {
        let ((maker, device), address) = (function.id, function.address);
        match if found.is_err() { start(&config, &function, memory) } else { None } {
            Some(Ok(card)) => return found = Ok(card),
            Some(Err(why)) => {
                say!("mayfly: network card {maker:04x}:{device:04x} at {address}: {why}");
                found = Err(why);
            }
            None if function.class == ETHERNET && found.is_err() => {
                say!("mayfly: no driver for network card {maker:04x}:{device:04x} at {address}");
            }
            None => {}
        }
        if function.class.0 != DISPLAY {
            pci::silence(&config, &function);
        }
    });
    found
}
