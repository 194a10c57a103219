//! The bundle view: what opens, what is found, and which damage is noticed where.

mod bundle;

use bundle::{assemble, bundle, contents, header, padded, record};
use mayfly_abi::PAGE;
use mayfly_abi::domain::{BODY_MAX, HEAP_BASE, MEMORY_MAX, PROGRAM_BASE, PROGRAM_END};
use mayfly_abi::image::{BundleHeader, FunctionRecord, ROUTE_MAX, SEGMENT_EXECUTE, SEGMENT_WRITE, SegmentRecord};
use mayfly_abi::wire::Wire;
use mayfly_core::image::{Image, ImageError, RecordError, Rights};
use proptest::prelude::*;

/// What `check` says of a record that `change` has been at, in a bundle of its own.
fn check_changed(change: impl FnOnce(&mut FunctionRecord)) -> Result<(), RecordError> {
    let mut record = record("hello", contents(1));
    change(&mut record);
    let bytes = assemble(&header(1), &[record]);
    let image = Image::open(&bytes).expect("the header is sound");
    image.function(0).expect("there is one function").check().map(|_| ())
}

fn open_changed(change: impl FnOnce(&mut BundleHeader)) -> Result<usize, ImageError> {
    let mut header = header(1);
    change(&mut header);
    Image::open(&assemble(&header, &[record("hello", contents(1))])).map(|image| image.len())
}

#[test]
fn each_route_finds_its_function_and_no_other_does() {
    let longest = "z".repeat(ROUTE_MAX);
    let routes = ["a", "aa", "ab", "b", "hello", "hello-2", "json", "sha256", &longest];
    let bytes = bundle(&routes);
    let image = Image::open(&bytes).expect("a sound bundle");
    assert_eq!((image.len(), image.is_empty()), (routes.len(), false));
    for (index, route) in routes.iter().enumerate() {
        let function = image.find(route.as_bytes()).expect(route);
        assert_eq!((function.index(), function.route()), (index, route.as_bytes()));
        assert_eq!(image.function(index).map(|function| function.route()), Some(route.as_bytes()));
    }
    let too_long = "z".repeat(ROUTE_MAX + 1);
    for route in ["", "A", "ac", "hell", "hello-", "hello\0", "hello\0\0", "zz", "/hello", &too_long] {
        assert!(image.find(route.as_bytes()).is_none(), "{route:?}");
    }
    assert!(image.function(routes.len()).is_none());
}

#[test]
fn a_bundle_without_functions_opens() {
    let bytes = bundle(&[]);
    let image = Image::open(&bytes).expect("a sound bundle");
    assert!(image.is_empty() && image.find(b"hello").is_none());
}

#[test]
fn a_plan_says_all_that_the_record_says() {
    let bytes = bundle(&["hello"]);
    let image = Image::open(&bytes).expect("a sound bundle");
    let plan = image.find(b"hello").expect("it is there").check().expect("it is sound");
    assert_eq!((plan.name, plan.entry), (&b"hello"[..], PROGRAM_BASE + 0x10));
    let limits = plan.limits;
    assert_eq!((limits.memory_pages, limits.timeout_ms, limits.concurrency), (16, 1000, 8));
    assert_eq!((limits.request, limits.response), (1 << 20, 1 << 20));
    let segments: Vec<_> =
        plan.segments().iter().map(|s| (s.address, s.pages, s.offset - contents(1), s.file_len, s.rights)).collect();
    assert_eq!(
        segments,
        [
            (PROGRAM_BASE, 1, 0, 0x800, Rights::ReadExecute),
            (PROGRAM_BASE + PAGE, 1, PAGE, 0x100, Rights::Read),
            (PROGRAM_BASE + 2 * PAGE, 3, 2 * PAGE, 0x20, Rights::ReadWrite),
        ]
    );
}

#[test]
fn a_header_that_does_not_hold_is_refused_by_its_reason() {
    assert_eq!(open_changed(|_| {}), Ok(1));
    assert_eq!(open_changed(|header| header.magic += 1), Err(ImageError::Magic));
    assert_eq!(open_changed(|header| header.format_version = 1), Err(ImageError::Format(1)));
    assert_eq!(open_changed(|header| header.abi_version = 7), Err(ImageError::Abi(7)));
    assert_eq!(open_changed(|header| header.isolation = 3), Err(ImageError::Isolation(3)));
    let len = header(1).total_len;
    assert_eq!(
        open_changed(|header| header.total_len += PAGE),
        Err(ImageError::Truncated { stated: len + PAGE, found: len })
    );
    assert_eq!(open_changed(|header| header.total_len -= 1), Err(ImageError::Table));
    assert_eq!(open_changed(|header| header.record_size = 128), Err(ImageError::Table));
    assert_eq!(open_changed(|header| header.function_count = u32::MAX), Err(ImageError::Table));
    for offset in [0, 63, len, len - 255, u64::MAX] {
        assert_eq!(open_changed(|header| header.table_offset = offset), Err(ImageError::Table), "{offset}");
    }
}

#[test]
fn any_bit_flipped_in_the_header_is_noticed() {
    let sound = bundle(&["hello"]);
    for bit in 0..BundleHeader::SIZE * 8 {
        let mut bytes = sound.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Image::open(&bytes).is_err(), "bit {bit}");
    }
}

#[test]
fn any_bit_flipped_in_a_record_is_noticed_when_the_function_is_used() {
    let sound = bundle(&["hello", "world"]);
    for bit in 0..FunctionRecord::SIZE * 8 {
        let mut bytes = sound.clone();
        bytes[BundleHeader::SIZE + bit / 8] ^= 1 << (bit % 8);
        let image = Image::open(&bytes).expect("the header is sound");
        let damaged = image.function(0).expect("there are two");
        assert_eq!(damaged.check(), Err(RecordError::Checksum), "bit {bit}");
        assert!(image.function(1).expect("there are two").check().is_ok(), "the others still work");
    }
}

#[test]
fn a_bundle_that_was_cut_short_is_refused() {
    let bytes = bundle(&["hello"]);
    for len in 0..bytes.len() {
        let error = Image::open(&bytes[..len]).expect_err("it is cut");
        let expected = match len {
            ..64 => ImageError::TooShort,
            _ => ImageError::Truncated { stated: bytes.len() as u64, found: len as u64 },
        };
        assert_eq!(error, expected);
    }
}

#[test]
fn segments_that_break_a_rule_are_refused_by_it() {
    use RecordError::{Address, Alignment, Length, Overlap, Rights, Source};
    assert_eq!(check_changed(|_| {}), Ok(()));
    assert_eq!(check_changed(|r| r.segments[2].flags = SEGMENT_WRITE | SEGMENT_EXECUTE), Err(Rights));
    assert_eq!(check_changed(|r| r.segments[1].flags = 4), Err(Rights));
    assert_eq!(check_changed(|r| r.segments[1].address += 1), Err(Alignment));
    assert_eq!(check_changed(|r| r.segments[1].offset += 8), Err(Alignment));
    assert_eq!(check_changed(|r| r.segments[2].file_len = 0x2002), Err(Length), "more in the file than in memory");
    assert_eq!(check_changed(|r| r.segments[1].memory_len = 0x1001), Err(Length), "constants without bytes");
    assert_eq!(check_changed(|r| r.segments[1].memory_len = 0), Err(Length));
    assert_eq!(check_changed(|r| r.segments[2].memory_len = u32::MAX), Err(Address));
    assert_eq!(check_changed(|r| r.segments[1].address = PROGRAM_BASE - PAGE), Err(Address));
    assert_eq!(check_changed(|r| r.segments[1].address = PROGRAM_END), Err(Address));
    assert_eq!(check_changed(|r| r.segments[1].address = 0u64.wrapping_sub(PAGE)), Err(Address));
    assert_eq!(check_changed(|r| r.segments[1].offset = 0), Err(Source), "the header and table are not a function's");
    assert_eq!(check_changed(|r| r.segments[1].offset = contents(1) + 3 * PAGE), Err(Source));
    assert_eq!(check_changed(|r| r.segments[1].offset = 0u64.wrapping_sub(PAGE)), Err(Source));
    assert_eq!(check_changed(|r| r.segments[1].address = PROGRAM_BASE), Err(Overlap));
    assert_eq!(check_changed(|r| r.segments[1].address = PROGRAM_BASE + 4 * PAGE), Err(Overlap), "with zeroed pages");
    assert_eq!(check_changed(|r| r.segments[1].address = PROGRAM_BASE + 5 * PAGE), Ok(()));
    assert_eq!(check_changed(|r| r.segments[1].address = PROGRAM_END - PAGE), Ok(()));
}

#[test]
fn data_that_is_all_zero_needs_no_bytes_in_the_bundle() {
    let zeroed = |r: &mut FunctionRecord| {
        r.segments[2].file_len = 0;
        r.segments[2].offset = 0;
    };
    assert_eq!(check_changed(zeroed), Ok(()));
}

#[test]
fn an_initialisation_leaves_heap_and_does_not_find_any() {
    let heap = |record: &mut FunctionRecord| {
        record.segments[3] =
            SegmentRecord { address: HEAP_BASE, file_len: 0, memory_len: 0x1000, ..record.segments[2] };
    };
    assert_eq!(check_changed(heap), Ok(()));
    assert_eq!(check_changed(|record| record.init = PROGRAM_BASE), Ok(()));
    let both = |record: &mut FunctionRecord| {
        heap(record);
        record.init = PROGRAM_BASE;
    };
    assert_eq!(check_changed(both), Err(RecordError::Address));
    let constant_heap = |record: &mut FunctionRecord| {
        heap(record);
        record.segments[3].flags = 0;
    };
    assert!(check_changed(constant_heap).is_err());
}

#[test]
fn the_entry_point_lies_in_executable_bytes() {
    for entry in [0, PROGRAM_BASE - 1, PROGRAM_BASE + 0x800, PROGRAM_BASE + PAGE, PROGRAM_BASE + 2 * PAGE, u64::MAX] {
        assert_eq!(check_changed(|r| r.entry = entry), Err(RecordError::Entry), "{entry:#x}");
    }
    assert_eq!(check_changed(|r| r.entry = PROGRAM_BASE + 0x7ff), Ok(()));
    assert_eq!(check_changed(|r| r.segments[0].flags = 0), Err(RecordError::Entry));
}

#[test]
fn limits_lie_between_what_is_needed_and_what_can_be_had() {
    let most = (MEMORY_MAX / PAGE) as u32;
    assert_eq!(check_changed(|r| r.memory_pages = 4), Ok(()), "three pages of data, one of stack");
    assert_eq!(check_changed(|r| r.memory_pages = 3), Err(RecordError::Memory));
    assert_eq!(check_changed(|r| r.memory_pages = most), Ok(()));
    assert_eq!(check_changed(|r| r.memory_pages = most + 1), Err(RecordError::Memory));
    let body = BODY_MAX as u32;
    assert_eq!(check_changed(|r| (r.request_limit, r.response_limit) = (body, body)), Ok(()));
    assert_eq!(check_changed(|r| (r.request_limit, r.response_limit) = (0, 0)), Ok(()));
    assert_eq!(check_changed(|r| r.request_limit = body + 1), Err(RecordError::Limits));
    assert_eq!(check_changed(|r| r.response_limit = body + 1), Err(RecordError::Limits));
    assert_eq!(check_changed(|r| r.timeout_ms = 0), Err(RecordError::Limits));
    assert_eq!(check_changed(|r| r.concurrency = 0), Err(RecordError::Limits));
}

#[test]
fn the_frames_promised_to_an_invocation_are_enough_wherever_its_segments_lie() {
    let promised = |memory_pages, data: [u64; 2]| {
        let mut record = record("hello", contents(1));
        record.memory_pages = memory_pages;
        for (segment, address) in record.segments[1..3].iter_mut().zip(data) {
            *segment =
                SegmentRecord { address, file_len: 0, memory_len: 2 * PAGE as u32, flags: SEGMENT_WRITE, ..*segment };
        }
        let bytes = assemble(&header(1), &[record]);
        let image = Image::open(&bytes).expect("the header is sound");
        image.function(0).expect("there is one function").check().expect("it is sound").frames
    };
    // Private memory, 63 pages of stack, a response of 1 MiB and its header lines; three upper levels of tables, and one
    // table each for stack and program, heap, response.
    let beside = promised(16, [PROGRAM_BASE + PAGE, PROGRAM_BASE + 4 * PAGE]);
    assert_eq!(beside, 16 + 63 + 257 + 3 + 3);
    let span = 512 * PAGE;
    assert_eq!(promised(16, [3 * span, 4 * span]), beside + 2, "a table for each run");
    assert_eq!(promised(16, [4 * span - PAGE, 6 * span - PAGE]), beside + 4, "two for a run that lies across tables");
    assert_eq!(promised(16, [PROGRAM_BASE + PAGE, 2 * span - PAGE]), beside + 1, "one of them is that of the stack");
    assert_eq!(
        promised(513, [PROGRAM_BASE + PAGE, PROGRAM_BASE + 4 * PAGE]),
        beside + 513 - 16 + 1,
        "two for the heap"
    );
}

#[test]
fn names_are_printable() {
    for name in ["", "a b", "a\n", "\u{e9}"] {
        assert_eq!(check_changed(|r| r.name = padded(name)), Err(RecordError::Name), "{name:?}");
    }
    assert_eq!(check_changed(|r| r.name = [b'x'; 32]), Ok(()));
    assert_eq!(check_changed(|r| r.name = [0xff; 32]), Err(RecordError::Name));
}

#[test]
fn errors_are_sentences_that_say_what_to_do() {
    assert_eq!(
        ImageError::Abi(7).to_string(),
        "the functions were built for ABI version 7 and this kernel has 2; build them again with its SDK"
    );
    assert_eq!(
        ImageError::Truncated { stated: 8192, found: 100 }.to_string(),
        "the bundle should have 8192 bytes and has 100; copy the image again"
    );
    assert_eq!(RecordError::Checksum.to_string(), "the function's record is damaged; build or copy the image again");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(Image::open(&bytes).is_err(), "random bytes have neither magic nor checksum");
    }

    /// Records whose checksum is right and whose fields are anything: what passes the check can be mapped.
    #[test]
    fn what_passes_the_check_can_be_mapped(
        damage in prop::collection::vec((80usize..248, prop::sample::select(vec![0u8, 1, 2, 4, 0x10, 0x24, 0x80, 0xff])), 0..6),
    ) {
        let mut raw = [0; FunctionRecord::SIZE];
        record("hello", contents(1)).put(&mut raw);
        for (at, byte) in damage {
            raw[at] = byte;
        }
        let bytes = assemble(&header(1), &[FunctionRecord::get(&raw)]);
        let image = Image::open(&bytes).expect("the header is sound");
        if let Ok(plan) = image.function(0).expect("there is one function").check() {
            let mut pages = std::collections::HashSet::new();
            for segment in plan.segments() {
                prop_assert!(segment.pages > 0);
                for page in 0..u64::from(segment.pages) {
                    let address = segment.address + page * PAGE;
                    prop_assert!((PROGRAM_BASE..PROGRAM_END).contains(&address) && address.is_multiple_of(PAGE));
                    prop_assert!(pages.insert(address), "two segments share {address:#x}");
                }
                let source = segment.offset..segment.offset + u64::from(segment.file_len);
                prop_assert!(source.is_empty() || (source.start >= contents(1) && source.end <= bytes.len() as u64));
            }
            let code = plan.segments().iter().filter(|segment| segment.rights == Rights::ReadExecute);
            prop_assert!(code.map(|s| s.address..s.address + u64::from(s.file_len)).any(|s| s.contains(&plan.entry)));
            prop_assert!(u64::from(plan.limits.request) <= BODY_MAX && plan.limits.timeout_ms > 0);
        }
    }
}
