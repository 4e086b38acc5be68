//! Lua values to bytes and back, by the format of `codec/seri.rs`.
//!
//! Invariant: the output buffer belongs to the VM, so a raise from a `__pairs` metamethod leaks
//! nothing; a nested use of the buffer by such a metamethod leaves what was written before alone.

use std::ffi::c_int;

use mlua::ffi;

use super::layout::Peek;
use super::native::{Call, Raise};
use super::pairs::each_pair;
use crate::codec::seri::{self, Item, MAX_DEPTH, MAX_READ_DEPTH, Reader};

/// Packs the values from stack index `first` to the top into the VM's scratch buffer, behind what
/// is there. The result is where they start; the caller takes them from there.
///
/// # Errors
/// For a function, a full userdata, a thread, and tables nested too deep.
#[inline]
pub fn pack(call: &mut Call, first: c_int) -> Result<usize, Raise> {
    let start = call.vm().scratch.len();
    let top = call.top();
    for index in first..=top {
        if let Err(raise) = pack_value(call, index, 0) {
            call.vm().scratch.truncate(start);
            return Err(raise);
        }
    }
    Ok(start)
}

#[inline]
fn pack_value(call: &mut Call, index: c_int, depth: usize) -> Result<(), Raise> {
    if depth > MAX_DEPTH {
        return Err(fail(call, format_args!("serialize can't pack too depth table")));
    }
    match call.peek(index) {
        Peek::String(bytes) => {
            // SAFETY: it stays on the stack while its bytes are copied.
            let bytes = unsafe { &*bytes };
            if !seri::put_string(&mut call.vm().scratch, bytes) {
                let length = bytes.len();
                return Err(fail(
                    call,
                    format_args!("string of {length} bytes is too long to serialize"),
                ));
            }
        }
        Peek::Integer(value) => seri::put_integer(&mut call.vm().scratch, value),
        Peek::Float(value) => seri::put_float(&mut call.vm().scratch, value),
        Peek::Boolean(value) => seri::put_boolean(&mut call.vm().scratch, value),
        Peek::Nil => seri::put_nil(&mut call.vm().scratch),
        Peek::Table => pack_table(call, index, depth + 1)?,
        Peek::Pointer(value) => seri::put_pointer(&mut call.vm().scratch, value as u64),
        Peek::Other => {
            let name = call.type_name(index);
            return Err(fail(call, format_args!("Unsupport type {name} to serialize")));
        }
    }
    Ok(())
}

fn pack_table(call: &mut Call, index: c_int, depth: usize) -> Result<(), Raise> {
    call.reserve(8)?;
    let state = call.state();
    // SAFETY: `index` is a table; there is room for the values pushed here; raw access raises
    // nothing but for lack of memory.
    unsafe {
        let index = ffi::lua_absindex(state, index);
        if ffi::luaL_getmetafield(state, index, c"__pairs".as_ptr()) != ffi::LUA_TNIL {
            seri::put_table(&mut call.vm().scratch, 0);
            each_pair(call, index, |call| {
                pack_value(call, -2, depth)?;
                pack_value(call, -1, depth)
            })?;
            seri::put_nil(&mut call.vm().scratch);
            return Ok(());
        }
        let length = ffi::lua_rawlen(state, index);
        seri::put_table(&mut call.vm().scratch, length);
        let array = i64::try_from(length).unwrap_or(i64::MAX);
        for position in 1..=array {
            ffi::lua_rawgeti(state, index, position);
            pack_value(call, -1, depth)?;
            ffi::lua_pop(state, 1);
        }
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, index) != 0 {
            let of_array =
                matches!(call.peek(-2), Peek::Integer(key) if (1..=array).contains(&key));
            if !of_array {
                pack_value(call, -2, depth)?;
                pack_value(call, -1, depth)?;
            }
            ffi::lua_pop(state, 1);
        }
        seri::put_nil(&mut call.vm().scratch);
    }
    Ok(())
}

#[cold]
fn fail(call: &mut Call, text: std::fmt::Arguments<'_>) -> Raise {
    let _ = call.error(text);
    Raise::AtCaller
}

/// Pushes the values that `bytes` hold; returns how many.
///
/// # Errors
/// When the bytes are no such stream.
///
/// # Safety
/// `bytes` stay valid although Lua may run finalizers meanwhile: they belong to a Lua string on
/// the stack, to the message being handled, or to a block that the caller does not free before.
#[inline]
pub unsafe fn unpack(call: &mut Call, bytes: &[u8]) -> Result<c_int, Raise> {
    let mut reader = Reader::new(bytes);
    let mut count = 0;
    while !reader.is_at_end() {
        if count % 16 == 0 {
            // A value takes a byte at least.
            let values = c_int::try_from(reader.left().min(16)).unwrap_or(16);
            call.reserve(values + 2)?;
        }
        let pushed = match reader.next_item() {
            Ok(Item::Table(array)) => push_measured_table(call, &mut reader, array),
            Ok(item) => {
                push_plain(call, item);
                Ok(())
            }
            Err(_) => Err(Stopped),
        };
        if pushed.is_err() {
            return Err(invalid(call, &reader));
        }
        count += 1;
    }
    Ok(count)
}

/// The reader stopped in the middle of a value, or the stack is full.
struct Stopped;

/// Pushes anything but a table.
#[inline]
fn push_plain(call: &mut Call, item: Item<'_>) {
    match item {
        Item::Boolean(value) => call.push_boolean(value),
        Item::Integer(value) => call.push_integer(value),
        Item::Float(value) => call.push_number(value),
        Item::String(value) => call.push_bytes(value),
        // SAFETY: a light userdata is any pointer; room was reserved.
        Item::Pointer(value) => unsafe {
            ffi::lua_pushlightuserdata(
                call.state(),
                std::ptr::with_exposed_provenance_mut(usize::try_from(value).unwrap_or(0)),
            );
        },
        Item::Nil | Item::Table(_) => call.push_nil(),
    }
}

/// Pushes an outermost table: reads it once to learn the size of every table in it, so that none
/// has to be rehashed while it is filled, and then once more to build it.
fn push_measured_table(
    call: &mut Call,
    reader: &mut Reader<'_>,
    array: usize,
) -> Result<(), Stopped> {
    let mut ahead = reader.clone();
    let sizes = &mut call.vm().table_sizes;
    let start = sizes.len();
    if ahead.measure_table(array, MAX_READ_DEPTH, sizes).is_err() {
        sizes.truncate(start);
        *reader = ahead;
        return Err(Stopped);
    }
    let mut next = start;
    let pushed = push_table(call, reader, array, &mut next);
    call.vm().table_sizes.truncate(start);
    pushed
}

fn push_table(
    call: &mut Call,
    reader: &mut Reader<'_>,
    array: usize,
    next_size: &mut usize,
) -> Result<(), Stopped> {
    call.reserve(8).map_err(|_| Stopped)?;
    let pairs = call.vm().table_sizes[*next_size];
    *next_size += 1;
    let state = call.state();
    // SAFETY: room was reserved; the table is on the stack while it is filled.
    unsafe {
        let pairs = c_int::try_from(pairs).unwrap_or(0);
        ffi::lua_createtable(state, c_int::try_from(array).unwrap_or(0), pairs);
        for position in 1..=array {
            push_inner(call, reader, next_size)?;
            ffi::lua_rawseti(state, -2, i64::try_from(position).unwrap_or(i64::MAX));
        }
        for _ in 0..pairs {
            push_inner(call, reader, next_size)?;
            push_inner(call, reader, next_size)?;
            ffi::lua_rawset(state, -3);
        }
    }
    // The nil behind the pairs.
    reader.next_item().map_err(|_| Stopped)?;
    Ok(())
}

#[inline]
fn push_inner(
    call: &mut Call,
    reader: &mut Reader<'_>,
    next_size: &mut usize,
) -> Result<(), Stopped> {
    match reader.next_item().map_err(|_| Stopped)? {
        Item::Table(array) => push_table(call, reader, array, next_size),
        item => {
            push_plain(call, item);
            Ok(())
        }
    }
}

#[cold]
fn invalid(call: &mut Call, reader: &Reader<'_>) -> Raise {
    // skynet shows the line of its C source in place of the zero.
    let left = reader.left();
    fail(call, format_args!("Invalid serialize stream {left} (line:0)"))
}
