//! Tables of fields and amounts, from Lua and to Lua, by way of buffers that a userdata holds.
//!
//! Invariant: the buffers belong to a userdata that is in use, so a raise in between loses nothing.

use std::ffi::c_int;

use mlua::ffi;

use crate::bridge::step::Pairs;
use crate::bridge::{RESERVED, amount};
use crate::codec::bridge::{LONGEST_NAME, MOST_FIELDS, is_name};
use crate::vm::native::{Call, Lossy, Raise};

/// A text or whole number at `index` that names something: a uid, a session, an id.
pub(super) fn name<'a>(call: &mut Call, index: c_int, what: &str) -> Result<&'a [u8], Raise> {
    let bytes: *const [u8] = call.check_string(index)?;
    // SAFETY: the string stays on the stack until the native ends, and nobody keeps it longer.
    let bytes = unsafe { &*bytes };
    if !(1..=LONGEST_NAME).contains(&bytes.len()) {
        let length = bytes.len();
        return Err(
            call.error(format_args!("bridge: {what} of {length} bytes (1 to {LONGEST_NAME})"))
        );
    }
    Ok(bytes)
}

/// Reads the table at `index` into `pairs`; nil is an empty one. Names of the bridge are refused.
pub(super) fn read_fields(call: &mut Call, index: c_int, pairs: *mut Pairs) -> Result<(), Raise> {
    read(call, index, pairs)?;
    // SAFETY: the caller's userdata is in use by this native alone, and Lua does not run here.
    for (name, _) in unsafe { &*pairs } {
        if name.starts_with(b"_") || RESERVED.contains(&&name[..]) {
            let name = Lossy(name);
            return Err(call.error(format_args!("bridge: field `{name}` is the bridge's own")));
        }
    }
    Ok(())
}

/// Reads the table of amounts at `index` into `pairs`. Zero is allowed where all is asked for.
pub(super) fn read_amounts(
    call: &mut Call,
    index: c_int,
    pairs: *mut Pairs,
    least: u64,
) -> Result<(), Raise> {
    read_fields(call, index, pairs)?;
    // SAFETY: as above.
    for (name, digits) in unsafe { &*pairs } {
        if amount::parse(digits).is_none_or(|amount| amount < least) {
            let (name, digits, most) = (Lossy(name), Lossy(digits), amount::MOST);
            return Err(call.error(format_args!(
                "bridge: amount `{name}` is {digits} (a whole number, {least} to {most})"
            )));
        }
    }
    Ok(())
}

/// Reads the table at `index`: names to texts, numbers or booleans.
fn read(call: &mut Call, index: c_int, pairs: *mut Pairs) -> Result<(), Raise> {
    // SAFETY: the caller's userdata is in use by this native alone.
    unsafe { (*pairs).clear() };
    if call.is_none_or_nil(index) {
        return Ok(());
    }
    call.check_type(index, ffi::LUA_TTABLE)?;
    call.reserve(4)?;
    let state = call.state();
    call.push_nil();
    // SAFETY: a table is at `index`, a key on top. Only copies are turned into strings, so that the
    // traversal goes on.
    while unsafe { ffi::lua_next(state, index) } != 0 {
        let top = call.top();
        let Some(name) = call.string(top - 1) else {
            let kind = call.type_name(top - 1);
            return Err(call.error(format_args!("bridge: the name of a field is a {kind} value")));
        };
        let name: *const [u8] = name;
        // SAFETY: the name is on the stack while the entry is handled.
        let name = unsafe { &*name };
        if !is_name(name) {
            let name = Lossy(name);
            return Err(call.error(format_args!(
                "bridge: `{name}` cannot be the name of a field (1 to 128 of A-Z a-z 0-9 _ . - *)"
            )));
        }
        let value: &[u8] = match call.kind(top) {
            ffi::LUA_TSTRING => call.string(top).unwrap_or_default(),
            ffi::LUA_TBOOLEAN if call.boolean(top) => b"true",
            ffi::LUA_TBOOLEAN => b"false",
            ffi::LUA_TNUMBER => {
                // SAFETY: a whole number is written without a point, whatever its type.
                unsafe {
                    match call.integer(top) {
                        Some(whole) => ffi::lua_pushinteger(state, whole),
                        None => ffi::lua_pushvalue(state, top),
                    }
                    ffi::lua_tolstring(state, -1, std::ptr::null_mut());
                }
                call.string(top + 1).unwrap_or_default()
            }
            _ => {
                let (name, kind) = (Lossy(name), call.type_name(top));
                return Err(call.error(format_args!(
                    "bridge: field `{name}` is a {kind} value (string, number, boolean)"
                )));
            }
        };
        // SAFETY: as above; this runs no Lua.
        let count = unsafe {
            (*pairs).push((name.to_vec(), value.to_vec()));
            ffi::lua_settop(state, top - 1);
            (*pairs).len()
        };
        if count > MOST_FIELDS {
            return Err(call.error(format_args!("bridge: more than {MOST_FIELDS} fields")));
        }
    }
    Ok(())
}

/// Pushes a table of the pairs. May raise.
pub(super) fn push(call: &mut Call, pairs: *const Pairs) {
    let state = call.state();
    // SAFETY: the pairs belong to a userdata in use, so they stay as they are; a native has free slots.
    unsafe {
        let count = (*pairs).len();
        ffi::lua_createtable(state, 0, c_int::try_from(count).unwrap_or(0));
        for index in 0..count {
            let (name, value) = &(&(*pairs))[index];
            call.push_bytes(name);
            call.push_bytes(value);
            ffi::lua_rawset(state, -3);
        }
    }
}

/// Pushes a list of texts. May raise.
pub(super) fn push_list(call: &mut Call, list: *const Vec<Vec<u8>>) {
    let state = call.state();
    // SAFETY: as above.
    unsafe {
        let count = (*list).len();
        ffi::lua_createtable(state, c_int::try_from(count).unwrap_or(0), 0);
        for index in 0..count {
            call.push_bytes(&(&(*list))[index]);
            ffi::lua_rawseti(state, -2, i64::try_from(index + 1).unwrap_or(i64::MAX));
        }
    }
}

/// The pairs as the codec takes them.
pub(super) fn borrowed(pairs: &Pairs) -> Vec<(&[u8], &[u8])> {
    pairs.iter().map(|(name, value)| (&name[..], &value[..])).collect()
}
