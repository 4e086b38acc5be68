//! `print`: Lua's own, but each line in one piece, since all services share standard output.

use mlua::ffi;

use super::{Replacement, replace};
use crate::native;
use crate::vm::native::{Call, NOTHING, NativeResult};

const REPLACEMENTS: &[Replacement] = &[(c"print", None, native!(print))];

unsafe extern "C" {
    /// The C library's standard output. `io.write` uses its buffer, so `print` has to as well.
    #[cfg_attr(target_os = "macos", link_name = "__stdoutp")]
    static stdout: *mut libc::FILE;
}

/// # Safety
/// As for `standard::install`.
pub(super) unsafe fn install(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_GLOBALS);
        replace(state, REPLACEMENTS);
    }
}

/// `print(...)`: the arguments as the global `tostring` gives them, with tabs between.
fn print(call: &mut Call) -> NativeResult {
    let state = call.state();
    let count = call.top();
    call.reserve(4)?;
    for index in 1..=count {
        // SAFETY: room is reserved; `tostring` may raise, nothing here has a destructor.
        unsafe {
            ffi::lua_getglobal(state, c"tostring".as_ptr());
            ffi::lua_pushvalue(state, index);
            ffi::lua_callk(state, 1, 1, 0, None);
            ffi::lua_replace(state, index);
        }
        if call.kind(index) == ffi::LUA_TNUMBER {
            call.check_string(index)?;
        }
        if call.kind(index) != ffi::LUA_TSTRING {
            return Err(call.error(format_args!("'tostring' must return a string to 'print'")));
        }
    }
    let start = call.vm().scratch.len();
    for index in 1..=count {
        let text: *const [u8] = call.string(index).unwrap_or_default();
        let scratch = &mut call.vm().scratch;
        if index > 1 {
            scratch.push(b'\t');
        }
        // SAFETY: the text stays on the stack.
        scratch.extend_from_slice(unsafe { &*text });
    }
    let scratch = &mut call.vm().scratch;
    scratch.push(b'\n');
    write(&scratch[start..]);
    scratch.truncate(start);
    NOTHING
}

/// Writes a text in one piece.
pub(in crate::bindings) fn write(text: &[u8]) {
    // SAFETY: the stream is open for the whole life of the process; the C library locks it for
    // each call. Output that fails has nowhere to complain to, as in Lua's own function.
    unsafe {
        libc::fwrite(text.as_ptr().cast(), 1, text.len(), stdout);
        libc::fflush(stdout);
    }
}
