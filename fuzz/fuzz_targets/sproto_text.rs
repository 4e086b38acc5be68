//! Fuzz target: bytes from anywhere into the compiler of sproto's schemas.
#![no_main]

#[allow(dead_code, reason = "bundles and messages have a target of their own")]
#[path = "../../tests/formats_properties/sproto.rs"]
mod sproto;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sproto::examine_text(bytes));
