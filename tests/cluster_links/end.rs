//! A node of the cluster without Lua: a service that answers, one that asks, and the log.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use node::cluster::request::write_head;
use node::cluster::{Cluster, Settings, Target};
use node::codec::cluster::Address;
use node::kernel::{
    Actor, Clock, Handle, Inbox, Kind, Launch, Message, Node, NodeOptions, Payload, Service,
    Session,
};
use node::net::{self, Io};

/// How long a test waits for something that is to happen. Only a failing test gets there.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Name under which the service that answers is registered.
const NAME: &[u8] = b"echo";

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered(Vec<u8>),
    /// It could not be sent.
    Unreachable,
    /// It may have been sent.
    Failed,
}

/// Answers each request with its own bytes, and notes them.
struct Echo {
    node: Arc<Node>,
    service: Arc<Service>,
    seen: Sender<(Handle, Vec<u8>)>,
}

impl Actor for Echo {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        while let Some(message) = inbox.next_message() {
            let body = message.payload.as_slice().to_vec();
            let from = message.source.unwrap();
            let _ = self.seen.send((from, body.clone()));
            if message.session.expects_answer() {
                let answer = Message {
                    source: Some(self.service.handle),
                    session: message.session,
                    kind: Kind::RESPONSE,
                    payload: Payload::from_vec(body),
                };
                let _ = self.node.send_to(from, answer);
            }
        }
    }
}

/// Takes what comes back.
struct Asker(Sender<(i32, Outcome)>);

impl Actor for Asker {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        while let Some(message) = inbox.next_message() {
            let outcome = match message.kind {
                Kind::RESPONSE => Outcome::Answered(message.payload.as_slice().to_vec()),
                _ if message.payload.is_empty() => Outcome::Failed,
                _ => Outcome::Unreachable,
            };
            let _ = self.0.send((message.session.0, outcome));
        }
    }
}

struct Log(Arc<Mutex<Vec<String>>>);

impl Actor for Log {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        while let Some(message) = inbox.next_message() {
            let text = String::from_utf8_lossy(message.payload.as_slice()).into_owned();
            self.0.lock().unwrap().push(text);
        }
    }
}

/// A node with a clock that stands still.
pub(crate) struct End {
    pub(crate) node: Arc<Node>,
    pub(crate) cluster: Arc<Cluster>,
    asker: Arc<Service>,
    /// What was asked of the service here, in order, and by whom.
    pub(crate) seen: Receiver<(Handle, Vec<u8>)>,
    outcomes: Receiver<(i32, Outcome)>,
    kept: HashMap<i32, Outcome>,
    log: Arc<Mutex<Vec<String>>>,
    next: i32,
}

impl End {
    pub(crate) fn new(settings: Settings) -> Self {
        let node = Node::new(
            NodeOptions {
                threads: 2,
                harbor: 0,
                profile: false,
                endless_warning: Duration::from_secs(60),
                max_services: 10_000,
                message_log_directory: None,
                clock: Clock::manual(0),
                poke: |_| {},
            },
            HashMap::new(),
        );
        let log = Arc::<Mutex<Vec<String>>>::default();
        let (seen_by, seen) = channel();
        let (told, outcomes) = channel();
        let launch = |actor: Box<dyn Actor>, name| {
            node.launch_actor(name, |_| Ok(Launch { actor, first: None })).unwrap()
        };
        let logger = launch(Box::new(Log(Arc::clone(&log))), "logger");
        node.set_logger(logger.handle);
        let asker = launch(Box::new(Asker(told)), "asker");
        let echo = node
            .launch_actor("echo", |service| {
                let (node, service) = (Arc::clone(&node), Arc::clone(service));
                let actor = Box::new(Echo { node, service, seen: seen_by });
                Ok(Launch { actor, first: None })
            })
            .unwrap();
        let io = Arc::new(Io::new());
        node.set_driver(Arc::clone(&io) as _);
        let cluster = Cluster::new(io, settings);
        assert!(cluster.register(NAME, echo.handle));
        node.start();
        Self { node, cluster, asker, seen, outcomes, kept: HashMap::new(), log, next: 0 }
    }

    /// Listens for peers.
    pub(crate) fn listen(&self) -> SocketAddr {
        let (done, opened) = channel();
        let here = net::Address::parse("127.0.0.1:0").unwrap();
        self.cluster.listen(&self.node, None, here, 100, move |opened| {
            let _ = done.send(opened.unwrap());
        });
        opened.recv_timeout(DEADLINE).unwrap()
    }

    /// Says where the node `other` is.
    pub(crate) fn target(&self, address: SocketAddr) {
        let address = net::Address::of_ip(address.ip(), address.port());
        self.cluster.set_target(&self.node, "other", Target::At(address));
    }

    fn post(&self, session: i32, body: &[u8]) {
        let mut request = Vec::new();
        write_head(&mut request, Address::Name(b"@echo"), b"").unwrap();
        request.extend_from_slice(body);
        let link = self.cluster.link(&self.node, "other").unwrap();
        let message = Message {
            source: Some(self.asker.handle),
            session: Session(session),
            kind: Kind::HARBOR,
            payload: Payload::from_vec(request),
        };
        self.node.send(&link, message).unwrap();
    }

    /// Calls the service of the node `other`.
    pub(crate) fn call(&mut self, body: &[u8]) -> i32 {
        self.next += 1;
        self.post(self.next, body);
        self.next
    }

    /// Sends to it.
    pub(crate) fn push(&self, body: &[u8]) {
        self.post(0, body);
    }

    /// What became of a call.
    pub(crate) fn outcome(&mut self, session: i32) -> Outcome {
        loop {
            if let Some(outcome) = self.kept.remove(&session) {
                return outcome;
            }
            let Ok((other, outcome)) = self.outcomes.recv_timeout(DEADLINE) else {
                panic!("call {session} has no outcome; the log:\n{}", self.log().join("\n"));
            };
            assert!(self.kept.insert(other, outcome).is_none(), "{other} has two outcomes");
        }
    }

    /// Returns when the link has taken up everything that was posted to it so far.
    pub(crate) fn settle(&mut self) {
        self.next += 1;
        let link = self.cluster.link(&self.node, "other").unwrap();
        let fence = Message::empty(Some(self.asker.handle), Session(self.next), Kind::LUA);
        self.node.send(&link, fence).unwrap();
        // A link refuses what is no request.
        assert_eq!(self.outcome(self.next), Outcome::Failed);
    }

    /// No call has an outcome that nobody has looked at.
    pub(crate) fn has_no_outcome(&mut self) -> bool {
        self.settle();
        self.kept.is_empty() && self.outcomes.try_recv().is_err()
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, part: &str) -> usize {
        self.log().iter().filter(|line| line.contains(part)).count()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.node.abort();
        assert!(self.node.wait(Some(DEADLINE)) || std::thread::panicking(), "the node ends");
    }
}

/// Looks again and again until `check` holds.
pub(crate) fn wait_until(what: &str, mut check: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + DEADLINE;
    while !check() {
        assert!(std::time::Instant::now() < until, "{what}: not within {DEADLINE:?}");
        std::thread::yield_now();
    }
}
