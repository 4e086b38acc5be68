//! What a configuration says about the cluster.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::Security;

/// What a configuration says about the cluster.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host name and process id: what this node is called in trace tags.
    pub node_name: Box<str>,
    /// A peer that is silent or takes nothing for this long is given up.
    pub dead_after: Duration,
    /// Time for a connection to come up.
    pub connect_limit: Duration,
    /// Time for an answer; `None` waits for ever.
    pub call_limit: Option<Duration>,
    /// Most bytes of a request or an answer, and of all unfinished ones of a connection.
    pub message_limit: usize,
    /// Names that peers may call; `None` for all.
    pub allowed: Option<HashSet<Box<[u8]>>>,
    /// How links are secured; `None` as those of genuine skynets, not at all.
    pub security: Option<Arc<Security>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            node_name: "node".into(),
            dead_after: Duration::from_secs(15),
            connect_limit: Duration::from_secs(5),
            call_limit: None,
            message_limit: 64 << 20,
            allowed: None,
            security: None,
        }
    }
}

impl Settings {
    /// Most bytes that may wait to be written to a peer. One message of the largest size always
    /// fits, and a second one behind it.
    pub const fn queue_limit(&self) -> usize {
        self.message_limit.saturating_mul(2)
    }
}
