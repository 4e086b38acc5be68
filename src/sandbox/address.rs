//! Which network addresses a service may connect to or listen on.
//!
//! Invariant: a rule speaks of numbers only. Names are looked up before a rule is asked, so that
//! a name server cannot change what is allowed.
//! Not here: sockets (`net`), name lookup (`net`).

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The addresses that a service may use for one purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressRule {
    /// Every address.
    Any,
    /// The addresses in these ranges.
    Only(Vec<AddressRange>),
}

impl AddressRule {
    /// Whether `address` is allowed. An IPv4 address written as IPv6 counts as IPv4.
    pub fn allows(&self, address: SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Only(ranges) => ranges.iter().any(|range| range.contains(address)),
        }
    }
}

/// A network and ports in it, such as `127.0.0.1:6379`, `10.0.0.0/8:8000-8099`, `[::1]:80`, `*:80`
/// or `10.0.0.5` (all ports).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRange {
    network: Network,
    ports: RangeInclusive<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Network {
    Any,
    /// The addresses that share the first bits with this one.
    Prefix(IpAddr, u32),
}

impl AddressRange {
    fn contains(&self, address: SocketAddr) -> bool {
        self.ports.contains(&address.port()) && self.network.contains(address.ip().to_canonical())
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Any, _) => true,
            (Self::Prefix(IpAddr::V4(network), bits), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= *bits
            }
            (Self::Prefix(IpAddr::V6(network), bits), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= *bits
            }
            (Self::Prefix(..), _) => false,
        }
    }
}

/// The text is no address range.
#[derive(Debug, PartialEq, Eq)]
pub struct NoAddressRange;

impl FromStr for AddressRange {
    type Err = NoAddressRange;

    fn from_str(text: &str) -> Result<Self, NoAddressRange> {
        let (network, ports) = split(text).ok_or(NoAddressRange)?;
        let network = read_network(network).ok_or(NoAddressRange)?;
        let ports = read_ports(ports).ok_or(NoAddressRange)?;
        Ok(Self { network, ports })
    }
}

/// Splits the ports off a range; `*` if there are none.
fn split(text: &str) -> Option<(&str, &str)> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (network, ports) = bracketed.split_once(']')?;
        let ports = if ports.is_empty() { "*" } else { ports.strip_prefix(':')? };
        // Brackets are for IPv6 alone.
        return network.contains(':').then_some((network, ports));
    }
    match text.split_once(':') {
        None => Some((text, "*")),
        // A second colon: an IPv6 address without brackets has no ports.
        Some((_, rest)) if rest.contains(':') => Some((text, "*")),
        Some(parts) => Some(parts),
    }
}

fn read_network(text: &str) -> Option<Network> {
    if text == "*" {
        return Some(Network::Any);
    }
    let (address, bits) = match text.split_once('/') {
        None => (text.parse::<IpAddr>().ok()?.to_canonical(), None),
        Some((address, bits)) => (address.parse().ok()?, Some(bits.parse().ok()?)),
    };
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(all);
    (bits <= all).then_some(Network::Prefix(address, bits))
}

fn read_ports(text: &str) -> Option<RangeInclusive<u16>> {
    if text == "*" {
        return Some(0..=u16::MAX);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(ranges: &[&str], address: &str) -> bool {
        let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
        AddressRule::Only(ranges).allows(address.parse().unwrap())
    }

    #[test]
    fn any_allows_everything_and_an_empty_list_nothing() {
        assert!(AddressRule::Any.allows("1.2.3.4:5".parse().unwrap()));
        assert!(!allows(&[], "127.0.0.1:80"));
    }

    #[test]
    fn an_address_stands_for_itself_with_its_ports() {
        assert!(allows(&["127.0.0.1:80"], "127.0.0.1:80"));
        assert!(!allows(&["127.0.0.1:80"], "127.0.0.1:81"));
        assert!(!allows(&["127.0.0.1:80"], "127.0.0.2:80"));
        assert!(allows(&["127.0.0.1"], "127.0.0.1:0"));
        assert!(allows(&["127.0.0.1:*"], "127.0.0.1:65535"));
        assert!(allows(&["127.0.0.1:8000-8099"], "127.0.0.1:8099"));
        assert!(!allows(&["127.0.0.1:8000-8099"], "127.0.0.1:8100"));
    }

    #[test]
    fn a_prefix_covers_its_network() {
        assert!(allows(&["10.0.0.0/8:6379"], "10.255.0.1:6379"));
        assert!(!allows(&["10.0.0.0/8:6379"], "11.0.0.1:6379"));
        assert!(allows(&["0.0.0.0/0"], "8.8.8.8:53"));
        assert!(allows(&["10.1.2.3/32"], "10.1.2.3:1"));
        assert!(!allows(&["10.1.2.3/32"], "10.1.2.2:1"));
        assert!(allows(&["[fd00::/8]:80"], "[fd12::1]:80"));
        assert!(!allows(&["[fd00::/8]:80"], "[fe12::1]:80"));
        assert!(allows(&["::/0"], "[::1]:80"));
    }

    #[test]
    fn a_star_covers_both_kinds_of_address() {
        assert!(allows(&["*:80"], "1.2.3.4:80"));
        assert!(allows(&["*:80"], "[::1]:80"));
        assert!(!allows(&["*:80"], "[::1]:81"));
        assert!(allows(&["*"], "[::1]:81"));
    }

    #[test]
    fn ipv6_needs_brackets_only_in_front_of_ports() {
        assert!(allows(&["::1"], "[::1]:80"));
        assert!(allows(&["[::1]"], "[::1]:80"));
        assert!(allows(&["[::1]:80"], "[::1]:80"));
        assert!(!allows(&["[::1]:80"], "[::1]:81"));
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_an_ipv4_address() {
        assert!(allows(&["127.0.0.1"], "[::ffff:127.0.0.1]:80"));
        assert!(allows(&["::ffff:127.0.0.1"], "127.0.0.1:80"));
        assert!(!allows(&["::/0"], "[::ffff:127.0.0.1]:80"));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            ":80",
            "localhost:80",
            "127.0.0.1:",
            "127.0.0.1:65536",
            "127.0.0.1:2-1",
            "1.2.3",
            "127.0.0.1/33",
            "127.0.0.1/",
            "::1/129",
            "[::1",
            "[127.0.0.1]:80",
            "[::1]80",
            "any",
            "10.0.0.*",
            "127.0.0.1:80:90",
        ] {
            assert_eq!(text.parse::<AddressRange>(), Err(NoAddressRange), "{text}");
        }
    }
}
