//! Addresses of datagrams as scripts hold them: a byte for the version, the port in network order,
//! then 4 or 16 bytes of the address.
//!
//! Invariant: `decode` reads exactly what `encode` writes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// First byte of an IPv4 address.
const VERSION_4: u8 = 1;
/// First byte of an IPv6 address.
const VERSION_6: u8 = 2;

/// Bytes of an IPv4 address.
const LENGTH_4: usize = 1 + 2 + 4;
/// Bytes of an IPv6 address, the longest.
pub const LONGEST: usize = 1 + 2 + 16;

/// An encoded address.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Encoded {
    /// Its bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The bytes that stand for `address`.
pub fn encode(address: SocketAddr) -> Encoded {
    let mut bytes = [0; LONGEST];
    bytes[1..3].copy_from_slice(&address.port().to_be_bytes());
    let length = match address.ip() {
        IpAddr::V4(ip) => {
            bytes[0] = VERSION_4;
            bytes[3..LENGTH_4].copy_from_slice(&ip.octets());
            LENGTH_4
        }
        IpAddr::V6(ip) => {
            bytes[0] = VERSION_6;
            bytes[3..].copy_from_slice(&ip.octets());
            LONGEST
        }
    };
    Encoded { bytes, length }
}

/// The address that `bytes` stand for; `None` when they stand for none.
pub fn decode(bytes: &[u8]) -> Option<SocketAddr> {
    let (head, ip) = bytes.split_first_chunk::<3>()?;
    let port = u16::from_be_bytes([head[1], head[2]]);
    let ip = match ip.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(ip).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_have_the_bytes_that_scripts_know() {
        let four: SocketAddr = "127.0.0.1:258".parse().unwrap();
        assert_eq!(encode(four).as_slice(), [1, 1, 2, 127, 0, 0, 1]);
        let six: SocketAddr = "[::1]:80".parse().unwrap();
        assert_eq!(encode(six).as_slice()[..3], [2, 0, 80]);
        for address in [four, six] {
            assert_eq!(decode(encode(address).as_slice()), Some(address));
        }
    }

    #[test]
    fn other_lengths_are_no_address() {
        for length in (0..40).filter(|length| ![LENGTH_4, LONGEST].contains(length)) {
            assert_eq!(decode(&vec![1; length]), None, "{length}");
        }
    }
}
