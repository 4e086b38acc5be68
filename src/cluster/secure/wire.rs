//! The handshake on a connection: first TLS, then the frames, within a time.
//!
//! Invariant: at most one frame of the handshake and one read are kept of a peer that has not proven
//! itself; a side that refuses says why before it closes, as far as the other can understand it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};

use super::handshake::{Caller, Listener};
use super::{Deadline, Opened, Security};
use crate::codec::cluster::split_greeting;
use crate::net::tls::Session;

/// What one read takes at most: the longest TLS record fits.
const READ: usize = 17 << 10;

/// Time for a peer to take the reason of a refusal. A connection that is closed while bytes of the
/// peer are unread is reset, and the reason lost.
const PARTING: Duration = Duration::from_secs(1);

/// Bytes of a refused peer that are read for that.
const PARTING_BYTES: usize = 64 << 10;

/// What is waited for below the frames.
const TLS: &str = "the end of the TLS handshake";

/// What a peer that says nothing to a caller may be.
const HINT: &str = "; a plain peer, or one whose cluster_secret or cluster_tls differs?";

/// Secures a connection as the side that made it.
pub(super) async fn call(
    security: &Security,
    socket: &mut TcpStream,
    session: Option<Session>,
    name: &[u8],
    deadline: Deadline,
) -> Result<Opened, String> {
    let mut wire = Wire::new(socket, session);
    let ended = timeout_at(deadline.at, wire.greet(security, name)).await;
    wire.end(ended.ok(), deadline, HINT).await
}

/// Secures a connection of a peer.
pub(super) async fn accept(
    security: &Security,
    socket: &mut TcpStream,
    session: Option<Session>,
    deadline: Deadline,
) -> Result<Opened, String> {
    let mut wire = Wire::new(socket, session);
    let ended = timeout_at(deadline.at, wire.welcome(security)).await;
    wire.end(ended.ok(), deadline, "").await
}

/// Why a handshake has failed.
enum Failure {
    /// The peer said nothing that tells why.
    Silent(String),
    /// The reason is known.
    Known(String),
}

impl<E: fmt::Display> From<E> for Failure {
    fn from(reason: E) -> Self {
        Self::Known(reason.to_string())
    }
}

/// A connection during the handshake.
struct Wire<'a> {
    socket: &'a mut TcpStream,
    session: Option<Session>,
    /// Received and not taken yet.
    plain: Vec<u8>,
    /// What the peer has to do next.
    expected: &'static str,
    /// The peer was told why it is refused.
    told: bool,
}

impl<'a> Wire<'a> {
    fn new(socket: &'a mut TcpStream, session: Option<Session>) -> Self {
        Self { socket, session, plain: Vec::new(), expected: TLS, told: false }
    }

    async fn greet(&mut self, security: &Security, name: &[u8]) -> Result<(), Failure> {
        self.start_tls().await?;
        let mut out = Vec::new();
        let terms = security.terms(self.session.as_ref())?;
        let mut caller = Caller::new(terms, security.nonce()?, name, &mut out);
        self.expected = caller.expected();
        self.write(&out).await?;
        self.converse(|content, out| (caller.take(content, out), caller.expected())).await
    }

    async fn welcome(&mut self, security: &Security) -> Result<(), Failure> {
        self.start_tls().await?;
        let terms = security.terms(self.session.as_ref())?;
        let mut listener = Listener::new(terms, security.nonce()?);
        self.expected = listener.expected();
        self.converse(|content, out| (listener.take(content, out), listener.expected())).await
    }

    async fn start_tls(&mut self) -> Result<(), Failure> {
        let Some(session) = &self.session else { return Ok(()) };
        let hello = session.start();
        self.send(&hello).await?;
        while self.session.as_ref().is_some_and(Session::is_handshaking) {
            self.read().await?;
        }
        // What 1.2 exports could be made the same for two sessions.
        if self.session.as_ref().is_some_and(Session::is_tls13) {
            Ok(())
        } else {
            Err("the peer speaks TLS 1.2; links between nodes need 1.3".into())
        }
    }

    /// Exchanges frames until the handshake has succeeded.
    async fn converse<E: fmt::Display>(
        &mut self,
        mut take: impl FnMut(&[u8], &mut Vec<u8>) -> (Result<bool, E>, &'static str),
    ) -> Result<(), Failure> {
        loop {
            let Some((content, rest)) = split_greeting(&self.plain)? else {
                self.read().await?;
                continue;
            };
            let used = self.plain.len() - rest.len();
            let mut out = Vec::new();
            let (taken, expected) = take(content, &mut out);
            let taken = taken.map_err(|error| error.to_string());
            self.plain.drain(..used);
            self.told = taken.is_err() && !out.is_empty();
            let written = self.write(&out).await;
            // The reason counts for more than that the peer may not hear of it.
            let done = taken?;
            written?;
            self.expected = expected;
            if done {
                return Ok(());
            }
        }
    }

    /// Takes what has arrived.
    async fn read(&mut self) -> Result<(), Failure> {
        let mut bytes = vec![0; READ];
        let count = self.socket.read(&mut bytes).await.map_err(|error| self.lost(&error))?;
        if count == 0 {
            let text = format!("closed by the peer, {} was expected", self.expected);
            return Err(Failure::Silent(text));
        }
        let Some(session) = &self.session else {
            self.plain.extend_from_slice(&bytes[..count]);
            return Ok(());
        };
        let mut reply = Vec::new();
        let opened = session.open(&bytes[..count], &mut self.plain, &mut reply);
        self.told = opened.is_err() && !reply.is_empty();
        let sent = self.send(&reply).await;
        opened?;
        sent
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Some(session) = &self.session else { return self.send(bytes).await };
        let mut records = Vec::new();
        session.seal(bytes, &mut records)?;
        self.send(&records).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.socket.write_all(bytes).await.map_err(|error| self.lost(&error))
    }

    fn lost(&self, error: &io::Error) -> Failure {
        Failure::Silent(format!("lost ({error}), {} was expected", self.expected))
    }

    /// What came of it: `ended` is nothing when the time was over. `hint` is for peers that gave no
    /// reason.
    async fn end(
        self,
        ended: Option<Result<(), Failure>>,
        deadline: Deadline,
        hint: &str,
    ) -> Result<Opened, String> {
        match ended {
            Some(Ok(())) => Ok(Opened { session: self.session.map(Arc::new), first: self.plain }),
            Some(Err(Failure::Silent(why))) => Err(format!("{why}{hint}")),
            Some(Err(Failure::Known(why))) => {
                if self.told {
                    part(self.socket).await;
                }
                Err(why)
            }
            None => {
                let (expected, limit) = (self.expected, deadline.limit);
                Err(format!("timed out: {expected} did not come within {limit:?}{hint}"))
            }
        }
    }
}

/// Lets a peer read what was written last.
async fn part(socket: &mut TcpStream) {
    let parting = async {
        socket.shutdown().await?;
        let mut bytes = [0; 1024];
        for _ in 0..PARTING_BYTES / bytes.len() {
            if socket.read(&mut bytes).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    // Whoever is gone already needs no reason.
    let _ = timeout(PARTING, parting).await;
}
