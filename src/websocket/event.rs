//! What a connection tells whoever holds it.

use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};

use super::close;

/// Kind of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

/// Names and values of a head, in their order; names in lower case.
pub type Headers = Vec<(String, Vec<u8>)>;

/// One thing that has happened.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The opening handshake is done.
    Open {
        /// What was asked for; empty at the side that has connected.
        url: String,
        /// The head of the other side.
        headers: Headers,
    },
    /// A whole message.
    Message(Kind, Bytes),
    /// A ping, which is answered already.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// The end; nothing follows.
    Closed(Closed),
}

impl Event {
    /// Bytes it holds, for the bound of the queue.
    pub fn size(&self) -> usize {
        let held = match self {
            Self::Message(_, bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes.len(),
            Self::Open { .. } | Self::Closed(_) => 0,
        };
        held + size_of::<Self>()
    }

    pub(super) fn text(text: Utf8Bytes) -> Self {
        Self::Message(Kind::Text, text.into())
    }
}

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// Both sides have sent a close frame.
    Clean,
    /// The opening handshake failed; the reason says why.
    Refused,
    /// The peer broke the protocol or a limit; code and reason are those it was told.
    Failed,
    /// The connection was lost, or the peer did not answer in time.
    Lost,
}

/// The end of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closed {
    /// How it came.
    pub how: How,
    /// Code of the peer's close frame, `None` when that had none; as told to the peer for
    /// `Failed`, `close::ABNORMAL` for `Lost`, the HTTP status for `Refused`.
    pub code: Option<u16>,
    /// Reason of the peer's close frame, or what has happened.
    pub reason: String,
}

impl Closed {
    pub(super) fn lost(reason: impl Into<String>) -> Self {
        Self { how: How::Lost, code: Some(close::ABNORMAL), reason: reason.into() }
    }
}
