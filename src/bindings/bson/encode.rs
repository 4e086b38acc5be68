//! Lua tables to the bytes of documents.
//!
//! Invariant: the bytes are written to the VM's buffer, behind what is there. What metamethods leave
//! in it is cut off before anything more is written.

use std::ffi::c_int;

use mlua::ffi;

use super::object::{push, push_light, view};
use super::value::{split_regex, wrong};
use crate::bindings::bytes::fail;
use crate::bindings::shared::{kind_of_view, next_entry};
use crate::codec::bson::{self, Kind, LARGEST, Refused, WRITE_DEPTH};
use crate::shared;
use crate::vm::layout::Peek;
use crate::vm::native::{Call, NativeResult, Outcome, Raise};
use crate::vm::pairs::{each_pair, with_buffer};

/// Values that the writing of one table has on the stack at once.
const ROOM: c_int = 12;

/// Where a document begins in the buffer, and how large it may become.
#[derive(Clone, Copy)]
struct Walk {
    start: usize,
    limit: usize,
}

/// `encode(table)`: a document.
pub(super) fn encode(call: &mut Call) -> NativeResult {
    // SAFETY: shortening the native's own frame.
    unsafe { ffi::lua_settop(call.state(), 1) };
    call.check_type(1, ffi::LUA_TTABLE)?;
    whole(call, |walk, call| {
        if has_metafield(call, c"__pairs") {
            walk.pairs_of_metamethod(call, 0)
        } else {
            walk.pairs(call, None, 0)
        }
    })
}

/// `encode_order(key, value, ...)`: a document with the elements in this order.
pub(super) fn encode_order(call: &mut Call) -> NativeResult {
    let count = call.top();
    if count % 2 != 0 {
        return Err(fail(call, format_args!("Invalid ordered dict")));
    }
    call.reserve(ROOM)?;
    whole(call, |walk, call| {
        let start = bson::begin(&mut call.vm().scratch);
        for index in (1..=count).step_by(2) {
            if call.kind(index) == ffi::LUA_TNUMBER {
                call.check_string(index)?;
            }
            let Peek::String(key) = call.peek(index) else {
                return Err(fail(call, format_args!("Argument {index} need a string")));
            };
            // SAFETY: the value is an argument.
            unsafe { ffi::lua_pushvalue(call.state(), index + 1) };
            // SAFETY: the key stays on the stack.
            walk.element(call, unsafe { &*key }, 0)?;
            // SAFETY: the value.
            unsafe { ffi::lua_settop(call.state(), -2) };
        }
        bson::end(&mut call.vm().scratch, start);
        Ok(())
    })
}

/// Runs `write`, and makes a document of what it has written.
fn whole(
    call: &mut Call,
    write: impl FnOnce(Walk, &mut Call) -> Result<(), Raise>,
) -> NativeResult {
    let vm = call.vm();
    let used = vm.allocator().used() + vm.block_bytes;
    let limit = vm.allocator().limit().saturating_sub(used).min(LARGEST);
    let start = vm.scratch.len();
    match write(Walk { start, limit }, call) {
        Ok(()) => {
            push(call, start);
            Ok(Outcome::Values(1))
        }
        Err(raise) => {
            call.vm().scratch.truncate(start);
            Err(raise)
        }
    }
}

/// True, with the field on top of the stack, if the value there has this metamethod.
fn has_metafield(call: &mut Call, name: &std::ffi::CStr) -> bool {
    // SAFETY: room is reserved; may raise for lack of memory.
    unsafe { ffi::luaL_getmetafield(call.state(), -1, name.as_ptr()) != ffi::LUA_TNIL }
}

impl Walk {
    #[inline(always)]
    fn check_size(self, call: &mut Call, more: usize) -> Result<(), Raise> {
        if call.vm().scratch.len() - self.start + more <= self.limit {
            return Ok(());
        }
        let limit = self.limit;
        Err(fail(call, format_args!("bson document is too large (>{limit})")))
    }

    #[inline]
    fn head(self, call: &mut Call, kind: Kind, key: &[u8]) -> Result<(), Raise> {
        bson::put_head(&mut call.vm().scratch, kind, key).map_err(|refused| refuse(call, refused))
    }

    /// Appends the value on top of the stack under a key.
    fn element(self, call: &mut Call, key: &[u8], depth: usize) -> Result<(), Raise> {
        self.check_size(call, key.len())?;
        match call.peek(-1) {
            Peek::Integer(value) => match i32::try_from(value) {
                Ok(value) => {
                    self.head(call, Kind::Int32, key)?;
                    call.vm().scratch.extend_from_slice(&value.to_le_bytes());
                }
                Err(_) => {
                    self.head(call, Kind::Int64, key)?;
                    call.vm().scratch.extend_from_slice(&value.to_le_bytes());
                }
            },
            Peek::Float(value) => {
                self.head(call, Kind::Double, key)?;
                call.vm().scratch.extend_from_slice(&value.to_le_bytes());
            }
            // SAFETY: the string stays on the stack.
            Peek::String(bytes) => self.string(call, key, unsafe { &*bytes })?,
            Peek::Boolean(value) => {
                self.head(call, Kind::Boolean, key)?;
                call.vm().scratch.push(u8::from(value));
            }
            Peek::Table => self.table(call, key, depth + 1)?,
            Peek::Nil => {
                return Err(fail(
                    call,
                    format_args!("Bson array has a hole (nil), Use bson.null instead"),
                ));
            }
            Peek::Pointer(_) => {
                let index = call.top();
                if !push_light(call, index) {
                    return Err(no_value(call, -1));
                }
                self.document(call, key)?;
                // SAFETY: what was pushed.
                unsafe { ffi::lua_settop(call.state(), index) };
            }
            Peek::Other => self.document(call, key)?,
        }
        Ok(())
    }

    /// Appends the document on top of the stack: a userdata, or a string from a message.
    fn document(self, call: &mut Call, key: &[u8]) -> Result<(), Raise> {
        let bytes: *const [u8] = match (view(call, -1), call.peek(-1)) {
            (Some(bytes), _) => bytes,
            (None, Peek::String(bytes)) => bytes,
            _ => return Err(no_value(call, -1)),
        };
        // SAFETY: the value stays on the stack.
        let bytes = unsafe { &*bytes };
        let whole = match bson::Document::new(bytes) {
            Ok(document) => &bytes[..document.left() + 5],
            Err(invalid) => return Err(fail(call, format_args!("{invalid}"))),
        };
        self.check_size(call, whole.len())?;
        self.head(call, Kind::Document, key)?;
        call.vm().scratch.extend_from_slice(whole);
        Ok(())
    }

    fn string(self, call: &mut Call, key: &[u8], bytes: &[u8]) -> Result<(), Raise> {
        self.check_size(call, bytes.len())?;
        let [0, number, content @ ..] = bytes else {
            self.head(call, Kind::String, key)?;
            return bson::put_string(&mut call.vm().scratch, bytes)
                .map_err(|refused| refuse(call, refused));
        };
        let Some(kind) = Kind::from_number(*number) else {
            return Err(fail(call, format_args!("Invalid subtype {number}")));
        };
        self.head(call, kind, key)?;
        let scratch = &mut call.vm().scratch;
        match (kind, content) {
            (Kind::Binary, [sort, bytes @ ..]) => bson::put_binary(scratch, *sort, bytes),
            (Kind::Code | Kind::DbPointer | Kind::Symbol | Kind::CodeWithScope, content) => {
                scratch.extend_from_slice(content);
            }
            (Kind::Regex, content) => {
                let Some((pattern, options)) = split_regex(content) else {
                    return Err(fail(call, format_args!("Invalid regex")));
                };
                bson::put_regex(scratch, pattern, options)
                    .map_err(|refused| refuse(call, refused))?;
            }
            (Kind::MinKey | Kind::MaxKey | Kind::Null, _) => {}
            (Kind::ObjectId | Kind::Date | Kind::Timestamp | Kind::Int64, content) => {
                let mut value = [0; 12];
                let width = put_special(call, kind, content, &mut value)?;
                call.vm().scratch.extend_from_slice(&value[..width]);
            }
            (Kind::Binary, []) => return Err(fail(call, format_args!("Invalid binary"))),
            _ => return Err(fail(call, format_args!("Invalid subtype {number}"))),
        }
        Ok(())
    }

    /// Appends the table on top of the stack.
    fn table(self, call: &mut Call, key: &[u8], depth: usize) -> Result<(), Raise> {
        if depth > WRITE_DEPTH {
            return Err(fail(call, format_args!("Too depth while encoding bson")));
        }
        call.reserve(ROOM)?;
        let state = call.state();
        // SAFETY: room is reserved; nothing but the metatable is pushed, and popped again.
        let has_meta = unsafe {
            let has_meta = ffi::lua_getmetatable(state, -1) != 0;
            if has_meta {
                ffi::lua_settop(state, -2);
            }
            has_meta
        };
        let view = if has_meta { kind_of_view(call, -1) } else { None };
        if has_meta && view.is_none() && has_metafield(call, c"__len") {
            let length = with_buffer(call, |call| {
                // SAFETY: room is reserved; the metamethod may raise.
                unsafe {
                    ffi::lua_pushvalue(state, -2);
                    ffi::lua_callk(state, 1, 1, 0, None);
                }
                call.peek(-1)
            });
            let Peek::Integer(length) = length else {
                return Err(fail(call, format_args!("__len should return integer")));
            };
            // SAFETY: the length.
            unsafe { ffi::lua_settop(state, -2) };
            self.head(call, Kind::Array, key)?;
            return self.list(call, length, depth);
        }
        if has_meta && view.is_none() && has_metafield(call, c"__pairs") {
            self.head(call, Kind::Document, key)?;
            return self.pairs_of_metamethod(call, depth);
        }
        if let Some(length) = list_length(call, view)? {
            self.head(call, Kind::Array, key)?;
            return self.list(call, length, depth);
        }
        self.head(call, Kind::Document, key)?;
        self.pairs(call, view, depth)
    }

    /// Appends the list on top of the stack.
    fn list(self, call: &mut Call, length: i64, depth: usize) -> Result<(), Raise> {
        let state = call.state();
        let start = bson::begin(&mut call.vm().scratch);
        let mut digits = Digits::zero();
        for index in 1..=length {
            // SAFETY: room is reserved; may run a metamethod and raise.
            with_buffer(call, |_| unsafe { ffi::lua_geti(state, -1, index) });
            self.element(call, digits.bytes(), depth)?;
            // SAFETY: the element.
            unsafe { ffi::lua_settop(state, -2) };
            digits.count_up();
        }
        bson::end(&mut call.vm().scratch, start);
        Ok(())
    }

    /// Appends the pairs of the table on top of the stack.
    fn pairs(self, call: &mut Call, view: Option<shared::Kind>, depth: usize) -> Result<(), Raise> {
        let start = bson::begin(&mut call.vm().scratch);
        call.push_nil();
        while next(call, view)? {
            self.pair(call, depth)?;
            // SAFETY: the value.
            unsafe { ffi::lua_settop(call.state(), -2) };
        }
        bson::end(&mut call.vm().scratch, start);
        Ok(())
    }

    /// Appends what the `__pairs` metamethod on top of the stack iterates over; below is its object.
    fn pairs_of_metamethod(self, call: &mut Call, depth: usize) -> Result<(), Raise> {
        let object = call.top() - 1;
        let start = bson::begin(&mut call.vm().scratch);
        each_pair(call, object, |call| self.pair(call, depth))?;
        bson::end(&mut call.vm().scratch, start);
        Ok(())
    }

    /// Appends the value on top of the stack under the key below it.
    #[inline]
    fn pair(self, call: &mut Call, depth: usize) -> Result<(), Raise> {
        match call.peek(-2) {
            // SAFETY: the key stays on the stack.
            Peek::String(key) => self.element(call, unsafe { &*key }, depth),
            Peek::Integer(_) | Peek::Float(_) => {
                Err(fail(call, format_args!("Bson dictionary's key can't be number")))
            }
            _ => {
                let kind = call.type_name(-2);
                Err(fail(call, format_args!("Invalid key type : {kind}")))
            }
        }
    }
}

/// Takes the key on top of the stack and gives the next one of the table below with its value;
/// false, and nothing, at the end.
#[inline]
fn next(call: &mut Call, view: Option<shared::Kind>) -> Result<bool, Raise> {
    if view.is_some() {
        return with_buffer(call, |call| next_entry(call, -2));
    }
    // SAFETY: room is reserved; the key is one of the table.
    Ok(unsafe { ffi::lua_next(call.state(), -2) } != 0)
}

/// The length of the table on top of the stack if it is a list: its first key is within its length.
fn list_length(call: &mut Call, view: Option<shared::Kind>) -> Result<Option<i64>, Raise> {
    let state = call.state();
    call.push_nil();
    if !next(call, view)? {
        // Nothing tells what it is. As in skynet, where these have `__len`, and others have not.
        return Ok(matches!(view, Some(shared::Kind::Data | shared::Kind::Sheet)).then_some(0));
    }
    let first = call.peek(-2);
    // SAFETY: the pair.
    unsafe { ffi::lua_settop(state, -3) };
    let Peek::Integer(first) = first else { return Ok(None) };
    // SAFETY: there is a table on top; views have their own `__len`, other tables here have none.
    let length = unsafe { ffi::luaL_len(state, -1) };
    Ok((first >= 1 && (first == 1 || first <= length)).then_some(length))
}

/// Writes what an element holds whose value is a string of ours into `value`; its width.
pub(super) fn put_special(
    call: &mut Call,
    kind: Kind,
    content: &[u8],
    value: &mut [u8; 12],
) -> Result<usize, Raise> {
    match (kind, content) {
        (Kind::Date, &[a, b, c, d]) => {
            let milliseconds = i64::from(u32::from_le_bytes([a, b, c, d])) * 1000;
            value[..8].copy_from_slice(&milliseconds.to_le_bytes());
            Ok(8)
        }
        (Kind::Timestamp | Kind::Int64, content) if content.len() == 8 => {
            value[..8].copy_from_slice(content);
            Ok(8)
        }
        (Kind::ObjectId, content) if content.len() == value.len() => {
            value.copy_from_slice(content);
            Ok(value.len())
        }
        _ => {
            let what = wrong(kind);
            Err(fail(call, format_args!("Invalid {what}")))
        }
    }
}

#[cold]
fn refuse(call: &mut Call, refused: Refused) -> Raise {
    fail(call, format_args!("{refused}"))
}

#[cold]
fn no_value(call: &mut Call, index: c_int) -> Raise {
    let kind = call.type_name(index);
    fail(call, format_args!("Invalid value type : {kind}"))
}

/// A number that is counted up as digits.
struct Digits {
    digits: [u8; 20],
    start: usize,
}

impl Digits {
    const fn zero() -> Self {
        Self { digits: [b'0'; 20], start: 19 }
    }

    fn bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }

    fn count_up(&mut self) {
        let mut at = self.digits.len();
        while at > 0 {
            at -= 1;
            self.start = self.start.min(at);
            if self.digits[at] < b'9' {
                self.digits[at] += 1;
                return;
            }
            self.digits[at] = b'0';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Digits;

    #[test]
    fn digits_count_up() {
        let mut digits = Digits::zero();
        for number in 0..12_345 {
            assert_eq!(digits.bytes(), number.to_string().as_bytes());
            digits.count_up();
        }
    }
}
