//! Bindings: what scripts see. One file a Lua module; each function converts, calls, converts.

mod cluster;
mod codecache;
mod core;
mod coroutine;
mod http;
mod internal;
mod library;
mod memory;
mod netpack;
mod package;
mod profile;
mod redis;
mod require;
mod skynet;
mod skynet_coroutine;
mod socket;
mod standard;
mod tls;
mod websocket;

pub use library::BUILTIN;
