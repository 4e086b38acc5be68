//! `package`: where modules come from.
//!
//! Order: `package.preload`; what is built into the binary; Lua files on `package.path` through
//! the code cache; C modules on `package.cpath`, if the sandbox lets them. So a foreign
//! `skynet/lualib` on the path never takes the place of our own modules.
//! The short names of before skynet 1.2 are an exception: a project may well have a `profile` or a
//! `memory` of its own, which then is the one that is meant.

use std::ffi::c_int;

use mlua::ffi;

use crate::natives;
use crate::vm::native::{Call, Entry, Lossy, NativeResult, Outcome, Raise};
use crate::vm::{loader, project};

const SEARCHERS: &[Entry] = natives![
    c"builtin" => search_builtin,
    c"path" => search_path,
];

/// Puts our searchers in place and the configuration's paths.
///
/// # Safety
/// Runs protected in a fresh state whose standard library is open.
pub(super) unsafe fn install(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise; the shared part lives as long as the VM.
    unsafe {
        let vm = crate::vm::Vm::of(state).as_ref();
        let paths = &vm.shared.paths;
        let native = vm.policy.native_modules.allowed(paths.names_lua_cpath);
        ffi::lua_getglobal(state, c"package".as_ptr());
        for (field, path) in [(c"path", &paths.lua_path), (c"cpath", &paths.lua_cpath)] {
            ffi::lua_pushlstring(state, path.as_ptr().cast(), path.len());
            ffi::lua_setfield(state, -2, field.as_ptr());
        }
        ffi::lua_getfield(state, -1, c"searchers".as_ptr());
        // package, searchers: 1 preload, 2 Lua, 3 C, 4 C root
        ffi::lua_rawgeti(state, -1, 3);
        ffi::lua_rawgeti(state, -2, 4);
        for (slot, (_, searcher)) in (2..).zip(SEARCHERS) {
            ffi::lua_pushcfunction(state, *searcher);
            ffi::lua_rawseti(state, -4, slot);
        }
        for slot in [5, 4] {
            // The C searchers become upvalues of ours.
            if native {
                ffi::lua_pushcclosure(state, crate::native!(search_c), 1);
            } else {
                ffi::lua_settop(state, -2);
                ffi::lua_pushcfunction(state, crate::native!(refuse_c));
            }
            ffi::lua_rawseti(state, -3 + c_int::from(slot == 4), slot);
        }
        ffi::lua_settop(state, 0);
        if !native {
            ffi::lua_getglobal(state, c"package".as_ptr());
            ffi::lua_pushcfunction(state, crate::native!(refuse_loadlib));
            ffi::lua_setfield(state, -2, c"loadlib".as_ptr());
            ffi::lua_settop(state, 0);
        }
    }
}

/// Finds what is built in.
fn search_builtin(call: &mut Call) -> NativeResult {
    let name: *const [u8] = call.check_string(1)?;
    // SAFETY: the name stays on the stack.
    let name = unsafe { &*name };
    let library = call.vm().shared.library;
    if let Some(open) = library.native(name) {
        // SAFETY: a native has free slots.
        unsafe { ffi::lua_pushcfunction(call.state(), open) };
        return Ok(Outcome::Values(1));
    }
    if let Some(embedded) = library.module(name) {
        if project_has(call, name) {
            call.push_text(format_args!("\n\tthe project has a module of this name"));
            return Ok(Outcome::Values(1));
        }
        loader::load_embedded(call, embedded)?;
        return Ok(Outcome::Values(1));
    }
    let name = Lossy(name);
    call.push_text(format_args!("\n\tno built-in module '{name}'"));
    Ok(Outcome::Values(1))
}

/// True when a module means the project's own file on `package.path`.
fn project_has(call: &mut Call, name: &[u8]) -> bool {
    let state = call.state();
    // SAFETY: a native has free slots; the path is read while it stands on the stack.
    unsafe {
        ffi::lua_getglobal(state, c"package".as_ptr());
        if ffi::lua_type(state, -1) != ffi::LUA_TTABLE {
            ffi::lua_settop(state, -2);
            return false;
        }
        ffi::lua_getfield(state, -1, c"path".as_ptr());
        let own = project::has_module(call.string(-1).unwrap_or_default(), name);
        ffi::lua_settop(state, -3);
        own
    }
}

/// Finds a Lua file on `package.path`, as Lua's own searcher does, and loads it through the cache.
fn search_path(call: &mut Call) -> NativeResult {
    call.check_string(1)?;
    let state = call.state();
    // SAFETY: `searchpath` may raise; nothing here has a destructor.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_getglobal(state, c"package".as_ptr());
        ffi::lua_getfield(state, 2, c"searchpath".as_ptr());
        ffi::lua_pushvalue(state, 1);
        ffi::lua_getfield(state, 2, c"path".as_ptr());
        if ffi::lua_type(state, -1) != ffi::LUA_TSTRING {
            return Err(call.error(format_args!("'package.path' must be a string")));
        }
        ffi::lua_callk(state, 2, 2, 0, None);
        if ffi::lua_type(state, -2) == ffi::LUA_TNIL {
            return Ok(Outcome::Values(1));
        }
        ffi::lua_settop(state, -2);
    }
    let file = call.top();
    super::standard::check_readable(call, file)?;
    // SAFETY: the file name is on top.
    let status = unsafe { loader::load_file(call, file) };
    if status == ffi::LUA_OK {
        // SAFETY: the loader also gets the file name.
        unsafe { ffi::lua_pushvalue(state, file) };
        return Ok(Outcome::Values(2));
    }
    let text: *const [u8] = call.string(-1).unwrap_or_default();
    let name: *const [u8] = call.string(1).unwrap_or_default();
    let path: *const [u8] = call.string(file).unwrap_or_default();
    // SAFETY: all three stay on the stack.
    let (text, name, path) = unsafe { (Lossy(&*text), Lossy(&*name), Lossy(&*path)) };
    Err(call.error(format_args!("error loading module '{name}' from file '{path}':\n\t{text}")))
}

/// One of Lua's searchers for C modules.
fn search_c(call: &mut Call) -> NativeResult {
    let state = call.state();
    // SAFETY: the searcher is the upvalue; it may raise, nothing here has a destructor.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
        ffi::lua_insert(state, 1);
        ffi::lua_callk(state, 1, ffi::LUA_MULTRET, 0, None);
    }
    if call.kind(1) == ffi::LUA_TFUNCTION {
        // Blocks that the module makes are unknown to us.
        call.vm().trusts_pointers = true;
    }
    Ok(Outcome::Values(call.top()))
}

/// Says why no C module is looked for.
fn refuse_c(call: &mut Call) -> NativeResult {
    call.push_text(format_args!(
        "\n\tno native module (the config names no lua_cpath; sandbox.toml: native_modules)"
    ));
    Ok(Outcome::Values(1))
}

fn refuse_loadlib(call: &mut Call) -> NativeResult {
    let service = call.vm().service.name.clone();
    let raise: Raise = call.error(format_args!(
        "sandbox: {service} may not load native modules (to allow it: lua_cpath in the config, or native_modules = true in sandbox.toml)"
    ));
    drop(service);
    Err(raise)
}
