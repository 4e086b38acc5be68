//! Network: connections of bytes, without any protocol.
//!
//! Invariant: nothing here blocks a worker. A write goes from the caller's thread straight to the
//! socket while nothing is queued on it; everything else happens in tasks (`io.rs`), whose last
//! act is always a message into a mailbox or a call of a `Receiver`.
//! Not here: what the bytes mean, Lua, services.

pub mod address;
mod channel;
pub mod chunk;
mod complaints;
mod half;
pub mod io;
pub mod outgoing;
mod pump;
pub mod socket;
pub mod stream;
pub mod tcp;
#[cfg(test)]
mod tests;
pub mod tls;

pub use address::Address;
pub use channel::Channel;
pub use chunk::Chunk;
pub use io::Io;
pub use stream::{End, Ended, Flow, Priority, Receiver, Stream};
