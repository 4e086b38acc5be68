//! Threads of a service: the coroutines that run its handlers, forks and timers.
//!
//! A finished coroutine goes back to a pool and is resumed with the next function, which is what
//! makes a message cheap. Every coroutine is anchored in a table of the registry, so that the
//! collector leaves it alone while only Rust knows it.
//!
//! Invariant: a `ThreadId` in a session, a queue or the pool belongs to a live anchored coroutine,
//! and each thread is in at most one of those places.

use std::collections::HashMap;
use std::ffi::c_int;

use mlua::ffi;

use super::profile::Stopwatch;
use crate::kernel::{Handle, Kind, Session};

/// Most finished coroutines kept for reuse. A burst of requests leaves no more than this behind.
const POOL: usize = 64;

/// One of the service's threads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ThreadId(u32);

/// The request a thread works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asked.
    pub source: Option<Handle>,
    /// Under which session.
    pub session: Session,
}

/// What a thread is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// It runs, or is in the pool.
    Nothing,
    /// It is about to run for the first time (a fork or a timer).
    Start(Session),
    /// It waits for an answer from `peer`.
    Call {
        /// Session of the call.
        session: Session,
        /// Who is to answer; `None` when only a global name is known.
        peer: Option<Handle>,
    },
    /// It sleeps until a timer or a wakeup.
    Sleep(Session),
    /// It waits for a wakeup.
    Wait(Session),
}

impl Waiting {
    /// The session under which it waits.
    pub const fn session(self) -> Option<Session> {
        match self {
            Self::Nothing => None,
            Self::Start(session)
            | Self::Call { session, .. }
            | Self::Sleep(session)
            | Self::Wait(session) => Some(session),
        }
    }
}

/// State of one thread.
#[derive(Debug)]
pub struct Thread {
    /// The coroutine; null when the slot is free.
    pub state: *mut ffi::lua_State,
    /// The request until it is answered, also one that wants no answer.
    pub request: Option<Request>,
    /// The same, answered or not.
    pub context: Option<Request>,
    /// Kind of the message it handles.
    pub kind: Kind,
    /// What it waits for.
    pub waiting: Waiting,
    /// It can be woken by its own coroutine; false while it waits under another token.
    pub own_token: bool,
    /// Its processor time, if it is measured.
    pub stopwatch: Option<Stopwatch>,
    /// A trace tag belongs to it (`Vm::trace`).
    pub traced: bool,
    /// A hook has stopped it in the middle of a function.
    pub stopped: bool,
}

/// All threads of one service.
#[derive(Debug)]
pub struct Threads {
    all: Vec<Thread>,
    free: Vec<ThreadId>,
    pool: Vec<ThreadId>,
    /// Which thread a coroutine is, for wakeups by coroutine.
    by_state: HashMap<usize, ThreadId>,
    /// Reference of the anchoring table.
    anchors: c_int,
}

impl Threads {
    /// # Safety
    /// `state` is a live state; runs protected.
    pub(super) unsafe fn new(state: *mut ffi::lua_State) -> Self {
        // SAFETY: the caller's promise.
        let anchors = unsafe {
            ffi::lua_createtable(state, 4, 0);
            ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX)
        };
        Self {
            all: Vec::new(),
            free: Vec::new(),
            pool: Vec::new(),
            by_state: HashMap::new(),
            anchors,
        }
    }

    /// Number of coroutines that exist, pooled ones not counted.
    pub fn busy(&self) -> usize {
        self.by_state.len() - self.pool.len()
    }

    /// A finished coroutine, if the pool has one.
    #[inline]
    pub(super) fn reuse(&mut self) -> Option<ThreadId> {
        self.pool.pop()
    }

    /// Anchors the new coroutine on top of `state`'s stack, which is popped.
    ///
    /// # Safety
    /// A fresh coroutine is on top of the stack; may raise for lack of memory, and has then
    /// changed nothing.
    pub(super) unsafe fn adopt(&mut self, state: *mut ffi::lua_State) -> ThreadId {
        let slot = self.free.last().map_or(self.all.len(), |id| id.0 as usize);
        // SAFETY: the caller's promise.
        let coroutine = unsafe {
            let coroutine = ffi::lua_tothread(state, -1);
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, self.anchors.into());
            ffi::lua_insert(state, -2);
            ffi::lua_rawseti(state, -2, i64::try_from(slot + 1).unwrap_or(i64::MAX));
            ffi::lua_pop(state, 1);
            coroutine
        };
        let thread = Thread {
            state: coroutine,
            request: None,
            context: None,
            kind: Kind::TEXT,
            waiting: Waiting::Nothing,
            own_token: false,
            stopwatch: None,
            traced: false,
            stopped: false,
        };
        let id = if let Some(id) = self.free.pop() {
            self.all[slot] = thread;
            id
        } else {
            self.all.push(thread);
            ThreadId(u32::try_from(slot).unwrap_or(u32::MAX))
        };
        self.by_state.insert(coroutine as usize, id);
        id
    }

    /// Takes back a thread whose function has returned; true when it was kept for reuse.
    #[inline]
    pub fn recycle(&mut self, id: ThreadId) -> bool {
        let thread = &mut self[id];
        thread.request = None;
        thread.context = None;
        thread.waiting = Waiting::Nothing;
        thread.stopwatch = None;
        thread.traced = false;
        if self.pool.len() < POOL {
            self.pool.push(id);
            return true;
        }
        false
    }

    /// Lets go of a coroutine; the collector has it from now on.
    ///
    /// # Safety
    /// The coroutine does not run, and nothing refers to `id` any more.
    pub unsafe fn release(&mut self, state: *mut ffi::lua_State, id: ThreadId) {
        // SAFETY: assigning nil to an existing integer key allocates nothing.
        unsafe {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, self.anchors.into());
            ffi::lua_pushnil(state);
            ffi::lua_rawseti(state, -2, i64::from(id.0) + 1);
            ffi::lua_pop(state, 1);
        }
        self.by_state.remove(&(self[id].state as usize));
        self[id].state = std::ptr::null_mut();
        self[id].request = None;
        self[id].context = None;
        self[id].waiting = Waiting::Nothing;
        self.free.push(id);
    }

    /// Every thread that exists, pooled ones included.
    pub fn iter(&self) -> impl Iterator<Item = (ThreadId, &Thread)> {
        self.all
            .iter()
            .enumerate()
            .filter(|(_, thread)| !thread.state.is_null())
            .map(|(slot, thread)| (ThreadId(u32::try_from(slot).unwrap_or(u32::MAX)), thread))
    }

    /// The thread that runs on this coroutine.
    pub fn of_state(&self, state: *mut ffi::lua_State) -> Option<ThreadId> {
        self.by_state.get(&(state as usize)).copied()
    }
}

impl std::ops::Index<ThreadId> for Threads {
    type Output = Thread;

    #[inline]
    fn index(&self, id: ThreadId) -> &Thread {
        &self.all[id.0 as usize]
    }
}

impl std::ops::IndexMut<ThreadId> for Threads {
    #[inline]
    fn index_mut(&mut self, id: ThreadId) -> &mut Thread {
        &mut self.all[id.0 as usize]
    }
}
