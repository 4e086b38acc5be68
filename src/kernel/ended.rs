//! Ended services: what the log says of calls to them.
//!
//! Invariant: names are kept for the last `REMEMBERED` services, and at most `LINES` lines a second
//! are written, so neither memory nor log grows with a flood.

use std::collections::{HashMap, VecDeque};
use std::sync::PoisonError;

use super::handle::Handle;
use super::message::Message;
use super::node::Node;

/// Ended services whose names are remembered: enough to cover whoever still knows their address.
const REMEMBERED: usize = 1024;
/// Lines a second about failing calls. One tells what is wrong; the rest only counts.
const LINES: u32 = 10;
/// Units of the node's clock in a second.
const SECOND: u64 = 100;

/// Names of ended services, and how much has been said of calls to them.
#[derive(Default)]
pub(super) struct Ended {
    names: HashMap<Handle, Box<str>>,
    order: VecDeque<Handle>,
    /// The second that is counted, lines written in it, lines left out in it.
    second: u64,
    written: u32,
    left_out: u32,
}

impl Ended {
    fn remember(&mut self, handle: Handle, name: &str) {
        if self.names.insert(handle, name.into()).is_none() {
            self.order.push_back(handle);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
    }

    /// Whether a line may be written now; also how many were left out before it.
    fn admit(&mut self, now: u64) -> Option<u32> {
        let second = now / SECOND;
        let mut before = 0;
        if second != self.second {
            before = std::mem::take(&mut self.left_out);
            self.second = second;
            self.written = 0;
        }
        if self.written == LINES {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(before)
    }
}

impl Node {
    pub(super) fn remember_ended(&self, handle: Handle, name: &str) {
        self.ended_services.lock().unwrap_or_else(PoisonError::into_inner).remember(handle, name);
    }

    /// The name that an ended service had, if it is not too long ago.
    pub fn ended_name(&self, handle: Handle) -> Option<Box<str>> {
        let ended = self.ended_services.lock().unwrap_or_else(PoisonError::into_inner);
        ended.names.get(&handle).cloned()
    }

    /// Logs that a call of `caller` has failed, and why.
    #[cold]
    pub fn log_failed_call(&self, caller: Option<Handle>, why: &str) {
        let mut ended = self.ended_services.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = ended.admit(self.clock.now());
        drop(ended);
        match admitted {
            None => {}
            Some(0) => self.log(caller, why),
            Some(before) => self.log(caller, &format!("{why} ({before} such lines left out)")),
        }
    }

    /// A request has reached a service that has ended.
    #[cold]
    pub(super) fn log_undelivered(&self, message: &Message, to: Handle) {
        if message.session.expects_answer() && message.source.is_some() && !self.is_ending() {
            let (to, kind) = (self.describe(to.number()), message.kind);
            self.log_failed_call(message.source, &format!("call failed: {to} ({kind})"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_failing_calls_writes_few_lines_and_counts_the_rest() {
        let mut ended = Ended::default();
        let written = (0..1_000).filter(|_| ended.admit(0).is_some()).count();
        assert_eq!(written, LINES as usize);
        assert_eq!(ended.admit(SECOND), Some(990));
        assert_eq!(ended.admit(SECOND), Some(0));
    }

    #[test]
    fn only_the_last_names_are_remembered() {
        let mut ended = Ended::default();
        let handle = |number| Handle::new(number).unwrap();
        for number in 1..=2_000 {
            ended.remember(handle(number), "snlua agent");
        }
        assert_eq!(ended.names.len(), REMEMBERED);
        assert!(ended.names.contains_key(&handle(2_000)));
        assert!(!ended.names.contains_key(&handle(1)));
    }
}
