//! Who proves what to whom before the first request of a secured link, without any connection.
//!
//! Both sides know a secret. Whoever connected sends a nonce; whoever listens answers with its own
//! nonce and a proof over both; then the first proves the same. So nobody gives a proof to a peer
//! that calls itself without having seen one. A proof names its direction, so it cannot be sent
//! back, holds for these two nonces, so it cannot be sent again, and for the TLS session if there is
//! one, so it cannot be passed on through another.
//! Invariant: `take` answers true once, and only after the peer has proven all that was asked for;
//! after that, and after a refusal, it takes nothing.
//! Not here: frames (`codec/cluster/handshake.rs`), time and bytes (`wire.rs`).

use std::fmt;

use ring::hmac;

use crate::codec::cluster::{
    Greeting, HANDSHAKE_VERSION, LONGEST_NAME, NONCE, NotGreeting, PROOF, Reason, decode_greeting,
    encode_greeting,
};

/// What proofs begin with, by who makes them.
const LISTENER: &[u8] = b"node cluster: listener\0";
/// See `LISTENER`.
const CALLER: &[u8] = b"node cluster: caller\0";

/// Bytes that belong to one TLS session.
pub type Binding = [u8; 32];

/// What both sides know and nobody else.
#[derive(Clone)]
pub struct Secret(hmac::Key);

impl Secret {
    /// A secret of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a secret")
    }
}

/// What a side brings to a handshake.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The secret, if one is asked for.
    pub secret: Option<Secret>,
    /// Of the TLS session below, if there is one.
    pub binding: Option<Binding>,
}

/// Why a side goes no further.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// What came is no handshake.
    #[error(transparent)]
    NotGreeting(#[from] NotGreeting),
    /// The other side speaks another version.
    #[error("the peer speaks version {0} of the handshake, this node {HANDSHAKE_VERSION}")]
    Version(u8),
    /// The other side proved something else.
    #[error("wrong secret: the peer's proof was not made with the cluster_secret of this node{}",
        if *.bound { " and for this TLS session" } else { "" })]
    WrongProof {
        /// The proof had to be for the TLS session too.
        bound: bool,
    },
    /// The other side found this side's proof wrong.
    #[error("wrong secret: the peer has another cluster_secret than this node")]
    ProofRefused,
    /// This side has none.
    #[error("the peer asks for a secret, and this node has none (config: cluster_secret)")]
    NoSecret,
    /// The other side has none.
    #[error("the peer asks for no secret: it has no cluster_secret")]
    PeerHasNoSecret,
    /// The other side says so, and no more.
    #[error("the peer refused (reason {0})")]
    Unknown(u8),
    /// A frame that does not belong here.
    #[error("the peer broke the order of the handshake ({0} where {1} was expected)")]
    Order(&'static str, &'static str),
}

/// The side that connects.
#[derive(Debug)]
pub struct Caller {
    terms: Terms,
    nonce: [u8; NONCE],
    name: Vec<u8>,
    state: CallerState,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum CallerState {
    /// Has said hello.
    Called,
    /// Has proven itself.
    Proven,
    Over,
}

impl Caller {
    /// Begins: appends the hello to `out`. A nonce is used once.
    pub fn new(terms: Terms, nonce: [u8; NONCE], name: &[u8], out: &mut Vec<u8>) -> Self {
        let name = name[..name.len().min(LONGEST_NAME)].to_vec();
        let proofs = terms.secret.is_some();
        encode_greeting(out, Greeting::Hello { proofs, nonce: &nonce, name: &name });
        Self { terms, nonce, name, state: CallerState::Called }
    }

    /// Takes the content of a frame and appends what is to be said to `out`, also when it fails.
    /// True when the peer has accepted.
    ///
    /// # Errors
    /// Why the connection must not be used.
    pub fn take(&mut self, content: &[u8], out: &mut Vec<u8>) -> Result<bool, Refusal> {
        let state = std::mem::replace(&mut self.state, CallerState::Over);
        let greeting = decode_greeting(content)?;
        match (state, greeting) {
            (CallerState::Called, Greeting::Challenge { nonce, proof }) => {
                let Some(Secret(key)) = &self.terms.secret else {
                    refuse(out, Reason::NoSecret);
                    return Err(Refusal::NoSecret);
                };
                let transcript =
                    |label| transcript(label, &self.nonce, nonce, self.terms.binding, &self.name);
                if hmac::verify(key, &transcript(LISTENER), proof).is_err() {
                    refuse(out, Reason::WrongProof);
                    return Err(Refusal::WrongProof { bound: self.terms.binding.is_some() });
                }
                encode_greeting(out, Greeting::Proof(&prove(key, &transcript(CALLER))));
                self.state = CallerState::Proven;
                Ok(false)
            }
            (CallerState::Called, Greeting::Accepted) if self.terms.secret.is_some() => {
                refuse(out, Reason::SecretWanted);
                Err(Refusal::PeerHasNoSecret)
            }
            (CallerState::Called | CallerState::Proven, Greeting::Accepted) => Ok(true),
            (CallerState::Called | CallerState::Proven, Greeting::Refused { reason, version }) => {
                Err(refused(reason, version))
            }
            (state, greeting) => Err(Refusal::Order(name_of(&greeting), state.expected())),
        }
    }

    /// What the peer has to say next.
    pub fn expected(&self) -> &'static str {
        self.state.expected()
    }
}

impl CallerState {
    const fn expected(self) -> &'static str {
        match self {
            Self::Called => "an answer to the hello",
            Self::Proven => "an answer to the proof",
            Self::Over => "nothing",
        }
    }
}

/// The side that was connected to.
#[derive(Debug)]
pub struct Listener {
    terms: Terms,
    nonce: [u8; NONCE],
    state: ListenerState,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum ListenerState {
    /// Waits for the hello.
    Silent,
    /// Has proven itself; what the caller has to prove.
    Challenged(Vec<u8>),
    Over,
}

impl Listener {
    /// Begins. A nonce is used once.
    pub const fn new(terms: Terms, nonce: [u8; NONCE]) -> Self {
        Self { terms, nonce, state: ListenerState::Silent }
    }

    /// Takes the content of a frame and appends what is to be said to `out`, also when it fails.
    /// True when the peer is accepted.
    ///
    /// # Errors
    /// Why the connection must not be used.
    pub fn take(&mut self, content: &[u8], out: &mut Vec<u8>) -> Result<bool, Refusal> {
        let state = std::mem::replace(&mut self.state, ListenerState::Over);
        let greeting = decode_greeting(content)?;
        match (state, greeting) {
            (ListenerState::Silent, Greeting::Hello { proofs, nonce, name }) => {
                let key = match (&self.terms.secret, proofs) {
                    (Some(Secret(key)), true) => key,
                    (None, false) => {
                        encode_greeting(out, Greeting::Accepted);
                        return Ok(true);
                    }
                    (Some(_), false) => {
                        refuse(out, Reason::SecretWanted);
                        return Err(Refusal::PeerHasNoSecret);
                    }
                    (None, true) => {
                        refuse(out, Reason::NoSecret);
                        return Err(Refusal::NoSecret);
                    }
                };
                let transcript =
                    |label| transcript(label, nonce, &self.nonce, self.terms.binding, name);
                let proof = &prove(key, &transcript(LISTENER));
                encode_greeting(out, Greeting::Challenge { nonce: &self.nonce, proof });
                self.state = ListenerState::Challenged(transcript(CALLER));
                Ok(false)
            }
            (ListenerState::Silent, Greeting::Foreign { version }) => {
                refuse(out, Reason::Version);
                Err(Refusal::Version(version))
            }
            (ListenerState::Challenged(wanted), Greeting::Proof(proof)) => {
                let proven = self
                    .terms
                    .secret
                    .as_ref()
                    .is_some_and(|Secret(key)| hmac::verify(key, &wanted, proof).is_ok());
                if !proven {
                    refuse(out, Reason::WrongProof);
                    return Err(Refusal::WrongProof { bound: self.terms.binding.is_some() });
                }
                encode_greeting(out, Greeting::Accepted);
                Ok(true)
            }
            (ListenerState::Challenged(_), Greeting::Refused { reason, version }) => {
                Err(refused(reason, version))
            }
            (state, greeting) => Err(Refusal::Order(name_of(&greeting), state.expected())),
        }
    }

    /// What the peer has to say next.
    pub const fn expected(&self) -> &'static str {
        self.state.expected()
    }
}

impl ListenerState {
    const fn expected(&self) -> &'static str {
        match self {
            Self::Silent => "a hello",
            Self::Challenged(_) => "a proof",
            Self::Over => "nothing",
        }
    }
}

fn name_of(greeting: &Greeting<'_>) -> &'static str {
    match greeting {
        Greeting::Hello { .. } | Greeting::Foreign { .. } => "a hello",
        Greeting::Challenge { .. } => "a challenge",
        Greeting::Proof(_) => "a proof",
        Greeting::Accepted => "an acceptance",
        Greeting::Refused { .. } => "a refusal",
    }
}

fn refuse(out: &mut Vec<u8>, reason: Reason) {
    encode_greeting(out, Greeting::Refused { reason, version: HANDSHAKE_VERSION });
}

const fn refused(reason: Reason, version: u8) -> Refusal {
    match reason {
        Reason::Version => Refusal::Version(version),
        Reason::WrongProof => Refusal::ProofRefused,
        Reason::NoSecret => Refusal::PeerHasNoSecret,
        Reason::SecretWanted => Refusal::NoSecret,
        Reason::Other(code) => Refusal::Unknown(code),
    }
}

/// What a proof is made over. Every field but the last has a fixed length, or says it.
fn transcript(
    label: &[u8],
    caller: &[u8; NONCE],
    listener: &[u8; NONCE],
    binding: Option<Binding>,
    name: &[u8],
) -> Vec<u8> {
    let bound = [u8::from(binding.is_some())];
    let binding = binding.as_ref().map_or(&[][..], |binding| binding);
    [label, &[HANDSHAKE_VERSION], caller, listener, &bound, binding, name].concat()
}

fn prove(key: &hmac::Key, transcript: &[u8]) -> [u8; PROOF] {
    const { assert!(PROOF == ring::digest::SHA256_OUTPUT_LEN) };
    let mut proof = [0; PROOF];
    proof.copy_from_slice(hmac::sign(key, transcript).as_ref());
    proof
}

#[cfg(test)]
mod tests;
