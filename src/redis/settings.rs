//! Where a server is, who this side is there, and how long it waits.
//!
//! Invariant: the texts made here never hold a password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::redis::{ConnectionAddr, ConnectionInfo};

use super::find::Found;
use crate::codec::resp::command::put_command;
use crate::net::Address;
use crate::net::socket::Allows;
use crate::net::tls::ClientSettings;

/// The port of Redis.
pub const PORT: u16 = 6379;

/// Time for a connection to come up if nothing is said.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Where a server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// On TCP.
    Tcp(Address),
    /// A socket in the file system.
    Unix(PathBuf),
    /// Where it is found to be.
    Found(Found),
}

/// Who this side is, and which database it uses.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Login {
    /// What stands behind AUTH: a password, or a name and a password. Empty: none.
    pub auth: Vec<Vec<u8>>,
    /// What stands behind SELECT.
    pub db: Option<Vec<u8>>,
}

/// What an address such as `redis://name:password@host:port/db` says.
#[derive(Clone)]
pub struct Url {
    /// Where.
    pub place: Place,
    /// Who.
    pub login: Login,
    /// Through TLS; false in it: whoever answers is trusted.
    pub tls: Option<bool>,
}

/// Everything about a connection.
pub struct Settings {
    /// Where.
    pub place: Place,
    /// Who.
    pub login: Login,
    /// Through TLS, to whoever has a certificate for this name; without one, for the host that is
    /// found.
    pub tls: Option<(Arc<ClientSettings>, String)>,
    /// Time for the connection to come up, with TLS and AUTH.
    pub connect_limit: Duration,
    /// Time for a reply; `None` waits for ever.
    pub command_limit: Option<Duration>,
    /// Most bytes of a reply.
    pub reply_limit: usize,
    /// Most bytes that wait to be written.
    pub send_limit: usize,
    /// Addresses that may be connected to.
    pub allows: Allows,
}

impl Place {
    /// How logs and errors call it.
    pub fn name(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(path) => path.display().to_string(),
            Self::Found(found) => found.0.name(),
        }
    }

    /// The path of a socket in the file system.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Tcp(_) | Self::Found(_) => None,
            Self::Unix(path) => Some(path),
        }
    }
}

// Not derived: a password is not for logs.
impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AUTH of {} parts, database {:?}", self.auth.len(), self.db)
    }
}

impl Login {
    /// The commands that a connection begins with: their names and bytes.
    pub fn commands(&self, db: Option<&[u8]>) -> Vec<(&'static str, Vec<u8>)> {
        let mut all = Vec::new();
        if !self.auth.is_empty() {
            let mut parts: Vec<&[u8]> = vec![b"AUTH"];
            parts.extend(self.auth.iter().map(Vec::as_slice));
            let mut bytes = Vec::new();
            put_command(&mut bytes, &parts);
            all.push(("AUTH", bytes));
        }
        if let Some(db) = db {
            let mut bytes = Vec::new();
            put_command(&mut bytes, &[b"SELECT", db]);
            all.push(("SELECT", bytes));
        }
        all
    }
}

impl Url {
    /// Reads `redis://`, `rediss://`, `unix://` and the forms that the `redis` crate knows besides.
    ///
    /// # Errors
    /// What is wrong with it, without the address itself, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let info: ConnectionInfo = text.parse().map_err(|error: ::redis::RedisError| {
            // The kind of error behind it says nothing more.
            let text = error.to_string();
            text.split(" - ").next().unwrap_or(&text).to_ascii_lowercase()
        })?;
        let tcp = |host: &str, port: u16| Place::Tcp(Address { host: host.into(), port });
        let (place, tls) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => (tcp(host, *port), None),
            ConnectionAddr::TcpTls { host, port, insecure, .. } => {
                (tcp(host, *port), Some(!insecure))
            }
            ConnectionAddr::Unix(path) => (Place::Unix(path.clone()), None),
            _ => return Err("an address of a kind that is not known here".to_owned()),
        };
        let redis = info.redis_settings();
        let password = redis.password().map(|password| password.as_bytes().to_vec());
        let username = redis.username().map(|name| name.as_bytes().to_vec());
        let auth = match (username, password) {
            (_, None) => Vec::new(),
            (None, Some(password)) => vec![password],
            (Some(name), Some(password)) => vec![name, password],
        };
        let db = Some(redis.db()).filter(|db| *db != 0).map(|db| db.to_string().into_bytes());
        Ok(Self { place, login: Login { auth, db }, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_who_and_how() {
        let url = Url::parse("redis://alice:p%40ss@db.example:7000/3").unwrap();
        assert_eq!(url.place.name(), "db.example:7000");
        assert_eq!(url.login.auth, [b"alice".to_vec(), b"p@ss".to_vec()]);
        assert_eq!((url.login.db, url.tls), (Some(b"3".to_vec()), None));
        let url = Url::parse("redis://:secret@127.0.0.1").unwrap();
        assert_eq!(url.place.name(), "127.0.0.1:6379");
        assert_eq!((url.login.auth, url.login.db), (vec![b"secret".to_vec()], None));
        assert_eq!(Url::parse("rediss://[::1]:1").unwrap().tls, Some(true));
        assert_eq!(Url::parse("rediss://h/#insecure").unwrap().tls, Some(false));
        let url = Url::parse("unix:///run/redis.sock?db=2&pass=x").unwrap();
        assert_eq!(url.place.path(), Some(Path::new("/run/redis.sock")));
        assert_eq!(url.login, Login { auth: vec![b"x".to_vec()], db: Some(b"2".to_vec()) });
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_shown() {
        for text in ["http://:secret@host", "redis://:secret@h/x", "secret", "rediss://h/#secret"] {
            let why = Url::parse(text).err().unwrap_or_default();
            assert!(!why.is_empty() && !why.contains("secret"), "{text}: {why}");
        }
    }

    #[test]
    fn a_connection_begins_with_auth_and_select() {
        let login = Login { auth: vec![b"a".to_vec(), b"b".to_vec()], db: None };
        let commands = login.commands(Some(b"1"));
        assert_eq!(commands[0], ("AUTH", b"*3\r\n$4\r\nAUTH\r\n$1\r\na\r\n$1\r\nb\r\n".to_vec()));
        assert_eq!(commands[1], ("SELECT", b"*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n".to_vec()));
        assert!(Login::default().commands(None).is_empty());
    }
}
