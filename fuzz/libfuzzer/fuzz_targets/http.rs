//! Drives `mayfly_fuzz::http`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mayfly_fuzz::http::run(data);
});
