//! Redis: services of a node against servers of Debian's redis-server.

#[allow(dead_code, reason = "the tests follow")]
pub(crate) mod server;

mod cluster;
mod discovery;
mod fleet;
mod script;
mod sentinel;
