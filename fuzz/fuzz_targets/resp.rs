//! Fuzz target: bytes from anywhere into the parser of the embedded store's requests.
#![no_main]

#[path = "../../tests/store/request.rs"]
mod request;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| request::examine(bytes));
