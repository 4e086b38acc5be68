//! Services that end while others send to them: every request is settled once, and nothing of the
//! service stays behind.
//!
//! Real workers and real threads on the kernel alone; the actors are doubles of a few lines.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use node::kernel::node::Factory;
use node::kernel::{
    Actor, Clock, Inbox, Kind, Launch, Message, Node, NodeOptions, Service, Session,
};

/// Services that come and go, one after another.
const SERVICES: usize = 2_000;
/// Threads that send to each, and what each sends.
const SENDERS: i32 = 3;
const REQUESTS: i32 = 8;

/// Answers each request.
struct Echo {
    node: Arc<Node>,
    service: Weak<Service>,
}

impl Actor for Echo {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        while let Some(message) = inbox.next_message() {
            let Some(service) = self.service.upgrade() else { return };
            let answer = Message::empty(Some(service.handle), message.session, Kind::RESPONSE);
            let _ = self.node.send_to(message.source.unwrap(), answer);
        }
    }
}

/// Counts what comes back, answers and errors alike.
struct Client {
    settled: Arc<AtomicI64>,
    done: Sender<()>,
}

impl Actor for Client {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        while let Some(message) = inbox.next_message() {
            assert!(matches!(message.kind, Kind::RESPONSE | Kind::ERROR), "{message:?}");
            if self.settled.fetch_sub(1, Ordering::SeqCst) == 1 {
                let _ = self.done.send(());
            }
        }
    }
}

#[test]
fn requests_that_race_with_the_end_of_a_service_are_each_settled_once() {
    let (done, finished) = channel();
    // One more than is open keeps the count from reaching zero before everything is sent.
    let settled = Arc::new(AtomicI64::new(1));
    let seen: Arc<Mutex<Vec<Weak<Service>>>> = Arc::default();

    let all = Arc::clone(&seen);
    let echo: Factory = Box::new(move |node, service, _| {
        all.lock().unwrap().push(Arc::downgrade(service));
        let actor = Echo { node: Arc::clone(node), service: Arc::downgrade(service) };
        Ok(Launch { actor: Box::new(actor), first: None })
    });
    let count = Arc::clone(&settled);
    let client: Factory = Box::new(move |_, _, _| {
        let actor = Client { settled: Arc::clone(&count), done: done.clone() };
        Ok(Launch { actor: Box::new(actor), first: None })
    });
    let node = Node::new(
        NodeOptions {
            threads: 2,
            harbor: 0,
            profile: true,
            endless_warning: Duration::from_secs(60),
            max_services: 100,
            message_log_directory: None,
            clock: Clock::real(),
            poke: |_| {},
        },
        HashMap::from([("echo", echo), ("client", client)]),
    );
    node.start();
    let client = node.launch("client", "").unwrap();

    for _ in 0..SERVICES {
        let echo = node.launch("echo", "").unwrap().handle;
        std::thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (node, client, settled) = (&node, &client, &settled);
                scope.spawn(move || {
                    for request in 1..=REQUESTS {
                        settled.fetch_add(1, Ordering::SeqCst);
                        let session = Session(sender * REQUESTS + request);
                        let message = Message::empty(Some(client.handle), session, Kind::LUA);
                        if node.send_to(echo, message).is_err() {
                            settled.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                });
            }
            scope.spawn(|| node.retire(echo));
        });
    }
    if settled.fetch_sub(1, Ordering::SeqCst) != 1 {
        finished.recv_timeout(Duration::from_secs(60)).expect("every request is settled");
    }
    assert_eq!(settled.load(Ordering::SeqCst), 0);

    drop(client);
    node.abort();
    assert!(node.wait(Some(Duration::from_secs(60))), "the node ends");
    node.join();
    let left = seen.lock().unwrap().iter().filter(|service| service.strong_count() > 0).count();
    assert_eq!(left, 0, "services that ended are freed");
}
