//! BSON documents: reading and writing their elements.
//!
//! Source: bsonspec.org; reference 17 for what scripts see. Everything is little-endian.
//! Invariant: reading never goes past the end of a document, whatever its lengths say.
//! Not here: walking Lua values (`bindings/bson`).

mod kind;
mod reader;
mod text;
mod writer;

pub use kind::Kind;
pub use reader::{Document, Invalid, Place, Value, array_index};
pub use text::is_text;
pub use writer::{Refused, begin, end, put_binary, put_head, put_regex, put_string};

/// Tables inside each other that are written, at most, not counting the outermost.
pub const WRITE_DEPTH: usize = 128;

/// Documents inside each other that are read, at most. More than are written, and than a server
/// sends.
pub const READ_DEPTH: usize = 2 * WRITE_DEPTH;

/// Bytes of the largest document that is written. A server takes messages of 48 MB.
pub const LARGEST: usize = 64 << 20;

/// Bytes of a length.
const LENGTH: usize = 4;
