//! How a socket ends, and telling whoever has to know: readers, those who wait for its end, its
//! owner, the log.
//!
//! Invariant: a reader is told before whoever closes, each session once, and the owner once.

use std::sync::Arc;
use std::time::Duration;

use super::one::{Link, Mode, Phase, Socket};
use crate::codec::socket_event::Event;
use crate::kernel::{Kind, Message, Payload, Service, Session};
use crate::net::stream::End;

/// The message that tells of an event of the socket with the number `id`.
pub fn message_of(id: i32, event: &Event<'_>) -> Message {
    let [front, back] = event.tail();
    Message {
        source: None,
        session: Session::NONE,
        kind: Kind::SOCKET,
        payload: Payload::of_pieces(&[&event.head(id), front, back]),
    }
}

impl Socket {
    /// Closes it. What is queued goes out first, as long as the peer takes something within each
    /// `linger`; zero drops it.
    pub fn close(&self, linger: Duration) {
        self.close_then(linger, None);
    }

    /// As `close`; answers `session` of the owner when it is closed, or at once while the peer
    /// has still to take something. False when there is nothing to wait for.
    pub fn close_then(&self, linger: Duration, session: Option<Session>) -> bool {
        let queued = self.stream().map_or(0, |stream| stream.queued());
        let (reader, owner, phase, waits) = {
            let mut state = self.lock();
            let phase = state.phase;
            if phase == Phase::Ended {
                return false;
            }
            state.phase = Phase::Closing;
            let waits = queued == 0 && state.waiter.is_none();
            if waits {
                state.waiter = session;
            }
            // A reader is told before whoever closes.
            (state.wake_reader(), state.owner.clone(), phase, waits)
        };
        if let Some(owner) = owner {
            let at_once = session.filter(|_| !waits);
            for session in [reader, at_once].into_iter().flatten() {
                self.answer(&owner.service, session);
            }
        }
        match self.link.get() {
            Some(Link::Tcp(stream)) => {
                self.close_filter(stream);
                stream.close(linger);
            }
            Some(Link::Listener(listener)) => listener.close(self),
            Some(Link::Udp(udp)) => udp.close(),
            Some(Link::Bound(bound)) => bound.close(),
            // The task that opens it sees the phase; an opening that is closed has nobody to wait.
            None => debug_assert!(matches!(phase, Phase::Connecting | Phase::Closing)),
        }
        true
    }

    /// Closes it at once for a reason, which readers and the log are told.
    pub fn fail(&self, text: &str) {
        let tells = {
            let mut state = self.lock();
            let is_first = state.failure.is_none();
            state.failure.get_or_insert_with(|| text.into());
            let tells = is_first && state.phase == Phase::Open && state.mode == Mode::Buffered;
            state.failure_logged |= tells;
            tells
        };
        // At once: the task of the connection may come too late for a node that is ending.
        if tells {
            self.log(&format!("socket: error on {} {text}", self.id.0));
        }
        match self.link.get() {
            Some(Link::Tcp(stream)) => stream.close(Duration::ZERO),
            Some(Link::Bound(bound)) => bound.close(),
            _ => self.close(Duration::ZERO),
        }
    }

    /// The peer will send no more.
    pub(super) fn note_eof(&self) {
        let (reader, owner) = {
            let mut state = self.lock();
            if state.eof {
                return;
            }
            state.eof = true;
            (state.wake_reader(), state.owner.clone())
        };
        // First, so that the script knows of the end when the read fails.
        self.tell_close();
        if let (Some(session), Some(owner)) = (reader, owner) {
            self.answer(&owner.service, session);
        }
    }

    /// Its descriptor is closed: tells everybody who waits, and forgets it.
    pub(super) fn note_end(self: &Arc<Self>, end: &End) {
        let (phase, mode, owner, sessions, failure, is_logged) = {
            let mut state = self.lock();
            if state.phase == Phase::Ended {
                return;
            }
            let before = std::mem::replace(&mut state.phase, Phase::Ended);
            if let End::Failed(error) = end {
                state.failure.get_or_insert_with(|| super::connect::text_of(error).into());
            }
            state.eof = true;
            let sessions = [state.wake_reader(), state.waiter.take()];
            let failure = state.failure.clone().filter(|_| before != Phase::Closing);
            let is_logged = state.failure_logged || self.is_listener();
            (before, state.mode, state.owner.clone(), sessions, failure, is_logged)
        };
        // Only now can it get no other owner to be counted with.
        if let Some(sockets) = self.sockets.upgrade() {
            sockets.forget(self);
        }
        if let Some(failure) = failure {
            if mode == Mode::Raw {
                self.tell(&Event::Error(failure.as_bytes()));
                self.lock().told_close = true;
            } else if phase == Phase::Open && mode == Mode::Buffered && !is_logged {
                self.log(&format!("socket: error on {} {failure}", self.id.0));
            }
        }
        self.tell_close();
        if let Some(owner) = owner {
            for session in sessions.into_iter().flatten() {
                self.answer(&owner.service, session);
            }
        }
    }

    /// Tells the owner once that it is closed, if it wants to know.
    pub(super) fn tell_close(&self) {
        {
            let mut state = self.lock();
            let wanted = state.mode == Mode::Raw || state.tells_close;
            if state.told_close || !wanted {
                return;
            }
            state.told_close = true;
        }
        self.tell(&Event::Close);
    }

    /// Sends an event to the owner.
    pub(super) fn tell(&self, event: &Event<'_>) {
        let Some(owner) = self.lock().owner.clone() else { return };
        self.tell_service(&owner.service, event);
    }

    pub(super) fn tell_service(&self, service: &Arc<Service>, event: &Event<'_>) {
        let _ = self.node.send(service, message_of(self.id.0, event));
    }

    /// Answers a session of `service`.
    pub(super) fn answer(&self, service: &Arc<Service>, session: Session) {
        let _ = self.node.send(service, Message::empty(None, session, Kind::RESPONSE));
    }

    /// Logs a line under the owner's address.
    pub(super) fn log(&self, text: &str) {
        let owner = self.lock().owner.as_ref().map(|owner| owner.service.handle);
        self.node.log(owner, text);
    }
}
