//! Events of sockets as messages of the kind `SOCKET` carry them.
//!
//! A payload is a head of 9 bytes (type, id of the socket, a number; little endian) and a tail:
//!
//! | type | number | tail |
//! |---|---|---|
//! | 1 data | 0 | what has arrived |
//! | 2 connect | port of a listening socket, else 0 | its address, or `start`, `transfer` |
//! | 3 close | 0 | |
//! | 4 accept | id of the new socket | address of the peer |
//! | 5 error | 0 | text |
//! | 6 datagram | length of the sender's address | that address (`udp_address`), what has arrived |
//! | 7 warning | KiB that wait to be sent, 0 when all is out | |
//!
//! Invariant: `decode` reads exactly what `head` and `tail` write, and nothing else.

/// Bytes of a head.
pub const HEAD: usize = 9;

/// What happened to a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// Bytes have arrived.
    Data(&'a [u8]),
    /// It is connected, listening, or has been started.
    Connect {
        /// Port of a listening socket, else 0.
        port: u16,
        /// The peer's address, a listening socket's own, `start` or `transfer`.
        text: &'a [u8],
    },
    /// It has closed.
    Close,
    /// A listening socket has a new connection.
    Accept {
        /// Id of the new socket.
        id: i32,
        /// Address of the peer.
        peer: &'a [u8],
    },
    /// It broke, or could not be opened.
    Error(&'a [u8]),
    /// A datagram has arrived.
    Udp {
        /// Who sent it (`udp_address`).
        from: &'a [u8],
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// Much waits to be sent.
    Warning {
        /// KiB that wait; 0 when all is out.
        kilobytes: i32,
    },
}

impl<'a> Event<'a> {
    /// The number scripts know the type by.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Data(_) => 1,
            Self::Connect { .. } => 2,
            Self::Close => 3,
            Self::Accept { .. } => 4,
            Self::Error(_) => 5,
            Self::Udp { .. } => 6,
            Self::Warning { .. } => 7,
        }
    }

    /// The head of its payload. A sender's address longer than any is cut by nobody: it has at
    /// most 19 bytes.
    pub fn head(&self, id: i32) -> [u8; HEAD] {
        let number = match self {
            Self::Data(_) | Self::Close | Self::Error(_) => 0,
            Self::Connect { port, .. } => i32::from(*port),
            Self::Accept { id, .. } => *id,
            Self::Udp { from, .. } => i32::try_from(from.len()).unwrap_or(0),
            Self::Warning { kilobytes } => *kilobytes,
        };
        let mut head = [0; HEAD];
        head[0] = self.kind();
        head[1..5].copy_from_slice(&id.to_le_bytes());
        head[5..].copy_from_slice(&number.to_le_bytes());
        head
    }

    /// What follows the head, in two pieces.
    pub const fn tail(&self) -> [&'a [u8]; 2] {
        match self {
            Self::Data(bytes) | Self::Error(bytes) => [bytes, &[]],
            Self::Connect { text, .. } => [text, &[]],
            Self::Accept { peer, .. } => [peer, &[]],
            Self::Udp { from, bytes } => [from, bytes],
            Self::Close | Self::Warning { .. } => [&[], &[]],
        }
    }

    /// The socket and the event of a payload; `None` when it is none.
    pub fn decode(payload: &'a [u8]) -> Option<(i32, Self)> {
        let (head, tail) = payload.split_first_chunk::<HEAD>()?;
        let [kind, a, b, c, d, number @ ..] = *head;
        let number = i32::from_le_bytes(number);
        let event = match kind {
            1 if number == 0 => Self::Data(tail),
            2 => Self::Connect { port: u16::try_from(number).ok()?, text: tail },
            3 if number == 0 && tail.is_empty() => Self::Close,
            4 => Self::Accept { id: number, peer: tail },
            5 if number == 0 => Self::Error(tail),
            6 => {
                let (from, bytes) = tail.split_at_checked(usize::try_from(number).ok()?)?;
                Self::Udp { from, bytes }
            }
            7 if tail.is_empty() => Self::Warning { kilobytes: number },
            _ => return None,
        };
        Some((i32::from_le_bytes([a, b, c, d]), event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Event<'_>] = &[
        Event::Data(b"bytes"),
        Event::Data(b""),
        Event::Connect { port: 0, text: b"start" },
        Event::Connect { port: 65_535, text: b"127.0.0.1" },
        Event::Close,
        Event::Accept { id: i32::MAX, peer: b"127.0.0.1:80" },
        Event::Error(b"Connection refused"),
        Event::Udp { from: &[1, 0, 80, 127, 0, 0, 1], bytes: b"datagram" },
        Event::Warning { kilobytes: 1025 },
    ];

    fn encoded(id: i32, event: &Event<'_>) -> Vec<u8> {
        [&event.head(id)[..], event.tail()[0], event.tail()[1]].concat()
    }

    #[test]
    fn every_event_is_read_as_it_was_written() {
        for event in ALL {
            assert_eq!(Event::decode(&encoded(17, event)), Some((17, *event)));
        }
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for event in ALL {
            assert_eq!(Event::decode(&encoded(17, event)[..HEAD - 1]), None);
        }
        assert_eq!(Event::decode(&[8, 1, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(Event::decode(&[6, 1, 0, 0, 0, 9, 0, 0, 0, 1]), None, "address cut short");
        assert_eq!(Event::decode(&[6, 1, 0, 0, 0, 255, 255, 255, 255, 1]), None);
    }
}
