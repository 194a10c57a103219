//! The machines that can be booted, each one a file in `machines/`.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::Error;

/// One file in `machines/`: what makes one kind of machine, apart from what every launch decides for itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineType {
    /// What the machine is called on command lines and in reports.
    pub name: String,
    /// QEMU's program.
    pub binary: String,
    /// The Debian package that brings it.
    pub package: String,
    /// Argument of `-M`.
    pub machine: String,
    /// Argument of `-cpu`.
    pub cpu: String,
    /// The network card: QEMU's name of the device, and properties of it.
    pub nic: String,
    /// Other cards that the kernel drives there.
    pub other_nics: Vec<String>,
    /// Arguments that are always given.
    pub arguments: Vec<String>,
    /// The firmware's file, if it is not the one that QEMU takes by itself.
    #[serde(default)]
    pub firmware: Option<Firmware>,
    /// Options of `-drive`, for a machine that boots from a disk: its image is a disk then, and no ELF.
    #[serde(default)]
    pub drive: Option<String>,
    /// Words that the kernel's command line always has.
    #[serde(default)]
    pub kernel_arguments: Vec<String>,
}

/// A machine's firmware.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firmware {
    /// Argument of `-bios`.
    pub file: PathBuf,
    /// The Debian package that brings it.
    pub package: String,
}

/// Adding a machine is one file and one line here.
const FILES: &[&str] = &[
    include_str!("../machines/microvm.toml"),
    include_str!("../machines/pc.toml"),
    include_str!("../machines/q35.toml"),
    include_str!("../machines/uefi-usb.toml"),
    include_str!("../machines/uefi-ahci.toml"),
    include_str!("../machines/uefi-nvme.toml"),
    include_str!("../machines/uefi-cd.toml"),
    include_str!("../machines/bios-cd.toml"),
];

static ALL: LazyLock<Vec<MachineType>> = LazyLock::new(|| {
    FILES.iter().map(|text| toml::from_str(text).expect("a test has parsed every machine file")).collect()
});

impl MachineType {
    /// Every machine there is; the first one is the default.
    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// The machine with this name, or a sentence that says which ones there are.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        let known = || Self::all().iter().map(|machine| machine.name.as_str()).collect::<Vec<_>>().join(", ");
        Self::all().iter().find(|machine| machine.name == name).ok_or_else(|| format!("it is one of {}", known()))
    }

    /// What `mayfly build --format` calls what the machine boots: `elf`, `disk` or `iso`.
    pub fn format(&self) -> &'static str {
        match &self.drive {
            None => "elf",
            Some(drive) if drive.contains("media=cdrom") => "iso",
            Some(_) => "disk",
        }
    }

    /// The names of the machine's network cards; the first one is the usual.
    pub fn nics(&self) -> impl Iterator<Item = &str> {
        self.all_nics().map(device)
    }

    /// The machine's network card with this name, as an argument of QEMU's `-device`.
    pub fn nic(&self, name: &str) -> Result<&str, Error> {
        let found = self.all_nics().find(|nic| device(nic) == name);
        found.ok_or_else(|| Error::NoSuchNic {
            machine: self.name.clone(),
            name: name.to_owned(),
            known: self.nics().collect::<Vec<_>>().join(", "),
        })
    }

    fn all_nics(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.nic).chain(&self.other_nics).map(String::as_str)
    }
}

/// The device in an argument of `-device`.
fn device(argument: &str) -> &str {
    argument.split(',').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_file_parses_and_has_its_own_name() {
        let mut names: Vec<_> = MachineType::all().iter().map(|machine| &machine.name).collect();
        assert_eq!(names.len(), FILES.len());
        assert_eq!(names[0], "microvm");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), FILES.len());
    }

    #[test]
    fn machines_and_their_cards_are_found_by_name_and_others_named_instead() {
        let q35 = MachineType::named("q35").expect("it is there");
        assert_eq!(q35.nics().collect::<Vec<_>>(), ["virtio-net-pci", "e1000", "e1000e"]);
        assert_eq!(q35.nic("virtio-net-pci").expect("it is there"), q35.nic);
        assert_eq!(q35.nic("e1000e").expect("it is there"), "e1000e,romfile=");
        let error = q35.nic("ne2k_pci").expect_err("it is not there").to_string();
        assert_eq!(error, "machine q35 has no network card `ne2k_pci`: choose one of virtio-net-pci, e1000, e1000e");
        let error = MachineType::named("vax").expect_err("it is not there");
        assert!(error.starts_with("it is one of microvm, pc, q35, "), "{error}");
    }

    #[test]
    fn an_unknown_key_in_a_machine_file_is_an_error() {
        let text = format!("colour = \"red\"\n{}", FILES[0]);
        let error = toml::from_str::<MachineType>(&text).expect_err("the key is unknown");
        assert!(error.to_string().contains("colour"), "{error}");
    }
}
