//! WebSocket (RFC 6455): opening handshake, messages, closing handshake, limits and time limits.
//!
//! The state of the protocol is tungstenite's; what it leaves to its user is here. A connection is
//! fed by the task that reads its socket and written by whoever holds it; it has no task.
//! Invariant: a connection reports one end, as its last event, whatever happens to it.
//! Not here: sockets (`Transport` stands for one), services, Lua.

pub mod close;
pub mod connection;
pub mod deadlines;
pub mod engine;
pub mod event;
pub mod frame;
pub mod handshake;
pub mod limits;
pub mod socket;

pub use connection::{Connection, Transport, Wake};
pub use deadlines::Deadlines;
pub use event::{Closed, Event, How, Kind};
pub use limits::Limits;

/// Which end of the connection this side is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It was connected to.
    Server,
    /// It has connected.
    Client,
}
