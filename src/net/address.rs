//! Addresses as they are written in configurations: `host:port`, `[v6]:port`, `v6:port`.
//!
//! Invariant: an `Address` has a host and a port; whether the host exists is found out when it is
//! used.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use thiserror::Error;

/// A host and a port.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    /// Name or number, without brackets.
    pub host: Box<str>,
    /// The port.
    pub port: u16,
}

/// Why a text is no address.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum AddressError {
    /// There is no `:port`.
    #[error("`{0}` has no port (expected host:port)")]
    NoPort(Box<str>),
    /// The port is not a number of 16 bits.
    #[error("`{0}` has no valid port (expected 0 to 65535)")]
    BadPort(Box<str>),
    /// The host is missing or has characters that no host has.
    #[error("`{0}` has no valid host")]
    BadHost(Box<str>),
}

impl Address {
    /// Reads `text`. A host of several colons is IPv6, with or without brackets.
    ///
    /// # Errors
    /// When it is no address; the error quotes it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let quoted = || text.into();
        let (host, port) =
            text.trim().rsplit_once(':').ok_or_else(|| AddressError::NoPort(quoted()))?;
        let port = port.parse().map_err(|_| AddressError::BadPort(quoted()))?;
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = inner.unwrap_or(host);
        let is_v6 = host.contains(':');
        let valid = if is_v6 || inner.is_some() {
            // A zone (`fe80::1%eth0`) is the resolver's business.
            host.split('%').next().is_some_and(|host| host.parse::<Ipv6Addr>().is_ok())
        } else {
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
        };
        if !valid {
            return Err(AddressError::BadHost(quoted()));
        }
        Ok(Self { host: host.into(), port })
    }

    /// The same with a fixed number for a host.
    pub fn of_ip(ip: IpAddr, port: u16) -> Self {
        Self { host: ip.to_string().into(), port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_numbers_of_either_version() {
        let read = |text| Address::parse(text).map(|address| address.to_string());
        assert_eq!(read("192.168.1.101:10001"), Ok("192.168.1.101:10001".to_owned()));
        assert_eq!(read("db.example:80"), Ok("db.example:80".to_owned()));
        assert_eq!(read("[::1]:80"), Ok("[::1]:80".to_owned()));
        assert_eq!(read("::1:80"), Ok("[::1]:80".to_owned()));
        assert_eq!(read(" 0.0.0.0:0 "), Ok("0.0.0.0:0".to_owned()));
    }

    #[test]
    fn what_is_no_address_is_quoted_in_the_error() {
        assert_eq!(Address::parse("host"), Err(AddressError::NoPort("host".into())));
        assert_eq!(Address::parse("host:70000"), Err(AddressError::BadPort("host:70000".into())));
        assert_eq!(Address::parse(":80"), Err(AddressError::BadHost(":80".into())));
        assert_eq!(
            Address::parse("[1.2.3.4]:80"),
            Err(AddressError::BadHost("[1.2.3.4]:80".into()))
        );
        assert_eq!(Address::parse("a b:80"), Err(AddressError::BadHost("a b:80".into())));
    }
}
