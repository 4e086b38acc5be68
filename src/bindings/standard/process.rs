//! `os`: what concerns the process and its files.
//!
//! `clock`, `date`, `difftime`, `getenv` and `time` stay Lua's own.

use std::ffi::c_int;

use mlua::ffi;

use super::files::check_temporary;
use super::{Replacement, Stock, call_stock, check_writable, refuse, refuse_because, replace};
use crate::native;
use crate::vm::native::{Call, NativeResult};

const OS: &[Replacement] = &[
    (c"execute", Some(Stock::Execute), native!(execute)),
    (c"exit", None, native!(exit)),
    (c"remove", Some(Stock::Remove), native!(remove)),
    (c"rename", Some(Stock::Rename), native!(rename)),
    (c"setlocale", Some(Stock::SetLocale), native!(set_locale)),
    (c"tmpname", Some(Stock::TemporaryName), native!(temporary_name)),
];

/// # Safety
/// As for `standard::install`, with the library's table on top of the stack, which is popped.
pub(super) unsafe fn install(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        replace(state, OS);
    }
}

/// `os.execute([command])`. Without a command: whether there is a shell for the service.
fn execute(call: &mut Call) -> NativeResult {
    if call.vm().policy.process {
        return call_stock(call, Stock::Execute);
    }
    if call.is_none_or_nil(1) {
        return call.answer_boolean(false);
    }
    Err(refuse(call, format_args!("start processes"), "process"))
}

/// `os.exit([code])`: ends the node at once. Its second argument, which would close the state
/// under the running function, is ignored.
fn exit(call: &mut Call) -> NativeResult {
    if !call.vm().policy.exit {
        let why =
            format_args!("to allow it: exit in sandbox.toml; skynet.abort ends the node in order");
        return Err(refuse_because(call, format_args!("end the node"), why));
    }
    let code = match call.kind(1) {
        ffi::LUA_TNONE | ffi::LUA_TNIL => libc::EXIT_SUCCESS,
        ffi::LUA_TBOOLEAN if call.boolean(1) => libc::EXIT_SUCCESS,
        ffi::LUA_TBOOLEAN => libc::EXIT_FAILURE,
        #[allow(clippy::cast_possible_truncation, reason = "as C takes it")]
        _ => call.check_integer(1)? as c_int,
    };
    // SAFETY: flushes the C library's streams and ends the process, as Lua's own function does.
    unsafe { libc::exit(code) }
}

/// `os.remove(name)`.
fn remove(call: &mut Call) -> NativeResult {
    check_writable(call, 1)?;
    call_stock(call, Stock::Remove)
}

/// `os.rename(from, to)`.
fn rename(call: &mut Call) -> NativeResult {
    check_writable(call, 1)?;
    check_writable(call, 2)?;
    call_stock(call, Stock::Rename)
}

/// `os.tmpname()`: creates the file.
fn temporary_name(call: &mut Call) -> NativeResult {
    check_temporary(call)?;
    call_stock(call, Stock::TemporaryName)
}

/// `os.setlocale([locale [, category]])`: the locale belongs to the whole process, which stays in
/// the one it has.
fn set_locale(call: &mut Call) -> NativeResult {
    let asks = call.is_none_or_nil(1);
    if !asks && !matches!(call.check_string(1)?, b"C" | b"POSIX") {
        let why = format_args!("it is the whole node's; it stays \"C\"");
        return Err(refuse_because(call, format_args!("change the locale"), why));
    }
    call_stock(call, Stock::SetLocale)
}
