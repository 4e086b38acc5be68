//! `skynet`: forks, timers, sleeping and waking.
//!
//! Source: reference 3.4. A woken thread runs when the running one yields or ends, in the order
//! of the wakeups; a fork runs after that, before the next message.

use std::ffi::c_int;

use mlua::ffi;

use crate::continuation;
use crate::kernel::Session;
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Raise, Resumed};
use crate::vm::request::push_timer_arguments;
use crate::vm::resume::thread_for;
use crate::vm::session::Waiter;
use crate::vm::thread::{ThreadId, Waiting};
use crate::vm::{Vm, Wake, Wakeup};

/// Most wakeups that one message may leave behind: far more than there are sleepers, so only a
/// loop that wakes the same ones over and over comes here.
const MOST_WAKEUPS: usize = 4_000_000;

/// Refuses to block where nothing can be suspended.
#[inline]
pub(crate) fn check_yieldable(call: &mut Call) -> Result<(), Raise> {
    let yieldable = call.is_yieldable();
    let vm = call.vm();
    if yieldable && vm.current.is_some() && vm.blocked_resumers == 0 {
        return Ok(());
    }
    not_yieldable(call)
}

#[cold]
fn not_yieldable(call: &mut Call) -> Result<(), Raise> {
    if call.vm().current.is_none() {
        return Err(call.error(format_args!("attempt to yield from outside a coroutine")));
    }
    Err(call.error(format_args!("attempt to yield across a C-call boundary")))
}

/// Suspends the running thread until its session is answered. Of its arguments the native keeps
/// the first `keep`.
#[inline]
pub(crate) fn suspend(
    call: &mut Call,
    waiting: Waiting,
    keep: c_int,
    then: ffi::lua_KFunction,
    context: ffi::lua_KContext,
) -> NativeResult {
    let vm = call.vm();
    if let (Some(id), Some(session)) = (vm.current, waiting.session()) {
        vm.sessions.insert(session, Waiter::Thread(id));
        vm.threads[id].waiting = waiting;
        vm.threads[id].own_token = false;
    }
    vm.suspended = true;
    // What is no longer needed goes; the coroutine keeps its stack small while it waits.
    // SAFETY: lowering the top of the running native's frame.
    unsafe { ffi::lua_settop(call.state(), keep) };
    Ok(Outcome::Yield(0, then, context))
}

/// Moves the function at stack index `from` and everything above it to a thread of its own.
fn move_to_thread(call: &mut Call, from: c_int) -> Result<ThreadId, Raise> {
    let count = call.top() - from + 1;
    let id = thread_for(call)?;
    let coroutine = call.vm().threads[id].state;
    // SAFETY: the coroutine is idle; the check itself does not raise.
    unsafe {
        if ffi::lua_checkstack(coroutine, count) == 0 {
            call.vm().return_thread(id);
            return Err(call.error(format_args!("too many arguments")));
        }
        ffi::lua_xmove(call.state(), coroutine, count);
    }
    Ok(id)
}

/// Pushes the coroutine of a thread.
fn push_thread(call: &mut Call, id: ThreadId) {
    let coroutine = call.vm().threads[id].state;
    // SAFETY: the coroutine is anchored and idle, with room for one value.
    unsafe {
        ffi::lua_pushthread(coroutine);
        ffi::lua_xmove(coroutine, call.state(), 1);
    }
}

/// `fork(f, ...)`: runs `f` after the running handler yields; returns its coroutine.
pub(super) fn fork(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TFUNCTION)?;
    let id = move_to_thread(call, 1)?;
    let vm = call.vm();
    vm.threads[id].waiting = Waiting::Start(Session::NONE);
    vm.forks.push_back(id);
    push_thread(call, id);
    Ok(Outcome::Values(1))
}

/// `timeout(centiseconds, f)`: runs `f` later; returns its coroutine.
pub(super) fn timeout(call: &mut Call) -> NativeResult {
    let centiseconds = centiseconds(call, 1)?;
    call.check_type(2, ffi::LUA_TFUNCTION)?;
    check_timers(call)?;
    // SAFETY: drops what stands above the function.
    unsafe { ffi::lua_settop(call.state(), 2) };
    if call.discards_results() && !call.vm().trace.timers {
        return bare_timeout(call, centiseconds);
    }
    push_timer_arguments(call);
    let id = move_to_thread(call, 2)?;
    let session = set_timer(call, centiseconds);
    let vm = call.vm();
    vm.threads[id].waiting = Waiting::Start(session);
    vm.sessions.insert(session, Waiter::Thread(id));
    if vm.trace.timers {
        note_origin(call, id, centiseconds);
    }
    push_thread(call, id);
    Ok(Outcome::Values(1))
}

/// Remembers where a timer was set (`skynet.trace_timeout`).
#[cold]
fn note_origin(call: &mut Call, id: ThreadId, centiseconds: i32) {
    let state = call.state();
    let now = call.vm().node.clock.now();
    call.push_text(format_args!("TIMER {now}+{centiseconds} : "));
    // SAFETY: a native has free slots; the prefix is a string and stays on the stack.
    unsafe {
        let prefix = ffi::lua_tolstring(state, -1, std::ptr::null_mut());
        ffi::luaL_traceback(state, state, prefix, 1);
    }
    let origin = Box::from(call.string(-1).unwrap_or_default());
    call.vm().trace.origins.insert(id, origin);
}

/// `timeout` whose coroutine nobody sees: one is taken when the timer is due. Until then the timer
/// costs little more than its function.
fn bare_timeout(call: &mut Call, centiseconds: i32) -> NativeResult {
    let table = call.vm().references.timers;
    let state = call.state();
    // SAFETY: a native has free slots; may raise before the timer is set.
    let reference = unsafe {
        if table == ffi::LUA_NOREF {
            ffi::lua_createtable(state, 4, 0);
            ffi::lua_pushvalue(state, -1);
            let table = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
            call.vm().references.timers = table;
        } else {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, table.into());
        }
        ffi::lua_pushvalue(state, 2);
        ffi::luaL_ref(state, -2)
    };
    let session = set_timer(call, centiseconds);
    call.vm().sessions.insert(session, Waiter::Function(reference));
    NOTHING
}

fn centiseconds(call: &mut Call, index: c_int) -> Result<i32, Raise> {
    if !matches!(call.kind(index), ffi::LUA_TNUMBER | ffi::LUA_TSTRING) {
        // skynet reads it as the text of a command.
        let found = match call.kind(index) {
            ffi::LUA_TNONE => "nil",
            _ => call.type_name(index),
        };
        return Err(call.argument(index, format_args!("string expected, got {found}")));
    }
    let value = call.check_integer(index)?;
    // The time is 32 bits wide; what is longer waits as long as can be.
    Ok(i32::try_from(value.clamp(i64::from(i32::MIN), i64::from(i32::MAX))).unwrap_or(i32::MAX))
}

fn check_timers(call: &mut Call) -> Result<(), Raise> {
    let vm = call.vm();
    if let Some(limit) = vm.policy.timers.filter(|limit| vm.timers >= *limit) {
        return Err(call
            .error(format_args!("too many timers: the limit is {limit} (sandbox.toml: timers)")));
    }
    Ok(())
}

fn set_timer(call: &mut Call, centiseconds: i32) -> Session {
    let vm = call.vm();
    let session = vm.sessions.allocate();
    vm.timers += 1;
    vm.node.timeout(&vm.service, session, centiseconds);
    session
}

/// `skynet.core.intcommand("TIMEOUT", cs)`: a timer whose answer the script itself expects.
pub(crate) fn bare_timer(call: &mut Call, centiseconds: i32) -> Result<Session, Raise> {
    check_timers(call)?;
    Ok(set_timer(call, centiseconds))
}

/// `sleep(centiseconds[, token])`: `"BREAK"` when woken early. **Yields.**
pub(super) fn sleep(call: &mut Call) -> NativeResult {
    let centiseconds = centiseconds(call, 1)?;
    check_yieldable(call)?;
    check_timers(call)?;
    let token = token(call, 2)?;
    let session = set_timer(call, centiseconds);
    note_token(call, token, session);
    suspend_sleep(call, Waiting::Sleep(session), token, continuation!(slept))
}

/// `yield()`: `sleep(0)`. **Yields.**
pub(super) fn yield_now(call: &mut Call) -> NativeResult {
    check_yieldable(call)?;
    check_timers(call)?;
    let session = set_timer(call, 0);
    suspend_sleep(call, Waiting::Sleep(session), None, continuation!(slept))
}

/// `wait([token])`: until woken. **Yields.**
pub(super) fn wait(call: &mut Call) -> NativeResult {
    check_yieldable(call)?;
    let token = token(call, 1)?;
    let session = call.vm().sessions.allocate();
    note_token(call, token, session);
    suspend_sleep(call, Waiting::Wait(session), token, continuation!(waited))
}

/// Suspends a sleeper. A token of the script's own stays at stack index 1 for the end.
fn suspend_sleep(
    call: &mut Call,
    waiting: Waiting,
    token: Option<c_int>,
    then: ffi::lua_KFunction,
) -> NativeResult {
    if let Some(index) = token {
        // SAFETY: the token is an argument.
        unsafe {
            ffi::lua_pushvalue(call.state(), index);
            ffi::lua_replace(call.state(), 1);
        }
    }
    super::tracing::log_event(call, "sleep", true);
    let keep = c_int::from(token.is_some());
    let outcome = suspend(call, waiting, keep, then, keep as isize);
    let vm = call.vm();
    if let Some(id) = vm.current {
        vm.threads[id].own_token = token.is_none();
    }
    outcome
}

/// The end of a sleep or wait: `"BREAK"` when it was woken.
fn slept(call: &mut Call, resumed: Resumed) -> NativeResult {
    if resumed.context != 0 {
        push_tokens(call);
        // SAFETY: the token is at index 1 and a key of the table, so nothing is allocated.
        unsafe {
            ffi::lua_pushvalue(call.state(), 1);
            ffi::lua_pushnil(call.state());
            ffi::lua_rawset(call.state(), -3);
        }
    }
    if call.vm().wake == Wake::Woken {
        // SAFETY: a native has free slots.
        unsafe { ffi::lua_pushstring(call.state(), c"BREAK".as_ptr()) };
        return Ok(Outcome::Values(1));
    }
    NOTHING
}

/// As `slept`, but without a result.
fn waited(call: &mut Call, resumed: Resumed) -> NativeResult {
    slept(call, resumed)?;
    NOTHING
}

/// The default token is the running coroutine; it needs no entry in the table.
fn is_own_token(call: &mut Call, index: c_int) -> bool {
    if call.is_none_or_nil(index) {
        return true;
    }
    // SAFETY: reading a stack slot.
    let coroutine = unsafe { ffi::lua_tothread(call.state(), index) };
    let vm = call.vm();
    !coroutine.is_null() && vm.current.is_some_and(|id| vm.threads[id].state == coroutine)
}

/// Pushes the table of tokens, made when first needed.
fn push_tokens(call: &mut Call) {
    let reference = call.vm().references.tokens;
    let state = call.state();
    // SAFETY: a native has free slots; may raise before anything changed.
    unsafe {
        if reference != ffi::LUA_NOREF {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
            return;
        }
        ffi::lua_createtable(state, 0, 4);
        ffi::lua_pushvalue(state, -1);
        let reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        call.vm().references.tokens = reference;
    }
}

/// Where the script's own token is, if it gives one; `None` stands for its own coroutine.
fn token(call: &mut Call, index: c_int) -> Result<Option<c_int>, Raise> {
    if is_own_token(call, index) {
        return Ok(None);
    }
    // SAFETY: reading a stack slot.
    if unsafe { ffi::lua_rawequal(call.state(), index, index) } == 0 {
        // No table takes it for a key.
        return Err(call.error(format_args!("token is NaN")));
    }
    if coroutine_session(call, index).or_else(|| token_session(call, index)).is_some() {
        return Err(call.plain_error(format_args!("token duplicative")));
    }
    Ok(Some(index))
}

/// The session of whoever waits under the token at `index`.
fn token_session(call: &mut Call, index: c_int) -> Option<Session> {
    if call.vm().references.tokens == ffi::LUA_NOREF {
        return None;
    }
    push_tokens(call);
    let state = call.state();
    // SAFETY: the table is on top; the token is below.
    unsafe {
        ffi::lua_pushvalue(state, index);
        ffi::lua_rawget(state, -2);
        let session = call.integer(-1).and_then(|number| i32::try_from(number).ok());
        ffi::lua_pop(state, 2);
        session.map(Session)
    }
}

/// The session of the thread at `index`, if it sleeps under its own coroutine.
fn coroutine_session(call: &mut Call, index: c_int) -> Option<Session> {
    // SAFETY: reading a stack slot.
    let coroutine = unsafe { ffi::lua_tothread(call.state(), index) };
    if coroutine.is_null() {
        return None;
    }
    let vm = call.vm();
    let thread = &vm.threads[vm.threads.of_state(coroutine)?];
    match thread.waiting {
        Waiting::Sleep(session) | Waiting::Wait(session) if thread.own_token => Some(session),
        _ => None,
    }
}

fn note_token(call: &mut Call, token: Option<c_int>, session: Session) {
    let Some(index) = token else { return };
    push_tokens(call);
    let state = call.state();
    // SAFETY: the table is on top. A token is not nil; should it be NaN, Lua raises its own error.
    unsafe {
        ffi::lua_pushvalue(state, index);
        ffi::lua_pushinteger(state, session.0.into());
        ffi::lua_settable(state, -3);
        ffi::lua_pop(state, 1);
    }
}

/// `wakeup(token)`: true when somebody sleeps or waits under it.
pub(super) fn wakeup(call: &mut Call) -> NativeResult {
    if call.vm().wakeups.len() >= MOST_WAKEUPS {
        return Err(call.error(format_args!("too many wakeups in one message")));
    }
    // The token is looked up again when its turn comes: it may have been woken by then, and even
    // sleep again, which this wakeup then ends.
    if coroutine_session(call, 1).is_some() {
        // SAFETY: it is a thread.
        let coroutine = unsafe { ffi::lua_tothread(call.state(), 1) };
        let vm = call.vm();
        if let Some(id) = vm.threads.of_state(coroutine) {
            vm.wakeups.push_back(Wakeup::Thread(id));
        }
        return call.answer_boolean(true);
    }
    if token_session(call, 1).is_none() {
        return NOTHING;
    }
    let state = call.state();
    // SAFETY: a native has free slots.
    let token = unsafe {
        ffi::lua_pushvalue(state, 1);
        ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX)
    };
    call.vm().wakeups.push_back(Wakeup::Token(token));
    call.answer_boolean(true)
}

impl Vm {
    /// Gives a thread back that was not used after all.
    fn return_thread(&mut self, id: ThreadId) {
        let state = self.state;
        if !self.threads.recycle(id) {
            // SAFETY: the coroutine is idle and nothing refers to it.
            unsafe { self.threads.release(state, id) };
        }
    }
}
