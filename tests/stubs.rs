//! The annotations in `lua/meta` name exactly the functions that the native modules have.
//!
//! Both sides are read as text: `c"name" => function` in the tables of the bindings, and
//! `function module.name(` in the stub.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Stub, binding, the tables of its functions, and names that the binding takes from elsewhere.
const MODULES: &[(&str, &str, &[&str], &[&str])] = &[
    ("bridge.core", "bridge/mod.rs", &["FUNCTIONS"], &[]),
    ("lpeg", "lpeg/mod.rs", &["FUNCTIONS"], &[]),
    ("bson", "bson/mod.rs", &["FUNCTIONS"], &[]),
    ("md5", "md5.rs", &["FUNCTIONS"], &[]),
    ("md5.core", "md5.rs", &["CORE"], &[]),
    ("skynet", "skynet/mod.rs", &["FUNCTIONS"], &[]),
    ("skynet.cluster.network", "cluster.rs", &["FUNCTIONS"], &[]),
    ("skynet.codecache", "codecache.rs", &["FUNCTIONS"], &[]),
    ("skynet.core", "core.rs", &["FUNCTIONS"], &[]),
    // `running` and `isyieldable` are Lua's own.
    ("skynet.coroutine", "skynet_coroutine.rs", &["SKYNET"], &["isyieldable", "running", "yield"]),
    ("skynet.crypt", "crypt.rs", &["FUNCTIONS"], &[]),
    ("skynet.debugchannel", "debugchannel.rs", &["FUNCTIONS"], &[]),
    ("skynet.http.codec", "http.rs", &["FUNCTIONS"], &[]),
    ("skynet.internal", "internal.rs", &["FUNCTIONS"], &[]),
    ("skynet.memory", "memory.rs", &["FUNCTIONS"], &[]),
    ("skynet.multicast.core", "multicast.rs", &["FUNCTIONS"], &[]),
    ("skynet.netpack", "netpack.rs", &["FUNCTIONS"], &[]),
    ("skynet.profile", "profile.rs", &["FUNCTIONS"], &["yield", "yield_co"]),
    ("skynet.redis.cluster", "redis/cluster.rs", &["FUNCTIONS"], &[]),
    ("skynet.datasheet.core", "shared/sheet.rs", &["FUNCTIONS"], &[]),
    ("skynet.shared", "shared/mod.rs", &["FUNCTIONS"], &[]),
    ("skynet.sharedata.core", "shared/core.rs", &["FUNCTIONS"], &[]),
    ("skynet.stm", "shared/stm.rs", &["FUNCTIONS"], &[]),
    ("skynet.socket.tls", "tls/mod.rs", &["FUNCTIONS"], &[]),
    ("skynet.tls.memory", "tls/memory.rs", &["FUNCTIONS"], &[]),
    ("skynet.redis.client", "redis/mod.rs", &["FUNCTIONS"], &[]),
    ("skynet.require", "require.rs", &["FUNCTIONS"], &["require"]),
    ("skynet.socket", "socket/mod.rs", &["FUNCTIONS"], &[]),
    ("skynet.socketdriver", "socket/driver.rs", &["FUNCTIONS"], &[]),
    ("skynet.sproto", "sproto/mod.rs", &["INTERNAL"], &[]),
    ("skynet.websocket", "websocket/mod.rs", &["FUNCTIONS"], &[]),
    ("sproto.core", "sproto/mod.rs", &["FUNCTIONS"], &[]),
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The names in the table `const NAME: &[Entry] = natives![…];`.
fn bound(source: &str, table: &str) -> BTreeSet<String> {
    let head = format!("const {table}: &[Entry] = natives![");
    let (_, rest) = source.split_once(&head).unwrap_or_else(|| panic!("no table {table}"));
    let (body, _) = rest.split_once("];").unwrap();
    let names =
        body.split("\n    c\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    names.collect()
}

/// The names of `function module.name(` in a stub.
fn annotated(stub: &str) -> BTreeSet<String> {
    let heads = stub.lines().filter_map(|line| line.strip_prefix("function "));
    let names = heads.filter_map(|head| head.split_once('.')?.1.split('(').next());
    names.map(str::to_owned).collect()
}

#[test]
fn each_native_module_is_annotated_and_nothing_else() {
    for (module, binding, tables, others) in MODULES {
        let source = read(&format!("src/bindings/{binding}"));
        let mut expected: BTreeSet<String> = others.iter().map(|&name| name.to_owned()).collect();
        for table in *tables {
            expected.extend(bound(&source, table));
        }
        assert_eq!(annotated(&read(&format!("lua/meta/{module}.lua"))), expected, "{module}");
    }
}

#[test]
fn each_native_module_has_a_stub() {
    let library = read("src/bindings/library.rs");
    let (_, rest) = library.split_once("const NATIVE").unwrap();
    let (body, _) = rest.split_once("];").unwrap();
    for entry in body.split("(\"").skip(1) {
        let module = entry.split('"').next().unwrap();
        assert!(MODULES.iter().any(|(name, ..)| *name == module), "{module} has no stub");
    }
}
