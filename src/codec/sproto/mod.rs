//! Sproto: schemas as text and as bundles, structures as bytes, and packing of zeros.
//!
//! Source: reference 17. A structure is a list of 16-bit entries, one a field, and the data of
//! those fields that do not fit into their entry. Everything is little-endian.
//! Invariant: no bytes make a function panic or allocate more than a small multiple of their length
//! (packed zeros: up to `LARGEST`).
//! Not here: walking Lua values (`bindings/sproto`), who keeps a schema (`vm/schemas.rs`).

mod bundle;
mod compile;
mod grammar;
pub mod pack;
pub mod reader;
pub mod schema;
pub mod writer;

pub use compile::{Failure, LARGEST_TEXT, compile};

/// Bytes of the largest structure that is encoded or unpacked.
pub const LARGEST: usize = 1 << 24;

/// Structures inside each other, at most, counting the outermost.
pub const DEPTH: usize = 64;

/// Bytes of a length.
const LENGTH: usize = 4;

/// Largest value that an entry itself can hold; tags and indices of types are entries.
const LARGEST_INLINE: u16 = 0x7ffe;

/// The entry of a value.
const fn inline(value: u16) -> u16 {
    (value + 1) * 2
}
