//! Fuzz target: bytes from anywhere into the decoders of crypt.
#![no_main]

#[path = "../../tests/formats_properties/crypt.rs"]
mod crypt;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| crypt::examine(bytes));
