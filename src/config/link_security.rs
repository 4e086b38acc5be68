//! The keys about the security of links between nodes: a secret, and TLS.
//!
//! Invariant: a secret appears in no message and is not among what scripts can read.
//! Not here: what is in the files of TLS; whoever finds a fault there asks `ClusterTls::refuse`.

use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Place};
use super::settings::Reader;

/// The key of the secret.
pub(super) const SECRET: &str = "cluster_secret";

/// Fewest bytes of a secret: fewer can be guessed from what goes over the wire.
const SHORTEST_SECRET: usize = 16;

/// Largest file with a secret.
const SECRET_FILE: u64 = 64 << 10;

/// What a value begins with that names a file.
const FILE: &[u8] = b"file:";

/// The keys that name files of TLS.
const FILES: [&str; 3] = ["cluster_certfile", "cluster_keyfile", "cluster_ca"];

/// `cluster_secret`.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterSecret {
    bytes: Vec<u8>,
    /// The file it was read from.
    pub file: Option<PathBuf>,
}

impl ClusterSecret {
    /// The secret itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn read(reader: &Reader<'_>) -> Result<Option<Self>, ConfigError> {
        let Some(assigned) = reader.assigned(SECRET) else { return Ok(None) };
        if assigned.text == b"false" {
            return Ok(None);
        }
        let refuse = |value: String, expected: String| ConfigError::Value {
            place: assigned.place.clone(),
            key: SECRET.to_owned(),
            value,
            expected,
        };
        let (bytes, file) = match assigned.text.strip_prefix(FILE) {
            None => (assigned.text.clone(), None),
            Some(path) => {
                let path = PathBuf::from(String::from_utf8_lossy(path).into_owned());
                let read = read_secret(&path).map_err(|why| {
                    refuse(assigned.shown(), format!("a file with the secret: {why}"))
                })?;
                (read, Some(path))
            }
        };
        if bytes.len() < SHORTEST_SECRET {
            let value = file.as_ref().map_or("(hidden)".to_owned(), |_| assigned.shown());
            let found = bytes.len();
            let expected =
                format!("at least {SHORTEST_SECRET} bytes, got {found}; or \"file:PATH\"");
            return Err(refuse(value, expected));
        }
        Ok(Some(Self { bytes, file }))
    }
}

/// The content of a file, without the end of its last line.
fn read_secret(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(SECRET_FILE + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > SECRET_FILE {
        return Err(format!("more than {SECRET_FILE} bytes"));
    }
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(bytes)
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a secret of {} bytes", self.bytes.len())
    }
}

/// `cluster_tls` with the files that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterTls {
    /// `cluster_certfile`.
    pub certificate: PathBuf,
    /// `cluster_keyfile`.
    pub key: PathBuf,
    /// `cluster_ca`.
    pub authorities: PathBuf,
    /// Where the three are named.
    places: [Place; 3],
}

impl ClusterTls {
    pub(super) fn read(reader: &Reader<'_>) -> Result<Option<Self>, ConfigError> {
        let named = FILES.map(|key| reader.path(key));
        if !reader.boolean("cluster_tls")? {
            // Whoever names the files and forgets the switch would have links in the clear.
            let forgotten = FILES.iter().zip(&named).find(|(_, path)| path.is_some());
            return match forgotten {
                Some((key, _)) if reader.assigned("cluster_tls").is_none() => {
                    Err(reader
                        .refuse(key, "`cluster_tls = true` or `cluster_tls = false` beside it"))
                }
                _ => Ok(None),
            };
        }
        let [Some(certificate), Some(key), Some(authorities)] = named else {
            return Err(reader.refuse(
                "cluster_tls",
                "cluster_certfile, cluster_keyfile and cluster_ca beside it, three PEM files",
            ));
        };
        let place = |key: &str| {
            reader.assigned(key).map_or_else(Place::unknown, |assigned| assigned.place.clone())
        };
        Ok(Some(Self { certificate, key, authorities, places: FILES.map(place) }))
    }

    /// The error for a fault in a file; `why` begins with the file's name.
    pub fn refuse(&self, why: &str) -> ConfigError {
        let paths = [&self.certificate, &self.key, &self.authorities];
        let is_named = |path: &&PathBuf| why.starts_with(&*path.to_string_lossy());
        let at = paths.iter().position(is_named).unwrap_or(0);
        ConfigError::Value {
            place: self.places[at].clone(),
            key: FILES[at].to_owned(),
            value: format!("\"{}\"", paths[at].display()),
            expected: format!("a PEM file that fits: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Folder, load_text};

    fn keys(text: &str) -> Result<super::super::ClusterKeys, String> {
        load_text(text).map(|config| config.settings.cluster_keys)
    }

    #[test]
    fn a_secret_stands_in_the_config_or_in_a_file() {
        let secret = keys("cluster_secret = '0123456789abcdef'").unwrap().secret.unwrap();
        assert_eq!(secret.as_bytes(), b"0123456789abcdef");
        let folder = Folder::new().with("secret", b"\xff0123456789abcdef\r\n");
        let path = folder.path("secret");
        let secret = keys(&format!("cluster_secret = 'file:{}'", path.display())).unwrap().secret;
        let secret = secret.unwrap();
        assert_eq!(secret.as_bytes(), b"\xff0123456789abcdef");
        assert_eq!(secret.file, Some(path));
        assert_eq!(keys("").unwrap().secret, None);
        assert_eq!(keys("cluster_secret = false").unwrap().secret, None);
    }

    #[test]
    fn scripts_and_messages_do_not_show_a_secret() {
        let config = load_text("cluster_secret = 'not to be seen by any'\nother = 1").unwrap();
        assert_eq!(config.get("cluster_secret"), None);
        assert_eq!(config.get("other"), Some(&b"1"[..]));
        assert!(!format!("{config:?}").contains("not to be seen"));
        let error = load_text("\ncluster_secret = 'short one'").unwrap_err();
        let expected = "config ./config:2: cluster_secret = (hidden) (expected at least 16 bytes, \
                        got 9; or \"file:PATH\")";
        assert_eq!(error, expected);
        // As an unset variable may leave it: links would be open to everybody.
        assert!(load_text("cluster_secret = ''").unwrap_err().contains("got 0"));
    }

    #[test]
    fn a_file_without_a_secret_is_named() {
        let error = load_text("cluster_secret = 'file:/no/such'").unwrap_err();
        let expected = "config ./config:1: cluster_secret = \"file:/no/such\" (expected a file with \
                        the secret: No such file or directory (os error 2))";
        assert_eq!(error, expected);
        let folder = Folder::new().with("secret", "short\n");
        let path = folder.path("secret").display().to_string();
        let error = load_text(format!("cluster_secret = 'file:{path}'")).unwrap_err();
        assert!(error.contains(&format!("\"file:{path}\" (expected at least 16 bytes, got 5")));
    }

    #[test]
    fn tls_needs_its_three_files_and_they_need_the_switch() {
        let files = "cluster_certfile = 'c.pem'\ncluster_keyfile = 'k.pem'\ncluster_ca = 'a.pem'\n";
        let tls = keys(&format!("{files}cluster_tls = true")).unwrap().tls.unwrap();
        assert_eq!(tls.certificate, std::path::Path::new("c.pem"));
        assert_eq!(tls.key, std::path::Path::new("k.pem"));
        assert_eq!(tls.authorities, std::path::Path::new("a.pem"));
        assert_eq!(keys(&format!("{files}cluster_tls = false")).unwrap().tls, None);
        let error = keys(files).unwrap_err();
        assert!(
            error.contains(":1: cluster_certfile = \"c.pem\" (expected `cluster_tls"),
            "{error}"
        );
        let error = keys("cluster_ca = 'a'\ncluster_tls = true").unwrap_err();
        assert!(error.contains(":2: cluster_tls = true (expected cluster_certfile"), "{error}");
    }

    #[test]
    fn a_fault_in_a_file_is_told_with_its_key() {
        let files = "cluster_certfile = 'c.pem'\ncluster_keyfile = 'k.pem'\ncluster_ca = 'a.pem'\n";
        let tls = keys(&format!("{files}cluster_tls = true")).unwrap().tls.unwrap();
        let error = tls.refuse("k.pem: no private key in it").to_string();
        let expected = ":2: cluster_keyfile = \"k.pem\" (expected a PEM file that fits: k.pem: no \
                        private key in it)";
        assert!(error.ends_with(expected), "{error}");
    }
}
