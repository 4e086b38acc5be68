//! Links with a shared secret and without TLS.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};

use super::{SECRET, client, expect_calls, expect_refusal, folders, server};

#[test]
fn nodes_with_the_same_secret_call_each_other() {
    let (there, here) = folders();
    let (_server, port) = server(&there, SECRET);
    here.write("secret", "a secret of both nodes\n");
    expect_calls(&mut client(&here, "cluster_secret = 'file:secret'", port));
}

#[test]
fn a_wrong_secret_is_named_on_both_sides_and_nothing_is_delivered() {
    let (there, here) = folders();
    let (server, port) = server(&there, SECRET);
    let client = client(&here, "cluster_secret = 'another secret here'", port);
    expect_refusal(
        (server, "refused, wrong secret: the peer has another cluster_secret than this node"),
        (
            client,
            "failed: wrong secret: the peer's proof was not made with the cluster_secret of this \
             node; attempt 1",
        ),
    );
}

#[test]
fn a_plain_caller_on_a_secured_port_is_refused() {
    let (there, here) = folders();
    let (server, port) = server(&there, SECRET);
    let client = client(&here, "", port);
    expect_refusal(
        (server, "refused, a plain peer: it sent a request (first byte 80) without the handshake"),
        (client, "connection lost"),
    );
}

#[test]
fn a_secured_caller_on_a_plain_port_fails_with_a_hint() {
    let (there, here) = folders();
    let (server, port) = server(&there, "");
    let client = client(&here, SECRET, port);
    expect_refusal(
        (server, "closed, Invalid req package type 16"),
        (client, "an answer to the hello was expected; a plain peer, or one whose cluster_secret"),
    );
}

#[test]
fn a_peer_that_does_not_answer_the_hello_fails_the_attempt_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_, here) = folders();
    let port = silent.local_addr().unwrap().port();
    let mut client = client(&here, &format!("{SECRET}\ncluster_connect_timeout = 0.2"), port);
    client.expect(
        "failed: timed out: an answer to the hello did not come within 200ms; a plain peer, or one",
    );
    client.expect("call failed");
}

#[test]
fn a_caller_that_says_nothing_is_closed_in_time() {
    let (there, _) = folders();
    let (mut server, port) = server(&there, &format!("{SECRET}\ncluster_connect_timeout = 0.2"));
    let mut silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let peer = silent.local_addr().unwrap();
    server.expect(&format!(
        "cluster connection of {peer}: refused, timed out: a hello did not come within 200ms"
    ));
    assert_eq!(silent.read(&mut [0; 16]).unwrap(), 0);
}
