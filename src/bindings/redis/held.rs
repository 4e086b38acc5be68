//! The userdata of connections and watches: made, opened, and collected in the same way.
//!
//! Invariant: a userdata is filled before anything can raise, and closes what it has when nobody
//! has it any more.

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;
use std::sync::Arc;

use mlua::ffi;

use super::calling::answer_bytes;
use super::decode::Origin;
use super::options;
use crate::bindings::skynet::thread::{check_yieldable, suspend};
use crate::continuation;
use crate::kernel::Session;
use crate::net::socket::Counted;
use crate::redis::{Connection, Settings, Watch};
use crate::vm::Vm;
use crate::vm::native::{Call, NOTHING, NativeResult, Outcome, Raise, Resumed};
use crate::vm::thread::Waiting;

/// What a userdata has.
pub(super) struct Held<T> {
    pub(super) what: Option<Arc<T>>,
    /// A message on its way to Lua.
    pub(super) reply: Option<Vec<u8>>,
    /// Messages taken without a pause.
    pub(super) row: u32,
}

/// What a userdata can have.
pub(super) trait Client: Sized {
    /// Name of the metatable.
    const TYPE: &'static CStr;
    /// Goes on when it is connected, or cannot be.
    const OPENED: ffi::lua_KFunction;

    /// Begins to connect; `session` is answered when that is over.
    fn begin(vm: &Vm, settings: Settings, counted: Counted, session: Session) -> Arc<Self>;

    /// How errors call the server.
    fn name(&self) -> &str;

    fn close(&self);
}

macro_rules! client {
    ($what:ty, $type:literal) => {
        impl Client for $what {
            const TYPE: &'static CStr = $type;
            const OPENED: ffi::lua_KFunction = continuation!(opened::<$what>);

            fn begin(vm: &Vm, settings: Settings, counted: Counted, session: Session) -> Arc<Self> {
                let made = Self::new(&vm.node, &vm.service, &vm.shared.io, settings, counted);
                made.open(session);
                made
            }

            fn name(&self) -> &str {
                self.name()
            }

            fn close(&self) {
                self.close();
            }
        }
    };
}

client!(Connection, c"skynet.redis.connection");
client!(Watch, c"skynet.redis.watch");

/// `connect(options)`, `watch(options)`: the userdata, once it is connected. **Yields.**
pub(super) fn open<T: Client>(call: &mut Call) -> NativeResult {
    check_yieldable(call)?;
    // SAFETY: drops what stands above the options.
    unsafe { ffi::lua_settop(call.state(), 1) };
    let mut held = push::<T>(call);
    let settings = options::settings(call)?;
    let counted = match options::count(call) {
        Ok(counted) => counted,
        Err(raise) => {
            drop(settings);
            return Err(raise);
        }
    };
    let vm = call.vm();
    let session = vm.sessions.allocate();
    let made = T::begin(vm, settings, counted, session);
    // SAFETY: the userdata is at index 2, and goes where the options were.
    unsafe {
        held.as_mut().what = Some(made);
        ffi::lua_pushvalue(call.state(), 2);
        ffi::lua_replace(call.state(), 1);
    }
    suspend(call, Waiting::Call { session, peer: None }, 1, T::OPENED, 0)
}

fn opened<T: Client>(call: &mut Call, _resumed: Resumed) -> NativeResult {
    let Some(mut held) = at::<T>(call, 1) else { return NOTHING };
    let origin = origin(call, held);
    match answer_bytes(call, origin) {
        Ok(_) => {
            // SAFETY: the userdata is at index 1.
            unsafe { ffi::lua_settop(call.state(), 1) };
            Ok(Outcome::Values(1))
        }
        Err(raise) => {
            // SAFETY: as above. The text of the error is the VM's.
            if let Some(what) = unsafe { held.as_mut() }.what.take() {
                what.close();
            }
            Err(raise)
        }
    }
}

/// Pushes a userdata that has nothing yet. May raise.
fn push<T: Client>(call: &mut Call) -> NonNull<Held<T>> {
    let state = call.state();
    // SAFETY: a native has free slots; the block is as large as a `Held` and aligned for any
    // value, and the collector finds it filled.
    unsafe {
        let held = ffi::lua_newuserdata(state, size_of::<Held<T>>()).cast::<Held<T>>();
        held.write(Held { what: None, reply: None, row: 0 });
        ffi::luaL_setmetatable(state, T::TYPE.as_ptr());
        NonNull::new_unchecked(held)
    }
}

/// The userdata of a type at `index`. It is used only while no Lua runs that could collect it, or
/// stays reachable from the stack.
pub(super) fn at<T: Client>(call: &mut Call, index: c_int) -> Option<NonNull<Held<T>>> {
    // SAFETY: the test neither runs Lua nor raises: the metatable is a registry entry.
    let held = unsafe { ffi::luaL_testudata(call.state(), index, T::TYPE.as_ptr()) };
    NonNull::new(held.cast::<Held<T>>())
}

/// What the held connection is; closed ones are gone only when they are collected.
pub(super) fn inner<'a, T>(call: &mut Call, held: NonNull<Held<T>>) -> Result<&'a T, Raise> {
    // SAFETY: the userdata is reachable from the stack and was filled by `push`; the caller uses it
    // only until Lua runs, as `at` says.
    match unsafe { held.as_ref().what.as_deref() } {
        Some(what) => Ok(what),
        None => Err(call.argument(1, format_args!("the connection is collected"))),
    }
}

/// The server of what a Lua file of ours has called for, for errors.
pub(super) fn origin<T: Client>(call: &mut Call, held: NonNull<Held<T>>) -> Origin {
    let server = inner(call, held).ok().map(|what| what.name() as *const str);
    Origin { server, by_library: true, ..Origin::default() }
}

/// `__gc`
pub(super) fn collect<T: Client>(call: &mut Call) -> NativeResult {
    if let Some(mut held) = at::<T>(call, 1) {
        // SAFETY: nothing else borrows it.
        let held = unsafe { held.as_mut() };
        held.reply = None;
        if let Some(what) = held.what.take() {
            what.close();
        }
    }
    NOTHING
}
