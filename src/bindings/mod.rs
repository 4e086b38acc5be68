//! Bindings: what scripts see. One file a Lua module; each function converts, calls, converts.

mod bridge;
mod bson;
mod bytes;
mod cluster;
mod codecache;
mod core;
mod coroutine;
mod crypt;
mod debugchannel;
mod http;
mod internal;
mod library;
mod lpeg;
mod md5;
mod memory;
mod multicast;
mod netpack;
mod package;
mod profile;
mod redis;
mod require;
mod shared;
mod skynet;
mod skynet_coroutine;
mod socket;
mod sproto;
mod standard;
mod tls;
mod websocket;

pub use library::BUILTIN;
