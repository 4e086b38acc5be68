//! `skynet.socket`: sockets whose readers are coroutines.
//!
//! What arrives is buffered outside of Lua (`net::socket`); a reader is resumed when all it asked
//! for is there. `driver.rs` is the other way: events as messages.

mod address;
mod buffer;
pub(super) mod connection;
mod datagram;
pub(super) mod driver;
mod events;
mod info;
mod lookup;
mod read;
mod write;

use std::ffi::c_int;
use std::net::SocketAddr;
use std::sync::Arc;

use mlua::ffi;

use super::skynet::protocol::register_protocol;
use crate::kernel::Kind;
use crate::net::socket::{Allows, OpenError, Owner, Socket, SocketId};
use crate::vm::Vm;
use crate::vm::native::{Call, Entry, NativeResult, Outcome, Raise, register};
use crate::{native, natives};

const FUNCTIONS: &[Entry] = natives![
    c"abandon" => connection::abandon,
    c"bind" => connection::bind,
    c"block" => read::block,
    c"close" => connection::close,
    c"close_fd" => connection::close_fd,
    c"disconnected" => connection::disconnected,
    c"header" => write::header,
    c"invalid" => connection::invalid,
    c"limit" => connection::limit,
    c"listen" => connection::listen,
    c"lock" => connection::lock,
    c"lwrite" => write::write_low,
    c"netstat" => info::netstat,
    c"onclose" => connection::onclose,
    c"open" => connection::open,
    c"pause" => connection::pause,
    c"read" => read::read,
    c"readall" => read::read_all,
    c"readline" => read::read_line,
    c"resolve" => info::resolve,
    c"sendto" => datagram::send_to,
    c"shutdown" => connection::shutdown,
    c"start" => connection::start,
    c"stdin" => connection::stdin,
    c"udp" => datagram::udp,
    c"udp_address" => datagram::udp_address,
    c"udp_connect" => datagram::udp_connect,
    c"udp_dial" => datagram::udp_dial,
    c"udp_listen" => datagram::udp_listen,
    c"unlock" => connection::unlock,
    c"warning" => connection::warning,
    c"write" => write::write,
];

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected; nothing here has a destructor. Registering raises when the
    // service has a message type `socket` of its own, as it does in skynet.
    unsafe {
        ffi::lua_pushcfunction(state, native!(register_protocol));
        ffi::lua_createtable(state, 0, 4);
        ffi::lua_pushstring(state, c"socket".as_ptr());
        ffi::lua_setfield(state, -2, c"name".as_ptr());
        ffi::lua_pushinteger(state, Kind::SOCKET.0.into());
        ffi::lua_setfield(state, -2, c"id".as_ptr());
        ffi::lua_pushcfunction(state, native!(events::unpack));
        ffi::lua_setfield(state, -2, c"unpack".as_ptr());
        ffi::lua_pushcfunction(state, native!(events::dispatch));
        ffi::lua_setfield(state, -2, c"dispatch".as_ptr());
        ffi::lua_callk(state, 1, 0, 0, None);
        ffi::lua_createtable(state, 0, c_int::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// Who owns a socket that this service opens or starts.
pub(super) fn owner(vm: &mut Vm) -> Owner {
    let memory = vm.allocator().limit();
    Owner { service: Arc::clone(&vm.service), sockets: vm.policy.sockets, memory }
}

/// The rule of the service for addresses to connect to.
pub(super) fn may_connect(vm: &Vm) -> Allows {
    let policy = Arc::clone(&vm.policy);
    Box::new(move |address| policy.connect.allows(address))
}

/// The socket with the number at `index`, whoever's it is.
fn any_socket(call: &mut Call, index: c_int) -> Result<Option<Arc<Socket>>, Raise> {
    let number = call.check_integer(index)?;
    let vm = call.vm();
    if let Some(entry) = i32::try_from(number).ok().and_then(|id| vm.sockets.entries.get(&id)) {
        return Ok(Some(Arc::clone(&entry.socket)));
    }
    Ok(SocketId::new(number).and_then(|id| vm.shared.sockets.get(id)))
}

/// The number at `index`, of a socket that this service has started.
fn own_id(call: &mut Call, index: c_int) -> Result<i32, Raise> {
    let number = call.check_integer(index)?;
    match i32::try_from(number).ok().filter(|id| call.vm().sockets.entries.contains_key(id)) {
        Some(id) => Ok(id),
        None => Err(not_own(call, number)),
    }
}

/// The socket with the number at `index`, which this service has started.
pub(super) fn own_socket(call: &mut Call, index: c_int) -> Result<Arc<Socket>, Raise> {
    let id = own_id(call, index)?;
    match call.vm().sockets.entries.get(&id) {
        Some(entry) => Ok(Arc::clone(&entry.socket)),
        None => Err(not_own(call, id.into())),
    }
}

/// skynet says no more than that an assertion has failed; scripts may look for those words.
#[cold]
fn not_own(call: &mut Call, number: i64) -> Raise {
    call.plain_error(format_args!("assertion failed! (socket {number} is none of this service)"))
}

/// What an opening that failed raises; `at` are the words for what the system refused.
#[cold]
fn open_error(call: &mut Call, error: OpenError, at: &str, rule: &str) -> Raise {
    let raise = match &error {
        OpenError::System(_) => call.error(format_args!("{at} ({error})")),
        OpenError::Refused(address) => refused(call, *address, rule),
        OpenError::TooMany(_) => call.error(format_args!("{error}")),
    };
    drop(error);
    raise
}

/// The sandbox refuses an address under `rule`, which is the verb as well.
#[cold]
fn refused(call: &mut Call, address: SocketAddr, rule: &str) -> Raise {
    let to = if rule == "listen" { "on" } else { "to" };
    super::standard::refuse(call, format_args!("{rule} {to} {address}"), rule)
}

/// nil and a text, which is moved to the VM first.
pub(super) fn nil_and(call: &mut Call, text: impl AsRef<str>) -> NativeResult {
    let kept = call.vm().error_text.keep(text.as_ref());
    drop(text);
    call.push_nil();
    // SAFETY: the buffer belongs to the VM.
    call.push_bytes(unsafe { &*kept });
    Ok(Outcome::Values(2))
}
