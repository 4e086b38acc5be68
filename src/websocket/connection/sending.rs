//! What this side sends: messages, pings, and the close frame that begins the closing handshake.
//!
//! Invariant: a message is one frame in one write, unless the script sends it in parts.

use std::cell::RefCell;
use std::time::Duration;

use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::{Connection, Phase, SendError, State};
use crate::net::Ended;
use crate::websocket::event::{Closed, Event, How, Kind};
use crate::websocket::frame::{self, Mask};
use crate::websocket::{Role, close};

/// Longest payload of a control frame.
const CONTROL: usize = 125;

/// A frame larger than this is made in a block of its own.
const SCRATCH: usize = 64 << 10;

thread_local! {
    static FRAME: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Connection {
    /// Sends a whole message.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn send(&self, kind: Kind, payload: &[u8], mask: Option<Mask>) -> Result<usize, SendError> {
        self.send_part(Some(kind), true, payload, mask)
    }

    /// Sends a part of a message: its first has a kind, its last is marked.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn send_part(
        &self,
        kind: Option<Kind>,
        last: bool,
        payload: &[u8],
        mask: Option<Mask>,
    ) -> Result<usize, SendError> {
        let mut state = self.lock();
        let opcode = match (kind, state.fragmented) {
            (Some(_), true) => {
                return Err(SendError::Illegal("the parts of another message are being sent"));
            }
            (None, false) => return Err(SendError::Illegal("there is no message to continue")),
            (Some(Kind::Text), false) => Data::Text,
            (Some(Kind::Binary), false) => Data::Binary,
            (None, true) => Data::Continue,
        };
        let sent = self.write(&mut state, OpCode::Data(opcode), last, payload, mask);
        if sent.is_ok() {
            state.fragmented = !last;
        }
        self.release(state);
        sent
    }

    /// Sends a ping or, with `pong`, an unasked pong.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn ping(&self, payload: &[u8], pong: bool) -> Result<usize, SendError> {
        if payload.len() > CONTROL {
            return Err(SendError::Illegal("a ping or pong has at most 125 bytes"));
        }
        let mut state = self.lock();
        let opcode = OpCode::Control(if pong { Control::Pong } else { Control::Ping });
        let sent = self.write(&mut state, opcode, true, payload, None);
        self.release(state);
        sent
    }

    pub(super) fn write(
        &self,
        state: &mut State,
        opcode: OpCode,
        last: bool,
        payload: &[u8],
        mask: Option<Mask>,
    ) -> Result<usize, SendError> {
        if !matches!(state.phase, Phase::Open) || !state.engine.can_write() {
            return Err(SendError::Closed);
        }
        let masks = self.role == Role::Client || self.mask_outgoing;
        let mask = match mask.or_else(|| if masks { frame::random_mask() } else { None }) {
            None if masks => return Err(SendError::Illegal("there are no random numbers")),
            mask => mask,
        };
        let queued = FRAME.with_borrow_mut(|frame| {
            frame.clear();
            frame::encode(frame, opcode, last, payload, mask);
            let queued = self.transport.write(frame);
            frame.shrink_to(SCRATCH);
            queued
        });
        // The end is reported when the transport tells of it.
        let queued = queued.map_err(|Ended| SendError::Closed)?;
        if queued > self.limits.write && queued > payload.len() + SCRATCH {
            let limit = self.limits.write;
            self.give_up(state, &format!("{queued} bytes wait for it, the limit is {limit}"));
            return Err(SendError::Slow(queued));
        }
        Ok(queued)
    }

    /// Cuts a peer off that does not read.
    pub(super) fn give_up(&self, state: &mut State, why: &str) {
        state.finish(Closed::lost(format!("the peer is too slow: {why}")));
        state.phase = Phase::Ended;
        self.transport.close(Duration::ZERO);
    }

    /// Closes: sends a close frame, and the transport closes when it is answered, or not in time.
    /// Does nothing when it is closed or closing.
    ///
    /// # Errors
    /// When a frame must not have this code.
    pub fn close(&self, code: Option<u16>, reason: &str) -> Result<(), SendError> {
        if code.is_some_and(|code| !close::is_sendable(code)) {
            return Err(SendError::Illegal("no close frame has this code"));
        }
        let mut state = self.lock();
        match state.phase {
            Phase::Open => {
                let mut output = Vec::new();
                state.engine.close(code, reason, &mut output);
                let _ = self.transport.write(&output);
                // What has not been taken is nobody's any more; how it was opened still is.
                state.events.retain(|event| matches!(event, Event::Open { .. }));
                state.queued = 0;
                let at = self.enter(&mut state, Phase::Closing);
                self.watch(at);
            }
            Phase::Offering(_) | Phase::Asking(_) => {
                let reason = "websocket handshake: closed before it was done".to_owned();
                state.finish(Closed { how: How::Refused, code: None, reason });
                state.phase = Phase::Ended;
                self.transport.close(Duration::ZERO);
            }
            Phase::Closing | Phase::Draining(_) | Phase::Ended => {}
        }
        self.release(state);
        Ok(())
    }
}
