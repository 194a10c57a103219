//! The machine that a command boots: options that name it and its network card, and the image that it takes.

use std::path::PathBuf;

use clap::ValueEnum as _;
use mayfly_qemu::{Error, Launch, MachineType};

use crate::build::Format;

/// Options of commands that boot any machine.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct MachineChoice {
    #[arg(long = "machine", value_name = "NAME", default_value = "microvm", value_parser = MachineType::named,
        help = machines(), long_help = format!("{}.\n\n{}", machines(), formats()))]
    pub(crate) kind: &'static MachineType,
    #[arg(long, value_name = "NAME", help = nics())]
    nic: Option<String>,
}

impl MachineChoice {
    /// The first of all machines, with its first card.
    pub(crate) fn usual() -> Self {
        Self { kind: &MachineType::all()[0], nic: None }
    }

    /// Is it the machine that everything is measured on unless somebody says otherwise?
    pub(crate) fn is_usual(&self) -> bool {
        std::ptr::eq(self.kind, &MachineType::all()[0])
    }

    /// The name of its network card, which is one that it has.
    pub(crate) fn card(&self) -> Result<&str, Error> {
        match &self.nic {
            None => Ok(self.kind.nics().next().unwrap_or_default()),
            Some(name) => self.kind.nic(name).map(|_| name.as_str()),
        }
    }

    /// The launch on this machine, with this card.
    pub(crate) fn apply(&self, launch: Launch) -> Launch {
        let launch = launch.machine(self.kind);
        match &self.nic {
            None => launch,
            Some(name) => launch.nic(name),
        }
    }

    /// The image that was named, or else where `mayfly build` puts what this machine boots.
    pub(crate) fn image(&self, named: Option<PathBuf>) -> PathBuf {
        named.unwrap_or_else(|| format(self.kind).default_output().into())
    }
}

/// What a machine boots.
fn format(machine: &MachineType) -> Format {
    Format::from_str(machine.format(), false).unwrap_or(Format::Elf)
}

/// The machines there are.
fn machines() -> String {
    format!("Machine that QEMU emulates: {}", list(names(|_| true), "or"))
}

/// Which machine boots what.
fn formats() -> String {
    let of = |kind: &Format| {
        let names = list(names(|machine| format(machine) == *kind), "and");
        match kind.to_possible_value()?.get_name() {
            "elf" => Some(format!("{names} boot what `mayfly build` writes")),
            format => Some(format!("{names} what `mayfly build --format {format}` writes")),
        }
    };
    format!("{}.", Format::value_variants().iter().filter_map(of).collect::<Vec<_>>().join("; "))
}

/// The cards that somebody may want instead of a machine's first.
fn nics() -> String {
    let others = MachineType::all().iter().flat_map(|machine| machine.nics().skip(1));
    let mut cards: Vec<_> = others.collect();
    cards.sort_unstable();
    cards.dedup();
    let without = |card: &&str| list(names(|machine| machine.nics().all(|nic| nic != *card)), "and");
    let cards: Vec<_> = cards.iter().map(|card| format!("{card} on all but {}", without(card))).collect();
    format!("Network card, if it is not the machine's first: {}", cards.join("; "))
}

/// Names of machines.
fn names(which: impl Fn(&MachineType) -> bool) -> Vec<&'static str> {
    MachineType::all().iter().filter(|machine| which(machine)).map(|machine| machine.name.as_str()).collect()
}

/// Words as a list.
fn list(words: Vec<&str>, last: &str) -> String {
    match words.as_slice() {
        [rest @ .., end] if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        words => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_is_named_with_what_it_boots_and_every_card_with_where_it_is() {
        assert_eq!(
            machines(),
            "Machine that QEMU emulates: microvm, pc, q35, uefi-usb, uefi-ahci, uefi-nvme, uefi-cd or bios-cd"
        );
        assert_eq!(
            formats(),
            "microvm, pc and q35 boot what `mayfly build` writes; uefi-usb, uefi-ahci and uefi-nvme what `mayfly build \
             --format disk` writes; uefi-cd and bios-cd what `mayfly build --format iso` writes."
        );
        let on = "e1000 on all but microvm; e1000e on all but microvm and pc";
        assert_eq!(nics(), format!("Network card, if it is not the machine's first: {on}"));
    }

    #[test]
    fn a_machine_takes_what_is_built_for_it_and_a_card_that_it_has() {
        let choice = |name: &str, nic: Option<&str>| MachineChoice {
            kind: MachineType::named(name).expect("it is there"),
            nic: nic.map(str::to_owned),
        };
        let image = |name| choice(name, None).image(None).display().to_string();
        assert_eq!(
            ["q35", "uefi-nvme", "bios-cd"].map(image),
            ["build/mayfly.elf", "build/mayfly.img", "build/mayfly.iso"]
        );
        assert_eq!(choice("uefi-usb", None).card().expect("its first"), "virtio-net-pci");
        assert_eq!(choice("uefi-usb", Some("e1000e")).card().expect("it has it"), "e1000e");
        assert!(choice("pc", Some("e1000e")).card().is_err());
        assert!(MachineChoice::usual().is_usual() && !choice("pc", None).is_usual());
    }
}
