//! What a node knows of names: where other nodes are, and which of its services peers may name.
//!
//! Invariant: a service has at most one name, and a name one service.

use std::collections::HashMap;

use crate::kernel::Handle;
use crate::net::Address;

/// Where a node is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// Here.
    At(Address),
    /// Known, and not running now.
    Down,
}

/// Names of this node's services for its peers.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_name: HashMap<Box<[u8]>, Handle>,
    by_service: HashMap<Handle, Box<[u8]>>,
}

impl Names {
    pub(super) fn register(&mut self, name: &[u8], service: Handle) -> bool {
        match self.by_name.get(name) {
            Some(owner) if *owner == service => return true,
            Some(_) => return false,
            None => {}
        }
        if let Some(former) = self.by_service.insert(service, name.into()) {
            self.by_name.remove(&former);
        }
        self.by_name.insert(name.into(), service);
        true
    }

    pub(super) fn unregister(&mut self, name: &[u8]) -> Option<Handle> {
        let service = self.by_name.remove(name)?;
        self.by_service.remove(&service);
        Some(service)
    }

    pub(super) fn find(&self, name: &[u8]) -> Option<Handle> {
        self.by_name.get(name).copied()
    }

    /// The name of a service.
    pub(super) fn name_of(&self, service: Handle) -> Option<&[u8]> {
        self.by_service.get(&service).map(|name| &**name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_one_name_and_a_name_one_service() {
        let (one, two) = (Handle::new(1).unwrap(), Handle::new(2).unwrap());
        let mut names = Names::default();
        assert!(names.register(b"a", one));
        assert!(names.register(b"a", one));
        assert!(!names.register(b"a", two));
        assert!(names.register(b"b", one));
        assert_eq!(names.find(b"a"), None);
        assert!(names.register(b"a", two));
        assert_eq!(names.name_of(one), Some(&b"b"[..]));
        assert_eq!(names.unregister(b"b"), Some(one));
        assert_eq!(names.unregister(b"b"), None);
        assert_eq!(names.name_of(one), None);
    }
}
