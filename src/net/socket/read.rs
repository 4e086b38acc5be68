//! Reading a buffered socket: what a reader wants, and when it has it.
//!
//! Invariant: at most one reader waits, and it is answered once. The peer is held up while more
//! than `HIGH_WATER` is unread and nobody waits for more.

use std::sync::Arc;

use super::HIGH_WATER;
use super::incoming::Want;
use super::one::{Mode, Phase, Socket, State};
use crate::codec::socket_event::Event;
use crate::kernel::Session;

/// Somebody who waits for bytes.
pub(super) struct Reader {
    pub(super) want: Want,
    pub(super) session: Session,
    /// It has been answered and has not come back yet.
    pub(super) woken: bool,
}

/// What became of a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Take {
    /// The bytes are there.
    Done,
    /// The socket is closed; the rest of the bytes is there.
    Ended,
    /// The session will be answered.
    Wait,
    /// Somebody waits already, under this session.
    Busy(Session),
}

/// What became of bytes that have arrived.
pub(super) enum Delivery {
    Done,
    /// A filter or a consumer has to see them first.
    Diverted,
    /// The owner takes messages.
    Raw,
    /// More than may wait.
    Overflow(String),
}

impl State {
    /// Marks the reader as answered; its session if it was not before.
    pub(super) fn wake_reader(&mut self) -> Option<Session> {
        match &mut self.reader {
            Some(reader) if !reader.woken => {
                reader.woken = true;
                Some(reader.session)
            }
            _ => None,
        }
    }

    /// Nothing more will arrive that a reader could wait for.
    fn is_over(&self) -> bool {
        self.eof || self.failure.is_some() || matches!(self.phase, Phase::Closing | Phase::Ended)
    }

    /// The owner wants to know of the end that a reader is about to see, and may not yet.
    fn owes_close(&self) -> bool {
        let closed_here = self.phase == Phase::Closing;
        self.tells_close && !self.waited_for_close && !closed_here && self.reader.is_none()
    }
}

impl Socket {
    /// Takes bytes of the connection, unless somebody else has to see them.
    pub(super) fn deliver(self: &Arc<Self>, bytes: &[u8]) -> Delivery {
        self.buffer(bytes, false)
    }

    /// The same behind a filter.
    pub(super) fn deliver_opened(self: &Arc<Self>, bytes: &[u8]) -> Delivery {
        self.buffer(bytes, true)
    }

    fn buffer(self: &Arc<Self>, bytes: &[u8], opened: bool) -> Delivery {
        let mut state = self.lock();
        if state.diverted && !opened {
            return Delivery::Diverted;
        }
        if state.mode == Mode::Raw {
            return Delivery::Raw;
        }
        if state.phase == Phase::Closing {
            return Delivery::Done;
        }
        state.incoming.push(bytes);
        let State { incoming, reader, owner, limit, .. } = &mut *state;
        let unread = incoming.len();
        let mut woken = None;
        let mut wants_more = false;
        let mut counted = false;
        if let Some(reader) = reader {
            counted = reader.want.is_counted();
            if !reader.woken && incoming.satisfies(&reader.want) {
                reader.woken = true;
                woken = owner.as_ref().map(|owner| (Arc::clone(&owner.service), reader.session));
            }
            wants_more = !reader.woken;
        }
        if let Some(limit) = limit.filter(|limit| unread > *limit && !counted) {
            drop(state);
            return Delivery::Overflow(self.overflow(unread, limit));
        }
        if let Some(most) = owner.as_ref().map(|owner| owner.memory).filter(|most| unread > *most) {
            return Delivery::Overflow(format!(
                "{unread} bytes wait to be read, the memory limit of its service is {most} \
                 (sandbox.toml: memory)"
            ));
        }
        let floods = unread > HIGH_WATER && !wants_more && !state.flooded;
        let logs = floods && !state.flood_logged;
        state.flooded |= floods;
        state.flood_logged |= floods;
        drop(state);
        if let Some((service, session)) = woken {
            self.answer(&service, session);
        }
        if floods {
            self.pause_link();
            let state = self.lock();
            // A reader may have taken everything meanwhile.
            let over = !state.flooded && !state.paused && state.mode != Mode::Idle;
            drop(state);
            if over {
                self.resume_link();
            }
        }
        if logs {
            self.log(&format!("Pause socket ({}) size : {unread}", self.id.number()));
        }
        Delivery::Done
    }

    /// Logs that more is unread than `socket.limit` allows; the reason for closing.
    fn overflow(&self, unread: usize, limit: usize) -> String {
        self.log(&format!("socket buffer overflow: fd={} size={unread}", self.id.number()));
        format!("{unread} bytes wait to be read, its limit is {limit}")
    }

    /// Takes what `want` asks for into `into`. When it is not there yet, notes the session that
    /// `session` gives to be answered; without one nothing is noted.
    pub fn read(
        self: &Arc<Self>,
        want: &Want,
        into: &mut Vec<u8>,
        session: impl FnOnce() -> Option<Session>,
    ) -> Take {
        let mut state = self.lock();
        let unread = state.incoming.len();
        // What had arrived before the limit was set counts when somebody comes to read.
        let exceeds = state.limit.filter(|limit| unread > *limit && !want.is_counted());
        if let Some(limit) = exceeds.filter(|_| !state.is_over()) {
            state.incoming.take_all(into);
            drop(state);
            let text = self.overflow(unread, limit);
            self.fail(&text);
            return Take::Ended;
        }
        let take = if state.incoming.take(want, into) {
            Take::Done
        } else if state.is_over() {
            if state.owes_close()
                && let Some(session) = session()
            {
                return self.end_behind_close(state, want, session);
            }
            state.incoming.take_all(into);
            Take::Ended
        } else if let Some(reader) = &state.reader {
            return Take::Busy(reader.session);
        } else {
            if let Some(session) = session() {
                state.reader = Some(Reader { want: want.clone(), session, woken: false });
            }
            Take::Wait
        };
        self.after_read(state, take);
        take
    }

    /// Lets the owner handle the message about the end first; the reader comes back behind it.
    fn end_behind_close(
        &self,
        mut state: std::sync::MutexGuard<'_, State>,
        want: &Want,
        session: Session,
    ) -> Take {
        state.waited_for_close = true;
        // Told anew where another thread is just about to: a second message finds nobody to call.
        state.told_close = true;
        state.reader = Some(Reader { want: want.clone(), session, woken: true });
        let owner = state.owner.clone();
        drop(state);
        self.tell(&Event::Close);
        if let Some(owner) = owner {
            self.answer(&owner.service, session);
        }
        Take::Wait
    }

    /// What the reader under `session` asked for, now that it has been answered. When somebody
    /// else took it, the session from `again` is noted instead.
    pub fn finish_read(
        self: &Arc<Self>,
        session: Session,
        into: &mut Vec<u8>,
        again: impl FnOnce() -> Session,
    ) -> Take {
        let mut state = self.lock();
        let Some(reader) = state.reader.take_if(|reader| reader.session == session) else {
            into.clear();
            return Take::Ended;
        };
        let take = if state.incoming.take(&reader.want, into) {
            Take::Done
        } else if state.is_over() {
            state.incoming.take_all(into);
            Take::Ended
        } else {
            state.reader = Some(Reader { session: again(), woken: false, ..reader });
            Take::Wait
        };
        self.after_read(state, take);
        take
    }

    /// Lets the peer go on when there is room again, or somebody waits for it.
    fn after_read(self: &Arc<Self>, mut state: std::sync::MutexGuard<'_, State>, take: Take) {
        let paused = (state.flooded || state.paused) && !state.is_over();
        let resumes = paused
            && match take {
                Take::Wait => true,
                // A pause of the script's own lasts until somebody has to wait.
                _ => !state.paused && state.incoming.len() <= HIGH_WATER / 2,
            };
        if !resumes {
            return;
        }
        let by_script = std::mem::take(&mut state.paused);
        state.flooded = false;
        drop(state);
        if by_script {
            self.log(&format!("Resume socket ({})", self.id.number()));
        }
        self.resume_link();
    }

    /// Takes bytes from the peer again after `pause`.
    pub fn resume(self: &Arc<Self>) {
        self.lock().paused = false;
        self.resume_link();
    }

    /// Forgets the reader under `session`, which will not come back.
    pub fn forget_reader(&self, session: Session) {
        self.lock().reader.take_if(|reader| reader.session == session);
    }

    /// Bytes that wait to be read.
    pub fn unread(&self) -> usize {
        self.lock().incoming.len()
    }
}
