//! `skynet.debugchannel`: lines for a service that is being debugged, and the hook that stops one
//! of its threads at a line.
//!
//! A stopped thread is one that waits for a wakeup. Lua lets a hook yield, but leaves the call that
//! was yielded in a form that no traceback may look at; `layout::mend_stopped` puts that right
//! before anybody can.
//!
//! Not here: what the lines mean and where to stop (lua/lib/skynet/remotedebug.lua).

use std::ffi::{CStr, c_int};
use std::ptr;
use std::sync::Arc;

use mlua::ffi;

use super::skynet::thread::{bare_timer, check_yieldable, suspend};
use crate::continuation;
use crate::natives;
use crate::vm::Vm;
use crate::vm::channels::Channel;
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, Raise, Resumed, register};
use crate::vm::session::Waiter;
use crate::vm::thread::Waiting;

const FUNCTIONS: &[Entry] = natives![
    c"connect" => connect,
    c"create" => create,
    c"release" => release,
    c"sethook" => set_hook,
];

const METHODS: &[Entry] = natives![
    c"read" => read,
    c"write" => write,
];

/// Name of the metatable of channels.
const CHANNEL: &CStr = c"skynet.debugchannel.channel";
/// Place in the registry of the table of hook functions by coroutine.
const HOOKS: &CStr = c"skynet.debugchannel.hooks";
/// Milliseconds between two looks for a line.
const LOOK: i64 = 10;

type Slot = *const Channel;

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::lua_createtable(state, 0, i32::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// Pushes a userdata whose slot is still empty, and gives the slot. May raise.
fn push_slot(call: &mut Call) -> *mut Slot {
    let state = call.state();
    // SAFETY: a native has free slots; nothing here has a destructor.
    unsafe {
        let slot: *mut Slot = ffi::lua_newuserdata(state, size_of::<Slot>()).cast();
        *slot = ptr::null();
        if ffi::luaL_newmetatable(state, CHANNEL.as_ptr()) != 0 {
            ffi::lua_createtable(state, 0, 2);
            register(state, METHODS);
            ffi::lua_setfield(state, -2, c"__index".as_ptr());
            ffi::lua_pushcfunction(state, crate::native!(collect));
            ffi::lua_setfield(state, -2, c"__gc".as_ptr());
            ffi::lua_pushboolean(state, 0);
            ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        }
        ffi::lua_setmetatable(state, -2);
        slot
    }
}

/// The slot of the channel at index 1, null for anything else.
fn slot(call: &Call) -> *mut Slot {
    // SAFETY: gives null for other values.
    unsafe { ffi::luaL_testudata(call.state(), 1, CHANNEL.as_ptr()).cast() }
}

/// The channel at index 1. Not to be held while Lua may run.
fn channel<'a>(call: &mut Call) -> Result<&'a Channel, Raise> {
    let slot = slot(call);
    // SAFETY: the slot of a live userdata, which holds null or a count of the channel.
    let channel = unsafe { slot.as_ref().and_then(|channel| channel.as_ref()) };
    match channel {
        Some(channel) => Ok(channel),
        None => Err(call.argument(1, format_args!("debug channel expected"))),
    }
}

/// `__gc` of channels.
fn collect(call: &mut Call) -> NativeResult {
    let slot = slot(call);
    if !slot.is_null() {
        // SAFETY: the slot of a live userdata; it is emptied, so that the count is given once.
        unsafe {
            let channel = slot.replace(ptr::null());
            if !channel.is_null() {
                drop(Arc::from_raw(channel));
            }
        }
    }
    NOTHING
}

/// `create()`: a channel, and the pointer under which another service connects to it.
fn create(call: &mut Call) -> NativeResult {
    let slot = push_slot(call);
    let Some((number, channel)) = call.vm().shared.channels.create() else {
        return Err(call.error(format_args!("too many debug channels")));
    };
    // SAFETY: the slot of the userdata on the stack; a light userdata allocates nothing.
    unsafe {
        *slot = Arc::into_raw(channel);
        ffi::lua_pushlightuserdata(call.state(), ptr::without_provenance_mut(number));
    }
    Ok(Outcome::Values(2))
}

/// `connect(pointer)`: the channel of another service.
fn connect(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TLIGHTUSERDATA)?;
    let number = call.pointer(1) as usize;
    let slot = push_slot(call);
    let Some(channel) = call.vm().shared.channels.find(number) else {
        return Err(call.argument(1, format_args!("no debug channel")));
    };
    // SAFETY: the slot of the userdata on the stack.
    unsafe { *slot = Arc::into_raw(channel) };
    Ok(Outcome::Values(1))
}

/// `release(pointer)`: nobody connects to the channel any more.
fn release(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TLIGHTUSERDATA)?;
    let number = call.pointer(1) as usize;
    call.vm().shared.channels.release(number);
    NOTHING
}

/// `channel:write(line)`: false when the other side has let too much lie.
fn write(call: &mut Call) -> NativeResult {
    let line: *const [u8] = call.check_string(2)?;
    let channel = channel(call)?;
    // SAFETY: the line stays on the stack.
    let written = channel.write(unsafe { &*line });
    call.answer_boolean(written)
}

/// `channel:read([milliseconds])`: the next line; nothing when there is none, or none comes in time.
/// **Yields** when it waits.
fn read(call: &mut Call) -> NativeResult {
    let wait = if call.is_none_or_nil(2) { 0 } else { call.check_integer(2)? };
    take(call, wait)
}

fn take(call: &mut Call, wait: i64) -> NativeResult {
    if let Some(line) = channel(call)?.read() {
        // The text is copied to where a raise loses nothing.
        let text = String::from_utf8(line)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let kept = call.vm().error_text.keep(&text);
        drop(text);
        // SAFETY: the buffer belongs to the VM and is not touched by the push.
        unsafe { call.push_bytes(&*kept) };
        return Ok(Outcome::Values(1));
    }
    if wait <= 0 {
        return NOTHING;
    }
    check_yieldable(call)?;
    let session = bare_timer(call, 1)?;
    let left = isize::try_from(wait - LOOK).unwrap_or(isize::MAX);
    suspend(call, Waiting::Sleep(session), 1, continuation!(look_again), left)
}

fn look_again(call: &mut Call, resumed: Resumed) -> NativeResult {
    take(call, i64::try_from(resumed.context).unwrap_or(0))
}

/// Pushes the table of hook functions; its keys are weak.
fn push_hooks(state: *mut ffi::lua_State) {
    // SAFETY: called with free slots, protected; nothing here has a destructor.
    unsafe {
        if ffi::luaL_getsubtable(state, ffi::LUA_REGISTRYINDEX, HOOKS.as_ptr()) == 0 {
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_pushstring(state, c"k".as_ptr());
            ffi::lua_setfield(state, -2, c"__mode".as_ptr());
            ffi::lua_setmetatable(state, -2);
        }
    }
}

/// `sethook([thread,] [f, mask])`: as `debug.sethook`, but a hook that returns true at a line stops
/// the thread there until it is woken.
fn set_hook(call: &mut Call) -> NativeResult {
    let state = call.state();
    let first = if call.kind(1) == ffi::LUA_TTHREAD { 2 } else { 1 };
    // SAFETY: it is a thread.
    let target = if first == 2 { unsafe { ffi::lua_tothread(state, 1) } } else { state };
    let mut mask = 0;
    if !call.is_none_or_nil(first) {
        call.check_type(first, ffi::LUA_TFUNCTION)?;
        for event in call.check_string(first + 1)? {
            mask |= match event {
                b'c' => ffi::LUA_MASKCALL,
                b'r' => ffi::LUA_MASKRET,
                b'l' => ffi::LUA_MASKLINE,
                _ => 0,
            };
        }
    }
    // SAFETY: the arguments are on the stack; the thread is alive and has room for itself.
    unsafe {
        push_hooks(state);
        if first == 2 {
            ffi::lua_pushvalue(state, 1);
        } else {
            ffi::lua_pushthread(state);
        }
        if mask == 0 {
            ffi::lua_pushnil(state);
        } else {
            ffi::lua_pushvalue(state, first);
        }
        ffi::lua_settable(state, -3);
        ffi::lua_sethook(target, (mask != 0).then_some(on_event), mask, 0);
    }
    NOTHING
}

unsafe extern "C-unwind" fn on_event(state: *mut ffi::lua_State, record: *mut ffi::lua_Debug) {
    // SAFETY: Lua calls this with the running coroutine of a VM of ours, and room on its stack.
    // Nothing here has a destructor when the function raises.
    unsafe {
        push_hooks(state);
        ffi::lua_pushthread(state);
        ffi::lua_rawget(state, -2);
        if ffi::lua_type(state, -1) != ffi::LUA_TFUNCTION {
            ffi::lua_settop(state, -3);
            return;
        }
        let event = (*record).event;
        ffi::lua_pushstring(
            state,
            match event {
                ffi::LUA_HOOKRET => c"return".as_ptr(),
                ffi::LUA_HOOKLINE => c"line".as_ptr(),
                ffi::LUA_HOOKTAILCALL => c"tail call".as_ptr(),
                _ => c"call".as_ptr(),
            },
        );
        if event == ffi::LUA_HOOKLINE {
            ffi::lua_pushinteger(state, (*record).currentline.into());
        } else {
            ffi::lua_pushnil(state);
        }
        ffi::lua_callk(state, 2, 1, 0, None);
        let stop = event == ffi::LUA_HOOKLINE && ffi::lua_toboolean(state, -1) != 0;
        ffi::lua_settop(state, -3);
        if stop && wait_for_wakeup(state) {
            ffi::lua_yieldk(state, 0, 0, None);
        }
    }
}

/// Makes the running thread one that waits for a wakeup; false when it cannot be suspended here.
unsafe fn wait_for_wakeup(state: *mut ffi::lua_State) -> bool {
    // SAFETY: as for `on_event`.
    let vm = unsafe { Vm::of(state).as_mut() };
    let Some(id) = vm.current.filter(|id| vm.threads[*id].state == state) else { return false };
    // SAFETY: the state runs, and its layout is known.
    if vm.blocked_resumers != 0 || unsafe { ffi::lua_isyieldable(state) } == 0 {
        return false;
    }
    let session = vm.sessions.allocate();
    vm.sessions.insert(session, Waiter::Thread(id));
    vm.threads[id].waiting = Waiting::Wait(session);
    vm.threads[id].own_token = true;
    vm.suspended = true;
    vm.stopped = true;
    true
}
