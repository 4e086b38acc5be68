//! Servers that belong together: a cluster of six, a master with replicas and sentinels.
//!
//! Time limits are short where a server is to be lost, so that it is noticed within seconds.

use std::process::{Child, Command, Output, Stdio};
use std::thread;

use super::server::{Certificate, Server, command, free_port, text};
use crate::support::{Folder, wait_until};

/// Milliseconds without a sign of life after which a server of a cluster counts as lost: none is.
const NODE_TIMEOUT: &str = "5000";

/// The same for a cluster that is to lose one.
pub(crate) const LOSES_SERVERS: &[&str] = &["--cluster-node-timeout", "1000"];

/// The name that the sentinels have for their master.
pub(crate) const MASTER: &str = "mymaster";

/// Arguments that make a user `app` with the password `pass`, beside the one without.
pub(crate) const USER: &[&str] = &["--user", "app", "on", ">pass", "~*", "&*", "+@all"];

/// Slots of a cluster.
const SLOTS: u32 = 16_384;

/// Runs redis-cli to its end.
fn cli(arguments: &[&str]) -> Output {
    Command::new("redis-cli").args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What a server says of its part in replication; nothing while it takes no connection.
pub(crate) fn replication(server: &Server) -> String {
    let output = cli(&["-p", &server.port.to_string(), "INFO", "replication"]);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Three masters, each with a replica: the masters are the first three.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
    /// Where they speak TLS, if they do.
    pub(crate) tls_ports: Vec<u16>,
}

impl Cluster {
    /// Starts it; `more` are arguments for each server.
    pub(crate) fn start(more: &[&str]) -> Self {
        let more = |_| more.iter().map(|argument| (*argument).to_owned()).collect();
        Self::start_each(Vec::new(), more)
    }

    /// The same, through TLS within and at a second port each.
    pub(crate) fn with_tls(certificate: &Certificate) -> Self {
        let ports: Vec<u16> = (0..6).map(|_| free_port()).collect();
        let more = |number: usize| {
            let mut all = tls_arguments(certificate, ports[number]);
            all.extend(["--tls-cluster", "yes"].map(str::to_owned));
            all
        };
        Self::start_each(ports.clone(), more)
    }

    fn start_each(tls_ports: Vec<u16>, more: impl Fn(usize) -> Vec<String> + Sync) -> Self {
        let buses: Vec<u16> = (0..6).map(|_| free_port()).collect();
        let start = |number: usize| {
            let (bus, more) = (buses[number].to_string(), more(number));
            let mut all = arguments(&bus);
            all.extend(more.iter().map(String::as_str));
            Server::with(&all)
        };
        let start = &start;
        let servers: Vec<Server> = thread::scope(|scope| {
            let all: Vec<_> = (0..6).map(|number| scope.spawn(move || start(number))).collect();
            all.into_iter().map(|started| started.join().unwrap()).collect()
        });
        let cluster = Self { servers, tls_ports };
        cluster.form(&buses);
        cluster
    }

    fn form(&self, buses: &[u16]) {
        for (number, server) in self.servers.iter().enumerate() {
            let epoch = (number + 1).to_string();
            assert_eq!(server.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]), "+OK");
        }
        for (number, master) in (0..3).zip(&self.servers) {
            let (first, last) = (SLOTS * number / 3, SLOTS * (number + 1) / 3 - 1);
            let range = ["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()];
            assert_eq!(master.command(&range), "+OK");
        }
        for (number, bus) in buses.iter().enumerate().skip(1) {
            let port = self.tls_ports.get(number).unwrap_or(&self.servers[number].port);
            let meet = ["CLUSTER", "MEET", "127.0.0.1", &port.to_string(), &bus.to_string()];
            assert_eq!(self.servers[0].command(&meet), "+OK");
        }
        wait_until("the servers have met", || {
            self.servers.iter().all(|server| {
                let info = server.command(&["CLUSTER", "INFO"]);
                info.contains("cluster_known_nodes:6") && info.contains("cluster_state:ok")
            })
        });
        for (master, replica) in self.servers.iter().zip(&self.servers[3..]) {
            let id = master.command(&["CLUSTER", "MYID"]);
            wait_until("a master is known", || {
                replica.command(&["CLUSTER", "REPLICATE", &id]) == "+OK"
            });
        }
        wait_until("everybody knows the replicas, and they are up to date", || {
            self.servers.iter().all(|server| {
                let nodes = server.command(&["CLUSTER", "NODES"]);
                nodes.lines().filter(|node| node.contains("slave ")).count() == 3
                    && !nodes.contains("fail")
            }) && self.servers[3..].iter().all(|replica| {
                replica.command(&["INFO", "replication"]).contains("master_link_status:up")
            })
        });
    }

    /// One more server, a replica of a master. Returns when everybody says so.
    pub(crate) fn add_replica(&mut self, master: usize) {
        let bus = free_port().to_string();
        let server = Server::with(&arguments(&bus));
        let port = server.port.to_string();
        let meet = ["CLUSTER", "MEET", "127.0.0.1", &port, &bus];
        assert_eq!(self.servers[master].command(&meet), "+OK");
        let id = self.servers[master].command(&["CLUSTER", "MYID"]);
        wait_until("the master is known", || {
            server.command(&["CLUSTER", "REPLICATE", &id]) == "+OK"
        });
        self.servers.push(server);
        wait_until("everybody knows the new server", || {
            self.servers.iter().all(|server| {
                let slots = cli(&["-p", &server.port.to_string(), "CLUSTER", "SLOTS"]).stdout;
                String::from_utf8_lossy(&slots).lines().any(|line| line == port)
            })
        });
    }

    /// The servers as a Lua list of tables.
    pub(crate) fn lua(&self) -> String {
        let servers = self
            .servers
            .iter()
            .map(|server| format!("{{ host = '127.0.0.1', port = {} }}", server.port));
        format!("{{ {} }}", servers.collect::<Vec<_>>().join(", "))
    }

    /// Moves slots with their keys from one master to another, as an administrator does.
    pub(crate) fn move_slots(&self, from: usize, to: usize, count: u32) {
        let id = |number: usize| self.servers[number].command(&["CLUSTER", "MYID"]);
        let address = self.servers[0].address();
        wait_until("the servers agree", || cli(&["--cluster", "check", &address]).status.success());
        let output = cli(&[
            "--cluster",
            "reshard",
            &address,
            "--cluster-from",
            &id(from),
            "--cluster-to",
            &id(to),
            "--cluster-slots",
            &count.to_string(),
            "--cluster-yes",
        ]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    /// Waits until the replica of a master that was killed has taken its place.
    pub(crate) fn wait_for_successor(&self, killed: usize) {
        let successor = &self.servers[killed + 3];
        wait_until("the replica is the master", || {
            successor.command(&["ROLE"]) == "*3"
                && successor.command(&["INFO", "replication"]).contains("role:master")
                && successor.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
        });
    }
}

/// Arguments for a port of TLS beside the other one; servers use it among themselves.
fn tls_arguments(certificate: &Certificate, port: u16) -> Vec<String> {
    let key = certificate.certificate.with_file_name("key.pem");
    let (shown, key) = (text(&certificate.certificate), text(&key));
    let port = port.to_string();
    let own = ["--tls-port", &port, "--tls-cert-file", shown, "--tls-key-file", key];
    let trust = ["--tls-ca-cert-file", shown, "--tls-auth-clients", "no"];
    let all = own.iter().chain(&trust).chain(&["--tls-replication", "yes"]);
    all.map(|argument| (*argument).to_owned()).collect()
}

fn arguments(bus: &str) -> Vec<&str> {
    vec![
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        bus,
        "--cluster-node-timeout",
        NODE_TIMEOUT,
        "--cluster-replica-validity-factor",
        "0",
        "--repl-diskless-sync-delay",
        "0",
    ]
}

/// A sentinel and its folder, to which it writes what it knows.
pub(crate) struct Sentinel {
    child: Child,
    port: u16,
    tls_port: Option<u16>,
    _folder: Folder,
}

impl Sentinel {
    /// One of the master at a port; with a certificate there is a port of TLS, for the others too.
    fn start(master: u16, certificate: Option<&Certificate>) -> Self {
        let folder = Folder::new();
        let port = free_port();
        let tls_port = certificate.map(|_| free_port());
        let tls = certificate.zip(tls_port).map(|(it, port)| tls_arguments(it, port));
        let text = format!(
            "port {port}\nbind 127.0.0.1\nlogfile sentinel.log\n\
             sentinel monitor {MASTER} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {MASTER} 3000\n\
             sentinel failover-timeout {MASTER} 3000\n"
        );
        folder.write("sentinel.conf", text);
        let child = Command::new("redis-server")
            .args(["sentinel.conf", "--sentinel"])
            .args(tls.unwrap_or_default())
            .current_dir(folder.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        folder.wait_for_file("sentinel.log", |path| {
            std::fs::read_to_string(path).is_ok_and(|text| text.contains("+monitor master"))
        });
        Self { child, port, tls_port, _folder: folder }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A master, two replicas, three sentinels.
pub(crate) struct Watched {
    pub(crate) master: Server,
    _replicas: Vec<Server>,
    pub(crate) sentinels: Vec<Sentinel>,
}

impl Watched {
    /// Starts them; `more` are arguments for the servers that hold data.
    pub(crate) fn start(more: &[&str]) -> Self {
        Self::start_each(more, None)
    }

    /// The same, through TLS within and at a second port each.
    pub(crate) fn with_tls(certificate: &Certificate) -> Self {
        Self::start_each(&[], Some(certificate))
    }

    fn start_each(more: &[&str], certificate: Option<&Certificate>) -> Self {
        let start = |first: &[&str]| {
            let tls_port = certificate.map(|_| free_port());
            let tls = certificate.zip(tls_port).map(|(it, port)| tls_arguments(it, port));
            let tls = tls.unwrap_or_default();
            let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
            let quick = ["--repl-diskless-sync-delay", "0"];
            let server = Server::with(&[&quick[..], first, &tls, more].concat());
            let port = tls_port.unwrap_or(server.port);
            (server, port)
        };
        let (master, master_port) = start(&[]);
        let of_master = ["--replicaof", "127.0.0.1", &master_port.to_string()];
        let replicas = [(); 2].map(|()| start(&of_master).0);
        wait_until("the replicas are up to date", || {
            replicas.iter().all(|replica| {
                replica.command(&["INFO", "replication"]).contains("master_link_status:up")
            })
        });
        let sentinels = [(); 3].map(|()| Sentinel::start(master_port, certificate));
        let watched = Self { master, _replicas: replicas.into(), sentinels: sentinels.into() };
        wait_until("the sentinels know everybody", || {
            watched.sentinels.iter().all(|sentinel| {
                let info = command(&sentinel.address(), &["INFO", "sentinel"]);
                info.contains("status=ok") && info.contains("slaves=2,sentinels=3")
            })
        });
        watched
    }

    /// The sentinels as a Lua list of addresses, where they speak TLS if they do.
    pub(crate) fn lua(&self) -> String {
        let port = |sentinel: &Sentinel| sentinel.tls_port.unwrap_or(sentinel.port);
        let sentinels = self.sentinels.iter().map(|it| format!("'127.0.0.1:{}'", port(it)));
        format!("{{ {} }}", sentinels.collect::<Vec<_>>().join(", "))
    }
}
