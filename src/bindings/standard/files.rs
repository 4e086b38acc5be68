//! `io`: files under the rules `read` and `write`, processes under `process`.
//!
//! Standard input is refused where reading it could make a worker wait: all services of a worker
//! would wait with it. A console reads it on a thread of its own (`skynet.socket.stdin`, the
//! service `console`).

use std::ffi::c_int;
use std::ptr;

use mlua::ffi;

use super::{
    Replacement, Stock, call_stock, check_readable, check_writable, refuse, refuse_because, replace,
};
use crate::native;
use crate::vm::native::{Call, Lossy, NativeResult, Outcome, Raise};

/// Where `io.tmpfile` and `os.tmpname` create their files; glibc's `P_tmpdir`.
const TEMPORARY: &std::ffi::CStr = c"/tmp";

/// Name of the metatable of file handles.
const HANDLE: &std::ffi::CStr = c"FILE*";

/// The part of the process's file descriptors that scripts cannot fill with open files: it is
/// left for sockets and for the node itself.
const RESERVED_DESCRIPTORS: libc::rlim_t = 8;

const IO: &[Replacement] = &[
    (c"input", Some(Stock::Input), native!(input)),
    (c"lines", Some(Stock::Lines), native!(lines)),
    (c"open", Some(Stock::Open), native!(open)),
    (c"output", Some(Stock::Output), native!(output)),
    (c"popen", Some(Stock::Popen), native!(popen)),
    (c"read", Some(Stock::Read), native!(read)),
    (c"tmpfile", Some(Stock::TemporaryFile), native!(temporary_file)),
];

const METHODS: &[Replacement] = &[
    (c"lines", Some(Stock::FileLines), native!(file_lines)),
    (c"read", Some(Stock::FileRead), native!(file_read)),
];

unsafe extern "C" {
    /// The C library's standard input.
    #[cfg_attr(target_os = "macos", link_name = "__stdinp")]
    static stdin: *mut libc::FILE;
}

/// Lua's file handle (`luaL_Stream`).
#[repr(C)]
struct Stream {
    file: *mut libc::FILE,
    /// Null when the handle is closed.
    close: Option<ffi::lua_CFunction>,
}

/// # Safety
/// As for `standard::install`, with the library's table on top of the stack, which is popped.
pub(super) unsafe fn install(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        replace(state, IO);
        ffi::luaL_getmetatable(state, HANDLE.as_ptr());
        replace(state, METHODS);
    }
}

/// `io.open(name [, mode])`.
fn open(call: &mut Call) -> NativeResult {
    call.check_string(1)?;
    let mode = if call.is_none_or_nil(2) { b"r" } else { call.check_string(2)? };
    let update = mode.contains(&b'+');
    let (reads, writes) = match mode.first() {
        Some(b'r') => (true, update),
        Some(b'w' | b'a') => (update, true),
        // Lua's own function refuses it.
        _ => (false, false),
    };
    if reads {
        check_readable(call, 1)?;
    }
    if writes {
        check_writable(call, 1)?;
    }
    let outcome = call_stock(call, Stock::Open)?;
    keep_reserve(call, outcome)
}

/// Closes the file just opened again when few descriptors are left, as the system would refuse
/// it when none were.
fn keep_reserve(call: &mut Call, outcome: Outcome) -> NativeResult {
    // SAFETY: a userdata that Lua's own function has just made is an open file handle; its
    // stream is closed once, since the handle is marked as closed.
    unsafe {
        if call.kind(-1) != ffi::LUA_TUSERDATA {
            return Ok(outcome);
        }
        let stream = &mut *ffi::lua_touserdata(call.state(), -1).cast::<Stream>();
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        let most = limit.rlim_cur - limit.rlim_cur / RESERVED_DESCRIPTORS;
        let descriptor = libc::fileno(stream.file);
        if libc::rlim_t::try_from(descriptor).is_ok_and(|descriptor| descriptor < most) {
            return Ok(outcome);
        }
        stream.close = None;
        libc::fclose(stream.file);
    }
    call.push_nil();
    let name: *const [u8] = call.string(1).unwrap_or_default();
    // SAFETY: the name stays on the stack.
    let name = Lossy(unsafe { &*name });
    call.push_text(format_args!("{name}: Too many open files"));
    call.push_integer(libc::EMFILE.into());
    Ok(Outcome::Values(3))
}

/// `io.lines([name, ...])`.
fn lines(call: &mut Call) -> NativeResult {
    if call.is_none_or_nil(1) {
        refuse_waiting_default(call)?;
    } else {
        check_readable(call, 1)?;
    }
    call_stock(call, Stock::Lines)
}

/// `io.input([file | name])`.
fn input(call: &mut Call) -> NativeResult {
    if names_a_file(call) {
        check_readable(call, 1)?;
    }
    call_stock(call, Stock::Input)
}

/// `io.output([file | name])`.
fn output(call: &mut Call) -> NativeResult {
    if names_a_file(call) {
        check_writable(call, 1)?;
    }
    call_stock(call, Stock::Output)
}

/// Lua takes a number for a name as well.
fn names_a_file(call: &Call) -> bool {
    matches!(call.kind(1), ffi::LUA_TSTRING | ffi::LUA_TNUMBER)
}

/// `io.read(...)`: from the default input.
fn read(call: &mut Call) -> NativeResult {
    refuse_waiting_default(call)?;
    call_stock(call, Stock::Read)
}

/// `file:read(...)`.
fn file_read(call: &mut Call) -> NativeResult {
    refuse_waiting_handle(call, 1)?;
    call_stock(call, Stock::FileRead)
}

/// `file:lines(...)`.
fn file_lines(call: &mut Call) -> NativeResult {
    refuse_waiting_handle(call, 1)?;
    call_stock(call, Stock::FileLines)
}

fn refuse_waiting_default(call: &mut Call) -> Result<(), Raise> {
    // SAFETY: a native has free slots; the key exists, so nothing is allocated for it.
    unsafe { ffi::lua_getfield(call.state(), ffi::LUA_REGISTRYINDEX, c"_IO_input".as_ptr()) };
    let checked = refuse_waiting_handle(call, -1);
    // SAFETY: the handle is on top.
    unsafe { ffi::lua_pop(call.state(), 1) };
    checked
}

fn refuse_waiting_handle(call: &mut Call, index: c_int) -> Result<(), Raise> {
    // SAFETY: `luaL_testudata` gives a file handle or null; the stream behind it is compared only.
    let is_standard_input = unsafe {
        let name = HANDLE.as_ptr();
        let stream = ffi::luaL_testudata(call.state(), index, name).cast::<Stream>();
        !stream.is_null() && ptr::eq((*stream).file, stdin)
    };
    if is_standard_input { refuse_waiting_for_input(call) } else { Ok(()) }
}

/// Refuses to read standard input unless it is a file, which has an end.
pub(super) fn refuse_waiting_for_input(call: &mut Call) -> Result<(), Raise> {
    // SAFETY: an all-zero `stat` is valid; the call fills it or fails.
    let (found, kind) = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        (libc::fstat(libc::STDIN_FILENO, &raw mut stat) == 0, stat.st_mode & libc::S_IFMT)
    };
    if !found || kind == libc::S_IFREG || !may_wait() {
        return Ok(());
    }
    Err(refuse_because(
        call,
        format_args!("read standard input"),
        format_args!(
            "the node would wait for it; the service console and skynet.socket.stdin do not"
        ),
    ))
}

/// True unless standard input has bytes, or its end, at hand for ever: `/dev/null`.
fn may_wait() -> bool {
    // SAFETY: all-zero is a valid `stat`; both calls fill it or fail.
    unsafe {
        let mut input: libc::stat = std::mem::zeroed();
        let mut null: libc::stat = std::mem::zeroed();
        let known = libc::fstat(libc::STDIN_FILENO, &raw mut input) == 0
            && libc::stat(c"/dev/null".as_ptr(), &raw mut null) == 0;
        !known || input.st_rdev != null.st_rdev
    }
}

/// `io.popen(command [, mode])`.
fn popen(call: &mut Call) -> NativeResult {
    call.check_string(1)?;
    if !call.vm().policy.process {
        return Err(refuse(call, format_args!("start processes"), "process"));
    }
    call_stock(call, Stock::Popen)
}

/// `io.tmpfile()`.
fn temporary_file(call: &mut Call) -> NativeResult {
    check_temporary(call)?;
    call_stock(call, Stock::TemporaryFile)
}

/// Checks that the service may write where temporary files are made.
pub(super) fn check_temporary(call: &mut Call) -> Result<(), Raise> {
    // SAFETY: a native has free slots.
    unsafe { ffi::lua_pushstring(call.state(), TEMPORARY.as_ptr()) };
    let top = call.top();
    check_writable(call, top)?;
    // SAFETY: the name is on top.
    unsafe { ffi::lua_pop(call.state(), 1) };
    Ok(())
}
