//! The module `skynet`, natively: no Lua runs between a script's `skynet.call` and the handler
//! of the other service.
//!
//! Rarely used parts live in Lua (`lua/lib/skynet/internal/`) and are loaded when first called.

pub(crate) mod address;
mod body;
pub(crate) mod info;
pub(crate) mod lazy;
pub(crate) mod lifecycle;
pub(crate) mod message;
pub(crate) mod protocol;
mod task;
pub(crate) mod thread;
pub(crate) mod tracing;

use std::ffi::{CStr, c_int};

use mlua::ffi;

use crate::kernel::Kind;
use crate::vm::native::{Call, Entry, NativeResult, Outcome};
use crate::{native, natives};

/// Names of the message types scripts see as `skynet.PTYPE_*`.
const KINDS: [(&CStr, Kind); 13] = [
    (c"PTYPE_TEXT", Kind::TEXT),
    (c"PTYPE_RESPONSE", Kind::RESPONSE),
    (c"PTYPE_MULTICAST", Kind::MULTICAST),
    (c"PTYPE_CLIENT", Kind::CLIENT),
    (c"PTYPE_SYSTEM", Kind::SYSTEM),
    (c"PTYPE_HARBOR", Kind::HARBOR),
    (c"PTYPE_SOCKET", Kind::SOCKET),
    (c"PTYPE_ERROR", Kind::ERROR),
    (c"PTYPE_QUEUE", Kind::QUEUE),
    (c"PTYPE_DEBUG", Kind::DEBUG),
    (c"PTYPE_LUA", Kind::LUA),
    (c"PTYPE_SNAX", Kind::SNAX),
    (c"PTYPE_TRACE", Kind::TRACE),
];

const FUNCTIONS: &[Entry] = natives![
    c"address" => info::address,
    c"call" => message::call,
    c"context" => message::context,
    c"dispatch" => protocol::dispatch,
    c"dispatch_message" => lifecycle::dispatch_message,
    c"dispatch_unknown_request" => protocol::dispatch_unknown_request,
    c"dispatch_unknown_response" => protocol::dispatch_unknown_response,
    c"endless" => info::endless,
    c"error" => info::error,
    c"exit" => lifecycle::exit,
    c"fork" => thread::fork,
    c"genid" => info::generate_session,
    c"getenv" => info::get_environment,
    c"harbor" => info::harbor,
    c"hpc" => info::hpc,
    c"ignoreret" => message::ignore_ret,
    c"info_func" => task::info_func,
    c"init" => super::require::init,
    c"init_service" => lifecycle::init_service,
    c"killthread" => task::kill_thread,
    c"localname" => info::local_name,
    c"memlimit" => lifecycle::memory_limit,
    c"mqlen" => info::queue_length,
    c"newservice" => lifecycle::new_service,
    c"now" => info::now,
    c"on_stop" => lifecycle::on_stop,
    c"pack" => info::pack,
    c"packstring" => info::pack_string,
    c"queryservice" => lifecycle::query_service,
    c"rawcall" => message::raw_call,
    c"rawsend" => message::raw_send,
    c"redirect" => message::redirect,
    c"register_protocol" => protocol::register_protocol,
    c"request" => lazy::request,
    c"response" => message::response,
    c"ret" => message::ret,
    c"retpack" => message::retpack,
    c"self" => info::own_handle,
    c"send" => message::send,
    c"setenv" => info::set_environment,
    c"sleep" => thread::sleep,
    c"start" => lifecycle::start,
    c"starttime" => info::start_time,
    c"stat" => info::stat,
    c"task" => task::task,
    c"term" => message::term,
    c"time" => info::time,
    c"timeout" => thread::timeout,
    c"tostring" => info::to_string,
    c"trace" => tracing::trace,
    c"trace_timeout" => tracing::trace_timeout,
    c"tracecall" => message::trace_call,
    c"tracelog" => tracing::trace_log,
    c"traceproto" => tracing::trace_protocol,
    c"tracetag" => tracing::trace_tag,
    c"trash" => info::trash,
    c"uniqtask" => task::unique_task,
    c"uniqueservice" => lifecycle::unique_service,
    c"unpack" => info::unpack,
    c"wait" => thread::wait,
    c"wakeup" => thread::wakeup,
    c"yield" => thread::yield_now,
];

/// Opens the module. Its table starts empty: a function appears in it when it is first looked up,
/// since most services use a dozen of them, and a full table costs every service 7 KiB.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(crate) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected; nothing here has a destructor.
    unsafe {
        ffi::lua_createtable(state, 0, 8);
        ffi::lua_createtable(state, 0, 2);
        ffi::lua_pushcfunction(state, native!(look_up));
        ffi::lua_setfield(state, -2, c"__index".as_ptr());
        ffi::lua_pushcfunction(state, native!(all_pairs));
        ffi::lua_setfield(state, -2, c"__pairs".as_ptr());
        ffi::lua_setmetatable(state, -2);
    }
    1
}

/// `__index` of the module: puts what is asked for into the table.
fn look_up(call: &mut Call) -> NativeResult {
    // Scripts can call it with whatever they like.
    call.check_type(1, ffi::LUA_TTABLE)?;
    let Some(name) = call.string(2).map(std::ptr::from_ref::<[u8]>) else {
        return call.answer_nil();
    };
    // SAFETY: the key stays on the stack.
    if !push_field(call, unsafe { &*name }) {
        return call.answer_nil();
    }
    let state = call.state();
    // SAFETY: table and key are the arguments.
    unsafe {
        ffi::lua_pushvalue(state, 2);
        ffi::lua_pushvalue(state, -2);
        ffi::lua_rawset(state, 1);
    }
    Ok(Outcome::Values(1))
}

/// Pushes a field of the module; false when it has none of that name.
fn push_field(call: &mut Call, name: &[u8]) -> bool {
    let state = call.state();
    let function = FUNCTIONS.binary_search_by(|(other, _)| other.to_bytes().cmp(name));
    if let Ok(position) = function {
        if name == b"memlimit" && call.vm().memory_limited {
            return false;
        }
        // SAFETY: a native has free slots.
        unsafe { ffi::lua_pushcfunction(state, FUNCTIONS[position].1) };
        return true;
    }
    if let Some((_, kind)) = KINDS.iter().find(|(other, _)| other.to_bytes() == name) {
        call.push_integer(kind.0.into());
        return true;
    }
    match name {
        b"_proto" => protocol::push_table(call),
        // SAFETY: a native has free slots; the module may be loaded here.
        b"cache" => unsafe {
            ffi::luaL_requiref(state, c"skynet.codecache".as_ptr(), super::codecache::open, 0);
        },
        // SAFETY: as above.
        b"pcall" => unsafe {
            ffi::lua_getglobal(state, c"pcall".as_ptr());
        },
        _ => return false,
    }
    true
}

/// `__pairs` of the module: fills the table first.
fn all_pairs(call: &mut Call) -> NativeResult {
    let state = call.state();
    let names = FUNCTIONS
        .iter()
        .map(|(name, _)| *name)
        .chain(KINDS.iter().map(|(name, _)| *name))
        .chain([c"_proto", c"cache", c"pcall"]);
    for name in names {
        // SAFETY: the table is the argument; the lookup fills it.
        unsafe {
            ffi::lua_settop(state, 1);
            ffi::lua_getfield(state, 1, name.as_ptr());
        }
    }
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_getglobal(state, c"next".as_ptr());
        ffi::lua_insert(state, 1);
        ffi::lua_pushnil(state);
    }
    Ok(Outcome::Values(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_are_sorted_for_the_look_up() {
        assert!(FUNCTIONS.is_sorted_by_key(|(name, _)| name.to_bytes()));
    }
}
