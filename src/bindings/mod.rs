//! Bindings: what scripts see. One file a Lua module; each function converts, calls, converts.

mod bson;
mod bytes;
mod bridge;
mod cluster;
mod codecache;
mod core;
mod coroutine;
mod crypt;
mod http;
mod internal;
mod library;
mod md5;
mod memory;
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
