//! `skynet.socket.tls`: TLS on a socket. From the end of the handshake on, whatever the service
//! reads and writes on the socket is plaintext.
//!
//! Invariant: a thread that waits for a handshake is answered once: when it is over, when it
//! fails, or when the socket ends.
//! Not here: sessions without a socket (`memory.rs`), certificates (`net::tls`).

pub(super) mod memory;
pub(super) mod options;

use std::ffi::c_int;
use std::sync::{Arc, Mutex, PoisonError};

use mlua::ffi;

use super::skynet::{message, thread};
use super::socket::{nil_and, own_socket};
use crate::codec::seri;
use crate::kernel::{Kind, Message, Node, Payload, Service, Session};
use crate::net::socket::Filter;
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
}

/// A session on a socket.
struct Handshake {
    session: tls::Session,
    waiter: Mutex<Option<Waiter>>,
}

impl Handshake {
    /// Answers whoever waits: true, or nil and the reason.
    fn answer(&self, outcome: Result<(), &str>) {
        let waiter = self.waiter.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Waiter { node, service, session }) = waiter else { return };
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
    }
}

impl Filter for Handshake {
    fn open(&self, bytes: &[u8], plain: &mut Vec<u8>, reply: &mut Vec<u8>) -> Result<bool, String> {
        let opened = self.session.open(bytes, plain, reply);
        match &opened {
            Err(reason) => self.answer(Err(reason)),
            Ok(_) if self.session.is_handshaking() => {}
            Ok(_) => self.answer(Ok(())),
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
        self.answer(Err(reason.as_deref().unwrap_or("closed")));
    }
}

/// `client(fd, hostname [, options])`: does the handshake of the side that has connected; true, or
/// nil and the reason. **Yields.**
fn client(call: &mut Call) -> NativeResult {
    thread::check_yieldable(call)?;
    let session = options::client_session(call, 2, 3)?;
    begin(call, session)
}

/// `server(fd [, certfile, keyfile [, options]])`: does the handshake of the side that was
/// connected to; true, or nil and the reason. **Yields.**
fn server(call: &mut Call) -> NativeResult {
    thread::check_yieldable(call)?;
    let session = options::server_session(call, 2, 4)?;
    begin(call, session)
}

fn begin(call: &mut Call, session: Result<tls::Session, String>) -> NativeResult {
    let socket = own_socket(call, 1)?;
    let session = match session {
        Ok(session) => session,
        Err(reason) => {
            drop(socket);
            return nil_and(call, reason);
        }
    };
    if socket.is_filtered() {
        drop((socket, session));
        return nil_and(call, "the socket speaks TLS already");
    }
    let first = session.start();
    let vm = call.vm();
    let number = vm.sessions.allocate();
    let waiter =
        Waiter { node: Arc::clone(&vm.node), service: Arc::clone(&vm.service), session: number };
    let filter = Arc::new(Handshake { session, waiter: Mutex::new(Some(waiter)) });
    let started = socket
        .set_filter(Arc::clone(&filter) as Arc<dyn Filter>)
        .and_then(|()| socket.write_unfiltered(&first));
    if started.is_err() {
        // One answer is on its way whatever has happened meanwhile.
        filter.end();
    }
    drop((socket, filter, first));
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
