//! Values that Lua does not have, as strings, and what a value is.

use std::ffi::c_int;

use mlua::ffi;

use crate::bindings::bytes::{argument, fail, push_written};
use crate::codec::bson::Kind;
use crate::codec::crypt::hex;
use crate::vm::layout::Peek;
use crate::vm::native::{Call, NativeResult, Outcome};

/// Bytes of an object id.
const OBJECT_ID: usize = 12;

/// Pushes a value of a kind with what it holds.
pub(super) fn push(call: &mut Call, kind: Kind, pieces: &[&[u8]]) {
    let scratch = &mut call.vm().scratch;
    let start = scratch.len();
    scratch.extend_from_slice(&[0, kind.number()]);
    for piece in pieces {
        scratch.extend_from_slice(piece);
    }
    push_written(call, start);
}

fn answer(call: &mut Call, kind: Kind, pieces: &[&[u8]]) -> NativeResult {
    push(call, kind, pieces);
    Ok(Outcome::Values(1))
}

/// An integer argument of which the lower 32 bits count.
#[allow(clippy::cast_possible_truncation, reason = "see above")]
fn low_bits(call: &mut Call, index: c_int) -> Result<[u8; 4], crate::vm::native::Raise> {
    call.check_integer(index).map(|value| (value as u32).to_le_bytes())
}

/// `date(seconds)`.
pub(super) fn date(call: &mut Call) -> NativeResult {
    let seconds = low_bits(call, 1)?;
    answer(call, Kind::Date, &[&seconds])
}

/// `timestamp(seconds [, increment])`: without one, increments of the node are counted up.
pub(super) fn timestamp(call: &mut Call) -> NativeResult {
    let seconds = low_bits(call, 1)?;
    let increment = if call.is_none_or_nil(2) {
        call.vm().shared.identifiers.next_increment().to_le_bytes()
    } else {
        low_bits(call, 2)?
    };
    answer(call, Kind::Timestamp, &[&increment, &seconds])
}

/// `int64(number)`: written in 64 bits whatever it is.
pub(super) fn int64(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    answer(call, Kind::Int64, &[&number.to_le_bytes()])
}

/// `binary(bytes)`.
pub(super) fn binary(call: &mut Call) -> NativeResult {
    let bytes = argument(call, 1)?;
    answer(call, Kind::Binary, &[&[0], bytes])
}

/// `regex(pattern [, options])`.
pub(super) fn regex(call: &mut Call) -> NativeResult {
    let pattern = argument(call, 1)?;
    let options = if call.is_none_or_nil(2) { b"" } else { argument(call, 2)? };
    if pattern.contains(&0) || options.contains(&0) {
        return Err(fail(call, format_args!("Invalid regex")));
    }
    answer(call, Kind::Regex, &[pattern, &[0], options, &[0]])
}

/// `objectid([digits])`: that of the digits, or one that no other document has.
pub(super) fn object_id(call: &mut Call) -> NativeResult {
    if matches!(call.peek(1), Peek::String(_) | Peek::Integer(_) | Peek::Float(_)) {
        let digits = argument(call, 1)?;
        let mut lower = [0; 2 * OBJECT_ID];
        let scratch = &mut call.vm().scratch;
        let start = scratch.len();
        scratch.extend_from_slice(&[0, Kind::ObjectId.number()]);
        let is_valid = digits.len() == lower.len() && {
            lower.copy_from_slice(digits);
            lower.make_ascii_lowercase();
            hex::decode(scratch, &lower).is_ok()
        };
        if !is_valid {
            scratch.truncate(start);
            let digits = crate::vm::native::Lossy(digits);
            return Err(fail(call, format_args!("Invalid objectid {digits}")));
        }
        push_written(call, start);
        return Ok(Outcome::Values(1));
    }
    // SAFETY: asks for the time alone.
    let now = unsafe { libc::time(std::ptr::null_mut()) };
    let id = call.vm().shared.identifiers.next_object_id(now.cast_unsigned());
    let mut value = [0; 2 + OBJECT_ID];
    value[1] = Kind::ObjectId.number();
    value[2..].copy_from_slice(&id);
    call.push_bytes(&value);
    Ok(Outcome::Values(1))
}

/// `type(value)`: the name of its type, and what it is: the value itself, or what it holds.
pub(super) fn kind(call: &mut Call) -> NativeResult {
    let name: &[u8] = match call.kind(1) {
        ffi::LUA_TNUMBER => b"number",
        ffi::LUA_TBOOLEAN => b"boolean",
        ffi::LUA_TTABLE => b"table",
        ffi::LUA_TNIL => {
            call.push_bytes(b"nil");
            return Ok(Outcome::Values(1));
        }
        ffi::LUA_TSTRING => {
            let text = argument(call, 1)?;
            if let [0, number, content @ ..] = text {
                return special(call, *number, content);
            }
            b"string"
        }
        _ => {
            let name = call.type_name(1);
            return Err(fail(call, format_args!("Invalid type {name}")));
        }
    };
    call.push_bytes(name);
    // SAFETY: a native has free slots.
    unsafe { ffi::lua_pushvalue(call.state(), 1) };
    Ok(Outcome::Values(2))
}

/// What a value is that Lua does not have.
fn special(call: &mut Call, number: u8, content: &[u8]) -> NativeResult {
    let Some(kind) = Kind::from_number(number) else {
        return Err(fail(call, format_args!("Invalid subtype {number}")));
    };
    match (kind, content) {
        (Kind::Binary, [sort, bytes @ ..]) => {
            call.push_bytes(b"binary");
            call.push_bytes(bytes);
            call.push_integer((*sort).into());
            return Ok(Outcome::Values(3));
        }
        (Kind::ObjectId, id) if id.len() == OBJECT_ID => {
            call.push_bytes(b"objectid");
            let scratch = &mut call.vm().scratch;
            let start = scratch.len();
            hex::encode(scratch, id);
            push_written(call, start);
        }
        (Kind::Date, &[a, b, c, d]) => {
            call.push_bytes(b"date");
            call.push_integer(i32::from_le_bytes([a, b, c, d]).into());
        }
        (Kind::Timestamp, &[a, b, c, d, e, f, g, h]) => {
            call.push_bytes(b"timestamp");
            call.push_integer(u32::from_le_bytes([e, f, g, h]).into());
            call.push_integer(u32::from_le_bytes([a, b, c, d]).into());
            return Ok(Outcome::Values(3));
        }
        (Kind::Int64, content) if content.len() == 8 => {
            call.push_bytes(b"int64");
            let bytes = content.try_into().unwrap_or_default();
            call.push_integer(i64::from_le_bytes(bytes));
        }
        (Kind::Regex, content) => {
            let Some((pattern, options)) = split_regex(content) else {
                return Err(fail(call, format_args!("Invalid regex")));
            };
            call.push_bytes(b"regex");
            call.push_bytes(pattern);
            call.push_bytes(options);
            return Ok(Outcome::Values(3));
        }
        (Kind::MinKey | Kind::MaxKey | Kind::Null, _) => {
            call.push_bytes(match kind {
                Kind::MinKey => b"minkey",
                Kind::MaxKey => b"maxkey",
                _ => b"nil",
            });
            return Ok(Outcome::Values(1));
        }
        (Kind::Code | Kind::DbPointer | Kind::Symbol | Kind::CodeWithScope, content) => {
            call.push_bytes(b"unsupported");
            call.push_bytes(content);
        }
        _ => return Err(fail(call, format_args!("Invalid {}", wrong(kind)))),
    }
    Ok(Outcome::Values(2))
}

/// What an error calls a value of a kind that holds too little or too much.
pub(super) fn wrong(kind: Kind) -> &'static str {
    match kind {
        Kind::ObjectId => "object id",
        Kind::Date => "date",
        Kind::Timestamp => "timestamp",
        Kind::Int64 => "int64",
        Kind::Binary => "binary",
        Kind::Regex => "regex",
        _ => "subtype",
    }
}

/// The pattern and the options; each ends with a zero byte.
pub(super) fn split_regex(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, content) = content.split_last()?;
    let end = content.iter().rposition(|byte| *byte == 0)?;
    Some((&content[..end], &content[end + 1..]))
}
