//! Fuzz target: bytes from anywhere into the decoders of sproto.
#![no_main]

#[allow(dead_code, reason = "the schemas' texts have a target of their own")]
#[path = "../../tests/formats_properties/sproto.rs"]
mod sproto;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sproto::examine(bytes));
