//! Native functions: the one wrapper through which Lua calls Rust.
//!
//! Lua errors are longjmps. Any Lua function that may allocate can raise one, because the memory
//! limit or a failing `__gc` may strike there. Hence the one rule of every native: **no value
//! with a destructor is alive while Lua may run**. Texts are built in buffers that the `Vm` owns,
//! messages are moved into a mailbox before anything else happens.
//!
//! Invariant: a native ends in exactly one way (values, a yield, a raise), and the yield and the
//! raise are the wrapper's last act, when the native's own frame is gone. Panics stop here.

use std::ffi::{CStr, c_int};
use std::fmt::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use mlua::ffi;

use super::Vm;

/// Name and entry point of a native function.
pub type Entry = (&'static CStr, ffi::lua_CFunction);

/// Makes the table of a module's native functions: `natives![c"name" => function, …]`.
#[macro_export]
macro_rules! natives {
    ($($name:literal => $body:expr),* $(,)?) => {
        &[$(($name, $crate::native!($body))),*]
    };
}

/// Makes the C function that runs one native.
#[macro_export]
macro_rules! native {
    ($body:expr) => {{
        unsafe extern "C-unwind" fn entry(state: *mut ::mlua::ffi::lua_State) -> ::std::ffi::c_int {
            let body = $body;
            // SAFETY: Lua calls this with the running state of a VM of ours.
            unsafe { $crate::vm::native::enter(state, body) }
        }
        entry as ::mlua::ffi::lua_CFunction
    }};
}

/// Makes the continuation that runs when a native is resumed after its yield.
#[macro_export]
macro_rules! continuation {
    ($body:expr) => {{
        unsafe extern "C-unwind" fn entry(
            state: *mut ::mlua::ffi::lua_State,
            status: ::std::ffi::c_int,
            context: ::mlua::ffi::lua_KContext,
        ) -> ::std::ffi::c_int {
            let resumed = $crate::vm::native::Resumed { status, context };
            let body = |call: &mut $crate::vm::native::Call| $body(call, resumed);
            // SAFETY: as for `native!`.
            unsafe { $crate::vm::native::enter(state, body) }
        }
        entry as ::mlua::ffi::lua_KFunction
    }};
}

/// What a continuation is told.
#[derive(Clone, Copy, Debug)]
pub struct Resumed {
    /// Lua's status: of the protected call, or that it was resumed after a yield.
    pub status: c_int,
    /// The value given with the yield or call.
    pub context: ffi::lua_KContext,
}

impl Resumed {
    /// True unless a protected call has failed.
    pub const fn is_ok(self) -> bool {
        matches!(self.status, ffi::LUA_OK | ffi::LUA_YIELD)
    }
}

/// How a native ends well.
#[derive(Clone, Copy)]
pub enum Outcome {
    /// It returns the topmost so many values.
    Values(c_int),
    /// It yields the topmost so many values; the continuation runs when it is resumed.
    Yield(c_int, ffi::lua_KFunction, ffi::lua_KContext),
    /// It calls the function below the topmost so many arguments; the continuation then runs
    /// with all results on the stack, also when the function yielded in between.
    Call(c_int, ffi::lua_KFunction, ffi::lua_KContext),
    /// As `Call`, but protected, with the message handler at this stack index.
    ProtectedCall(c_int, c_int, ffi::lua_KFunction, ffi::lua_KContext),
}

/// How a native fails. The text, if any, waits in the VM's buffer.
#[derive(Clone, Copy)]
pub enum Raise {
    /// An error with the position of the script in front: of the nearest Lua function, since
    /// `pcall(skynet.call, …)` has none right above the native.
    At,
    /// An error with the position of the caller in front if that is a Lua function, as Lua's own
    /// C functions raise it.
    AtCaller,
    /// An error without a position.
    Plain,
    /// A bad argument, in the words of Lua's own library.
    Argument(c_int),
    /// The value on top of the stack.
    Top,
}

impl Raise {
    /// For functions that are written in Lua elsewhere: the position shown is the script's.
    pub const fn from_script(self) -> Self {
        match self {
            Self::AtCaller => Self::At,
            other => other,
        }
    }
}

pub use super::call::Call;

/// What a native returns.
pub type NativeResult = Result<Outcome, Raise>;

/// No values.
pub const NOTHING: NativeResult = Ok(Outcome::Values(0));

/// Runs `body` as a native function.
///
/// # Safety
/// Called by Lua with the running state of a VM of ours.
#[inline(always)]
pub unsafe fn enter(
    state: *mut ffi::lua_State,
    body: impl FnOnce(&mut Call) -> NativeResult,
) -> c_int {
    let outcome = {
        let mut call = Call { state };
        catch_unwind(AssertUnwindSafe(|| body(&mut call)))
    };
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(panic) => {
            drop(panic);
            Err(Call { state }.error(format_args!("a native function panicked (see the log)")))
        }
    };
    // SAFETY: the native is over; nothing with a destructor is alive in this frame.
    unsafe { finish(state, outcome) }
}

#[inline(always)]
unsafe fn finish(state: *mut ffi::lua_State, outcome: NativeResult) -> c_int {
    // SAFETY: `enter`'s promise; the counts and continuations are the native's own.
    unsafe {
        match outcome {
            Ok(Outcome::Values(count)) => count,
            Ok(Outcome::Yield(count, then, context)) => {
                ffi::lua_yieldk(state, count, context, Some(then))
            }
            Ok(Outcome::Call(arguments, then, context)) => {
                ffi::lua_callk(state, arguments, ffi::LUA_MULTRET, context, Some(then));
                then(state, ffi::LUA_OK, context)
            }
            Ok(Outcome::ProtectedCall(arguments, handler, then, context)) => {
                let status = ffi::lua_pcallk(
                    state,
                    arguments,
                    ffi::LUA_MULTRET,
                    handler,
                    context,
                    Some(then),
                );
                then(state, status, context)
            }
            Err(raise) => self::raise(state, raise),
        }
    }
}

#[cold]
unsafe fn raise(state: *mut ffi::lua_State, raise: Raise) -> c_int {
    // SAFETY: the text is owned by the VM and zero-terminated, so the jump leaves nothing behind. Lua copies
    // it before anything else: a finalizer that runs in between may write another one over it.
    unsafe {
        if !matches!(raise, Raise::Top) {
            let text = Vm::of(state).as_ref().error_text.as_bytes();
            ffi::lua_pushlstring(state, text.as_ptr().cast(), text.len() - 1);
        }
        match raise {
            Raise::Top | Raise::Plain => {}
            Raise::Argument(index) => {
                let text = ffi::lua_tolstring(state, -1, std::ptr::null_mut());
                return super::argument::raise(state, index, text);
            }
            Raise::At | Raise::AtCaller => {
                let level = if matches!(raise, Raise::At) { nearest_lua(state) } else { 1 };
                ffi::luaL_where(state, level);
                ffi::lua_insert(state, -2);
                ffi::lua_concat(state, 2);
            }
        }
        ffi::lua_error(state)
    }
}

/// The level of the nearest Lua function above the running native; 1 if there is none.
unsafe fn nearest_lua(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `lua_getinfo` of "l" neither runs Lua nor raises; the record lives in this frame.
    unsafe {
        let mut record: ffi::lua_Debug = std::mem::zeroed();
        let mut level = 1;
        while ffi::lua_getstack(state, level, &raw mut record) != 0 {
            ffi::lua_getinfo(state, c"l".as_ptr(), &raw mut record);
            if record.currentline > 0 {
                return level;
            }
            level += 1;
        }
    }
    1
}

/// A text with a terminating zero, owned by the VM so that it survives a jump.
#[derive(Debug)]
pub struct TextBuffer(Vec<u8>);

impl TextBuffer {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Replaces the text; returns it without the terminator.
    pub(super) fn write(&mut self, text: fmt::Arguments<'_>) -> &[u8] {
        self.0.clear();
        // Writing to a vector does not fail; a `Display` that does leaves a shorter text.
        let _ = Appender(&mut self.0).write_fmt(text);
        self.0.push(0);
        &self.0[..self.0.len() - 1]
    }

    /// Keeps a text until the next one, so that Lua can copy it when its owner is gone.
    pub fn keep(&mut self, text: &str) -> *const [u8] {
        self.write(format_args!("{text}"))
    }

    /// The text with its terminator.
    fn as_bytes(&self) -> &[u8] {
        if self.0.is_empty() { b"\0" } else { &self.0 }
    }
}

struct Appender<'a>(&'a mut Vec<u8>);

impl fmt::Write for Appender<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Bytes of a script in a text of ours: what is not UTF-8 shows as the replacement character.
pub struct Lossy<'a>(pub &'a [u8]);

impl fmt::Display for Lossy<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            formatter.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                formatter.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

/// Registers `entries` in the table on top of the stack.
///
/// # Safety
/// A table is on top of the stack; runs protected.
pub unsafe fn register(state: *mut ffi::lua_State, entries: &[Entry]) {
    for (name, function) in entries {
        // SAFETY: the caller's promise; a function without upvalues costs no allocation.
        unsafe {
            ffi::lua_pushcfunction(state, *function);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
    }
}

impl Vm {
    /// The VM behind a state or any of its coroutines.
    ///
    /// # Safety
    /// `state` is a live state made by `Vm::new`.
    #[inline(always)]
    pub unsafe fn of(state: *mut ffi::lua_State) -> NonNull<Self> {
        // SAFETY: `Vm::new` stored the pointer there, and Lua copies it to every coroutine.
        unsafe { *ffi::lua_getextraspace(state).cast::<NonNull<Self>>() }
    }
}
