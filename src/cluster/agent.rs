//! Agent: one connection of a peer that calls this node.
//!
//! Requests are delivered by the task that reads, in the order of their arrival, with the agent as
//! their source and the peer's session as theirs: the peer sees to it that its sessions differ,
//! and only its own answers could be mixed up if it did not. Answers come to the agent's mailbox
//! and are written at the end of its turn.
//!
//! Invariant: a peer cannot make this node keep more than a bounded number of bytes: what it has
//! begun and not finished, and what it does not read, is limited, and then the connection ends.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;

use super::batch::Batch;
use super::framed::{Framed, Frames};
use super::request::OwnedAddress;
use super::secure::Opened;
use super::{Cluster, LINGER};
use crate::codec::cluster::{
    Address, Assembly, PART, Request, decode_request, encode_error, encode_ok,
    encode_response_begin, response_part_head,
};
use crate::codec::seri;
use crate::kernel::clock::CENTISECOND;
use crate::kernel::registry::GLOBAL_NAME;
use crate::kernel::{
    Actor, Handle, Inbox, Kind, Launch, Message, Node, Payload, SendError, Service, Session,
};
use crate::net::{Channel, End, Stream};

/// Queued bytes at which a peer that does not read its answers is not listened to either.
const HIGH_WATER: usize = 4 << 20;
/// Queued bytes at which it is heard again.
const LOW_WATER: usize = 1 << 20;

/// Session of the agent's own timer. Requests of peers are positive, so no answer has it.
const WATCH: Session = Session(-1);

/// The part of an agent that both its actor and its connection use.
struct Agent {
    node: Arc<Node>,
    cluster: Arc<Cluster>,
    service: Arc<Service>,
    peer: String,
    channel: OnceLock<Channel>,
    /// Something has begun to arrive and is not complete.
    unfinished: AtomicBool,
    /// The actor looks whether the rest arrives.
    watched: AtomicBool,
}

/// Serves one connection of a peer until it ends.
pub(super) async fn serve(
    node: Arc<Node>,
    cluster: Arc<Cluster>,
    socket: TcpStream,
    opened: Opened,
    peer: String,
) {
    let mut agent = None;
    let launched = node.launch_actor(&format!("clusteragent {peer}"), |service| {
        let made = Arc::new(Agent {
            node: Arc::clone(&node),
            cluster: Arc::clone(&cluster),
            service: Arc::clone(service),
            peer,
            channel: OnceLock::new(),
            unfinished: AtomicBool::new(false),
            watched: AtomicBool::new(false),
        });
        agent = Some(Arc::clone(&made));
        let actor = AgentActor { agent: made, batch: Batch::default(), seen: 0 };
        Ok(Launch { actor: Box::new(actor), first: None })
    });
    let (Ok(_), Some(agent)) = (launched, agent) else {
        // No actor was made that would count itself out.
        return cluster.agent_ended();
    };
    let session = opened.session.clone();
    let frames = Requests {
        agent: Arc::clone(&agent),
        assembly: Assembly::new(cluster.settings().message_limit),
        tag: None,
    };
    match Stream::tcp(socket, Framed::new(opened, frames)) {
        Err(_) => {
            // It was closed before anybody spoke.
            agent.node.retire(agent.service.handle);
        }
        Ok((stream, task)) => {
            let _ = agent.channel.set(Channel::new(stream, session));
            drop((agent, cluster, node));
            task.await;
        }
    }
}

impl Agent {
    fn log(&self, text: &str) {
        self.node.log(Some(self.service.handle), text);
    }

    fn refuse(&self, session: u32, text: &str) {
        if session == 0 {
            self.log(text);
            return;
        }
        let mut frame = Vec::new();
        encode_error(&mut frame, session, text.as_bytes());
        self.write(&frame);
    }

    fn write(&self, frame: &[u8]) {
        let Some(channel) = self.channel.get() else { return };
        if let Ok(queued) = channel.write(frame) {
            self.bound(channel, queued);
        }
    }

    /// Holds a peer up that does not read its answers, and closes if it never does.
    fn bound(&self, channel: &Channel, queued: usize) {
        let limit = self.cluster.settings().queue_limit();
        if queued > limit {
            let peer = &self.peer;
            self.log(&format!(
                "cluster connection of {peer}: closed, it does not read: {queued} bytes wait to \
                 be written, the limit is {limit}"
            ));
            channel.abort();
        } else if queued > HIGH_WATER {
            channel.pause();
            // It may have been written meanwhile, and nobody would tell.
            if channel.queued() <= LOW_WATER {
                channel.resume();
            }
        }
    }

    /// Whom a request is for.
    fn find<'a>(&self, to: Address<'a>) -> Result<Target<'a>, String> {
        match to {
            Address::Handle(number) => {
                let handle = Handle::new(number).ok_or_else(|| "Invalid address 0".to_owned())?;
                self.check_allowed_handle(handle)?;
                Ok(Target::Service(handle))
            }
            Address::Name(name) => {
                let shown = String::from_utf8_lossy(name);
                self.check_allowed(name)?;
                if let Some(name) = name.strip_prefix(b"@") {
                    let found = self.cluster.registered(name);
                    let found = found.ok_or_else(|| format!("Invalid name {shown}"))?;
                    return Ok(Target::Service(found));
                }
                let found = match name.strip_prefix(b".") {
                    Some(local) => self.node.registry.find_name(local),
                    None if name.starts_with(b":") => Handle::parse(name),
                    None => return Ok(Target::Global(&name[..name.len().min(GLOBAL_NAME)])),
                };
                let found = found.ok_or_else(|| format!("call to invalid address {shown}"))?;
                Ok(Target::Service(found))
            }
        }
    }

    fn check_allowed(&self, name: &[u8]) -> Result<(), String> {
        match &self.cluster.settings().allowed {
            Some(allowed) if !allowed.contains(name) => {
                let name = String::from_utf8_lossy(name);
                Err(format!("`{name}` may not be called from outside (config: cluster_allow)"))
            }
            _ => Ok(()),
        }
    }

    /// A number may be called if the name behind it may.
    fn check_allowed_handle(&self, handle: Handle) -> Result<(), String> {
        let Some(allowed) = &self.cluster.settings().allowed else { return Ok(()) };
        if let Some(name) = self.cluster.name_of(handle)
            && allowed.contains(&[b"@", &*name].concat()[..])
        {
            return Ok(());
        }
        Err(format!("{handle} may not be called from outside (config: cluster_allow)"))
    }

    fn deliver(&self, to: Address<'_>, session: u32, tag: Option<Vec<u8>>, body: Payload) {
        if to == Address::Handle(0) {
            return self.answer_query(session, body.as_slice());
        }
        let Ok(number) = i32::try_from(session) else {
            return self.refuse(session, &format!("Invalid session {session}"));
        };
        let target = match self.find(to) {
            Ok(target) => target,
            Err(why) => return self.refuse(session, &why),
        };
        let send = |message| match target {
            Target::Service(handle) => self.node.send_to(handle, message),
            Target::Global(name) => self.node.send_to_global(name, message),
        };
        let source = Some(self.service.handle);
        let message = |session, kind, payload| Message { source, session, kind, payload };
        if let Some(tag) = tag {
            let tag = Payload::copy_of(&tag);
            let _ = send(message(Session::NONE, Kind::TRACE, tag));
        }
        match send(message(Session(number), Kind::LUA, body)) {
            Ok(()) => {}
            Err(SendError::NoService) => {
                self.refuse(session, &format!("call to invalid address {target}"));
            }
            Err(SendError::Full) => {
                self.refuse(session, &format!("mailbox of {target} is full"));
            }
        }
    }

    /// `cluster.query`: the address behind a registered name.
    fn answer_query(&self, session: u32, body: &[u8]) {
        let mut reader = seri::Reader::new(body);
        let Ok(seri::Item::String(name)) = reader.next_item() else {
            return self.refuse(session, "Invalid query");
        };
        match self.cluster.registered(name) {
            None => self.refuse(session, "name not found"),
            Some(handle) if session > 0 => {
                let mut address = Vec::new();
                seri::put_integer(&mut address, handle.number().into());
                let mut frame = Vec::new();
                encode_ok(&mut frame, session, &address);
                self.write(&frame);
            }
            Some(_) => {}
        }
    }
}

/// Whom a request is for.
#[derive(Clone, Copy)]
enum Target<'a> {
    Service(Handle),
    /// A name of all nodes; the request waits for it if need be.
    Global(&'a [u8]),
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(handle) => handle.fmt(formatter),
            Self::Global(name) => String::from_utf8_lossy(name).fmt(formatter),
        }
    }
}

/// Delivers what the peer asks for.
struct Requests {
    agent: Arc<Agent>,
    assembly: Assembly<Begun>,
    /// For the next request.
    tag: Option<Vec<u8>>,
}

/// What the start of a large request says.
struct Begun {
    to: OwnedAddress,
    push: bool,
    tag: Option<Vec<u8>>,
}

impl Frames for Requests {
    fn on_frame(&mut self, content: &[u8]) -> Result<(), String> {
        match decode_request(content).map_err(|error| error.to_string())? {
            Request::Single { to, session, body } => {
                self.agent.deliver(to, session, self.tag.take(), Payload::copy_of(body));
            }
            Request::Begin { to, session, total, push } => {
                let begun = Begun { to: OwnedAddress::of(to), push, tag: self.tag.take() };
                let begun = self.assembly.begin(session, total, begun);
                begun.map_err(|error| error.to_string())?;
            }
            Request::Part { session, bytes, last } => {
                let whole = self.assembly.part(session, bytes, last);
                if let Some((begun, body)) = whole.map_err(|error| error.to_string())? {
                    let session = if begun.push { 0 } else { session };
                    let body = Payload::from_vec(body);
                    self.agent.deliver(begun.to.get(), session, begun.tag, body);
                }
            }
            Request::Trace(tag) => self.tag = Some(tag.to_vec()),
        }
        Ok(())
    }

    fn on_refused(&mut self, why: &str) {
        let agent = &self.agent;
        agent.log(&format!("cluster connection of {}: closed, {why}", agent.peer));
    }

    fn on_pause(&mut self, partial: bool) {
        let agent = &self.agent;
        let unfinished = partial || !self.assembly.is_empty();
        agent.unfinished.store(unfinished, Ordering::Release);
        if unfinished && !agent.watched.swap(true, Ordering::AcqRel) {
            let watch = Message::empty(None, Session::NONE, Kind::SYSTEM);
            let _ = agent.node.send(&agent.service, watch);
        }
    }

    fn on_written(&mut self, stream: &Arc<Stream>, left: usize) {
        if left <= LOW_WATER {
            stream.resume();
        }
    }

    fn on_end(&mut self, end: End) {
        let agent = &self.agent;
        if let End::Failed(error) = end {
            agent.log(&format!("cluster connection of {}: lost ({error})", agent.peer));
        }
        agent.node.retire(agent.service.handle);
    }
}

struct AgentActor {
    agent: Arc<Agent>,
    batch: Batch,
    /// Bytes received and sent when it last looked.
    seen: u64,
}

impl AgentActor {
    fn answer(&mut self, session: Session, payload: Payload) {
        let Ok(session @ 1..) = u32::try_from(session.0) else { return };
        let length = payload.len();
        if length <= PART {
            encode_ok(self.batch.frames(), session, payload.as_slice());
        } else if length > self.agent.cluster.settings().message_limit {
            let text = format!("an answer of {length} bytes exceeds the limit (cluster_limit)");
            encode_error(self.batch.frames(), session, text.as_bytes());
            self.agent.log(&format!("cluster connection of {}: {text}", self.agent.peer));
        } else {
            let total = u32::try_from(length).unwrap_or(u32::MAX);
            encode_response_begin(self.batch.frames(), session, total);
            self.batch
                .push_body(payload, 0, |length, last| response_part_head(session, length, last));
        }
        if self.batch.is_full() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let Some(channel) = self.agent.channel.get() else { return self.batch.clear() };
        if let Some(Ok(queued)) = self.batch.write_to(channel) {
            self.agent.bound(channel, queued);
        }
    }

    /// Closes a connection on which something began and nothing came since the last look.
    fn watch(&mut self) {
        let agent = &self.agent;
        if !agent.unfinished.load(Ordering::Acquire) {
            agent.watched.store(false, Ordering::Release);
            // The receiver may have begun something between the two.
            if !agent.unfinished.load(Ordering::Acquire)
                || agent.watched.swap(true, Ordering::AcqRel)
            {
                return;
            }
        }
        let Some(channel) = agent.channel.get() else { return };
        // Both ways: a peer that is held up until it has read its answers sends nothing meanwhile.
        let moved = channel.traffic();
        if moved == self.seen {
            agent.log(&format!(
                "cluster connection of {}: closed, the rest of a message did not come within {:?}",
                agent.peer,
                agent.cluster.settings().dead_after
            ));
            return channel.abort();
        }
        self.seen = moved;
        let ticks = agent.cluster.settings().dead_after.as_nanos() / CENTISECOND.as_nanos();
        agent.node.timeout(&agent.service, WATCH, i32::try_from(ticks.max(1)).unwrap_or(i32::MAX));
    }
}

impl Actor for AgentActor {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        while let Some(message) = inbox.next_message() {
            match message.kind {
                Kind::RESPONSE if message.session == WATCH => self.watch(),
                Kind::RESPONSE => self.answer(message.session, message.payload),
                Kind::ERROR => {
                    if let Ok(session @ 1..) = u32::try_from(message.session.0) {
                        encode_error(self.batch.frames(), session, b"call failed");
                    }
                }
                Kind::SYSTEM => {
                    // Of a look that begins now nothing is known yet.
                    self.seen = u64::MAX;
                    self.watch();
                }
                _ => {
                    let here = self.agent.service.handle;
                    self.agent.node.answer_with_error(message.source, message.session, here);
                }
            }
        }
        self.flush();
    }
}

impl Drop for AgentActor {
    fn drop(&mut self) {
        self.agent.cluster.agent_ended();
        if let Some(channel) = self.agent.channel.get() {
            channel.close(LINGER);
        }
    }
}
