//! Pipelines: several commands in one call.

use mlua::ffi;

use super::arguments::{Parts, list};
use super::calling::{answer_bytes, is_refused, post, refuse};
use super::decode::{self, Origin, Pushed};
use super::{connection, origin};
use crate::bindings::skynet::thread::{check_yieldable, suspend};
use crate::codec::resp::command::begin;
use crate::codec::resp::reply::Reader;
use crate::continuation;
use crate::redis::{Effect, Effects};
use crate::vm::native::{Call, NativeResult, Outcome, Raise, Resumed};
use crate::vm::thread::Waiting;

/// Where the lists of texts are while the bytes are written.
const TEXTS: i32 = 4;

/// `pipeline(db, commands [, answers])`: sends a list of commands, each a list of its parts. The
/// value of the last, or `answers` with `{ok=, out=}` of each added. **Yields.**
pub(super) fn pipeline(call: &mut Call) -> NativeResult {
    check_yieldable(call)?;
    connection(call)?;
    let state = call.state();
    // SAFETY: fills up the arguments; reading the length is raw.
    let count = unsafe {
        ffi::lua_settop(state, 3);
        if call.kind(2) == ffi::LUA_TTABLE { ffi::lua_rawlen(state, 2) } else { 0 }
    };
    if count == 0 {
        return Err(call.error(format_args!("pipeline is null")));
    }
    if !call.is_none_or_nil(3) {
        call.check_type(3, ffi::LUA_TTABLE)?;
    }
    call.reserve(12)?;
    let effects =
        if read_commands(call, count)? { effects(call, count) } else { Effects::default() };
    let session = post(call, count, effects, |call, out| {
        for place in 1..=i64::try_from(count).unwrap_or(0) {
            // SAFETY: the lists are in the table; there is room; nothing here raises.
            unsafe {
                ffi::lua_rawgeti(state, TEXTS, place);
                let length = ffi::lua_rawlen(state, -1);
                begin(out, length);
                Parts::List(call.top(), length).write(call, out);
                ffi::lua_pop(state, 1);
            }
        }
    })?;
    suspend(call, Waiting::Call { session, peer: None }, 3, continuation!(answered), 0)
}

/// Puts a table of the commands, each a list of texts, to index `TEXTS`. True when one of them has to
/// do with the database in use.
fn read_commands(call: &mut Call, count: usize) -> Result<bool, Raise> {
    let state = call.state();
    let mut tracked = false;
    // SAFETY: the caller has made room.
    unsafe { ffi::lua_createtable(state, i32::try_from(count).unwrap_or(0), 0) };
    for place in 1..=i64::try_from(count).unwrap_or(0) {
        // SAFETY: the commands are a table.
        unsafe { ffi::lua_rawgeti(state, 2, place) };
        let index = call.top();
        if call.kind(index) != ffi::LUA_TTABLE {
            let found = call.type_name(index);
            let text = format_args!("redis: command #{place} of a pipeline is a {found}, no list");
            return Err(call.error(text));
        }
        let length = list(call, index, b"a pipeline")?;
        let parts = Parts::List(index, length);
        let Some(name) = parts.text(call, 0) else {
            let text = format_args!("redis: command #{place} of a pipeline is empty");
            return Err(call.error(text));
        };
        let refused = is_refused(&name, parts.text(call, 1).as_deref());
        if refused {
            let raise = refuse(call, &name);
            drop(name);
            return Err(raise);
        }
        tracked |= Effect::is_of(&name);
        drop(name);
        // SAFETY: the list is on top of the table.
        unsafe { ffi::lua_rawseti(state, TEXTS, place) };
    }
    Ok(tracked)
}

/// What the commands at index `TEXTS` do to the database in use. Runs no Lua and raises nothing.
fn effects(call: &mut Call, count: usize) -> Effects {
    Effects::of((1..=i64::try_from(count).unwrap_or(0)).map(|place| {
        // SAFETY: the lists are in the table; there is room; reading raw runs no Lua.
        unsafe { ffi::lua_rawgeti(call.state(), TEXTS, place) };
        let list = call.top();
        // SAFETY: as above.
        let parts = Parts::List(list, unsafe { ffi::lua_rawlen(call.state(), list) });
        let name = parts.text(call, 0).filter(|name| Effect::is_of(name));
        let effect = name.and_then(|name| Effect::of(&name, parts.text(call, 1)));
        // SAFETY: takes the list off.
        unsafe { ffi::lua_pop(call.state(), 1) };
        effect
    }))
}

fn answered(call: &mut Call, _resumed: Resumed) -> NativeResult {
    let origin = Origin { command: Some(b"pipeline"), ..origin(call) };
    let bytes = answer_bytes(call, origin)?;
    // SAFETY: the bytes belong to the message being handled.
    let bytes = unsafe { &*bytes };
    if call.is_none_or_nil(3) {
        let mut reader = Reader::new(bytes);
        let mut last = bytes;
        while !reader.is_at_end() {
            last = reader.rest();
            if !reader.skip() {
                break;
            }
        }
        return decode::value(call, last, origin);
    }
    add_answers(call, bytes)
}

/// Adds `{ok=, out=}` of each reply to the list at index 3, which is the result.
fn add_answers(call: &mut Call, bytes: &[u8]) -> NativeResult {
    call.reserve(8)?;
    let state = call.state();
    let mut reader = Reader::new(bytes);
    // SAFETY: the list is an argument that the native has kept; there is room. May raise; nothing
    // here has a destructor.
    unsafe {
        ffi::lua_settop(state, 3);
        let mut place = i64::try_from(ffi::lua_rawlen(state, 3)).unwrap_or(0);
        while !reader.is_at_end() {
            ffi::lua_createtable(state, 0, 2);
            let pushed = decode::push_value(call, &mut reader)?;
            ffi::lua_setfield(state, -2, c"out".as_ptr());
            ffi::lua_pushboolean(state, i32::from(pushed == Pushed::Good));
            ffi::lua_setfield(state, -2, c"ok".as_ptr());
            place += 1;
            ffi::lua_rawseti(state, 3, place);
        }
    }
    Ok(Outcome::Values(1))
}
