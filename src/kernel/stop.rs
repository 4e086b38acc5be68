//! Stop: the orderly end of a node, in which services may save what they hold.
//!
//! A service that wants to be asked says so (`Service::set_saves`). Services of one script are asked
//! together; scripts one after the other, and the one that was started first is asked last, since
//! the others are likely to need it for saving.
//!
//! Invariant: `Node::stop` returns, whatever the services do.
//! Not here: the signals that ask for it (`process/signals.rs`).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::handle::Handle;
use super::message::{Kind, Message, Payload, Session};
use super::node::Node;
use super::service::Service;

/// Bytes of the system message that asks a service to save.
pub const REQUEST: &[u8] = b"stop";

/// How long a node may take to end once it need not wait for anybody. A service that is still in
/// the same message then will hardly ever leave it.
pub const END_LIMIT: Duration = Duration::from_secs(2);
/// How often it is looked whether a service that saves has ended in another way.
const LOOK: Duration = Duration::from_millis(20);
/// How long the last line of the log may take.
const LAST_LINE: Duration = Duration::from_millis(500);
/// Most services that one log line names.
const NAMED: usize = 10;

/// Who is being asked to save.
#[derive(Default)]
pub(super) struct Savers {
    asked: Mutex<Vec<Handle>>,
    answered: Condvar,
}

impl Node {
    /// Ends the node in order: services that want to save do so, for as long as `deadline` lets
    /// them, then every service ends. Blocks; not for the node's own threads. True when all have
    /// saved and ended.
    pub fn stop(&self, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        let mut groups = self.savers();
        let count: usize = groups.iter().map(Vec::len).sum();
        let seconds = deadline.as_secs_f64();
        self.log(None, &format!("stop: {count} services save first (deadline {seconds} s)"));
        let mut late = Vec::new();
        while late.is_empty() {
            let Some(group) = groups.pop() else { break };
            late = self.ask_to_save(&group, until);
        }
        late.extend(groups.into_iter().flatten());
        if !late.is_empty() {
            let names = names(&late);
            self.log(None, &format!("stop: {seconds} s are over before these have saved: {names}"));
        }
        let mut services = self.registry.services();
        self.abort();
        if self.wait(Some(END_LIMIT)) {
            return late.is_empty();
        }
        let logger = self.logger();
        services.retain(|service| !service.is_closed() && Some(service.handle) != logger);
        let names = names(&services);
        self.log(None, &format!("stop: these do not end, the process ends without them: {names}"));
        self.flush_log();
        false
    }

    /// The services that want to save, by script; the last group is to be asked first.
    fn savers(&self) -> Vec<Vec<Arc<Service>>> {
        let mut groups: HashMap<String, Vec<Arc<Service>>> = HashMap::new();
        for service in self.registry.services() {
            if service.saves() {
                let script = service.name.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
                groups.entry(script).or_default().push(service);
            }
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|group| group.iter().map(|service| service.started).min());
        groups
    }

    /// Asks services and waits for them; returns those that were not done in time.
    fn ask_to_save(&self, group: &[Arc<Service>], until: Instant) -> Vec<Arc<Service>> {
        let savers = &self.savers;
        let mut asked = savers.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.extend(group.iter().map(|service| service.handle));
        drop(asked);
        for service in group {
            let payload = Payload::copy_of(REQUEST);
            let message =
                Message { source: None, session: Session::NONE, kind: Kind::SYSTEM, payload };
            let _ = self.send(service, message);
        }
        let mut asked = savers.asked.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            asked.retain(|handle| self.registry.find(*handle).is_some());
            let left = until.saturating_duration_since(Instant::now());
            if asked.is_empty() || left.is_zero() {
                let late = std::mem::take(&mut *asked);
                return group.iter().filter(|one| late.contains(&one.handle)).cloned().collect();
            }
            let waited = savers.answered.wait_timeout(asked, left.min(LOOK));
            asked = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A service has saved.
    pub fn saved(&self, service: Handle) {
        let mut asked = self.savers.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|other| *other != service);
        self.savers.answered.notify_all();
    }

    /// Waits until the log service has written what it got, at most for a moment.
    fn flush_log(&self) {
        let Some(logger) = self.logger().and_then(|handle| self.registry.find(handle)) else {
            return;
        };
        let until = Instant::now() + LAST_LINE;
        while logger.pending() > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Services for a log line.
fn names(services: &[Arc<Service>]) -> String {
    let mut text = String::new();
    for (index, service) in services.iter().take(NAMED).enumerate() {
        let gap = if index == 0 { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(text, "{gap}{} {}", service.handle, service.name);
    }
    if services.len() > NAMED {
        let _ = write!(text, " and {} more", services.len() - NAMED);
    }
    text
}
