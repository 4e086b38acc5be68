//! The process around the node: signals, the background, the end.
//!
//! Not here: what services do when the node stops (`kernel/stop.rs`).

pub mod daemon;
pub mod signals;
