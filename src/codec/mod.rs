//! Codecs: bytes in, bytes out. They know no Lua, no sockets and no runtime.

pub mod bridge;
pub mod bson;
pub mod cluster;
pub mod crc16;
pub mod crypt;
pub mod harbor;
pub mod http;
pub mod md5;
pub mod netpack;
pub mod peg;
pub mod redis_slot;
pub mod resp;
pub mod seri;
pub mod socket_event;
pub mod sproto;
pub mod udp_address;
