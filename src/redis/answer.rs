//! The answer to a call of Redis that a coroutine waits for.
//!
//! The coroutine gets a RESPONSE message whose payload is a reply as the server wrote it, or several
//! one behind the other. What is no reply of a server is marked by a first byte that no reply has.
//! Invariant: whoever takes a call up gives it one answer.

use std::borrow::Cow;
use std::sync::Arc;

use crate::kernel::{Handle, Kind, Message, Node, Payload, Service, Session};

/// First byte of the text of an error that says everything.
pub const FAILED: u8 = b'!';

/// First byte of a cause in front of which whoever waits puts the server and the command.
pub const CAUSE: u8 = b'?';

/// Why there is no reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// A text that is raised as it is.
    Whole(String),
    /// The cause; whoever waits knows the server and the command.
    Cause(String),
}

impl Failure {
    fn payload(&self) -> Payload {
        let (mark, text) = match self {
            Self::Whole(text) => (FAILED, text),
            Self::Cause(text) => (CAUSE, text),
        };
        Payload::of_pieces(&[&[mark], text.as_bytes()])
    }
}

/// What an answer says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer<'a> {
    /// Replies in RESP2.
    Replies(&'a [u8]),
    /// There is none: a text that is raised as it is.
    Whole(&'a [u8]),
    /// There is none: the cause.
    Cause(&'a [u8]),
}

/// Reads the payload of an answer.
pub const fn read(payload: &[u8]) -> Answer<'_> {
    match payload {
        [FAILED, text @ ..] => Answer::Whole(text),
        [CAUSE, text @ ..] => Answer::Cause(text),
        replies => Answer::Replies(replies),
    }
}

/// Answers the call of `service` under `session`: with the bytes of one RESP2 reply, or with the
/// text of an error. For those who have no more than the numbers of whoever waits.
pub fn answer(node: &Node, service: Handle, session: Session, outcome: Result<Vec<u8>, String>) {
    let payload = match outcome {
        Ok(reply) => Payload::from_vec(reply),
        Err(text) => Failure::Whole(text).payload(),
    };
    // Whoever asked may have ended meanwhile.
    let _ = node.send_to(service, message(session, payload));
}

/// Gives `service` the replies to its call under `session`.
pub fn deliver(node: &Node, service: &Arc<Service>, session: Session, replies: Cow<'_, [u8]>) {
    let payload = match replies {
        Cow::Borrowed(bytes) => Payload::copy_of(bytes),
        Cow::Owned(bytes) => Payload::from_vec(bytes),
    };
    let _ = node.send(service, message(session, payload));
}

/// Tells `service` that its call under `session` has failed.
pub fn fail(node: &Node, service: &Arc<Service>, session: Session, why: &Failure) {
    let _ = node.send(service, message(session, why.payload()));
}

const fn message(session: Session, payload: Payload) -> Message {
    Message { source: None, session, kind: Kind::RESPONSE, payload }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_from_replies() {
        let whole = Failure::Whole("all".to_owned()).payload();
        assert_eq!(read(whole.as_slice()), Answer::Whole(b"all"));
        let cause = Failure::Cause("gone".to_owned()).payload();
        assert_eq!(read(cause.as_slice()), Answer::Cause(b"gone"));
        for reply in ["+OK\r\n", "-ERR\r\n", ":1\r\n", "$-1\r\n", "*0\r\n"] {
            assert_eq!(read(reply.as_bytes()), Answer::Replies(reply.as_bytes()));
        }
    }
}
