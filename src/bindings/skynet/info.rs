//! `skynet`: time, identity, environment, statistics, packing, the log.

use std::sync::atomic::Ordering;

use mlua::ffi;

use super::address;
use crate::kernel::{Kind, Message, Payload, Session};
use crate::vm::native::{Call, Lossy, NOTHING, NativeResult, Outcome};
use crate::vm::{seri, trace};

/// `now()`: centiseconds since the node started.
pub(crate) fn now(call: &mut Call) -> NativeResult {
    let now = call.vm().node.clock.now();
    call.answer_integer(i64::try_from(now).unwrap_or(i64::MAX))
}

/// `starttime()`: seconds of the wall clock when the node started.
pub(super) fn start_time(call: &mut Call) -> NativeResult {
    let seconds = call.vm().node.clock.start_seconds();
    call.answer_integer(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// `time()`: the wall clock in seconds, with centiseconds behind the point.
pub(super) fn time(call: &mut Call) -> NativeResult {
    let clock = &call.vm().node.clock;
    let seconds = clock.start_seconds() as f64 + clock.now() as f64 / 100.0;
    call.push_number(seconds);
    Ok(Outcome::Values(1))
}

/// `hpc()`: nanoseconds of the monotonic clock.
pub(crate) fn hpc(call: &mut Call) -> NativeResult {
    call.answer_integer(trace::monotonic())
}

/// `self()`: the service's own handle.
pub(super) fn own_handle(call: &mut Call) -> NativeResult {
    let handle = call.vm().handle();
    call.answer_integer(handle.number().into())
}

/// `address(x)`: the text of a number, or `tostring` of anything else.
pub(super) fn address(call: &mut Call) -> NativeResult {
    if let Some(number) = call.integer(1) {
        // As C's `%08x` shows it.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "32 bits wide")]
        let number = number as u32;
        call.push_text(format_args!(":{number:08x}"));
    } else {
        // SAFETY: no argument is a nil; runs a `__tostring` at most; nothing here has a destructor.
        unsafe {
            ffi::lua_settop(call.state(), 1);
            ffi::luaL_tolstring(call.state(), 1, std::ptr::null_mut());
        }
    }
    Ok(Outcome::Values(1))
}

/// `harbor(address)`: the id of the node it is on, and whether that is another one.
pub(crate) fn harbor(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "32 bits wide")]
    let harbor = (number as u32 >> 24) as u8;
    let own = call.vm().handle().harbor();
    call.push_integer(harbor.into());
    call.push_boolean(harbor != own && harbor != 0);
    Ok(Outcome::Values(2))
}

/// `localname(".name")`: the handle behind a local name, or nothing.
pub(super) fn local_name(call: &mut Call) -> NativeResult {
    call.check_string(1)?;
    match address::destination(call, 1)? {
        address::Destination::Service(handle) => call.answer_integer(handle.number().into()),
        _ => NOTHING,
    }
}

/// `getenv(key)`: a value of the configuration.
pub(crate) fn get_environment(call: &mut Call) -> NativeResult {
    let key: *const [u8] = call.check_string(1)?;
    // SAFETY: the key stays on the stack.
    let value = call.vm().node.environment(unsafe { &*key });
    let Some(value) = value else { return call.answer_nil() };
    let vm = call.vm();
    vm.scratch.clear();
    vm.scratch.extend_from_slice(&value);
    drop(value);
    let bytes: *const [u8] = vm.scratch.as_slice();
    // SAFETY: the scratch buffer belongs to the VM.
    unsafe { call.push_bytes(&*bytes) };
    Ok(Outcome::Values(1))
}

/// `setenv(key, value)`: sets a value that is not set yet.
pub(super) fn set_environment(call: &mut Call) -> NativeResult {
    let key: *const [u8] = call.check_string(1)?;
    if !matches!(call.kind(2), ffi::LUA_TSTRING | ffi::LUA_TNUMBER) {
        let name = call.type_name(2);
        return Err(
            call.error(format_args!("attempt to concatenate a {name} value (local 'value')"))
        );
    }
    let value: *const [u8] = call.check_string(2)?;
    // SAFETY: both stay on the stack or are static.
    let (key, value) = unsafe { (&*key, &*value) };
    if key.contains(&b' ') {
        return Err(call.argument(1, format_args!("a key must not contain a space")));
    }
    if call.vm().node.set_environment(key, value) {
        return NOTHING;
    }
    let key = Lossy(key);
    Err(call.plain_error(format_args!("Can't setenv exist key : {key}")))
}

/// `genid()`: a fresh session number.
pub(crate) fn generate_session(call: &mut Call) -> NativeResult {
    let session = call.vm().sessions.allocate();
    call.answer_integer(session.0.into())
}

/// `pack(...)`: a message block to be sent or freed.
pub(crate) fn pack(call: &mut Call) -> NativeResult {
    let payload = super::body::packed_from(call, 1)?;
    address::push_owned(call, payload)
}

/// `packstring(...)`: the same as a string.
pub(crate) fn pack_string(call: &mut Call) -> NativeResult {
    let start = seri::pack(call, 1)?;
    let bytes: *const [u8] = &raw const call.vm().scratch[start..];
    // SAFETY: the scratch buffer belongs to the VM; a finalizer that packs appends behind it and
    // might move it, so the copy Lua makes comes first.
    unsafe { call.push_bytes(&*bytes) };
    call.vm().scratch.truncate(start);
    Ok(Outcome::Values(1))
}

/// `unpack(message[, size])`: the values of a string or block.
pub(crate) fn unpack(call: &mut Call) -> NativeResult {
    if call.is_none_or_nil(1) {
        return NOTHING;
    }
    if call.kind(1) == ffi::LUA_TLIGHTUSERDATA && call.pointer(1).is_null() {
        let size = call.check_integer(2)?;
        if size == 0 {
            return NOTHING;
        }
        return Err(call.error(format_args!("deserialize null pointer")));
    }
    let bytes = address::view(call, 1)?;
    // SAFETY: string, block or message live on while this runs: the first is on the stack, and
    // only this service's own code could free the others.
    let count = unsafe { seri::unpack(call, &*bytes)? };
    Ok(Outcome::Values(count))
}

/// `tostring(message, size)`: the bytes of a block.
pub(crate) fn to_string(call: &mut Call) -> NativeResult {
    if call.is_none_or_nil(1) {
        return NOTHING;
    }
    let bytes = address::view(call, 1)?;
    // SAFETY: as in `unpack`.
    unsafe { call.push_bytes(&*bytes) };
    Ok(Outcome::Values(1))
}

/// `trash(message, size)`: frees a block.
pub(crate) fn trash(call: &mut Call) -> NativeResult {
    match call.kind(1) {
        ffi::LUA_TSTRING => {}
        ffi::LUA_TLIGHTUSERDATA => drop(address::payload(call, 1)?),
        _ => {
            let name = call.type_name(1);
            return Err(call.error(format_args!("skynet.trash invalid param {name}")));
        }
    }
    NOTHING
}

/// `error(...)`: writes its arguments to the log, joined by spaces.
pub(crate) fn error(call: &mut Call) -> NativeResult {
    let state = call.state();
    let mut count = call.top();
    if count == 0 {
        call.push_nil();
        count = 1;
    }
    for index in 1..=count {
        call.reserve(4)?;
        // SAFETY: `__tostring` may raise; nothing here has a destructor. Each argument is
        // replaced by its text.
        unsafe {
            ffi::luaL_tolstring(state, index, std::ptr::null_mut());
            ffi::lua_replace(state, index);
        }
    }
    let start = call.vm().scratch.len();
    for index in 1..=count {
        let text: *const [u8] = call.string(index).unwrap_or_default();
        let scratch = &mut call.vm().scratch;
        if index > 1 {
            scratch.push(b' ');
        }
        // SAFETY: the text stays on the stack.
        scratch.extend_from_slice(unsafe { &*text });
    }
    let vm = call.vm();
    if let Some(logger) = vm.node.logger() {
        let message = Message {
            source: Some(vm.handle()),
            session: Session::NONE,
            kind: Kind::TEXT,
            payload: Payload::copy_of(&vm.scratch[start..]),
        };
        let _ = vm.node.send_to(logger, message);
    }
    vm.scratch.truncate(start);
    NOTHING
}

/// `mqlen()`: messages waiting, the current one not counted.
pub(super) fn queue_length(call: &mut Call) -> NativeResult {
    let length = waiting(call);
    call.answer_integer(length)
}

fn waiting(call: &mut Call) -> i64 {
    let vm = call.vm();
    i64::try_from(vm.service.pending().saturating_sub(vm.taken)).unwrap_or(i64::MAX)
}

/// `endless()`: whether the watchdog has found this service busy; reading clears it.
pub(super) fn endless(call: &mut Call) -> NativeResult {
    let flag = call.vm().service.stats.endless.swap(false, Ordering::Relaxed);
    call.answer_boolean(flag)
}

/// `stat(name)`: one statistic of this service.
pub(crate) fn stat(call: &mut Call) -> NativeResult {
    match call.check_string(1)? {
        b"mqlen" => queue_length(call),
        b"endless" => {
            let flag = call.vm().service.stats.endless.swap(false, Ordering::Relaxed);
            call.answer_integer(flag.into())
        }
        b"cpu" => {
            let vm = call.vm();
            // As in skynet, what runs now is added when it ends; `time` tells it.
            let busy = vm.service.stats.busy.load(Ordering::Relaxed);
            let busy = vm.node.stamps.duration(busy);
            call.push_number(busy.as_secs_f64());
            Ok(Outcome::Values(1))
        }
        b"time" => {
            let vm = call.vm();
            if !vm.node.options.profile {
                return call.answer_integer(0);
            }
            let running =
                vm.turn_began.map_or(0.0, |began| vm.node.stamps.elapsed(began).as_secs_f64());
            call.push_number(running);
            Ok(Outcome::Values(1))
        }
        b"message" => {
            let vm = call.vm();
            let count = vm.service.stats.messages.load(Ordering::Relaxed) + vm.taken as u64;
            call.answer_integer(i64::try_from(count).unwrap_or(i64::MAX))
        }
        _ => call.answer_integer(0),
    }
}
