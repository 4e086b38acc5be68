//! HTTP/1 as skynet's scripts see it: heads of requests and responses, what a body's length is, and
//! the chunked coding.
//!
//! Source: reference 9 and RFC 9112; httparse reads the header fields. Where skynet is looser than
//! the RFC in a way that lets two parties disagree on where a message ends, the RFC wins.
//! Invariant: whatever the bytes are, nothing here panics, allocates or reads past a limit; bytes
//! may arrive in any pieces, and "need more" is `None`.
//! Not here: connections, and what scripts are given (`bindings/http.rs`).

mod chunked;
mod framing;
mod head;

pub use chunked::{CHUNK_LINE_LIMIT, Decoded, Phase, Step, decode, step};
pub use framing::{Body, body};
pub use head::{
    FIELD_LIMIT, Fields, HEAD_LIMIT, RESPONSE_HEAD_LIMIT, Request, Response, block, find_end,
    is_token, request, response,
};

/// Why bytes are no message that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not HTTP, or ambiguous HTTP.
    #[error("malformed message")]
    Malformed,
    /// More than the limit for a head.
    #[error("head too large")]
    TooLarge,
    /// A transfer coding other than chunked.
    #[error("transfer coding not supported")]
    Coding,
    /// HTTP, but neither 1.0 nor 1.1.
    #[error("version not supported")]
    Version,
}

impl Refusal {
    /// The status code that tells a client so.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::TooLarge => 413,
            Self::Coding => 501,
            Self::Version => 505,
        }
    }
}
