//! The cluster wire: bytes of a genuine skynet, properties for any bytes, and the examples of
//! `docs/wire.md`.
//!
//! Not here: connections, the serialisation's own properties (`tests/seri_properties`), the endless
//! search for bad bytes (`fuzz/`, by `make fuzz-long`).

mod dialog;
mod frames;
mod page;
mod properties;
mod send;
mod text;
mod vectors;

#[path = "../seri_properties/stream.rs"]
mod stream;
