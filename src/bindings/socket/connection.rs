//! `skynet.socket`: opening, starting and closing.

use std::ffi::c_int;
use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use mlua::ffi;

use super::super::skynet::lazy::call_lua;
use super::super::skynet::thread::{check_yieldable, suspend};
use super::address::address;
use super::lookup::{Purpose, number_known, with_number};
use super::{any_socket, may_connect, nil_and, not_own, open_error, own_id, owner, refused};
use crate::continuation;
use crate::net::socket::{CLOSE_LINGER, Mode, OpenError, Socket, SocketId, StartError};
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Raise, Resumed};
use crate::vm::session::NO_REFERENCE;
use crate::vm::sockets::{Entry, give_back};
use crate::vm::thread::Waiting;
use crate::vm::{Wake, sockets};

/// Connections that wait to be accepted when the script does not say; skynet's figure.
const BACKLOG: i64 = 32;

/// `open(host, port)` or `open("host:port")`: a connection, or nil and why there is none.
/// **Yields.**
pub(super) fn open(call: &mut Call) -> NativeResult {
    let (host, port) = address(call, 1)?;
    if port == 0 {
        return Err(call.error(format_args!("Invalid port")));
    }
    check_yieldable(call)?;
    let vm = call.vm();
    let session = vm.sessions.allocate();
    let (owner, allows) = (owner(vm), may_connect(vm));
    // SAFETY: the host is an argument.
    let to = (unsafe { &*host }, port);
    let opened =
        vm.shared.sockets.connect(&vm.node, owner, Mode::Buffered, to, allows, Some(session));
    match opened {
        Ok(socket) => {
            let id = add(call, socket);
            let context = isize::try_from(id).unwrap_or(0);
            let waiting = Waiting::Call { session, peer: None };
            suspend(call, waiting, 0, continuation!(opened_later), context)
        }
        Err(error) => Err(open_error(call, error, "socket: cannot connect", "connect")),
    }
}

fn opened_later(call: &mut Call, resumed: Resumed) -> NativeResult {
    let id = i32::try_from(resumed.context).unwrap_or(0);
    let killed = call.vm().wake != Wake::Answer;
    let Some(entry) = call.vm().sockets.entries.get(&id) else {
        return nil_and(call, "socket closed");
    };
    if killed {
        entry.socket.close(Duration::ZERO);
        remove(call, id);
        return Err(call.error(format_args!("opening of socket {id} was ended")));
    }
    if entry.socket.peer().is_some() {
        return call.answer_integer(id.into());
    }
    if let Some(address) = entry.socket.refused() {
        remove(call, id);
        return Err(refused(call, address, "connect"));
    }
    let failure = entry.socket.failure();
    remove(call, id);
    nil_and(call, failure.unwrap_or_else(|| "socket closed".into()))
}

/// Makes a socket one of the service's; its number.
pub(super) fn add(call: &mut Call, socket: Arc<Socket>) -> i32 {
    let id = socket.id().number();
    let before = call.vm().sockets.entries.insert(id, Entry::new(socket));
    if let Some(entry) = before {
        // SAFETY: the entry is gone.
        unsafe { give_back(call.state(), &entry.references()) };
    }
    id
}

/// Forgets one of the service's sockets.
pub(in crate::bindings) fn remove(call: &mut Call, id: i32) {
    let state = call.state();
    if let Some(entry) = call.vm().sockets.entries.remove(&id) {
        // SAFETY: the entry is gone.
        unsafe { give_back(state, &entry.references()) };
    }
}

/// Refers to the function at `index`, or to nothing.
pub(super) fn function(call: &mut Call, index: c_int) -> Result<c_int, Raise> {
    if call.is_none_or_nil(index) {
        return Ok(NO_REFERENCE);
    }
    call.check_type(index, ffi::LUA_TFUNCTION)?;
    let state = call.state();
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_pushvalue(state, index);
        Ok(ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX))
    }
}

/// `start(id [, f(id, address)])`: takes the socket over and begins to read, or to accept with
/// `f`; its id, or nil and why not.
pub(super) fn start(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    let id = SocketId::new(number);
    let vm = call.vm();
    if id.is_some_and(|id| vm.sockets.onclose.contains_key(&id.number())) {
        return Err(call.plain_error(format_args!("socket has onclose callback")));
    }
    let known = id.and_then(|id| vm.sockets.entries.get(&id.number()));
    if known.is_some_and(|entry| !entry.socket.is_listener()) {
        return Err(call.plain_error(format_args!("socket is not closed")));
    }
    let callback = function(call, 2)?;
    let vm = call.vm();
    let (owner, socket) = (owner(vm), id.and_then(|id| vm.shared.sockets.get(id)));
    let state = call.state();
    let started = match &socket {
        Some(socket) => socket.start(owner, Mode::Buffered).map_err(Some),
        None => Err(None),
    };
    match (started, socket) {
        (Ok(()), Some(socket)) => {
            let id = add(call, socket);
            if let Some(entry) = call.vm().sockets.entries.get_mut(&id) {
                entry.callback = callback;
            }
            call.answer_integer(id.into())
        }
        (started, socket) => {
            drop(socket);
            // SAFETY: nothing uses the reference.
            unsafe { give_back(state, &[callback]) };
            match started {
                Err(Some(StartError::TooMany(limit))) => {
                    let error = OpenError::TooMany(limit);
                    Err(open_error(call, error, "", "sockets"))
                }
                Err(Some(StartError::Closed)) => nil_and(call, "socket closed"),
                _ => nil_and(call, "invalid socket"),
            }
        }
    }
}

/// `listen(host [, port [, backlog]])`: id, address and port of a listening socket, which accepts
/// from `start` on.
pub(super) fn listen(call: &mut Call) -> NativeResult {
    with_number(call, 1, LISTEN, listen_at, continuation!(listen_later))
}

/// What `listen` needs its address for.
pub(super) const LISTEN: Purpose = Purpose::own("Listen error");

fn listen_later(call: &mut Call, resumed: Resumed) -> NativeResult {
    number_known(call, resumed, LISTEN, listen_at)
}

fn listen_at(call: &mut Call, address: SocketAddr) -> NativeResult {
    let socket = listening(call, Mode::Buffered, address)?;
    let local = socket.local();
    let id = add(call, socket);
    call.push_integer(id.into());
    let Some(local) = local else { return Ok(Outcome::Values(1)) };
    call.push_text(format_args!("{}", local.ip()));
    call.push_integer(local.port().into());
    Ok(Outcome::Values(3))
}

/// A listening socket at `address`, with the backlog in the arguments.
pub(super) fn listening(
    call: &mut Call,
    mode: Mode,
    address: SocketAddr,
) -> Result<Arc<Socket>, Raise> {
    let backlog = if call.is_none_or_nil(3) { BACKLOG } else { call.check_integer(3)? };
    let backlog = c_int::try_from(backlog).unwrap_or(c_int::MAX);
    let vm = call.vm();
    let policy = Arc::clone(&vm.policy);
    let allows = |address| policy.listen.allows(address);
    let owner = owner(vm);
    let listening = vm.shared.sockets.listen(&vm.node, owner, mode, address, backlog, &allows);
    drop(policy);
    listening.map_err(|error| open_error(call, error, LISTEN.failure, "listen"))
}

/// `bind(descriptor)`: a socket of a descriptor made elsewhere; nil and why not.
pub(super) fn bind(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    bind_descriptor(call, number)
}

/// `stdin()`: standard input.
pub(super) fn stdin(call: &mut Call) -> NativeResult {
    bind_descriptor(call, libc::STDIN_FILENO.into())
}

fn bind_descriptor(call: &mut Call, number: i64) -> NativeResult {
    match bound(call, number, Mode::Buffered)? {
        Ok(socket) => {
            let id = add(call, socket);
            call.answer_integer(id.into())
        }
        Err(error) => {
            let text = error.to_string();
            drop(error);
            nil_and(call, text)
        }
    }
}

/// A socket of a descriptor.
pub(super) fn bound(
    call: &mut Call,
    number: i64,
    mode: Mode,
) -> Result<Result<Arc<Socket>, OpenError>, Raise> {
    let standard = i64::from(libc::STDIN_FILENO)..=i64::from(libc::STDERR_FILENO);
    if !standard.contains(&number) && !call.vm().trusts_pointers {
        // Without a C module of its own a service has no descriptor that it could mean.
        return Err(super::super::standard::refuse(
            call,
            format_args!("bind the descriptor {number}"),
            "native_modules",
        ));
    }
    let Ok(number) = c_int::try_from(number) else {
        return Ok(Err(OpenError::System(std::io::Error::from_raw_os_error(libc::EBADF))));
    };
    // SAFETY: asks about a number, which need not be a descriptor.
    let duplicate = if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        Err(std::io::Error::last_os_error())
    } else {
        // SAFETY: it is open; the process's standard ones stay so, and others belong to a C
        // module which the script answers for.
        unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned()
    };
    let vm = call.vm();
    let owner = owner(vm);
    Ok(duplicate.map_err(OpenError::System).and_then(|descriptor| {
        vm.shared.sockets.bind(&vm.node, owner, mode, descriptor, has_input)
    }))
}

/// Whether a descriptor has input, or its end, within `limit`.
fn has_input(file: &File, limit: Duration) -> std::io::Result<bool> {
    let mut entry = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let limit = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: one entry, which lives for the call.
    match unsafe { libc::poll(&raw mut entry, 1, limit) } {
        0 => Ok(false),
        1.. => Ok(true),
        _ => {
            let error = std::io::Error::last_os_error();
            if error.kind() == std::io::ErrorKind::Interrupted { Ok(false) } else { Err(error) }
        }
    }
}

/// `close(id)`: closes it; what is written still goes out. **Yields** until it is closed, or only
/// its last bytes are on their way.
pub(super) fn close(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    let vm = call.vm();
    let Some(id) = i32::try_from(number).ok().filter(|id| vm.sockets.entries.contains_key(id))
    else {
        return NOTHING;
    };
    let yields = check_yieldable(call).is_ok();
    let vm = call.vm();
    let Some(entry) = vm.sockets.entries.get_mut(&id) else { return NOTHING };
    if entry.is_closing {
        return Err(call.plain_error(format_args!(
            "assertion failed! (another coroutine closes socket {id})"
        )));
    }
    let waits = yields && entry.socket.is_connected();
    if waits {
        entry.is_closing = true;
        let session = vm.sessions.allocate();
        if entry.socket.close_then(CLOSE_LINGER, Some(session)) {
            let context = isize::try_from(id).unwrap_or(0);
            let waiting = Waiting::Call { session, peer: None };
            return suspend(call, waiting, 0, continuation!(closed), context);
        }
    } else {
        entry.socket.close(CLOSE_LINGER);
    }
    remove(call, id);
    NOTHING
}

fn closed(call: &mut Call, resumed: Resumed) -> NativeResult {
    remove(call, i32::try_from(resumed.context).unwrap_or(0));
    NOTHING
}

/// `close_fd(id)`: closes a socket that this service has never started.
pub(super) fn close_fd(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    let vm = call.vm();
    if i32::try_from(number).is_ok_and(|id| vm.sockets.entries.contains_key(&id)) {
        return Err(call.plain_error(format_args!("Use socket.close instead")));
    }
    close_any(call, CLOSE_LINGER)
}

/// Closes the socket at index 1, whoever's it is.
pub(super) fn close_any(call: &mut Call, linger: Duration) -> NativeResult {
    if let Some(socket) = any_socket(call, 1)? {
        socket.close(linger);
    }
    NOTHING
}

/// `shutdown(id)`: closes it at once, dropping what is unsent. It still has to be closed.
pub(super) fn shutdown(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    let id = i32::try_from(number).unwrap_or(0);
    if let Some(entry) = call.vm().sockets.entries.get(&id) {
        entry.socket.close(Duration::ZERO);
    }
    NOTHING
}

/// `abandon(id)`: forgets it, so that another service can start it.
pub(super) fn abandon(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    let id = i32::try_from(number).unwrap_or(0);
    let state = call.state();
    let vm = call.vm();
    if let Some(entry) = vm.sockets.entries.get(&id) {
        entry.socket.abandon();
        let onclose = vm.sockets.onclose.remove(&id).unwrap_or(NO_REFERENCE);
        // SAFETY: nothing uses the reference.
        unsafe { give_back(state, &[onclose]) };
        remove(call, id);
    }
    NOTHING
}

/// `invalid(id)`: true when the service does not know it.
pub(super) fn invalid(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    let known = i32::try_from(number).is_ok_and(|id| call.vm().sockets.entries.contains_key(&id));
    call.answer_boolean(!known)
}

/// `disconnected(id)`: true when it is the service's and closed; nothing when it is not.
pub(super) fn disconnected(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    let id = i32::try_from(number).unwrap_or(0);
    let Some(entry) = call.vm().sockets.entries.get(&id) else { return NOTHING };
    let disconnected = !entry.socket.is_connected() && !entry.socket.is_connecting();
    call.answer_boolean(disconnected)
}

/// `pause(id)`: takes nothing from the peer until somebody has to wait for it.
pub(super) fn pause(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    let id = i32::try_from(number).unwrap_or(0);
    let vm = call.vm();
    if let Some(entry) = vm.sockets.entries.get(&id)
        && entry.socket.pause()
    {
        vm.log(&format!("Pause socket ({id})"));
    }
    NOTHING
}

/// `limit(id, n)`: closes it when more than n bytes are unread and nobody waits for a number.
pub(super) fn limit(call: &mut Call) -> NativeResult {
    let id = own_id(call, 1)?;
    let limit = if call.is_none_or_nil(2) { None } else { Some(call.check_integer(2)?) };
    let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(0));
    if let Some(entry) = call.vm().sockets.entries.get(&id) {
        entry.socket.set_limit(limit);
    }
    NOTHING
}

/// `warning(id, f(id, kilobytes))`: called when much waits to be sent, and when it is out.
pub(super) fn warning(call: &mut Call) -> NativeResult {
    let id = own_id(call, 1)?;
    let reference = function(call, 2)?;
    let state = call.state();
    if let Some(entry) = call.vm().sockets.entries.get_mut(&id) {
        let before = std::mem::replace(&mut entry.warning, reference);
        // SAFETY: nothing uses the one before.
        unsafe { give_back(state, &[before]) };
    }
    NOTHING
}

/// `onclose(id, f(id))`: called once when the socket closes, from either side.
pub(super) fn onclose(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    let Some(id) = SocketId::new(number) else { return Err(not_own(call, number)) };
    let reference = function(call, 2)?;
    let state = call.state();
    let vm = call.vm();
    let before = if reference == NO_REFERENCE {
        vm.sockets.onclose.remove(&id.number())
    } else {
        vm.sockets.onclose.insert(id.number(), reference)
    };
    if let Some(entry) = vm.sockets.entries.get(&id.number()) {
        entry.socket.tell_of_close();
    }
    // SAFETY: nothing uses the one before.
    unsafe { sockets::give_back(state, &[before.unwrap_or(NO_REFERENCE)]) };
    NOTHING
}

/// `lock(id)`: waits for the right to write, in turn. **Yields.**
pub(super) fn lock(call: &mut Call) -> NativeResult {
    own_id(call, 1)?;
    call_lua(call, c"skynet.internal.socket_lock", c"lock")
}

/// `unlock(id)`: passes that right on.
pub(super) fn unlock(call: &mut Call) -> NativeResult {
    own_id(call, 1)?;
    call_lua(call, c"skynet.internal.socket_lock", c"unlock")
}
