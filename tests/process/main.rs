//! The process boundary: the built binary with real configs, pipes, signals and files.
//!
//! Invariant: nothing sleeps to wait for something else; a test waits for a line, a file or the end
//! of a process, and fails after `support::DEADLINE`.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod cluster;
mod daemon;
mod leaks;
mod library;
mod logs;
mod page;
mod redis;
mod scripts;
mod secured;
mod sockets;
mod starts;
mod stops;
mod support;
mod vectors;
mod websocket;
