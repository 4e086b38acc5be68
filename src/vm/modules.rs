//! Modules being loaded: who loads them, who waits, what runs when they are loaded.
//!
//! Invariant: a module is here exactly while its chunk or its init functions run.

use std::collections::HashMap;
use std::ffi::c_int;

use super::session::NO_REFERENCE;
use super::thread::ThreadId;
use crate::kernel::Session;

#[derive(Debug)]
struct Module {
    /// The thread that loads it; `None` for the main chunk.
    owner: Option<ThreadId>,
    /// Reference of the list of its init functions.
    inits: c_int,
    waiters: Vec<Session>,
}

/// Modules that a service is loading.
#[derive(Debug, Default)]
pub struct Modules {
    loading: HashMap<Box<[u8]>, Module>,
    /// Names in the order in which loading began, for the innermost of a thread.
    order: Vec<Box<[u8]>>,
    /// Which module a thread waits for.
    awaited: HashMap<ThreadId, Box<[u8]>>,
}

impl Modules {
    /// True when somebody loads it.
    pub fn is_loading(&self, name: &[u8]) -> bool {
        self.loading.contains_key(name)
    }

    /// Notes that `owner` begins to load it.
    pub fn begin(&mut self, name: &[u8], owner: Option<ThreadId>) {
        let module = Module { owner, inits: NO_REFERENCE, waiters: Vec::new() };
        self.loading.insert(name.into(), module);
        self.order.push(name.into());
    }

    /// Takes it out; gives the sessions of those who wait.
    pub fn end(&mut self, name: &[u8]) -> Vec<Session> {
        self.order.retain(|other| &**other != name);
        self.loading.remove(name).map(|module| module.waiters).unwrap_or_default()
    }

    /// Notes that `thread` waits for a module under `session`.
    pub fn wait(&mut self, name: &[u8], thread: Option<ThreadId>, session: Session) {
        if let Some(module) = self.loading.get_mut(name) {
            module.waiters.push(session);
        }
        if let Some(thread) = thread {
            self.awaited.insert(thread, name.into());
        }
    }

    /// The thread goes on.
    pub fn end_wait(&mut self, thread: Option<ThreadId>) {
        if let Some(thread) = thread {
            self.awaited.remove(&thread);
        }
    }

    /// True when `thread` would wait for itself by waiting for the module.
    pub fn closes_ring(&self, name: &[u8], thread: Option<ThreadId>) -> bool {
        let mut next = self.loading.get(name);
        while let Some(module) = next {
            if module.owner == thread {
                return true;
            }
            next = module
                .owner
                .and_then(|owner| self.awaited.get(&owner))
                .and_then(|name| self.loading.get(name));
        }
        false
    }

    fn innermost_name(&self, thread: Option<ThreadId>) -> Option<&[u8]> {
        let name = self.order.iter().rev().find(|name| self.loading[*name].owner == thread)?;
        Some(name)
    }

    /// The init functions of the module that `thread` is loading, innermost first.
    pub fn innermost(&self, thread: Option<ThreadId>) -> Option<c_int> {
        Some(self.loading[self.innermost_name(thread)?].inits)
    }

    /// Sets them.
    pub fn set_inits(&mut self, thread: Option<ThreadId>, inits: c_int) {
        let Some(name) = self.innermost_name(thread).map(Box::<[u8]>::from) else { return };
        if let Some(module) = self.loading.get_mut(&name) {
            module.inits = inits;
        }
    }

    /// Takes the init functions of a module.
    pub fn take_inits(&mut self, name: &[u8]) -> c_int {
        match self.loading.get_mut(name) {
            Some(module) => std::mem::replace(&mut module.inits, NO_REFERENCE),
            None => NO_REFERENCE,
        }
    }
}
