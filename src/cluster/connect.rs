//! A link's connection: coming up, and what the peer answers.
//!
//! Invariant: the link hears of each attempt `Failed`, or `Connected` and later `Lost`.

use std::sync::Arc;

use super::Cluster;
use super::framed::{Framed, Frames};
use super::link::{Event, Link};
use super::secure::{Deadline, Opened};
use crate::codec::cluster::{Assembly, Response, decode_response};
use crate::kernel::{Node, Payload};
use crate::net::tcp::{self, Options};
use crate::net::{Address, Channel, End, Stream};

/// Connects and carries the connection until it ends.
pub(super) async fn connect(
    node: Arc<Node>,
    cluster: Arc<Cluster>,
    link: Arc<Link>,
    address: Address,
    attempt: u64,
) {
    let settings = cluster.settings();
    let options = Options { nodelay: true, dead_after: Some(settings.dead_after) };
    let deadline = Deadline::after(settings.connect_limit);
    let connected = async {
        let connected = tcp::connect(&address, options, settings.connect_limit).await;
        let mut socket = connected.map_err(|error| error.to_string())?;
        let opened = match &settings.security {
            None => Opened::PLAIN,
            Some(security) => {
                let log = Some(link.service().handle);
                let names = (&address, &*settings.node_name);
                security.call(&node, log, &mut socket, names, deadline).await?
            }
        };
        let session = opened.session.clone();
        let frames = Answers {
            node: Arc::clone(&node),
            link: Arc::clone(&link),
            address: address.clone(),
            attempt,
            assembly: Assembly::new(settings.message_limit),
            refused: false,
        };
        let (stream, task) =
            Stream::tcp(socket, Framed::new(opened, frames)).map_err(|error| error.to_string())?;
        Ok::<_, String>((Channel::new(stream, session), task))
    };
    match connected.await {
        Err(why) => link.post(&node, Event::Failed(attempt, why)),
        Ok((channel, task)) => {
            link.post(&node, Event::Connected(attempt, channel));
            drop(cluster);
            task.await;
        }
    }
}

/// Delivers what the peer answers.
struct Answers {
    node: Arc<Node>,
    link: Arc<Link>,
    address: Address,
    attempt: u64,
    assembly: Assembly<()>,
    /// The connection was closed for what the peer sent, and the log says so.
    refused: bool,
}

impl Answers {
    fn log(&self, text: &str) {
        self.node.log(Some(self.link.service().handle), text);
    }
}

impl Frames for Answers {
    fn on_frame(&mut self, content: &[u8]) -> Result<(), String> {
        let (session, payload) = match decode_response(content)
            .map_err(|error| error.to_string())?
        {
            Response::Ok { session, body } => (session, Payload::copy_of(body)),
            Response::Error { session, text } => {
                // What went wrong there; the caller here sees only that the call failed.
                if self.link.fail(&self.node, self.attempt, session) {
                    self.log(&String::from_utf8_lossy(text));
                }
                return Ok(());
            }
            Response::Begin { session, total } => {
                return self.assembly.begin(session, total, ()).map_err(|error| error.to_string());
            }
            Response::Part { session, bytes, last } => {
                let whole = self.assembly.part(session, bytes, last);
                match whole.map_err(|error| error.to_string())? {
                    Some(((), body)) => (session, Payload::from_vec(body)),
                    None => return Ok(()),
                }
            }
        };
        // Nobody waits when the call was over its deadline.
        self.link.answer(&self.node, self.attempt, session, payload);
        Ok(())
    }

    fn on_refused(&mut self, why: &str) {
        self.refused = true;
        let (name, address) = (&self.link.name, &self.address);
        self.log(&format!("cluster node [{name}] ({address}): closed, {why}"));
    }

    fn on_end(&mut self, end: End) {
        self.link.lose(&self.node, self.attempt, |failed| {
            if !self.refused && !matches!(end, End::Closed | End::Lingered) {
                let (name, address) = (&self.link.name, &self.address);
                self.log(&format!(
                    "cluster node [{name}] ({address}): connection lost ({end}); {failed} calls \
                     failed"
                ));
            }
        });
        self.link.post(&self.node, Event::Lost(self.attempt));
    }
}
