//! `skynet`: what the service's threads are doing, and ending one.

use std::ffi::c_int;

use mlua::ffi;

use super::protocol::replace_reference;
use crate::bindings::coroutine;
use crate::kernel::Session;
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome};
use crate::vm::session::Waiter;
use crate::vm::thread::{ThreadId, Waiting};
use crate::vm::{Wake, Wakeup};

/// Lists the sessions that threads wait for, oldest first, in `Vm::listing`: outside the native,
/// so that an error raised by one of the pushes loses nothing.
fn list_waiting(call: &mut Call) {
    let vm = call.vm();
    let mut listing = std::mem::take(&mut vm.listing);
    listing.clear();
    listing.extend(vm.sessions.threads().map(|(session, _)| session));
    listing.sort_unstable();
    vm.listing = listing;
}

/// The `index`-th thread of the list.
fn listed(call: &mut Call, index: usize) -> Option<(Session, ThreadId)> {
    let vm = call.vm();
    let session = *vm.listing.get(index)?;
    match vm.sessions.get(session)? {
        Waiter::Thread(id) => Some((session, id)),
        Waiter::Function(_) | Waiter::Swallow => None,
    }
}

/// Every waiting thread, oldest session first, into a table on the stack:
/// `{ session, thread, session, thread, … }`.
fn push_pending(call: &mut Call) {
    list_waiting(call);
    let state = call.state();
    let size = c_int::try_from(2 * call.vm().listing.len()).unwrap_or(0);
    // SAFETY: a native has free slots.
    unsafe { ffi::lua_createtable(state, size, 0) };
    let mut index = 0;
    while let Some((session, id)) = listed(call, index) {
        let coroutine = call.vm().threads[id].state;
        let at = i64::try_from(2 * index).unwrap_or(i64::MAX - 2);
        index += 1;
        // SAFETY: as above; the coroutine is anchored.
        unsafe {
            ffi::lua_pushinteger(state, session.0.into());
            ffi::lua_rawseti(state, -2, at + 1);
            ffi::lua_pushthread(coroutine);
            ffi::lua_xmove(coroutine, state, 1);
            ffi::lua_rawseti(state, -2, at + 2);
        }
    }
}

/// `task(what)`: number of waiting threads, or tracebacks of one or all of them.
pub(super) fn task(call: &mut Call) -> NativeResult {
    match call.kind(1) {
        ffi::LUA_TNONE | ffi::LUA_TNIL => {
            let count = call.vm().sessions.waiting();
            call.answer_integer(i64::try_from(count).unwrap_or(i64::MAX))
        }
        ffi::LUA_TTABLE => fill_table(call),
        ffi::LUA_TNUMBER => {
            let number = call.check_integer(1)?;
            let session = Session(i32::try_from(number).unwrap_or(0));
            match call.vm().sessions.get(session) {
                Some(Waiter::Thread(id)) => {
                    push_traceback(call, id);
                    Ok(Outcome::Values(1))
                }
                Some(Waiter::Function(_)) => {
                    call.push_text(format_args!("stack traceback: (a timer that is not due)"));
                    Ok(Outcome::Values(1))
                }
                Some(Waiter::Swallow) => {
                    call.push_text(format_args!("BREAK"));
                    Ok(Outcome::Values(1))
                }
                None => {
                    call.push_text(format_args!("No session"));
                    Ok(Outcome::Values(1))
                }
            }
        }
        ffi::LUA_TSTRING if call.string(1) == Some(b"init") => match call.vm().starting {
            Some(id) => {
                push_traceback(call, id);
                Ok(Outcome::Values(1))
            }
            None => NOTHING,
        },
        ffi::LUA_TTHREAD => {
            // SAFETY: it is a thread.
            let coroutine = unsafe { ffi::lua_tothread(call.state(), 1) };
            let vm = call.vm();
            let id = vm.threads.of_state(coroutine);
            match id.and_then(|id| vm.threads[id].waiting.session()) {
                Some(session) if session.expects_answer() => call.answer_integer(session.0.into()),
                _ => NOTHING,
            }
        }
        _ => NOTHING,
    }
}

fn push_traceback(call: &mut Call, id: ThreadId) {
    let vm = call.vm();
    let coroutine = vm.threads[id].state;
    if let Some(origin) = vm.trace.origins.get(&id).map(|origin| &raw const **origin) {
        // SAFETY: the text belongs to the VM and is not touched by the push.
        unsafe { call.push_bytes(&*origin) };
        return;
    }
    // SAFETY: the coroutine is anchored.
    unsafe { ffi::luaL_traceback(call.state(), coroutine, std::ptr::null(), 0) };
}

fn fill_table(call: &mut Call) -> NativeResult {
    list_waiting(call);
    let state = call.state();
    let mut index = 0;
    while let Some((session, id)) = listed(call, index) {
        index += 1;
        let coroutine = call.vm().threads[id].state;
        call.push_text(format_args!("thread: {coroutine:p} session: {session}"));
        push_traceback(call, id);
        // SAFETY: the script's table is at index 1.
        unsafe { ffi::lua_settable(state, 1) };
    }
    NOTHING
}

/// `uniqtask()`: threads with the same traceback counted together.
pub(super) fn unique_task(call: &mut Call) -> NativeResult {
    push_pending(call);
    super::lazy::call_lua(call, c"skynet.internal.task", c"unique")
}

/// `info_func(f)`: the function behind the debug command INFO.
pub(super) fn info_func(call: &mut Call) -> NativeResult {
    let before = call.vm().references.info;
    let reference = replace_reference(call, before)?;
    call.vm().references.info = reference;
    NOTHING
}

/// `killthread(coroutine | text)`: ends a waiting thread; returns its coroutine.
pub(super) fn kill_thread(call: &mut Call) -> NativeResult {
    if call.kind(1) == ffi::LUA_TTHREAD {
        // SAFETY: it is a thread.
        let coroutine = unsafe { ffi::lua_tothread(call.state(), 1) };
        let id = call.vm().threads.of_state(coroutine);
        return match id {
            Some(id) if kill(call, id) => {
                // SAFETY: the coroutine is at index 1.
                unsafe { ffi::lua_settop(call.state(), 1) };
                Ok(Outcome::Values(1))
            }
            _ => NOTHING,
        };
    }
    call.check_string(1)?;
    push_candidates(call);
    super::lazy::call_lua(call, c"skynet.internal.task", c"kill")
}

/// A table of all threads that could be killed, forks first.
fn push_candidates(call: &mut Call) {
    let state = call.state();
    let forks = call.vm().forks.len();
    // SAFETY: a native has free slots; the coroutines are anchored.
    unsafe {
        ffi::lua_createtable(state, 4, 0);
        for index in 0..forks {
            let vm = call.vm();
            let coroutine = vm.threads[vm.forks[index]].state;
            ffi::lua_pushthread(coroutine);
            ffi::lua_xmove(coroutine, state, 1);
            ffi::lua_rawseti(state, -2, i64::try_from(index + 1).unwrap_or(i64::MAX));
        }
        list_waiting(call);
        let mut written = forks;
        while let Some((_, id)) = listed(call, written - forks) {
            written += 1;
            let coroutine = call.vm().threads[id].state;
            ffi::lua_pushthread(coroutine);
            ffi::lua_xmove(coroutine, state, 1);
            ffi::lua_rawseti(state, -2, i64::try_from(written).unwrap_or(i64::MAX));
        }
    }
}

/// Ends a thread that is not running: it leaves the queues and sessions, its request is answered
/// with an error, its coroutine is closed.
fn kill(call: &mut Call, id: ThreadId) -> bool {
    let vm = call.vm();
    let thread = &vm.threads[id];
    let coroutine = thread.state;
    let forked = vm.forks.contains(&id);
    if thread.waiting == Waiting::Nothing && !forked {
        return false;
    }
    vm.forks.retain(|other| *other != id);
    if let Some(session) = vm.threads[id].waiting.session() {
        let answer_comes = !matches!(vm.threads[id].waiting, Waiting::Wait(_));
        vm.sessions.remove(session);
        if answer_comes && session.expects_answer() {
            vm.sessions.insert(session, Waiter::Swallow);
        }
    }
    vm.threads[id].waiting = Waiting::Nothing;
    vm.trace.origins.remove(&id);
    vm.wakeups.retain(|wakeup| *wakeup != Wakeup::Thread(id));
    if let Some(request) = vm.threads[id].request.take() {
        vm.node.answer_with_error(request.source, request.session, vm.handle());
    }
    let before = std::mem::replace(&mut vm.wake, Wake::Killed);
    let running = vm.current.replace(id);
    coroutine::close(call.state(), coroutine);
    let vm = call.vm();
    vm.current = running;
    vm.wake = before;
    vm.suspended = false;
    let main = vm.state;
    // SAFETY: the coroutine is dead and nothing refers to the thread any more.
    unsafe { vm.threads.release(main, id) };
    true
}
