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
    let (from, mut level) = if call.kind(3) == ffi::LUA_TTHREAD {
        // SAFETY: it is a thread.
        (unsafe { ffi::lua_tothread(state, 3) }, optional_level(call, 4, 0)?)
    } else {
        (state, optional_level(call, 3, 1)?)
    };
    let mut positions = String::new();
    // SAFETY: `lua_getinfo` of "Sl" neither runs Lua nor raises; the record lives in this frame.
    unsafe {
        let mut record: ffi::lua_Debug = std::mem::zeroed();
        let last = level + POSITIONS;
        while level < last && ffi::lua_getstack(from, level, &raw mut record) != 0 {
            ffi::lua_getinfo(from, c"Sl".as_ptr(), &raw mut record);
            let source = std::ffi::CStr::from_ptr(record.short_src.as_ptr()).to_string_lossy();
            if record.currentline >= 0 {
                if !positions.is_empty() {
                    positions.push(' ');
                }
                positions.push_str(&format!("{source}:{}", record.currentline));
            }
            level += 1;
        }
    }
    let tag: *const [u8] = call.string(1).unwrap_or_default();
    let text: *const [u8] = call.string(2).unwrap_or_default();
    // SAFETY: both stay on the stack.
    let (tag, text) = unsafe { (&*tag, &*text) };
    call.vm().log_trace(tag, &Lossy(text).to_string(), &positions);
    NOTHING
}

fn optional_level(call: &mut Call, index: i32, default: i32) -> Result<i32, Raise> {
    if call.is_none_or_nil(index) {
        return Ok(default);
    }
    Ok(i32::try_from(call.check_integer(index)?).unwrap_or(default))
}

/// `traceproto(type, flag)`: true traces every request of the type, false none, nil as asked.
pub(super) fn trace_protocol(call: &mut Call) -> NativeResult {
    let position = match call.string(1).map(std::ptr::from_ref::<[u8]>) {
        // SAFETY: the name stays on the stack.
        Some(name) => call.vm().protocols.by_name(unsafe { &*name }),
        None => {
            let id = call.integer(1).and_then(|id| u8::try_from(id).ok());
            id.and_then(|id| call.vm().protocols.by_kind(crate::kernel::Kind(id)))
        }
    };
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
    call.vm().trace.timers = on;
    NOTHING
}
