//! Fuzz target: bytes from anywhere into both directions of the cluster wire.
#![no_main]

#[path = "../../tests/wire/frames.rs"]
mod frames;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| frames::examine(bytes));
