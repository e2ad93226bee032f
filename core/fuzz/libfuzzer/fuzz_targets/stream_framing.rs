#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ibcf_fuzz::stream_framing(bytes));
