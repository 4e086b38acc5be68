//! `skynet.internal`: what our own Lua files need beside skynet's interface. Not for scripts.

use std::ffi::OsStr;
use std::io::BufRead;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use mlua::ffi;

use crate::kernel::{Handle, Kind, Message, Payload, Session};
use crate::natives;
use crate::vm::loader;
use crate::vm::native::{Call, Entry, Lossy, NOTHING, NativeResult, Outcome, register};
use crate::vm::session::NO_REFERENCE;

const FUNCTIONS: &[Entry] = natives![
    c"dump_function" => dump_function,
    c"file_stamp" => file_stamp,
    c"global_name" => global_name,
    c"info_func" => info_function,
    c"load_function" => load_function,
    c"read_stdin" => read_stdin,
    c"service_exists" => service_exists,
    c"start_failed" => start_failed,
    c"traceback" => traceback,
    c"upvalue_name" => upvalue_name,
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

/// `file_stamp(path)`: a text that changes with the file, or nil when there is none.
fn file_stamp(call: &mut Call) -> NativeResult {
    let path: *const [u8] = call.check_string(1)?;
    // SAFETY: the path stays on the stack.
    let found = std::fs::metadata(OsStr::from_bytes(unsafe { &*path }));
    let Ok(found) = found else { return call.answer_nil() };
    let (seconds, nanoseconds) = (found.mtime(), found.mtime_nsec());
    let (size, inode) = (found.len(), found.ino());
    call.push_text(format_args!("{seconds}.{nanoseconds} {size} {inode}"));
    Ok(Outcome::Values(1))
}

/// Bytes of a signature in front of dumped code.
const SIGNATURE: usize = 8;

/// `dump_function(f)`: the code of a Lua function, signed for `load_function` of this node.
fn dump_function(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TFUNCTION)?;
    // SAFETY: the function is at index 1 and on top.
    unsafe { ffi::lua_settop(call.state(), 1) };
    if !loader::dump_signed(call) {
        return Err(call.error(format_args!("unable to dump given function")));
    }
    Ok(Outcome::Values(1))
}

/// `load_function(code, name)`: the function of what `dump_function` has made in some service of
/// this node. Other bytecode is refused, whatever the policy says of it.
fn load_function(call: &mut Call) -> NativeResult {
    let signed: *const [u8] = call.check_string(1)?;
    let name: *const [u8] = call.check_string(2)?;
    // SAFETY: both stay on the stack.
    let (signed, name) = unsafe { (&*signed, &*name) };
    let genuine = signed
        .split_at_checked(SIGNATURE)
        .filter(|(signature, code)| *signature == call.vm().shared.cache.sign(code));
    let Some((_, code)) = genuine else {
        return Err(call.error(format_args!("'{}' is no function of this node", Lossy(name))));
    };
    // SAFETY: `luaL_loadbufferx` is protected, and a Lua string ends with a zero.
    let status = unsafe {
        ffi::luaL_loadbufferx(
            call.state(),
            code.as_ptr().cast(),
            code.len(),
            name.as_ptr().cast(),
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

/// `traceback(text [, level])`: as `debug.traceback`, which the policy may take away.
fn traceback(call: &mut Call) -> NativeResult {
    let state = call.state();
    if call.kind(1) != ffi::LUA_TSTRING && !call.is_none_or_nil(1) {
        // SAFETY: the value is returned as it is.
        unsafe { ffi::lua_settop(state, 1) };
        return Ok(Outcome::Values(1));
    }
    let level = call.integer(2).and_then(|level| i32::try_from(level).ok()).unwrap_or(1);
    // SAFETY: the text is at index 1 or absent; may raise, nothing here has a destructor.
    unsafe {
        let text = ffi::lua_tolstring(state, 1, std::ptr::null_mut());
        ffi::luaL_traceback(state, state, text, level);
    }
    Ok(Outcome::Values(1))
}

/// `upvalue_name(f, index)`: the name of an upvalue of a Lua function, or nil.
fn upvalue_name(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TFUNCTION)?;
    let index = call.check_integer(2)?;
    let state = call.state();
    // SAFETY: a native has free slots; the name is pushed before its function can go.
    unsafe {
        let index = i32::try_from(index).unwrap_or(0);
        if ffi::lua_iscfunction(state, 1) != 0 {
            return call.answer_nil();
        }
        let name = ffi::lua_getupvalue(state, 1, index);
        if name.is_null() {
            return call.answer_nil();
        }
        ffi::lua_pushstring(state, name);
    }
    Ok(Outcome::Values(1))
}

/// `read_stdin()`: from now on each line of standard input arrives as a text message.
fn read_stdin(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    if !vm.service.name.starts_with("snlua console") {
        // Each call starts a thread that nobody can end.
        return Err(call.error(format_args!("only the service console reads standard input")));
    }
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
