//! The connection under a client.
//!
//! Invariant: commands go out whole and in order, through TLS if the server is reached by it.

use std::sync::Arc;
use std::time::Duration;

use crate::net::Stream;
use crate::net::stream::Ended;
use crate::net::tls::Session;

/// The connection under a client.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    stream: Arc<Stream>,
    session: Option<Arc<Session>>,
}

impl Channel {
    pub(super) const fn new(stream: Arc<Stream>, session: Option<Arc<Session>>) -> Self {
        Self { stream, session }
    }

    /// Writes whole commands; answers how many bytes are queued now.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<usize, Ended> {
        match &self.session {
            None => self.stream.write(bytes),
            // A session fails by what it receives, and whoever received it closes and says why.
            Some(session) => session.send(&self.stream, &[bytes]).map_err(|_| Ended),
        }
    }

    /// Closes when everything is written, or when the server takes nothing for `linger`.
    pub(super) fn close(&self, linger: Duration) {
        if let Some(session) = &self.session {
            session.close(&self.stream);
        }
        self.stream.close(linger);
    }

    /// Closes at once.
    pub(super) fn abort(&self) {
        self.stream.close(Duration::ZERO);
    }

    pub(super) fn queued(&self) -> usize {
        self.stream.queued()
    }

    pub(super) fn pause(&self) {
        self.stream.pause();
    }

    pub(super) fn resume(&self) {
        self.stream.resume();
    }
}
