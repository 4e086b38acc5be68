//! Sessions against each other, in memory, with certificates made for each test.
//!
//! Not here: sessions on sockets (`net::tests`), when files are looked at (`watched.rs`).

mod records;
mod settings;
mod trust;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::{
    CertificateFiles, ClientOptions, ClientSettings, Notice, Roots, ServerOptions, ServerSettings,
    Session,
};

/// A folder with an authority and what it signs.
pub(in crate::net) struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(in crate::net) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("node-tls-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    pub(in crate::net) fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    fn signed(&self, file: &str, params: &CertificateParams) -> CertificateFiles {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.write(file, &certificate.pem(), &key.serialize_pem())
    }

    fn write(&self, file: &str, certificate: &str, key: &str) -> CertificateFiles {
        let files = CertificateFiles {
            certificate: self.folder.join(format!("{file}.pem")),
            key: self.folder.join(format!("{file}.key")),
        };
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        files
    }

    /// A certificate for `name`, and its key.
    pub(in crate::net) fn host(&self, name: &str) -> CertificateFiles {
        self.signed(name, &CertificateParams::new([name.to_owned()]).unwrap())
    }

    pub(in crate::net) fn client(&self) -> ClientSettings {
        self.client_with(ClientOptions::default())
    }

    fn client_with(&self, mut options: ClientOptions) -> ClientSettings {
        options.roots = Roots::File(self.ca());
        ClientSettings::new(options, silent()).unwrap()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // A folder left behind in the temporary folder does no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn silent() -> Notice {
    Arc::new(|_: &str| {})
}

pub(in crate::net) fn server(certificates: &[&CertificateFiles]) -> ServerSettings {
    let certificates = certificates.iter().copied().cloned().collect();
    ServerSettings::new(ServerOptions { certificates, ..ServerOptions::default() }, silent())
        .unwrap()
}

/// What each side has got of the other.
#[derive(Default)]
struct Met {
    at_client: Vec<u8>,
    at_server: Vec<u8>,
    /// The first reason on each side.
    client: Option<String>,
    server: Option<String>,
}

/// Carries bytes to and fro, in pieces of at most `step`, until both are silent.
fn meet(client: &Session, server: &Session, first: Vec<u8>, step: usize) -> Met {
    let mut met = Met::default();
    let (mut to_server, mut to_client) = (first, Vec::new());
    while !to_server.is_empty() || !to_client.is_empty() {
        for piece in std::mem::take(&mut to_server).chunks(step) {
            if let Err(why) = server.open(piece, &mut met.at_server, &mut to_client) {
                met.server.get_or_insert(why);
            }
        }
        for piece in std::mem::take(&mut to_client).chunks(step) {
            if let Err(why) = client.open(piece, &mut met.at_client, &mut to_server) {
                met.client.get_or_insert(why);
            }
        }
    }
    met
}

fn shake(client: &Session, server: &Session) -> Met {
    let first = client.start();
    meet(client, server, first, usize::MAX)
}

/// A pair that is past its handshake.
fn connected(authority: &Authority) -> (Session, Session) {
    let settings = server(&[&authority.host("a.example")]);
    let client = Session::client("a.example", &authority.client()).unwrap();
    let server = Session::server(&settings).unwrap();
    let met = shake(&client, &server);
    assert_eq!((met.client, met.server), (None, None));
    assert!(!client.is_handshaking() && !server.is_handshaking());
    (client, server)
}

/// Why each side gives up on a server with this certificate.
fn refusal(authority: &Authority, certificate: &CertificateFiles, host: &str) -> (String, String) {
    let client = Session::client(host, &authority.client()).unwrap();
    let server = Session::server(&server(&[certificate])).unwrap();
    let met = shake(&client, &server);
    (met.client.unwrap(), met.server.unwrap())
}
