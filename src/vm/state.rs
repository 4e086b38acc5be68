//! Making and closing a service's Lua state.
//!
//! Invariant: every step that may raise runs protected; a state that could not be set up is
//! closed again and reported as text.

use std::collections::{HashMap, VecDeque};
use std::ffi::{CStr, c_int};
use std::ptr::NonNull;
use std::sync::Arc;

use mlua::ffi;

use super::allocator::Allocator;
use super::arena::ArenaPool;
use super::cache::Cache;
use super::channels::Channels;
use super::native::TextBuffer;
use super::packages::Packages;
use super::protocol::Protocols;
use super::session::{CallsByName, NO_REFERENCE, Responses, Sessions, Trace};
use super::thread::Threads;
use super::{
    Callback, Current, LATE_LIBRARIES, References, STOCK, Vm, VmPointer, Wake, interrupt, layout,
};
use crate::cluster::Cluster;
use crate::kernel::{Node, Service};
use crate::net::Io;
use crate::net::socket::Sockets;
use crate::net::tls;
use crate::sandbox::{Policy, Protected, Sandbox};
use crate::shared::Store;
use crate::websocket;

/// What all Lua services of a node have in common.
pub struct Shared {
    /// Compiled scripts.
    pub cache: Cache,
    /// Memory for the small blocks of each.
    pub arenas: Arc<ArenaPool>,
    /// The sandbox.
    pub sandbox: Sandbox,
    /// The I/O.
    pub io: Arc<Io>,
    /// Other nodes.
    pub cluster: Arc<Cluster>,
    /// The sockets.
    pub sockets: Arc<Sockets>,
    /// Time limits of WebSocket connections, and what they may take unless a script says.
    pub websockets: (Arc<websocket::Deadlines>, websocket::Limits),
    /// Numbers that are given once.
    pub identifiers: super::identifiers::Identifiers,
    /// Schemas of sproto.
    pub schemas: super::schemas::Shelf,
    /// Most bytes of a reply of Redis, and most that wait to be written to it.
    pub redis_limits: (usize, usize),
    /// Certificates and whom to trust.
    pub tls: tls::Store,
    /// What services share.
    pub data: Store,
    /// Channels of services that are being debugged.
    pub channels: Channels,
    /// Packages that services hold by number.
    pub packages: Packages,
    /// Where scripts and modules are found.
    pub paths: Paths,
    /// The modules that are built in.
    pub library: &'static dyn Library,
}

/// Search paths and files of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    /// Where services are found.
    pub luaservice: Vec<u8>,
    /// `package.path`.
    pub lua_path: Vec<u8>,
    /// `package.cpath`.
    pub lua_cpath: Vec<u8>,
    /// The configuration names `lua_cpath` itself, which allows native modules.
    pub names_lua_cpath: bool,
    /// A file that runs in each service before its script.
    pub preload: Option<Vec<u8>>,
    /// Scripts have what Lua 5.1 had.
    pub compat51: bool,
    /// A loader of the project's own.
    pub loader: Option<Vec<u8>>,
    /// The folder against which the sandbox judges relative paths.
    pub working_directory: std::path::PathBuf,
    /// Files of the node itself, which services do not overwrite.
    pub protected: Protected,
}

/// The modules and services that are built into the binary.
pub trait Library: Sync {
    /// Puts the globals and the restricted standard library in place. Runs protected.
    ///
    /// # Safety
    /// `state` is the main state of a fresh VM.
    unsafe fn install(&self, state: *mut ffi::lua_State);

    /// The function that opens a built-in native module.
    fn native(&self, module: &[u8]) -> Option<ffi::lua_CFunction>;

    /// The Lua source of a built-in module.
    fn module(&self, module: &[u8]) -> Option<Embedded>;

    /// The Lua source of a built-in service.
    fn service(&self, name: &[u8]) -> Option<Embedded>;
}

/// A Lua file inside the binary.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    /// Its name as tracebacks show it.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl VmPointer {
    /// Makes the VM of `service`.
    ///
    /// # Errors
    /// The text of what went wrong while the state was set up.
    pub fn new(
        node: &Arc<Node>,
        service: &Arc<Service>,
        shared: &Arc<Shared>,
        policy: Arc<Policy>,
    ) -> Result<Self, String> {
        let limit =
            policy.memory.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let mut allocator = Box::new(Allocator::new(limit, &shared.arenas));
        // SAFETY: the allocator is boxed and lives as long as the state.
        let state = unsafe { ffi::lua_newstate(Allocator::allocate, (&raw mut *allocator).cast()) };
        if state.is_null() {
            return Err(format!("not enough memory for a Lua state (limit {limit} bytes)"));
        }
        // SAFETY: the state is fresh.
        unsafe {
            ffi::lua_atpanic(state, on_panic);
            if !layout::is_known(state) {
                ffi::lua_close(state);
                return Err("this Lua is laid out in a way that is not known here".to_owned());
            }
        }
        let mut failure = None;
        // SAFETY: the state is fresh; `Threads::new` allocates at most a small table, which the
        // limit allows once the state itself fitted (the panic function above ends the process
        // in an orderly way if not).
        let threads = unsafe { Threads::new(state) };
        let vm = Box::new(Vm {
            state,
            allocator,
            node: Arc::clone(node),
            service: Arc::clone(service),
            shared: Arc::clone(shared),
            policy,
            error_text: TextBuffer::new(),
            scratch: Vec::new(),
            table_sizes: Vec::new(),
            threads,
            sessions: Sessions::default(),
            responses: Responses::default(),
            calls_by_name: CallsByName::default(),
            protocols: Protocols::new(),
            callback: Callback::None,
            current: None,
            starting: None,
            wake: Wake::Answer,
            suspended: false,
            stopped: false,
            blocked_resumers: 0,
            blocked_coroutines: 0,
            resume_depth: 0,
            interrupted: false,
            modules: super::modules::Modules::default(),
            has_started: false,
            exiting: false,
            memory_limited: false,
            message: Current::NONE,
            blocks: HashMap::new(),
            unpacked: HashMap::new(),
            block_bytes: 0,
            trusts_pointers: false,
            failed: std::ptr::null_mut(),
            forks: VecDeque::new(),
            wakeups: VecDeque::new(),
            failures: VecDeque::new(),
            errors: Vec::new(),
            listing: Vec::new(),
            timers: 0,
            taken: 0,
            at_turn_end: Vec::new(),
            turn_began: None,
            references: References {
                tokens: NO_REFERENCE,
                timers: NO_REFERENCE,
                unknown_request: NO_REFERENCE,
                unknown_response: NO_REFERENCE,
                info: NO_REFERENCE,
                stop: NO_REFERENCE,
                init: NO_REFERENCE,
                protocols: NO_REFERENCE,
                stopwatches: NO_REFERENCE,
            },
            stock_yield: 0,
            stock: [None; STOCK],
            profiling: false,
            late: [NO_REFERENCE; LATE_LIBRARIES],
            sockets: super::sockets::Pool::default(),
            schemas: super::schemas::Schemas::default(),
            trace: Trace::default(),
            loading: None,
            peg: None,
            peg_stack: 0,
            pins: Vec::new(),
            routes: std::array::from_fn(|_| None),
        });
        let pointer = Self(NonNull::from(Box::leak(vm)));
        // SAFETY: the extra space of a state has room for one pointer; coroutines get a copy.
        unsafe { *ffi::lua_getextraspace(state).cast::<NonNull<Vm>>() = pointer.0 };
        // SAFETY: `install` is made to run protected in a fresh state.
        unsafe {
            let previous = interrupt::set_active(state);
            ffi::lua_gc(state, ffi::LUA_GCSTOP, 0);
            ffi::lua_pushcfunction(state, install);
            if ffi::lua_pcall(state, 0, 0, 0) != ffi::LUA_OK {
                failure = Some(pointer.take_error());
            }
            ffi::lua_gc(state, ffi::LUA_GCRESTART, 0);
            interrupt::set_active(previous);
        }
        match failure {
            None => Ok(pointer),
            Some(text) => {
                // SAFETY: nothing runs in the VM.
                unsafe { pointer.close() };
                Err(text)
            }
        }
    }

    /// Closes the state, which runs its finalizers, and frees the VM.
    ///
    /// # Safety
    /// Nothing of the VM is in use, and no copy of the pointer is used afterwards.
    pub unsafe fn close(self) {
        // SAFETY: the caller's promise; the box was leaked in `new`.
        unsafe {
            let state = self.get().state;
            let previous = interrupt::set_active(state);
            ffi::lua_close(state);
            interrupt::set_active(previous);
            drop(Box::from_raw(self.0.as_ptr()));
        }
    }

    /// Pops the error on top of the main stack as text.
    ///
    /// # Safety
    /// A value is on top of the main stack, and no borrow of the VM is alive.
    pub(super) unsafe fn take_error(self) -> String {
        // SAFETY: the caller's promise; only strings are read, so nothing is converted.
        unsafe {
            let state = self.get().state;
            let text = if ffi::lua_type(state, -1) == ffi::LUA_TSTRING {
                let mut length = 0;
                let start = ffi::lua_tolstring(state, -1, &raw mut length);
                let bytes = std::slice::from_raw_parts(start.cast::<u8>(), length);
                String::from_utf8_lossy(bytes).into_owned()
            } else {
                let name = CStr::from_ptr(ffi::lua_typename(state, ffi::lua_type(state, -1)));
                format!("(error object is a {} value)", name.to_string_lossy())
            };
            ffi::lua_pop(state, 1);
            text
        }
    }
}

unsafe extern "C-unwind" fn install(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected by `VmPointer::new` with the fresh main state. The library is
    // static, so its reference outlives any raise.
    unsafe {
        // Giving a reference back for the first time adds a key to the registry. Later the
        // dispatcher does it where nothing may be allocated.
        ffi::lua_pushboolean(state, 1);
        let reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, reference);
        let library = Vm::of(state).as_ref().shared.library;
        library.install(state);
    }
    0
}

/// An error outside every protected call. All our calls are protected, so this is a defect; the
/// process cannot go on, since Lua would return into frames that are gone.
unsafe extern "C-unwind" fn on_panic(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: the error is on top of the stack.
    unsafe {
        let text = ffi::lua_tolstring(state, -1, std::ptr::null_mut());
        let text = if text.is_null() { c"(no text)" } else { CStr::from_ptr(text) };
        let line = format!("fatal: unprotected error in Lua: {}\n", text.to_string_lossy());
        libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len());
    }
    std::process::abort();
}
