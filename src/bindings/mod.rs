//! Bindings: what scripts see. One file a Lua module; each function converts, calls, converts.

mod codecache;
mod core;
mod coroutine;
mod internal;
mod library;
mod memory;
mod package;
mod profile;
mod skynet;
mod standard;

pub use library::BUILTIN;
