//! Handshakes, data, ends, and bytes that are none of TLS.

use std::sync::Arc;

use tokio_rustls::rustls::{self, ClientConfig, ServerConfig, version};

use super::super::{PENDING, files, provider};
use super::*;

#[test]
fn a_handshake_and_data_both_ways_survive_any_chopping() {
    let authority = Authority::new();
    let (settings, trust) = (server(&[&authority.host("a.example")]), authority.client());
    for step in [1, 2, 3, 5, 7, 100, 1000] {
        let client = Session::client("a.example", &trust).unwrap();
        let server = Session::server(&settings).unwrap();
        let mut first = client.start();
        // What is written before the end of the handshake leaves with it, in order.
        client.seal(b"early ", &mut first).unwrap();
        client.seal(b"bird", &mut first).unwrap();
        server.seal(b"welcome", &mut first).unwrap();
        let met = meet(&client, &server, first, step);
        assert_eq!((met.client, met.server), (None, None), "in steps of {step}");
        assert_eq!(met.at_server, b"early bird");
        assert_eq!(met.at_client, b"welcome");
        assert!(client.description().starts_with("TLSv1_3"), "{client:?}");
        assert_eq!(client.peer().unwrap().names, ["a.example"]);
        assert_eq!(server.peer(), None);
    }
}

#[test]
fn large_data_arrives_whole_and_a_call_gives_no_more_than_it_got() {
    let authority = Authority::new();
    let (client, server) = connected(&authority);
    let sent: Vec<u8> = (0..1_000_003_u32).map(|index| index.to_le_bytes()[1]).collect();
    let mut records = Vec::new();
    client.seal(&sent, &mut records).unwrap();
    let mut got = Vec::new();
    for piece in records.chunks(10_007) {
        let (before, mut reply) = (got.len(), Vec::new());
        assert_eq!(server.open(piece, &mut got, &mut reply), Ok(false));
        assert!(got.len() - before <= piece.len() + (16 << 10), "one record may be left over");
        assert_eq!(reply, b"");
    }
    assert!(got == sent);
}

#[test]
fn too_much_before_the_end_of_the_handshake_is_refused() {
    let authority = Authority::new();
    let client = Session::client("a.example", &authority.client()).unwrap();
    let mut records = client.start();
    client.seal(&[0; PENDING], &mut records).unwrap();
    let why = client.seal(b"x", &mut records).unwrap_err();
    assert_eq!(why, "TLS: more than 65536 bytes wait for the end of the handshake");
}

#[test]
fn the_end_is_announced_once_and_nothing_is_written_behind_it() {
    let authority = Authority::new();
    let (client, server) = connected(&authority);
    assert_eq!(server.at_end().unwrap_err(), "cut off: the end was not announced");
    let mut records = Vec::new();
    client.seal(b"last words", &mut records).unwrap();
    client.close_notify(&mut records);
    let length = records.len();
    client.close_notify(&mut records);
    assert_eq!(records.len(), length);
    assert!(client.seal(b"more", &mut records).is_err());
    let (mut plain, mut reply) = (Vec::new(), Vec::new());
    assert_eq!(server.open(&records, &mut plain, &mut reply), Ok(true));
    assert_eq!(plain, b"last words");
    assert_eq!(server.at_end(), Ok(()));
    // The other direction stays open.
    server.seal(b"answer", &mut reply).unwrap();
    let mut answer = Vec::new();
    assert_eq!(client.open(&reply, &mut answer, &mut Vec::new()), Ok(false));
    assert_eq!(answer, b"answer");
}

#[test]
fn an_end_during_the_handshake_is_named() {
    let authority = Authority::new();
    let client = Session::client("a.example", &authority.client()).unwrap();
    client.start();
    assert_eq!(client.at_end().unwrap_err(), "closed by the peer during the TLS handshake");
}

#[test]
fn both_sides_export_the_same_bytes_and_no_other_connection_does() {
    let authority = Authority::new();
    let pairs = [connected(&authority), connected(&authority)];
    let export = |session: &Session, context| {
        let mut out = [0; 32];
        session.exporter(b"EXPERIMENTAL node", context, &mut out).unwrap();
        out
    };
    let [first, second] = pairs.each_ref().map(|(client, server)| {
        let bytes = export(client, None);
        assert_eq!(bytes, export(server, None));
        assert_ne!(bytes, export(server, Some(b"other")));
        bytes
    });
    assert_ne!(first, second);
    let young = Session::client("a.example", &authority.client()).unwrap();
    assert!(young.exporter(b"label", None, &mut [0; 32]).is_err());
}

#[test]
fn what_is_not_tls_is_said_so_and_shown() {
    let authority = Authority::new();
    let server = Session::server(&server(&[&authority.host("a.example")])).unwrap();
    let (mut plain, mut reply) = (Vec::new(), Vec::new());
    let why = server.open(b"GET / HTTP/1.1\r\nHost: a\r\n", &mut plain, &mut reply).unwrap_err();
    assert_eq!(why, r#"not a TLS record: "GET / HTTP/1.1\r\n""#);
    assert_eq!(server.open(b"more", &mut plain, &mut reply).unwrap_err(), why);
    assert_eq!(server.seal(b"x", &mut reply).unwrap_err(), why);
    assert!(plain.is_empty());
    let client = Session::client("a.example", &authority.client()).unwrap();
    client.start();
    let why = client.open(&[22, 0, 5, 1, 2], &mut plain, &mut reply).unwrap_err();
    assert_eq!(why, "not a TLS record");
}

#[test]
fn a_byte_altered_on_the_way_ends_the_connection() {
    let authority = Authority::new();
    let (client, server) = connected(&authority);
    let mut records = Vec::new();
    client.seal(b"pay 1 to a", &mut records).unwrap();
    let last = records.len() - 1;
    records[last] ^= 1;
    let (mut plain, mut reply) = (Vec::new(), Vec::new());
    let why = server.open(&records, &mut plain, &mut reply).unwrap_err();
    assert_eq!(why, "a TLS record was altered on its way");
    assert!(plain.is_empty() && !reply.is_empty(), "the peer is told by an alert");
}

#[test]
fn sides_without_a_common_version_say_so() {
    let authority = Authority::new();
    let files = authority.host("a.example");
    let old = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(
            files::certified_key(&files).unwrap(),
        )));
    let new = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_root_certificates(files::authorities(&authority.ca()).unwrap().0)
        .with_no_client_auth();
    let name = "a.example".try_into().unwrap();
    let client = rustls::ClientConnection::new(Arc::new(new), name).unwrap();
    let server = rustls::ServerConnection::new(Arc::new(old)).unwrap();
    let (client, server) = (Session::of(client.into()), Session::of(server.into()));
    let met = shake(&client, &server);
    let none = "the peer speaks no common version of TLS (1.2 and 1.3 are spoken here)";
    assert_eq!(met.server.as_deref(), Some(none));
    assert_eq!(met.client.as_deref(), Some("the peer refused: no common version of TLS"));
}

#[test]
fn a_peer_of_tls_1_2_is_welcome() {
    let authority = Authority::new();
    let old = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS12])
        .unwrap()
        .with_root_certificates(files::authorities(&authority.ca()).unwrap().0)
        .with_no_client_auth();
    let name = "a.example".try_into().unwrap();
    let client = rustls::ClientConnection::new(Arc::new(old), name).unwrap();
    let client = Session::of(client.into());
    let server = Session::server(&server(&[&authority.host("a.example")])).unwrap();
    let mut first = client.start();
    client.seal(b"hello", &mut first).unwrap();
    let met = meet(&client, &server, first, 1);
    assert_eq!((met.client, met.server, met.at_server), (None, None, b"hello".to_vec()));
    assert!(server.description().starts_with("TLSv1_2"), "{server:?}");
}
