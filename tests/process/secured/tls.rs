//! Links with TLS, alone and with a secret.

use super::certificates::Authority;
use super::relay::relay;
use super::{SECRET, client, client_that_tries, expect_calls, expect_refusal, folders, server};
use crate::support::Folder;

const HERE: &str = "127.0.0.1";

#[test]
fn nodes_with_certificates_of_one_authority_call_each_other() {
    let authority = Authority::new("cluster");
    let (there, here) = folders();
    let (_server, port) = server(&there, &authority.equip(&there, HERE, &authority));
    // Of a caller the name does not count.
    let config = authority.equip(&here, "caller.example", &authority);
    expect_calls(&mut client(&here, &config, port));
}

#[test]
fn tls_and_a_secret_go_together() {
    let authority = Authority::new("cluster");
    let (there, here) = folders();
    let config = authority.equip(&there, HERE, &authority);
    let (_server, port) = server(&there, &format!("{config}\n{SECRET}"));
    let config = authority.equip(&here, HERE, &authority);
    expect_calls(&mut client(&here, &format!("{config}\n{SECRET}"), port));
}

#[test]
fn an_expired_certificate_is_refused_with_its_date() {
    let authority = Authority::new("cluster");
    let (there, here) = folders();
    let config = authority.equip(&there, HERE, &authority);
    authority.expire(&there, HERE);
    let (server, port) = server(&there, &config);
    let client = client(&here, &authority.equip(&here, HERE, &authority), port);
    expect_refusal(
        (server, "refused, the peer refused: the certificate has expired"),
        (client, "failed: the certificate has expired on 2002-03-04 00:00:00 UTC (now "),
    );
}

#[test]
fn an_expired_certificate_of_a_caller_is_refused_too() {
    let authority = Authority::new("cluster");
    let (there, here) = folders();
    let (server, port) = server(&there, &authority.equip(&there, HERE, &authority));
    let config = authority.equip(&here, HERE, &authority);
    authority.expire(&here, HERE);
    expect_refusal(
        (server, "refused, the certificate has expired on 2002-03-04 00:00:00 UTC (now "),
        (client(&here, &config, port), "failed: the peer refused: the certificate has expired"),
    );
}

#[test]
fn a_replaced_certificate_is_used_without_a_restart() {
    let authority = Authority::new("cluster");
    let (there, here) = folders();
    let config = authority.equip(&there, HERE, &authority);
    authority.expire(&there, HERE);
    let (mut server, port) = server(&there, &config);
    let config = authority.equip(&here, HERE, &authority);
    let mut client = client_that_tries(&here, &config, port, u32::MAX);
    client.expect("failed: the certificate has expired");
    authority.equip(&there, HERE, &authority);
    expect_calls(&mut client);
    server.expect("TLS: read anew: cert.pem, key.pem, ca.pem");
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused_on_either_side() {
    let (ours, others) = (Authority::new("cluster"), Authority::new("others"));
    let (there, here) = folders();
    let (of_server, port) = server(&there, &ours.equip(&there, HERE, &ours));
    let caller = client(&here, &ours.equip(&here, HERE, &others), port);
    expect_refusal(
        (of_server, "refused, the peer refused: it does not know the authority"),
        (caller, "failed: the certificate is signed by no known authority (unknown issuer)"),
    );

    let (there, here) = folders();
    let (of_server, port) = server(&there, &ours.equip(&there, HERE, &ours));
    let caller = client(&here, &others.equip(&here, HERE, &ours), port);
    expect_refusal(
        (of_server, "refused, the certificate is signed by no known authority (unknown issuer)"),
        (caller, "failed: the peer refused: it does not know the authority"),
    );
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let authority = Authority::new("cluster");
    let (there, here) = folders();
    let (server, port) = server(&there, &authority.equip(&there, "a.example", &authority));
    let client = client(&here, &authority.equip(&here, HERE, &authority), port);
    expect_refusal(
        (server, "refused, the peer refused: "),
        (client, "failed: the certificate is for a.example, not for 127.0.0.1"),
    );
}

#[test]
fn tls_on_one_side_alone_is_named() {
    let authority = Authority::new("cluster");
    let (there, here) = folders();
    let (of_server, port) = server(&there, &authority.equip(&there, HERE, &authority));
    expect_refusal(
        (of_server, "refused, not a TLS record"),
        (client(&here, SECRET, port), "an answer to the hello was expected; a plain peer, or one"),
    );

    let (there, here) = folders();
    let (of_server, port) = server(&there, SECRET);
    let caller = client(&here, &authority.equip(&here, HERE, &authority), port);
    expect_refusal(
        (of_server, "refused, the peer speaks TLS, and this node does not (config: cluster_tls)"),
        (caller, "the end of the TLS handshake was expected; a plain peer, or one"),
    );
}

#[test]
fn a_secret_on_one_side_alone_is_named() {
    let authority = Authority::new("cluster");
    let (there, here) = folders();
    let config = authority.equip(&there, HERE, &authority);
    let (of_server, port) = server(&there, &format!("{config}\n{SECRET}"));
    let caller = client(&here, &authority.equip(&here, HERE, &authority), port);
    expect_refusal(
        (of_server, "refused, the peer asks for no secret: it has no cluster_secret"),
        (caller, "failed: the peer asks for a secret, and this node has none"),
    );

    let (there, here) = folders();
    let (of_server, port) = server(&there, &authority.equip(&there, HERE, &authority));
    let config = authority.equip(&here, HERE, &authority);
    let caller = client(&here, &format!("{config}\n{SECRET}"), port);
    expect_refusal(
        (of_server, "refused, the peer asks for a secret, and this node has none"),
        (caller, "failed: the peer asks for no secret: it has no cluster_secret"),
    );
}

#[test]
fn whoever_ends_tls_in_between_is_refused_by_the_secret() {
    let authority = Authority::new("cluster");
    let (there, here) = folders();
    let between = Folder::new();
    authority.equip(&between, HERE, &authority);
    let config = authority.equip(&there, HERE, &authority);
    let (of_server, port) = server(&there, &format!("{config}\n{SECRET}"));
    let config = authority.equip(&here, HERE, &authority);
    let caller = client(&here, &format!("{config}\n{SECRET}"), relay(&between, port));
    expect_refusal(
        (of_server, "refused, wrong secret: the peer has another cluster_secret than this node"),
        (
            caller,
            "failed: wrong secret: the peer's proof was not made with the cluster_secret of \
                  this node and for this TLS session; attempt 1",
        ),
    );

    // Nothing else is wrong with it: without a secret it is one of the cluster.
    let (there, here) = folders();
    let (_server, port) = server(&there, &authority.equip(&there, HERE, &authority));
    let config = authority.equip(&here, HERE, &authority);
    expect_calls(&mut client(&here, &config, relay(&between, port)));
}

#[test]
fn files_of_no_use_end_the_start_with_their_key() {
    let authority = Authority::new("cluster");
    let folder = Folder::new();
    let config = authority.equip(&folder, HERE, &authority);
    folder.config(&config).write("main.lua", "").write("cert.pem", "no certificate");
    let (code, _, errors) = folder.run();
    assert_eq!(code, Some(1));
    let expected = "config ./config:5: cluster_certfile = \"cert.pem\" (expected a PEM file that \
                    fits: cert.pem: no certificate in it (PEM expected))\n";
    assert!(errors.ends_with(expected), "{errors}");
}
