//! The sockets of one service, as its scripts know them: those it has started, and the functions
//! they call.
//!
//! Invariant: a reference in an entry belongs to the registry of this VM and is given back when
//! the entry goes. The sockets themselves are closed when the service ends (`actor.rs`).

use std::collections::HashMap;
use std::ffi::c_int;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use mlua::ffi;

use super::session::{NO_REFERENCE, SessionHasher};
use crate::net::socket::{Info, Socket};

/// One of the service's sockets.
pub struct Entry {
    /// The socket.
    pub socket: Arc<Socket>,
    /// Reference of the function for accepted connections or datagrams, or none.
    pub callback: c_int,
    /// Reference of the function of `socket.warning`, or none.
    pub warning: c_int,
    /// Somebody waits for it to be closed.
    pub is_closing: bool,
}

impl Entry {
    /// An entry without functions.
    pub fn new(socket: Arc<Socket>) -> Self {
        Self { socket, callback: NO_REFERENCE, warning: NO_REFERENCE, is_closing: false }
    }

    /// Its references, to be given back.
    pub fn references(&self) -> [c_int; 2] {
        [self.callback, self.warning]
    }
}

/// The sockets of one service.
#[derive(Default)]
pub struct Pool {
    /// By number.
    pub entries: HashMap<i32, Entry, BuildHasherDefault<SessionHasher>>,
    /// References of the functions of `socket.onclose`, by number.
    pub onclose: HashMap<i32, c_int, BuildHasherDefault<SessionHasher>>,
    /// Bytes on their way to Lua, held here so that a raise does not lose them.
    pub bytes: Vec<u8>,
    /// A list on its way to Lua.
    pub listing: Vec<Info>,
}

/// A buffer larger than this is not kept.
const KEPT: usize = 64 << 10;

impl Pool {
    /// Gives back a buffer that has grown large.
    pub fn trim(&mut self) {
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
    }
}

/// Gives references back to the registry.
///
/// # Safety
/// `state` belongs to the VM that made them, and nothing uses them any more.
pub unsafe fn give_back(state: *mut ffi::lua_State, references: &[c_int]) {
    for reference in references {
        // SAFETY: the caller's promise; giving back allocates nothing (`state.rs`: install), and
        // what stands for none is left alone.
        unsafe { ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, *reference) };
    }
}
