//! RESP2, the protocol of Redis: bytes in, values out, and back.

pub mod request;
