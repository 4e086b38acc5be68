//! Proxy: a local service that stands for an address of another node.
//!
//! It passes a request on to the link with the sender and session it came with, so the answer goes
//! from the link straight to whoever asked.
//!
//! Invariant: the requests of one sender keep their order.

use std::sync::Arc;

use super::Cluster;
use super::request::{OwnedAddress, write_head};
use crate::codec::cluster::Address;
use crate::kernel::node::LaunchFailed;
use crate::kernel::{Actor, Handle, Inbox, Kind, Launch, Message, Node, Payload, Service};

/// What a proxy stands for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Key {
    node: Box<str>,
    to: OwnedAddress,
}

impl Key {
    pub(super) fn new(node: &str, to: Address<'_>) -> Self {
        Self { node: node.into(), to: OwnedAddress::of(to) }
    }
}

struct Proxy {
    node: Arc<Node>,
    cluster: Arc<Cluster>,
    service: Arc<Service>,
    key: Key,
}

pub(super) fn launch(
    cluster: &Arc<Cluster>,
    node: &Arc<Node>,
    key: &Key,
) -> Result<Handle, LaunchFailed> {
    let shown = match key.to.get() {
        Address::Handle(handle) => handle.to_string(),
        Address::Name(name) => String::from_utf8_lossy(name).into_owned(),
    };
    let service = node.launch_actor(&format!("clusterproxy {} {shown}", key.node), |service| {
        let actor = Proxy {
            node: Arc::clone(node),
            cluster: Arc::clone(cluster),
            service: Arc::clone(service),
            key: key.clone(),
        };
        Ok(Launch { actor: Box::new(actor), first: None })
    })?;
    Ok(service.handle)
}

impl Proxy {
    fn forward(&self, message: Message) {
        let body = message.payload.as_slice();
        let mut request = Vec::with_capacity(body.len() + 16);
        let link = self.cluster.link(&self.node, &self.key.node);
        let (Ok(link), Ok(())) = (link, write_head(&mut request, self.key.to.get(), b"")) else {
            return self.refuse(&message);
        };
        request.extend_from_slice(body);
        if self.node.is_full(&link) {
            return self.refuse(&message);
        }
        let payload = Payload::from_vec(request);
        let _ = self.node.send(&link, Message { kind: Kind::HARBOR, payload, ..message });
    }

    fn refuse(&self, message: &Message) {
        self.node.answer_with_error(message.source, message.session, self.service.handle);
    }
}

impl Actor for Proxy {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        while let Some(message) = inbox.next_message() {
            match message.kind {
                Kind::LUA | Kind::SNAX => self.forward(message),
                Kind::RESPONSE | Kind::ERROR | Kind::TRACE => {}
                _ => self.refuse(&message),
            }
        }
    }
}
