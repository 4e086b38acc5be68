//! The time limits of a connection: when to look, and what is done when it is time.

use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, OpCode};

use super::{Connection, LINGER, Phase, State};
use crate::websocket::event::{Closed, How};
use crate::websocket::handshake::server;
use crate::websocket::limits::Limits;

impl Connection {
    /// Does what is due at `now`; when to look again.
    pub(in crate::websocket) fn check(&self, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        let due = state.deadline(&self.limits)?;
        if due > now {
            return Some(due);
        }
        let next = self.overdue(&mut state, now);
        self.release(state);
        next
    }

    fn overdue(&self, state: &mut State, now: Instant) -> Option<Instant> {
        match state.phase {
            Phase::Offering(_) => {
                let limit = self.limits.handshake;
                let reason = format!("no opening handshake within {} s", limit.as_secs_f64());
                let refusal = server::Refusal::new(408, reason);
                let _ = self.transport.write(&refusal.response());
                let server::Refusal { status, reason } = refusal;
                state.finish(Closed { how: How::Refused, code: Some(status), reason });
                self.transport.close(LINGER);
            }
            Phase::Asking(_) => {
                let limit = self.limits.handshake.as_secs_f64();
                let reason = format!("websocket handshake: no answer within {limit} s");
                state.finish(Closed { how: How::Refused, code: None, reason });
                self.transport.close(Duration::ZERO);
            }
            Phase::Open if state.paused => {
                // It is not heard because it is held up.
                state.heard = now;
                return state.deadline(&self.limits);
            }
            Phase::Open if state.pinged => {
                let limit = self.limits.ping.as_secs_f64();
                state.finish(Closed::lost(format!("no answer to a ping within {limit} s")));
                self.transport.close(Duration::ZERO);
            }
            Phase::Open => {
                let _ = self.write(state, OpCode::Control(Control::Ping), true, b"", None);
                state.pinged = true;
                state.heard = now;
                return state.deadline(&self.limits);
            }
            Phase::Closing => {
                let limit = self.limits.close.as_secs_f64();
                let reason = format!("no answer to the close frame within {limit} s");
                state.finish(Closed::lost(reason));
                self.transport.close(Duration::ZERO);
            }
            Phase::Draining(_) => self.transport.close(LINGER),
            Phase::Ended => {}
        }
        state.phase = Phase::Ended;
        None
    }
}

impl State {
    /// When to look at it next.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match self.phase {
            Phase::Offering(_) | Phase::Asking(_) => Some(self.since + limits.handshake),
            Phase::Open if limits.ping.is_zero() => None,
            Phase::Open => Some(self.heard + limits.ping),
            Phase::Closing => Some(self.since + limits.close),
            Phase::Draining(limit) => Some(self.since + limit),
            Phase::Ended => None,
        }
    }
}
