//! Redis: connections of Lua services to a server.
//!
//! A `Connection` is what `redis.connect` makes, a `Watch` what `redis.watch` makes. Both write from
//! the thread of their service; replies are cut from the stream by the task of the connection, which
//! gives each to whoever waits. `wire.rs` is what they have in common. Where the server is may have to
//! be found out before each attempt to connect (`find.rs`, `sentinel.rs`).
//!
//! Invariant: every call that was taken up is answered once, by the server's reply or by an error
//! that says why there is none.
//! Not here: the protocol's bytes (`codec/resp`), Lua (`bindings/redis`).

pub mod answer;
pub mod connection;
pub mod database;
pub mod find;
mod losses;
mod overload;
pub mod sentinel;
pub mod settings;
pub mod watch;
mod wire;

pub use connection::{Call, CallError, Connection};
pub use database::{Effect, Effects};
pub use settings::{Login, Place, Settings, Url};
pub use watch::Watch;
