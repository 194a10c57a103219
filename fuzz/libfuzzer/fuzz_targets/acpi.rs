//! Drives `mayfly_fuzz::acpi`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mayfly_fuzz::acpi::run(data);
});
