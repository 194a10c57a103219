//! The kernel command line: what each word means, and that no bytes at all stop the boot.

use std::net::Ipv4Addr;

use mayfly_core::command_line::{Address, CommandLine, DEVICES_MAX, Device, Why};
use proptest::prelude::*;

fn parse(line: &str) -> (CommandLine, Vec<(String, Why)>) {
    let mut notices = Vec::new();
    let parsed = CommandLine::parse(line.as_bytes(), |notice| {
        notices.push((String::from_utf8_lossy(notice.word).into_owned(), notice.why));
    });
    (parsed, notices)
}

#[test]
fn the_line_that_qemu_gives_is_understood_whole() {
    let (parsed, notices) = parse("ip=10.0.2.15/24 gw=10.0.2.2 tsc_hz=2596000000 virtio_mmio.device=512@0xfeb00e00:12");
    assert_eq!(notices, []);
    assert_eq!(parsed.address, Some(Address { ip: Ipv4Addr::new(10, 0, 2, 15), prefix: 24 }));
    assert_eq!(parsed.gateway, Some(Ipv4Addr::new(10, 0, 2, 2)));
    assert_eq!(parsed.tsc_hz, Some(2_596_000_000));
    assert_eq!(parsed.lapic_hz, None);
    assert_eq!(parsed.devices(), [Device { address: 0xfeb0_0e00, size: 512, irq: 12 }]);
}

#[test]
fn an_empty_line_says_nothing() {
    for line in ["", " ", "\t\n  \0"] {
        assert_eq!(parse(line), (CommandLine::default(), vec![]), "{line:?}");
    }
}

#[test]
fn memory_is_taken_for_zero_only_if_the_line_says_so() {
    assert!(parse("ram=zero").0.zeroed_ram);
    for other in ["ram=", "ram=zeros", "ram=used"] {
        let (parsed, notices) = parse(other);
        assert_eq!((parsed.zeroed_ram, notices), (false, vec![(other.to_owned(), Why::BadValue)]));
    }
}

#[test]
fn sizes_may_have_a_unit() {
    let (parsed, notices) = parse("virtio_mmio.device=4K@0xd0000000:5 virtio_mmio.device=1M@0xD0001000:6");
    assert_eq!(notices, []);
    assert_eq!(
        parsed.devices(),
        [Device { address: 0xd000_0000, size: 4096, irq: 5 }, Device { address: 0xd000_1000, size: 1 << 20, irq: 6 },]
    );
}

#[test]
fn the_last_good_value_of_a_key_counts() {
    let (parsed, notices) = parse("tsc_hz=1 tsc_hz=2 lapic_hz=3 tsc_hz=x");
    assert_eq!((parsed.tsc_hz, parsed.lapic_hz), (Some(2), Some(3)));
    assert_eq!(notices, [("tsc_hz=x".to_owned(), Why::BadValue)]);
}

#[test]
fn words_that_are_not_known_are_reported_and_do_no_harm() {
    let (parsed, notices) = parse("console=ttyS0 quiet ip=192.168.1.9/16 IP=1.2.3.4/8 =x");
    assert_eq!(parsed.address, Some(Address { ip: Ipv4Addr::new(192, 168, 1, 9), prefix: 16 }));
    let words: Vec<_> = notices.iter().map(|(word, why)| (word.as_str(), *why)).collect();
    let unknown = |word| (word, Why::Unknown);
    assert_eq!(words, [unknown("console=ttyS0"), unknown("quiet"), unknown("IP=1.2.3.4/8"), unknown("=x")]);
}

#[test]
fn values_that_are_not_of_their_form_are_reported() {
    let bad = [
        "ip=",
        "ip=10.0.2.15",
        "ip=10.0.2.15/",
        "ip=10.0.2.15/33",
        "ip=10.0.2/24",
        "ip=10.0.2.15.1/24",
        "ip=10.0.2.256/24",
        "ip=10.0.2.-1/24",
        "ip=10..2.15/24",
        "ip=0.0.0.0/24",
        "ip=224.0.0.1/24",
        "ip=255.255.255.255/24",
        "ip=dhcp",
        "gw=10.0.2.2/24",
        "gw=10.0.2.2.",
        "gw=router",
        "gw=0.0.0.0",
        "tsc_hz=",
        "tsc_hz=0",
        "tsc_hz=2.5G",
        "tsc_hz=18446744073709551616",
        "lapic_hz=-1",
        "virtio_mmio.device=",
        "virtio_mmio.device=512",
        "virtio_mmio.device=512@0xfeb00e00",
        "virtio_mmio.device=512@feb00e00:12",
        "virtio_mmio.device=512@0x:12",
        "virtio_mmio.device=@0xfeb00e00:12",
        "virtio_mmio.device=K@0xfeb00e00:12",
        "virtio_mmio.device=512G@0xfeb00e00:12",
        "virtio_mmio.device=512@0xfeb00e00:12:0",
        "virtio_mmio.device=512@0xfeb00e00:4294967296",
        "virtio_mmio.device=18446744073709551615K@0xfeb00e00:12",
        "virtio_mmio.device=512@0xffffffffffffff00:12",
    ];
    for word in bad {
        let (parsed, notices) = parse(word);
        assert_eq!(parsed, CommandLine::default(), "{word}");
        assert_eq!(notices, [(word.to_owned(), Why::BadValue)]);
    }
}

#[test]
fn devices_beyond_the_eighth_are_reported() {
    let line: String = (0..10).map(|at| format!("virtio_mmio.device=512@0x{:x}:{at} ", 0x1000 * at)).collect();
    let (parsed, notices) = parse(&line);
    assert_eq!(parsed.devices().len(), DEVICES_MAX);
    assert_eq!(parsed.devices()[7].irq, 7);
    assert_eq!(notices.len(), 2);
    assert!(notices.iter().all(|(_, why)| *why == Why::TooManyDevices));
}

#[test]
fn a_notice_prints_one_line_whatever_the_word() {
    let mut printed = Vec::new();
    CommandLine::parse(b"f\xff\x7foo tsc_hz=a", |notice| printed.push(notice.to_string()));
    assert_eq!(
        printed[0],
        "command line: `f\\xff\\x7foo` is ignored: there is no such key; \
         known are ip, gw, tsc_hz, lapic_hz, hold_faults, verify_reset, ram and virtio_mmio.device"
    );
    assert!(printed[1].starts_with("command line: `tsc_hz=a` is ignored: its value is not of the key's form"));
}

/// Words near the grammar, so that random lines get past the keys.
fn near_word() -> impl Strategy<Value = Vec<u8>> {
    let key = prop::sample::select(vec!["ip=", "gw=", "tsc_hz=", "lapic_hz=", "virtio_mmio.device=", ""]);
    let value = prop::collection::vec(prop::sample::select(b"0123456789./@:xaKM \xff".to_vec()), 0..24);
    (key, value).prop_map(|(key, value)| [key.as_bytes(), &value].concat())
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(line in prop::collection::vec(any::<u8>(), 0..256)) {
        CommandLine::parse(&line, |_| {});
    }

    #[test]
    fn what_is_accepted_is_usable(words in prop::collection::vec(near_word(), 0..12)) {
        let line = words.join(&b' ');
        let parsed = CommandLine::parse(&line, |notice| assert!(!notice.word.is_empty()));
        if let Some(address) = parsed.address {
            prop_assert!(address.prefix <= 32);
            prop_assert!(!address.ip.is_unspecified() && !address.ip.is_multicast() && !address.ip.is_broadcast());
        }
        for device in parsed.devices() {
            prop_assert!(device.address.checked_add(device.size).is_some());
        }
        prop_assert!(parsed.tsc_hz != Some(0) && parsed.lapic_hz != Some(0));
    }

    #[test]
    fn every_address_and_prefix_survives(first in 1u8..224, rest in any::<[u8; 3]>(), prefix in 0u8..=32, hz in 1u64..) {
        let ip = Ipv4Addr::new(first, rest[0], rest[1], rest[2]);
        let (parsed, notices) = parse(&format!("ip={ip}/{prefix} gw={ip} tsc_hz={hz}"));
        prop_assert_eq!(notices, vec![]);
        prop_assert_eq!(parsed.address, Some(Address { ip, prefix }));
        prop_assert_eq!(parsed.gateway, Some(ip));
        prop_assert_eq!(parsed.tsc_hz, Some(hz));
    }
}
