//! The opening handshake of a connection: bytes until it is granted or refused.

use std::time::Instant;

use super::{Connection, DRAIN, Phase, State};
use crate::websocket::event::{Closed, Event, How};
use crate::websocket::handshake::{client, server};

impl Connection {
    /// Takes bytes of the opening handshake, and the frames behind it.
    pub(super) fn open(&self, state: &mut State, bytes: &[u8], end: bool) -> Option<Instant> {
        state.head.extend_from_slice(bytes);
        let head = std::mem::take(&mut state.head);
        let opened = match &state.phase {
            Phase::Offering(offer) => self.read_request(offer, &head, state.seen),
            Phase::Asking(asked) => client::read(asked, &head, state.seen, end)
                .map(|granted| {
                    granted.map(|granted| {
                        let client::Granted { headers, length } = granted;
                        (Event::Open { url: String::new(), headers }, length)
                    })
                })
                .map_err(|(status, reason)| Closed { how: How::Refused, code: status, reason }),
            _ => return None,
        };
        match opened {
            Ok(None) => {
                state.seen = head.len();
                state.head = head;
                None
            }
            Ok(Some((event, length))) => {
                state.events.push_back(event);
                state.phase = Phase::Open;
                state.since = self.deadlines.now();
                let next = state.deadline(&self.limits);
                if head.len() > length {
                    self.receive(state, &head[length..]).or(next)
                } else {
                    next
                }
            }
            Err(closed) => {
                state.finish(closed);
                // The other side may still be sending; it would lose the answer if it were cut.
                self.enter(state, Phase::Draining(DRAIN))
            }
        }
    }

    /// Reads and answers the request.
    fn read_request(
        &self,
        offer: &server::Offer,
        head: &[u8],
        seen: usize,
    ) -> Result<Option<(Event, usize)>, Closed> {
        let answered = server::read(head, seen).and_then(|read| {
            let Some((request, length)) = read else { return Ok(None) };
            let answer = server::grant(&request, offer)?;
            Ok(Some((answer, request, length)))
        });
        match answered {
            Ok(None) => Ok(None),
            Ok(Some((answer, request, length))) => {
                let _ = self.transport.write(&answer);
                let server::Request { url, headers, .. } = request;
                Ok(Some((Event::Open { url, headers }, length)))
            }
            Err(refusal) => {
                let _ = self.transport.write(&refusal.response());
                let server::Refusal { status, reason } = refusal;
                Err(Closed { how: How::Refused, code: Some(status), reason })
            }
        }
    }
}
