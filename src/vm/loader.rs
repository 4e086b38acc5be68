//! Loading scripts: a service's main script, modules, the preload file.
//!
//! Invariant: bytes being loaded are held by the VM (`Vm::loading`), so an error raised by the
//! compiler or by a memory limit loses nothing. What is built into the binary wins over files of
//! the same name.

use std::ffi::c_int;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use mlua::ffi;

use super::cache::{self, Chunk, Source, Ticket};
use super::native::{Call, NOTHING, NativeResult, Raise};
use super::resume::add_traceback;
use super::state::Embedded;
use super::{VmPointer, interrupt, project};
use crate::native;

/// Bytes on their way into `lua_load`.
pub(crate) enum Loading {
    /// A compiled chunk of the cache.
    Compiled(Arc<Chunk>),
    /// Text from a file, with permission to store the result.
    Text(Vec<u8>, Ticket),
    /// Arguments of the service being started.
    Boot(Box<str>),
    /// A code dump on its way into the cache.
    Dump(Vec<u8>),
}

/// Runs the main script of a service. `arguments` are the script's name and its arguments.
///
/// # Errors
/// The error with its traceback.
///
/// # Safety
/// Called in the service's turn.
pub(super) unsafe fn boot(pointer: VmPointer, arguments: &str) -> Result<(), String> {
    // SAFETY: the caller's promise; no borrow is kept across Lua.
    unsafe {
        let state = pointer.get().state;
        pointer.get().loading = Some(Loading::Boot(arguments.into()));
        // Nothing of what is loaded is garbage yet.
        ffi::lua_gc(state, ffi::LUA_GCSTOP, 0);
        let previous = interrupt::set_active(state);
        ffi::lua_pushcfunction(state, add_traceback);
        ffi::lua_pushcfunction(state, native!(run_main));
        let status = ffi::lua_pcall(state, 0, 0, -2);
        interrupt::set_active(previous);
        let failure = (status != ffi::LUA_OK).then(|| pointer.take_error());
        ffi::lua_settop(state, 0);
        pointer.get().interrupted = false;
        // What the main chunk forked runs behind the first message, as in skynet.
        ffi::lua_gc(state, ffi::LUA_GCRESTART, 0);
        pointer.get().loading = None;
        failure.map_or(Ok(()), Err)
    }
}

/// The whole of starting a service, in one protected call.
fn run_main(call: &mut Call) -> NativeResult {
    let state = call.state();
    let mut words = 0;
    // The words go to the Lua stack first; everything after works from there.
    while let Some(word) = boot_word(call, words) {
        // SAFETY: a slot is reserved; the word is owned by the VM and copied.
        unsafe {
            if ffi::lua_checkstack(state, 8) == 0 {
                return Err(call.error(format_args!("too many arguments")));
            }
            ffi::lua_pushlstring(state, word.0.cast(), word.1);
        }
        words += 1;
    }
    if words == 0 {
        return Err(call.error(format_args!("no service name given")));
    }
    call.vm().loading = None;
    // SAFETY: runs protected; nothing here has a destructor.
    unsafe {
        ffi::lua_pushvalue(state, 1);
        ffi::lua_setglobal(state, c"SERVICE_NAME".as_ptr());
        if call.vm().shared.paths.compat51 {
            ffi::lua_getglobal(state, c"require".as_ptr());
            ffi::lua_pushstring(state, c"skynet.internal.compat51".as_ptr());
            ffi::lua_callk(state, 1, 0, 0, None);
        }
        load_service(call)?;
        // words..., main
        let preload = call.vm().shared.paths.preload.is_some();
        if preload {
            load_preload(call)?;
            for index in 1..=words {
                ffi::lua_pushvalue(state, index);
            }
            ffi::lua_callk(state, words, 0, 0, None);
        }
        for index in 2..=words {
            ffi::lua_pushvalue(state, index);
        }
        ffi::lua_callk(state, words - 1, 0, 0, None);
    }
    NOTHING
}

/// The `index`-th word of the boot arguments, as a pointer into memory of the VM.
fn boot_word(call: &mut Call, index: c_int) -> Option<(*const u8, usize)> {
    match &call.vm().loading {
        Some(Loading::Boot(text)) => {
            let word = text.split_whitespace().nth(usize::try_from(index).ok()?)?;
            Some((word.as_ptr(), word.len()))
        }
        _ => None,
    }
}

/// Pushes the main function of the service whose name is at stack index 1.
fn load_service(call: &mut Call) -> Result<(), Raise> {
    let name: *const [u8] = call.string(1).unwrap_or_default();
    // SAFETY: the name stays on the stack.
    let name = unsafe { &*name };
    let library = call.vm().shared.library;
    if let Some(embedded) = library.service(name)
        && !project::has_service(&call.vm().shared.paths.luaservice, name)
    {
        return load_embedded(call, embedded);
    }
    if call.vm().shared.paths.loader.is_some() {
        return load_custom_loader(call);
    }
    let state = call.state();
    let patterns = call.vm().shared.paths.luaservice.len();
    let mut from = 0;
    let mut failures = 0;
    while from < patterns {
        let vm = call.vm();
        let path = &vm.shared.paths.luaservice;
        let end =
            path[from..].iter().position(|byte| *byte == b';').map_or(path.len(), |at| from + at);
        let pattern: *const [u8] = &raw const path[from..end];
        from = end + 1;
        // SAFETY: the paths are never changed and live as long as the node.
        let pattern = unsafe { &*pattern };
        if pattern.is_empty() {
            continue;
        }
        push_substituted(call, pattern, name);
        // SAFETY: the file name is on top of the stack.
        unsafe {
            let status = load_file(call, -1);
            if status == ffi::LUA_OK {
                // file name, function
                set_service_path(call, pattern, name);
                ffi::lua_remove(state, -2);
                return Ok(());
            }
            ffi::lua_remove(state, -2);
            ffi::lua_pushstring(state, c"\n".as_ptr());
            failures += 2;
            call.reserve(8)?;
        }
    }
    // SAFETY: the failures are on top of the stack.
    unsafe {
        if failures == 0 {
            ffi::lua_pushstring(state, c"luaservice is empty".as_ptr());
            failures = 1;
        } else {
            // No line end behind the last.
            ffi::lua_pop(state, 1);
            failures -= 1;
        }
        ffi::lua_concat(state, failures);
    }
    Err(Raise::Top)
}

/// Runs the project's own loader in place of ours: its function becomes the main function and
/// gets all the words.
fn load_custom_loader(call: &mut Call) -> Result<(), Raise> {
    let path: *const [u8] = match &call.vm().shared.paths.loader {
        Some(path) => path.as_slice(),
        None => return Ok(()),
    };
    let state = call.state();
    // SAFETY: the paths live as long as the node; runs protected.
    unsafe {
        call.push_bytes(&*path);
        if load_file(call, -1) != ffi::LUA_OK {
            return Err(Raise::Top);
        }
        ffi::lua_remove(state, -2);
        set_loader_globals(call);
        // The loader takes the whole line and runs the script itself.
        let words = ffi::lua_gettop(state) - 1;
        for index in 1..=words {
            ffi::lua_pushvalue(state, index);
            if index < words {
                ffi::lua_pushstring(state, c" ".as_ptr());
            }
        }
        ffi::lua_concat(state, 2 * words - 1);
        ffi::lua_callk(state, 1, 0, 0, None);
        ffi::lua_pushcfunction(state, native!(nothing));
    }
    Ok(())
}

/// The globals in which a loader finds the paths of the config.
unsafe fn set_loader_globals(call: &mut Call) {
    let state = call.state();
    let paths = &raw const call.vm().shared.paths;
    // SAFETY: the paths live as long as the node; runs protected.
    unsafe {
        let given = [
            (c"LUA_SERVICE", Some(&(*paths).luaservice)),
            (c"LUA_PATH", Some(&(*paths).lua_path)),
            (c"LUA_CPATH", Some(&(*paths).lua_cpath)),
            (c"LUA_PRELOAD", (*paths).preload.as_ref()),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                ffi::lua_pushlstring(state, value.as_ptr().cast(), value.len());
                ffi::lua_setglobal(state, name.as_ptr());
            }
        }
    }
}

fn nothing(_call: &mut Call) -> NativeResult {
    NOTHING
}

fn load_preload(call: &mut Call) -> Result<(), Raise> {
    let path: *const [u8] = call.vm().shared.paths.preload.as_deref().unwrap_or_default();
    // SAFETY: the paths live as long as the node; the file name is on top of the stack.
    unsafe {
        call.push_bytes(&*path);
        if load_file(call, -1) != ffi::LUA_OK {
            return Err(Raise::Top);
        }
        ffi::lua_remove(call.state(), -2);
    }
    Ok(())
}

/// Pushes `pattern` with every `?` replaced by `name`.
fn push_substituted(call: &mut Call, pattern: &[u8], name: &[u8]) {
    let vm = call.vm();
    let start = vm.scratch.len();
    for byte in pattern {
        match byte {
            b'?' => vm.scratch.extend_from_slice(name),
            other => vm.scratch.push(*other),
        }
    }
    let text: *const [u8] = &raw const vm.scratch[start..];
    // SAFETY: the scratch buffer belongs to the VM and is not touched by the push.
    unsafe { call.push_bytes(&*text) };
    call.vm().scratch.truncate(start);
}

/// Sets `SERVICE_PATH`, and puts a service's own folder in front of `package.path` when the
/// pattern names one (`service/?/init.lua`).
fn set_service_path(call: &mut Call, pattern: &[u8], name: &[u8]) {
    let state = call.state();
    let directory_end = pattern.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let directory = &pattern[..directory_end];
    if directory.contains(&b'?') {
        push_substituted(call, directory, name);
        // SAFETY: runs protected; the folder is on top of the stack.
        unsafe {
            ffi::lua_getglobal(state, c"package".as_ptr());
            // folder, package
            ffi::lua_pushvalue(state, -2);
            ffi::lua_pushstring(state, c"?.lua;".as_ptr());
            ffi::lua_getfield(state, -3, c"path".as_ptr());
            ffi::lua_concat(state, 3);
            ffi::lua_setfield(state, -2, c"path".as_ptr());
            ffi::lua_pop(state, 1);
        }
    } else {
        call.push_bytes(directory);
    }
    // SAFETY: as above.
    unsafe { ffi::lua_setglobal(state, c"SERVICE_PATH".as_ptr()) };
}

/// Pushes the main function of a file inside the binary.
///
/// # Errors
/// When it does not compile, which is a defect.
pub fn load_embedded(call: &mut Call, embedded: Embedded) -> Result<(), Raise> {
    let shared = Arc::as_ptr(&call.vm().shared);
    // SAFETY: the VM holds the shared part for as long as it lives.
    let shared = unsafe { &*shared };
    if let Some(chunk) = shared.cache.embedded(embedded.name) {
        call.vm().loading = Some(Loading::Compiled(chunk));
        return if load_loading(call, embedded.name.as_bytes()) == ffi::LUA_OK {
            Ok(())
        } else {
            Err(Raise::Top)
        };
    }
    let status = load_bytes(call, embedded.text.as_bytes(), embedded.name.as_bytes(), c"t");
    if status != ffi::LUA_OK {
        return Err(Raise::Top);
    }
    dump(call);
    if let Some(Loading::Dump(code)) = call.vm().loading.take() {
        shared.cache.store_embedded(embedded.name, &code);
    }
    Ok(())
}

/// Loads the script whose file name is at `index`; pushes its function, or the error text.
/// Returns Lua's status.
///
/// # Safety
/// A string is at `index`; runs protected.
pub unsafe fn load_file(call: &mut Call, index: c_int) -> c_int {
    let name: *const [u8] = call.string(index).unwrap_or_default();
    // SAFETY: the name stays on the stack.
    let name = unsafe { &*name };
    let path = Path::new(std::ffi::OsStr::from_bytes(name));
    let read = call.vm().shared.cache.read(path);
    match read {
        Ok(Source::Compiled(chunk)) => {
            call.vm().loading = Some(Loading::Compiled(chunk));
        }
        Ok(Source::Text(text, ticket)) => {
            call.vm().loading = Some(Loading::Text(text, ticket));
        }
        Err(error) => {
            push_open_error(call, name, &error);
            return ffi::LUA_ERRRUN;
        }
    }
    load_loading(call, name)
}

fn push_open_error(call: &mut Call, name: &[u8], error: &std::io::Error) {
    // The texts of Rust end in "(os error 2)", those of C do not.
    let why = match error.raw_os_error() {
        // SAFETY: `strerror` gives a C string that stays valid until its next use in this thread.
        Some(code) => unsafe { std::ffi::CStr::from_ptr(libc::strerror(code)) },
        None => c"cannot be read",
    };
    let why: *const std::ffi::CStr = why;
    // SAFETY: see above; nothing else calls `strerror` in between.
    let why = unsafe { &*why };
    let name = super::native::Lossy(name);
    call.push_text(format_args!("cannot open {name}: {}", why.to_string_lossy()));
}

/// Loads what `Vm::loading` holds under the chunk name `@name`, and stores the result of a text.
fn load_loading(call: &mut Call, name: &[u8]) -> c_int {
    let (bytes, is_text): (*const [u8], bool) = match &call.vm().loading {
        Some(Loading::Compiled(chunk)) => (&raw const *chunk.code, false),
        Some(Loading::Text(text, _)) => (cache::strip_prefix(text), true),
        _ => return ffi::LUA_ERRRUN,
    };
    let mode = if is_text { c"t" } else { c"b" };
    // SAFETY: the bytes are held by `Vm::loading` until it is taken below.
    let status = load_bytes(call, unsafe { &*bytes }, name, mode);
    let loading = call.vm().loading.take();
    if let (ffi::LUA_OK, Some(Loading::Text(_, ticket))) = (status, loading)
        && call.vm().shared.cache.is_storing()
    {
        dump(call);
        if let Some(Loading::Dump(code)) = call.vm().loading.take() {
            call.vm().shared.cache.store(ticket, &code);
        }
    }
    status
}

/// Compiles `bytes` under the chunk name `@name`; pushes the function or the error text.
fn load_bytes(call: &mut Call, bytes: &[u8], name: &[u8], mode: &'static std::ffi::CStr) -> c_int {
    let vm = call.vm();
    let start = vm.scratch.len();
    vm.scratch.push(b'@');
    vm.scratch.extend(name.iter().copied().filter(|byte| *byte != 0));
    vm.scratch.push(0);
    let chunk_name = vm.scratch[start..].as_ptr();
    // SAFETY: `luaL_loadbufferx` is protected; the name and the bytes outlive it.
    let status = unsafe {
        ffi::luaL_loadbufferx(
            call.state(),
            bytes.as_ptr().cast(),
            bytes.len(),
            chunk_name.cast(),
            mode.as_ptr(),
        )
    };
    call.vm().scratch.truncate(start);
    status
}

/// Dumps the function on top of the stack into `Vm::loading`.
fn dump(call: &mut Call) {
    call.vm().loading = Some(Loading::Dump(Vec::new()));
    // SAFETY: the writer appends to the VM's own vector and raises nothing.
    unsafe { ffi::lua_dump(call.state(), write_dump, std::ptr::null_mut(), 0) };
}

/// Dumps the Lua function on top of the stack and pushes its code with the node's signature in
/// front; false when it is no Lua function.
pub fn dump_signed(call: &mut Call) -> bool {
    // SAFETY: a function is on top of the stack.
    if unsafe { ffi::lua_iscfunction(call.state(), -1) } != 0 {
        return false;
    }
    dump(call);
    let vm = call.vm();
    let Some(Loading::Dump(code)) = vm.loading.take() else { return false };
    let start = vm.scratch.len();
    vm.scratch.extend_from_slice(&vm.shared.cache.sign(&code));
    vm.scratch.extend_from_slice(&code);
    drop(code);
    let signed: *const [u8] = &raw const vm.scratch[start..];
    // SAFETY: the scratch buffer belongs to the VM; Lua copies the bytes before anything can run.
    unsafe { call.push_bytes(&*signed) };
    call.vm().scratch.truncate(start);
    true
}

unsafe extern "C-unwind" fn write_dump(
    state: *mut ffi::lua_State,
    bytes: *const std::ffi::c_void,
    length: usize,
    _data: *mut std::ffi::c_void,
) -> c_int {
    // SAFETY: called by `lua_dump` in `dump`, with bytes that live during the call.
    unsafe {
        if let Some(Loading::Dump(code)) = &mut super::Vm::of(state).as_mut().loading {
            code.extend_from_slice(std::slice::from_raw_parts(bytes.cast(), length));
        }
    }
    0
}
