//! Listening for peers.
//!
//! Invariant: at most as many connections of peers exist as were allowed when listening began.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;
use tokio::net::TcpStream;

use super::secure::{Deadline, Opened};
use super::{Cluster, agent};
use crate::kernel::{Handle, Node};
use crate::net::Address;
use crate::net::tcp::{self, Options};

/// Why this node does not listen.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {why}")]
pub struct ListenError {
    address: Address,
    #[source]
    why: io::Error,
}

/// Serves a connection of a peer, once the peer has proven itself if it has to.
async fn welcome(
    node: Arc<Node>,
    cluster: Arc<Cluster>,
    source: Option<Handle>,
    mut socket: TcpStream,
    peer: String,
) {
    let opened = match &cluster.settings.security {
        None => Ok(Opened::PLAIN),
        Some(security) => {
            let deadline = Deadline::after(cluster.settings.connect_limit);
            security.accept(&node, source, &mut socket, deadline).await
        }
    };
    match opened {
        Ok(opened) => agent::serve(node, cluster, socket, opened, peer).await,
        Err(why) => {
            cluster.agent_ended();
            node.log(source, &format!("cluster connection of {peer}: refused, {why}"));
        }
    }
}

impl Cluster {
    /// Listens for peers at `address`, of whom `most` may be connected at a time. Tells `done`
    /// from a task where it listens; `source` is whom the log names.
    pub fn listen(
        self: &Arc<Self>,
        node: &Arc<Node>,
        source: Option<Handle>,
        address: Address,
        most: usize,
        done: impl FnOnce(Result<SocketAddr, ListenError>) + Send + 'static,
    ) {
        let runtime = match self.io.handle() {
            Ok(runtime) => runtime,
            Err(why) => return done(Err(ListenError { address, why })),
        };
        let (cluster, local) = (Arc::clone(self), Arc::clone(node));
        runtime.spawn(async move {
            let opened = async {
                let listener = tcp::bind(&address, tcp::BACKLOG).await?;
                let here = listener.local_addr()?;
                Ok((listener, here))
            };
            match opened.await {
                Err(why) => done(Err(ListenError { address, why })),
                Ok((listener, here)) => {
                    done(Ok(here));
                    cluster.accept(local, source, listener, here, most).await;
                }
            }
        });
    }

    async fn accept(
        self: Arc<Self>,
        node: Arc<Node>,
        source: Option<Handle>,
        listener: tokio::net::TcpListener,
        here: SocketAddr,
        most: usize,
    ) {
        let options = Options { nodelay: true, dead_after: Some(self.settings.dead_after) };
        let (cluster, local) = (Arc::clone(&self), Arc::clone(&node));
        let mut refused = false;
        let accepted = move |socket, peer: SocketAddr| {
            if cluster.agents.fetch_add(1, Ordering::Relaxed) >= most {
                cluster.agent_ended();
                if !std::mem::replace(&mut refused, true) {
                    local.log(
                        source,
                        &format!(
                            "cluster at {here}: {most} peers are connected, the limit; {peer} and \
                             others are refused"
                        ),
                    );
                }
                return Ok(());
            }
            refused = false;
            local.log(source, &format!("socket accept from {peer}"));
            let (node, cluster) = (Arc::clone(&local), Arc::clone(&cluster));
            tokio::spawn(welcome(node, cluster, source, socket, peer.to_string()));
            Ok(())
        };
        let failed = move |error: &io::Error, more: u64| {
            let more = if more == 0 { String::new() } else { format!(", {more} more times") };
            let text = format!("cluster at {here}: cannot accept connections ({error}){more}");
            node.log(source, &text);
        };
        drop(self);
        // It ends with the node's I/O.
        tcp::accept(listener, options, Arc::default(), accepted, failed).await;
    }

    /// A connection of a peer has ended.
    pub(super) fn agent_ended(&self) {
        self.agents.fetch_sub(1, Ordering::Relaxed);
    }
}
