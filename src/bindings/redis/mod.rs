//! Redis for scripts.

pub(in crate::bindings) mod cluster;
#[allow(dead_code, reason = "the client follows")]
pub(in crate::bindings) mod decode;
