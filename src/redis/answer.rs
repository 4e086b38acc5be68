//! The answer to a call of Redis that a coroutine waits for.
//!
//! The coroutine gets a RESPONSE message whose payload is a reply as the server wrote it, or several
//! one behind the other. Why there is none stands behind a first byte that no reply has.
//! Invariant: whoever takes a call up gives it one answer.

use std::borrow::Cow;
use std::sync::Arc;

use crate::kernel::{Kind, Message, Node, Payload, Service, Session};

/// First byte of a cause.
const CAUSE: u8 = b'?';

/// What the payload of an answer says: replies in RESP2, or else the cause, in front of which whoever
/// waits puts the server and the command.
///
/// # Errors
/// The cause.
pub const fn read(payload: &[u8]) -> Result<&[u8], &[u8]> {
    match payload {
        [CAUSE, text @ ..] => Err(text),
        replies => Ok(replies),
    }
}

/// Gives `service` the replies to its call under `session`.
pub fn deliver(node: &Node, service: &Arc<Service>, session: Session, replies: Cow<'_, [u8]>) {
    let payload = match replies {
        Cow::Borrowed(bytes) => Payload::copy_of(bytes),
        Cow::Owned(bytes) => Payload::from_vec(bytes),
    };
    let _ = node.send(service, message(session, payload));
}

/// Tells `service` why its call under `session` has failed.
pub fn fail(node: &Node, service: &Arc<Service>, session: Session, cause: &str) {
    let _ = node.send(service, message(session, payload_of(cause)));
}

fn payload_of(cause: &str) -> Payload {
    Payload::of_pieces(&[&[CAUSE], cause.as_bytes()])
}

const fn message(session: Session, payload: Payload) -> Message {
    Message { source: None, session, kind: Kind::RESPONSE, payload }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_from_replies() {
        assert_eq!(read(payload_of("gone").as_slice()), Err(b"gone".as_slice()));
        for reply in ["+OK\r\n", "-ERR\r\n", ":1\r\n", "$-1\r\n", "*0\r\n"] {
            assert_eq!(read(reply.as_bytes()), Ok(reply.as_bytes()));
        }
    }
}
