//! A Lua service as the kernel sees it: an actor that makes its state when it gets its first turn.
//!
//! Invariant: the VM is used only within a turn, and closed when the actor is dropped.

use std::sync::Arc;

use super::state::Shared;
use super::{VmPointer, loader};
use crate::kernel::{Actor, Handle, Inbox, Kind, Message, Node, Payload, Service, Session};

/// A Lua service as the kernel sees it.
pub struct LuaActor {
    state: ActorState,
}

enum ActorState {
    /// Not started: the state is made by the worker that gives the service its first turn.
    New {
        node: Arc<Node>,
        service: Arc<Service>,
        shared: Arc<Shared>,
        arguments: Box<str>,
    },
    Running(VmPointer),
    Ended,
}

// SAFETY: a VM belongs to no thread; the kernel lets one thread at a time use the actor.
unsafe impl Send for LuaActor {}

impl LuaActor {
    /// The actor of a Lua service started with `arguments`, the first word being its script.
    pub fn new(
        node: &Arc<Node>,
        service: &Arc<Service>,
        shared: &Arc<Shared>,
        arguments: &str,
    ) -> Self {
        Self {
            state: ActorState::New {
                node: Arc::clone(node),
                service: Arc::clone(service),
                shared: Arc::clone(shared),
                arguments: arguments.into(),
            },
        }
    }

    #[cold]
    #[inline(never)]
    fn boot(&mut self) {
        let ActorState::New { node, service, shared, arguments } =
            std::mem::replace(&mut self.state, ActorState::Ended)
        else {
            return;
        };
        let name = arguments.split_whitespace().next().unwrap_or("");
        let policy = shared.sandbox.policy_for(name);
        if let Some(limit) = policy.mailbox {
            service.limit_mailbox(limit);
        }
        if let Some(limit) = policy.memory.and_then(|bytes| usize::try_from(bytes).ok()) {
            service.limit_mailbox_bytes(limit);
        }
        if let Some(limit) = policy.message_time {
            service.limit_message_time(limit);
        }
        let failure = match VmPointer::new(&node, &service, &shared, policy) {
            Err(text) => Some(text),
            Ok(pointer) => {
                self.state = ActorState::Running(pointer);
                // SAFETY: the VM is fresh and belongs to this turn.
                unsafe { loader::boot(pointer, &arguments) }.err()
            }
        };
        if let Some(text) = failure {
            node.report(Some(service.handle), &format!("lua loader error : {text}"));
            report_to_launcher(&node, service.handle, b"ERROR");
            node.log(Some(service.handle), "KILL self");
            if node.bootstrap() == Some(service.handle) {
                node.note_start_failure();
            } else if node.logger() == Some(service.handle) {
                // A node whose log nobody sees is of no use.
                node.note_start_failure();
                node.abort();
            }
            node.retire(service.handle);
        }
    }
}

/// Tells the launcher in its text protocol how a start ended.
fn report_to_launcher(node: &Node, from: Handle, text: &[u8]) {
    if let Some(launcher) = node.registry.find_name(b"launcher") {
        let message = Message {
            source: Some(from),
            session: Session::NONE,
            kind: Kind::TEXT,
            payload: Payload::copy_of(text),
        };
        let _ = node.send_to(launcher, message);
    }
}

impl Actor for LuaActor {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        if matches!(self.state, ActorState::New { .. }) && inbox.next_message().is_some() {
            self.boot();
        }
        let ActorState::Running(pointer) = self.state else { return };
        // SAFETY: this is the service's turn; no borrow is kept across Lua.
        unsafe { pointer.get().turn_began = Some(inbox.began()) };
        let mut taken = 0;
        while let Some(mut message) = inbox.next_in_place() {
            taken += 1;
            // SAFETY: as above.
            unsafe {
                pointer.get().taken = taken;
                pointer.handle(&mut message);
            }
        }
        // SAFETY: as above.
        unsafe { pointer.end_turn() };
    }

    /// A log service in Lua still writes what was logged before it ends.
    fn on_leftover(&mut self, mut message: Message) -> Option<Message> {
        let ActorState::Running(pointer) = self.state else { return Some(message) };
        // SAFETY: the kernel calls this under the scheduling right; no borrow is kept across Lua.
        let is_log = unsafe {
            let vm = pointer.get();
            message.kind == Kind::TEXT && vm.node.logger() == Some(vm.handle()) && !vm.exiting
        };
        if !is_log {
            return Some(message);
        }
        // SAFETY: as above.
        unsafe { pointer.handle(&mut message) };
        None
    }
}

impl Drop for LuaActor {
    fn drop(&mut self) {
        if let ActorState::Running(pointer) = std::mem::replace(&mut self.state, ActorState::Ended)
        {
            // SAFETY: the service has ended; nothing of the VM is in use.
            unsafe {
                let vm = pointer.get();
                vm.fail_open_requests();
                let (shared, handle) = (Arc::clone(&vm.shared), vm.handle());
                pointer.close();
                // Behind the finalizers, which may still open one.
                shared.sockets.service_ended(handle);
            }
        }
    }
}
