//! `skynet.internal`: what our own Lua files need beside skynet's interface. Not for scripts.

use std::ffi::OsStr;
use std::io::BufRead;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use mlua::ffi;

use crate::kernel::{Handle, Kind, Message, Payload, Session};
use crate::natives;
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, register};
use crate::vm::session::NO_REFERENCE;

const FUNCTIONS: &[Entry] = natives![
    c"global_name" => global_name,
    c"info_func" => info_function,
    c"load_function" => load_function,
    c"read_stdin" => read_stdin,
    c"service_exists" => service_exists,
    c"start_failed" => start_failed,
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

/// `global_name(name, handle)`: records the owner of a global name.
fn global_name(call: &mut Call) -> NativeResult {
    let handle = call.check_integer(2)?;
    let Some(handle) = u32::try_from(handle).ok().and_then(Handle::new) else {
        return Err(call.argument(2, format_args!("{handle} is no address")));
    };
    let name: *const [u8] = call.check_string(1)?;
    // SAFETY: the name stays on the stack.
    call.vm().node.set_global_name(unsafe { &*name }, handle);
    NOTHING
}

/// `info_func()`: what `skynet.info_func` was given, or nil.
fn info_function(call: &mut Call) -> NativeResult {
    let reference = call.vm().references.info;
    if reference == NO_REFERENCE {
        return call.answer_nil();
    }
    // SAFETY: a native has free slots.
    unsafe { ffi::lua_rawgeti(call.state(), ffi::LUA_REGISTRYINDEX, reference.into()) };
    Ok(Outcome::Values(1))
}

/// `load_function(code, name)`: the function of a dump made by `string.dump` in this process,
/// which the sandbox does not let scripts load.
fn load_function(call: &mut Call) -> NativeResult {
    let code: *const [u8] = call.check_string(1)?;
    let name: *const [u8] = call.check_string(2)?;
    // SAFETY: both stay on the stack; `luaL_loadbufferx` is protected, and a Lua string ends
    // with a zero.
    let status = unsafe {
        let code = &*code;
        ffi::luaL_loadbufferx(
            call.state(),
            code.as_ptr().cast(),
            code.len(),
            (*name).as_ptr().cast(),
            c"b".as_ptr(),
        )
    };
    if status == ffi::LUA_OK {
        return Ok(Outcome::Values(1));
    }
    call.push_nil();
    // SAFETY: the error text is below.
    unsafe { ffi::lua_insert(call.state(), -2) };
    Ok(Outcome::Values(2))
}

/// `service_exists(name)`: whether a Lua service of that name can be found.
fn service_exists(call: &mut Call) -> NativeResult {
    let name: *const [u8] = call.check_string(1)?;
    let shared = &call.vm().shared;
    // SAFETY: the name stays on the stack.
    let name = unsafe { &*name };
    let exists = shared.library.service(name).is_some()
        || shared.paths.luaservice.split(|byte| *byte == b';').any(|pattern| {
            let mut file = Vec::new();
            for byte in pattern {
                match byte {
                    b'?' => file.extend_from_slice(name),
                    other => file.push(*other),
                }
            }
            Path::new(OsStr::from_bytes(&file)).is_file()
        });
    call.answer_boolean(exists)
}

/// `start_failed()`: the process is to end with a status that says so.
fn start_failed(call: &mut Call) -> NativeResult {
    call.vm().node.note_start_failure();
    NOTHING
}

/// `read_stdin()`: from now on each line of standard input arrives as a text message.
fn read_stdin(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    let node = Arc::clone(&vm.node);
    let handle = vm.handle();
    let started = std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        for line in std::io::stdin().lock().split(b'\n') {
            let Ok(line) = line else { return };
            let message = Message {
                source: Some(handle),
                session: Session::NONE,
                kind: Kind::TEXT,
                payload: Payload::copy_of(&line),
            };
            if node.send_to(handle, message).is_err() {
                return;
            }
        }
    });
    match started {
        Ok(_) => NOTHING,
        Err(error) => {
            let raise = call.error(format_args!("cannot read standard input: {error}"));
            Err(raise)
        }
    }
}
