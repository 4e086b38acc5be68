//! Handshakes as they should go, and as somebody in between or at the other end might bend them.

use proptest::prelude::*;

use super::*;
use crate::codec::cluster::split_greeting;

const SECRET: &[u8] = b"sixteen bytes or more";
const CALLER_NONCE: [u8; NONCE] = [0xc1; NONCE];
const LISTENER_NONCE: [u8; NONCE] = [0x15; NONCE];

fn terms(secret: &[u8], binding: Option<u8>) -> Terms {
    let secret = Some(Secret::new(secret)).filter(|_| !secret.is_empty());
    Terms { secret, binding: binding.map(|byte| [byte; 32]) }
}

/// The contents of all frames in `bytes`.
fn contents(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut rest = bytes;
    while let Some((content, next)) = split_greeting(rest).unwrap() {
        all.push(content.to_vec());
        rest = next;
    }
    assert!(rest.is_empty());
    all
}

/// The content of the only frame in `bytes`, which is taken out.
fn only(bytes: &mut Vec<u8>) -> Vec<u8> {
    let mut all = contents(&std::mem::take(bytes));
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// Both sides, and the frames of a handshake that succeeds.
struct Dialog {
    caller: Caller,
    listener: Listener,
    hello: Vec<u8>,
}

fn dialog(of_caller: Terms, of_listener: Terms) -> Dialog {
    let mut out = Vec::new();
    let caller = Caller::new(of_caller, CALLER_NONCE, b"a-1", &mut out);
    let listener = Listener::new(of_listener, LISTENER_NONCE);
    Dialog { caller, listener, hello: only(&mut out) }
}

fn secured() -> Dialog {
    dialog(terms(SECRET, None), terms(SECRET, None))
}

/// What both sides end with when all frames arrive, those of a side that refuses too.
fn run(of_caller: Terms, of_listener: Terms) -> (Result<bool, Refusal>, Result<bool, Refusal>) {
    let Dialog { mut caller, mut listener, hello } = dialog(of_caller, of_listener);
    let mut out = Vec::new();
    let mut at_listener = listener.take(&hello, &mut out);
    let mut at_caller = Ok(false);
    loop {
        for content in contents(&std::mem::take(&mut out)) {
            at_caller = caller.take(&content, &mut out);
        }
        if out.is_empty() || at_listener != Ok(false) {
            return (at_caller, at_listener);
        }
        for content in contents(&std::mem::take(&mut out)) {
            at_listener = listener.take(&content, &mut out);
        }
        if out.is_empty() {
            return (at_caller, at_listener);
        }
    }
}

#[test]
fn sides_that_know_the_same_secret_accept_each_other() {
    assert_eq!(run(terms(SECRET, None), terms(SECRET, None)), (Ok(true), Ok(true)));
    assert_eq!(run(terms(SECRET, Some(7)), terms(SECRET, Some(7))), (Ok(true), Ok(true)));
    // With TLS alone nothing is to be proven.
    assert_eq!(run(terms(b"", Some(7)), terms(b"", Some(7))), (Ok(true), Ok(true)));
}

#[test]
fn a_wrong_secret_is_seen_by_the_caller_who_then_gives_no_proof() {
    let (at_caller, at_listener) = run(terms(SECRET, None), terms(b"another secret!!", None));
    assert_eq!(at_caller, Err(Refusal::WrongProof { bound: false }));
    assert_eq!(at_listener, Err(Refusal::ProofRefused));

    let Dialog { mut caller, .. } = secured();
    let mut out = Vec::new();
    encode_greeting(&mut out, Greeting::Challenge { nonce: &LISTENER_NONCE, proof: &[0; PROOF] });
    let forged = only(&mut out);
    assert!(caller.take(&forged, &mut out).is_err());
    assert_eq!(only(&mut out)[0], 0x14, "a refusal and nothing else");
}

#[test]
fn a_caller_without_the_secret_is_refused_by_its_proof() {
    let Dialog { mut listener, hello, .. } = secured();
    let mut out = Vec::new();
    assert_eq!(listener.take(&hello, &mut out), Ok(false));
    let mut guess = Vec::new();
    encode_greeting(&mut guess, Greeting::Proof(&[0x5a; PROOF]));
    out.clear();
    let refused = listener.take(&only(&mut guess), &mut out);
    assert_eq!(refused, Err(Refusal::WrongProof { bound: false }));
    assert_eq!(only(&mut out), [0x14, 2, HANDSHAKE_VERSION]);
}

#[test]
fn a_side_with_a_secret_refuses_one_without() {
    let (at_caller, at_listener) = run(terms(SECRET, None), terms(b"", None));
    assert_eq!(at_caller, Err(Refusal::PeerHasNoSecret));
    assert_eq!(at_listener, Err(Refusal::NoSecret));
    let (at_caller, at_listener) = run(terms(b"", None), terms(SECRET, None));
    assert_eq!(at_caller, Err(Refusal::NoSecret));
    assert_eq!(at_listener, Err(Refusal::PeerHasNoSecret));
}

#[test]
fn proofs_hold_for_their_tls_session_alone() {
    let pairs = [(Some(1), Some(2)), (Some(1), None), (None, Some(1))];
    for (of_caller, of_listener) in pairs {
        let (at_caller, at_listener) = run(terms(SECRET, of_caller), terms(SECRET, of_listener));
        assert_eq!(at_caller, Err(Refusal::WrongProof { bound: of_caller.is_some() }));
        assert_eq!(at_listener, Err(Refusal::ProofRefused));
    }
}

#[test]
fn a_recorded_handshake_is_of_no_use_later() {
    let Dialog { mut caller, mut listener, hello } = secured();
    let mut out = Vec::new();
    listener.take(&hello, &mut out).unwrap();
    let challenge = only(&mut out);
    caller.take(&challenge, &mut out).unwrap();
    let proof = only(&mut out);
    assert_eq!(listener.take(&proof, &mut out), Ok(true));

    // The caller's words to the same listener, whose nonce is new.
    let mut listener = Listener::new(terms(SECRET, None), [0x16; NONCE]);
    listener.take(&hello, &mut Vec::new()).unwrap();
    let refused = listener.take(&proof, &mut Vec::new());
    assert_eq!(refused, Err(Refusal::WrongProof { bound: false }));
    // The listener's words to the same caller, whose nonce is new.
    let mut caller = Caller::new(terms(SECRET, None), [0xc2; NONCE], b"a-1", &mut Vec::new());
    let refused = caller.take(&challenge, &mut Vec::new());
    assert_eq!(refused, Err(Refusal::WrongProof { bound: false }));
    // Nor does it pass for another caller's, whose name it does not have.
    let mut caller = Caller::new(terms(SECRET, None), CALLER_NONCE, b"a-2", &mut Vec::new());
    assert!(caller.take(&challenge, &mut Vec::new()).is_err());
}

#[test]
fn what_a_side_said_proves_nothing_when_it_comes_back() {
    // A caller whose own hello comes back, and a listener who gets its own challenge.
    let Dialog { mut caller, mut listener, hello } = secured();
    let mut out = Vec::new();
    assert!(matches!(caller.take(&hello, &mut out), Err(Refusal::Order("a hello", _))));
    listener.take(&hello, &mut out).unwrap();
    let challenge = only(&mut out);
    assert!(matches!(listener.take(&challenge, &mut out), Err(Refusal::Order("a challenge", _))));

    // The listener's own proof as that of a caller who gave it the nonce it got.
    let mut listener = Listener::new(terms(SECRET, None), CALLER_NONCE);
    let (mut said, mut out) = (Vec::new(), Vec::new());
    encode_greeting(
        &mut said,
        Greeting::Hello { proofs: true, nonce: &CALLER_NONCE, name: b"a-1" },
    );
    listener.take(&only(&mut said), &mut out).unwrap();
    let challenge = only(&mut out);
    let Ok(Greeting::Challenge { proof, .. }) = decode_greeting(&challenge) else { panic!() };
    encode_greeting(&mut said, Greeting::Proof(proof));
    let refused = listener.take(&only(&mut said), &mut out);
    assert_eq!(refused, Err(Refusal::WrongProof { bound: false }));
}

#[test]
fn frames_out_of_order_or_too_many_are_refused() {
    let Dialog { mut caller, mut listener, hello } = secured();
    let mut out = Vec::new();
    listener.take(&hello, &mut out).unwrap();
    let challenge = only(&mut out);
    caller.take(&challenge, &mut out).unwrap();
    let proof = only(&mut out);
    listener.take(&proof, &mut out).unwrap();
    let accepted = only(&mut out);
    assert_eq!(caller.take(&accepted, &mut out), Ok(true));
    let frames = [&hello, &challenge, &proof, &accepted, &vec![0x14, 2, 1]];
    for frame in frames {
        // Both are done: nothing more belongs to the handshake.
        assert!(matches!(caller.take(frame, &mut out), Err(Refusal::Order(_, "nothing"))));
        assert!(matches!(listener.take(frame, &mut out), Err(Refusal::Order(_, "nothing"))));
    }
    for wrong in frames {
        let mut begun = secured();
        if wrong != &challenge && wrong.first() != Some(&0x14) && wrong != &accepted {
            assert!(matches!(begun.caller.take(wrong, &mut out), Err(Refusal::Order(..))));
            assert!(begun.caller.take(&challenge, &mut out).is_err(), "it is over");
        }
        if wrong != &hello {
            assert!(matches!(begun.listener.take(wrong, &mut out), Err(Refusal::Order(..))));
            assert!(begun.listener.take(&hello, &mut out).is_err(), "it is over");
        }
        let mut challenged = secured().listener;
        challenged.take(&hello, &mut out).unwrap();
        if wrong != &proof && wrong.first() != Some(&0x14) {
            assert!(matches!(challenged.take(wrong, &mut out), Err(Refusal::Order(..))));
            assert!(challenged.take(&proof, &mut out).is_err(), "it is over");
        }
    }
    // An acceptance without a proof, and a proof that nobody asked for.
    let mut trusting = dialog(terms(b"", None), terms(b"", None)).caller;
    assert_eq!(trusting.take(&challenge, &mut out), Err(Refusal::NoSecret));
    assert_eq!(secured().caller.take(&accepted, &mut out), Err(Refusal::PeerHasNoSecret));
}

#[test]
fn another_version_is_named_on_both_sides() {
    let mut listener = Listener::new(terms(SECRET, None), LISTENER_NONCE);
    let mut out = Vec::new();
    assert_eq!(listener.take(&[0x10, 2, 0xff], &mut out), Err(Refusal::Version(2)));
    let refusal = only(&mut out);
    let error = secured().caller.take(&refusal, &mut out).unwrap_err();
    assert_eq!(error, Refusal::Version(HANDSHAKE_VERSION));
    let refused = secured().caller.take(&[0x14, 1, 3], &mut out).unwrap_err();
    let text = "the peer speaks version 3 of the handshake, this node 1";
    assert_eq!(refused.to_string(), text);
}

#[test]
fn a_frame_cut_short_is_refused() {
    let whole = secured();
    let (mut out, mut listener) = (Vec::new(), whole.listener);
    listener.take(&whole.hello, &mut out).unwrap();
    let challenge = only(&mut out);
    for cut in 0..challenge.len() {
        assert!(secured().caller.take(&challenge[..cut], &mut out).is_err());
    }
    for cut in 0..3 + NONCE {
        assert!(secured().listener.take(&whole.hello[..cut], &mut out).is_err());
    }
    assert!(out.is_empty());
}

proptest! {
    #[test]
    fn no_change_of_one_byte_is_accepted(at in any::<prop::sample::Index>(), by in 1..=255_u8) {
        let Dialog { mut caller, mut listener, mut hello } = secured();
        // The three frames of the handshake as one text, of which one byte is another.
        let mut at = at.index(hello.len() + 1 + NONCE + PROOF + 1 + PROOF);
        let mut bend = |frame: &mut Vec<u8>| {
            if at < frame.len() {
                frame[at] ^= by;
                at = usize::MAX;
            } else {
                at = at.saturating_sub(frame.len());
            }
        };
        bend(&mut hello);
        let mut out = Vec::new();
        let mut step = || {
            listener.take(&hello, &mut out).ok()?;
            let mut challenge = only(&mut out);
            bend(&mut challenge);
            caller.take(&challenge, &mut out).ok()?;
            let mut proof = only(&mut out);
            bend(&mut proof);
            listener.take(&proof, &mut out).ok()
        };
        prop_assert_eq!(step(), None);
    }

    #[test]
    fn other_secrets_are_never_accepted(
        one in prop::collection::vec(any::<u8>(), 16..40),
        other in prop::collection::vec(any::<u8>(), 16..40),
    ) {
        // HMAC fills a short key up with zeros.
        let trimmed = |secret: &[u8]| {
            let end = secret.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            secret[..end].to_vec()
        };
        let ended = run(terms(&one, None), terms(&other, None));
        prop_assert_eq!(ended.0.is_ok(), trimmed(&one) == trimmed(&other));
    }

    #[test]
    fn any_frames_leave_a_side_unconvinced(
        frames in prop::collection::vec(
            (0x0f..0x16_u8, prop::collection::vec(any::<u8>(), 0..80)), 0..8),
    ) {
        let Dialog { mut caller, mut listener, .. } = secured();
        for (kind, fields) in frames {
            let content = [&[kind][..], &fields].concat();
            prop_assert_ne!(caller.take(&content, &mut Vec::new()), Ok(true));
            prop_assert_ne!(listener.take(&content, &mut Vec::new()), Ok(true));
        }
    }
}
