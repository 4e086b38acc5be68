//! Delivery: how a message reaches a service, and what becomes of one that cannot.
//!
//! Invariant: a request that is not delivered is refused at once or answered with an error later;
//! none is lost. Timers deliver through here as well.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::clock::CENTISECOND;
use super::handle::Handle;
use super::mailbox::Pushed;
use super::message::{Head, Kind, Message, Session};
use super::node::Node;
use super::registry::Routed;
use super::service::Service;
use super::timer::Timer;

/// Why a message was not accepted.
#[derive(Debug, PartialEq, Eq)]
pub enum SendError {
    /// Nobody has this handle or name.
    NoService,
    /// The mailbox is at its limit.
    Full,
}

impl Node {
    /// Sends a message to a service at hand.
    ///
    /// # Errors
    /// When its mailbox is at its limit. A service that has ended takes the message and answers
    /// it with an error.
    #[inline]
    pub fn send(&self, service: &Arc<Service>, message: Message) -> Result<(), SendError> {
        service.count_in(message.payload.len());
        let pushed = service.mailbox.push(message);
        self.after_push(service, pushed);
        Ok(())
    }

    /// Sends a message with a copy of `bytes` to a service at hand, as `send` does.
    #[inline]
    pub fn send_copy(&self, service: &Arc<Service>, head: Head, bytes: &[u8]) {
        service.count_in(bytes.len());
        let pushed = service.mailbox.push_copy(head, bytes);
        self.after_push(service, pushed);
    }

    #[inline]
    fn after_push(&self, service: &Arc<Service>, pushed: Pushed) {
        if pushed.before == 0 {
            self.scheduler.schedule(service);
        }
        if service.is_closed() {
            service.take_leftovers(&mut |message| self.undelivered(message, service.handle));
        }
    }

    /// True when a further request to `service` must be refused. Answers are always accepted.
    #[inline]
    pub fn is_full(&self, service: &Service) -> bool {
        (service.pending() >= service.mailbox_limit() || service.is_out_of_bytes())
            && self.refuse(service)
    }

    #[cold]
    pub(super) fn refuse(&self, service: &Service) -> bool {
        let refused = service.stats.refused.fetch_add(1, Ordering::Relaxed) + 1;
        // Powers of two keep a flood from filling the log as well; a log that is full itself
        // cannot take more.
        if refused.is_power_of_two() && Some(service.handle) != self.logger() {
            let (pending, name) = (service.pending(), &service.name);
            let why = if service.is_out_of_bytes() {
                "more bytes than its memory limit (sandbox.toml: memory)"
            } else {
                "the limit (sandbox.toml: mailbox)"
            };
            self.log(
                Some(service.handle),
                &format!(
                    "mailbox full: {name} has {pending} messages, {why}; {refused} refused so far"
                ),
            );
        }
        true
    }

    /// Sends a message to a handle.
    ///
    /// # Errors
    /// When nobody has it, or the mailbox is at its limit.
    pub fn send_to(&self, handle: Handle, message: Message) -> Result<(), SendError> {
        let Some(service) = self.registry.find(handle) else {
            return self.send_away(handle, message);
        };
        if message.kind != Kind::RESPONSE && message.kind != Kind::ERROR && self.is_full(&service) {
            return Err(SendError::Full);
        }
        self.send(&service, message)
    }

    /// Sends a message to a global name; it waits for the name if need be.
    ///
    /// # Errors
    /// When the owner is gone, or too many messages wait.
    pub fn send_to_global(&self, name: &[u8], message: Message) -> Result<(), SendError> {
        match self.registry.route_global(name, message) {
            Routed::Owner(owner, message) => self.send_to(owner, message),
            Routed::Waiting { first } => {
                if first {
                    self.want_name(name);
                }
                Ok(())
            }
            Routed::Full(_) => Err(SendError::Full),
        }
    }

    /// Makes `owner` the owner of a global name and delivers what waited for it.
    pub fn set_global_name(&self, name: &[u8], owner: Handle) {
        for message in self.registry.set_global(name, owner) {
            let (source, session) = (message.source, message.session);
            if self.send_to(owner, message).is_err() {
                self.answer_with_error(source, session, owner);
            }
        }
    }

    pub(super) fn undelivered(&self, message: Message, to: Handle) {
        // A late answer is nobody's request.
        if message.kind != Kind::RESPONSE && message.kind != Kind::ERROR {
            self.log_undelivered(&message, to);
            self.answer_with_error(message.source, message.session, to);
        }
    }

    /// Tells the sender of a request that it has failed.
    pub fn answer_with_error(&self, to: Option<Handle>, session: Session, from: Handle) {
        if let Some(to) = to.filter(|_| session.expects_answer()) {
            let _ = self.send_to(to, Message::empty(Some(from), session, Kind::ERROR));
        }
    }

    /// Lets `session` of a service be answered after `centiseconds`; at once when not positive.
    pub fn timeout(&self, service: &Arc<Service>, session: Session, centiseconds: i32) {
        let Ok(count @ 1..) = u32::try_from(centiseconds) else {
            let _ = self.send(service, Message::empty(None, session, Kind::RESPONSE));
            return;
        };
        let at = self.clock.elapsed() + CENTISECOND * count;
        self.wheel.lock().unwrap_or_else(PoisonError::into_inner).set(at, service.handle, session);
    }

    pub(super) fn take_due_timers(&self, now: Duration, due: &mut Vec<Timer>) {
        self.wheel.lock().unwrap_or_else(PoisonError::into_inner).advance(now, due);
    }

    pub(super) fn until_next_timer(&self, limit: Duration) -> Duration {
        let now = self.clock.elapsed();
        self.wheel.lock().unwrap_or_else(PoisonError::into_inner).until_next(now, limit)
    }

    pub(super) fn answer_timer(&self, service: Handle, session: Session) {
        // The service may have ended; its timers end with it.
        let _ = self.send_to(service, Message::empty(None, session, Kind::RESPONSE));
    }

    /// Moves a manual clock on and fires what falls due.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
        let mut due = Vec::new();
        self.take_due_timers(self.clock.elapsed(), &mut due);
        for timer in due {
            self.answer_timer(timer.service, timer.session);
        }
    }
}
