//! Redis: services of a node against servers of Debian's redis-server.

mod cluster;
mod discovery;
mod fleet;
mod script;
mod sentinel;
pub(crate) mod server;
