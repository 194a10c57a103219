//! Drives `mayfly_fuzz::domain`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mayfly_fuzz::domain::run(data);
});
