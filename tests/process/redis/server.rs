//! A redis-server of a test's own: a free port or a socket in its folder, killed with it.
//!
//! Each test has its own server with nothing on disk unless it asks for it. Debian's package
//! `redis-server` has the program (tests/setup.sh).

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(crate) use crate::port::free_port;
use crate::support::{Folder, signal, wait_until};

/// What it writes of itself, in its folder.
const LOG: &str = "redis.log";

/// A certificate for localhost and 127.0.0.1: `cert.pem` of a folder, with `key.pem` beside it.
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
}

impl Certificate {
    pub(crate) fn in_folder(folder: &Folder) -> Self {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (certificate, key) = (folder.path("cert.pem"), folder.path("key.pem"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        Self { certificate }
    }
}

/// A running redis-server.
pub(crate) struct Server {
    child: Child,
    arguments: Vec<String>,
    pub(crate) port: u16,
    /// Where it runs and writes.
    pub(crate) folder: Folder,
}

impl Server {
    /// A server on a free port of 127.0.0.1, without persistence.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// The same with more arguments, such as `["--requirepass", "secret"]`. `{dir}` in one stands
    /// for its folder.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self::in_folder(Folder::new(), arguments)
    }

    /// The same in a folder that has files for it already.
    pub(crate) fn in_folder(folder: Folder, arguments: &[&str]) -> Self {
        let here = folder.path("");
        let here = here.to_str().unwrap().trim_end_matches('/');
        let arguments: Vec<String> =
            arguments.iter().map(|argument| argument.replace("{dir}", here)).collect();
        loop {
            let port = free_port();
            let mut child = spawn(&folder, port, &arguments);
            if comes_up(&mut child, &folder) {
                return Self { child, arguments, port, folder };
            }
            let _ = child.wait();
        }
    }

    /// A server that speaks only TLS on its port.
    pub(crate) fn tls() -> (Self, Certificate) {
        let folder = Folder::new();
        let certificate = Certificate::in_folder(&folder);
        let server = Self::in_folder(
            folder,
            &[
                "--tls-cert-file",
                "{dir}/cert.pem",
                "--tls-key-file",
                "{dir}/key.pem",
                "--tls-ca-cert-file",
                "{dir}/cert.pem",
                "--tls-auth-clients",
                "no",
                "--tls-port",
                "{port}",
            ],
        );
        (server, certificate)
    }

    /// Its address.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it at once, as by `kill -9`.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same port, after `kill`.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.folder, self.port, &self.arguments);
        assert!(comes_up(&mut self.child, &self.folder), "the port was taken by another");
    }

    /// Sends its process a signal by name, such as `STOP` and `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Runs one command on a connection of its own, as `command`.
    pub(crate) fn command(&self, parts: &[&str]) -> String {
        command(&self.address(), parts)
    }

    /// The same behind AUTH with a password.
    pub(crate) fn command_as(&self, password: &str, parts: &[&str]) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        assert_eq!(exchange(&mut stream, &["AUTH", password]), "+OK");
        exchange(&mut stream, parts)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until the server takes connections; false when its port was taken by another.
fn comes_up(child: &mut Child, folder: &Folder) -> bool {
    let log = folder.path(LOG);
    let mut up = false;
    wait_until("redis-server takes connections", || {
        let ended = child.try_wait().unwrap().is_some();
        let text = fs::read_to_string(&log).unwrap_or_default();
        up = text.contains("Ready to accept connections");
        let taken = text.contains("Could not create server TCP listening socket");
        assert!(!ended || up || taken, "redis-server does not start: {text}");
        up || taken
    });
    up
}

fn spawn(folder: &Folder, port: u16, arguments: &[String]) -> Child {
    let _ = fs::remove_file(folder.path(LOG));
    let tls = arguments.iter().any(|argument| argument == "{port}");
    let port = port.to_string();
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--logfile", LOG])
        .args(["--port", if tls { "0" } else { &port }])
        .args(arguments.iter().map(|argument| argument.replace("{port}", &port)))
        .current_dir(folder.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server (tests/setup.sh installs it)")
}

/// Runs one command at an address without TLS; gives the first line of its reply, of a string the
/// string.
pub(crate) fn command(address: &str, parts: &[&str]) -> String {
    exchange(&mut TcpStream::connect(address).unwrap(), parts)
}

fn exchange(stream: &mut TcpStream, parts: &[&str]) -> String {
    let mut bytes = format!("*{}\r\n", parts.len());
    for part in parts {
        bytes.push_str(&format!("${}\r\n{part}\r\n", part.len()));
    }
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let line = line.trim_end().to_owned();
    match line.strip_prefix('$').map(|length| length.parse::<usize>()) {
        Some(Ok(length)) => {
            let mut value = vec![0; length];
            reader.read_exact(&mut value).unwrap();
            String::from_utf8_lossy(&value).into_owned()
        }
        _ => line,
    }
}

/// The path of a file as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
