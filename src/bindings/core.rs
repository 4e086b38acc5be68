//! `skynet.core`: the functions under `skynet`, as C modules and old scripts know them.
//!
//! Source: reference 18 and 22.

use mlua::ffi;

use crate::kernel::{Handle, Interrupt, Kind};
use crate::natives;
use crate::vm::Callback;
use crate::vm::native::{Call, Entry, Lossy, NOTHING, NativeResult, Outcome, Raise, register};

use super::skynet::address::{self, destination};
use super::skynet::message::{answer_send, redirect_as, session};
use super::skynet::{info, thread};

const FUNCTIONS: &[Entry] = natives![
    c"addresscommand" => address_command,
    c"callback" => callback,
    c"command" => command,
    c"error" => info::error,
    c"genid" => info::generate_session,
    c"harbor" => harbor,
    c"hpc" => info::hpc,
    c"intcommand" => int_command,
    c"now" => info::now,
    c"pack" => info::pack,
    c"packstring" => info::pack_string,
    c"redirect" => redirect,
    c"send" => send,
    c"tostring" => info::to_string,
    c"trace" => trace,
    c"trash" => info::trash,
    c"unpack" => info::unpack,
];

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> std::ffi::c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::lua_createtable(state, 0, i32::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

fn kind(call: &mut Call, index: i32) -> Result<Kind, Raise> {
    let number = call.check_integer(index)?;
    match u8::try_from(number) {
        Ok(number) => Ok(Kind(number)),
        Err(_) => Err(call.argument(index, format_args!("message type {number} is not 0..255"))),
    }
}

/// `send(address, type, session | nil, message[, size])`: nil asks for a new session.
fn send(call: &mut Call) -> NativeResult {
    let to = destination(call, 1)?;
    let kind = kind(call, 2)?;
    let session =
        if call.is_none_or_nil(3) { call.vm().sessions.allocate() } else { session(call, 3)? };
    let payload = address::payload(call, 4)?;
    let sent = address::deliver(call, to, kind, session, payload);
    answer_send(call, sent, session)
}

/// `redirect(address, source, type, session, message[, size])`.
fn redirect(call: &mut Call) -> NativeResult {
    let to = destination(call, 1)?;
    let kind = kind(call, 3)?;
    redirect_as(call, to, kind)
}

/// `harbor(handle)`: the id of its node, and whether that is another one.
fn harbor(call: &mut Call) -> NativeResult {
    info::harbor(call)
}

/// `trace(tag, text [, coroutine] [, level])`.
fn trace(call: &mut Call) -> NativeResult {
    super::skynet::tracing::trace_log(call)
}

/// `callback(f [, forward])`: gives every message to `f(type, message, size, session, source)`.
fn callback(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TFUNCTION)?;
    let forward = call.boolean(2);
    let state = call.state();
    // SAFETY: a native has free slots.
    let function = unsafe {
        ffi::lua_settop(state, 1);
        ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX)
    };
    let vm = call.vm();
    let before = std::mem::replace(&mut vm.callback, Callback::Script { function, forward });
    if let Callback::Script { function, .. } = before {
        // SAFETY: the reference is no longer used.
        unsafe { ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, function) };
    }
    NOTHING
}

/// What a command gives back.
enum Answer {
    Nothing,
    Address(Handle),
    Number(i64),
}

/// `command(name [, text])`: a text, or nothing.
fn command(call: &mut Call) -> NativeResult {
    // Commands that answer with a value of the environment or a statistic do so themselves.
    match call.check_string(1)? {
        b"GETENV" => {
            drop_command(call);
            let answer = info::get_environment(call)?;
            // A key that has no value is told by no value, unlike `skynet.getenv`.
            return Ok(if call.kind(-1) == ffi::LUA_TNIL { Outcome::Values(0) } else { answer });
        }
        b"SETENV" => return set_environment(call),
        b"STAT" => {
            drop_command(call);
            return info::stat(call);
        }
        b"NAME" => return name_command(call),
        _ => {}
    }
    match run(call)? {
        Answer::Nothing => NOTHING,
        Answer::Address(handle) => {
            if let Some([b'.', name @ ..]) = registered(call) {
                call.push_bytes(name);
                return Ok(Outcome::Values(1));
            }
            call.push_text(format_args!(":{:x}", handle.number()));
            Ok(Outcome::Values(1))
        }
        Answer::Number(number) => {
            call.push_text(format_args!("{number}"));
            Ok(Outcome::Values(1))
        }
    }
}

/// `intcommand(name [, text | number])`: a number, or nil.
fn int_command(call: &mut Call) -> NativeResult {
    if call.check_string(1)? == b"STAT" {
        drop_command(call);
        return info::stat(call);
    }
    match run(call)? {
        Answer::Nothing => call.answer_nil(),
        Answer::Address(handle) => call.answer_integer(handle.number().into()),
        Answer::Number(number) => call.answer_integer(number),
    }
}

/// `addresscommand(name [, text])`: a handle as a number, or nil.
fn address_command(call: &mut Call) -> NativeResult {
    match run(call)? {
        Answer::Address(handle) => call.answer_integer(handle.number().into()),
        _ => NOTHING,
    }
}

fn drop_command(call: &mut Call) {
    // SAFETY: the command's name is the first argument.
    unsafe { ffi::lua_remove(call.state(), 1) };
}

/// `SETENV "key value"`.
fn set_environment(call: &mut Call) -> NativeResult {
    let text: *const [u8] = call.check_string(2)?;
    // SAFETY: the text stays on the stack.
    let text = unsafe { &*text };
    if let Some(space) = text.iter().position(|byte| *byte == b' ') {
        call.vm().node.set_environment(&text[..space], &text[space + 1..]);
    }
    NOTHING
}

/// `NAME ".name :handle"`: gives a service a local name; the first registration wins.
fn name_command(call: &mut Call) -> NativeResult {
    let text: *const [u8] = call.check_string(2)?;
    // SAFETY: the text stays on the stack.
    let text = unsafe { &*text };
    let mut words = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (Some(name), Some(handle)) = (words.next(), words.next().and_then(Handle::parse)) else {
        return call.answer_nil();
    };
    let Some(local) = name.strip_prefix(b".") else {
        let name = Lossy(name);
        let text = format!("Can't set global name {name} in C");
        call.vm().log(&text);
        return call.answer_nil();
    };
    if call.vm().node.registry.name(local, handle) {
        let name: *const [u8] = local;
        // SAFETY: part of the text on the stack.
        unsafe { call.push_bytes(&*name) };
        return Ok(Outcome::Values(1));
    }
    call.answer_nil()
}

/// Runs a command that concerns services.
fn run(call: &mut Call) -> Result<Answer, Raise> {
    let name: *const [u8] = call.check_string(1)?;
    // SAFETY: the name stays on the stack.
    match unsafe { &*name } {
        b"TIMEOUT" => {
            let time = i32::try_from(call.check_integer(2)?).unwrap_or(i32::MAX);
            let session = thread::bare_timer(call, time)?;
            Ok(Answer::Number(session.0.into()))
        }
        b"REG" => Ok(register_name(call)),
        b"QUERY" => Ok(match parameter(call) {
            Some(name) if name.first() == Some(&b'.') => {
                found(call.vm().node.registry.find_name(&name[1..]))
            }
            _ => Answer::Nothing,
        }),
        b"LAUNCH" => launch(call),
        b"KILL" => {
            if let Some(handle) = target(call) {
                let vm = call.vm();
                let text = format!("KILL :{:x}", handle.number());
                vm.log(&text);
                vm.node.retire(handle);
            }
            Ok(Answer::Nothing)
        }
        b"EXIT" => {
            let vm = call.vm();
            let handle = vm.handle();
            vm.log("KILL self");
            vm.exiting = true;
            vm.node.retire(handle);
            Ok(Answer::Nothing)
        }
        b"ABORT" => {
            call.vm().node.abort();
            Ok(Answer::Nothing)
        }
        b"MONITOR" => {
            let service = target(call);
            Ok(found(call.vm().node.monitor(service)))
        }
        b"STARTTIME" => {
            let seconds = call.vm().node.clock.start_seconds();
            Ok(Answer::Number(i64::try_from(seconds).unwrap_or(i64::MAX)))
        }
        b"LOGON" => Ok(message_log(call, true)),
        b"LOGOFF" => Ok(message_log(call, false)),
        b"SIGNAL" => {
            signal(call);
            Ok(Answer::Nothing)
        }
        _ => Ok(Answer::Nothing),
    }
}

const fn found(handle: Option<Handle>) -> Answer {
    match handle {
        Some(handle) => Answer::Address(handle),
        None => Answer::Nothing,
    }
}

/// The name that `REG` has just given.
fn registered<'a>(call: &mut Call) -> Option<&'a [u8]> {
    call.string(1).filter(|command| *command == b"REG")?;
    parameter(call)
}

/// The text after the command, on the stack as long as the call.
fn parameter<'a>(call: &mut Call) -> Option<&'a [u8]> {
    let text: *const [u8] = call.string(2)?;
    // SAFETY: the argument stays on the stack for the whole call.
    Some(unsafe { &*text })
}

/// The service that the parameter names: `:hex` or `.name`.
fn target(call: &mut Call) -> Option<Handle> {
    let text = parameter(call)?;
    let word = text.split(|byte| *byte == b' ').next()?;
    match word.first()? {
        b':' => Handle::parse(word),
        b'.' => call.vm().node.registry.find_name(&word[1..]),
        _ => {
            let text = format!("Can't convert {} to handle", Lossy(word));
            call.vm().log(&text);
            None
        }
    }
}

/// `REG [".name"]`: gives this service a local name, or tells its handle.
fn register_name(call: &mut Call) -> Answer {
    let name = parameter(call);
    let vm = call.vm();
    match name {
        None | Some([]) => Answer::Address(vm.handle()),
        Some([b'.', local @ ..]) => {
            let handle = vm.handle();
            if vm.node.registry.name(local, handle) {
                Answer::Address(handle)
            } else {
                Answer::Nothing
            }
        }
        Some(global) => {
            let text = format!("Can't register global name {} in C", Lossy(global));
            vm.log(&text);
            Answer::Nothing
        }
    }
}

/// `LAUNCH "kind arguments"`.
fn launch(call: &mut Call) -> Result<Answer, Raise> {
    let line: *const [u8] = call.check_string(2)?;
    // SAFETY: the line stays on the stack.
    let Ok(line) = std::str::from_utf8(unsafe { &*line }) else {
        return Err(call.argument(2, format_args!("a service's name and arguments must be UTF-8")));
    };
    // The line ends at the first break, as in skynet; a name of a service cannot hold one.
    let line = line.trim_start().split(['\r', '\n']).next().unwrap_or_default();
    let (kind, arguments) = line.split_once(' ').unwrap_or((line, ""));
    let vm = call.vm();
    Ok(match vm.node.launch(kind, arguments.trim_start()) {
        Ok(service) => Answer::Address(service.handle),
        Err(_) => Answer::Nothing,
    })
}

fn message_log(call: &mut Call, on: bool) -> Answer {
    let Some(handle) = target(call) else { return Answer::Nothing };
    let vm = call.vm();
    let Some(service) = vm.node.registry.find(handle) else { return Answer::Nothing };
    vm.node.log_messages(&service, on);
    Answer::Nothing
}

/// `SIGNAL ":hex number"`: 0 interrupts the service's running code, 1 logs its memory.
fn signal(call: &mut Call) {
    let Some(handle) = target(call) else { return };
    let text = parameter(call).unwrap_or_default();
    let number = text.split(|byte| *byte == b' ').nth(1).unwrap_or(b"0");
    let number: i32 =
        std::str::from_utf8(number).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let vm = call.vm();
    let Some(service) = vm.node.registry.find(handle) else { return };
    vm.node.log(Some(handle), &format!("recv a signal {number}"));
    match number {
        0 => vm.node.interrupt(&service, Interrupt::Signal),
        1 => {
            let bytes = service.stats.memory.load(std::sync::atomic::Ordering::Relaxed);
            let kilobytes = bytes as f64 / 1024.0;
            vm.node.log(Some(handle), &format!("Current Memory {kilobytes:.3}K"));
        }
        _ => {}
    }
}
