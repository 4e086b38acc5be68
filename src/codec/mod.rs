//! Codecs: bytes in, bytes out. They know no Lua, no sockets and no runtime.

pub mod cluster;
pub mod crc16;
pub mod http;
pub mod netpack;
pub mod redis_slot;
pub mod resp;
pub mod seri;
pub mod socket_event;
pub mod udp_address;
