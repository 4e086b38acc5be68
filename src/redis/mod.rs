//! Redis beyond one machine.

pub mod answer;
pub mod cluster;
