//! Fuzz target: bytes from anywhere into the readers of HTTP heads and chunked bodies.
#![no_main]

#[path = "../../tests/http_properties/message.rs"]
mod message;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| message::examine(bytes));
