//! RESP2, the protocol of Redis: pure functions over bytes, used by the client and by the embedded
//! server.

pub mod command;
pub mod reply;
pub mod request;
pub mod split;
