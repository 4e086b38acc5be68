//! `skynet`: message types and their handlers.

use std::ffi::c_int;

use mlua::ffi;

use crate::kernel::{Handle, Kind};
use crate::native;
use crate::vm::native::{Call, Lossy, NOTHING, NativeResult, Outcome, Raise};
use crate::vm::request::{default_unknown_request, default_unknown_response};
use crate::vm::session::NO_REFERENCE;

/// `register_protocol{name=, id=, pack=, unpack=, dispatch=}`.
pub(crate) fn register_protocol(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TTABLE)?;
    let state = call.state();
    // SAFETY: a native has free slots; fields may be metamethods, nothing here has a destructor.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_getfield(state, 1, c"name".as_ptr());
        ffi::lua_getfield(state, 1, c"id".as_ptr());
    }
    let id = call.integer(3).and_then(|id| u8::try_from(id).ok());
    if call.string(2).is_none() || id.is_none() {
        return Err(call.plain_error(format_args!("assertion failed!")));
    }
    let name: *const [u8] = call.string(2).unwrap_or_default();
    let kind = Kind(id.unwrap_or_default());
    // SAFETY: the name stays on the stack.
    let name = unsafe { &*name };
    let protocols = &call.vm().protocols;
    if protocols.by_name(name).is_some() || protocols.by_kind(kind).is_some() {
        return Err(call.plain_error(format_args!("assertion failed!")));
    }
    push_table(call);
    // SAFETY: as above; the class is anchored before Rust knows of it.
    unsafe {
        ffi::lua_pushvalue(state, 2);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_rawset(state, 4);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_rawseti(state, 4, kind.0.into());
        ffi::lua_pushvalue(state, 1);
        let class = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        call.vm().protocols.add(name, kind, class);
    }
    NOTHING
}

/// Pushes `skynet._proto`, the tables of the message types by name and by id, made when first
/// needed.
pub(super) fn push_table(call: &mut Call) {
    let reference = call.vm().references.protocols;
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe {
        if reference == NO_REFERENCE {
            ffi::lua_createtable(state, 0, 2);
            ffi::lua_pushvalue(state, -1);
            let reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
            call.vm().references.protocols = reference;
        } else {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
        }
    }
}

/// `dispatch(type [, f])`: sets the handler; returns the one before.
pub(super) fn dispatch(call: &mut Call) -> NativeResult {
    let position = find_type(call, 1);
    let sets = !call.is_none_or_nil(2);
    let Some(position) = position else {
        if !sets {
            return call.answer_nil();
        }
        return Err(unknown_type(call, 1));
    };
    let protocol = call.vm().protocols.at(position);
    let (native, class, before) = (protocol.is_native(), protocol.class, protocol.dispatch);
    let state = call.state();
    // SAFETY: a native has free slots; nothing here has a destructor.
    unsafe {
        ffi::lua_settop(state, 2);
        if native {
            if before != NO_REFERENCE {
                ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, before.into());
            } else if call.vm().protocols.at(position).kind == Kind::ERROR {
                ffi::lua_pushcfunction(state, native!(default_error));
            } else if call.vm().protocols.at(position).kind == Kind::DEBUG {
                super::lazy::push_field(call, c"skynet.debug", c"dispatch")?;
            } else {
                ffi::lua_pushnil(state);
            }
            if sets {
                ffi::lua_pushvalue(state, 2);
                let reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
                call.vm().protocols.at_mut(position).dispatch = reference;
                ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, before);
            }
        } else {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, class.into());
            ffi::lua_getfield(state, 3, c"dispatch".as_ptr());
            if sets {
                ffi::lua_pushvalue(state, 2);
                ffi::lua_setfield(state, 3, c"dispatch".as_ptr());
            }
        }
    }
    Ok(Outcome::Values(1))
}

/// What becomes of an error message, as a function: (session, source).
fn default_error(call: &mut Call) -> NativeResult {
    let session = super::message::session(call, 1)?;
    let source = u32::try_from(call.check_integer(2)?).ok().and_then(Handle::new);
    call.vm().on_error(source, session);
    NOTHING
}

/// Position of the message type that the script names at `index`, by its name or its id.
#[inline]
pub(super) fn find_type(call: &mut Call, index: c_int) -> Option<usize> {
    if let Some(name) = call.string(index).map(std::ptr::from_ref::<[u8]>) {
        // SAFETY: the name stays on the stack.
        return call.vm().protocols.by_name(unsafe { &*name });
    }
    let id = u8::try_from(call.integer(index)?).ok()?;
    call.vm().protocols.by_kind(Kind(id))
}

/// The error about a message type at `index` that the service does not know.
#[cold]
pub(super) fn unknown_type(call: &mut Call, index: c_int) -> Raise {
    let type_name = call.type_name(index);
    let name: *const [u8] = call.string(index).unwrap_or(type_name.as_bytes());
    // SAFETY: the name stays on the stack.
    let name = Lossy(unsafe { &*name });
    call.error(format_args!("unknown message type '{name}' (see skynet.register_protocol)"))
}

/// `dispatch_unknown_request(f)`: what happens to a request that has no handler.
pub(super) fn dispatch_unknown_request(call: &mut Call) -> NativeResult {
    let before = call.vm().references.unknown_request;
    let reference = replace_reference(call, before)?;
    call.vm().references.unknown_request = reference;
    if before == NO_REFERENCE {
        // SAFETY: pushing a function without upvalues allocates nothing.
        unsafe { ffi::lua_pushcfunction(call.state(), native!(default_unknown_request)) };
    }
    Ok(Outcome::Values(1))
}

/// `dispatch_unknown_response(f)`: what happens to an answer nobody waits for.
pub(super) fn dispatch_unknown_response(call: &mut Call) -> NativeResult {
    let before = call.vm().references.unknown_response;
    let reference = replace_reference(call, before)?;
    call.vm().references.unknown_response = reference;
    if before == NO_REFERENCE {
        // SAFETY: as above.
        unsafe { ffi::lua_pushcfunction(call.state(), native!(default_unknown_response)) };
    }
    Ok(Outcome::Values(1))
}

/// Refers to the function at index 1; leaves the one behind `before`, or nil, on the stack.
pub(super) fn replace_reference(call: &mut Call, before: c_int) -> Result<c_int, Raise> {
    call.check_type(1, ffi::LUA_TFUNCTION)?;
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_settop(state, 1);
        let reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        if before == NO_REFERENCE {
            ffi::lua_pushnil(state);
        } else {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, before.into());
            ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, before);
        }
        Ok(reference)
    }
}
