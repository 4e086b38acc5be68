//! `skynet.redis.client`: connections with Redis for `skynet.db.redis`. Not for scripts.
//!
//! A connection or watch is a userdata; the collector closes one that nobody has. In front of it
//! stands the table that scripts see, whose first element it is: the functions of commands
//! take that table, so no Lua runs between a script's `db:get(key)` and the bytes of the command.
//! Invariant: what Lua copies bytes from is held by the userdata, the VM or the message, so a raise
//! loses nothing.

mod arguments;
mod calling;
pub(in crate::bindings) mod cluster;
pub(in crate::bindings) mod decode;
mod hosts;
mod options;
mod pipeline;
mod watching;

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;
use std::sync::Arc;

use mlua::ffi;

use crate::redis::{Connection, Watch};
use crate::vm::AtTurnEnd;
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Raise, register};
use crate::{native, natives};
use decode::Origin;

const FUNCTIONS: &[Entry] = natives![
    c"change" => watching::change,
    c"close" => calling::close,
    c"close_watch" => watching::close,
    c"command" => calling::command,
    c"connect" => calling::connect,
    c"crc16" => crc16,
    c"message" => watching::message,
    c"overload" => calling::overload,
    c"pipeline" => pipeline::pipeline,
    c"watch" => watching::watch,
];

/// Name of the metatable of connections, and of watches.
const CONNECTION: &CStr = c"skynet.redis.connection";
const WATCH: &CStr = c"skynet.redis.watch";

/// What a userdata has.
struct Held<T> {
    what: Option<Arc<T>>,
    /// A message on its way to Lua.
    reply: Option<Vec<u8>>,
    /// Messages taken without a pause.
    row: u32,
}

impl AtTurnEnd for Connection {
    fn at_turn_end(&self) {
        self.flush();
    }
}

impl AtTurnEnd for Watch {
    fn at_turn_end(&self) {
        self.flush();
    }
}

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    let types: [(&CStr, ffi::lua_CFunction); 2] =
        [(CONNECTION, native!(collect_connection)), (WATCH, native!(collect_watch))];
    // SAFETY: called protected; nothing here has a destructor.
    unsafe {
        for (name, collect) in types {
            ffi::luaL_newmetatable(state, name.as_ptr());
            ffi::lua_pushcfunction(state, collect);
            ffi::lua_setfield(state, -2, c"__gc".as_ptr());
            ffi::lua_pushboolean(state, 0);
            ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
            ffi::lua_pop(state, 1);
        }
        ffi::lua_createtable(state, 0, c_int::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// Pushes a userdata that has nothing yet. May raise.
fn push_held<T>(call: &mut Call, name: &CStr) -> NonNull<Held<T>> {
    let state = call.state();
    // SAFETY: a native has free slots; the block is as large as a `Held` and aligned for any
    // value, and the collector finds it filled.
    unsafe {
        let held = ffi::lua_newuserdata(state, size_of::<Held<T>>()).cast::<Held<T>>();
        held.write(Held { what: None, reply: None, row: 0 });
        ffi::luaL_setmetatable(state, name.as_ptr());
        NonNull::new_unchecked(held)
    }
}

/// The userdata of a type at `index`. It is used only while no Lua runs that could collect it, or
/// stays reachable from the stack.
fn held_at<T>(call: &mut Call, index: c_int, name: &CStr) -> Option<NonNull<Held<T>>> {
    // SAFETY: the test neither runs Lua nor raises: the metatable is a registry entry.
    let held = unsafe { ffi::luaL_testudata(call.state(), index, name.as_ptr()) };
    NonNull::new(held.cast::<Held<T>>())
}

/// The connection behind the table at index 1.
fn connection(call: &mut Call) -> Result<NonNull<Held<Connection>>, Raise> {
    if call.kind(1) == ffi::LUA_TTABLE {
        let state = call.state();
        // SAFETY: a native has free slots. The userdata is in the table, which is an argument; if
        // a script takes it out, Lua has to run first.
        let held = unsafe {
            ffi::lua_rawgeti(state, 1, 1);
            let held = held_at(call, -1, CONNECTION);
            ffi::lua_pop(state, 1);
            held
        };
        if let Some(held) = held {
            return Ok(held);
        }
    }
    Err(call.argument(1, format_args!("a redis connection expected (db:command, not db.command)")))
}

/// The watch at index 1.
fn watch(call: &mut Call) -> Result<NonNull<Held<Watch>>, Raise> {
    match held_at(call, 1, WATCH) {
        Some(held) => Ok(held),
        None => Err(call.argument(1, format_args!("a redis watch expected"))),
    }
}

/// What the held connection is; closed ones are gone only when they are collected.
fn inner<'a, T>(call: &mut Call, held: NonNull<Held<T>>) -> Result<&'a T, Raise> {
    // SAFETY: the userdata is reachable from the stack and was filled by `push_held`; the caller
    // uses it only until Lua runs, as `held_at` says.
    match unsafe { held.as_ref().what.as_deref() } {
        Some(what) => Ok(what),
        None => Err(call.argument(1, format_args!("the connection is collected"))),
    }
}

/// The server of the connection behind the table at index 1, for errors.
fn origin(call: &mut Call) -> Origin {
    let held = connection(call);
    let what = held.and_then(|held| inner(call, held)).ok();
    Origin { server: what.map(|what| what.name() as *const str), ..Origin::default() }
}

fn collect_connection(call: &mut Call) -> NativeResult {
    if let Some(mut held) = held_at::<Connection>(call, 1, CONNECTION) {
        // SAFETY: nothing else borrows it.
        if let Some(connection) = unsafe { held.as_mut() }.what.take() {
            connection.close();
        }
    }
    NOTHING
}

fn collect_watch(call: &mut Call) -> NativeResult {
    if let Some(mut held) = held_at::<Watch>(call, 1, WATCH) {
        // SAFETY: nothing else borrows it.
        let held = unsafe { held.as_mut() };
        held.reply = None;
        if let Some(watch) = held.what.take() {
            watch.close();
        }
    }
    NOTHING
}

/// `crc16(text)`: the checksum that says which slot of a Redis cluster a key is in.
fn crc16(call: &mut Call) -> NativeResult {
    let sum = crate::codec::crc16::crc16(call.check_string(1)?);
    call.answer_integer(sum.into())
}
