//! Fuzz target: bytes from anywhere into the decoders of sproto.
#![no_main]

#[path = "../../tests/formats_properties/sproto.rs"]
mod sproto;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sproto::examine(bytes));
