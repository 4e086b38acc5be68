//! `skynet.profile`: processor time of single coroutines.
//!
//! The clocks run by themselves (`vm/profile.rs`), whoever resumes the coroutine: the framework,
//! `coroutine.resume` or the functions of this module, which are therefore the ordinary ones.

use std::ffi::c_int;

use mlua::ffi;

use super::coroutine;
use crate::natives;
use crate::vm::VmPointer;
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, Raise, register};
use crate::vm::profile::Stopwatch;
use crate::vm::session::NO_REFERENCE;

const FUNCTIONS: &[Entry] = natives![
    c"resume" => coroutine::resume_values,
    c"resume_co" => resume_for,
    c"start" => start,
    c"stop" => stop,
    c"wrap" => coroutine::wrap,
];

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::lua_createtable(state, 0, i32::try_from(FUNCTIONS.len() + 2).unwrap_or(0));
        register(state, FUNCTIONS);
        register(state, coroutine::PROFILE);
    }
    1
}

/// The coroutine at index 1, which is the running one by default; it is left at index 1.
fn subject(call: &mut Call) -> Result<*mut ffi::lua_State, Raise> {
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe {
        if call.top() == 0 {
            ffi::lua_pushthread(state);
        } else {
            ffi::lua_settop(state, 1);
            call.check_type(1, ffi::LUA_TTHREAD)?;
        }
        Ok(ffi::lua_tothread(state, 1))
    }
}

/// `start([co])`: the clock of a coroutine starts.
fn start(call: &mut Call) -> NativeResult {
    let coroutine = subject(call)?;
    let state = call.state();
    let clock = Stopwatch::new(is_running(coroutine));
    let vm = call.vm();
    vm.profiling = true;
    if let Some(slot) = vm.thread_stopwatch(coroutine) {
        if slot.is_some() {
            return Err(twice(call, coroutine));
        }
        *slot = Some(clock);
        return NOTHING;
    }
    let pointer = VmPointer::of(vm);
    // SAFETY: a native's frame; no borrow of the VM is alive. May raise before anything changed.
    unsafe {
        if pointer.stopwatch(state, coroutine).is_some() {
            return Err(twice(call, coroutine));
        }
        push_stopwatches(call);
        ffi::lua_pushvalue(state, 1);
        let place = ffi::lua_newuserdata(state, size_of::<Stopwatch>()).cast::<Stopwatch>();
        place.write(clock);
        ffi::lua_rawset(state, -3);
    }
    NOTHING
}

#[cold]
fn twice(call: &mut Call, coroutine: *mut ffi::lua_State) -> Raise {
    call.error(format_args!("Thread {coroutine:p} start profile more than once"))
}

/// True for the running coroutine and those that wait for one they have resumed.
fn is_running(coroutine: *mut ffi::lua_State) -> bool {
    // SAFETY: reading a live state; level 0 neither runs Lua nor raises.
    unsafe {
        let mut record: ffi::lua_Debug = std::mem::zeroed();
        ffi::lua_status(coroutine) == ffi::LUA_OK
            && ffi::lua_getstack(coroutine, 0, &raw mut record) > 0
    }
}

/// Pushes the table of clocks, made when first needed.
fn push_stopwatches(call: &mut Call) {
    let state = call.state();
    let reference = call.vm().references.stopwatches;
    // SAFETY: a native has free slots; may raise before anything changed.
    unsafe {
        if reference != NO_REFERENCE {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
            return;
        }
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_pushstring(state, c"k".as_ptr());
        ffi::lua_setfield(state, -2, c"__mode".as_ptr());
        ffi::lua_setmetatable(state, -2);
        ffi::lua_pushvalue(state, -1);
        let reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        call.vm().references.stopwatches = reference;
    }
}

/// `stop([co])`: ends the clock; its seconds.
fn stop(call: &mut Call) -> NativeResult {
    let coroutine = subject(call)?;
    let state = call.state();
    let seconds = match call.vm().thread_stopwatch(coroutine) {
        Some(slot) => slot.take().map(|clock| clock.elapsed()),
        None => {
            let pointer = VmPointer::of(call.vm());
            // SAFETY: as in `start`; the clock lives until its entry is taken away.
            unsafe {
                let found = pointer.stopwatch(state, coroutine).map(|clock| (*clock).elapsed());
                if found.is_some() {
                    push_stopwatches(call);
                    ffi::lua_pushvalue(state, 1);
                    ffi::lua_pushnil(state);
                    ffi::lua_rawset(state, -3);
                }
                found
            }
        }
    };
    let Some(seconds) = seconds else {
        return Err(call.error(format_args!("Call profile.start() before profile.stop()")));
    };
    call.push_number(seconds);
    Ok(Outcome::Values(1))
}

/// `resume_co(co, from, ...)`: resumes `co`; `from` is whose time skynet 1.3 counted. Clocks run by
/// themselves here, so both ways count the same.
fn resume_for(call: &mut Call) -> NativeResult {
    call.check_type(2, ffi::LUA_TTHREAD)?;
    // SAFETY: the second argument is there.
    unsafe { ffi::lua_remove(call.state(), 2) };
    coroutine::resume_values(call)
}
