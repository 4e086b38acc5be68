//! The connection under a link or an agent.
//!
//! Invariant: frames go out whole and in order.

use std::sync::Arc;
use std::time::Duration;

use crate::net::stream::Ended;
use crate::net::{Chunk, Priority, Stream};

/// Time for a peer to take the last answers when a connection is closed in order.
const LINGER: Duration = Duration::from_secs(2);

/// The connection under a link or an agent.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    stream: Arc<Stream>,
}

impl Channel {
    pub(super) const fn new(stream: Arc<Stream>) -> Self {
        Self { stream }
    }

    /// Writes whole frames; answers how many bytes are queued now.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<usize, Ended> {
        self.stream.write(bytes)
    }

    /// Writes whole frames that lie in several places.
    pub(super) fn write_chunks(&self, chunks: impl Iterator<Item = Chunk>) -> Result<usize, Ended> {
        self.stream.write_chunks(chunks, Priority::High)
    }

    /// Closes when everything is written.
    pub(super) fn close(&self) {
        self.stream.close(LINGER);
    }

    /// Closes at once.
    pub(super) fn abort(&self) {
        self.stream.close(Duration::ZERO);
    }

    pub(super) fn queued(&self) -> usize {
        self.stream.queued()
    }

    /// Bytes received and sent so far.
    pub(super) fn traffic(&self) -> u64 {
        let (received, sent) = self.stream.traffic();
        received + sent
    }

    pub(super) fn pause(&self) {
        self.stream.pause();
    }

    pub(super) fn resume(&self) {
        self.stream.resume();
    }
}
