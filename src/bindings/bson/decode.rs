//! The bytes of documents to Lua tables.
//!
//! Invariant: tables are made no larger than a document has elements.

use std::ffi::c_int;

use mlua::ffi;

use super::object::{push_light, view};
use super::value::push;
use crate::bindings::bytes::fail;
use crate::codec::bson::{Document, Invalid, Kind, READ_DEPTH, Value, array_index};
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Raise};

/// Values that the reading of one document has on the stack at once.
const ROOM: c_int = 8;

/// `decode(document)`: its table. A pointer to a message, and a string with the bytes, do too.
pub(super) fn decode(call: &mut Call) -> NativeResult {
    // SAFETY: shortening the native's own frame.
    unsafe { ffi::lua_settop(call.state(), 1) };
    let bytes: *const [u8] = match call.kind(1) {
        ffi::LUA_TSTRING => call.string(1).unwrap_or_default(),
        ffi::LUA_TUSERDATA => match view(call, 1) {
            Some(bytes) => bytes,
            None => return Err(call.argument(1, format_args!("bson expected, got userdata"))),
        },
        ffi::LUA_TLIGHTUSERDATA if call.pointer(1).is_null() => return NOTHING,
        ffi::LUA_TLIGHTUSERDATA => {
            if !push_light(call, 1) {
                return Err(call.argument(1, format_args!("not a document of this service")));
            }
            match view(call, 2) {
                Some(bytes) => bytes,
                None => call.string(2).unwrap_or_default(),
            }
        }
        _ => return NOTHING,
    };
    // SAFETY: the document or string stays on the stack. Finalizers may replace values of fixed
    // size in a document, which no length depends on.
    let bytes = unsafe { &*bytes };
    match push_document(call, bytes, false, 0) {
        Ok(()) => Ok(Outcome::Values(1)),
        Err(Stop::Invalid(invalid)) => Err(fail(call, format_args!("{invalid}"))),
        Err(Stop::Raise(raise)) => Err(raise),
    }
}

/// Why decoding ends early.
enum Stop {
    Invalid(Invalid),
    Raise(Raise),
}

impl From<Invalid> for Stop {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<Raise> for Stop {
    fn from(raise: Raise) -> Self {
        Self::Raise(raise)
    }
}

fn push_document(call: &mut Call, bytes: &[u8], is_array: bool, depth: usize) -> Result<(), Stop> {
    if depth > READ_DEPTH {
        return Err(Invalid::Depth(READ_DEPTH).into());
    }
    call.reserve(ROOM)?;
    let mut document = Document::new(bytes)?;
    let count = c_int::try_from(document.count()?).unwrap_or(0);
    let state = call.state();
    let (list, pairs) = if is_array { (count, 0) } else { (0, count) };
    // SAFETY: room is reserved; may raise, and nothing here has a destructor.
    unsafe { ffi::lua_createtable(state, list, pairs) };
    while let Some((key, value)) = document.next_element()? {
        if !is_array {
            call.push_bytes(key);
        }
        push_value(call, value, depth)?;
        // SAFETY: the value is on top, below its key if it has one, below the table.
        unsafe {
            if is_array {
                #[allow(clippy::cast_possible_truncation, reason = "as places are counted")]
                let place = array_index(key) as i32;
                ffi::lua_rawseti(state, -2, place.into());
            } else {
                ffi::lua_rawset(state, -3);
            }
        }
    }
    Ok(())
}

#[inline]
fn push_value(call: &mut Call, value: Value<'_>, depth: usize) -> Result<(), Stop> {
    match value {
        Value::Double(value) => call.push_number(value),
        Value::String(text) => call.push_bytes(text),
        Value::Document(bytes) => push_document(call, bytes, false, depth + 1)?,
        Value::Array(bytes) => push_document(call, bytes, true, depth + 1)?,
        Value::Binary(sort, bytes) => push(call, Kind::Binary, &[&[sort], bytes]),
        Value::ObjectId(id) => push(call, Kind::ObjectId, &[id]),
        Value::Boolean(value) => call.push_boolean(value),
        Value::Date(milliseconds) => {
            #[allow(clippy::cast_possible_truncation, reason = "dates have 32 bits of seconds")]
            let seconds = (milliseconds / 1000) as u32;
            push(call, Kind::Date, &[&seconds.to_le_bytes()]);
        }
        Value::Regex(pattern, options) => {
            push(call, Kind::Regex, &[pattern, &[0], options, &[0]]);
        }
        Value::Int32(value) => call.push_integer(value.into()),
        Value::Timestamp([increment, seconds]) => {
            push(call, Kind::Timestamp, &[increment, seconds]);
        }
        Value::Int64(value) => call.push_integer(value),
        Value::Mark(kind) => push(call, kind, &[]),
        Value::Raw(kind, bytes) => push(call, kind, &[bytes]),
    }
    Ok(())
}
