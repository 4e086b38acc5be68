//! The embedded store beside Debian's redis-server: the same commands, the same bytes.
//!
//! Invariant: nothing sleeps to wait for something else; who waits reads from a connection, and
//! fails after `support::DEADLINE`.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod clients;
mod corpus;
mod file;
#[path = "../process/folder.rs"]
mod folder;
mod model;
mod request;
mod support;
