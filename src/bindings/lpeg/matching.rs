//! `lpeg`: running a match.
//!
//! A pattern without functions to be asked runs on a machine that the VM keeps, and Lua does not
//! run before the match is over. One with such functions has a machine of its own in a userdata,
//! for they may start matches themselves.
//!
//! Invariant: while Lua may run, what was captured lies in a userdata.

use std::ffi::{CStr, c_int};

use mlua::ffi;

use super::captures::{self, Evaluation};
use super::pattern::{convert, parts, program};
use crate::codec::peg::{CAPTURES, Capture, Kind, Machine, ProgramRef, Step};
use crate::kernel::Interrupt;
use crate::natives;
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, Raise, register};

/// Name of the metatable of machines.
const MACHINE: &CStr = c"lpeg.machine";

const METHODS: &[Entry] = natives![c"__gc" => collect];

/// Steps between two looks at whether the service is to be interrupted: some milliseconds.
const STEPS: usize = 1 << 20;

/// Values that functions may give in one match, as in lpeg.
const RUNTIME_VALUES: u32 = 32_767;

/// Largest stack that a script may ask for.
const LARGEST_STACK: i64 = i32::MAX as i64 / 100;

/// `setmaxstack(n)`: entries that the stack of a match may have from now on.
pub(super) fn set_max_stack(call: &mut Call) -> NativeResult {
    let limit = call.check_integer(1)?;
    match usize::try_from(limit) {
        Ok(entries @ 1..) if limit <= LARGEST_STACK => {
            call.vm().peg_stack = entries;
            NOTHING
        }
        _ => Err(call.argument(1, format_args!("out of range"))),
    }
}

fn collect(call: &mut Call) -> NativeResult {
    // SAFETY: a userdata with this metatable holds null or a machine of its own.
    unsafe {
        let place = ffi::luaL_testudata(call.state(), 1, MACHINE.as_ptr()).cast::<*mut Machine>();
        if !place.is_null() {
            let machine = place.replace(std::ptr::null_mut());
            if !machine.is_null() {
                drop(Box::from_raw(machine));
            }
        }
    }
    NOTHING
}

/// Where in the subject a match starts, from the argument `init`.
fn start(init: i64, length: usize) -> usize {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let start = if init > 0 { (init - 1).min(length) } else { length.saturating_add(init).max(0) };
    usize::try_from(start).unwrap_or(0)
}

/// `match(pattern, subject [, init, …])`
pub(super) fn run(call: &mut Call) -> NativeResult {
    convert(call, 1)?;
    let program = program(call, 1)?;
    let subject: *const [u8] = call.check_string(2)?;
    let init = if call.is_none_or_nil(3) { 1 } else { call.check_integer(3)? };
    // SAFETY: the subject stays on the stack, at index 2, until the native is over.
    let subject = unsafe { &*subject };
    if u32::try_from(subject.len()).is_err() {
        let length = subject.len();
        return Err(call.argument(2, format_args!("subject of {length} bytes is too long")));
    }
    let from = u32::try_from(start(init, subject.len())).unwrap_or(0);
    // SAFETY: the pattern stays on the stack, at index 1.
    let (asks, parts) = unsafe { ((*program.as_ptr()).asks, parts(program)) };
    if asks {
        run_asking(call, parts, subject, from)
    } else {
        run_alone(call, parts, subject, from)
    }
}

/// Runs until there is something to decide here.
fn go_on(
    call: &mut Call,
    machine: &mut Machine,
    program: ProgramRef<'_>,
    subject: &[u8],
) -> Result<Step, Raise> {
    loop {
        match machine.run(program, subject, STEPS) {
            Step::Paused => {
                let requests = &call.vm().service.requests;
                let requests = requests.load(std::sync::atomic::Ordering::Relaxed);
                if requests & Interrupt::Overtime as u32 != 0 {
                    return Err(call.error(format_args!("message interrupted in lpeg.match")));
                }
            }
            Step::StackOverflow => {
                let limit = call.vm().peg_stack();
                return Err(
                    call.error(format_args!("backtrack stack overflow (current limit is {limit})"))
                );
            }
            Step::TooManyCaptures => {
                return Err(call.error(format_args!("too many captures (limit {CAPTURES})")));
            }
            step => return Ok(step),
        }
    }
}

/// A match in which Lua has no part.
fn run_alone(call: &mut Call, program: ProgramRef<'_>, subject: &[u8], from: u32) -> NativeResult {
    let limit = call.vm().peg_stack();
    let mut machine = call.vm().peg.take().unwrap_or_default();
    machine.start(from, limit);
    let step = go_on(call, &mut machine, program, subject);
    let start = call.vm().scratch.len();
    let captured = machine.captures.len();
    if step.is_ok() && captured > 1 {
        captures::keep(&mut call.vm().scratch, &machine.captures);
    }
    machine.shrink();
    call.vm().peg = Some(machine);
    let Step::Matched(end) = step? else { return call.answer_nil() };
    if captured <= 1 {
        return call.answer_integer(i64::from(end) + 1);
    }
    let state = call.state();
    let arguments = call.top();
    call.reserve(6)?;
    // SAFETY: room is reserved. The captures wait in the VM's buffer while Lua may raise.
    let captures = unsafe {
        super::pattern::push_values(call, 1);
        let place = ffi::lua_newuserdata(state, captured * size_of::<Capture>());
        captures::restore(&call.vm().scratch[start..], captured, place.cast());
        call.vm().scratch.truncate(start);
        place.cast::<Capture>()
    };
    let evaluation = Evaluation {
        captures,
        now: 0,
        subject: subject.as_ptr(),
        length: subject.len(),
        values: arguments + 1,
        runtime: 0,
        arguments,
        depth: 0,
    };
    answer(call, evaluation, end)
}

/// Gives the values of a match.
fn answer(call: &mut Call, mut evaluation: Evaluation, end: u32) -> NativeResult {
    let mut count = 0;
    while evaluation.capture().kind != Kind::Close {
        count += captures::push(call, &mut evaluation)?;
    }
    if count == 0 {
        return call.answer_integer(i64::from(end) + 1);
    }
    Ok(Outcome::Values(count))
}

/// A match in which functions of the script decide.
fn run_asking(call: &mut Call, program: ProgramRef<'_>, subject: &[u8], from: u32) -> NativeResult {
    let state = call.state();
    let arguments = call.top();
    call.reserve(8)?;
    let limit = call.vm().peg_stack();
    // SAFETY: room is reserved; the machine is made when it has its place.
    let machine = unsafe {
        super::pattern::push_values(call, 1);
        // What the functions give besides.
        ffi::lua_createtable(state, 0, 0);
        let place = ffi::lua_newuserdata(state, size_of::<*mut Machine>()).cast::<*mut Machine>();
        place.write(std::ptr::null_mut());
        if ffi::luaL_newmetatable(state, MACHINE.as_ptr()) != 0 {
            register(state, METHODS);
            ffi::lua_pushboolean(state, 0);
            ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        }
        ffi::lua_setmetatable(state, -2);
        place.write(Box::into_raw(Box::default()));
        *place
    };
    // SAFETY: the userdata on the stack owns the machine, and nothing else refers to it.
    unsafe { (*machine).start(from, limit) };
    let base = call.top();
    loop {
        // SAFETY: as above; Lua does not run meanwhile.
        let step = go_on(call, unsafe { &mut *machine }, program, subject)?;
        // SAFETY: as above.
        let captures = unsafe { (*machine).captures.as_ptr() };
        let mut evaluation = Evaluation {
            captures,
            now: 0,
            subject: subject.as_ptr(),
            length: subject.len(),
            values: arguments + 1,
            runtime: arguments + 2,
            arguments,
            depth: 0,
        };
        match step {
            Step::Matched(end) => return answer(call, evaluation, end),
            Step::Runtime(open, at) => {
                evaluation.now = open as usize;
                // SAFETY: as above.
                let values = unsafe { (*machine).values() };
                forget_values(call, arguments + 2, values);
                let decision = ask(call, evaluation, at)?;
                let goes_on = {
                    // SAFETY: as above; the stack has what the function gave from `base` on.
                    let machine = unsafe { &mut *machine };
                    decide(call, machine, open, decision, base, arguments + 2)?
                };
                if !goes_on {
                    return call.answer_nil();
                }
            }
            _ => return call.answer_nil(),
        }
    }
}

/// Lets go of the values behind the first so many in the list at `index`: their captures are gone.
fn forget_values(call: &mut Call, index: c_int, values: u32) {
    let state = call.state();
    // SAFETY: a list is there; assigning nil to its last key allocates nothing.
    unsafe {
        let count = i64::try_from(ffi::lua_rawlen(state, index)).unwrap_or(0);
        for number in (i64::from(values) + 1..=count).rev() {
            ffi::lua_pushnil(state);
            ffi::lua_rawseti(state, index, number);
        }
    }
}

/// Calls the function of a runtime capture. Its results are on the stack; where the match is to go
/// on, or `None` where it fails.
fn ask(call: &mut Call, mut evaluation: Evaluation, at: u32) -> Result<Option<u32>, Raise> {
    let state = call.state();
    let base = call.top();
    call.reserve(8)?;
    // SAFETY: room is reserved; what may raise finds nothing with a destructor.
    unsafe {
        let function = evaluation.capture().value;
        ffi::lua_rawgeti(state, evaluation.values, function.into());
        ffi::lua_pushvalue(state, 2);
        ffi::lua_pushinteger(state, i64::from(at) + 1);
        let count = captures::push_nested(call, &mut evaluation, false)?;
        ffi::lua_callk(state, count + 2, ffi::LUA_MULTRET, 0, None);
        call.reserve(4)?;
        if ffi::lua_toboolean(state, base + 1) == 0 {
            ffi::lua_settop(state, base);
            return Ok(None);
        }
        let mut to = at;
        if call.kind(base + 1) != ffi::LUA_TBOOLEAN {
            let position = ffi::lua_tointegerx(state, base + 1, std::ptr::null_mut());
            let valid = i64::from(at) + 1..=i64::try_from(evaluation.length).unwrap_or(0) + 1;
            match u32::try_from(position.wrapping_sub(1)) {
                Ok(position_from_zero) if valid.contains(&position) => to = position_from_zero,
                _ => {
                    let text = "invalid position returned by match-time capture";
                    return Err(call.error(format_args!("{text}")));
                }
            }
        }
        ffi::lua_remove(state, base + 1);
        Ok(Some(to))
    }
}

/// Lets the match go on as a function has decided; what it gave besides, on the stack behind
/// `base`, takes the place of the captures from `open` on. False when the match has failed.
fn decide(
    call: &mut Call,
    machine: &mut Machine,
    open: u32,
    decision: Option<u32>,
    base: c_int,
    values: c_int,
) -> Result<bool, Raise> {
    let count = call.top() - base;
    let more = u32::try_from(count).unwrap_or(0);
    machine.give(open, decision.unwrap_or(0), more);
    let Some(at) = decision else { return Ok(machine.answer(None)) };
    let last = machine.values();
    if last > RUNTIME_VALUES {
        // SAFETY: there are more values than these; an error needs room.
        unsafe { ffi::lua_settop(call.state(), base) };
        return Err(call.error(format_args!("too many runtime captures (limit {RUNTIME_VALUES})")));
    }
    for number in (last - more + 1..=last).rev() {
        // SAFETY: the value is on top of the stack; a raise for lack of memory finds the machine in
        // its userdata.
        unsafe { ffi::lua_rawseti(call.state(), values, number.into()) };
    }
    Ok(machine.answer(Some(at)))
}
