//! Drives `mayfly_fuzz::call`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mayfly_fuzz::call::run(data);
});
