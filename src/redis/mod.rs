//! Redis beyond one machine.

pub mod cluster;
