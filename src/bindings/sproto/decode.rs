//! The bytes of a structure to a Lua table.
//!
//! Invariant: tables are made no larger than the bytes have fields or elements.

use std::ffi::c_int;

use mlua::ffi;

use super::handle::{Use, handle};
use super::input;
use crate::bindings::bytes::{argument, fail};
use crate::codec::sproto::DEPTH;
use crate::codec::sproto::reader::{
    Fields, Item, Malformed, Numbers, count, number, numbers, split,
};
use crate::codec::sproto::schema::{Field, Kind, Shape, Type};
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Raise};
use crate::vm::schemas::Handle;

/// Values that the decoding of one structure has on the stack at once.
const ROOM: c_int = 10;

/// Where the fields of a structure go.
#[derive(Clone, Copy)]
enum Sink {
    /// Into the fresh table at this index.
    Fresh(c_int),
    /// Into the table of the script at this index, which may have metamethods.
    Given(c_int),
    /// To the stack from this index on, one place a field.
    Values(c_int),
}

/// Why decoding ends early.
enum Stop {
    Malformed,
    Raise(Raise),
}

impl From<Malformed> for Stop {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<Raise> for Stop {
    fn from(raise: Raise) -> Self {
        Self::Raise(raise)
    }
}

/// `decode(type, bytes | pointer, size [, table])`: the table, and how many bytes were decoded. A
/// type that is a null pointer has no content, which gives nothing.
pub(super) fn decode(call: &mut Call) -> NativeResult {
    let Some(handle) = handle(call, 1) else { return NOTHING };
    let mut bytes = input(call, 2)?;
    let given = call.top();
    let sink = if given > 2 && call.kind(given) == ffi::LUA_TTABLE {
        Sink::Given(given)
    } else {
        Sink::Fresh(given + 1)
    };
    let state = call.state();
    if let Sink::Fresh(_) = sink {
        // SAFETY: a native has free slots; may raise, nothing here has a destructor.
        unsafe { ffi::lua_createtable(state, 0, 0) };
    }
    if call.kind(2) != ffi::LUA_TSTRING {
        // What a pointer leads to could be freed by a finalizer; a copy of Lua's own can not.
        let copied = call.top() + 1;
        call.push_bytes(bytes);
        let copy: *const [u8] = call.string(copied).unwrap_or_default();
        // SAFETY: the copy stays on the stack.
        bytes = unsafe { &*copy };
    }
    run(call, handle, bytes, sink)
}

/// `decode_from(type, text, offset)`: the same of what stands behind so many bytes.
pub(super) fn decode_from(call: &mut Call) -> NativeResult {
    let Some(handle) = handle(call, 1) else { return NOTHING };
    let bytes = argument(call, 2)?;
    let offset = usize::try_from(call.check_integer(3)?).unwrap_or(usize::MAX);
    // SAFETY: a native has free slots; may raise, nothing here has a destructor.
    unsafe {
        ffi::lua_settop(call.state(), 2);
        ffi::lua_createtable(call.state(), 0, 0);
    }
    run(call, handle, bytes.get(offset..).unwrap_or_default(), Sink::Fresh(3))
}

/// Fills what is at `sink`, and answers it; the bytes stay for as long as the native runs.
fn run(call: &mut Call, handle: Handle, bytes: &[u8], sink: Sink) -> NativeResult {
    let used = Use::begin(call, handle)?;
    let decoded = structure(call, &used, used.described, bytes, sink, 0);
    used.end(call);
    match decoded {
        Ok(left) => {
            let (Sink::Fresh(result) | Sink::Given(result) | Sink::Values(result)) = sink;
            // SAFETY: the result's own index.
            unsafe { ffi::lua_settop(call.state(), result) };
            call.push_integer(i64::try_from(bytes.len() - left).unwrap_or(i64::MAX));
            Ok(Outcome::Values(2))
        }
        Err(Stop::Malformed) => Err(fail(call, format_args!("decode error"))),
        Err(Stop::Raise(raise)) => Err(raise),
    }
}

/// Fills a structure; how many bytes are left behind it.
fn structure(
    call: &mut Call,
    used: &Use<'_>,
    described: &Type,
    bytes: &[u8],
    sink: Sink,
    depth: usize,
) -> Result<usize, Stop> {
    call.reserve(ROOM)?;
    let state = call.state();
    let mut fields = Fields::new(bytes)?;
    while let Some((tag, item)) = fields.next_field()? {
        let Some((index, field)) = described.field(tag) else { continue };
        if depth >= DEPTH {
            return Err(fail(call, format_args!("The table is too deep")).into());
        }
        if !matches!(sink, Sink::Values(_)) {
            used.push_name(call, field.name);
        }
        match item {
            Item::Inline(value) => push_inline(call, field, value)?,
            Item::Data(data) if field.shape == Shape::Single => {
                push_data(call, used, field.kind, data, depth)?;
            }
            Item::Data(data) => push_array(call, used, field, data, depth)?,
        }
        // SAFETY: room is reserved; on top is the value, below its key if it goes into a table.
        unsafe {
            match sink {
                Sink::Fresh(table) => ffi::lua_rawset(state, table),
                Sink::Given(table) => ffi::lua_settable(state, table),
                Sink::Values(first) => {
                    ffi::lua_replace(state, first + c_int::try_from(index).unwrap_or(0));
                }
            }
        }
    }
    Ok(fields.left())
}

/// Pushes a value that its entry holds.
#[inline]
fn push_inline(call: &mut Call, field: &Field, value: u16) -> Result<(), Malformed> {
    match (field.shape, field.kind) {
        (Shape::Single, Kind::Integer) => call.push_integer(value.into()),
        (Shape::Single, Kind::Decimal(scale)) => {
            call.push_number(f64::from(value) / f64::from(scale));
        }
        (Shape::Single, Kind::Boolean) => call.push_boolean(value != 0),
        _ => return Err(Malformed),
    }
    Ok(())
}

/// Pushes a number of whatever kind.
#[inline]
#[allow(clippy::cast_precision_loss, reason = "a decimal is a float")]
fn push_number(call: &mut Call, kind: Kind, value: i64) {
    match kind {
        Kind::Decimal(scale) => call.push_number(value as f64 / f64::from(scale)),
        Kind::Double => call.push_number(f64::from_bits(value.cast_unsigned())),
        _ => call.push_integer(value),
    }
}

/// Pushes a value that is data.
#[inline]
fn push_data(
    call: &mut Call,
    used: &Use<'_>,
    kind: Kind,
    data: &[u8],
    depth: usize,
) -> Result<(), Stop> {
    match kind {
        Kind::Integer | Kind::Decimal(_) | Kind::Double => {
            push_number(call, kind, number(data)?);
        }
        Kind::Boolean => return Err(Stop::Malformed),
        Kind::String | Kind::Binary => call.push_bytes(data),
        Kind::Struct(index) => {
            let described = &used.schema.types[index as usize];
            let fields = Fields::new(data)?.fields_left().min(described.fields.len());
            // SAFETY: room is reserved; may raise, nothing here has a destructor.
            unsafe {
                ffi::lua_createtable(call.state(), 0, c_int::try_from(fields).unwrap_or(0));
            }
            let table = call.top();
            whole(call, used, described, data, Sink::Fresh(table), depth)?;
        }
    }
    Ok(())
}

/// Fills a structure inside another, which has to take all its bytes.
fn whole(
    call: &mut Call,
    used: &Use<'_>,
    described: &Type,
    data: &[u8],
    sink: Sink,
    depth: usize,
) -> Result<(), Stop> {
    match structure(call, used, described, data, sink, depth + 1)? {
        0 => Ok(()),
        _ => Err(Stop::Malformed),
    }
}

/// Pushes a table with so many places, in its list or beside it.
fn push_table(call: &mut Call, length: usize, is_list: bool) {
    let length = c_int::try_from(length).unwrap_or(0);
    let (list, others) = if is_list { (length, 0) } else { (0, length) };
    // SAFETY: room is reserved; may raise, nothing here has a destructor.
    unsafe { ffi::lua_createtable(call.state(), list, others) };
}

/// Pushes an array.
fn push_array(
    call: &mut Call,
    used: &Use<'_>,
    field: &Field,
    data: &[u8],
    depth: usize,
) -> Result<(), Stop> {
    let state = call.state();
    // SAFETY: the value is on top and the table below it.
    let put = |index: i64| unsafe { ffi::lua_rawseti(state, -2, index) };
    match field.kind {
        Kind::Integer | Kind::Decimal(_) | Kind::Double => match numbers(data)? {
            Numbers::Narrow(list) => {
                push_table(call, list.len(), true);
                for (index, bytes) in (1..).zip(list) {
                    push_number(call, field.kind, i32::from_le_bytes(*bytes).into());
                    put(index);
                }
            }
            Numbers::Wide(list) => {
                push_table(call, list.len(), true);
                for (index, bytes) in (1..).zip(list) {
                    push_number(call, field.kind, i64::from_le_bytes(*bytes));
                    put(index);
                }
            }
        },
        Kind::Boolean => {
            push_table(call, data.len(), true);
            for (index, byte) in (1..).zip(data) {
                call.push_boolean(*byte != 0);
                put(index);
            }
        }
        Kind::String | Kind::Binary | Kind::Struct(_) => {
            push_table(call, count(data)?, field.shape == Shape::List);
            let mut rest = data;
            for index in 1.. {
                if rest.is_empty() {
                    break;
                }
                let (element, after) = split(rest)?;
                rest = after;
                match (field.shape, field.kind) {
                    (Shape::ByField { tag, index }, Kind::Struct(described)) => {
                        push_data(call, used, field.kind, element, depth)?;
                        let described = &used.schema.types[described as usize];
                        let key = index.and_then(|at| described.fields.get(usize::from(at)));
                        put_by_field(call, used, field, key.map(|key| key.name), tag)?;
                    }
                    (Shape::Map, Kind::Struct(described)) => {
                        let described = &used.schema.types[described as usize];
                        put_pair(call, used, field, described, element, depth)?;
                    }
                    _ => {
                        push_data(call, used, field.kind, element, depth)?;
                        put(index);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Puts the structure on top of the stack into the table below it, under the value of its field
/// with this name.
fn put_by_field(
    call: &mut Call,
    used: &Use<'_>,
    field: &Field,
    key: Option<u32>,
    tag: u16,
) -> Result<(), Stop> {
    let state = call.state();
    match key {
        Some(name) => {
            used.push_name(call, name);
            // SAFETY: the name is on top, the structure below it.
            unsafe { ffi::lua_rawget(state, -2) };
        }
        None => call.push_nil(),
    }
    if call.kind(-1) == ffi::LUA_TNIL {
        let name = String::from_utf8_lossy(&used.schema.names[field.name as usize]).into_owned();
        return Err(
            fail(call, format_args!("Can't find main index (tag={tag}) in [{name}]")).into()
        );
    }
    // SAFETY: table, structure, key: the two change places. A key that is no number raises.
    unsafe {
        ffi::lua_insert(state, -2);
        ffi::lua_rawset(state, -3);
    }
    Ok(())
}

/// Puts a pair into the table on top of the stack.
fn put_pair(
    call: &mut Call,
    used: &Use<'_>,
    field: &Field,
    described: &Type,
    element: &[u8],
    depth: usize,
) -> Result<(), Stop> {
    let state = call.state();
    call.push_nil();
    call.push_nil();
    let key = call.top() - 1;
    whole(call, used, described, element, Sink::Values(key), depth)?;
    for (index, what) in [(key, "key"), (key + 1, "value")] {
        if call.kind(index) == ffi::LUA_TNIL {
            let name =
                String::from_utf8_lossy(&used.schema.names[field.name as usize]).into_owned();
            return Err(fail(call, format_args!("Can't find {what} field in [{name}]")).into());
        }
    }
    // SAFETY: table, key, value.
    unsafe { ffi::lua_rawset(state, -3) };
    Ok(())
}
