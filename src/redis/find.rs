//! Servers that have to be found before they can be connected to.
//!
//! Invariant: whoever finds servers is asked before each attempt to connect.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

    /// The servers are these now. Whoever asks for them itself knows better.
    fn renew(&self, _servers: Vec<Address>) {}
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
    all: Mutex<Vec<Address>>,
    next: AtomicUsize,
}

impl Hosts {
    /// Of these, at least one.
    pub const fn new(all: Vec<Address>) -> Self {
        Self { all: Mutex::new(all), next: AtomicUsize::new(0) }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Address>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Finder for Hosts {
    fn find(&self) -> Finding<'_> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let all = self.all();
        let found = all.get(turn % all.len().max(1)).cloned();
        drop(all);
        Box::pin(async move { found.ok_or_else(|| "there is no host to connect to".to_owned()) })
    }

    fn name(&self) -> String {
        match self.all().as_slice() {
            [] => "?".to_owned(),
            [one] => one.to_string(),
            [first, others @ ..] => format!("{first} (or {} others)", others.len()),
        }
    }

    fn wants_master(&self) -> bool {
        false
    }

    /// Those that stay keep their order, so that each has its turn however often this is called.
    fn renew(&self, servers: Vec<Address>) {
        let mut all = self.all();
        all.retain(|known| servers.contains(known));
        for server in servers {
            if !all.contains(&server) {
                all.push(server);
            }
        }
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

    #[tokio::test]
    async fn hosts_that_are_renewed_keep_their_order() {
        let address = |port| Address { host: "h".into(), port };
        let hosts = Hosts::new(vec![address(1), address(2), address(3)]);
        let mut ports = Vec::new();
        for _ in 0..6 {
            hosts.renew(vec![address(4), address(3), address(4), address(2)]);
            ports.push(hosts.find().await.unwrap().port);
        }
        assert_eq!(ports, [2, 3, 4, 2, 3, 4]);
    }
}
