//! `skynet.require`: the global `require`, whose modules may block while they load, and
//! `skynet.init`.
//!
//! Source: reference 6. A module is loaded by one coroutine at a time; others that want it wait.
//! Searchers, arguments of the chunk, result, and the text for a missing module are those of
//! Lua's own `require`. Invariant: an entry in `Vm::modules` belongs to a chunk that is running or
//! suspended, since the call of the chunk is protected and removes it.

use std::ffi::c_int;

use mlua::ffi;

use super::skynet::thread::{check_yieldable, suspend};
use crate::vm::Wakeup;
use crate::vm::native::{
    Call, Entry, Lossy, NOTHING, NativeResult, Outcome, Raise, Resumed, register,
};
use crate::vm::session::NO_REFERENCE;
use crate::vm::thread::Waiting;
use crate::{continuation, native, natives};

const FUNCTIONS: &[Entry] = natives![
    c"init" => init,
    c"init_all" => init_all,
];

/// One function for the global and the module, so that they compare equal.
const REQUIRE: ffi::lua_CFunction = native!(require);

/// Replaces the global `require`.
///
/// # Safety
/// Runs protected in a fresh state whose standard library is open.
pub(super) unsafe fn install(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_pushcfunction(state, REQUIRE);
        ffi::lua_setglobal(state, c"require".as_ptr());
    }
}

/// Opens `skynet.require`.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::lua_createtable(state, 0, 4);
        register(state, FUNCTIONS);
        ffi::lua_pushcfunction(state, REQUIRE);
        ffi::lua_setfield(state, -2, c"require".as_ptr());
    }
    1
}

/// Pushes `package.loaded`.
fn push_loaded(call: &mut Call) {
    // SAFETY: a native has free slots.
    unsafe { ffi::luaL_getsubtable(call.state(), ffi::LUA_REGISTRYINDEX, c"_LOADED".as_ptr()) };
}

/// The module name at index 1, on the stack as long as the call.
fn name<'a>(call: &mut Call) -> &'a [u8] {
    let name: *const [u8] = call.string(1).unwrap_or_default();
    // SAFETY: index 1 is never replaced in this file's functions.
    unsafe { &*name }
}

/// `require(name)`. **Yields** when the chunk does, and while another coroutine loads it.
fn require(call: &mut Call) -> NativeResult {
    call.check_string(1)?;
    let state = call.state();
    // SAFETY: the stack holds the name alone, then `loaded` and its field.
    unsafe {
        ffi::lua_settop(state, 1);
        push_loaded(call);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_gettable(state, 2);
    }
    if call.boolean(3) {
        return Ok(Outcome::Values(1));
    }
    let name = name(call);
    if call.vm().modules.is_loading(name) {
        return wait_for_other(call, name);
    }
    // SAFETY: back to the name and `loaded`.
    unsafe { ffi::lua_settop(state, 2) };
    find_loader(call)?;
    // name, loaded, ..., loader, extra
    let vm = call.vm();
    let owner = vm.current;
    vm.modules.begin(name, owner);
    // SAFETY: loader and extra move down behind `loaded`, the name goes between them.
    unsafe {
        ffi::lua_replace(state, 4);
        ffi::lua_replace(state, 3);
        ffi::lua_settop(state, 4);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_insert(state, 4);
    }
    Ok(Outcome::ProtectedCall(2, 0, continuation!(chunk_done), 0))
}

/// Finds the loader of the module and what it gets beside the name; leaves both on top.
fn find_loader(call: &mut Call) -> Result<(), Raise> {
    let state = call.state();
    // SAFETY: searchers may raise; nothing here has a destructor. Room is reserved as texts
    // pile up.
    unsafe {
        ffi::lua_getglobal(state, c"package".as_ptr());
        if ffi::lua_istable(state, -1) == 0 {
            push_loaded(call);
            ffi::lua_getfield(state, -1, c"package".as_ptr());
        }
        ffi::lua_getfield(state, -1, c"searchers".as_ptr());
        if ffi::lua_istable(state, -1) == 0 {
            return Err(call.error(format_args!("'package.searchers' must be a table")));
        }
        let searchers = call.top();
        let mut texts = 0;
        for position in 1.. {
            call.reserve(12)?;
            ffi::lua_rawgeti(state, searchers, position);
            if ffi::lua_type(state, -1) == ffi::LUA_TNIL {
                ffi::lua_pop(state, 1);
                ffi::lua_concat(state, texts);
                let text: *const [u8] = call.string(-1).unwrap_or_default();
                let (name, text) = (Lossy(name(call)), Lossy(&*text));
                return Err(call.error(format_args!("module '{name}' not found:{text}")));
            }
            ffi::lua_pushvalue(state, 1);
            ffi::lua_callk(state, 1, 2, 0, None);
            match call.kind(-2) {
                ffi::LUA_TFUNCTION => return Ok(()),
                ffi::LUA_TSTRING => {
                    ffi::lua_pop(state, 1);
                    texts += 1;
                }
                _ => ffi::lua_pop(state, 2),
            }
        }
    }
    Ok(())
}

/// The chunk has returned or failed. Below its results: name, `loaded`.
fn chunk_done(call: &mut Call, resumed: Resumed) -> NativeResult {
    let state = call.state();
    let name = name(call);
    if !resumed.is_ok() {
        finish(call, name);
        return Err(Raise::Top);
    }
    // SAFETY: name, loaded, results...
    unsafe {
        if call.top() < 3 {
            call.push_nil();
        }
        ffi::lua_settop(state, 3);
        if call.kind(3) != ffi::LUA_TNIL {
            ffi::lua_pushvalue(state, 1);
            ffi::lua_pushvalue(state, 3);
            ffi::lua_settable(state, 2);
        }
        ffi::lua_pushvalue(state, 1);
        ffi::lua_gettable(state, 2);
        if call.kind(4) == ffi::LUA_TNIL {
            ffi::lua_pop(state, 1);
            ffi::lua_pushboolean(state, 1);
            ffi::lua_pushvalue(state, 1);
            ffi::lua_pushboolean(state, 1);
            ffi::lua_settable(state, 2);
        }
    }
    let inits = call.vm().modules.take_inits(name);
    if inits == NO_REFERENCE {
        finish(call, name);
        return Ok(Outcome::Values(1));
    }
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_pushcfunction(state, native!(run_functions));
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, inits.into());
        ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, inits);
    }
    Ok(Outcome::ProtectedCall(1, 0, continuation!(inits_done), 0))
}

/// The module's init functions have run. Below: name, `loaded`, result, module.
fn inits_done(call: &mut Call, resumed: Resumed) -> NativeResult {
    let name = name(call);
    finish(call, name);
    if !resumed.is_ok() {
        return Err(Raise::Top);
    }
    // SAFETY: the module is at index 4.
    unsafe { ffi::lua_settop(call.state(), 4) };
    Ok(Outcome::Values(1))
}

/// Ends the loading of a module: who waits for it goes on.
fn finish(call: &mut Call, name: &[u8]) {
    let vm = call.vm();
    let waiters = vm.modules.end(name);
    vm.wakeups.extend(waiters.into_iter().map(Wakeup::Session));
}

/// Waits until another coroutine has loaded the module.
fn wait_for_other(call: &mut Call, name: &[u8]) -> NativeResult {
    let vm = call.vm();
    let current = vm.current;
    if vm.modules.closes_ring(name, current) {
        return Err(call.plain_error(format_args!("circular dependency")));
    }
    check_yieldable(call)?;
    let vm = call.vm();
    let session = vm.sessions.allocate();
    vm.modules.wait(name, current, session);
    suspend(call, Waiting::Wait(session), 1, continuation!(waited), 0)
}

fn waited(call: &mut Call, _resumed: Resumed) -> NativeResult {
    let state = call.state();
    let name = name(call);
    let vm = call.vm();
    let current = vm.current;
    vm.modules.end_wait(current);
    // SAFETY: the stack holds the name.
    unsafe {
        push_loaded(call);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_gettable(state, 2);
    }
    if call.boolean(3) {
        return Ok(Outcome::Values(1));
    }
    let name = Lossy(name);
    Err(call.error(format_args!("require {name} failed")))
}

/// `init(f)`: runs `f` before the start function, or when the module that this coroutine loads is
/// loaded; at once when neither is to come.
pub(super) fn init(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TFUNCTION)?;
    // SAFETY: drops what stands above the function.
    unsafe { ffi::lua_settop(call.state(), 1) };
    let vm = call.vm();
    if !vm.has_started {
        let reference = vm.references.init;
        let reference = append(call, reference);
        call.vm().references.init = reference;
        return NOTHING;
    }
    let current = vm.current;
    match vm.modules.innermost(current) {
        Some(reference) => {
            let reference = append(call, reference);
            call.vm().modules.set_inits(current, reference);
            NOTHING
        }
        None => Ok(Outcome::Call(0, continuation!(nothing), 0)),
    }
}

fn nothing(_call: &mut Call, _resumed: Resumed) -> NativeResult {
    NOTHING
}

/// Appends the function at index 1 to the list behind `reference`, made if there is none.
fn append(call: &mut Call, reference: c_int) -> c_int {
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe {
        let reference = if reference == NO_REFERENCE {
            ffi::lua_createtable(state, 2, 0);
            ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX)
        } else {
            reference
        };
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
        let count = ffi::lua_rawlen(state, -1);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_rawseti(state, -2, i64::try_from(count + 1).unwrap_or(i64::MAX));
        ffi::lua_pop(state, 1);
        reference
    }
}

/// `init_all()`: runs what the main chunk registered, once. **Yields** when they do.
pub(super) fn init_all(call: &mut Call) -> NativeResult {
    let vm = call.vm();
    vm.has_started = true;
    let reference = std::mem::replace(&mut vm.references.init, NO_REFERENCE);
    if reference == NO_REFERENCE {
        return NOTHING;
    }
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_settop(state, 0);
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
        ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, reference);
    }
    run_functions(call)
}

/// Runs the functions of the list at index 1, one after another.
fn run_functions(call: &mut Call) -> NativeResult {
    run_next(call, Resumed { status: ffi::LUA_OK, context: 0 })
}

fn run_next(call: &mut Call, resumed: Resumed) -> NativeResult {
    call.check_type(1, ffi::LUA_TTABLE)?;
    let state = call.state();
    let next = resumed.context + 1;
    // SAFETY: the list is at index 1.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_rawgeti(state, 1, next as i64);
    }
    if call.kind(2) == ffi::LUA_TNIL {
        return NOTHING;
    }
    Ok(Outcome::Call(0, continuation!(run_next), next))
}
