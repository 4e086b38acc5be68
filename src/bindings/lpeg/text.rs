//! `lpeg`: captures that are texts put together: `p / "format"` and `Cs`.
//!
//! Invariant: a text is built in the VM's buffer behind what is there; what a script's function
//! leaves behind it is cut off.

use std::ffi::c_int;

use mlua::ffi;

use super::captures::{DEPTH, Evaluation, push, push_value};
use crate::codec::peg::Kind;
use crate::vm::native::{Call, Raise};

/// Captures that a text can refer to, the whole one included.
const TEXT_PARTS: usize = 10;

/// Adds the text of the capture at hand to the VM's buffer; how many values it has.
fn add_text(call: &mut Call, evaluation: &mut Evaluation, what: &str) -> Result<c_int, Raise> {
    match evaluation.capture().kind {
        Kind::Text => format(call, evaluation).map(|()| 1),
        Kind::Substitution => substitution(call, evaluation).map(|()| 1),
        _ => {
            let mark = call.vm().scratch.len();
            let count = push(call, evaluation)?;
            // What a nested use that raised has left behind.
            call.vm().scratch.truncate(mark);
            if count == 0 {
                return Ok(0);
            }
            let state = call.state();
            // SAFETY: so many values are on top; a number is turned into its text in place.
            unsafe {
                ffi::lua_pop(state, count - 1);
                if ffi::lua_isstring(state, -1) == 0 {
                    let name = call.type_name(-1);
                    return Err(call.error(format_args!("invalid {what} value (a {name})")));
                }
                ffi::lua_tolstring(state, -1, std::ptr::null_mut());
                let bytes: *const [u8] = call.string(-1).unwrap_or_default();
                call.vm().scratch.extend_from_slice(&*bytes);
                ffi::lua_pop(state, 1);
            }
            Ok(count)
        }
    }
}

/// Adds what a substitution capture makes of its text.
pub(super) fn substitution(call: &mut Call, evaluation: &mut Evaluation) -> Result<(), Raise> {
    let open = evaluation.capture();
    evaluation.now += 1;
    let mut from = open.at;
    if open.is_whole() {
        let text = evaluation.text(from, evaluation.end());
        call.vm().scratch.extend_from_slice(text);
        return Ok(());
    }
    while evaluation.capture().kind != Kind::Close {
        let next = evaluation.capture().at;
        let text = evaluation.text(from, next);
        call.vm().scratch.extend_from_slice(text);
        // What has no value keeps its text.
        from = match add_text(call, evaluation, "replacement")? {
            0 => next,
            _ => evaluation.end(),
        };
    }
    let text = evaluation.text(from, evaluation.capture().at);
    call.vm().scratch.extend_from_slice(text);
    evaluation.now += 1;
    Ok(())
}

/// What a text can refer to.
#[derive(Clone, Copy)]
enum Part {
    Text(u32, u32),
    Capture(usize),
}

/// Notes the capture at hand and those in it, from the part `count` on; how many there are then.
fn collect_parts(
    evaluation: &mut Evaluation,
    parts: &mut [Part; TEXT_PARTS],
    count: usize,
    depth: u32,
) -> usize {
    let own = count;
    let mut count = count + 1;
    let open = evaluation.capture();
    evaluation.now += 1;
    if !open.is_whole() {
        while evaluation.capture().kind != Kind::Close {
            if count >= TEXT_PARTS || depth >= DEPTH {
                evaluation.skip();
            } else if evaluation.capture().kind == Kind::Simple {
                count = collect_parts(evaluation, parts, count, depth + 1);
            } else {
                parts[count] = Part::Capture(evaluation.now);
                evaluation.skip();
                count += 1;
            }
        }
        evaluation.now += 1;
    }
    parts[own] = Part::Text(open.at, evaluation.end());
    count
}

/// Adds what a text capture makes of the captures in it.
pub(super) fn format(call: &mut Call, evaluation: &mut Evaluation) -> Result<(), Raise> {
    let number = evaluation.capture().value;
    call.reserve(4)?;
    push_value(call, evaluation, number);
    let wanted: *const [u8] = call.string(-1).unwrap_or_default();
    let mut parts = [Part::Text(0, 0); TEXT_PARTS];
    let count = collect_parts(evaluation, &mut parts, 0, 0);
    let behind = evaluation.now;
    // SAFETY: the format stays on the stack.
    let mut bytes = unsafe { &*wanted }.iter();
    while let Some(byte) = bytes.next() {
        let reference = match (byte, bytes.as_slice().first()) {
            (b'%', Some(digit @ b'0'..=b'9')) => usize::from(digit - b'0'),
            (b'%', Some(other)) => {
                call.vm().scratch.push(*other);
                bytes.next();
                continue;
            }
            _ => {
                call.vm().scratch.push(*byte);
                continue;
            }
        };
        bytes.next();
        match parts.get(reference).filter(|_| reference < count).copied() {
            None => {
                return Err(call.error(format_args!("invalid capture index ({reference})")));
            }
            Some(Part::Text(from, to)) => {
                let text = evaluation.text(from, to);
                call.vm().scratch.extend_from_slice(text);
            }
            Some(Part::Capture(position)) => {
                evaluation.now = position;
                if add_text(call, evaluation, "capture")? == 0 {
                    return Err(call.error(format_args!("no values in capture index {reference}")));
                }
            }
        }
    }
    evaluation.now = behind;
    // SAFETY: the format is on top.
    unsafe { ffi::lua_pop(call.state(), 1) };
    Ok(())
}
