//! Arguments of commands: Lua values to the parts of a command.
//!
//! Values become texts as `tostring` makes them, before anything is written; what is written after
//! that runs no Lua and raises nothing.
//! Invariant: the parts that are counted are the parts that are written.

use std::ffi::c_int;

use mlua::ffi;

use crate::codec::resp::command::{put_integer_part, put_part};
use crate::vm::layout::Peek;
use crate::vm::native::{Call, Lossy, Raise};

/// Where the parts of a command are on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) enum Parts {
    /// So many values from this index on.
    Values(c_int, usize),
    /// The first so many elements of the table at this index.
    List(c_int, usize),
}

impl Parts {
    pub(super) const fn count(self) -> usize {
        match self {
            Self::Values(_, count) | Self::List(_, count) => count,
        }
    }

    /// The part at `place`, counted from 0, if it is there and a text. Runs no Lua and raises nothing.
    pub(super) fn text(self, call: &mut Call, place: c_int) -> Option<Vec<u8>> {
        if usize::try_from(place).unwrap_or(usize::MAX) >= self.count() {
            return None;
        }
        match self {
            Self::Values(index, _) => text_of(call.peek(index + place)),
            Self::List(index, _) => {
                // SAFETY: the table is on the stack; room was made when it was read.
                unsafe {
                    ffi::lua_rawgeti(call.state(), index, i64::from(place) + 1);
                    let text = text_of(call.peek(-1));
                    ffi::lua_pop(call.state(), 1);
                    text
                }
            }
        }
    }

    /// Appends the parts. Runs no Lua and raises nothing.
    #[inline]
    pub(super) fn write(self, call: &Call, out: &mut Vec<u8>) {
        match self {
            Self::Values(first, count) => {
                for offset in 0..c_int::try_from(count).unwrap_or(0) {
                    put(out, call.peek(first + offset));
                }
            }
            Self::List(index, count) => {
                let state = call.state();
                for place in 1..=i64::try_from(count).unwrap_or(0) {
                    // SAFETY: as in `text`.
                    unsafe {
                        ffi::lua_rawgeti(state, index, place);
                        put(out, call.peek(-1));
                        ffi::lua_pop(state, 1);
                    }
                }
            }
        }
    }
}

fn text_of(value: Peek) -> Option<Vec<u8>> {
    match value {
        // SAFETY: it stands on the stack.
        Peek::String(bytes) => Some(unsafe { &*bytes }.to_vec()),
        Peek::Integer(value) => Some(value.to_string().into_bytes()),
        _ => None,
    }
}

#[inline]
fn put(out: &mut Vec<u8>, value: Peek) {
    match value {
        // SAFETY: it stands on the stack while its bytes are copied.
        Peek::String(bytes) => put_part(out, unsafe { &*bytes }),
        Peek::Integer(value) => put_integer_part(out, value),
        // What `is_text` did not pass is a text by now.
        _ => put_part(out, b""),
    }
}

const fn is_text(value: Peek) -> bool {
    matches!(value, Peek::String(_) | Peek::Integer(_))
}

/// The arguments of a command from index 2 on: a list, or up to `most` values, of which nils at the
/// end do not count.
pub(super) fn arguments(call: &mut Call, name: &[u8], most: usize) -> Result<Parts, Raise> {
    call.reserve(8)?;
    if call.peek(2) == Peek::Table {
        return Ok(Parts::List(2, list(call, 2, name)?));
    }
    let mut count = usize::try_from(call.top() - 1).unwrap_or(0).min(most);
    let index = |count: usize| c_int::try_from(count + 1).unwrap_or(c_int::MAX);
    while count > 0 && call.peek(index(count)) == Peek::Nil {
        count -= 1;
    }
    for place in 1..=count {
        let at = index(place);
        match call.peek(at) {
            value if is_text(value) => {}
            Peek::Nil => {
                let text = format_args!("redis: argument #{place} of {} is nil", Lossy(name));
                return Err(call.error(text));
            }
            _ => {
                // SAFETY: room was reserved. May run a metamethod and raise; nothing here has a
                // destructor.
                unsafe {
                    ffi::luaL_tolstring(call.state(), at, std::ptr::null_mut());
                    ffi::lua_replace(call.state(), at);
                }
            }
        }
    }
    Ok(Parts::Values(2, count))
}

/// The length of the list at `index`, in whose place one of texts stands afterwards if it has other
/// values. `name` is whose list it is.
pub(super) fn list(call: &mut Call, index: c_int, name: &[u8]) -> Result<usize, Raise> {
    let state = call.state();
    // SAFETY: the table is at `index`; the caller has made room; reading it raw runs no Lua.
    let (count, length) = unsafe {
        let mut plain = ffi::lua_getmetatable(state, index) == 0;
        if !plain {
            ffi::lua_pop(state, 1);
        }
        let length = ffi::lua_rawlen(state, index);
        let mut count = 0;
        while plain {
            ffi::lua_rawgeti(state, index, i64::try_from(count + 1).unwrap_or(i64::MAX));
            let value = call.peek(-1);
            ffi::lua_pop(state, 1);
            if value == Peek::Nil {
                break;
            }
            plain = is_text(value);
            count += 1;
        }
        if plain { (count, length) } else { (copy(call, index), 0) }
    };
    if length > count {
        let place = count + 1;
        let text = format_args!("redis: element #{place} of the list of {} is nil", Lossy(name));
        return Err(call.error(text));
    }
    Ok(count)
}

/// Replaces the list at `index` by one of texts; its length.
fn copy(call: &mut Call, index: c_int) -> usize {
    let state = call.state();
    let mut count = 0;
    // SAFETY: the caller has made room. May run metamethods and raise; nothing here has a
    // destructor.
    unsafe {
        ffi::lua_createtable(state, 0, 0);
        loop {
            let place = i64::try_from(count + 1).unwrap_or(i64::MAX);
            if ffi::lua_geti(state, index, place) == ffi::LUA_TNIL {
                ffi::lua_pop(state, 1);
                break;
            }
            ffi::luaL_tolstring(state, -1, std::ptr::null_mut());
            ffi::lua_rawseti(state, -3, place);
            ffi::lua_pop(state, 1);
            count += 1;
        }
        ffi::lua_replace(state, index);
    }
    count
}
