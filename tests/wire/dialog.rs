//! The handshakes of `docs/wire.md`, which two sides play through: what each says is what the page
//! says.

use node::cluster::secure::handshake::{Caller, Listener, Secret, Terms};
use node::codec::cluster::{Greeting, NONCE, decode_greeting};

use crate::text::{content, string};

/// The nonces of the examples.
const CALLER_NONCE: [u8; NONCE] = [0xaa; NONCE];
/// See `CALLER_NONCE`.
const LISTENER_NONCE: [u8; NONCE] = [0xbb; NONCE];

/// One block: both sides as far as they have come.
#[derive(Default)]
pub(crate) struct Dialog {
    terms: Terms,
    caller: Option<Caller>,
    listener: Option<Listener>,
    /// What the sides said that the page has not shown yet.
    by_caller: Vec<u8>,
    by_listener: Vec<u8>,
}

impl Dialog {
    /// What a line says, after it was played.
    pub(crate) fn said(&mut self, kind: &str, bytes: &[u8]) -> String {
        match kind {
            "secret" => {
                self.terms.secret = Some(Secret::new(bytes));
                return string(bytes);
            }
            "binding" => {
                self.terms.binding = Some(bytes.try_into().expect("a binding has 32 bytes"));
                return "of the TLS session".to_owned();
            }
            "caller" => self.play_caller(bytes),
            "listener" => self.play_listener(bytes),
            other => panic!("{other} is no line of a handshake"),
        }
        meaning(decode_greeting(content(bytes)).expect("the page shows frames that are read"))
    }

    fn play_caller(&mut self, frame: &[u8]) {
        match decode_greeting(content(frame)).expect("a frame") {
            // The page has callers, too, who ask for something else than the listener does.
            Greeting::Hello { proofs, name, .. } => {
                let mut terms = self.terms.clone();
                let secret = terms.secret.take().unwrap_or_else(|| Secret::new(b"of the caller"));
                terms.secret = proofs.then_some(secret);
                self.caller = Some(Caller::new(terms, CALLER_NONCE, name, &mut self.by_caller));
            }
            Greeting::Foreign { .. } => self.by_caller.extend_from_slice(frame),
            _ => {}
        }
        assert_eq!(std::mem::take(&mut self.by_caller), frame, "what the caller says");
        let terms = self.terms.clone();
        let listener = self.listener.get_or_insert_with(|| Listener::new(terms, LISTENER_NONCE));
        // How it ends shows in what it says.
        let _ = listener.take(content(frame), &mut self.by_listener);
    }

    fn play_listener(&mut self, frame: &[u8]) {
        let said = std::mem::take(&mut self.by_listener);
        let forged = matches!(decode_greeting(content(frame)),
            Ok(Greeting::Challenge { proof, .. }) if proof.iter().all(|byte| *byte == 0));
        assert!(said == frame || forged, "what the listener says: {said:02x?}");
        if let Some(caller) = &mut self.caller {
            let _ = caller.take(content(frame), &mut self.by_caller);
        }
    }

    /// True when nobody has said more than the page shows.
    pub(crate) fn is_done(&self) -> bool {
        self.by_caller.is_empty() && self.by_listener.is_empty()
    }
}

fn meaning(greeting: Greeting<'_>) -> String {
    match greeting {
        Greeting::Hello { proofs, name, .. } => {
            let asks = if proofs { ", asks for proofs" } else { "" };
            format!("hello of {}, version 1{asks}", string(name))
        }
        Greeting::Foreign { version } => format!("hello of version {version}"),
        Greeting::Challenge { .. } => "challenge".to_owned(),
        Greeting::Proof(_) => "proof".to_owned(),
        Greeting::Accepted => "accepted".to_owned(),
        Greeting::Refused { reason, version } => format!("refused: {reason:?}, version {version}"),
    }
}
