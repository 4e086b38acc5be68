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
mod decode;
mod held;
mod hosts;
mod options;
mod pipeline;
mod watching;

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;

use mlua::ffi;

use crate::redis::{Connection, Watch};
use crate::vm::AtTurnEnd;
use crate::vm::native::{Call, Entry, NativeResult, Raise, register};
use crate::{native, natives};
use decode::Origin;
use held::{Client as _, Held, collect, inner};

const FUNCTIONS: &[Entry] = natives![
    c"change" => watching::change,
    c"close" => calling::close,
    c"close_watch" => watching::close,
    c"command" => calling::command,
    c"connect" => held::open::<Connection>,
    c"crc16" => crc16,
    c"lost" => watching::lost,
    c"message" => watching::message,
    c"overload" => calling::overload,
    c"pipeline" => pipeline::pipeline,
    c"renew_hosts" => watching::renew_hosts,
    c"watch" => held::open::<Watch>,
];

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
    let types: [(&CStr, ffi::lua_CFunction); 2] = [
        (Connection::TYPE, native!(collect::<Connection>)),
        (Watch::TYPE, native!(collect::<Watch>)),
    ];
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

/// The connection behind the table at index 1.
fn connection(call: &mut Call) -> Result<NonNull<Held<Connection>>, Raise> {
    if call.kind(1) == ffi::LUA_TTABLE {
        let state = call.state();
        // SAFETY: a native has free slots. The userdata is in the table, which is an argument; if
        // a script takes it out, Lua has to run first.
        let held = unsafe {
            ffi::lua_rawgeti(state, 1, 1);
            let held = held::at(call, -1);
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
    match held::at(call, 1) {
        Some(held) => Ok(held),
        None => Err(call.argument(1, format_args!("a redis watch expected"))),
    }
}

/// The server of the connection behind the table at index 1, for errors.
fn origin(call: &mut Call) -> Origin {
    let held = connection(call);
    let what = held.and_then(|held| inner(call, held)).ok();
    Origin { server: what.map(|what| what.name() as *const str), ..Origin::default() }
}

/// `crc16(text)`: the checksum that says which slot of a Redis cluster a key is in.
fn crc16(call: &mut Call) -> NativeResult {
    let sum = crate::codec::crc16::crc16(call.check_string(1)?);
    call.answer_integer(sum.into())
}
