//! What is shipped: the servers of the top folder and the client in `examples/`, on one machine and
//! as two hosts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::own_address;
use crate::support::{Folder, Node};

/// Where the shipped files say that the servers listen.
const SHIPPED: &str = "127.0.0.1:10001";

/// Where its config says that the page is.
const PAGE: &str = "127.0.0.1:8001";

/// What the client prints, in order.
const PRINTED: [&str; 5] = [
    "query:\thello query, this is myserver1",
    "proxy of a name:\thello proxy, this is myserver1",
    "proxy of an address:\tgreetings from myserver2, proxy: visit number 2",
    "name:\tgreetings from myserver2, name: visit number 3",
    "done:\thello the end, this is myserver1",
];

/// What its sends make the servers log.
const NOTED: [&str; 4] = [
    "myserver1 notes: a send to the address from a query",
    "myserver1 notes: a send to the proxy of a name",
    "myserver2 notes: a send to the proxy of an address",
    "myserver2 notes: a send to a name",
];

/// The line that both main scripts begin with, and what older scripts have in its place.
const MODULE: &str = "require \"skynet.cluster\"";
const OLD_MODULE: &str = "require \"cluster\"";

/// Copies a folder with every `SHIPPED` and `MODULE` replaced.
fn copy(from: &Path, to: &Path, address: &str, module: &str) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.replace(SHIPPED, address).replace(MODULE, module);
            fs::write(to.join(path.file_name().unwrap()), text).unwrap();
        }
    }
}

/// The shipped server and client in folders of their own.
struct Hosts {
    server: Folder,
    client: Folder,
}

impl Hosts {
    fn new(address: &str, server_module: &str, client_module: &str) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let (server, client) = (Folder::new(), Folder::new());
        let page = format!("{}:0", address.split(':').next().unwrap());
        copy(&root.join("scripts"), &server.path("scripts"), address, server_module);
        for name in ["config", "clustername.lua", "sandbox.toml"] {
            let text = fs::read_to_string(root.join(name)).unwrap();
            server.write(name, text.replace(SHIPPED, address).replace(PAGE, &page));
        }
        copy(&root.join("examples/cluster-client"), &client.path("."), address, client_module);
        let made = fs::read_to_string(client.path("clustername.lua")).unwrap();
        assert!(made.contains(address), "{made}");
        let made = fs::read_to_string(server.path("scripts/main.lua")).unwrap();
        assert!(made.contains(server_module), "{made}");
        Self { server, client }
    }
}

/// The client has printed what it should, and the server noted it.
fn check(server: &mut Node, client: &mut Node) {
    assert_eq!(client.code(), Some(0), "{}", client.rest());
    let rest = client.rest();
    let printed: Vec<&str> = rest.lines().filter(|line| !line.starts_with('[')).collect();
    assert_eq!(printed, PRINTED);
    NOTED.iter().for_each(|note| server.see(note));
}

#[test]
fn the_shipped_client_calls_the_shipped_servers_in_three_ways() {
    for (server_module, client_module) in [(MODULE, MODULE), (OLD_MODULE, OLD_MODULE)] {
        let hosts = Hosts::new(&own_address().to_string(), server_module, client_module);
        let mut server = hosts.server.start();
        server.expect("KILL self");
        let mut client = hosts.client.start();
        check(&mut server, &mut client);
    }
}

/// Two network namespaces joined by a pair of interfaces; they end with the test.
struct Network {
    names: [String; 2],
}

impl Network {
    fn ip(arguments: &str) -> Result<(), String> {
        let output = Command::new("ip").args(arguments.split(' ')).output();
        let output = output.map_err(|error| format!("ip: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// The first has 192.168.1.101, the second 192.168.1.102.
    fn new() -> Result<Self, String> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let names = ["a", "b"].map(|end| format!("nt{}-{number}{end}", std::process::id()));
        let network = Self { names };
        let [one, two] = &network.names;
        for name in [one, two] {
            Self::ip(&format!("netns add {name}"))?;
            Self::ip(&format!("-n {name} link set lo up"))?;
        }
        Self::ip(&format!("-n {one} link add host type veth peer name host netns {two}"))?;
        for (name, address) in [(one, "192.168.1.101"), (two, "192.168.1.102")] {
            Self::ip(&format!("-n {name} address add {address}/24 dev host"))?;
            Self::ip(&format!("-n {name} link set host up"))?;
        }
        Ok(network)
    }

    /// The network, or `None` with a printed reason where none can be made: it takes root, and a
    /// kernel that lets it.
    fn or_skip() -> Option<Self> {
        let user = Command::new("id").arg("-u").output().unwrap().stdout;
        let has_tool = Command::new("ip").arg("-V").output().is_ok();
        assert!(has_tool || user != b"0\n", "no `ip`: tests/setup.sh installs it");
        Self::new()
            .inspect_err(|why| {
                let mut stderr = std::io::stderr();
                let text = format!("skipped: two hosts need network namespaces, and {why}\n");
                let _ = std::io::Write::write_all(&mut stderr, text.as_bytes());
            })
            .ok()
    }

    /// Starts a node of a folder on one of the hosts.
    fn start(&self, host: usize, folder: &Folder) -> Node {
        let plain = folder.command();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[host]]).arg(plain.get_program());
        command.args(plain.get_args()).current_dir(folder.path("."));
        Node::spawn(&mut command)
    }

    /// Unplugs the first host; nobody tells the second.
    fn cut(&self) {
        Self::ip(&format!("-n {} link set host down", self.names[0])).unwrap();
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Self::ip(&format!("netns del {name}"));
        }
    }
}

#[test]
fn two_hosts_call_each_other_at_the_addresses_of_the_issue() {
    let Some(network) = Network::or_skip() else { return };
    for (server_module, client_module) in [(MODULE, OLD_MODULE), (OLD_MODULE, MODULE)] {
        let hosts = Hosts::new("192.168.1.101:10001", server_module, client_module);
        let mut server = network.start(0, &hosts.server);
        server.expect("KILL self");
        let mut client = network.start(1, &hosts.client);
        check(&mut server, &mut client);
        server.see("socket accept from 192.168.1.102:");
    }
}

/// Calls a function that never answers, and says how that ends.
const WAITS: &str = r#"
local skynet = require "skynet"
require "skynet.manager"
local cluster = require "skynet.cluster"

skynet.start(function()
  print("first", cluster.call("my_server_on_cluster", "@my_server1", "hello", "you"))
  print("waits", pcall(cluster.call, "my_server_on_cluster", "@my_server1", "wait"))
  skynet.abort()
end)
"#;

#[test]
fn a_host_that_is_gone_without_a_word_is_noticed_and_the_calls_to_it_fail() {
    let Some(network) = Network::or_skip() else { return };
    let hosts = Hosts::new("192.168.1.101:10001", MODULE, MODULE);
    let server_main = hosts.server.read("scripts/myserver1.lua");
    let waits = "function CMD.wait() skynet.error 'it waits' skynet.wait() end\nskynet.start(";
    hosts.server.write("scripts/myserver1.lua", server_main.replace("skynet.start(", waits));
    hosts.client.write("main.lua", WAITS);
    let config = hosts.client.read("config");
    hosts.client.write("config", format!("{config}\ncluster_dead_after = 2\n"));

    let mut server = network.start(0, &hosts.server);
    server.expect("KILL self");
    let mut client = network.start(1, &hosts.client);
    server.expect("it waits");
    network.cut();
    client.expect("connection lost (Connection timed out");
    client.see("waits\tfalse\t");
    assert_eq!(client.code(), Some(0));
}
