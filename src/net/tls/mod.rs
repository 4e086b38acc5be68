//! TLS between a connection and whoever reads and writes it.
//!
//! A `Session` is one side of one connection: received bytes go in and plaintext comes out, plaintext
//! goes in and records come out. What it needs to know (certificates, authorities) is in the
//! settings, which many sessions share and which notice when their files change.
//! Invariant: the cryptography is always the provider named here, never one of the process; nothing
//! here reads or writes a socket except through a `Stream` that it is given.

mod certificate;
mod ciphers;
mod client;
mod files;
mod reason;
mod server;
mod session;
mod store;
#[cfg(test)]
pub(in crate::net) mod tests;
mod watched;

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};

pub use certificate::Certificate;
pub use client::{ClientOptions, ClientSettings, Roots};
pub use server::{ServerOptions, ServerSettings};
pub use session::{PENDING, Session, WriteError};
pub use store::{Store, log_of};

/// Files of a certificate: its chain (its own first) and its private key, both PEM.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CertificateFiles {
    /// The chain.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// What is told about files that are read again: lines for the log.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
