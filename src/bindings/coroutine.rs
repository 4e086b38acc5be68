//! Coroutines: the global `coroutine` with `close`, and what makes a skynet call inside a script's
//! own coroutine suspend the whole chain. Not here: `skynet.coroutine` (`skynet_coroutine.rs`).
//!
//! Every resume notes which coroutine runs, so that the watchdog can find a loop in it.
//!
//! Invariant: when a coroutine yields for the framework (`Vm::suspended`), each coroutine that
//! resumed it yields as well, up to the service's thread; waking goes the same way down.

use std::ffi::c_int;

use mlua::ffi;

use super::skynet_coroutine::YIELD;
use crate::vm::native::{Call, Entry, NativeResult, Outcome, Raise, Resumed, register};
use crate::vm::profile::Stopwatch;
use crate::vm::{Vm, VmPointer, Wake, interrupt};
use crate::{continuation, native, natives};

/// Deepest nesting of coroutines that resume each other: Lua's own limit of C calls.
const MAX_NESTING: usize = 190;

/// How a resume ended.
enum Resume {
    /// It returned or yielded so many values, which are on its stack.
    Values(c_int),
    /// It yielded for the framework.
    Suspended,
    /// It died; the error is on its stack.
    Error,
}

/// Goes on with a coroutine that was suspended by the framework.
fn resume_blocked(call: &mut Call, coroutine: *mut ffi::lua_State) -> Resume {
    let vm = call.vm();
    vm.blocked_coroutines = vm.blocked_coroutines.saturating_sub(1);
    // SAFETY: reading a live state.
    if unsafe { ffi::lua_status(coroutine) } != ffi::LUA_YIELD {
        // Somebody has ended it; it must not be resumed.
        // SAFETY: the coroutine is on the stack of the caller.
        unsafe { ffi::lua_settop(coroutine, 0) };
        return Resume::Values(0);
    }
    resume(call, coroutine, 0)
}

/// Resumes `coroutine` with the topmost `arguments` values of its stack.
fn resume(call: &mut Call, coroutine: *mut ffi::lua_State, arguments: c_int) -> Resume {
    let state = call.state();
    // SAFETY: reading a live state.
    let blocked = unsafe { ffi::lua_isyieldable(state) } == 0;
    let vm = call.vm();
    vm.blocked_resumers += usize::from(blocked);
    vm.resume_depth += 1;
    let profiling = vm.profiling;
    if profiling {
        with_stopwatch(call, coroutine, Stopwatch::resume);
    }
    // SAFETY: the coroutine is on the stack of the caller, so it stays alive. `lua_resume` does
    // not raise.
    let status = unsafe {
        let active = interrupt::set_active(coroutine);
        let status = ffi::lua_resume_(coroutine, state, arguments);
        interrupt::set_active(active);
        status
    };
    if profiling || call.vm().profiling {
        with_stopwatch(call, coroutine, Stopwatch::rest);
    }
    let vm = call.vm();
    vm.blocked_resumers -= usize::from(blocked);
    vm.resume_depth -= 1;
    if vm.interrupted {
        // The error must not end here: the script that resumed is over its time as well.
        // SAFETY: the native's own coroutine.
        unsafe { interrupt::arm(state) };
    }
    match status {
        ffi::LUA_YIELD if call.vm().suspended => {
            call.vm().blocked_coroutines += 1;
            Resume::Suspended
        }
        // SAFETY: reading the top of a live state.
        ffi::LUA_OK | ffi::LUA_YIELD => Resume::Values(unsafe { ffi::lua_gettop(coroutine) }),
        _ => Resume::Error,
    }
}

#[cold]
fn with_stopwatch(call: &mut Call, coroutine: *mut ffi::lua_State, change: fn(&mut Stopwatch)) {
    let state = call.state();
    let pointer = VmPointer::of(call.vm());
    // SAFETY: no borrow of the VM is alive, and the coroutine does not run; its clock stays while
    // it lives.
    unsafe {
        if let Some(clock) = pointer.stopwatch(state, coroutine) {
            change(&mut *clock);
        }
    }
}

/// Checks that a coroutine can be resumed; the text says why not.
fn resumable(call: &mut Call, coroutine: *mut ffi::lua_State) -> Result<(), &'static str> {
    // SAFETY: reading a live state.
    let (status, top) = unsafe { (ffi::lua_status(coroutine), ffi::lua_gettop(coroutine)) };
    if coroutine == call.state() {
        return Err("cannot resume non-suspended coroutine");
    }
    if status == ffi::LUA_OK && top == 0 {
        return Err("cannot resume dead coroutine");
    }
    if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
        return Err("cannot resume dead coroutine");
    }
    if status == ffi::LUA_OK && is_running(coroutine) {
        return Err("cannot resume non-suspended coroutine");
    }
    let vm = call.vm();
    let blocked = vm.blocked_coroutines > 0 && status == ffi::LUA_YIELD && is_blocked(coroutine);
    if blocked || vm.threads.of_state(coroutine).is_some() {
        return Err("cannot resume a skynet coroutine suspend by skynet framework");
    }
    if vm.resume_depth >= MAX_NESTING {
        return Err("C stack overflow");
    }
    Ok(())
}

/// The coroutine at `index`.
pub(super) fn check_thread(call: &mut Call, index: c_int) -> Result<*mut ffi::lua_State, Raise> {
    if call.kind(index) != ffi::LUA_TTHREAD {
        return Err(call.argument(index, format_args!("coroutine expected")));
    }
    // SAFETY: it is a thread.
    Ok(unsafe { ffi::lua_tothread(call.state(), index) })
}

/// Moves the top `count` values to the coroutine.
fn pass_arguments(call: &mut Call, coroutine: *mut ffi::lua_State, count: c_int) -> bool {
    // SAFETY: the check itself does not raise; there is room after it.
    unsafe {
        if ffi::lua_checkstack(coroutine, count) == 0 {
            return false;
        }
        ffi::lua_xmove(call.state(), coroutine, count);
    }
    true
}

/// Moves the values of a resume, or its error, to the stack of the caller.
fn take_values(call: &mut Call, coroutine: *mut ffi::lua_State, count: c_int) -> bool {
    // SAFETY: as above.
    unsafe {
        if ffi::lua_checkstack(call.state(), count + 1) == 0 {
            ffi::lua_settop(coroutine, -count - 1);
            return false;
        }
        ffi::lua_xmove(coroutine, call.state(), count);
    }
    true
}

/// `coroutine.resume(co, ...)`: true and the values, or false and the error.
pub(super) fn resume_values(call: &mut Call) -> NativeResult {
    let coroutine = check_thread(call, 1)?;
    let count = call.top() - 1;
    if let Err(why) = resumable(call, coroutine) {
        call.push_boolean(false);
        call.push_text(format_args!("{why}"));
        return Ok(Outcome::Values(2));
    }
    if !pass_arguments(call, coroutine, count) {
        call.push_boolean(false);
        call.push_text(format_args!("too many arguments to resume"));
        return Ok(Outcome::Values(2));
    }
    let ended = resume(call, coroutine, count);
    finish_resume(call, coroutine, ended)
}

fn finish_resume(call: &mut Call, coroutine: *mut ffi::lua_State, ended: Resume) -> NativeResult {
    match ended {
        Resume::Suspended => Ok(Outcome::Yield(0, continuation!(resume_again), 0)),
        Resume::Values(count) => {
            call.push_boolean(true);
            if take_values(call, coroutine, count) {
                return Ok(Outcome::Values(count + 1));
            }
            call.push_boolean(false);
            call.push_text(format_args!("too many results to resume"));
            Ok(Outcome::Values(2))
        }
        Resume::Error => {
            call.push_boolean(false);
            take_values(call, coroutine, 1);
            Ok(Outcome::Values(2))
        }
    }
}

/// The framework has woken the chain: pass it on to the coroutine at index 1.
fn resume_again(call: &mut Call, _resumed: Resumed) -> NativeResult {
    let coroutine = check_thread(call, 1)?;
    if call.vm().wake == Wake::Killed {
        close(call.state(), coroutine);
        return Err(call.error(format_args!("thread killed")));
    }
    let ended = resume_blocked(call, coroutine);
    finish_resume(call, coroutine, ended)
}

/// `coroutine.wrap(f)`: a function that resumes a coroutine of `f`, raising its errors.
pub(super) fn wrap(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TFUNCTION)?;
    let state = call.state();
    // SAFETY: a native has free slots; may raise before anything changed.
    unsafe {
        let coroutine = ffi::lua_newthread(state);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_xmove(state, coroutine, 1);
        ffi::lua_pushcclosure(state, native!(call_wrapped), 1);
    }
    Ok(Outcome::Values(1))
}

fn wrapped(call: &Call) -> *mut ffi::lua_State {
    // SAFETY: upvalue 1 of `call_wrapped` is its coroutine.
    unsafe { ffi::lua_tothread(call.state(), ffi::lua_upvalueindex(1)) }
}

fn call_wrapped(call: &mut Call) -> NativeResult {
    let coroutine = wrapped(call);
    let count = call.top();
    if let Err(why) = resumable(call, coroutine) {
        return Err(call.error(format_args!("{why}")));
    }
    if !pass_arguments(call, coroutine, count) {
        return Err(call.error(format_args!("too many arguments to resume")));
    }
    let ended = resume(call, coroutine, count);
    finish_wrapped(call, coroutine, ended)
}

fn finish_wrapped(call: &mut Call, coroutine: *mut ffi::lua_State, ended: Resume) -> NativeResult {
    match ended {
        Resume::Suspended => Ok(Outcome::Yield(0, continuation!(call_wrapped_again), 0)),
        Resume::Values(count) if take_values(call, coroutine, count) => Ok(Outcome::Values(count)),
        Resume::Values(_) => Err(call.error(format_args!("too many results to resume"))),
        Resume::Error => {
            let state = call.state();
            // SAFETY: as above; a text gets the position of the caller in front, as Lua does.
            unsafe {
                ffi::lua_xmove(coroutine, state, 1);
                if ffi::lua_type(state, -1) == ffi::LUA_TSTRING {
                    ffi::luaL_where(state, 1);
                    ffi::lua_insert(state, -2);
                    ffi::lua_concat(state, 2);
                }
            }
            Err(Raise::Top)
        }
    }
}

fn call_wrapped_again(call: &mut Call, _resumed: Resumed) -> NativeResult {
    let coroutine = wrapped(call);
    if call.vm().wake == Wake::Killed {
        close(call.state(), coroutine);
        return Err(call.error(format_args!("thread killed")));
    }
    let ended = resume_blocked(call, coroutine);
    finish_wrapped(call, coroutine, ended)
}

/// Ends a suspended coroutine: it is resumed with a hook that raises before its next instruction,
/// again and again until no `pcall` in it is left. Lua 5.3 has no other way to do it.
pub(crate) fn close(state: *mut ffi::lua_State, coroutine: *mut ffi::lua_State) {
    // SAFETY: the coroutine is anchored or on the caller's stack, and not running.
    unsafe {
        if ffi::lua_status(coroutine) == ffi::LUA_YIELD {
            ffi::lua_sethook(coroutine, Some(raise_closed), ffi::LUA_MASKCOUNT, 1);
            let active = interrupt::set_active(coroutine);
            ffi::lua_resume_(coroutine, state, 0);
            interrupt::set_active(active);
            ffi::lua_sethook(coroutine, None, 0, 0);
        }
        ffi::lua_settop(coroutine, 0);
    }
}

unsafe extern "C-unwind" fn raise_closed(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: called by Lua in the coroutine being closed; nothing here has a destructor.
    unsafe {
        ffi::lua_pushstring(state, c"coroutine closed".as_ptr());
        ffi::lua_error(state);
    }
}

/// `coroutine.close(co)`: ends a suspended or dead coroutine, as Lua 5.4 has it.
pub(super) fn close_coroutine(call: &mut Call) -> NativeResult {
    let coroutine = check_thread(call, 1)?;
    let status = status_of(call, coroutine);
    match status {
        Status::Suspended | Status::Dead => {
            // SAFETY: reading a live state.
            let failed =
                unsafe { !matches!(ffi::lua_status(coroutine), ffi::LUA_OK | ffi::LUA_YIELD) };
            if failed && unsafe_top(coroutine) > 0 {
                call.push_boolean(false);
                take_values(call, coroutine, 1);
                close(call.state(), coroutine);
                return Ok(Outcome::Values(2));
            }
            close(call.state(), coroutine);
            call.answer_boolean(true)
        }
        // Whoever waits for a blocked one's session would wake a dead coroutine.
        Status::Running | Status::Normal | Status::Blocked => {
            let name = status.name();
            Err(call.error(format_args!("cannot close a {name} coroutine")))
        }
    }
}

fn unsafe_top(coroutine: *mut ffi::lua_State) -> c_int {
    // SAFETY: reading a live state.
    unsafe { ffi::lua_gettop(coroutine) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    Suspended,
    Normal,
    Dead,
    /// Suspended by the framework, not by a yield of the script.
    Blocked,
}

impl Status {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Normal => "normal",
            Self::Dead => "dead",
            Self::Blocked => "blocked",
        }
    }
}

/// True when a suspended coroutine rests inside one of our natives, not in a `yield` of the
/// script's own.
fn is_blocked(coroutine: *mut ffi::lua_State) -> bool {
    // SAFETY: every state of ours belongs to a VM. `lua_getinfo` of "f" pushes the function that
    // yielded; room is checked.
    unsafe {
        let mut record: ffi::lua_Debug = std::mem::zeroed();
        if ffi::lua_getstack(coroutine, 0, &raw mut record) == 0
            || ffi::lua_checkstack(coroutine, 1) == 0
        {
            return false;
        }
        ffi::lua_getinfo(coroutine, c"f".as_ptr(), &raw mut record);
        let function = ffi::lua_tocfunction(coroutine, -1).map(|function| function as usize);
        ffi::lua_settop(coroutine, -2);
        let stock = Vm::of(coroutine).as_ref().stock_yield;
        function.is_some_and(|function| {
            function != YIELD as usize
                && function != stock
                && !PROFILE.iter().any(|(_, yields)| *yields as usize == function)
        })
    }
}

/// True when the coroutine has called something that has not returned, without a yield.
fn is_running(coroutine: *mut ffi::lua_State) -> bool {
    // SAFETY: `lua_getstack` of level 0 neither runs Lua nor raises.
    unsafe {
        let mut record: ffi::lua_Debug = std::mem::zeroed();
        ffi::lua_getstack(coroutine, 0, &raw mut record) > 0
    }
}

pub(super) fn status_of(call: &mut Call, coroutine: *mut ffi::lua_State) -> Status {
    if coroutine == call.state() {
        return Status::Running;
    }
    // SAFETY: reading a live state.
    unsafe {
        match ffi::lua_status(coroutine) {
            ffi::LUA_YIELD if is_blocked(coroutine) => Status::Blocked,
            ffi::LUA_YIELD => Status::Suspended,
            ffi::LUA_OK => {
                if is_running(coroutine) {
                    Status::Normal
                } else if ffi::lua_gettop(coroutine) == 0 {
                    Status::Dead
                } else {
                    Status::Suspended
                }
            }
            _ => Status::Dead,
        }
    }
}

/// `skynet.profile.yield(...)`: as Lua's own.
fn yield_plainly(call: &mut Call) -> NativeResult {
    Ok(Outcome::Yield(call.top(), continuation!(yielded), 0))
}

/// `skynet.profile.yield_co(from, ...)`: yields; `from` is whose time skynet 1.3 counted.
fn yield_for(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TTHREAD)?;
    // SAFETY: the first argument is there.
    unsafe { ffi::lua_remove(call.state(), 1) };
    yield_plainly(call)
}

fn yielded(call: &mut Call, _resumed: Resumed) -> NativeResult {
    Ok(Outcome::Values(call.top()))
}

/// The functions of `skynet.profile` that yield. A coroutine that rests in one of them is not
/// blocked, so they are known by their addresses.
pub(super) const PROFILE: &[Entry] = natives![
    c"yield" => yield_plainly,
    c"yield_co" => yield_for,
];

/// What is added to or replaced in the global `coroutine`.
const GLOBAL: &[Entry] = natives![
    c"close" => close_coroutine,
    c"resume" => resume_values,
    c"wrap" => wrap,
];

/// Replaces parts of the global `coroutine`.
///
/// # Safety
/// Runs protected in a fresh state whose standard library is open.
pub(super) unsafe fn install(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_getglobal(state, c"coroutine".as_ptr());
        ffi::lua_getfield(state, -1, c"yield".as_ptr());
        let stock = ffi::lua_tocfunction(state, -1).map_or(0, |function| function as usize);
        Vm::of(state).as_mut().stock_yield = stock;
        ffi::lua_pop(state, 1);
        register(state, GLOBAL);
        ffi::lua_pop(state, 1);
    }
}
