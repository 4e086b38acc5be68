//! What a listening side needs to know: its certificates, and whether it asks for those of clients.
//!
//! Invariant: as for clients: a session is made from the newest files that could be read.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::server::{
    ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier,
};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};

use super::client::{check_validity, is_authority_itself};
use super::watched::Watched;
use super::{CertificateFiles, Notice, ciphers, files, provider, reason};

/// How a side lets others connect.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ServerOptions {
    /// Certificates with keys. A client that names a host gets the first that is for it, or else
    /// the first of all.
    pub certificates: Vec<CertificateFiles>,
    /// A PEM file of the authorities for clients; with it every client must show a certificate.
    pub client_roots: Option<PathBuf>,
    /// The ciphers of TLS 1.2 that may be used, a list as OpenSSL writes it; all if it is absent.
    pub ciphers: Option<String>,
}

/// What the connections to a listening side have in common.
pub struct ServerSettings {
    watched: Watched<ServerConfig>,
}

impl ServerSettings {
    /// Reads the files. `notice` is told when they are read again.
    ///
    /// # Errors
    /// What is wrong with a file, with its name.
    pub fn new(options: ServerOptions, notice: Notice) -> Result<Self, String> {
        let mut used = Vec::new();
        for CertificateFiles { certificate, key } in &options.certificates {
            used.extend([certificate.clone(), key.clone()]);
        }
        used.extend(options.client_roots.clone());
        let watched = Watched::new(used, notice, move || config(&options))?;
        Ok(Self { watched })
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.current_at(Instant::now())
    }

    pub(super) fn current_at(&self, now: Instant) -> Arc<ServerConfig> {
        self.watched.get(now)
    }
}

impl fmt::Debug for ServerSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TLS settings of a server")
    }
}

fn config(options: &ServerOptions) -> Result<ServerConfig, String> {
    let keys: Result<Vec<_>, _> = options.certificates.iter().map(files::certified_key).collect();
    let keys = keys?;
    if keys.is_empty() {
        return Err("a TLS server needs a certificate and its key".to_owned());
    }
    let builder =
        ServerConfig::builder_with_provider(ciphers::provider_with(options.ciphers.as_deref())?)
            .with_safe_default_protocol_versions()
            .map_err(|error| reason::of(&error))?;
    let builder = match &options.client_roots {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let (roots, themselves) = files::authorities(file)?;
            let authorities =
                WebPkiClientVerifier::builder_with_provider(roots.into(), provider()).build();
            let authorities =
                authorities.map_err(|error| format!("{}: {error}", file.display()))?;
            builder.with_client_cert_verifier(Arc::new(Known { authorities, themselves }))
        }
    };
    Ok(builder.with_cert_resolver(Arc::new(ByName(keys))))
}

/// Chooses a certificate by the name that the client asks for.
#[derive(Debug)]
struct ByName(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let is_for = |key: &&Arc<CertifiedKey>, name: &ServerName<'_>| {
            let parsed = key.end_entity_cert().ok().map(ParsedCertificate::try_from);
            parsed.is_some_and(|parsed| {
                parsed.is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
            })
        };
        let named = name.and_then(|name| self.0.iter().find(|key| is_for(key, &name)));
        named.or_else(|| self.0.first()).cloned()
    }
}

/// Trusts clients by their authorities, or because the file of authorities has their certificate.
#[derive(Debug)]
struct Known {
    authorities: Arc<dyn ClientCertVerifier>,
    themselves: Vec<CertificateDer<'static>>,
}

impl ClientCertVerifier for Known {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.authorities.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.authorities.verify_client_cert(end_entity, intermediates, now) {
            Err(error) if is_authority_itself(&error) && self.themselves.contains(end_entity) => {
                check_validity(end_entity, now)?;
                Ok(ClientCertVerified::assertion())
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
