//! The VM of one Lua service: its state, its threads, and the sessions they wait under.
//!
//! Invariant: a `Vm` is used by one thread at a time, the one that runs its service. While Lua
//! runs no Rust reference to the `Vm` is alive; natives borrow it through `Call` for a moment.

pub mod actor;
pub mod allocator;
pub mod arena;
mod argument;
pub mod cache;
pub mod call;
pub mod channels;
pub mod dispatch;
pub mod identifiers;
pub mod interrupt;
pub mod layout;
pub mod loader;
pub mod modules;
pub mod native;
pub mod packages;
pub mod pairs;
pub mod profile;
pub mod project;
pub mod protocol;
pub mod request;
pub mod resume;
pub mod schemas;
pub mod seri;
pub mod session;
pub mod sockets;
pub mod state;
pub mod thread;
pub mod trace;

use std::collections::{HashMap, VecDeque};
use std::ffi::c_int;
use std::ptr::NonNull;
use std::sync::Arc;

use mlua::ffi;

use crate::codec::peg::{self, Machine};
use crate::kernel::stamp::Stamp;
use crate::kernel::{Handle, Head, Kind, Message, Node, Payload, SendError, Service, Session};
use crate::sandbox::Policy;
use crate::shared::Held;
use allocator::Allocator;
use native::TextBuffer;
use protocol::Protocols;
use session::{CallsByName, Responses, Sessions, Trace};
use state::Shared;
use thread::{ThreadId, Threads, Waiting};

/// Packed bytes from which on the scratch buffer itself becomes the payload: making another is
/// cheaper than copying as much.
const GIVEN_AWAY: usize = 8 << 10;

/// Services whose addresses a VM remembers. A power of two; covers the few that most services
/// talk to, the rest goes through the registry.
const ROUTES: usize = 16;

/// Room for Lua's own functions that restricted ones of ours stand in for.
pub const STOCK: usize = 32;

/// Standard libraries that a service opens when it first touches them.
pub const LATE_LIBRARIES: usize = 5;

/// What a service does with the messages it gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Callback {
    /// `skynet.start` has not been called: nobody handles them.
    None,
    /// The native dispatcher.
    Native,
    /// A function of the script (`skynet.core.callback`), by its reference.
    Script {
        /// Reference of the function.
        function: c_int,
        /// The function owns the message and frees it or passes it on.
        forward: bool,
    },
}

/// Why a waiting thread is resumed; its continuation reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// The answer has come; its bytes are the current message.
    Answer,
    /// The call has failed.
    Failed,
    /// A timer is over.
    Timer,
    /// `skynet.wakeup`.
    Woken,
    /// The thread is to end: whatever it waits for raises.
    Killed,
}

/// Whom a queued `skynet.wakeup` means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wakeup {
    /// A thread that sleeps under its own coroutine.
    Thread(ThreadId),
    /// Whoever sleeps under the token with this reference.
    Token(c_int),
    /// Whoever waits under this session.
    Session(Session),
}

/// Something that gathers what a turn has to say, and says it when the turn ends.
pub trait AtTurnEnd: Send + Sync {
    /// The turn ends. Runs no Lua.
    fn at_turn_end(&self);
}

/// The message being handled.
#[derive(Clone, Copy, Debug)]
pub struct Current {
    /// Its kind.
    pub kind: Kind,
    /// Its session.
    pub session: Session,
    /// Its sender.
    pub source: Option<Handle>,
    /// Its bytes.
    pub bytes: *const [u8],
}

impl Current {
    const NONE: Self = Self { kind: Kind::TEXT, session: Session::NONE, source: None, bytes: &[] };
}

/// The state of one Lua service.
pub struct Vm {
    pub(crate) state: *mut ffi::lua_State,
    /// Boxed, since Lua holds its address.
    pub(crate) allocator: Box<Allocator>,
    /// The node the service lives on.
    pub node: Arc<Node>,
    /// The service itself.
    pub service: Arc<Service>,
    /// What it has in common with the node's other Lua services.
    pub shared: Arc<Shared>,
    /// What the service may do.
    pub policy: Arc<Policy>,
    /// Texts on their way to Lua.
    pub error_text: TextBuffer,
    /// Values being packed.
    pub scratch: Vec<u8>,
    /// Sizes of the tables being unpacked (`seri.rs`).
    pub(crate) table_sizes: Vec<u32>,
    /// Its coroutines.
    pub threads: Threads,
    /// Who waits for which answer.
    pub sessions: Sessions,
    /// Answers taken over by `skynet.response`.
    pub responses: Responses,
    /// Calls to global names.
    pub calls_by_name: CallsByName,
    /// Message types it knows.
    pub protocols: Protocols,
    /// How it takes messages.
    pub callback: Callback,
    /// The thread that runs, if one does.
    pub current: Option<ThreadId>,
    /// The thread that runs the start function, until it is done.
    pub starting: Option<ThreadId>,
    /// Why that thread was resumed.
    pub wake: Wake,
    /// Set by a native that yields on behalf of the framework, so that a script's own
    /// `coroutine.yield` can be told apart.
    pub suspended: bool,
    /// A hook has stopped the running thread; its call is still to be mended.
    pub stopped: bool,
    /// Coroutines being resumed from where no yield can pass (a metamethod, a sort).
    pub blocked_resumers: usize,
    /// Coroutines of the script that the framework has suspended, at least.
    pub blocked_coroutines: usize,
    /// Coroutines resumed inside each other right now.
    pub resume_depth: usize,
    /// The message being handled has overrun its time limit; it is raised out of.
    pub interrupted: bool,
    /// Modules being loaded.
    pub modules: modules::Modules,
    /// The init functions have run, or are running.
    pub has_started: bool,
    /// `skynet.exit` has been called.
    pub exiting: bool,
    /// `skynet.memlimit` has been called.
    pub memory_limited: bool,
    /// The message being handled.
    pub message: Current,
    /// Blocks handed to the script as light userdata, which it still has to send or free.
    pub blocks: HashMap<usize, Payload>,
    /// Bytes in `blocks`; they count towards the memory limit.
    pub block_bytes: usize,
    /// Those of them that belong to multicast packages, by the number of the package.
    pub unpacked: HashMap<usize, usize>,
    /// A C module has been loaded, so pointers unknown to us are legitimate.
    pub trusts_pointers: bool,
    /// A coroutine that has just died, for the function that describes it.
    pub(crate) failed: *mut ffi::lua_State,
    /// Forked threads that have not run yet.
    pub forks: VecDeque<ThreadId>,
    /// Tokens of threads to be woken.
    pub wakeups: VecDeque<Wakeup>,
    /// Sessions of calls that have failed.
    pub failures: VecDeque<Session>,
    /// Errors of the message being handled.
    pub errors: Vec<u8>,
    /// Sessions of a list being made for `skynet.task`.
    pub listing: Vec<Session>,
    /// Timers that are set.
    pub timers: usize,
    /// Messages taken in this turn.
    pub taken: usize,
    /// What has to be told of the end of this turn.
    pub at_turn_end: Vec<Arc<dyn AtTurnEnd>>,
    /// When this turn began, if the node measures.
    pub turn_began: Option<Stamp>,
    /// References of registry values that natives need at hand.
    pub references: References,
    /// Address of Lua's own `coroutine.yield`, to tell a script's yield from the framework's.
    pub stock_yield: usize,
    /// Lua's own functions behind restricted ones of ours (`bindings::standard` knows which).
    pub stock: [Option<ffi::lua_CFunction>; STOCK],
    /// Some coroutine has been given a clock.
    pub profiling: bool,
    /// References of the standard libraries that are not open yet (`bindings::standard`).
    pub late: [c_int; LATE_LIBRARIES],
    /// Its sockets.
    pub sockets: sockets::Pool,
    /// Its schemas of sproto.
    pub schemas: schemas::Schemas,
    /// State of tracing.
    pub trace: Trace,
    /// A chunk being loaded, held here so that a raise does not lose it.
    pub(crate) loading: Option<loader::Loading>,
    /// A machine for matches of `lpeg`, while none is running (`bindings::lpeg`).
    pub peg: Option<Box<Machine>>,
    /// Entries of its stack, as the script has set it; zero if it has not.
    pub peg_stack: usize,
    /// Shared trees that are held until the end of the turn (`bindings::shared`).
    pub pins: Vec<*mut Option<Arc<Held>>>,
    routes: [Option<Arc<Service>>; ROUTES],
}

/// Registry references of a VM.
#[derive(Clone, Copy, Debug)]
pub struct References {
    /// Table of wakeup tokens: token to session.
    pub tokens: c_int,
    /// Table of the functions of timers that have no coroutine yet, or `LUA_NOREF`.
    pub timers: c_int,
    /// Replacement for the report of an unknown request, or `LUA_NOREF`.
    pub unknown_request: c_int,
    /// Replacement for the report of an unknown response, or `LUA_NOREF`.
    pub unknown_response: c_int,
    /// Function behind debug INFO, or `LUA_NOREF`.
    pub info: c_int,
    /// Function of `skynet.on_stop`, or `LUA_NOREF`.
    pub stop: c_int,
    /// The table of `skynet.init` functions not run yet, or `LUA_NOREF`.
    pub init: c_int,
    /// Clocks of the script's coroutines, by coroutine.
    pub stopwatches: c_int,
    /// The table `skynet._proto`: classes of the message types by name and id.
    pub protocols: c_int,
}

impl Vm {
    /// The service behind a handle, remembered for the next time.
    #[inline]
    pub fn route(&mut self, handle: Handle) -> Option<&Arc<Service>> {
        let slot = handle.number() as usize % ROUTES;
        let known = matches!(
            &self.routes[slot],
            Some(service) if service.handle == handle && !service.is_retired()
        );
        if !known {
            self.routes[slot] = Some(self.node.registry.find(handle)?);
        }
        self.routes[slot].as_ref()
    }

    /// Borrows the VM, giving out the parts that sending needs.
    #[inline]
    pub fn route_with_node(&mut self, handle: Handle) -> Option<(&Arc<Service>, &Node)> {
        self.route(handle)?;
        let slot = handle.number() as usize % ROUTES;
        self.routes[slot].as_ref().map(|service| (service, &*self.node))
    }

    /// Sends what was packed into the scratch buffer from `start` on, and takes it from there.
    ///
    /// # Errors
    /// As `Node::send_to`.
    #[inline]
    pub fn send_packed(
        &mut self,
        to: Handle,
        kind: Kind,
        session: Session,
        start: usize,
    ) -> Result<(), SendError> {
        let head = Head { source: Some(self.handle()), session, kind };
        let sent = if self.route(to).is_none() {
            if self.node.is_remote(to) {
                let Head { source, session, kind } = head;
                let payload = self.take_packed(start);
                return self.node.send_to(to, Message { source, session, kind, payload });
            }
            Err(SendError::NoService)
        } else if let Some(service) = &self.routes[to.number() as usize % ROUTES] {
            if kind != Kind::RESPONSE && kind != Kind::ERROR && self.node.is_full(service) {
                Err(SendError::Full)
            } else {
                if self.scratch.len() - start < GIVEN_AWAY {
                    self.node.send_copy(service, head, &self.scratch[start..]);
                    Ok(())
                } else {
                    let service = Arc::clone(service);
                    let Head { source, session, kind } = head;
                    let payload = self.take_packed(start);
                    return self.node.send(&service, Message { source, session, kind, payload });
                }
            }
        } else {
            Err(SendError::NoService)
        };
        self.scratch.truncate(start);
        sent
    }

    /// Takes what was packed from `start` on.
    pub fn take_packed(&mut self, start: usize) -> Payload {
        if start == 0 && self.scratch.len() >= GIVEN_AWAY {
            return Payload::from_vec(std::mem::take(&mut self.scratch));
        }
        let payload = Payload::copy_of(&self.scratch[start..]);
        self.scratch.truncate(start);
        payload
    }

    /// Takes the session of whoever sleeps under a queued token right now. Raises nothing.
    fn session_to_wake(&mut self, wakeup: Wakeup) -> Option<Session> {
        match wakeup {
            Wakeup::Session(session) => Some(session),
            Wakeup::Thread(id) => match self.threads[id].waiting {
                Waiting::Sleep(session) | Waiting::Wait(session) if self.threads[id].own_token => {
                    Some(session)
                }
                _ => None,
            },
            Wakeup::Token(token) => {
                let state = self.state;
                // SAFETY: raw reads of live registry values on the main state, whose stack has
                // room; nothing is allocated.
                unsafe {
                    let mut is_integer = 0;
                    ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, self.references.tokens.into());
                    ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, token.into());
                    ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, token);
                    ffi::lua_rawget(state, -2);
                    let session = ffi::lua_tointegerx(state, -1, &raw mut is_integer);
                    ffi::lua_pop(state, 2);
                    i32::try_from(session).ok().filter(|_| is_integer != 0).map(Session)
                }
            }
        }
    }

    /// Keeps a block that the script has to send or free.
    pub fn keep_block(&mut self, payload: Payload) -> *mut std::ffi::c_void {
        let (pointer, length) = payload.into_raw();
        if !pointer.is_null() {
            self.block_bytes += length;
            // SAFETY: the block was just given away by `into_raw`.
            self.blocks.insert(pointer as usize, unsafe { Payload::from_raw(pointer, length) });
        }
        pointer
    }

    /// Gives up a block that the script sends or frees.
    pub fn take_block(&mut self, pointer: *mut std::ffi::c_void) -> Option<Payload> {
        let payload = self.blocks.remove(&(pointer as usize))?;
        self.block_bytes -= payload.len();
        Some(payload)
    }

    /// Entries that the stack of a match may have.
    pub fn peg_stack(&self) -> usize {
        if self.peg_stack == 0 { peg::STACK } else { self.peg_stack }
    }

    /// Lets go of the shared trees: whoever looks next sees the latest version.
    #[cold]
    pub fn release_pins(&mut self) {
        for tree in self.pins.drain(..) {
            // SAFETY: the place lies in a userdata, which takes it out of the list when it ends.
            drop(unsafe { (*tree).take() });
        }
    }

    /// Own handle.
    #[inline]
    pub fn handle(&self) -> Handle {
        self.service.handle
    }

    /// Bytes of the Lua state.
    pub fn memory(&self) -> usize {
        self.allocator.used()
    }

    /// The allocator, for limits.
    pub fn allocator(&mut self) -> &mut Allocator {
        &mut self.allocator
    }

    /// Logs a line of this service.
    pub fn log(&self, text: &str) {
        self.node.log(Some(self.handle()), text);
    }
}

/// A pointer to a VM that is live for as long as the pointer is used: the service holds the box,
/// and everything that uses the pointer runs inside one of the service's turns.
#[derive(Clone, Copy)]
pub struct VmPointer(NonNull<Vm>);

impl VmPointer {
    /// The pointer to a VM at hand.
    pub fn of(vm: &mut Vm) -> Self {
        Self(NonNull::from(vm))
    }

    /// Borrows the VM for a moment; not across anything that runs Lua.
    ///
    /// # Safety
    /// No other borrow is alive, and the VM is.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "the pointer is a capability; see the type")]
    unsafe fn get<'a>(self) -> &'a mut Vm {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.0.as_ptr() }
    }
}
