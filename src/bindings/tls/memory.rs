//! `skynet.tls.memory`: TLS sessions without a socket, for `ltls.c`. Not for scripts.
//!
//! Invariant: a session lives in a userdata of Lua, which drops it when it is collected or closed.

use std::ffi::{CStr, c_int};

use mlua::ffi;

use super::{fail, options};
use crate::net::tls::Session;
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, Raise, register};
use crate::{native, natives};

const FUNCTIONS: &[Entry] = natives![
    c"client" => client,
    c"close" => close,
    c"finished" => finished,
    c"open" => open_bytes,
    c"seal" => seal,
    c"server" => server,
    c"start" => start,
];

/// Name of the metatable of sessions.
const SESSION: &CStr = c"skynet.tls.session";

/// What Lua counts for a session, which is about what it takes outside of Lua; so a service that
/// makes many meets its own limit, and the collector hurries.
const SIZE: usize = 16 << 10;

/// What is in the userdata.
type Slot = Option<Box<Session>>;

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(in crate::bindings) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        if ffi::luaL_newmetatable(state, SESSION.as_ptr()) != 0 {
            ffi::lua_pushcfunction(state, native!(close));
            ffi::lua_setfield(state, -2, c"__gc".as_ptr());
            ffi::lua_pushboolean(state, 0);
            ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        }
        ffi::lua_settop(state, -2);
        ffi::lua_createtable(state, 0, c_int::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// An empty userdata on top of the stack, to be filled when nothing can raise any more.
fn push_slot(call: &mut Call) -> *mut Slot {
    let state = call.state();
    // SAFETY: a native has free slots; may raise, nothing here has a destructor. The block is
    // large enough and aligned as for any type; it is filled before the collector can see it with
    // its metatable.
    unsafe {
        let slot = ffi::lua_newuserdata(state, SIZE).cast::<Slot>();
        slot.write(None);
        ffi::luaL_setmetatable(state, SESSION.as_ptr());
        slot
    }
}

/// Puts `session` into `slot`, which is below what was put on the stack since; answers it.
fn answer(
    call: &mut Call,
    slot: (*mut Slot, c_int),
    session: Result<Session, String>,
) -> NativeResult {
    match session {
        Ok(session) => {
            // SAFETY: the userdata is on the stack, so it is alive, and nobody else knows it yet.
            unsafe { *slot.0 = Some(Box::new(session)) };
            // SAFETY: the index is the userdata's.
            unsafe { ffi::lua_pushvalue(call.state(), slot.1) };
            Ok(Outcome::Values(1))
        }
        Err(reason) => Err(fail(call, reason)),
    }
}

/// The session at index 1.
fn session<'a>(call: &mut Call) -> Result<&'a Session, Raise> {
    // SAFETY: may raise for lack of memory, nothing here has a destructor; the metatable is that
    // of slots alone, which were written when they were made.
    let slot = unsafe { ffi::luaL_testudata(call.state(), 1, SESSION.as_ptr()).cast::<Slot>() };
    // SAFETY: as above; the userdata stays at its index for as long as the native runs, and only
    // `close` empties it.
    match unsafe { slot.as_ref() } {
        Some(Some(session)) => Ok(session),
        Some(None) => Err(call.error(format_args!("context is closed"))),
        None => Err(call.error(format_args!("need tls context"))),
    }
}

/// The bytes at index 2; none if it is nil.
fn bytes<'a>(call: &mut Call) -> Result<&'a [u8], Raise> {
    if call.is_none_or_nil(2) {
        return Ok(&[]);
    }
    let bytes: *const [u8] = call.check_string(2)?;
    // SAFETY: the string stays on the stack for as long as the native runs.
    Ok(unsafe { &*bytes })
}

/// `client(hostname [, options])`.
fn client(call: &mut Call) -> NativeResult {
    // SAFETY: shortening or filling the native's own frame.
    unsafe { ffi::lua_settop(call.state(), 2) };
    let slot = (push_slot(call), 3);
    let made = options::client_session(call, 1, 2)?;
    answer(call, slot, made)
}

/// `server([certfile, keyfile [, options]])`.
fn server(call: &mut Call) -> NativeResult {
    // SAFETY: as above.
    unsafe { ffi::lua_settop(call.state(), 3) };
    let slot = (push_slot(call), 4);
    let made = options::server_session(call, 1, 3)?;
    answer(call, slot, made)
}

/// `start(session)`: what to send first.
fn start(call: &mut Call) -> NativeResult {
    let session = session(call)?;
    let records = session.start();
    let vm = call.vm();
    let start = vm.scratch.len();
    vm.scratch.extend_from_slice(&records);
    drop(records);
    push_scratch(call, start, usize::MAX);
    call.vm().scratch.truncate(start);
    Ok(Outcome::Values(1))
}

/// `open(session, bytes)`: plaintext, what to send, and the reason if it has failed.
fn open_bytes(call: &mut Call) -> NativeResult {
    let session = session(call)?;
    let bytes = bytes(call)?;
    let vm = call.vm();
    let start = vm.scratch.len();
    let mut reply = Vec::new();
    let opened = session.open(bytes, &mut vm.scratch, &mut reply);
    let plain_end = vm.scratch.len();
    vm.scratch.extend_from_slice(&reply);
    let reply_end = vm.scratch.len();
    let failed = opened.is_err();
    if let Err(reason) = opened {
        vm.scratch.extend_from_slice(reason.as_bytes());
    }
    drop(reply);
    push_scratch(call, start, plain_end);
    push_scratch(call, plain_end, reply_end);
    if failed {
        push_scratch(call, reply_end, usize::MAX);
    }
    call.vm().scratch.truncate(start);
    Ok(Outcome::Values(2 + c_int::from(failed)))
}

/// `seal(session, bytes)`: what to send for them.
fn seal(call: &mut Call) -> NativeResult {
    let session = session(call)?;
    let bytes = bytes(call)?;
    let vm = call.vm();
    let start = vm.scratch.len();
    if let Err(reason) = session.seal(bytes, &mut vm.scratch) {
        vm.scratch.truncate(start);
        return Err(fail(call, reason));
    }
    push_scratch(call, start, usize::MAX);
    call.vm().scratch.truncate(start);
    Ok(Outcome::Values(1))
}

/// Pushes a part of the VM's buffer, up to its end at most.
fn push_scratch(call: &mut Call, start: usize, end: usize) {
    let scratch = &call.vm().scratch;
    let part: *const [u8] = &raw const scratch[start..end.min(scratch.len())];
    // SAFETY: the buffer belongs to the VM and is not touched by the push.
    call.push_bytes(unsafe { &*part });
}

/// `finished(session)`: whether the handshake is over.
fn finished(call: &mut Call) -> NativeResult {
    let handshaking = session(call)?.is_handshaking();
    call.answer_boolean(!handshaking)
}

/// `close(session)`: forgets it. Also what the collector calls.
fn close(call: &mut Call) -> NativeResult {
    // SAFETY: as in `session`; nobody else uses the slot while a native runs.
    let slot = unsafe { ffi::luaL_testudata(call.state(), 1, SESSION.as_ptr()).cast::<Slot>() };
    // SAFETY: as above.
    if let Some(slot) = unsafe { slot.as_mut() } {
        drop(slot.take());
    }
    NOTHING
}
