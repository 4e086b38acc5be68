//! The process boundary: the built binary with real configs, pipes, signals and files.
//!
//! Invariant: nothing sleeps to wait for something else; a test waits for a line, a file or the end
//! of a process, and fails after `support::DEADLINE`.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod bridge;
mod browser;
mod cluster;
mod compatible;
mod console;
mod daemon;
mod folder;
mod formats;
mod harbor;
mod leaks;
mod library;
mod logs;
mod lookups;
mod names;
mod page;
mod port;
mod redis;
mod refusals;
mod scripts;
mod secured;
mod shared;
mod sockets;
mod starts;
mod stops;
mod support;
mod vectors;
mod websocket;
