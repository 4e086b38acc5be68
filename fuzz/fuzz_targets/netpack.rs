//! Fuzz target: a stream of packets, cut in any way.
#![no_main]

#[path = "../../tests/netpack_properties/stream.rs"]
mod stream;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stream::examine(bytes));
