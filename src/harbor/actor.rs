//! The service `harbor`: takes the commands of the slave and owns the links.
//!
//! Commands, as messages of type "harbor" with a text: `N name` says that the sender has a global
//! name; `S socket id` and `A socket id` make a socket the link with a harbor that was connected
//! from here, or accepted here. It tells the slave `Q name` and `D id`.
//!
//! Invariant: there is one for a node. The links do not end with it but with the node, so that the
//! last words of other services still go out.

use std::sync::Arc;

use super::{Harbors, Reports};
use crate::kernel::{Actor, Handle, Inbox, Kind, Message, Node, Service};

/// Bytes of a global name, and its end.
const NAME_FIELD: usize = 16;

/// See the module's text.
pub struct HarborService {
    node: Arc<Node>,
    harbors: Arc<Harbors>,
}

impl HarborService {
    /// The service of the node with the harbor id and slave in `arguments`.
    ///
    /// # Errors
    /// When there is one already, or the arguments are none.
    pub fn new(
        node: &Arc<Node>,
        service: &Arc<Service>,
        harbors: &Arc<Harbors>,
        arguments: &str,
    ) -> Result<Self, String> {
        let mut words = arguments.split_whitespace();
        let id = words.next().and_then(|word| word.parse::<u8>().ok());
        let slave = words.next().and_then(|word| word.parse().ok()).and_then(Handle::new);
        let (Some(id), Some(slave)) = (id, slave) else {
            return Err(format!(
                "arguments {arguments:?}: harbor id and handle of the slave expected"
            ));
        };
        if id != node.registry.harbor() {
            return Err(format!("harbor id {id} is not the node's ({})", node.registry.harbor()));
        }
        let reports = Reports { service: Arc::clone(service), slave };
        if harbors.reports.set(reports).is_err() {
            return Err("there is one already".to_owned());
        }
        Ok(Self { node: Arc::clone(node), harbors: Arc::clone(harbors) })
    }

    fn command(&self, message: &Message) -> Result<(), String> {
        let text = message.payload.as_slice();
        let Some((command, rest)) = text.split_first_chunk::<2>() else {
            return Err(format!("Unknown command {}", String::from_utf8_lossy(text)));
        };
        match command {
            b"N " => {
                let owner = message.source.filter(|_| (1..NAME_FIELD).contains(&rest.len()));
                let Some(owner) = owner else {
                    return Err(format!("Invalid global name {}", String::from_utf8_lossy(rest)));
                };
                self.node.set_global_name(rest, owner);
            }
            b"S " | b"A " => {
                let text = String::from_utf8_lossy(rest);
                let numbers = text.split_once(' ');
                let numbers =
                    numbers.and_then(|(socket, id)| Some((socket.parse().ok()?, id.parse().ok()?)));
                let Some((socket, id)) = numbers else {
                    return Err(format!("Invalid command {}", String::from_utf8_lossy(rest)));
                };
                self.harbors.attach(&self.node, socket, id, command == b"A ");
            }
            _ => return Err(format!("Unknown command {}", String::from_utf8_lossy(text))),
        }
        Ok(())
    }
}

impl Actor for HarborService {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        while let Some(message) = inbox.next_message() {
            match message.kind {
                Kind::HARBOR => {
                    if let Err(why) = self.command(&message) {
                        self.harbors.log(&self.node, &why);
                    }
                }
                // The sockets are looked after by their links.
                Kind::SOCKET | Kind::RESPONSE | Kind::ERROR => {}
                kind => {
                    let source = message.source.map_or(0, Handle::number);
                    let text = format!("recv invalid message from {source:x},  type = {}", kind.0);
                    self.harbors.log(&self.node, &text);
                    if let Some(me) = self.harbors.reports.get() {
                        let own = me.service.handle;
                        self.node.answer_with_error(message.source, message.session, own);
                    }
                }
            }
        }
    }
}
