//! What the threads of the dispatcher run: a request's handler, a timer's function, the reports of
//! messages that nobody handles.
//!
//! Invariant: everything here runs inside a coroutine, so an error fails that coroutine alone.

use std::ffi::c_int;

use mlua::ffi;

use super::native::{Call, Lossy, NOTHING, NativeResult, Outcome, Resumed};
use super::session::NO_REFERENCE;
use super::{Current, resume, seri};
use crate::continuation;
use crate::kernel::{Handle, Kind, Session};

/// Body of the thread that runs the function of `skynet.on_stop`.
pub(super) fn run_stop_function(call: &mut Call) -> NativeResult {
    let function = call.vm().references.stop;
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_pushcfunction(call.state(), resume::add_traceback);
        ffi::lua_rawgeti(call.state(), ffi::LUA_REGISTRYINDEX, function.into());
    }
    Ok(Outcome::ProtectedCall(0, 1, continuation!(stop_function_done), 0))
}

pub(super) fn stop_function_done(call: &mut Call, resumed: Resumed) -> NativeResult {
    if !resumed.is_ok() {
        let text: *const [u8] = call.string(-1).unwrap_or(b"(error object is no string)");
        // SAFETY: the text is on the stack.
        let text = Lossy(unsafe { &*text });
        call.vm().log(&format!("on_stop failed: {text}"));
    }
    let vm = call.vm();
    vm.node.saved(vm.handle());
    NOTHING
}

/// Body of a thread that handles a request: finds the handler, unpacks, calls.
pub(super) fn handle_request(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    let message = vm.message;
    let source = message.source.map_or(0, Handle::number);
    let Some(position) = vm.protocols.by_kind(message.kind) else {
        return unknown_request(call);
    };
    let protocol = vm.protocols.at(position);
    let (native, dispatch, class) = (protocol.is_native(), protocol.dispatch, protocol.class);
    let state = call.state();
    // SAFETY: a native has 20 free slots; the references are the protocol's own.
    unsafe {
        if native {
            if dispatch == NO_REFERENCE {
                return if message.kind == Kind::DEBUG {
                    load_debug(call)
                } else {
                    unknown_request(call)
                };
            }
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, dispatch.into());
        } else {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, class.into());
            ffi::lua_getfield(state, -1, c"dispatch".as_ptr());
            if ffi::lua_type(state, -1) == ffi::LUA_TNIL {
                ffi::lua_settop(state, 0);
                return unknown_request(call);
            }
            ffi::lua_insert(state, -2);
        }
        // dispatch [, class]
        ffi::lua_pushinteger(state, message.session.0.into());
        ffi::lua_pushinteger(state, source.into());
        let count = if message.kind == Kind::ERROR {
            // The session of an error is none to answer.
            if let Some(id) = call.vm().current {
                call.vm().threads[id].request = None;
            }
            push_message(call, message);
            2
        } else if native {
            seri::unpack(call, &*message.bytes)?
        } else {
            ffi::lua_getfield(state, 2, c"unpack".as_ptr());
            ffi::lua_remove(state, 2);
            push_message(call, message);
            ffi::lua_callk(state, 2, ffi::LUA_MULTRET, 0, None);
            call.top() - 3
        };
        Ok(Outcome::Call(count + 2, continuation!(end_request), 0))
    }
}

pub(super) fn end_request(_call: &mut Call, _resumed: Resumed) -> NativeResult {
    NOTHING
}

/// Pushes the bytes of a message as scripts see them: a light userdata and a size.
pub fn push_message(call: &mut Call, message: Current) {
    // SAFETY: a native has free slots; the pointer is only looked at while the message lives.
    unsafe {
        // An empty message is a null pointer, but a pointer: scripts test for nil.
        let start = message.bytes.cast::<std::ffi::c_void>().cast_mut();
        let start = if message.bytes.is_empty() { std::ptr::null_mut() } else { start };
        ffi::lua_pushlightuserdata(call.state(), start);
        ffi::lua_pushinteger(call.state(), i64::try_from(message.bytes.len()).unwrap_or(0));
    }
}

/// The first debug command of a service loads the module that serves them.
pub(super) fn load_debug(call: &mut Call) -> NativeResult {
    let message = call.vm().message;
    let source = message.source.map_or(0, Handle::number);
    let state = call.state();
    // SAFETY: runs in a coroutine; `require` may raise, nothing here has a destructor.
    unsafe {
        ffi::lua_getglobal(state, c"require".as_ptr());
        ffi::lua_pushstring(state, c"skynet.debug".as_ptr());
        ffi::lua_callk(state, 1, 1, 0, None);
        ffi::lua_getfield(state, -1, c"dispatch".as_ptr());
        ffi::lua_pushvalue(state, -1);
        let reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        let vm = call.vm();
        if let Some(position) = vm.protocols.by_kind(Kind::DEBUG) {
            vm.protocols.at_mut(position).dispatch = reference;
        }
        ffi::lua_pushinteger(state, message.session.0.into());
        ffi::lua_pushinteger(state, source.into());
        let count = seri::unpack(call, &*message.bytes)?;
        Ok(Outcome::Call(count + 2, continuation!(end_request), 0))
    }
}

/// A request nobody handles: fail it, or report a message that was only sent.
pub(super) fn unknown_request(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    let message = vm.message;
    if let Some(request) = vm.current.and_then(|id| vm.threads[id].request.take())
        && request.session.expects_answer()
    {
        vm.node.answer_with_error(request.source, request.session, vm.handle());
        return NOTHING;
    }
    let reference = vm.references.unknown_request;
    if reference == NO_REFERENCE {
        return report_request(call, message);
    }
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
        ffi::lua_pushinteger(state, message.session.0.into());
        ffi::lua_pushinteger(state, message.source.map_or(0, Handle::number).into());
    }
    push_message(call, message);
    let name = call.vm().protocols.by_kind(message.kind);
    match name.map(|position| std::ptr::from_ref(&*call.vm().protocols.at(position).name)) {
        // SAFETY: the name belongs to the VM and is not touched by the push.
        Some(name) => unsafe { call.push_bytes(&*name) },
        None => call.push_integer(message.kind.0.into()),
    }
    Ok(Outcome::Call(5, continuation!(end_request), 0))
}

/// What becomes of a message that nobody handles, unless the script says otherwise.
pub(super) fn report_request(call: &mut Call, message: Current) -> NativeResult {
    let vm = call.vm();
    // SAFETY: the bytes live as long as the message.
    let bytes = Lossy(unsafe { &*message.bytes });
    vm.log(&format!("Unknown request ({}): {bytes}", vm.protocols.describe(message.kind)));
    let source = message.source.map_or(0, Handle::number);
    Err(call.error(format_args!("Unknown session : {} from {source:x}", message.session)))
}

/// `skynet.dispatch_unknown_request`'s default, as a function: (session, source, message, size,
/// type).
///
/// # Errors
/// Always: that is what it reports with.
pub fn default_unknown_request(call: &mut Call) -> NativeResult {
    call.vm().message.session = Session(i32::try_from(call.check_integer(1)?).unwrap_or(0));
    let message = call.vm().message;
    report_request(call, message)
}

/// The same for answers: (session, source, message, size).
///
/// # Errors
/// Always: that is what it reports with.
pub fn default_unknown_response(call: &mut Call) -> NativeResult {
    let message = call.vm().message;
    report_response(call, message)
}

/// An answer that nobody waits for.
pub(super) fn unknown_response(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    let message = vm.message;
    let reference = vm.references.unknown_response;
    let source = message.source.map_or(0, Handle::number);
    if reference == NO_REFERENCE {
        return report_response(call, message);
    }
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
        ffi::lua_pushinteger(state, message.session.0.into());
        ffi::lua_pushinteger(state, source.into());
        push_message(call, message);
        ffi::lua_callk(state, 4, 0, 0, None);
    }
    NOTHING
}

pub(super) fn report_response(call: &mut Call, message: Current) -> NativeResult {
    let source = message.source.map_or(0, Handle::number);
    // SAFETY: the bytes live as long as the message.
    let bytes = Lossy(unsafe { &*message.bytes });
    call.vm().log(&format!("Response message : {bytes}"));
    Err(call.error(format_args!("Unknown session : {} from {source:x}", message.session)))
}

/// Body of a thread that runs the function of a timer; its reference is the argument.
pub(super) fn run_timer(call: &mut Call) -> NativeResult {
    let reference = call.integer(1).unwrap_or_default();
    let reference = c_int::try_from(reference).unwrap_or_default();
    let table = call.vm().references.timers;
    let state = call.state();
    if table == NO_REFERENCE {
        return NOTHING;
    }
    // SAFETY: a native has free slots; the table exists, since a timer was put into it.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, table.into());
        ffi::lua_rawgeti(state, 2, reference.into());
        ffi::luaL_unref(state, 2, reference);
        ffi::lua_replace(state, 1);
        ffi::lua_settop(state, 1);
    }
    push_timer_arguments(call);
    Ok(Outcome::Call(TIMER_ARGUMENTS, continuation!(end_request), 0))
}

/// How many arguments the function of a timer gets.
const TIMER_ARGUMENTS: c_int = 3;

/// Pushes what the function of a timer gets: whether the answer came, and its bytes, of which it
/// has none. Scripts see them where such a function has parameters.
pub(crate) fn push_timer_arguments(call: &mut Call) {
    let state = call.state();
    // SAFETY: a native has free slots; none of the three allocates.
    unsafe {
        ffi::lua_pushboolean(state, 1);
        ffi::lua_pushlightuserdata(state, std::ptr::null_mut());
        ffi::lua_pushinteger(state, 0);
    }
}
