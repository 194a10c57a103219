//! Every machine with every card that it can have: one image, which boots, serves, and goes off by the power button.

use mayfly_abi::ledger::Phase;
use mayfly_qemu::{Ending, Launch, MachineType};

use crate::{Guest, images};

/// A machine with another card, and with more arguments.
pub fn altered(name: &str, nic: &str, arguments: &[&str]) -> &'static MachineType {
    let mut machine = MachineType::named(name).unwrap_or_else(|known| panic!("{name}: {known}")).clone();
    nic.clone_into(&mut machine.nic);
    machine.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    // Machines are static data; a few more are nothing.
    Box::leak(Box::new(machine))
}

/// A machine with one of its cards.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The machine.
    pub machine: &'static MachineType,
    /// The card, by name.
    pub nic: &'static str,
}

impl Place {
    /// All there are: each file in `qemu/machines`, with its card and each of the others that it names.
    pub fn all() -> impl Iterator<Item = Self> {
        MachineType::all().iter().flat_map(|machine| machine.nics().map(move |nic| Self { machine, nic }))
    }

    /// The one with these names.
    pub fn named(machine: &str, nic: &str) -> Self {
        let found = Self::all().find(|place| (place.machine.name.as_str(), place.nic) == (machine, nic));
        found.unwrap_or_else(|| panic!("there is no {machine} with {nic}"))
    }

    /// The image with every function there, in the format that the machine boots.
    pub fn launch(&self) -> Launch {
        let image = images::for_machine(images::all(), self.machine);
        Launch::new(image).machine(self.machine).nic(self.nic)
    }

    /// Boots it: it answers, a function that breaks gets its client 502, it answers again, and it goes off by its power button.
    /// On a machine without one, all but the last.
    pub fn check(&self, launch: Launch) {
        let has_firmware = self.machine != &MachineType::all()[0];
        let launch = launch.kernel_argument("verify_reset=1");
        let mut guest = Guest::start(if has_firmware { launch.monitored().like_a_board() } else { launch });
        guest.expect_stamp(Phase::Listening);
        if self.machine.drive.is_some() && self.machine.firmware.is_none() {
            // A BIOS does not pass words on, so nobody has told it its address.
            guest.expect_line("address 10.0.2.15/24 by DHCP");
        }
        guest.expect_service();
        if has_firmware {
            guest.machine().monitor("system_powerdown").unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(guest.expect_ending(), Ending::Off, "{self:?}");
            let console = guest.machine().console().text();
            assert!(console.ends_with("mayfly: the power button was pressed\n"), "{self:?}: {console}");
        }
        let stamps = &guest.ledger().expect("it has served").stamps[..=Phase::Listening as usize];
        assert!(stamps[0] > 0 && stamps.is_sorted(), "{self:?}: {stamps:?}");
    }
}
