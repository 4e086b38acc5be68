//! `node` runs skynet game servers: Lua 5.3 services on a native actor kernel.

pub mod bindings;
pub mod boot;
pub mod bridge;
pub mod cli;
pub mod cluster;
pub mod codec;
pub mod config;
pub mod harbor;
pub mod kernel;
pub mod net;
pub mod process;
pub mod redis;
pub mod sandbox;
pub mod shared;
pub mod store;
pub mod vm;
pub mod websocket;
