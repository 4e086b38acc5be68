//! A Lua table to the bytes of a structure.
//!
//! Invariant: the bytes are written to the VM's buffer, behind what is there. What metamethods leave
//! in it is cut off before anything more is written.

use std::ffi::c_int;

use mlua::ffi;

use super::handle::{Use, handle};
use crate::bindings::bytes::{fail, push_written};
use crate::codec::sproto::schema::{Field, Kind, Shape, Type};
use crate::codec::sproto::writer::{Head, Numbers, begin_data, end_data};
use crate::codec::sproto::{DEPTH, LARGEST, pack};
use crate::vm::layout::Peek;
use crate::vm::native::{Call, NativeResult, Outcome, Raise};
use crate::vm::pairs::{each_pair, with_buffer};

/// Values that the encoding of one structure has on the stack at once.
const ROOM: c_int = 12;

/// Where the fields of a structure are taken from.
#[derive(Clone, Copy)]
enum Source {
    /// The table, or what behaves like one, at this index.
    Table(c_int),
    /// The values from this index on, one a field.
    Values(c_int),
}

/// One call of `encode`.
struct Walk<'a> {
    used: &'a Use<'a>,
    /// Where the result begins in the buffer.
    start: usize,
}

/// `encode(type, table)`: the bytes. A type that is a null pointer has no content.
pub(super) fn encode(call: &mut Call) -> NativeResult {
    // SAFETY: shortening or filling the native's own frame.
    unsafe { ffi::lua_settop(call.state(), 2) };
    let start = call.vm().scratch.len();
    append(call, 1, 2)?;
    push_written(call, start);
    Ok(Outcome::Values(1))
}

/// `frame(header_type, header, type, table)`: the bytes of both behind each other, packed. A type
/// that is nil is left out.
pub(super) fn frame(call: &mut Call) -> NativeResult {
    // SAFETY: shortening or filling the native's own frame.
    unsafe { ffi::lua_settop(call.state(), 4) };
    let start = call.vm().scratch.len();
    for (kind, table) in [(1, 2), (3, 4)] {
        if call.peek(kind) != Peek::Nil
            && let Err(raise) = append(call, kind, table)
        {
            call.vm().scratch.truncate(start);
            return Err(raise);
        }
    }
    let scratch = &mut call.vm().scratch;
    let packed = scratch.len();
    pack::pack_from(scratch, start);
    push_written(call, packed);
    call.vm().scratch.truncate(start);
    Ok(Outcome::Values(1))
}

/// Appends the table at one index as a structure of the type at another.
fn append(call: &mut Call, kind: c_int, table: c_int) -> Result<(), Raise> {
    let Some(handle) = handle(call, kind) else {
        if call.peek(table) != Peek::Nil {
            call.check_type(table, ffi::LUA_TNIL)?;
        }
        return Ok(());
    };
    let used = Use::begin(call, handle)?;
    let start = call.vm().scratch.len();
    let source = Source::Table(table);
    let encoded = Walk { used: &used, start }.structure(call, used.described, source, 0);
    used.end(call);
    if encoded.is_err() {
        call.vm().scratch.truncate(start);
    }
    encoded
}

impl Walk<'_> {
    /// Refuses results that grow too large.
    #[inline(always)]
    fn check_size(&self, call: &mut Call, more: usize) -> Result<(), Raise> {
        if call.vm().scratch.len() - self.start + more <= LARGEST {
            return Ok(());
        }
        Err(fail(call, format_args!("object is too large (>{LARGEST})")))
    }

    /// Appends a structure.
    fn structure(
        &self,
        call: &mut Call,
        described: &Type,
        source: Source,
        depth: usize,
    ) -> Result<(), Raise> {
        if depth >= DEPTH && !described.fields.is_empty() {
            return Err(fail(call, format_args!("The table is too deep")));
        }
        call.reserve(ROOM)?;
        self.check_size(call, 2 * described.entries)?;
        let state = call.state();
        let mut head = Head::begin(&mut call.vm().scratch, described.entries);
        for (number, field) in (0..).zip(&described.fields) {
            match source {
                Source::Table(table) => {
                    self.used.push_name(call, field.name);
                    get(call, table)?;
                }
                // SAFETY: room is reserved; there is a value at the index.
                Source::Values(first) => unsafe { ffi::lua_pushvalue(state, first + number) },
            }
            if call.peek(-1) != Peek::Nil {
                if field.shape == Shape::Single {
                    self.single(call, described, field, &mut head, depth)?;
                } else {
                    self.array(call, described, field, depth)?;
                    head.data(&mut call.vm().scratch, field.tag);
                }
            }
            // SAFETY: the value, which is on top again.
            unsafe { ffi::lua_settop(state, -2) };
        }
        head.end(&mut call.vm().scratch);
        Ok(())
    }

    /// Appends the value on top of the stack, a field that is no array.
    #[inline]
    fn single(
        &self,
        call: &mut Call,
        described: &Type,
        field: &Field,
        head: &mut Head,
        depth: usize,
    ) -> Result<(), Raise> {
        match field.kind {
            Kind::Integer | Kind::Decimal(_) => {
                let value = self.number(call, described, field, 0)?;
                head.number(&mut call.vm().scratch, field.tag, value);
            }
            Kind::Double => {
                let bytes = float(call).to_le_bytes();
                head.wide(&mut call.vm().scratch, field.tag, bytes);
            }
            Kind::Boolean => {
                let value = self.boolean(call, described, field, 0)?;
                head.number(&mut call.vm().scratch, field.tag, i64::from(value));
            }
            Kind::String | Kind::Binary | Kind::Struct(_) => {
                self.object(call, described, field, 0, depth)?;
                head.data(&mut call.vm().scratch, field.tag);
            }
        }
        Ok(())
    }

    /// The number on top of the stack as it is written.
    #[inline]
    fn number(
        &self,
        call: &mut Call,
        described: &Type,
        field: &Field,
        index: i64,
    ) -> Result<i64, Raise> {
        match field.kind {
            Kind::Decimal(scale) => return Ok(rounded(float(call) * f64::from(scale))),
            Kind::Double => return Ok(float(call).to_bits().cast_signed()),
            _ => {}
        }
        if let Peek::Integer(value) = call.peek(-1) {
            return Ok(value);
        }
        let mut is_integer = 0;
        // SAFETY: reading a stack slot.
        let value = unsafe { ffi::lua_tointegerx(call.state(), -1, &raw mut is_integer) };
        if is_integer != 0 {
            return Ok(value);
        }
        Err(self.wrong(call, described, field, index, "an integer"))
    }

    #[inline]
    fn boolean(
        &self,
        call: &mut Call,
        described: &Type,
        field: &Field,
        index: i64,
    ) -> Result<bool, Raise> {
        match call.peek(-1) {
            Peek::Boolean(value) => Ok(value),
            _ => Err(self.wrong(call, described, field, index, "a boolean")),
        }
    }

    /// Appends the text or structure on top of the stack with its length in front.
    #[inline]
    fn object(
        &self,
        call: &mut Call,
        described: &Type,
        field: &Field,
        index: i64,
        depth: usize,
    ) -> Result<(), Raise> {
        if let Kind::Struct(inner) = field.kind {
            let inner = &self.used.schema.types[inner as usize];
            let start = begin_data(&mut call.vm().scratch);
            let table = call.top();
            self.structure(call, inner, Source::Table(table), depth + 1)?;
            end_data(&mut call.vm().scratch, start);
            return Ok(());
        }
        if call.kind(-1) == ffi::LUA_TNUMBER {
            // SAFETY: converts the number on top in place; it is a copy.
            unsafe { ffi::lua_tolstring(call.state(), -1, std::ptr::null_mut()) };
        }
        let Peek::String(bytes) = call.peek(-1) else {
            return Err(self.wrong(call, described, field, index, "a string"));
        };
        // SAFETY: it stays on the stack while its bytes are copied.
        let bytes = unsafe { &*bytes };
        self.check_size(call, bytes.len())?;
        let scratch = &mut call.vm().scratch;
        let start = begin_data(scratch);
        scratch.extend_from_slice(bytes);
        end_data(scratch, start);
        Ok(())
    }

    /// Appends the array on top of the stack.
    fn array(
        &self,
        call: &mut Call,
        described: &Type,
        field: &Field,
        depth: usize,
    ) -> Result<(), Raise> {
        let table = call.top();
        let state = call.state();
        let mut is_walked = false;
        if call.peek(-1) != Peek::Table || field.shape != Shape::List {
            // SAFETY: there is room for one value.
            is_walked = unsafe { ffi::luaL_getmetafield(state, table, c"__pairs".as_ptr()) }
                != ffi::LUA_TNIL;
            if !is_walked && call.peek(table) != Peek::Table {
                let kind = call.type_name(-1);
                let (name, field) = self.names(described, field);
                return Err(fail(
                    call,
                    format_args!(
                        "{name}.{field}(1) should be a table or an userdata with metamethods (Is a {kind})"
                    ),
                ));
            }
        }
        if field.shape != Shape::List {
            return if is_walked {
                self.walked_by_metamethod(call, described, field, depth)
            } else {
                self.walked(call, described, field, depth)
            };
        }
        // SAFETY: what was pushed above the array.
        unsafe { ffi::lua_settop(state, table) };
        match field.kind {
            Kind::Integer | Kind::Decimal(_) | Kind::Double => {
                let is_double = field.kind == Kind::Double;
                let mut numbers = Numbers::begin(&mut call.vm().scratch, is_double);
                self.each_element(call, |walk, call, index| {
                    let value = walk.number(call, described, field, index)?;
                    numbers.push(&mut call.vm().scratch, value);
                    Ok(())
                })?;
                numbers.end(&mut call.vm().scratch);
            }
            Kind::Boolean => {
                let start = begin_data(&mut call.vm().scratch);
                self.each_element(call, |walk, call, index| {
                    let value = walk.boolean(call, described, field, index)?;
                    call.vm().scratch.push(u8::from(value));
                    Ok(())
                })?;
                end_data(&mut call.vm().scratch, start);
            }
            Kind::String | Kind::Binary | Kind::Struct(_) => {
                let start = begin_data(&mut call.vm().scratch);
                self.each_element(call, |walk, call, index| {
                    walk.object(call, described, field, index, depth)
                })?;
                end_data(&mut call.vm().scratch, start);
            }
        }
        Ok(())
    }

    /// Calls `write` with each element of the array on top of the stack, up to the first nil.
    #[inline(always)]
    fn each_element(
        &self,
        call: &mut Call,
        mut write: impl FnMut(&Self, &mut Call, i64) -> Result<(), Raise>,
    ) -> Result<(), Raise> {
        let state = call.state();
        for index in 1.. {
            // SAFETY: room is reserved; below is what can be indexed, or raises.
            with_buffer(call, |_| unsafe { ffi::lua_geti(state, -1, index) });
            let is_nil = call.peek(-1) == Peek::Nil;
            if !is_nil {
                self.check_size(call, 0)?;
                write(self, call, index)?;
            }
            // SAFETY: the element.
            unsafe { ffi::lua_settop(state, -2) };
            if is_nil {
                break;
            }
        }
        Ok(())
    }

    /// Appends the elements of the table on top of the stack, whatever their keys.
    fn walked(
        &self,
        call: &mut Call,
        described: &Type,
        field: &Field,
        depth: usize,
    ) -> Result<(), Raise> {
        let state = call.state();
        let table = call.top();
        let start = begin_data(&mut call.vm().scratch);
        let mut index = 0;
        // SAFETY: room is reserved; the key is the one that `lua_next` gave.
        unsafe {
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, table) != 0 {
                index += 1;
                self.element(call, described, field, index, depth)?;
                ffi::lua_settop(state, -2);
            }
        }
        end_data(&mut call.vm().scratch, start);
        Ok(())
    }

    /// Appends what the `__pairs` metamethod on top of the stack iterates over; below is its object.
    fn walked_by_metamethod(
        &self,
        call: &mut Call,
        described: &Type,
        field: &Field,
        depth: usize,
    ) -> Result<(), Raise> {
        let object = call.top() - 1;
        let start = begin_data(&mut call.vm().scratch);
        let mut index = 0;
        each_pair(call, object, |call| {
            index += 1;
            self.element(call, described, field, index, depth)
        })?;
        end_data(&mut call.vm().scratch, start);
        Ok(())
    }

    /// Appends an element: its key and its value are on top of the stack.
    fn element(
        &self,
        call: &mut Call,
        described: &Type,
        field: &Field,
        index: i64,
        depth: usize,
    ) -> Result<(), Raise> {
        self.check_size(call, 0)?;
        let Kind::Struct(inner) = field.kind else {
            return self.object(call, described, field, index, depth);
        };
        let inner = &self.used.schema.types[inner as usize];
        let value = call.top();
        let source = match field.shape {
            Shape::Map => Source::Values(value - 1),
            _ => Source::Table(value),
        };
        let start = begin_data(&mut call.vm().scratch);
        self.structure(call, inner, source, depth + 1)?;
        end_data(&mut call.vm().scratch, start);
        Ok(())
    }

    /// The names of a type and its field, for errors.
    fn names(&self, described: &Type, field: &Field) -> (String, String) {
        let name = &self.used.schema.names[field.name as usize];
        (
            String::from_utf8_lossy(&described.name).into_owned(),
            String::from_utf8_lossy(name).into_owned(),
        )
    }

    #[cold]
    fn wrong(
        &self,
        call: &mut Call,
        described: &Type,
        field: &Field,
        index: i64,
        expected: &str,
    ) -> Raise {
        let kind = call.type_name(-1);
        let (name, field) = self.names(described, field);
        fail(call, format_args!("{name}.{field}[{index}] is not {expected} (Is a {kind})"))
    }
}

/// Replaces the key on top of the stack by its value in what is at `table`.
#[inline(always)]
fn get(call: &mut Call, table: c_int) -> Result<(), Raise> {
    let state = call.state();
    if call.peek(table) != Peek::Table
        && !matches!(call.kind(table), ffi::LUA_TUSERDATA | ffi::LUA_TSTRING)
    {
        let kind = call.type_name(table);
        return Err(call.plain_error(format_args!("attempt to index a {kind} value")));
    }
    // SAFETY: the key is on top; may run metamethods and raise.
    with_buffer(call, |_| unsafe { ffi::lua_gettable(state, table) });
    Ok(())
}

/// The number on top of the stack; zero if there is none.
#[inline]
fn float(call: &Call) -> f64 {
    if let Peek::Float(value) = call.peek(-1) {
        return value;
    }
    // SAFETY: reading a stack slot.
    unsafe { ffi::lua_tonumberx(call.state(), -1, std::ptr::null_mut()) }
}

/// The nearest integer; what none can be is the smallest, as the processor has it.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
fn rounded(value: f64) -> i64 {
    /// 2^63: the first that is no integer of 64 bits any more.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    let value = value.round();
    if (-BEYOND..BEYOND).contains(&value) { value as i64 } else { i64::MIN }
}
