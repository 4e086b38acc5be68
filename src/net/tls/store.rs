//! The settings in use by a node, so that connections with the same options share them.
//!
//! Invariant: no lock is held while files are read.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{
    CertificateFiles, ClientOptions, ClientSettings, Notice, Roots, ServerOptions, ServerSettings,
};
use crate::kernel::Node;

/// Settings kept of a kind. Only a program that makes up file names reaches it; then all are read
/// anew when they are used next.
const KEPT: usize = 256;

/// The settings in use by a node.
pub struct Store {
    defaults: ClientOptions,
    certificate: CertificateFiles,
    handshake: Duration,
    clients: Mutex<HashMap<ClientOptions, Arc<ClientSettings>>>,
    servers: Mutex<HashMap<ServerOptions, Arc<ServerSettings>>>,
}

impl Store {
    /// A store for a node whose clients connect with `defaults` and whose servers show
    /// `certificate`, and where a handshake may take `handshake`, if nothing else is asked for.
    pub fn new(
        defaults: ClientOptions,
        certificate: CertificateFiles,
        handshake: Duration,
    ) -> Self {
        let (clients, servers) = (Mutex::default(), Mutex::default());
        Self { defaults, certificate, handshake, clients, servers }
    }

    /// How the node connects by its config.
    pub const fn defaults(&self) -> &ClientOptions {
        &self.defaults
    }

    /// What its servers show by its config.
    pub const fn certificate(&self) -> &CertificateFiles {
        &self.certificate
    }

    /// How long a handshake may take by its config.
    pub const fn handshake_limit(&self) -> Duration {
        self.handshake
    }

    /// The settings for `options`, which are made when they are asked for first. What there is to
    /// say of their files later is logged by `node`.
    ///
    /// # Errors
    /// As `ClientSettings::new`.
    pub fn client(
        &self,
        options: &ClientOptions,
        node: &Arc<Node>,
    ) -> Result<Arc<ClientSettings>, String> {
        find(&self.clients, options, || {
            ClientSettings::new(options.clone(), log_of(node)).map_err(|error| {
                let by_system = options.verify && options.roots == Roots::System;
                if by_system { format!("{error} (config key tls_ca)") } else { error }
            })
        })
    }

    /// As `client`, for servers.
    ///
    /// # Errors
    /// As `ServerSettings::new`.
    pub fn server(
        &self,
        options: &ServerOptions,
        node: &Arc<Node>,
    ) -> Result<Arc<ServerSettings>, String> {
        find(&self.servers, options, || ServerSettings::new(options.clone(), log_of(node)))
    }
}

/// Lines for the log of `node`, which may end before whoever says them.
pub fn log_of(node: &Arc<Node>) -> Notice {
    let node = Arc::downgrade(node);
    Arc::new(move |line: &str| {
        if let Some(node) = node.upgrade() {
            node.log(None, line);
        }
    })
}

fn find<K: Clone + Eq + Hash, V>(
    all: &Mutex<HashMap<K, Arc<V>>>,
    key: &K,
    make: impl FnOnce() -> Result<V, String>,
) -> Result<Arc<V>, String> {
    let lock = || all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = lock().get(key) {
        return Ok(Arc::clone(found));
    }
    let made = Arc::new(make()?);
    let mut all = lock();
    if all.len() >= KEPT {
        all.clear();
    }
    // Another thread may have been faster; both use its settings then.
    Ok(Arc::clone(all.entry(key.clone()).or_insert(made)))
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TLS settings with {:?}", self.defaults)
    }
}
