//! `skynet.websocket`: WebSocket connections for `http.websocket` and `websocket`. Not for scripts.
//!
//! A connection is a userdata; the collector closes one that nobody has. What happens to it is
//! taken with `next`, which suspends the coroutine while there is nothing.
//! Invariant: what Lua copies bytes from is held by the userdata or the VM, so a raise loses
//! nothing.

mod arguments;
mod events;
mod opening;
mod sending;

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;
use std::sync::Arc;

use mlua::ffi;

use crate::kernel::{self, Message, Node, Session};
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Raise, register};
use crate::websocket::{Connection, Event, close};
use crate::{native, natives};

const FUNCTIONS: &[Entry] = natives![
    c"accept" => opening::accept,
    c"close" => sending::close_connection,
    c"connect" => opening::connect,
    c"is_open" => sending::is_open,
    c"next" => events::next,
    c"ping" => sending::ping,
    c"refuse" => opening::refuse,
    c"release" => opening::release,
    c"send" => sending::send,
];

/// Name of the userdata's metatable.
const TYPE: &CStr = c"skynet.websocket";

/// Events taken in a row before others of the service get their turn.
const ROW: u32 = 64;

/// Kinds of events and messages as the Lua files know them.
const TEXT: i64 = 1;
const BINARY: i64 = 2;
const PING: i64 = 3;
const PONG: i64 = 4;
const OPEN: i64 = 5;
const CLOSED: i64 = 6;

/// What a userdata has.
struct Held {
    connection: Option<Arc<Connection>>,
    /// The event on its way to Lua.
    event: Option<Event>,
    /// Events taken without a pause.
    row: u32,
}

/// Answers whoever waits.
struct Answers(Arc<Node>);

impl crate::websocket::Wake for Answers {
    fn wake(&self, service: kernel::Handle, session: Session) {
        let answer = Message::empty(None, session, kernel::Kind::RESPONSE);
        let _ = self.0.send_to(service, answer);
    }
}

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected; nothing here has a destructor.
    unsafe {
        ffi::luaL_newmetatable(state, TYPE.as_ptr());
        ffi::lua_pushcfunction(state, native!(collect));
        ffi::lua_setfield(state, -2, c"__gc".as_ptr());
        ffi::lua_pushboolean(state, 0);
        ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        ffi::lua_pop(state, 1);
        ffi::lua_createtable(state, 0, c_int::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// Pushes a userdata without a connection. May raise.
fn push_held(call: &mut Call) -> NonNull<Held> {
    let state = call.state();
    // SAFETY: a native has free slots; the block is as large as a `Held` and aligned for any
    // value, and the collector finds it filled.
    unsafe {
        let held = ffi::lua_newuserdata(state, size_of::<Held>()).cast::<Held>();
        held.write(Held { connection: None, event: None, row: 0 });
        ffi::luaL_setmetatable(state, TYPE.as_ptr());
        NonNull::new_unchecked(held)
    }
}

/// The userdata at `index`. It is used only while no Lua runs that could collect it, or stays on
/// the stack.
fn held(call: &mut Call, index: c_int) -> Result<NonNull<Held>, Raise> {
    // SAFETY: the test neither runs Lua nor raises: the metatable is a registry entry.
    let held = unsafe { ffi::luaL_testudata(call.state(), index, TYPE.as_ptr()) };
    match NonNull::new(held.cast::<Held>()) {
        Some(held) => Ok(held),
        None => Err(call.argument(index, format_args!("a connection expected"))),
    }
}

/// The connection at `index`.
fn connection(call: &mut Call, index: c_int) -> Result<Arc<Connection>, Raise> {
    let held = held(call, index)?;
    // SAFETY: the userdata is on the stack, and was filled by `push_held`.
    match unsafe { &held.as_ref().connection } {
        Some(connection) => Ok(Arc::clone(connection)),
        None => Err(call.argument(index, format_args!("the connection is collected"))),
    }
}

/// `__gc`: nobody can use the connection any more.
fn collect(call: &mut Call) -> NativeResult {
    let mut held = held(call, 1)?;
    // SAFETY: as in `connection`; nothing else borrows it.
    let held = unsafe { held.as_mut() };
    held.event = None;
    if let Some(connection) = held.connection.take() {
        let _ = connection.close(Some(close::AWAY), "");
    }
    NOTHING
}
