//! A link: the connection with one other harbor, in both directions.
//!
//! Invariant: a request that went out over a link ends: with its answer, or with an error when the
//! link does.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Harbors;
use crate::codec::harbor::{Head, Malformed, Splitter, encode};
use crate::kernel::{Handle, Kind, Message, Node, Payload, SendError, Session};
use crate::net::socket::{Consumer, Socket};
use crate::net::{End, Flow};

/// Most bytes that wait to be written to a harbor; requests beyond are refused.
const MOST_QUEUED: usize = 32 << 20;
/// Most requests of which a link knows that they wait for an answer. Of more it does not know, and
/// they wait in vain should it end.
const MOST_PENDING: usize = 1 << 20;

/// Who waits for the answer to a request, and from whom.
pub(super) type Pending = HashMap<(Handle, Session), Handle>;

/// The connection with one other harbor.
pub(super) struct Link {
    pub(super) socket: Arc<Socket>,
    pending: Mutex<Pending>,
}

/// The frame of a message, or why there can be none.
pub(super) fn frame(to: Handle, message: &Message) -> Result<Vec<u8>, SendError> {
    let mut bytes = Vec::new();
    let head = Head {
        source: message.source.map_or(0, Handle::number),
        destination: to.number(),
        kind: message.kind.0,
        session: message.session.0,
    };
    encode(&mut bytes, head, message.payload.as_slice()).map_err(|_| SendError::Full)?;
    Ok(bytes)
}

/// Who waits for an answer to a message. Not every session is that of a request: gates put the
/// number of a socket there, multicast a channel.
pub(super) fn awaited(message: &Message) -> Option<(Handle, Session)> {
    let asks = !matches!(
        message.kind,
        Kind::RESPONSE
            | Kind::ERROR
            | Kind::MULTICAST
            | Kind::CLIENT
            | Kind::SYSTEM
            | Kind::HARBOR
            | Kind::SOCKET
            | Kind::TRACE
    );
    let source = message.source.filter(|_| asks && message.session.expects_answer())?;
    Some((source, message.session))
}

impl Link {
    pub(super) fn new(socket: Arc<Socket>) -> Self {
        Self { socket, pending: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over the requests that went out before there was a link.
    pub(super) fn adopt(&self, pending: Pending) {
        self.lock().extend(pending);
    }

    /// Sends a message; one that no frame can hold is refused, as is one too many.
    pub(super) fn send(&self, to: Handle, message: &Message) -> Result<(), SendError> {
        let bytes = frame(to, message)?;
        let request = awaited(message);
        let answers = message.kind == Kind::RESPONSE || message.kind == Kind::ERROR;
        if !answers && self.socket.queued() > MOST_QUEUED {
            return Err(SendError::Full);
        }
        if let Some(request) = request {
            let mut pending = self.lock();
            if pending.len() < MOST_PENDING {
                pending.insert(request, to);
            }
        }
        if self.socket.write(&bytes).is_err() {
            // The end of the link answers what waits; this was too late for it.
            if let Some(request) = request {
                self.lock().remove(&request);
            }
            return Err(SendError::NoService);
        }
        Ok(())
    }

    fn answered(&self, who: Handle, session: Session) {
        self.lock().remove(&(who, session));
    }

    /// Fails everything that waits for an answer.
    pub(super) fn fail_pending(&self, node: &Node) {
        let pending = std::mem::take(&mut *self.lock());
        fail(node, pending);
    }
}

/// Tells those who wait that there will be no answer.
pub(super) fn fail(node: &Node, pending: Pending) {
    for ((source, session), to) in pending {
        node.answer_with_error(Some(source), session, to);
    }
}

/// What arrives on a link.
pub(super) struct Feed {
    pub(super) node: Arc<Node>,
    pub(super) harbors: Arc<Harbors>,
    pub(super) link: Arc<Link>,
    pub(super) id: u8,
    /// The byte with which the other one says who it is is still to come.
    pub(super) greeting: bool,
    pub(super) splitter: Splitter,
}

impl Feed {
    fn deliver(&self, head: Head, body: &[u8]) {
        let node = &self.node;
        let Some(to) = Handle::compose(node.registry.harbor(), head.destination) else { return };
        let (kind, session) = (Kind(head.kind), Session(head.session));
        if kind == Kind::RESPONSE || kind == Kind::ERROR {
            self.link.answered(to, session);
        }
        let source = Handle::new(head.source);
        if source.is_none() && kind == Kind::SYSTEM {
            // Only the node itself says such a thing to its services.
            return;
        }
        let message = Message { source, session, kind, payload: Payload::copy_of(body) };
        if node.send_to(to, message).is_ok() {
            return;
        }
        if kind != Kind::RESPONSE
            && kind != Kind::ERROR
            && let Some(source) = source
        {
            let answer = Message::empty(Some(to), session, Kind::ERROR);
            let _ = node.send_to(source, answer);
        }
        // Powers of two keep a flood from filling the log as well.
        let stray = self.harbors.stray.fetch_add(1, Ordering::Relaxed) + 1;
        if kind != Kind::ERROR && stray.is_power_of_two() {
            let (to, from) = (to.number(), head.source);
            self.harbors.log(
                node,
                &format!("Unknown destination :{to:x} from :{from:x} type({})", head.kind),
            );
        }
    }
}

impl Consumer for Feed {
    fn on_data(&mut self, _socket: &Arc<Socket>, bytes: &[u8]) -> Flow {
        let mut bytes = bytes;
        if self.greeting {
            let Some((first, rest)) = bytes.split_first() else { return Flow::Continue };
            if *first != self.id {
                let text = format!("Harbor {} says that it is harbor {first}", self.id);
                self.harbors.log(&self.node, &text);
                return Flow::Abort;
            }
            self.greeting = false;
            self.harbors.up(&self.node, self.id, &self.link);
            bytes = rest;
        }
        let mut splitter = std::mem::take(&mut self.splitter);
        let cut = splitter.feed(bytes, |head, body| self.deliver(head, body));
        self.splitter = splitter;
        let id = self.id;
        let text = match cut {
            Ok(()) => return Flow::Continue,
            Err(Malformed::TooLong(length)) => {
                format!("Message is too long from harbor {id} ({length} bytes)")
            }
            Err(Malformed::TooShort(length)) => {
                format!("Message is too short from harbor {id} ({length} bytes)")
            }
        };
        self.harbors.log(&self.node, &text);
        Flow::Abort
    }

    fn on_end(&mut self, _socket: &Arc<Socket>, _end: &End) {
        self.harbors.down(&self.node, self.id, Some(&self.link));
        self.link.fail_pending(&self.node);
    }
}
