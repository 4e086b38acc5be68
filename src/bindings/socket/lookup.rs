//! `skynet.socket`, `skynet.socketdriver`: addresses whose host may be a name.
//!
//! Names are looked up by threads that may wait (`net/io.rs`), meanwhile the coroutine is suspended.
//! Invariant: a worker waits for the resolver only where nothing can be suspended, as in the main
//! chunk of a service.

use std::ffi::c_int;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use mlua::ffi;

use super::super::skynet::thread::{check_yieldable, suspend};
use super::address::address;
use super::open_error;
use crate::kernel::{Kind, Message, Payload};
use crate::net::socket::{OpenError, text_of};
use crate::vm::Wake;
use crate::vm::native::{Call, Lossy, NativeResult, Raise, Resumed};
use crate::vm::thread::Waiting;

/// What is done with the number of an address.
pub(super) type Then = fn(&mut Call, SocketAddr) -> NativeResult;

/// What an address is for.
#[derive(Clone, Copy)]
pub(super) struct Purpose {
    /// What an empty host stands for.
    pub(super) empty: &'static str,
    /// What is said when the host is unknown.
    pub(super) failure: &'static str,
}

impl Purpose {
    /// To be bound; without a host to every address of the machine.
    pub(super) const fn own(failure: &'static str) -> Self {
        Self { empty: "0.0.0.0", failure }
    }

    /// A peer's.
    pub(super) const fn peer(failure: &'static str) -> Self {
        Self { empty: "", failure }
    }
}

/// Calls `then` with the number of the address at `index`: at once when its host is a number, else
/// from `later` when it is known. **Yields** for a name.
pub(super) fn with_number(
    call: &mut Call,
    index: c_int,
    purpose: Purpose,
    then: Then,
    later: ffi::lua_KFunction,
) -> NativeResult {
    let (host, port) = address(call, index)?;
    // SAFETY: the host is an argument, which stays on the stack until this function is over.
    let host = match unsafe { &*host } {
        "" => purpose.empty,
        host => host,
    };
    if let Ok(ip) = host.parse::<IpAddr>() {
        return then(call, SocketAddr::new(ip, port));
    }
    if check_yieldable(call).is_err() {
        return match look_up(host, port) {
            Ok(number) => then(call, number),
            Err(error) => Err(open_error(call, OpenError::System(error), purpose.failure, "")),
        };
    }
    let (host, keep) = (host.to_owned(), call.top());
    on_thread(call, keep, later, move || match look_up(&host, port) {
        Ok(number) => number.to_string(),
        Err(error) => format!("-{}", text_of(&error)),
    })
}

/// What `later` of `with_number` does.
pub(super) fn number_known(
    call: &mut Call,
    resumed: Resumed,
    purpose: Purpose,
    then: Then,
) -> NativeResult {
    // SAFETY: the native's own arguments, which were kept.
    unsafe { ffi::lua_settop(call.state(), c_int::try_from(resumed.context).unwrap_or(0)) };
    let bytes = answer(call)?;
    // SAFETY: the bytes live as long as the message, which is being handled.
    let text = Lossy(unsafe { &*bytes }).to_string();
    let number = text.parse();
    match number {
        Ok(number) => {
            drop(text);
            then(call, number)
        }
        Err(_) => {
            let raise =
                call.error(format_args!("{} ({})", purpose.failure, text.trim_start_matches('-')));
            drop(text);
            Err(raise)
        }
    }
}

/// The first number of `host`. Waits for the resolver.
fn look_up(host: &str, port: u16) -> io::Result<SocketAddr> {
    (host, port).to_socket_addrs()?.next().ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("the host `{host}` has no address"))
    })
}

/// Does `job` on a thread that may wait, and then `later` with its result, which `answer` gives.
/// Of the arguments the first `keep` stay, and `later` is told so. **Yields.**
pub(super) fn on_thread(
    call: &mut Call,
    keep: c_int,
    later: ffi::lua_KFunction,
    job: impl FnOnce() -> String + Send + 'static,
) -> NativeResult {
    let vm = call.vm();
    let runtime = match vm.shared.io.handle() {
        Ok(runtime) => runtime,
        Err(error) => {
            drop(job);
            let raise = call.error(format_args!("the I/O cannot start: {error}"));
            drop(error);
            return Err(raise);
        }
    };
    let session = vm.sessions.allocate();
    let (node, service) = (Arc::clone(&vm.node), Arc::clone(&vm.service));
    runtime.spawn_blocking(move || {
        let payload = Payload::from_vec(job().into_bytes());
        let _ =
            node.send(&service, Message { source: None, session, kind: Kind::RESPONSE, payload });
    });
    drop(runtime);
    suspend(call, Waiting::Call { session, peer: None }, keep, later, keep as isize)
}

/// What a job has given, for as long as the message that brings it.
pub(super) fn answer(call: &mut Call) -> Result<*const [u8], Raise> {
    if call.vm().wake != Wake::Answer {
        return Err(call.error(format_args!("the look-up was ended")));
    }
    Ok(call.vm().message.bytes)
}
