//! Servers to talk to, and connections that read replies as they came.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use node::store::{Clock, Config, Server};

pub(crate) use crate::folder::Folder;

/// How long something that is to happen may take. Only a failing test gets there.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Someone who speaks RESP.
pub(crate) trait Redis {
    fn connect(&self) -> Connection;
}

/// A genuine Redis on a socket in a folder of its own, without files.
pub(crate) struct Genuine {
    process: Child,
    folder: Folder,
}

impl Genuine {
    pub(crate) fn start() -> Self {
        let folder = Folder::new();
        let socket = folder.path("socket");
        let mut process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--loglevel", "warning"])
            .args(["--daemonize", "no", "--enable-debug-command", "yes"])
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(folder.path(""))
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts (tests/setup.sh installs it)");
        let until = Instant::now() + DEADLINE;
        while UnixStream::connect(&socket).is_err() {
            assert!(process.try_wait().unwrap().is_none(), "redis-server has ended");
            assert!(Instant::now() < until, "redis-server does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { process, folder }
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path("socket")
    }
}

impl Redis for Genuine {
    fn connect(&self) -> Connection {
        let socket = UnixStream::connect(self.socket()).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Connection::new(Box::new(socket.try_clone().unwrap()), Box::new(socket))
    }
}

impl Drop for Genuine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An embedded store at a free port.
pub(crate) struct Embedded {
    pub(crate) server: Server,
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
}

impl Embedded {
    pub(crate) fn start(config: Config, clock: Clock) -> Self {
        Self::try_start(config, clock).unwrap()
    }

    pub(crate) fn try_start(config: Config, clock: Clock) -> Result<Self, String> {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&lines);
        let log = Arc::new(move |line: &str| noted.lock().unwrap().push(line.to_owned()));
        let server = Server::start(Config { port: 0, ..config }, clock, log)?;
        Ok(Self { server, lines })
    }

    /// One with default settings and the machine's clock.
    pub(crate) fn plain() -> Self {
        Self::start(Config::default(), Clock::System)
    }

    /// One with a file.
    pub(crate) fn with_file(path: &Path, clock: Clock) -> Self {
        Self::start(Config { file: Some(path.to_owned()), ..Config::default() }, clock)
    }
}

impl Redis for Embedded {
    fn connect(&self) -> Connection {
        Connection::open(&self.server.address().to_string())
    }
}

/// A connection.
pub(crate) struct Connection {
    input: BufReader<Box<dyn Read + Send>>,
    output: Box<dyn Write + Send>,
}

impl Connection {
    fn new(input: Box<dyn Read + Send>, output: Box<dyn Write + Send>) -> Self {
        Self { input: BufReader::new(input), output }
    }

    /// A connection to a store at an address.
    pub(crate) fn open(address: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self::new(Box::new(socket.try_clone().unwrap()), Box::new(socket))
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.output.write_all(bytes).unwrap();
    }

    /// Sends a command.
    pub(crate) fn send(&mut self, words: &[impl AsRef<[u8]>]) {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            let word = word.as_ref();
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        self.send_bytes(&bytes);
    }

    /// The next reply, as its bytes; nothing when the connection has ended.
    pub(crate) fn reply(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.read_reply(&mut bytes);
        bytes
    }

    fn read_reply(&mut self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        let mut one = [0];
        while !bytes[start..].ends_with(b"\r\n") {
            match self.input.read(&mut one) {
                Ok(0) => return,
                Ok(_) => bytes.push(one[0]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
                Err(error) => {
                    panic!("no reply: {error}; so far {}", String::from_utf8_lossy(bytes));
                }
            }
        }
        let line = String::from_utf8_lossy(&bytes[start + 1..bytes.len() - 2]).into_owned();
        let length = || line.parse::<i64>().unwrap_or(-1);
        match bytes[start] {
            b'$' if length() >= 0 => {
                let from = bytes.len();
                bytes.resize(from + usize::try_from(length()).unwrap() + 2, 0);
                self.input.read_exact(&mut bytes[from..]).unwrap();
            }
            b'*' => (0..length()).for_each(|_| self.read_reply(bytes)),
            _ => {}
        }
    }

    /// Sends a command and reads its reply.
    pub(crate) fn ask(&mut self, words: &[impl AsRef<[u8]>]) -> Vec<u8> {
        self.send(words);
        self.reply()
    }

    /// The same with words separated by blanks, and the reply as text.
    pub(crate) fn say(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        String::from_utf8_lossy(&self.ask(&words)).into_owned()
    }
}
