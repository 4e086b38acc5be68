//! `skynet`: `trace` and what belongs to it.
//!
//! Source: reference 3.7.

use mlua::ffi;

use crate::vm::native::{Call, Lossy, NOTHING, NativeResult, Outcome, Raise};

/// Most stack positions in one trace line, as skynet has it.
const POSITIONS: i32 = 3;

/// `trace([info])`: traces the current request from here on.
pub(super) fn trace(call: &mut Call) -> NativeResult {
    let info: *const [u8] = call.string(1).unwrap_or_default();
    let vm = call.vm();
    let Some(id) = vm.current else {
        return Err(call.error(format_args!("skynet.trace: no request is being handled")));
    };
    if vm.is_trace_refused() {
        return NOTHING;
    }
    let tag = vm.new_tag();
    // SAFETY: the text stays on the stack.
    let info = unsafe { &*info };
    let event = if info.is_empty() { "trace".to_owned() } else { format!("trace {}", Lossy(info)) };
    vm.log_trace(&tag, &event, "");
    vm.trace.tags.insert(id, tag);
    vm.threads[id].traced = true;
    NOTHING
}

/// `tracetag()`: the tag of the current request.
pub(super) fn trace_tag(call: &mut Call) -> NativeResult {
    if call.vm().is_trace_refused() {
        return call.answer_boolean(false);
    }
    let Some(tag) = call.vm().current_tag().map(std::ptr::from_ref::<[u8]>) else {
        return call.answer_nil();
    };
    // SAFETY: the tag belongs to the VM, and nothing changes it during the push.
    unsafe { call.push_bytes(&*tag) };
    Ok(Outcome::Values(1))
}

/// `tracelog(tag, text [, coroutine] [, level])`: one trace line with the stack's positions.
pub(crate) fn trace_log(call: &mut Call) -> NativeResult {
    call.check_string(1)?;
    call.check_string(2)?;
    let state = call.state();
    let positions = if call.is_none_or_nil(3) {
        String::new()
    } else if call.kind(3) == ffi::LUA_TTHREAD {
        let level = optional_level(call, 4, 1)?;
        // SAFETY: it is a thread.
        positions(unsafe { ffi::lua_tothread(state, 3) }, level)
    } else {
        let level = optional_level(call, 3, 1)?;
        positions(state, level)
    };
    let tag: *const [u8] = call.string(1).unwrap_or_default();
    let text: *const [u8] = call.string(2).unwrap_or_default();
    // SAFETY: both stay on the stack.
    let (tag, text) = unsafe { (&*tag, &*text) };
    call.vm().log_trace(tag, &Lossy(text).to_string(), &positions);
    NOTHING
}

/// Logs one event of the running request, if it is traced; `located` adds where the script is.
#[inline]
pub(crate) fn log_event(call: &mut Call, event: &str, located: bool) {
    if !call.vm().trace.is_idle() {
        log_present_event(call, event, located);
    }
}

#[cold]
fn log_present_event(call: &mut Call, event: &str, located: bool) {
    let state = call.state();
    let vm = call.vm();
    if let Some(tag) = vm.current_tag() {
        let positions = if located { positions(state, 1) } else { String::new() };
        vm.log_trace(tag, event, &positions);
    }
}

/// The nearest positions of Lua code from `level` on, as `source:line` words.
fn positions(from: *mut ffi::lua_State, mut level: i32) -> String {
    let mut positions = String::new();
    let mut found = 0;
    // SAFETY: `lua_getinfo` of "Sl" neither runs Lua nor raises; the record lives in this frame.
    unsafe {
        let mut record: ffi::lua_Debug = std::mem::zeroed();
        while found < POSITIONS && ffi::lua_getstack(from, level, &raw mut record) != 0 {
            ffi::lua_getinfo(from, c"Sl".as_ptr(), &raw mut record);
            if record.currentline >= 0 {
                let source = std::ffi::CStr::from_ptr(record.source).to_string_lossy();
                let gap = if found == 0 { "" } else { " " };
                positions.push_str(&format!("{gap}{source}:{}", record.currentline));
                found += 1;
            }
            level += 1;
        }
    }
    positions
}

fn optional_level(call: &mut Call, index: i32, default: i32) -> Result<i32, Raise> {
    if call.is_none_or_nil(index) {
        return Ok(default);
    }
    Ok(i32::try_from(call.check_integer(index)?).unwrap_or(default))
}

/// `traceproto(type, flag)`: true traces every request of the type, false none, nil as asked.
pub(super) fn trace_protocol(call: &mut Call) -> NativeResult {
    let position = super::protocol::find_type(call, 1);
    let Some(position) = position else {
        return Err(call.argument(1, format_args!("unknown message type")));
    };
    let flag = (!call.is_none_or_nil(2)).then(|| call.boolean(2));
    let vm = call.vm();
    let kind = vm.protocols.at(position).kind.0;
    match flag {
        Some(flag) => vm.trace.protocols.insert(kind, flag),
        None => vm.trace.protocols.remove(&kind),
    };
    NOTHING
}

/// `trace_timeout(on)`: remembers where timers were set, for `task`.
pub(super) fn trace_timeout(call: &mut Call) -> NativeResult {
    let on = call.boolean(1);
    let trace = &mut call.vm().trace;
    trace.timers = on;
    if !on {
        trace.origins.clear();
    }
    NOTHING
}
