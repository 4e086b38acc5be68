//! Fuzz target: bytes from anywhere into the decoders of bson.
#![no_main]

#[path = "../../tests/formats_properties/bson.rs"]
mod bson;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bson::examine(bytes));
