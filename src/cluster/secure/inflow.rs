//! What a connection brings, as frames: through TLS if it is there, beginning with what arrived
//! behind the handshake.
//!
//! Invariant: frames come in the order of their bytes, and none after one was refused.

use std::sync::Arc;

use super::Opened;
use crate::cluster::inbound::Inbound;
use crate::net::Stream;
use crate::net::tls::Session;

/// Room for plaintext that is kept between two calls.
const KEPT: usize = 64 << 10;

/// What a connection brings, as frames.
#[derive(Debug)]
pub(crate) struct Inflow {
    session: Option<Arc<Session>>,
    first: Vec<u8>,
    inbound: Inbound,
    plain: Vec<u8>,
}

impl Inflow {
    pub(crate) fn new(opened: Opened) -> Self {
        let Opened { session, first } = opened;
        Self { session, first, inbound: Inbound::default(), plain: Vec::new() }
    }

    /// Gives the frames that arrived behind the handshake to `on_frame`. Comes before `feed`.
    pub(crate) fn begin(
        &mut self,
        on_frame: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        self.inbound.feed(&std::mem::take(&mut self.first), on_frame)
    }

    /// Gives every frame that is complete now to `on_frame`, until one is refused.
    pub(crate) fn feed(
        &mut self,
        stream: &Stream,
        bytes: &[u8],
        on_frame: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some(session) = &self.session else { return self.inbound.feed(bytes, on_frame) };
        self.plain.clear();
        let received = session.receive(stream, bytes, &mut self.plain);
        // What came before a broken record is as good as if it had come alone.
        let fed = self.inbound.feed(&self.plain, on_frame);
        self.plain.clear();
        self.plain.shrink_to(KEPT);
        fed.and(received.map(|_| ()))
    }

    /// True when no frame is incomplete.
    pub(crate) fn is_empty(&self) -> bool {
        self.inbound.is_empty()
    }
}
