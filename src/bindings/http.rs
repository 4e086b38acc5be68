//! `skynet.http.codec`: HTTP messages for the Lua files of `http`. Not for scripts.
//!
//! Each function looks at the bytes so far. It answers nil when more are needed, and `false` with a
//! status code when they are no message that is accepted.
//! Not here: reading and limits of bodies (`lua/lib/http`).

use std::ffi::c_int;

use mlua::ffi;

use crate::codec::http::{self, Body, HEAD_LIMIT, Phase, RESPONSE_HEAD_LIMIT, Refusal};
use crate::natives;
use crate::vm::native::{Call, Entry, NativeResult, Outcome, Raise, register};

const FUNCTIONS: &[Entry] = natives![
    c"dechunk" => dechunk,
    c"fields" => fields,
    c"framing" => framing,
    c"head_end" => head_end,
    c"request" => request,
    c"response" => response,
];

/// Phases of a chunked body as numbers; a positive one is what is left of a chunk.
const SIZE: i64 = 0;
const DATA_END: i64 = -1;
const TRAILER: i64 = -2;
const DONE: i64 = -3;

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

/// The bytes at index 1 and how many of them were seen before, which is at index 2.
fn input<'a>(call: &mut Call) -> Result<(&'a [u8], usize), Raise> {
    let known = if call.is_none_or_nil(2) { 0 } else { call.check_integer(2)? };
    let bytes: *const [u8] = call.check_string(1)?;
    // SAFETY: the string stays on the stack until the native ends, and nobody keeps it longer.
    Ok((unsafe { &*bytes }, usize::try_from(known).unwrap_or(0)))
}

fn refuse(call: &mut Call, refusal: Refusal) -> NativeResult {
    call.push_boolean(false);
    call.push_integer(refusal.status().into());
    Ok(Outcome::Values(2))
}

fn push_length(call: &mut Call, length: usize) {
    call.push_integer(i64::try_from(length).unwrap_or(i64::MAX));
}

/// Adds fields to the table at `table`; a name that is there already gets a list. May raise, so
/// `fields` borrows from what outlives the native.
pub(super) fn add_fields<'a>(
    call: &mut Call,
    table: c_int,
    fields: impl Iterator<Item = (&'a str, &'a [u8])>,
) {
    let state = call.state();
    for (name, value) in fields {
        call.push_bytes(name.as_bytes());
        // SAFETY: there is a table at `table`, and at most five values are pushed above it. May
        // raise: names and values are borrowed from the native's frame and its arguments.
        unsafe {
            ffi::lua_pushvalue(state, -1);
            match ffi::lua_rawget(state, table) {
                ffi::LUA_TNIL => {
                    ffi::lua_settop(state, -2);
                    call.push_bytes(value);
                    ffi::lua_rawset(state, table);
                }
                ffi::LUA_TTABLE => {
                    call.push_bytes(value);
                    let next = ffi::lua_rawlen(state, -2) + 1;
                    ffi::lua_rawseti(state, -2, i64::try_from(next).unwrap_or(i64::MAX));
                    ffi::lua_settop(state, -3);
                }
                _ => {
                    ffi::lua_createtable(state, 2, 0);
                    ffi::lua_insert(state, -2);
                    ffi::lua_rawseti(state, -2, 1);
                    call.push_bytes(value);
                    ffi::lua_rawseti(state, -2, 2);
                    ffi::lua_rawset(state, table);
                }
            }
        }
    }
}

/// `head_end(bytes [, known])`: how long the head is that the bytes begin with.
fn head_end(call: &mut Call) -> NativeResult {
    let (bytes, known) = input(call)?;
    match http::find_end(bytes, known) {
        None => call.answer_nil(),
        Some(end) => {
            push_length(call, end);
            Ok(Outcome::Values(1))
        }
    }
}

/// `request(bytes [, known])`: method, target, header, and the head's length.
fn request(call: &mut Call) -> NativeResult {
    let (bytes, known) = input(call)?;
    let mut scratch = [0; HEAD_LIMIT];
    match http::request(bytes, known, &mut scratch) {
        Ok(None) => call.answer_nil(),
        Err(refusal) => refuse(call, refusal),
        Ok(Some(head)) => {
            call.push_bytes(head.method);
            call.push_bytes(head.target);
            // SAFETY: a native has free slots.
            unsafe { ffi::lua_createtable(call.state(), 0, 8) };
            let table = call.top();
            add_fields(call, table, head.fields.iter());
            push_length(call, head.end);
            Ok(Outcome::Values(4))
        }
    }
}

/// `response(bytes, known, header)`: status, header, the head's length, and whether the version
/// is 1.1 or later. The fields are added to `header`.
fn response(call: &mut Call) -> NativeResult {
    let (bytes, known) = input(call)?;
    call.check_type(3, ffi::LUA_TTABLE)?;
    let mut scratch = [0; RESPONSE_HEAD_LIMIT];
    match http::response(bytes, known, &mut scratch) {
        Ok(None) => call.answer_nil(),
        Err(refusal) => refuse(call, refusal),
        Ok(Some(head)) => {
            add_fields(call, 3, head.fields.iter());
            call.push_integer(head.status.into());
            // SAFETY: the table is at index 3.
            unsafe { ffi::lua_pushvalue(call.state(), 3) };
            push_length(call, head.end);
            call.push_boolean(head.at_least_1_1);
            Ok(Outcome::Values(4))
        }
    }
}

/// `fields(lines, header)`: header, with the fields of the lines added to it. An empty line is
/// behind them.
fn fields(call: &mut Call) -> NativeResult {
    let bytes: *const [u8] = call.check_string(1)?;
    call.check_type(2, ffi::LUA_TTABLE)?;
    let mut scratch = [0; RESPONSE_HEAD_LIMIT];
    // SAFETY: the string stays on the stack.
    match http::block(unsafe { &*bytes }, &mut scratch) {
        Err(refusal) => refuse(call, refusal),
        Ok(fields) => {
            add_fields(call, 2, fields.iter());
            // SAFETY: the table is at index 2.
            unsafe { ffi::lua_pushvalue(call.state(), 2) };
            Ok(Outcome::Values(1))
        }
    }
}

/// `framing(content_length, transfer_encoding)`: the body's length, "chunked", or nil when neither
/// says it. A field that came more than once is a list, and refused.
fn framing(call: &mut Call) -> NativeResult {
    if call.kind(1) == ffi::LUA_TTABLE && call.is_none_or_nil(2) {
        return refuse(call, Refusal::Malformed);
    }
    if call.kind(2) == ffi::LUA_TTABLE {
        return refuse(call, Refusal::Coding);
    }
    if call.kind(1) == ffi::LUA_TNUMBER {
        call.check_string(1)?;
    }
    match http::body(call.string(1), call.string(2)) {
        Ok(Body::Unstated) => call.answer_nil(),
        Ok(Body::Length(length)) => call.answer_integer(i64::try_from(length).unwrap_or(i64::MAX)),
        Ok(Body::Chunked) => {
            call.push_bytes(b"chunked");
            Ok(Outcome::Values(1))
        }
        Err(refusal) => refuse(call, refusal),
    }
}

/// `dechunk(bytes, phase)`: what the bytes hold of the body, how many of them are used up, the next
/// phase, and the lines behind the last chunk when that is -3, the end. The first phase is 0.
fn dechunk(call: &mut Call) -> NativeResult {
    let bytes: *const [u8] = call.check_string(1)?;
    let phase = match call.check_integer(2)? {
        SIZE => Phase::Size,
        DATA_END => Phase::DataEnd,
        TRAILER => Phase::Trailer,
        left @ 1.. => Phase::Data(left.unsigned_abs()),
        _ => Phase::Done,
    };
    // SAFETY: the string stays on the stack.
    let bytes = unsafe { &*bytes };
    // The block belongs to Lua, so that nothing is lost when a push raises.
    // SAFETY: a native has free slots; the block is as long as asked for, zeroed before it is read,
    // and stays on the stack.
    let out = unsafe {
        let block = ffi::lua_newuserdata(call.state(), bytes.len()).cast::<u8>();
        block.write_bytes(0, bytes.len());
        std::slice::from_raw_parts_mut(block, bytes.len())
    };
    match http::decode(phase, bytes, out) {
        Err(refusal) => refuse(call, refusal),
        Ok(decoded) => {
            call.push_bytes(&out[..decoded.written]);
            push_length(call, decoded.used);
            call.push_integer(match decoded.phase {
                Phase::Size => SIZE,
                Phase::Data(left) => i64::try_from(left).unwrap_or(i64::MAX),
                Phase::DataEnd => DATA_END,
                Phase::Trailer => TRAILER,
                Phase::Done => DONE,
            });
            if decoded.phase == Phase::Done {
                call.push_bytes(&bytes[decoded.trailer]);
            } else {
                call.push_nil();
            }
            Ok(Outcome::Values(4))
        }
    }
}
