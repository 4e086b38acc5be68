//! The module `skynet`, natively: no Lua runs between a script's `skynet.call` and the handler
//! of the other service.
//!
//! Rarely used parts live in Lua (`lua/lib/skynet/internal/`) and are loaded when first called.

pub(crate) mod address;
pub(crate) mod info;
mod lazy;
pub(crate) mod lifecycle;
pub(crate) mod message;
mod protocol;
mod task;
pub(crate) mod thread;
pub(crate) mod tracing;

use std::ffi::{CStr, c_int};

use mlua::ffi;

use crate::kernel::Kind;
use crate::natives;
use crate::vm::Vm;
use crate::vm::native::{Entry, register};

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
    c"init" => lifecycle::init,
    c"init_service" => lifecycle::init_service,
    c"killthread" => task::kill_thread,
    c"localname" => info::local_name,
    c"memlimit" => lifecycle::memory_limit,
    c"mqlen" => info::queue_length,
    c"newservice" => lifecycle::new_service,
    c"now" => info::now,
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

/// Opens the module; its table is made once for each service.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(crate) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected; nothing here has a destructor.
    unsafe {
        let entries = c_int::try_from(FUNCTIONS.len() + KINDS.len() + 2).unwrap_or(0);
        ffi::lua_createtable(state, 0, entries);
        register(state, FUNCTIONS);
        for (name, kind) in KINDS {
            ffi::lua_pushinteger(state, kind.0.into());
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        ffi::lua_createtable(state, 0, 2);
        ffi::lua_pushvalue(state, -1);
        let protocols = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        Vm::of(state).as_mut().references.protocols = protocols;
        ffi::lua_setfield(state, -2, c"_proto".as_ptr());
        ffi::lua_getglobal(state, c"pcall".as_ptr());
        ffi::lua_setfield(state, -2, c"pcall".as_ptr());
        ffi::luaL_requiref(state, c"skynet.codecache".as_ptr(), super::codecache::open, 0);
        ffi::lua_setfield(state, -2, c"cache".as_ptr());
    }
    1
}
