//! Link: who calls a peer, as everybody but its actor sees it.
//!
//! Invariant: a wire session is in `pending` from before its request is written until its answer,
//! its deadline or the end of the connection takes it out; whoever takes it out answers.
//! Not here: when to connect and what to write (`caller.rs`).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::kernel::{Handle, Kind, Message, Node, Payload, Service, Session};
use crate::net::Channel;

/// What tasks and others tell a link.
pub(super) enum Event {
    /// The attempt with this number has connected.
    Connected(u64, Channel),
    /// It has not.
    Failed(u64, String),
    /// The connection of this attempt has ended.
    Lost(u64),
    /// The address of the peer may have changed.
    Retarget,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) source: Handle,
    pub(super) session: Session,
}

/// Calls that wait for an answer, and whether the connection is there that may bring it.
#[derive(Default)]
struct Calls {
    /// The attempt whose connection is up.
    up: Option<u64>,
    pending: HashMap<u32, Pending>,
}

/// The part of a link that others see.
pub(super) struct Link {
    pub(super) name: Box<str>,
    service: Arc<Service>,
    events: Mutex<VecDeque<Event>>,
    calls: Mutex<Calls>,
}

impl Link {
    pub(super) fn new(name: &str, service: &Arc<Service>) -> Self {
        Self {
            name: name.into(),
            service: Arc::clone(service),
            events: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    pub(super) const fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// What the actor was told and has not read yet.
    pub(super) fn next_event(&self) -> Option<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Tells the actor something.
    pub(super) fn post(&self, node: &Node, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
        let wake = Message::empty(None, Session::NONE, Kind::SYSTEM);
        // A link that has ended drops its events with itself.
        let _ = node.send(&self.service, wake);
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes who waits for the answer to a request of this attempt's connection; false when the
    /// connection is gone.
    pub(super) fn expect(&self, node: &Node, attempt: u64, session: u32, call: Pending) -> bool {
        let forgotten = {
            let mut calls = self.calls();
            if calls.up != Some(attempt) {
                return false;
            }
            calls.pending.insert(session, call)
        };
        if let Some(forgotten) = forgotten {
            // Two thousand million calls later: the first is as good as lost.
            let from = self.service.handle;
            node.answer_with_error(Some(forgotten.source), forgotten.session, from);
        }
        true
    }

    /// Takes out the call with a wire session of an attempt's connection. A connection that was
    /// replaced does not answer the calls of the next, which has the same sessions.
    fn take(&self, attempt: u64, session: u32) -> Option<Pending> {
        let mut calls = self.calls();
        if calls.up == Some(attempt) { calls.pending.remove(&session) } else { None }
    }

    /// Number of calls that wait.
    pub(super) fn pending(&self) -> usize {
        self.calls().pending.len()
    }

    /// True when somebody waits for the answer with this wire session.
    pub(super) fn is_pending(&self, session: u32) -> bool {
        self.calls().pending.contains_key(&session)
    }

    /// Gives the answer to the call with this wire session to whoever waits. False when nobody
    /// does.
    pub(super) fn answer(&self, node: &Node, attempt: u64, session: u32, body: Payload) -> bool {
        let Some(call) = self.take(attempt, session) else { return false };
        let message = Message {
            source: Some(self.service.handle),
            session: call.session,
            kind: Kind::RESPONSE,
            payload: body,
        };
        // Whoever asked may have ended meanwhile.
        let _ = node.send_to(call.source, message);
        true
    }

    /// Fails the call with this wire session. False when nobody waits for it.
    pub(super) fn fail(&self, node: &Node, attempt: u64, session: u32) -> bool {
        let Some(call) = self.take(attempt, session) else { return false };
        node.answer_with_error(Some(call.source), call.session, self.service.handle);
        true
    }

    /// The connection of an attempt is there: its calls may be noted.
    pub(super) fn rise(&self, attempt: u64) {
        self.calls().up = Some(attempt);
    }

    /// The connection of an attempt is gone: its calls fail. `tell` is told how many before they
    /// are, so that the log has the cause before whoever called can go on.
    pub(super) fn lose(&self, node: &Node, attempt: u64, tell: impl FnOnce(usize)) {
        let lost = {
            let mut calls = self.calls();
            if calls.up == Some(attempt) {
                calls.up = None;
                std::mem::take(&mut calls.pending)
            } else {
                HashMap::new()
            }
        };
        tell(lost.len());
        for call in lost.values() {
            node.answer_with_error(Some(call.source), call.session, self.service.handle);
        }
    }
}
