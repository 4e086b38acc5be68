//! Servers that have to be found before they can be connected to.
//!
//! Invariant: whoever finds servers is asked before each attempt to connect.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::net::Address;

/// What is found, or why nothing is.
pub type Finding<'a> = Pin<Box<dyn Future<Output = Result<Address, String>> + Send + 'a>>;

/// Finds the server to connect to.
pub trait Finder: Send + Sync {
    /// Where the server is now.
    fn find(&self) -> Finding<'_>;

    /// How logs and errors call it.
    fn name(&self) -> String;

    /// Whether a server that refuses writes is the wrong one.
    fn wants_master(&self) -> bool;
}

/// A server that is found anew each time.
#[derive(Clone)]
pub struct Found(pub Arc<dyn Finder>);

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Found {}

impl fmt::Debug for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.name())
    }
}

/// Several servers of which each will do: the next one is tried when one cannot be reached.
pub struct Hosts {
    all: Vec<Address>,
    next: AtomicUsize,
}

impl Hosts {
    /// Of these, at least one.
    pub const fn new(all: Vec<Address>) -> Self {
        Self { all, next: AtomicUsize::new(0) }
    }
}

impl Finder for Hosts {
    fn find(&self) -> Finding<'_> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let found = self.all.get(turn % self.all.len().max(1)).cloned();
        Box::pin(async move { found.ok_or_else(|| "there is no host to connect to".to_owned()) })
    }

    fn name(&self) -> String {
        match self.all.as_slice() {
            [] => "?".to_owned(),
            [one] => one.to_string(),
            [first, others @ ..] => format!("{first} (or {} others)", others.len()),
        }
    }

    fn wants_master(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hosts_take_turns() {
        let address = |port| Address { host: "h".into(), port };
        let hosts = Hosts::new(vec![address(1), address(2)]);
        let mut ports = Vec::new();
        for _ in 0..3 {
            ports.push(hosts.find().await.unwrap().port);
        }
        assert_eq!(ports, [1, 2, 1]);
        assert_eq!(hosts.name(), "h:1 (or 1 others)");
    }
}
