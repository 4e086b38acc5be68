//! The processes of the chaos test, how they start and end, and what is in Redis.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::audit::{Findings, audit};
use crate::port::free_port;
use crate::proxy::Proxy;
use crate::resp::{Client, Value};

/// How long Redis may take to load what it wrote down.
const LOADING: Duration = Duration::from_secs(60);

/// One of the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Fishing,
    Main,
    Peer,
    Redis,
}

/// All of them.
pub(crate) struct Processes {
    folder: PathBuf,
    keep: bool,
    /// Port of redis-server itself.
    port: u16,
    proxies: [Proxy; 3],
    children: [Option<Child>; 4],
    client: Option<Client>,
    players: i64,
    seed: u64,
    starts: u64,
}

impl Processes {
    /// Redis and the ways to it; the others are started by `start`.
    pub(crate) fn new(players: i64, seed: u64) -> Self {
        let keep = env::var_os("CHAOS_LOG");
        let folder = keep.clone().map_or_else(
            || env::temp_dir().join(format!("bridge-chaos-{}", std::process::id())),
            PathBuf::from,
        );
        fs::create_dir_all(&folder).unwrap();
        let port = free_port();
        let mut processes = Self {
            folder,
            keep: keep.is_some(),
            port,
            proxies: [(); 3].map(|()| Proxy::new(port)),
            children: [None, None, None, None],
            client: None,
            players,
            seed,
            starts: 0,
        };
        processes.build_peer();
        processes.start(Who::Redis);
        processes
    }

    /// The C++ peer is built from its makefile, as a reader would.
    fn build_peer(&self) {
        let made = Command::new("make")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bridge/cpp"))
            .arg(format!("OUT={}", self.folder.display()))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    pub(crate) fn proxy(&self, index: u64) -> &Proxy {
        &self.proxies[usize::try_from(index).unwrap()]
    }

    /// Starts a process again; Redis is waited for.
    pub(crate) fn start(&mut self, who: Who) {
        self.starts += 1;
        let output = |name: &str| {
            let path = self.folder.join(name);
            Stdio::from(File::options().create(true).append(true).open(path).unwrap())
        };
        let mut command = match who {
            Who::Redis => {
                let mut command = Command::new("redis-server");
                command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
                command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
                // The whole history is what is audited.
                command.args(["--auto-aof-rewrite-percentage", "0"]);
                command.arg("--dir").arg(&self.folder).stdout(output("redis.log"));
                command
            }
            Who::Peer => {
                let mut command = Command::new(self.folder.join("peer"));
                let port = self.proxies[2].port.to_string();
                command.args(["127.0.0.1", &port, "m", "g", "500"]).stdout(output("peer.log"));
                command.stderr(output("peer.log"));
                command
            }
            Who::Fishing => self.node("fishing", self.proxies[0].port, output("fishing.log")),
            Who::Main => self.node("maingame", self.proxies[1].port, output("maingame.log")),
        };
        self.children[who as usize] = Some(command.stdin(Stdio::null()).spawn().unwrap());
        if who == Who::Redis {
            self.client = None;
            self.connect();
        }
    }

    fn node(&self, script: &str, port: u16, log: Stdio) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bridge_chaos");
        let config = self.folder.join(format!("{script}.config"));
        let text = format!(
            "thread = 2\nharbor = 0\nstart = \"{script}\"\nluaservice = \"{}/?.lua\"\n\
             chaos_port = {port}\nchaos_players = {}\nchaos_workers = 64\nchaos_seed = {}\n",
            scripts.display(),
            self.players,
            (self.seed + self.starts) % (1 << 31)
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
        command.arg(config).current_dir(&self.folder).stdout(log).stderr(Stdio::null());
        command
    }

    /// As by `kill -9`.
    pub(crate) fn kill(&mut self, who: Who) {
        if let Some(mut child) = self.children[who as usize].take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn connect(&mut self) {
        let start = Instant::now();
        loop {
            if let Ok(mut client) = Client::connect(self.port)
                && client.ask(&["PING"]).is_ok_and(|value| !matches!(value, Value::Error(_)))
            {
                self.client = Some(client);
                return;
            }
            assert!(start.elapsed() < LOADING, "redis-server does not come up");
            // A server that is loading can only be asked again.
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a command on Redis itself.
    pub(crate) fn ask(&mut self, parts: &[&str]) -> Value {
        loop {
            if let Some(client) = &mut self.client
                && let Ok(value) = client.ask(parts)
            {
                return value;
            }
            self.connect();
        }
    }

    /// The number that a command answers with; nothing is 0.
    pub(crate) fn number(&mut self, parts: &[&str]) -> i64 {
        match self.ask(parts) {
            Value::Nil => 0,
            value => value.text().parse().unwrap(),
        }
    }

    /// Open transfers, players that are said to have some, and stored members.
    pub(crate) fn unsettled(&mut self) -> usize {
        let mut count = 0;
        for pattern in ["bridge:open:*", "bridge:players:*", "?_*"] {
            for key in self.ask(&["KEYS", pattern]).list() {
                eprintln!("left: {key}");
                count += 1;
            }
        }
        count
    }

    /// All gold there is.
    pub(crate) fn sum(&mut self, players: i64) -> i64 {
        let mut sum = 0;
        for player in 1..=players {
            for wallet in ["f", "m"] {
                sum += self.number(&["HGET", &format!("bridge:wallet:{wallet}:{player}"), "gold"]);
            }
        }
        self.ask(&["SELECT", "1"]);
        for player in 1..=players {
            sum += self.number(&["HGET", &format!("player:{player}"), "gold"]);
        }
        self.ask(&["SELECT", "0"]);
        sum
    }

    /// Ends Redis and reads what it wrote down.
    pub(crate) fn into_audit(mut self) -> Findings {
        self.kill(Who::Redis);
        audit(&self.folder.join("appendonlydir"))
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for who in [Who::Fishing, Who::Main, Who::Peer, Who::Redis] {
            self.kill(who);
        }
        if !self.keep {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
