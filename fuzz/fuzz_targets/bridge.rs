//! Fuzz target: a message of the bridge.
#![no_main]

#[path = "../../tests/bridge_properties/message.rs"]
mod message;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| message::examine(bytes));
