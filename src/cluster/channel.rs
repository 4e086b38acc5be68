//! The connection under a link or an agent.
//!
//! Invariant: frames go out whole and in order, through TLS if links are secured by it.

use std::sync::Arc;
use std::time::Duration;

use crate::net::stream::Ended;
use crate::net::tls::Session;
use crate::net::{Chunk, Priority, Stream};

/// Time for a peer to take the last answers when a connection is closed in order.
const LINGER: Duration = Duration::from_secs(2);

/// Bytes that are sealed at a time, about.
const SEALED: usize = 256 << 10;

/// The connection under a link or an agent.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    stream: Arc<Stream>,
    /// What everything goes through, if links are secured by TLS.
    session: Option<Arc<Session>>,
}

impl Channel {
    pub(super) const fn new(stream: Arc<Stream>, session: Option<Arc<Session>>) -> Self {
        Self { stream, session }
    }

    /// Writes whole frames; answers how many bytes are queued now.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<usize, Ended> {
        match &self.session {
            None => self.stream.write(bytes),
            Some(session) => self.seal(session, &[bytes]),
        }
    }

    /// Writes whole frames that lie in several places.
    pub(super) fn write_chunks(&self, chunks: impl Iterator<Item = Chunk>) -> Result<usize, Ended> {
        let Some(session) = &self.session else {
            return self.stream.write_chunks(chunks, Priority::High);
        };
        // Each chunk is whole frames, so those of others may come between any two.
        let (mut some, mut bytes, mut queued) = (Vec::new(), 0, self.queued());
        for chunk in chunks {
            bytes += chunk.len();
            some.push(chunk);
            if bytes >= SEALED {
                queued = self.seal_chunks(session, &mut some)?;
                bytes = 0;
            }
        }
        if !some.is_empty() {
            queued = self.seal_chunks(session, &mut some)?;
        }
        Ok(queued)
    }

    fn seal_chunks(&self, session: &Session, chunks: &mut Vec<Chunk>) -> Result<usize, Ended> {
        let pieces: Vec<&[u8]> = chunks.iter().flat_map(Chunk::pieces).collect();
        let queued = self.seal(session, &pieces);
        chunks.clear();
        queued
    }

    fn seal(&self, session: &Session, pieces: &[&[u8]]) -> Result<usize, Ended> {
        // A session fails by what it receives, and whoever received it closes and says why.
        session.send(&self.stream, pieces).map_err(|_| Ended)
    }

    /// Closes when everything is written.
    pub(super) fn close(&self) {
        if let Some(session) = &self.session {
            session.close(&self.stream);
        }
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
