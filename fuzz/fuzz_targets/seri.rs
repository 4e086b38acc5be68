//! Fuzz target: bytes from anywhere into the reader of `skynet.unpack`.
#![no_main]

#[path = "../../tests/seri_properties/stream.rs"]
mod stream;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stream::examine(bytes));
