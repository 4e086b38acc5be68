//! Secured links: TLS, a shared secret, or both, between the nodes of one cluster.
//!
//! Either is driven to its end before a connection becomes a link or an agent (`wire.rs`), so nothing
//! is launched and nothing delivered for a peer that has not proven itself. Behind that, TLS is a
//! filter of what is received (`inflow.rs`) and written (`channel.rs`).
//! Invariant: with both, the proof of the secret is bound to the TLS session.
//! Not here: who may call what (`cluster_allow`), reading the config.

pub mod handshake;
mod inflow;
mod wire;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::codec::cluster::NONCE;
use crate::kernel::{Handle, Node};
use crate::net::Address;
use crate::net::tls::{
    CertificateFiles, ClientOptions, ClientSettings, Notice, Roots, ServerOptions, ServerSettings,
    Session,
};
use handshake::{Secret, Terms};
pub(super) use inflow::Inflow;

/// What TLS exports for the proofs of this protocol and no other.
const EXPORTED: &[u8] = b"EXPORTER-node-cluster-link";

/// Lines about files that wait for a node to log them.
type Lines = Arc<Mutex<Vec<String>>>;

/// How the links of a node are secured.
pub struct Security {
    secret: Option<Secret>,
    tls: Option<Tls>,
    random: SystemRandom,
    lines: Lines,
}

/// Both ends of TLS. Each side shows its certificate and judges the other's.
struct Tls {
    client: ClientSettings,
    server: ServerSettings,
}

/// The files of TLS, all PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate of this node with its key.
    pub own: CertificateFiles,
    /// The authorities of the cluster.
    pub authorities: std::path::PathBuf,
}

/// What a connection has become when both sides agree.
pub(super) struct Opened {
    /// What everything goes through from now on.
    pub(super) session: Option<Arc<Session>>,
    /// What has arrived behind the handshake.
    pub(super) first: Vec<u8>,
}

impl Opened {
    /// A connection that is not secured.
    pub(super) const PLAIN: Self = Self { session: None, first: Vec::new() };
}

/// Time for a peer to prove itself: its end, and how long it was, for the log.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, limit }
    }
}

impl Security {
    /// Security by a secret, if there is one.
    pub fn new(secret: Option<&[u8]>) -> Self {
        let secret = secret.map(Secret::new);
        Self { secret, tls: None, random: SystemRandom::new(), lines: Lines::default() }
    }

    /// The same by TLS too.
    ///
    /// # Errors
    /// What is wrong with a file, with its name.
    pub fn with_tls(self, files: TlsFiles) -> Result<Self, String> {
        let noted = Arc::clone(&self.lines);
        let notice: Notice = Arc::new(move |line: &str| {
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
        });
        Ok(Self { tls: Some(Tls::new(files, &notice)?), ..self })
    }

    /// Makes the connection to `address` one that both sides trust.
    pub(super) async fn call(
        &self,
        node: &Node,
        log: Option<Handle>,
        socket: &mut TcpStream,
        (address, name): (&Address, &str),
        deadline: Deadline,
    ) -> Result<Opened, String> {
        let session = self.tls.as_ref().map(|tls| Session::client(&address.host, &tls.client));
        self.log(node, log);
        let session = session.transpose()?;
        wire::call(self, socket, session, name.as_bytes(), deadline).await
    }

    /// The same for a connection of a peer.
    pub(super) async fn accept(
        &self,
        node: &Node,
        log: Option<Handle>,
        socket: &mut TcpStream,
        deadline: Deadline,
    ) -> Result<Opened, String> {
        let session = self.tls.as_ref().map(|tls| Session::server(&tls.server));
        self.log(node, log);
        let session = session.transpose()?;
        wire::accept(self, socket, session, deadline).await
    }

    /// Logs what was noted about files, in the name of `source`.
    fn log(&self, node: &Node, source: Option<Handle>) {
        let lines = std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner));
        for line in lines {
            node.log(source, &format!("cluster: {line}"));
        }
    }

    fn nonce(&self) -> Result<[u8; NONCE], String> {
        let mut nonce = [0; NONCE];
        let filled = self.random.fill(&mut nonce);
        filled.map(|()| nonce).map_err(|_| "the system gives no random bytes".to_owned())
    }

    /// What this side brings to the handshake inside of `session`.
    fn terms(&self, session: Option<&Session>) -> Result<Terms, String> {
        let bind = |session: &Session| {
            let mut binding = [0; 32];
            session.exporter(EXPORTED, None, &mut binding).map(|()| binding)
        };
        Ok(Terms { secret: self.secret.clone(), binding: session.map(bind).transpose()? })
    }
}

impl Tls {
    fn new(files: TlsFiles, notice: &Notice) -> Result<Self, String> {
        let client = ClientOptions {
            roots: Roots::File(files.authorities.clone()),
            verify: true,
            certificate: Some(files.own.clone()),
            ciphers: None,
        };
        let server = ServerOptions {
            certificates: vec![files.own],
            client_roots: Some(files.authorities),
            ciphers: None,
        };
        Ok(Self {
            client: ClientSettings::new(client, Arc::clone(notice))?,
            server: ServerSettings::new(server, Arc::clone(notice))?,
        })
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secret, tls) = (self.secret.is_some(), self.tls.is_some());
        write!(formatter, "security by a secret: {secret}, by TLS: {tls}")
    }
}
