//! Sockets as scripts know them: numbered, owned by a service, and read by its coroutines.
//!
//! A socket takes what arrives in one of three ways: it buffers the bytes until a reader can be
//! satisfied and answers that reader's session (`skynet.socket`); it sends each event as a message
//! (`skynet.socketdriver`); or it gives the bytes to a consumer of ours (WebSocket).
//!
//! Invariant: an id names one socket for as long as it is in the table, which it leaves when its
//! descriptor is closed. A session that waits is answered exactly once. Nothing grows without
//! bound because a peer or a script is slow.
//! Not here: Lua, policies, what the bytes mean.

mod accept;
mod bound;
mod connect;
mod end;
mod inbound;
pub mod incoming;
pub mod info;
mod one;
mod read;
mod table;
mod udp;
mod write;

pub use bound::Poll;
pub use connect::{Allows, dial, text_of};
pub use end::message_of;
pub use inbound::{CLOSE_LINGER, Consumer, Filter};
pub use incoming::{Separator, Want};
pub use info::Info;
pub use one::{Mode, Owner, Socket, SocketId, StartError};
pub use read::Take;
pub use table::{Counted, OpenError, SocketOptions, Sockets};
pub use udp::Datagrams;

/// Unread bytes of a socket without a reader above which the peer is held up; skynet's figure.
pub const HIGH_WATER: usize = 128 << 10;

/// Bytes waiting to be sent of the first warning; it doubles with each. skynet's figure.
pub const WARNING: usize = 1 << 20;
