//! `lpeg`: what captures are worth.
//!
//! Invariant: an evaluation is plain values; it and what it refers to stay where they are when Lua
//! raises. Texts are put together in the VM's buffer, each behind what is there, and whoever calls
//! Lua in between cuts off what was left there.

use std::ffi::c_int;

use mlua::ffi;

use super::text;
use crate::codec::peg::{Capture, Kind};
use crate::vm::native::{Call, Raise};

/// Nesting of captures in one another.
pub(super) const DEPTH: u32 = 2000;

/// Where the evaluation of captures is.
#[derive(Clone, Copy)]
pub(super) struct Evaluation {
    pub(super) captures: *const Capture,
    /// The capture to look at.
    pub(super) now: usize,
    pub(super) subject: *const u8,
    pub(super) length: usize,
    /// Stack index of the values of the pattern.
    pub(super) values: c_int,
    /// Stack index of what functions gave during the match; zero if there was none.
    pub(super) runtime: c_int,
    /// Stack index of the last argument of the match.
    pub(super) arguments: c_int,
    pub(super) depth: u32,
}

impl Evaluation {
    /// The capture to look at. There is one: a list ends with an end of its own.
    #[inline]
    pub(super) fn capture(&self) -> Capture {
        self.at(self.now)
    }

    #[inline]
    fn at(&self, position: usize) -> Capture {
        // SAFETY: starts and ends of captures are in balance, and the list ends with an end, so
        // that nobody goes beyond it.
        unsafe { *self.captures.add(position) }
    }

    /// Bytes of the subject.
    #[inline]
    pub(super) fn text<'a>(&self, from: u32, to: u32) -> &'a [u8] {
        let (from, to) = (from as usize, (to as usize).min(self.length));
        if from >= to {
            return &[];
        }
        // SAFETY: the subject stays on the stack, and the range lies in it.
        unsafe { std::slice::from_raw_parts(self.subject.add(from), to - from) }
    }

    /// Where the capture before the one at hand ends.
    pub(super) fn end(&self) -> u32 {
        let last = self.at(self.now - 1);
        last.at + last.size - 1
    }

    /// Goes on behind the capture at hand.
    pub(super) fn skip(&mut self) {
        let mut open = u32::from(!self.capture().is_whole());
        self.now += 1;
        while open > 0 {
            let capture = self.capture();
            if capture.kind == Kind::Close {
                open -= 1;
            } else if !capture.is_whole() {
                open += 1;
            }
            self.now += 1;
        }
    }
}

/// Puts captures at the end of a buffer of bytes.
pub(super) fn keep(buffer: &mut Vec<u8>, captures: &[Capture]) {
    for capture in captures {
        buffer.extend_from_slice(&capture.at.to_ne_bytes());
        buffer.extend_from_slice(&capture.size.to_ne_bytes());
        buffer.extend_from_slice(&capture.value.to_ne_bytes());
        buffer.push(capture.kind as u8);
    }
}

/// Bytes of a kept capture.
const KEPT: usize = 13;

const KINDS: [Kind; 15] = [
    Kind::Close,
    Kind::Position,
    Kind::Constant,
    Kind::Back,
    Kind::Argument,
    Kind::Simple,
    Kind::Table,
    Kind::Function,
    Kind::Query,
    Kind::Text,
    Kind::Number,
    Kind::Substitution,
    Kind::Fold,
    Kind::Runtime,
    Kind::Group,
];

/// Writes so many kept captures to where they will stay.
///
/// # Safety
/// There is room for them.
pub(super) unsafe fn restore(kept: &[u8], count: usize, place: *mut Capture) {
    let word = |bytes: &[u8], at: usize| {
        bytes[at..].first_chunk().map_or(0, |word| u32::from_ne_bytes(*word))
    };
    for (at, bytes) in kept.chunks_exact(KEPT).take(count).enumerate() {
        let kind = KINDS.get(usize::from(bytes[12])).copied().unwrap_or(Kind::Close);
        let capture =
            Capture { at: word(bytes, 0), size: word(bytes, 4), value: word(bytes, 8), kind };
        // SAFETY: the caller's promise.
        unsafe { place.add(at).write(capture) };
    }
}

/// Pushes the values of the capture at hand, and goes on behind it; how many they are.
pub(super) fn push(call: &mut Call, evaluation: &mut Evaluation) -> Result<c_int, Raise> {
    call.reserve(6)?;
    if evaluation.depth >= DEPTH {
        return Err(call.error(format_args!("captures are nested too deep (limit {DEPTH})")));
    }
    evaluation.depth += 1;
    let count = push_capture(call, evaluation);
    evaluation.depth -= 1;
    // What a function gave may fill the stack to its brim; an error needs room as well.
    call.reserve(6)?;
    count
}

fn push_capture(call: &mut Call, evaluation: &mut Evaluation) -> Result<c_int, Raise> {
    let state = call.state();
    let capture = evaluation.capture();
    match capture.kind {
        Kind::Position => {
            call.push_integer(i64::from(capture.at) + 1);
            evaluation.now += 1;
        }
        Kind::Constant => {
            push_value(call, evaluation, capture.value);
            evaluation.now += 1;
        }
        Kind::Argument => {
            let number = c_int::try_from(capture.value).unwrap_or(c_int::MAX - 3);
            if number + 3 > evaluation.arguments {
                return Err(
                    call.error(format_args!("reference to absent extra argument #{number}"))
                );
            }
            // SAFETY: room is reserved; the argument is there.
            unsafe { ffi::lua_pushvalue(state, number + 3) };
            evaluation.now += 1;
        }
        Kind::Runtime => {
            // SAFETY: room is reserved; there is a table if there is such a capture.
            unsafe { ffi::lua_rawgeti(state, evaluation.runtime, capture.value.into()) };
            evaluation.now += 1;
        }
        Kind::Simple => {
            let count = push_nested(call, evaluation, true)?;
            // The whole text is the first one.
            // SAFETY: so many values are on top.
            unsafe { ffi::lua_insert(state, -count) };
            return Ok(count);
        }
        Kind::Text => {
            let start = call.vm().scratch.len();
            text::format(call, evaluation)?;
            push_built(call, start);
        }
        Kind::Substitution => {
            let start = call.vm().scratch.len();
            text::substitution(call, evaluation)?;
            push_built(call, start);
        }
        Kind::Group => {
            if capture.value == 0 {
                return push_nested(call, evaluation, false);
            }
            evaluation.skip();
            return Ok(0);
        }
        Kind::Back => return back(call, evaluation, capture.value),
        Kind::Table => table(call, evaluation)?,
        Kind::Function => return function(call, evaluation, capture.value),
        Kind::Number => return number(call, evaluation, capture.value),
        Kind::Query => return query(call, evaluation, capture.value),
        Kind::Fold => fold(call, evaluation, capture.value)?,
        Kind::Close => {
            evaluation.now += 1;
            return Ok(0);
        }
    }
    Ok(1)
}

/// Pushes a value of the pattern.
pub(super) fn push_value(call: &mut Call, evaluation: &Evaluation, number: u32) {
    if number == 0 {
        return call.push_nil();
    }
    // SAFETY: room is reserved; a number belongs to a list.
    unsafe { ffi::lua_rawgeti(call.state(), evaluation.values, number.into()) };
}

/// Pushes the values of the captures in the one at hand, or else its text; with `whole` the text
/// as well, behind them.
pub(super) fn push_nested(
    call: &mut Call,
    evaluation: &mut Evaluation,
    whole: bool,
) -> Result<c_int, Raise> {
    let open = evaluation.capture();
    evaluation.now += 1;
    let mut count = 0;
    if !open.is_whole() {
        while evaluation.capture().kind != Kind::Close {
            count += push(call, evaluation)?;
        }
        evaluation.now += 1;
    }
    if whole || count == 0 {
        call.reserve(4)?;
        let text = evaluation.text(open.at, evaluation.end());
        call.push_bytes(text);
        count += 1;
    }
    Ok(count)
}

/// Pushes the first of the nested values.
fn push_first_nested(call: &mut Call, evaluation: &mut Evaluation) -> Result<(), Raise> {
    let count = push_nested(call, evaluation, false)?;
    // SAFETY: so many values are on top.
    unsafe { ffi::lua_pop(call.state(), count - 1) };
    Ok(())
}

/// Pushes the text in the VM's buffer from `start` on, and takes it from there.
fn push_built(call: &mut Call, start: usize) {
    let built: *const [u8] = &raw const call.vm().scratch[start..];
    // SAFETY: the buffer belongs to the VM; Lua copies the bytes before anything can run.
    unsafe { call.push_bytes(&*built) };
    call.vm().scratch.truncate(start);
}

/// The values of the last group with a name before the capture at hand.
fn back(call: &mut Call, evaluation: &mut Evaluation, name: u32) -> Result<c_int, Raise> {
    let here = evaluation.now;
    let state = call.state();
    push_value(call, evaluation, name);
    let mut position = here;
    while position > 0 {
        position -= 1;
        let mut capture = evaluation.at(position);
        if capture.kind == Kind::Close {
            // The start of what ends here.
            let mut closed = 1;
            while closed > 0 {
                position -= 1;
                capture = evaluation.at(position);
                if capture.kind == Kind::Close {
                    closed += 1;
                } else if !capture.is_whole() {
                    closed -= 1;
                }
            }
        } else if !capture.is_whole() {
            // One that is still open holds the reference itself.
            continue;
        }
        if capture.kind == Kind::Group && capture.value != 0 {
            push_value(call, evaluation, capture.value);
            // SAFETY: both names are on top; comparing them may run a metamethod.
            let found = unsafe {
                let found = ffi::lua_compare(state, -1, -2, ffi::LUA_OPEQ) != 0;
                ffi::lua_pop(state, 1);
                found
            };
            if found {
                // SAFETY: the name is on top.
                unsafe { ffi::lua_pop(state, 1) };
                evaluation.now = position;
                let count = push_nested(call, evaluation, false)?;
                evaluation.now = here + 1;
                return Ok(count);
            }
        }
    }
    let name = match call.kind(-1) {
        ffi::LUA_TSTRING => {
            crate::vm::native::Lossy(call.string(-1).unwrap_or_default()).to_string()
        }
        _ => match call.integer(-1) {
            Some(number) => number.to_string(),
            None => format!("(a {})", call.type_name(-1)),
        },
    };
    Err(call.error(format_args!("back reference '{name}' not found")))
}

/// A table of the values of the captures inside.
fn table(call: &mut Call, evaluation: &mut Evaluation) -> Result<(), Raise> {
    let state = call.state();
    let open = evaluation.capture();
    evaluation.now += 1;
    // SAFETY: room is reserved by `push`; what may raise finds nothing with a destructor.
    unsafe {
        ffi::lua_createtable(state, 0, 0);
        if open.is_whole() {
            return Ok(());
        }
        let mut length = 0;
        while evaluation.capture().kind != Kind::Close {
            let capture = evaluation.capture();
            call.reserve(6)?;
            if capture.kind == Kind::Group && capture.value != 0 {
                push_value(call, evaluation, capture.value);
                push_first_nested(call, evaluation)?;
                ffi::lua_settable(state, -3);
            } else {
                let count = push(call, evaluation)?;
                for number in (1..=count).rev() {
                    ffi::lua_rawseti(state, -(number + 1), length + i64::from(number));
                }
                length += i64::from(count);
            }
        }
    }
    evaluation.now += 1;
    Ok(())
}

/// What a function makes of the values of the captures inside.
fn function(call: &mut Call, evaluation: &mut Evaluation, value: u32) -> Result<c_int, Raise> {
    let top = call.top();
    push_value(call, evaluation, value);
    let count = push_nested(call, evaluation, false)?;
    // SAFETY: the function and so many values are on top; it may raise.
    unsafe { ffi::lua_callk(call.state(), count, ffi::LUA_MULTRET, 0, None) };
    Ok(call.top() - top)
}

/// One of the values of the captures inside.
fn number(call: &mut Call, evaluation: &mut Evaluation, number: u32) -> Result<c_int, Raise> {
    if number == 0 {
        evaluation.skip();
        return Ok(0);
    }
    let count = push_nested(call, evaluation, false)?;
    let wanted = c_int::try_from(number).unwrap_or(c_int::MAX);
    if count < wanted {
        return Err(call.error(format_args!("no capture '{number}'")));
    }
    // SAFETY: so many values are on top.
    unsafe {
        ffi::lua_pushvalue(call.state(), -(count - wanted + 1));
        ffi::lua_replace(call.state(), -(count + 1));
        ffi::lua_pop(call.state(), count - 1);
    }
    Ok(1)
}

/// What a table has under the value inside; nothing for nil.
fn query(call: &mut Call, evaluation: &mut Evaluation, value: u32) -> Result<c_int, Raise> {
    let state = call.state();
    push_value(call, evaluation, value);
    push_first_nested(call, evaluation)?;
    // SAFETY: the table and the key are on top; a metamethod may raise.
    unsafe {
        ffi::lua_gettable(state, -2);
        ffi::lua_remove(state, -2);
        if call.kind(-1) == ffi::LUA_TNIL {
            ffi::lua_pop(state, 1);
            return Ok(0);
        }
    }
    Ok(1)
}

/// What a function makes of the values of the captures inside, one after the other.
fn fold(call: &mut Call, evaluation: &mut Evaluation, value: u32) -> Result<(), Raise> {
    let state = call.state();
    let open = evaluation.capture();
    evaluation.now += 1;
    let count = match open.is_whole() || evaluation.capture().kind == Kind::Close {
        true => 0,
        false => push(call, evaluation)?,
    };
    if count == 0 {
        return Err(call.error(format_args!("no initial value for fold capture")));
    }
    // SAFETY: so many values are on top; the function may raise.
    unsafe {
        ffi::lua_pop(state, count - 1);
        while evaluation.capture().kind != Kind::Close {
            call.reserve(4)?;
            push_value(call, evaluation, value);
            ffi::lua_insert(state, -2);
            let count = push(call, evaluation)?;
            ffi::lua_callk(state, count + 1, 1, 0, None);
        }
    }
    evaluation.now += 1;
    Ok(())
}
