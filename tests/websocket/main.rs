//! WebSocket connections over a transport in memory, by the chapters of RFC 6455.
//!
//! Invariant: nothing here waits: time is moved by hand and bytes by calls.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod bytes;
mod closing;
mod frames;
mod opening;
mod support;
mod times;
