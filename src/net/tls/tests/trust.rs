//! Whose certificates are accepted, and the reasons when they are not.

use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};

use super::*;

#[test]
fn an_unknown_authority_is_the_reason_on_both_sides() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (client, server) = refusal(&authority, &other.host("a.example"), "a.example");
    assert_eq!(client, "the certificate is signed by no known authority (unknown issuer)");
    assert_eq!(server, "the peer refused: it does not know the authority of the certificate");
}

#[test]
fn a_certificate_out_of_its_time_is_named_with_the_date() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2020, 2, 29);
    let (client, server) = refusal(&authority, &authority.signed("old", &params), "a.example");
    let expected = "the certificate has expired on 2020-02-29 00:00:00 UTC (now 2";
    assert!(client.starts_with(expected), "{client}");
    assert_eq!(server, "the peer refused: the certificate has expired");
    params.not_before = date_time_ymd(2999, 1, 1);
    params.not_after = date_time_ymd(3000, 1, 1);
    let (client, _) = refusal(&authority, &authority.signed("young", &params), "a.example");
    let expected = "the certificate is not valid before 2999-01-01 00:00:00 UTC (now 2";
    assert!(client.starts_with(expected), "{client}");
}

#[test]
fn a_certificate_for_another_name_is_named_with_both() {
    let authority = Authority::new();
    let names = ["a.example", "*.b.example", "10.0.0.1"].map(str::to_owned);
    let files = authority.signed("names", &CertificateParams::new(names.to_vec()).unwrap());
    for (host, expected) in [
        ("c.example", "the certificate is for a.example, *.b.example, 10.0.0.1, not for c.example"),
        ("10.0.0.2", "the certificate is for a.example, *.b.example, 10.0.0.1, not for 10.0.0.2"),
    ] {
        let (client, server) = refusal(&authority, &files, host);
        assert_eq!(client, expected);
        assert_eq!(server, "the peer refused: it does not accept the certificate");
    }
    for host in ["a.example", "x.b.example", "10.0.0.1"] {
        let client = Session::client(host, &authority.client()).unwrap();
        let met = shake(&client, &Session::server(&server(&[&files])).unwrap());
        assert_eq!(met.client, None, "{host}");
    }
    let why = Session::client("no host", &authority.client()).unwrap_err();
    assert_eq!(why, "TLS: `no host` is neither the name of a host nor an IP number");
}

#[test]
fn a_certificate_for_another_purpose_is_refused() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let (client, _) = refusal(&authority, &authority.signed("client", &params), "a.example");
    assert_eq!(client, "the certificate is for another purpose");
}

#[test]
fn verification_can_be_switched_off() {
    let (authority, other) = (Authority::new(), Authority::new());
    let options = ClientOptions { verify: false, ..ClientOptions::default() };
    let settings = ClientSettings::new(options, silent()).unwrap();
    let client = Session::client("c.example", &settings).unwrap();
    let server = Session::server(&server(&[&other.host("a.example")])).unwrap();
    assert_eq!(shake(&client, &server).client, None);
    assert!(!client.is_handshaking());
    assert_eq!(client.peer().unwrap().names, ["a.example"]);
    drop(authority);
}

#[test]
fn a_certificate_made_with_one_command_is_trusted_as_itself() {
    let authority = Authority::new();
    // As `openssl req -x509` makes them: signed by itself, and fit to sign others.
    let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let shown = |params: &CertificateParams, host: &str, verify_client: bool| {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let files = authority.write("self", &certificate.pem(), &key.serialize_pem());
        let roots = Roots::File(files.certificate.clone());
        let options =
            ClientOptions { roots, verify: true, certificate: Some(files.clone()), ciphers: None };
        let trust = ClientSettings::new(options, silent()).unwrap();
        let client_roots = verify_client.then(|| files.certificate.clone());
        let options = ServerOptions { certificates: vec![files], client_roots, ciphers: None };
        let settings = ServerSettings::new(options, silent()).unwrap();
        let (client, server) = (Session::client(host, &trust), Session::server(&settings));
        let (client, server) = (client.unwrap(), server.unwrap());
        let met = shake(&client, &server);
        met.client.or(met.server)
    };
    assert_eq!(shown(&params, "a.example", false), None);
    assert_eq!(shown(&params, "a.example", true), None);
    let why = shown(&params, "b.example", false).unwrap();
    assert_eq!(why, "the certificate is for a.example, not for b.example");
    params.not_after = date_time_ymd(2020, 1, 1);
    let why = shown(&params, "a.example", false).unwrap();
    assert!(why.starts_with("the certificate has expired on 2020-01-01"), "{why}");
    // Another certificate of that kind is not this one.
    params.not_after = date_time_ymd(4096, 1, 1);
    let key = KeyPair::generate().unwrap();
    let other = params.self_signed(&key).unwrap();
    let files = authority.write("other", &other.pem(), &key.serialize_pem());
    let (client, _) = refusal(&authority, &files, "a.example");
    let expected =
        "the certificate is one of an authority (CA:TRUE) and not itself among the trusted";
    assert_eq!(client, expected);
}

#[test]
fn a_server_that_asks_for_certificates_takes_those_of_its_authorities_only() {
    let (authority, other) = (Authority::new(), Authority::new());
    let options = ServerOptions {
        certificates: vec![authority.host("a.example")],
        client_roots: Some(authority.ca()),
        ciphers: None,
    };
    let settings = ServerSettings::new(options, silent()).unwrap();
    let attempt = |certificate| {
        let options = ClientOptions { certificate, ..ClientOptions::default() };
        let client = Session::client("a.example", &authority.client_with(options)).unwrap();
        let server = Session::server(&settings).unwrap();
        let met = shake(&client, &server);
        (met.client, met.server, server.peer())
    };
    let (client, server, peer) = attempt(Some(authority.host("client.example")));
    assert_eq!((client, server), (None, None));
    assert_eq!(peer.unwrap().names, ["client.example"]);
    let (client, server, _) = attempt(Some(other.host("client.example")));
    assert_eq!(
        server.as_deref(),
        Some("the certificate is signed by no known authority (unknown issuer)")
    );
    assert!(client.unwrap().starts_with("the peer refused"));
    let (client, server, _) = attempt(None);
    assert_eq!(server.as_deref(), Some("the peer has shown no certificate"));
    assert_eq!(client.as_deref(), Some("the peer refused: it wants a certificate"));
}

#[test]
fn a_client_gets_the_certificate_of_the_name_it_asks_for() {
    let authority = Authority::new();
    let settings = server(&[&authority.host("a.example"), &authority.host("*.b.example")]);
    let names = |host: &str, verify| {
        let options = ClientOptions { verify, ..ClientOptions::default() };
        let client = Session::client(host, &authority.client_with(options)).unwrap();
        let met = shake(&client, &Session::server(&settings).unwrap());
        assert_eq!(met.client, None, "{host}");
        client.peer().unwrap().names
    };
    assert_eq!(names("a.example", true), ["a.example"]);
    assert_eq!(names("x.b.example", true), ["*.b.example"]);
    assert_eq!(names("unknown.example", false), ["a.example"]);
    assert_eq!(names("127.0.0.1", false), ["a.example"]);
}
