//! Files of certificates: read, read anew, and what is wrong with them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_rustls::rustls;

use super::super::Store;
use super::super::watched::CHECK;
use super::*;
use crate::kernel::{Clock, Node, NodeOptions};

/// Of a watchdog that nothing here needs.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_new_certificate_is_used_by_new_connections_and_a_broken_one_is_told_once() {
    let authority = Authority::new();
    let said = Arc::new(Mutex::new(Vec::new()));
    let notice: Notice = {
        let said = Arc::clone(&said);
        Arc::new(move |line: &str| said.lock().unwrap().push(line.to_owned()))
    };
    let files = authority.host("a.example");
    let certificates = vec![files.clone()];
    let settings =
        ServerSettings::new(ServerOptions { certificates, ..ServerOptions::default() }, notice)
            .unwrap();
    let trust = authority.client();
    let start = Instant::now();
    let names = |second| {
        let config = settings.current_at(start + CHECK * second);
        let server = Session::of(rustls::ServerConnection::new(config).unwrap().into());
        let client = Session::client("a.example", &trust).unwrap();
        assert_eq!(shake(&client, &server).client, None);
        client.peer().unwrap().names
    };
    assert_eq!(names(1), ["a.example"]);
    let both = ["a.example", "b.example"].map(str::to_owned);
    let other = authority.signed("other", &CertificateParams::new(both.to_vec()).unwrap());
    // The certificate is there before its key.
    fs::copy(&other.certificate, &files.certificate).unwrap();
    assert_eq!(names(2), ["a.example"]);
    assert_eq!(names(3), ["a.example"]);
    let (key, certificate) = (files.key.display(), files.certificate.display());
    let line =
        format!("TLS: {key}: not the key of {certificate}; what was read before stays in use");
    assert_eq!(*said.lock().unwrap(), [line]);
    fs::copy(&other.key, &files.key).unwrap();
    assert_eq!(names(4), both);
    let line = format!("TLS: read anew: {certificate}, {key}");
    assert_eq!(said.lock().unwrap()[1..], [line]);
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name() {
    let authority = Authority::new();
    let good = authority.host("a.example");
    let attempt = |files: CertificateFiles| {
        let options = ServerOptions { certificates: vec![files], ..ServerOptions::default() };
        let why = ServerSettings::new(options, silent()).unwrap_err();
        why.replace(authority.folder.to_str().unwrap(), ".")
    };
    let with = |certificate: &str, key: &str| authority.write("bad", certificate, key);
    let pem = |file: &PathBuf| fs::read_to_string(file).unwrap();
    let (chain, key) = (pem(&good.certificate), pem(&good.key));
    let missing = CertificateFiles { certificate: "/nowhere".into(), key: good.key.clone() };
    assert_eq!(attempt(missing), "/nowhere: No such file or directory (os error 2)");
    let folder = CertificateFiles { certificate: "/".into(), key: good.key.clone() };
    assert_eq!(attempt(folder), "/: no file");
    assert_eq!(attempt(with("", &key)), "./bad.pem: no certificate in it (PEM expected)");
    let none = "./bad.key: no private key without a password in it (PEM expected)";
    assert_eq!(attempt(with(&chain, &chain)), none);
    let cut = &chain[..chain.len() / 2];
    assert!(attempt(with(cut, &key)).starts_with("./bad.pem: "), "{}", attempt(with(cut, &key)));
    let other = KeyPair::generate().unwrap().serialize_pem();
    assert_eq!(attempt(with(&chain, &other)), "./bad.key: not the key of ./bad.pem");
    let empty = ServerSettings::new(ServerOptions::default(), silent()).unwrap_err();
    assert_eq!(empty, "a TLS server needs a certificate and its key");
    let options = ClientOptions { roots: Roots::File(good.key), ..ClientOptions::default() };
    let why = ClientSettings::new(options, silent()).unwrap_err();
    assert!(why.ends_with("a.example.key: no certificate in it (PEM expected)"), "{why}");
}

#[test]
fn the_authorities_of_the_system_are_found() {
    // Whoever runs the tests may have none; then the text says where they were looked for.
    match ClientSettings::new(ClientOptions::default(), silent()) {
        Ok(settings) => {
            let authority = Authority::new();
            let client = Session::client("a.example", &settings).unwrap();
            let server = Session::server(&server(&[&authority.host("a.example")])).unwrap();
            let why = shake(&client, &server).client.unwrap();
            assert!(why.contains("unknown issuer"), "{why}");
        }
        Err(why) => assert!(why.starts_with("this system has no file of authorities"), "{why}"),
    }
}

#[test]
fn connections_with_the_same_options_share_their_settings() {
    let authority = Authority::new();
    let defaults = ClientOptions { roots: Roots::File(authority.ca()), ..ClientOptions::default() };
    let store = Store::new(defaults.clone(), authority.host("a.example"), PATIENCE);
    let node = Node::new(
        NodeOptions {
            threads: 1,
            harbor: 0,
            profile: false,
            endless_warning: PATIENCE,
            max_services: 1,
            message_log_directory: None,
            clock: Clock::real(),
            poke: |_| {},
        },
        HashMap::new(),
    );
    let first = store.client(store.defaults(), &node).unwrap();
    assert!(Arc::ptr_eq(&first, &store.client(&defaults, &node).unwrap()));
    let other = store.client(&ClientOptions { verify: false, ..defaults }, &node).unwrap();
    assert!(!Arc::ptr_eq(&first, &other));
    let certificates = vec![store.certificate().clone()];
    let options = ServerOptions { certificates, ..ServerOptions::default() };
    let first = store.server(&options, &node).unwrap();
    assert!(Arc::ptr_eq(&first, &store.server(&options, &node).unwrap()));
    assert!(store.server(&ServerOptions::default(), &node).is_err());
}
