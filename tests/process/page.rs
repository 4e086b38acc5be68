//! The page of the shipped demonstration and the WebSocket examples, with clients that ask for what a
//! browser asks for. A browser itself is in `browser.rs`.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use crate::support::{Folder, Node};
use crate::websocket::{python, run_client};

/// Copies shipped files, with addresses replaced.
fn copy(folder: &Folder, names: &[impl AsRef<Path>], from: &str, addresses: &[(&str, &str)]) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(from);
    for name in names {
        let name = name.as_ref().to_str().unwrap();
        let mut text = fs::read_to_string(root.join(name)).unwrap();
        for (shipped, address) in addresses {
            text = text.replace(shipped, address);
        }
        folder.write(name, text);
    }
}

/// The demonstration, with its page at another address.
pub(crate) fn demonstration(page: &str) -> (Node, Folder) {
    let folder = Folder::new();
    fs::create_dir(folder.path("scripts")).unwrap();
    let names =
        ["config", "clustername.lua", "sandbox.toml", "scripts/main.lua", "scripts/web.lua"];
    let addresses = [("127.0.0.1:8001", page), ("127.0.0.1:10001", "127.0.0.1:0")];
    copy(&folder, &names, ".", &addresses);
    let others = ["myserver1", "myserver2", "bridge_main", "bridge_fishing"];
    copy(&folder, &others.map(|name| format!("scripts/{name}.lua")), ".", &[]);
    (folder.start(), folder)
}

/// The port in the line of the log that has it behind `address`.
pub(crate) fn port(node: &mut Node, address: &str) -> u16 {
    let line = node.expect(address);
    let (_, rest) = line.split_once(address).unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

#[test]
fn the_shipped_page_is_served_and_its_websocket_answers() {
    let (mut node, _folder) = demonstration("127.0.0.1:0");
    let port = port(&mut node, "open http://127.0.0.1:");
    run_client(&python(), "page.py", port);
    node.expect("closed: 1000 bye");
    // Meanwhile the two games have moved a player's gold there and back.
    node.see("fishing: in the main game he has 5250 gold and 20 diamonds");
    node.see("fishing: open transfers: 0");
}

#[test]
fn the_demonstration_goes_on_without_a_page_when_its_port_is_taken_or_the_config_has_none() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (mut node, _folder) = demonstration(&address);
    node.expect(&format!("web: no page at {address}: "));
    node.expect("[:00000002] KILL self");

    let folder = Folder::new();
    fs::create_dir(folder.path("scripts")).unwrap();
    let names = ["scripts/main.lua", "scripts/myserver1.lua", "scripts/myserver2.lua"];
    copy(&folder, &names, ".", &[]);
    let without = [("web = ", "-- "), ("redis = ", "-- "), ("127.0.0.1:10001", "127.0.0.1:0")];
    copy(&folder, &["config", "clustername.lua"], ".", &without);
    let mut node = folder.start();
    node.expect("[:00000002] KILL self");
    assert_eq!(node.count("web"), 0);
}

#[test]
fn the_client_of_the_examples_talks_to_their_server() {
    let folder = Folder::new();
    let names = ["config", "main.lua"];
    copy(&folder, &names, "examples/websocket-recv", &[("127.0.0.1:8002", "127.0.0.1:0")]);
    let mut server = folder.start();
    let address = format!("127.0.0.1:{}", port(&mut server, "ws://127.0.0.1:"));

    let folder = Folder::new();
    copy(&folder, &names, "examples/websocket-client", &[("127.0.0.1:8002", &address)]);
    let (code, printed, errors) = folder.run();
    assert_eq!(code, Some(0), "{printed}{errors}");
    let printed: Vec<&str> = printed.lines().filter(|line| !line.starts_with('[')).collect();
    assert_eq!(printed.len(), 6, "{printed:?}");
    assert!(printed[0].starts_with("greeting:\thello 127.0.0.1:"), "{printed:?}");
    for (line, end) in printed[1..4].iter().zip([
        " one, your number 1",
        " two, your number 2",
        " three, your number 3",
    ]) {
        assert!(line.starts_with("echo:\t") && line.ends_with(end), "{line}");
    }
    assert_eq!(printed[4], "closed:\tfalse\t1000\tbye");
    server.expect("4 messages, then 1000 (bye)");
    server.expect("0 messages, then 1000 (that is all)");
}
