//! What a connecting side needs to know: whom it trusts and who it is.
//!
//! Invariant: a session made from settings is judged by the newest files that could be read.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::watched::Watched;
use super::{Certificate, CertificateFiles, Notice, ciphers, files, reason};

/// Whose certificates are trusted.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Roots {
    /// The authorities of the system.
    #[default]
    System,
    /// Those of a PEM file, be they authorities or certificates of single hosts.
    File(PathBuf),
}

/// How a side connects.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ClientOptions {
    /// Who is trusted.
    pub roots: Roots,
    /// Whether the certificate of the peer is judged at all.
    pub verify: bool,
    /// What is shown to a server that asks for it.
    pub certificate: Option<CertificateFiles>,
    /// The ciphers of TLS 1.2 that may be used, a list as OpenSSL writes it; all if it is absent.
    pub ciphers: Option<String>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self { roots: Roots::System, verify: true, certificate: None, ciphers: None }
    }
}

/// What connecting sides have in common.
pub struct ClientSettings {
    watched: Watched<ClientConfig>,
}

impl ClientSettings {
    /// Reads the files. `notice` is told when they are read again.
    ///
    /// # Errors
    /// What is wrong with a file, with its name.
    pub fn new(options: ClientOptions, notice: Notice) -> Result<Self, String> {
        let mut used = Vec::new();
        let roots = match &options.roots {
            _ if !options.verify => None,
            Roots::System => Some(files::system_file()?),
            Roots::File(file) => Some(file.clone()),
        };
        used.extend(roots.clone());
        if let Some(CertificateFiles { certificate, key }) = &options.certificate {
            used.extend([certificate.clone(), key.clone()]);
        }
        let watched = Watched::new(used, notice, move || config(&options, roots.as_ref()))?;
        Ok(Self { watched })
    }

    pub(super) fn current(&self) -> Arc<ClientConfig> {
        self.current_at(Instant::now())
    }

    pub(super) fn current_at(&self, now: Instant) -> Arc<ClientConfig> {
        self.watched.get(now)
    }
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TLS settings of a client")
    }
}

fn config(options: &ClientOptions, roots: Option<&PathBuf>) -> Result<ClientConfig, String> {
    let provider = ciphers::provider_with(options.ciphers.as_deref())?;
    let verifier: Arc<dyn ServerCertVerifier> = match (&options.roots, roots) {
        (_, None) => Arc::new(Anybody(provider.signature_verification_algorithms)),
        (Roots::System, Some(file)) => {
            Arc::new(Known::new(files::system_authorities(file)?, Vec::new(), &provider)?)
        }
        (Roots::File(_), Some(file)) => {
            let (roots, all) = files::authorities(file)?;
            Arc::new(Known::new(roots, all, &provider)?)
        }
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| reason::of(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(match &options.certificate {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let key = files::certified_key(certificate)?;
            builder.with_client_cert_resolver(Arc::new(
                tokio_rustls::rustls::sign::SingleCertAndKey::from(key),
            ))
        }
    })
}

/// True when the verifier refuses a certificate only because it could sign others, as those that
/// people make with one command can.
pub(super) fn is_authority_itself(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::Other(other))
        if other.0.to_string() == "CaUsedAsEndEntity")
}

/// Judges the time of a certificate that is trusted as it is.
pub(super) fn check_validity(certificate: &[u8], now: UnixTime) -> Result<(), Error> {
    let (from, to) =
        Certificate::parse(certificate).validity.ok_or(CertificateError::BadEncoding)?;
    let unix = |seconds: i64| {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds.try_into().unwrap_or(0)))
    };
    let (not_before, not_after) = (unix(from), unix(to));
    if now < not_before {
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    Ok(())
}

/// Trusts authorities, and certificates that the file of authorities contains themselves.
#[derive(Debug)]
struct Known {
    authorities: Arc<WebPkiServerVerifier>,
    themselves: Vec<CertificateDer<'static>>,
}

impl Known {
    fn new(
        roots: RootCertStore,
        themselves: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let built = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
        let authorities = built.build().map_err(|error| error.to_string())?;
        Ok(Self { authorities, themselves })
    }
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match judged {
            Err(error) if is_authority_itself(&error) && self.themselves.contains(end_entity) => {
                check_validity(end_entity, now)?;
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
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

/// Trusts whoever has the key of the certificate it shows, whatever that is.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
