//! `skynet.socket.tls`: TLS on a socket. From the end of the handshake on, whatever the service
//! reads and writes on the socket is plaintext.
//!
//! Invariant: a thread that waits for a handshake is answered once: when it is over, when it
//! fails, when its time is over, or when the socket ends.
//! Not here: sessions without a socket (`memory.rs`), certificates (`net::tls`).

pub(super) mod memory;
pub(super) mod options;

use std::ffi::c_int;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mlua::ffi;
use tokio::runtime::Handle as Runtime;
use tokio::task::AbortHandle;

use super::skynet::{message, thread};
use super::socket::{nil_and, own_socket};
use crate::codec::seri;
use crate::kernel::{Kind, Message, Node, Payload, Service, Session};
use crate::net::socket::{Filter, Socket};
use crate::net::tls;
use crate::vm::native::{Call, Entry, NativeResult, Raise, register};
use crate::vm::thread::Waiting;
use crate::{continuation, natives};

const FUNCTIONS: &[Entry] = natives![
    c"client" => client,
    c"server" => server,
];

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::lua_createtable(state, 0, c_int::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// Who waits for the end of a handshake.
struct Waiter {
    node: Arc<Node>,
    service: Arc<Service>,
    session: Session,
    /// Ends the waiting when the time is over.
    timer: Option<AbortHandle>,
}

/// A session on a socket.
struct Handshake {
    session: tls::Session,
    waiter: Mutex<Option<Waiter>>,
}

impl Handshake {
    fn waiter(&self) -> MutexGuard<'_, Option<Waiter>> {
        self.waiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers whoever waits: true, or nil and the reason. False when nobody does any more.
    fn answer(&self, outcome: Result<(), &str>) -> bool {
        let waiter = self.waiter().take();
        let Some(Waiter { node, service, session, timer }) = waiter else { return false };
        if let Some(timer) = timer {
            timer.abort();
        }
        let mut packed = Vec::new();
        match outcome {
            Ok(()) => seri::put_boolean(&mut packed, true),
            Err(reason) => {
                seri::put_nil(&mut packed);
                // No reason is too long to be packed.
                let _ = seri::put_string(&mut packed, reason.as_bytes());
            }
        }
        let payload = Payload::from_vec(packed);
        let _ =
            node.send(&service, Message { source: None, session, kind: Kind::RESPONSE, payload });
        true
    }

    /// Gives the handshake up, and the connection with it, when it is not over within `limit`.
    fn limit_time(self: &Arc<Self>, socket: &Arc<Socket>, limit: Duration, runtime: &Runtime) {
        let mut waiter = self.waiter();
        let Some(waiter) = &mut *waiter else { return };
        let (ours, socket) = (Arc::clone(self), Arc::clone(socket));
        let late = async move {
            tokio::time::sleep(limit).await;
            let text = format!("no TLS handshake within {} s", limit.as_secs_f64());
            if ours.answer(Err(&text)) {
                socket.fail(&text);
            }
        };
        waiter.timer = Some(runtime.spawn(late).abort_handle());
    }
}

impl Filter for Handshake {
    fn open(&self, bytes: &[u8], plain: &mut Vec<u8>, reply: &mut Vec<u8>) -> Result<bool, String> {
        let opened = self.session.open(bytes, plain, reply);
        match &opened {
            Err(reason) => drop(self.answer(Err(reason))),
            Ok(_) if self.session.is_handshaking() => {}
            Ok(_) => drop(self.answer(Ok(()))),
        }
        opened
    }

    fn seal(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        self.session.seal(plain, out)
    }

    fn close(&self, out: &mut Vec<u8>) {
        self.session.close_notify(out);
    }

    fn end(&self) {
        let reason = self.session.at_end().err();
        let _ = self.answer(Err(reason.as_deref().unwrap_or("closed")));
    }
}

/// `client(fd, hostname [, options])`: does the handshake of the side that has connected; true, or
/// nil and the reason. **Yields.**
fn client(call: &mut Call) -> NativeResult {
    thread::check_yieldable(call)?;
    let limit = options::handshake_limit(call, 3)?;
    let session = options::client_session(call, 2, 3)?;
    begin(call, session, limit)
}

/// `server(fd [, certfile, keyfile [, options]])`: does the handshake of the side that was
/// connected to; true, or nil and the reason. **Yields.**
fn server(call: &mut Call) -> NativeResult {
    thread::check_yieldable(call)?;
    let limit = options::handshake_limit(call, 4)?;
    let session = options::server_session(call, 2, 4)?;
    begin(call, session, limit)
}

fn begin(call: &mut Call, session: Result<tls::Session, String>, limit: Duration) -> NativeResult {
    let socket = own_socket(call, 1)?;
    let runtime = call.vm().shared.io.handle();
    let begun = session.and_then(|session| match runtime {
        Ok(runtime) => Ok((session, runtime)),
        Err(error) => Err(format!("the I/O cannot start: {error}")),
    });
    let (session, runtime) = match begun {
        Ok(begun) => begun,
        Err(reason) => {
            drop(socket);
            return nil_and(call, reason);
        }
    };
    if socket.is_filtered() {
        drop((socket, session, runtime));
        return nil_and(call, "the socket speaks TLS already");
    }
    let first = session.start();
    let vm = call.vm();
    let number = vm.sessions.allocate();
    let (node, service) = (Arc::clone(&vm.node), Arc::clone(&vm.service));
    let waiter = Waiter { node, service, session: number, timer: None };
    let filter = Arc::new(Handshake { session, waiter: Mutex::new(Some(waiter)) });
    let started = socket
        .set_filter(Arc::clone(&filter) as Arc<dyn Filter>)
        .and_then(|()| socket.write_unfiltered(&first));
    if started.is_err() {
        // One answer is on its way whatever has happened meanwhile.
        filter.end();
    }
    filter.limit_time(&socket, limit, &runtime);
    drop((socket, filter, first, runtime));
    thread::suspend(
        call,
        Waiting::Call { session: number, peer: None },
        0,
        continuation!(message::answer),
        0,
    )
}

/// An error with a reason.
fn fail(call: &mut Call, reason: String) -> Raise {
    let raise = call.error(format_args!("{reason}"));
    drop(reason);
    raise
}
