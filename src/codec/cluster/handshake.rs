//! Frames of the handshake that opens a secured link, before the first request.
//!
//! Each is a packet like the frames behind it. Its first byte is one that no request has, so that
//! either side can tell a peer that knows of no handshake.
//! Invariants: as for requests; and a stream that cannot become a handshake is told from one as
//! early as its first three bytes.
//! Not here: what the proofs are and who sends what when (`cluster/secure/handshake`).

use super::{LENGTH_BYTES, LONGEST_NAME, frame_length, split_frame};

/// The version of the handshake that is written here.
pub const HANDSHAKE_VERSION: u8 = 1;

/// Bytes of a nonce.
pub const NONCE: usize = 32;

/// Bytes of a proof.
pub const PROOF: usize = 32;

const HELLO: u8 = 0x10;
const CHALLENGE: u8 = 0x11;
const PROVEN: u8 = 0x12;
const ACCEPTED: u8 = 0x13;
const REFUSED: u8 = 0x14;

/// Most bytes of a frame of the handshake, without its length: a hello with the longest name.
pub const LONGEST_GREETING: usize = 3 + NONCE + LONGEST_NAME;

/// First bytes of the frames of a peer that knows of no handshake.
const REQUESTS: &[u8] = &[0x00, 0x01, 0x02, 0x03, 0x04, 0x41, 0x80, 0x81, 0xc1];

/// First bytes of TLS records, and the bytes that may follow them: the major version, and minor
/// versions. A first request frame of that length does not have such a third byte.
const TLS_RECORDS: &[u8] = &[0x15, 0x16];
/// See `TLS_RECORDS`.
const TLS_VERSION: u8 = 3;
/// See `TLS_RECORDS`.
const TLS_MINORS: &[u8] = &[1, 3];

/// Bytes shown of what is no handshake.
const SHOWN: usize = 16;

/// One decoded frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Greeting<'a> {
    /// Whoever connected begins.
    Hello {
        /// Whether both sides are to prove that they know a secret.
        proofs: bool,
        /// Its nonce.
        nonce: &'a [u8; NONCE],
        /// What it calls itself; for the log.
        name: &'a [u8],
    },
    /// A hello of another version; what stands behind it is not known.
    Foreign {
        /// That version.
        version: u8,
    },
    /// Whoever listens proves that it knows the secret.
    Challenge {
        /// Its nonce.
        nonce: &'a [u8; NONCE],
        /// Its proof.
        proof: &'a [u8; PROOF],
    },
    /// Whoever connected proves the same.
    Proof(&'a [u8; PROOF]),
    /// Requests may follow.
    Accepted,
    /// Nothing may follow.
    Refused {
        /// Why.
        reason: Reason,
        /// The version that the refusing side speaks.
        version: u8,
    },
}

/// Why a side refuses the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The hello was of another version.
    Version,
    /// The proof was not made with the secret.
    WrongProof,
    /// The other side has a secret and this one has none.
    NoSecret,
    /// This side has a secret and the other did not ask for it.
    SecretWanted,
    /// One that is not known here.
    Other(u8),
}

impl Reason {
    const fn code(self) -> u8 {
        match self {
            Self::Version => 1,
            Self::WrongProof => 2,
            Self::NoSecret => 3,
            Self::SecretWanted => 4,
            Self::Other(code) => code,
        }
    }

    const fn of(code: u8) -> Self {
        match code {
            1 => Self::Version,
            2 => Self::WrongProof,
            3 => Self::NoSecret,
            4 => Self::SecretWanted,
            code => Self::Other(code),
        }
    }
}

/// Why bytes are no handshake.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotGreeting {
    /// They are a request.
    #[error(
        "a plain peer: it sent a request (first byte {kind:02x}) without the handshake of a \
         secured link"
    )]
    Request {
        /// The first byte of the frame.
        kind: u8,
    },
    /// They are TLS.
    #[error("the peer speaks TLS, and this node does not (config: cluster_tls)")]
    Tls,
    /// They are something else.
    #[error("not the handshake of a secured link: \"{}\"", .0.escape_ascii())]
    Unknown(
        /// The first of them.
        Box<[u8]>,
    ),
    /// The frame is too short or too long for what its first byte says.
    #[error("malformed handshake (first byte {kind:02x}, size={size})")]
    Size {
        /// The first byte of the frame.
        kind: u8,
        /// Bytes of the frame without its length.
        size: usize,
    },
}

/// The content of a frame, and what follows it.
pub type Split<'a> = (&'a [u8], &'a [u8]);

/// Splits one frame off `input`: its content and what follows; `None` means "read more bytes, then
/// ask again". So at most `LONGEST_GREETING` bytes and their length are asked for.
///
/// # Errors
/// When no more bytes would make it a handshake.
pub fn split_greeting(input: &[u8]) -> Result<Option<Split<'_>>, NotGreeting> {
    let unknown = || NotGreeting::Unknown(input[..input.len().min(SHOWN)].into());
    let Some((length, rest)) = input.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let size = usize::from(u16::from_be_bytes(*length));
    let Some(&kind) = rest.first() else {
        return if size == 0 { Err(unknown()) } else { Ok(None) };
    };
    if TLS_RECORDS.contains(&length[0]) && length[1] == TLS_VERSION && TLS_MINORS.contains(&kind) {
        return Err(NotGreeting::Tls);
    }
    if size > 0 && REQUESTS.contains(&kind) {
        return Err(NotGreeting::Request { kind });
    }
    if size == 0 || size > LONGEST_GREETING || !(HELLO..=REFUSED).contains(&kind) {
        return Err(unknown());
    }
    Ok(split_frame(input))
}

/// Reads the content of a frame.
///
/// # Errors
/// When it is none.
pub fn decode_greeting(content: &[u8]) -> Result<Greeting<'_>, NotGreeting> {
    let Some((&kind, fields)) = content.split_first() else {
        return Err(NotGreeting::Unknown(Box::default()));
    };
    let read = match kind {
        HELLO => match fields.split_first() {
            None => None,
            Some((&HANDSHAKE_VERSION, [proofs @ 0..=1, fields @ ..])) => fields
                .split_first_chunk()
                .filter(|(_, name)| name.len() <= LONGEST_NAME)
                .map(|(nonce, name)| Greeting::Hello { proofs: *proofs == 1, nonce, name }),
            Some((&HANDSHAKE_VERSION, _)) => None,
            Some((&version, _)) => Some(Greeting::Foreign { version }),
        },
        CHALLENGE => fields.split_first_chunk().and_then(|(nonce, proof)| {
            Some(Greeting::Challenge { nonce, proof: proof.try_into().ok()? })
        }),
        PROVEN => fields.try_into().ok().map(Greeting::Proof),
        ACCEPTED if fields.is_empty() => Some(Greeting::Accepted),
        REFUSED => match *fields {
            [reason, version] => Some(Greeting::Refused { reason: Reason::of(reason), version }),
            _ => None,
        },
        ACCEPTED => None,
        _ => return Err(NotGreeting::Unknown(content[..content.len().min(SHOWN)].into())),
    };
    read.ok_or(NotGreeting::Size { kind, size: content.len() })
}

/// Appends the frame that says `greeting`. Of a name, as much as a frame may have.
pub fn encode_greeting(out: &mut Vec<u8>, greeting: Greeting<'_>) {
    let mut put = |kind: u8, fields: &[&[u8]]| {
        let size: usize = fields.iter().map(|field| field.len()).sum();
        out.extend_from_slice(&frame_length(1 + size));
        out.push(kind);
        fields.iter().for_each(|field| out.extend_from_slice(field));
    };
    match greeting {
        Greeting::Hello { proofs, nonce, name } => {
            let name = &name[..name.len().min(LONGEST_NAME)];
            put(HELLO, &[&[HANDSHAKE_VERSION, u8::from(proofs)], nonce, name]);
        }
        Greeting::Foreign { version } => put(HELLO, &[&[version]]),
        Greeting::Challenge { nonce, proof } => put(CHALLENGE, &[nonce, proof]),
        Greeting::Proof(proof) => put(PROVEN, &[proof]),
        Greeting::Accepted => put(ACCEPTED, &[]),
        Greeting::Refused { reason, version } => put(REFUSED, &[&[reason.code(), version]]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(greeting: Greeting<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        encode_greeting(&mut out, greeting);
        out
    }

    #[test]
    fn frames_are_read_as_they_were_written_and_never_before_their_end() {
        let (nonce, proof) = ([1; NONCE], [2; PROOF]);
        for greeting in [
            Greeting::Hello { proofs: true, nonce: &nonce, name: b"a-1" },
            Greeting::Hello { proofs: false, nonce: &nonce, name: b"" },
            Greeting::Hello { proofs: true, nonce: &nonce, name: &[b'x'; LONGEST_NAME] },
            Greeting::Foreign { version: 2 },
            Greeting::Challenge { nonce: &nonce, proof: &proof },
            Greeting::Proof(&proof),
            Greeting::Accepted,
            Greeting::Refused { reason: Reason::WrongProof, version: 1 },
            Greeting::Refused { reason: Reason::Other(9), version: 7 },
        ] {
            let mut bytes = frame(greeting);
            for cut in 0..bytes.len() {
                assert_eq!(split_greeting(&bytes[..cut]), Ok(None), "{greeting:?} cut at {cut}");
            }
            bytes.extend_from_slice(b"rest");
            let (content, rest) = split_greeting(&bytes).unwrap().unwrap();
            assert_eq!(decode_greeting(content), Ok(greeting));
            assert_eq!(rest, b"rest");
        }
    }

    #[test]
    fn a_frame_of_another_size_is_refused() {
        let (nonce, proof) = ([1; NONCE], [2; PROOF]);
        for greeting in [
            Greeting::Challenge { nonce: &nonce, proof: &proof },
            Greeting::Proof(&proof),
            Greeting::Accepted,
            Greeting::Refused { reason: Reason::Version, version: 1 },
        ] {
            let content = &frame(greeting)[2..];
            let longer = [content, b"x"].concat();
            for wrong in (1..content.len()).map(|cut| &content[..cut]).chain([&longer[..]]) {
                let expected = NotGreeting::Size { kind: content[0], size: wrong.len() };
                assert_eq!(decode_greeting(wrong), Err(expected));
            }
        }
        let name = &[b'x'; LONGEST_NAME];
        let hello = &frame(Greeting::Hello { proofs: true, nonce: &nonce, name })[2..];
        let asks_twice = [&hello[..2], &[2], &hello[3..]].concat();
        for wrong in [&hello[..1], &hello[..2 + NONCE], &[hello, b"x"].concat()[..], &asks_twice] {
            assert!(matches!(decode_greeting(wrong), Err(NotGreeting::Size { kind: 0x10, .. })));
        }
    }

    #[test]
    fn a_stream_that_is_no_handshake_is_known_by_its_first_bytes() {
        for (bytes, expected) in [
            (&b"\x00\x11\x00"[..], "a plain peer: it sent a request (first byte 00)"),
            (b"\x80\x08\x80\x04", "a plain peer: it sent a request (first byte 80)"),
            (b"\x16\x03\x01", "the peer speaks TLS"),
            (b"\x15\x03\x03", "the peer speaks TLS"),
            (b"\x00\x00", "not the handshake of a secured link: \"\\x00\\x00\""),
            (b"GET / HTTP/1.1\r\nHost", "secured link: \"GET / HTTP/1.1\\r\\n\""),
            (b"\x01\x23\x10", "not the handshake"),
            (b"\x00\x01\x15", "not the handshake"),
        ] {
            let refused = split_greeting(bytes).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
        // A large first request whose length looks like the begin of a TLS record.
        let request = split_greeting(b"\x16\x03\x00").unwrap_err();
        assert_eq!(request, NotGreeting::Request { kind: 0 });
    }
}
