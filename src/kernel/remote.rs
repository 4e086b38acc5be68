//! Messages to handles of other nodes: the kernel knows a trait, not who carries them.
//!
//! Invariant: a handle whose harbor id is not the node's own is never looked up here.

use std::sync::Arc;

use super::delivery::SendError;
use super::handle::Handle;
use super::message::Message;
use super::node::Node;

/// Whoever carries messages to other nodes of the same network.
pub trait Remote: Send + Sync {
    /// Sends a message to a handle of another node.
    ///
    /// # Errors
    /// When there can be no such node, or too much waits for it.
    fn send(&self, node: &Node, to: Handle, message: Message) -> Result<(), SendError>;

    /// Messages wait for a global name that is not known here.
    fn wants_name(&self, node: &Node, name: &[u8]);

    /// The node has ended.
    fn end(&self);
}

impl Node {
    /// Says who carries messages to other nodes; without it the node is alone. Once.
    pub fn set_remote(&self, remote: Arc<dyn Remote>) {
        let _ = self.remote.set(remote);
    }

    /// True for a handle of another node of the network. No node of one has the id 0.
    #[cold]
    pub fn is_remote(&self, handle: Handle) -> bool {
        handle.harbor() != 0
            && handle.harbor() != self.registry.harbor()
            && self.remote.get().is_some()
    }

    /// Sends a message to a handle that no service of this node has.
    #[cold]
    pub(super) fn send_away(&self, to: Handle, message: Message) -> Result<(), SendError> {
        match self.remote.get() {
            Some(remote) if self.is_remote(to) => remote.send(self, to, message),
            _ => Err(SendError::NoService),
        }
    }

    pub(super) fn want_name(&self, name: &[u8]) {
        if let Some(remote) = self.remote.get() {
            remote.wants_name(self, name);
        }
    }
}
