//! The writing side of a connection that may be secured by TLS.
//!
//! Invariant: what is written goes out whole and in order, through the session if there is one.
//! Not here: what is received; whoever does has the session too.

use std::sync::Arc;
use std::time::Duration;

use super::chunk::Chunk;
use super::stream::{Ended, Priority, Stream};
use super::tls::Session;

/// Bytes that are sealed at a time, about.
const SEALED: usize = 256 << 10;

/// The writing side of a connection.
#[derive(Clone, Debug)]
pub struct Channel {
    stream: Arc<Stream>,
    /// What everything goes through, if the connection is secured.
    session: Option<Arc<Session>>,
}

impl Channel {
    /// Of this connection, secured by `session` if there is one.
    pub const fn new(stream: Arc<Stream>, session: Option<Arc<Session>>) -> Self {
        Self { stream, session }
    }

    /// Writes `bytes` as a whole; answers how many bytes are queued now.
    ///
    /// # Errors
    /// When the connection is closing or has ended.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Ended> {
        match &self.session {
            None => self.stream.write(bytes),
            Some(session) => self.seal(session, &[bytes]),
        }
    }

    /// Writes chunks, each as a whole; otherwise as `write`.
    ///
    /// # Errors
    /// As `write`.
    pub fn write_chunks(&self, chunks: impl Iterator<Item = Chunk>) -> Result<usize, Ended> {
        let Some(session) = &self.session else {
            return self.stream.write_chunks(chunks, Priority::High);
        };
        // Each chunk is a whole, so those of others may come between any two.
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

    /// Closes when everything is written, or when the peer takes nothing for `linger`.
    pub fn close(&self, linger: Duration) {
        if let Some(session) = &self.session {
            session.close(&self.stream);
        }
        self.stream.close(linger);
    }

    /// Closes at once.
    pub fn abort(&self) {
        self.stream.close(Duration::ZERO);
    }

    /// Bytes that wait to be written.
    pub fn queued(&self) -> usize {
        self.stream.queued()
    }

    /// Bytes received and sent so far.
    pub fn traffic(&self) -> u64 {
        let (received, sent) = self.stream.traffic();
        received + sent
    }

    /// Takes no further bytes from the peer, who is held up by that in the end.
    pub fn pause(&self) {
        self.stream.pause();
    }

    /// Takes bytes from the peer again.
    pub fn resume(&self) {
        self.stream.resume();
    }
}
