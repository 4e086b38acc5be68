//! Certificates and keys from PEM files.
//!
//! Invariant: an error names the file and what is wrong with it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, RootCertStore};

use super::{CertificateFiles, provider, reason};

/// Largest file that is read. The bundle of a whole system has a quarter of a megabyte.
const FILE_LENGTH: u64 = 16 << 20;

/// Where systems keep the certificates of the authorities they trust; the first that exists counts.
const SYSTEM: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/cacert.pem",
];

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let fault = |error: std::io::Error| format!("{}: {error}", file.display());
    // Opening a pipe would wait for whoever writes into it.
    if !file.metadata().map_err(fault)?.is_file() {
        return Err(format!("{}: no file", file.display()));
    }
    let mut bytes = Vec::new();
    File::open(file)
        .map_err(fault)?
        .take(FILE_LENGTH + 1)
        .read_to_end(&mut bytes)
        .map_err(fault)?;
    if bytes.len() as u64 > FILE_LENGTH {
        return Err(format!("{}: larger than {FILE_LENGTH} bytes", file.display()));
    }
    Ok(bytes)
}

fn pem_fault(file: &Path, what: &str, error: &pem::Error) -> String {
    let why = match error {
        pem::Error::NoItemsFound => format!("no {what} in it (PEM expected)"),
        other => other.to_string(),
    };
    format!("{}: {why}", file.display())
}

/// The certificates of a file, at least one.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(file)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let all = all.map_err(|error| pem_fault(file, "certificate", &error))?;
    if all.is_empty() {
        return Err(pem_fault(file, "certificate", &pem::Error::NoItemsFound));
    }
    Ok(all)
}

/// A chain with its key, which fit together.
pub(super) fn certified_key(files: &CertificateFiles) -> Result<Arc<CertifiedKey>, String> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|error| pem_fault(&files.key, "private key without a password", &error))?;
    let made = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            format!("{}: not the key of {}", files.key.display(), files.certificate.display())
        }
        rustls::Error::InvalidCertificate(_) => {
            format!("{}: {}", files.certificate.display(), reason::of(&error))
        }
        other => format!("{}: {}", files.key.display(), reason::of(&other)),
    })?;
    Ok(Arc::new(made))
}

/// The authorities of a file, each of which must be good, and the certificates themselves.
pub(super) fn authorities(
    file: &Path,
) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), String> {
    let all = certificates(file)?;
    let mut roots = RootCertStore::empty();
    for certificate in &all {
        let added = roots.add(certificate.clone());
        added.map_err(|error| format!("{}: {}", file.display(), reason::of(&error)))?;
    }
    Ok((roots, all))
}

/// The file of the authorities that this system trusts.
pub(super) fn system_file() -> Result<PathBuf, String> {
    let found = SYSTEM.iter().map(Path::new).find(|file| file.is_file());
    found.map(Path::to_owned).ok_or_else(|| {
        let places = SYSTEM.join(", ");
        format!("this system has no file of authorities (looked for {places}): name one")
    })
}

/// The authorities of the system; those that are of no use are left out.
pub(super) fn system_authorities(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(file)?);
    if added == 0 {
        return Err(format!("{}: no certificate of an authority in it", file.display()));
    }
    Ok(roots)
}
