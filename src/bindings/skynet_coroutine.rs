//! `skynet.coroutine`: coroutines whose yields do not clash with the framework's.
//!
//! Invariant: only coroutines made here are resumed here, as in skynet; the table of them does not
//! keep them alive.
//! Not here: resuming, and suspending a whole chain (`coroutine.rs`).

use std::ffi::c_int;

use mlua::ffi;

use super::coroutine::{Status, check_thread, close_coroutine, resume_values, status_of, wrap};
use crate::vm::native::{Call, Entry, NativeResult, Outcome, Resumed, register};
use crate::{continuation, native, natives};

const SKYNET: &[Entry] = natives![
    c"close" => close_coroutine,
    c"create" => skynet_create,
    c"resume" => skynet_resume,
    c"status" => skynet_status,
    c"thread" => thread,
    c"wrap" => wrap,
];

/// `skynet.coroutine.status(co)`: as Lua's, or "blocked".
fn skynet_status(call: &mut Call) -> NativeResult {
    let coroutine = check_thread(call, 1)?;
    let name = status_of(call, coroutine).name();
    call.push_text(format_args!("{name}"));
    Ok(Outcome::Values(1))
}

/// Registry key of the table of coroutines that `skynet.coroutine` made; its keys are weak.
const MADE: &std::ffi::CStr = c"skynet.coroutine";

/// Pushes that table.
fn push_made(call: &mut Call) {
    let state = call.state();
    // SAFETY: a native has free slots; may raise before anything changed.
    unsafe {
        if ffi::luaL_getsubtable(state, ffi::LUA_REGISTRYINDEX, MADE.as_ptr()) == 0 {
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_pushstring(state, c"k".as_ptr());
            ffi::lua_setfield(state, -2, c"__mode".as_ptr());
            ffi::lua_setmetatable(state, -2);
        }
    }
}

/// `skynet.coroutine.create(f)`.
fn skynet_create(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TFUNCTION)?;
    push_made(call);
    let state = call.state();
    // SAFETY: a native has free slots; may raise at any point.
    unsafe {
        let coroutine = ffi::lua_newthread(state);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_xmove(state, coroutine, 1);
        ffi::lua_pushvalue(state, -1);
        ffi::lua_pushboolean(state, 1);
        ffi::lua_rawset(state, -4);
    }
    Ok(Outcome::Values(1))
}

/// `skynet.coroutine.resume(co, ...)`: of one that `skynet.coroutine` made.
fn skynet_resume(call: &mut Call) -> NativeResult {
    let coroutine = check_thread(call, 1)?;
    let state = call.state();
    push_made(call);
    // SAFETY: raw reads; the coroutine is at index 1.
    let made = unsafe {
        ffi::lua_pushvalue(state, 1);
        ffi::lua_rawget(state, -2);
        let made = ffi::lua_toboolean(state, -1) != 0;
        ffi::lua_pop(state, 2);
        made
    };
    if !made && status_of(call, coroutine) != Status::Dead {
        call.push_boolean(false);
        call.push_text(format_args!("cannot resume none skynet coroutine"));
        return Ok(Outcome::Values(2));
    }
    resume_values(call)
}

/// The native behind `skynet.coroutine.yield`, as one address.
pub(super) const YIELD: ffi::lua_CFunction = native!(yield_values);

/// `skynet.coroutine.yield(...)`.
fn yield_values(call: &mut Call) -> NativeResult {
    let state = call.state();
    let vm = call.vm();
    let in_thread = vm.current.is_some_and(|id| vm.threads[id].state == state);
    // SAFETY: reading a live state.
    if in_thread || unsafe { ffi::lua_isyieldable(state) } == 0 {
        return Err(
            call.error(format_args!("Call skynet.coroutine.yield out of skynet.coroutine.resume"))
        );
    }
    Ok(Outcome::Yield(call.top(), continuation!(yielded), 0))
}

fn yielded(call: &mut Call, _resumed: Resumed) -> NativeResult {
    Ok(Outcome::Values(call.top()))
}

/// `skynet.coroutine.thread([co])`: the service's thread that owns a coroutine, and whether it is
/// that thread itself.
fn thread(call: &mut Call) -> NativeResult {
    let state = call.state();
    let coroutine = if call.is_none_or_nil(1) { state } else { check_thread(call, 1)? };
    let vm = call.vm();
    if vm.threads.of_state(coroutine).is_some() {
        // SAFETY: the coroutine is anchored, with room for one value.
        unsafe {
            ffi::lua_pushthread(coroutine);
            if coroutine != state {
                ffi::lua_xmove(coroutine, state, 1);
            }
        }
        call.push_boolean(true);
        return Ok(Outcome::Values(2));
    }
    match vm.current {
        Some(id) if vm.resume_depth > 0 => {
            let owner = vm.threads[id].state;
            // SAFETY: as above; the owner is resuming us, so it has room.
            unsafe {
                ffi::lua_pushthread(owner);
                ffi::lua_xmove(owner, state, 1);
            }
        }
        _ => call.push_nil(),
    }
    call.push_boolean(false);
    Ok(Outcome::Values(2))
}

/// Opens `skynet.coroutine`.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected; nothing here has a destructor.
    unsafe {
        ffi::lua_createtable(state, 0, 10);
        register(state, SKYNET);
        register(state, &[(c"yield", YIELD)]);
        ffi::lua_getglobal(state, c"coroutine".as_ptr());
        for name in [c"running", c"isyieldable"] {
            ffi::lua_getfield(state, -1, name.as_ptr());
            ffi::lua_setfield(state, -3, name.as_ptr());
        }
        ffi::lua_pop(state, 1);
    }
    1
}
