//! What a connection may take of memory and time.

use std::time::Duration;

/// Limits of one connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a frame of the peer.
    pub frame: usize,
    /// Bytes of a message of the peer, all its frames together.
    pub message: usize,
    /// Bytes that may wait for a peer who reads slowly.
    pub write: usize,
    /// Time for the opening handshake.
    pub handshake: Duration,
    /// Time for the peer to answer a close frame.
    pub close: Duration,
    /// Silence after which the peer is pinged, and after which it is given up when it does not
    /// answer; zero never asks.
    pub ping: Duration,
    /// Frames of a client need no mask, which the protocol forbids.
    pub accept_unmasked: bool,
}

impl Limits {
    /// What holds when nothing else is said. Frame and message are skynet's own limit.
    pub const DEFAULT: Self = Self {
        frame: 256 << 10,
        message: 256 << 10,
        write: 8 << 20,
        handshake: Duration::from_secs(10),
        close: Duration::from_secs(5),
        ping: Duration::from_secs(60),
        accept_unmasked: false,
    };

    /// Bytes a client takes in a message when nothing else is said: it has chosen whom to trust.
    pub const CLIENT_MESSAGE: usize = 16 << 20;

    /// The same limits for the side that connects.
    #[must_use]
    pub const fn of_client(mut self) -> Self {
        self.frame = Self::CLIENT_MESSAGE;
        self.message = Self::CLIENT_MESSAGE;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
