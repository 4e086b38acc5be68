//! `skynet`: starting and ending services.
//!
//! Source: reference 3.5 and the end of 3.4.

use mlua::ffi;

use super::address::{Destination, deliver};
use super::message;
use super::thread::check_yieldable;
use crate::bindings::require;
use crate::continuation;
use crate::kernel::{Handle, Kind, Message, Payload, Session};
use crate::native;
use crate::vm::native::{Call, Lossy, NOTHING, NativeResult, Outcome, Raise, Resumed};
use crate::vm::resume::add_traceback;
use crate::vm::session::Waiter;
use crate::vm::thread::Waiting;
use crate::vm::{Callback, Current, VmPointer};

/// Puts `words` in front of the arguments.
fn prepend(call: &mut Call, words: &[&'static std::ffi::CStr]) -> Result<(), Raise> {
    let count = std::ffi::c_int::try_from(words.len()).unwrap_or(0);
    call.reserve(count + 2)?;
    for word in words {
        // SAFETY: room was reserved.
        unsafe { ffi::lua_pushstring(call.state(), word.as_ptr()) };
    }
    // SAFETY: the words are on top.
    unsafe { ffi::lua_rotate(call.state(), 1, count) };
    Ok(())
}

/// `newservice(name, ...)`: starts a Lua service; its handle once it has started. **Yields.**
pub(super) fn new_service(call: &mut Call) -> NativeResult {
    check_yieldable(call)?;
    call.check_string(1)?;
    prepend(call, &[c".launcher", c"lua", c"LAUNCH", c"snlua"])?;
    message::call(call)
}

/// `uniqueservice([true,] name, ...)`: starts a service of which there is one. **Yields.**
pub(super) fn unique_service(call: &mut Call) -> NativeResult {
    ask_manager(call, c"LAUNCH", c"GLAUNCH")
}

/// `queryservice([true,] name)`: the handle of such a service once it runs. **Yields.**
pub(super) fn query_service(call: &mut Call) -> NativeResult {
    ask_manager(call, c"QUERY", c"GQUERY")
}

fn ask_manager(
    call: &mut Call,
    local: &'static std::ffi::CStr,
    global: &'static std::ffi::CStr,
) -> NativeResult {
    check_yieldable(call)?;
    let is_global = call.kind(1) == ffi::LUA_TBOOLEAN && call.boolean(1);
    if is_global {
        // SAFETY: drops the first argument.
        unsafe { ffi::lua_remove(call.state(), 1) };
    }
    call.check_string(1)?;
    prepend(call, &[c".service", c"lua", if is_global { global } else { local }])?;
    message::call_then(call, continuation!(check_manager))
}

/// As `assert`: the manager's answer, or its error text raised.
fn check_manager(call: &mut Call, resumed: Resumed) -> NativeResult {
    let Outcome::Values(count) = message::answer(call, resumed)? else { return NOTHING };
    let first = call.top() - count + 1;
    if count > 0 && call.boolean(first) {
        return Ok(Outcome::Values(count));
    }
    if count > 1 {
        // SAFETY: the text is the second value.
        unsafe { ffi::lua_pushvalue(call.state(), first + 1) };
        return Err(Raise::Top);
    }
    Err(call.plain_error(format_args!("assertion failed!")))
}

/// `start(f)`: takes messages from now on, and runs `f` as the first of them.
pub(super) fn start(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TFUNCTION)?;
    let vm = call.vm();
    vm.callback = Callback::Native;
    let state = call.state();
    let id = crate::vm::resume::thread_for(call)?;
    let coroutine = call.vm().threads[id].state;
    // SAFETY: an idle coroutine has room for a few values.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_pushcfunction(coroutine, native!(init_service));
        ffi::lua_xmove(state, coroutine, 1);
    }
    let session = super::thread::bare_timer(call, 0)?;
    let vm = call.vm();
    vm.starting = Some(id);
    vm.threads[id].waiting = Waiting::Start(session);
    vm.sessions.insert(session, Waiter::Thread(id));
    NOTHING
}

/// `init_service(f)`: runs what `skynet.init` collected and then `f`, and reports to the launcher.
pub(super) fn init_service(call: &mut Call) -> NativeResult {
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_pushcfunction(state, add_traceback);
        ffi::lua_insert(state, 1);
        ffi::lua_pushcfunction(state, native!(run_start));
        ffi::lua_insert(state, 2);
    }
    Ok(Outcome::ProtectedCall(1, 1, continuation!(started), 0))
}

/// Runs the init functions, then the function at index 1.
fn run_start(call: &mut Call) -> NativeResult {
    // SAFETY: a native has free slots.
    unsafe { ffi::lua_pushcfunction(call.state(), native!(require::init_all)) };
    Ok(Outcome::Call(0, continuation!(run_start_function), 0))
}

fn run_start_function(call: &mut Call, _resumed: Resumed) -> NativeResult {
    // SAFETY: the function is at index 1.
    unsafe { ffi::lua_settop(call.state(), 1) };
    Ok(Outcome::Call(0, continuation!(nothing), 0))
}

fn nothing(_call: &mut Call, _resumed: Resumed) -> NativeResult {
    NOTHING
}

/// The start function is done: tell the launcher.
fn started(call: &mut Call, resumed: Resumed) -> NativeResult {
    call.vm().starting = None;
    if resumed.is_ok() {
        tell_launcher(call, &[b"LAUNCHOK"]);
        return NOTHING;
    }
    let text: *const [u8] = call.string(-1).unwrap_or_default();
    // SAFETY: the text is on the stack.
    let text = Lossy(unsafe { &*text });
    let vm = call.vm();
    vm.log(&format!("init service failed: {text}"));
    tell_launcher(call, &[b"ERROR"]);
    leave(call);
    NOTHING
}

/// Sends words to the launcher as a Lua message.
fn tell_launcher(call: &mut Call, words: &[&[u8]]) {
    let vm = call.vm();
    let Some(launcher) = vm.node.registry.find_name(b"launcher") else { return };
    let mut bytes = Vec::new();
    for word in words {
        let _ = crate::codec::seri::put_string(&mut bytes, word);
    }
    if words == [b"REMOVE"] {
        crate::codec::seri::put_integer(&mut bytes, vm.handle().number().into());
        crate::codec::seri::put_boolean(&mut bytes, false);
    }
    let payload = Payload::copy_of(&bytes);
    let _ = deliver(call, Destination::Service(launcher), Kind::LUA, Session::NONE, payload);
}

/// Ends the service: everybody who waits for it is told, and it takes no further message.
fn leave(call: &mut Call) {
    tell_launcher(call, &[b"REMOVE"]);
    let vm = call.vm();
    vm.exiting = true;
    vm.forks.clear();
    let mut peers: Vec<Handle> = vm
        .threads
        .iter()
        .filter_map(|(_, thread)| match thread.waiting {
            Waiting::Call { peer, .. } => peer,
            _ => None,
        })
        .collect();
    peers.sort_unstable();
    peers.dedup();
    vm.log("KILL self");
    // Out of the registry first, so that whoever hears of the end finds the address dead.
    let handle = vm.handle();
    vm.node.retire(handle);
    let source = Some(handle);
    for peer in peers {
        let _ = vm.node.send_to(peer, Message::empty(source, Session::NONE, Kind::ERROR));
    }
    vm.fail_open_requests();
}

/// `exit()`: ends the service; does not return.
pub(super) fn exit(call: &mut Call) -> NativeResult {
    leave(call);
    // SAFETY: reading a live state.
    let yieldable = unsafe { ffi::lua_isyieldable(call.state()) } != 0;
    let vm = call.vm();
    if yieldable && vm.current.is_some() && vm.blocked_resumers == 0 {
        vm.suspended = true;
        return Ok(Outcome::Yield(0, continuation!(nothing), 0));
    }
    Err(call.error(format_args!("the service has ended (skynet.exit)")))
}

/// `on_stop(f)`: runs `f`, which may block, when the process is asked to end; nil takes it back.
pub(super) fn on_stop(call: &mut Call) -> NativeResult {
    let removes = call.is_none_or_nil(1);
    if !removes {
        call.check_type(1, ffi::LUA_TFUNCTION)?;
    }
    let state = call.state();
    let before = call.vm().references.stop;
    // SAFETY: a native has free slots; the new reference is taken before the old one is given up.
    let reference = unsafe {
        ffi::lua_settop(state, 1);
        let reference =
            if removes { ffi::LUA_NOREF } else { ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX) };
        ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, before);
        reference
    };
    let vm = call.vm();
    vm.references.stop = reference;
    vm.service.set_saves(!removes);
    NOTHING
}

/// `memlimit(bytes)`: limits the service's memory; once, and the function is gone afterwards.
pub(super) fn memory_limit(call: &mut Call) -> NativeResult {
    let bytes = call.check_integer(1)?;
    let Ok(bytes) = usize::try_from(bytes) else {
        return Err(call.argument(1, format_args!("memory limit {bytes} is negative")));
    };
    let vm = call.vm();
    let bytes = bytes.min(vm.allocator().limit());
    vm.allocator().set_limit(bytes);
    let megabytes = bytes as f64 / f64::from(1 << 20);
    vm.log(&format!("Set memory limit to {megabytes:.2} M"));
    vm.memory_limited = true;
    forget_memory_limit(call);
    NOTHING
}

/// Removes `skynet.memlimit`.
fn forget_memory_limit(call: &mut Call) {
    let state = call.state();
    // SAFETY: a native has free slots; assigning nil allocates nothing.
    unsafe {
        ffi::luaL_getsubtable(state, ffi::LUA_REGISTRYINDEX, c"_LOADED".as_ptr());
        ffi::lua_getfield(state, -1, c"skynet".as_ptr());
        if ffi::lua_istable(state, -1) != 0 {
            ffi::lua_pushnil(state);
            ffi::lua_setfield(state, -2, c"memlimit".as_ptr());
        }
        ffi::lua_pop(state, 2);
    }
}

/// `dispatch_message(type, message, size, session, source)`: handles a message as the native
/// callback does.
pub(super) fn dispatch_message(call: &mut Call) -> NativeResult {
    let kind = call.check_integer(1)?;
    let kind = Kind(u8::try_from(kind).unwrap_or(u8::MAX));
    let bytes: *const [u8] =
        if call.is_none_or_nil(2) { &[] } else { super::address::view(call, 2)? };
    let session = message::session(call, 4)?;
    let source = call.check_integer(5)?;
    let source = u32::try_from(source).ok().and_then(Handle::new);
    let vm = call.vm();
    let before = std::mem::replace(&mut vm.message, Current { kind, session, source, bytes });
    let pointer = VmPointer::of(vm);
    // SAFETY: this is the service's turn, and no borrow of the VM is alive: `vm` ends here.
    unsafe {
        pointer.dispatch();
        pointer.settle();
    }
    call.vm().message = before;
    NOTHING
}
