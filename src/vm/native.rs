//! Native functions: the one wrapper through which Lua calls Rust.
//!
//! Lua errors are longjmps. Any Lua function that may allocate can raise one, because the memory
//! limit or a failing `__gc` may strike there. Hence the one rule of every native: **no value
//! with a destructor is alive while Lua may run**. Texts are built in buffers that the `Vm` owns,
//! messages are moved into a mailbox before anything else happens.
//!
//! Invariant: a native ends in exactly one way (values, a yield, a raise), and the yield and the
//! raise are the wrapper's last act, when the native's own frame is gone. Panics stop here.

use std::ffi::{CStr, c_int, c_void};
use std::fmt::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use mlua::ffi;

use super::{Vm, layout};

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
            // SAFETY: Lua calls this with the running state of a VM of ours.
            unsafe { $crate::vm::native::enter(state, $body) }
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
            // SAFETY: as for `native!`.
            unsafe { $crate::vm::native::enter(state, |call| $body(call, resumed)) }
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
    // SAFETY: the text is owned by the VM and zero-terminated, so the jump leaves nothing behind.
    unsafe {
        let text = Vm::of(state).as_ref().error_text.as_bytes();
        match raise {
            Raise::Top => {}
            Raise::Argument(index) => {
                return ffi::luaL_argerror(state, index, text.as_ptr().cast());
            }
            Raise::At | Raise::AtCaller => {
                let level = if matches!(raise, Raise::At) { nearest_lua(state) } else { 1 };
                ffi::luaL_where(state, level);
                ffi::lua_pushlstring(state, text.as_ptr().cast(), text.len() - 1);
                ffi::lua_concat(state, 2);
            }
            Raise::Plain => {
                ffi::lua_pushlstring(state, text.as_ptr().cast(), text.len() - 1);
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

/// The running call of a native function: its arguments, its VM, its stack.
pub struct Call {
    state: *mut ffi::lua_State,
}

impl Call {
    /// The raw state, for the files that speak Lua's own interface.
    #[inline(always)]
    pub fn state(&self) -> *mut ffi::lua_State {
        self.state
    }

    /// The VM of the running service. Nothing else of the call can be used while it is borrowed,
    /// so Lua cannot run meanwhile.
    #[inline(always)]
    pub fn vm(&mut self) -> &mut Vm {
        // SAFETY: the VM outlives its states; the borrow of `self` keeps it unique.
        unsafe { Vm::of(self.state).as_mut() }
    }

    /// True when the caller throws away whatever this native returns.
    #[inline]
    pub fn discards_results(&self) -> bool {
        // SAFETY: a native runs in a state whose layout was compared when it was made.
        unsafe { layout::wanted_results(self.state) == 0 }
    }

    /// Number of arguments, or of values on the stack.
    #[inline(always)]
    pub fn top(&self) -> c_int {
        // SAFETY: reading the top of a live state.
        unsafe { ffi::lua_gettop(self.state) }
    }

    /// The type of an argument, `LUA_TNONE` when there is none.
    #[inline(always)]
    pub fn kind(&self, index: c_int) -> c_int {
        // SAFETY: any index is acceptable.
        unsafe { ffi::lua_type(self.state, index) }
    }

    /// True when the argument is absent or nil.
    pub fn is_none_or_nil(&self, index: c_int) -> bool {
        self.kind(index) <= ffi::LUA_TNIL
    }

    /// The name of an argument's type.
    pub fn type_name(&self, index: c_int) -> &'static str {
        // SAFETY: type names are static C strings of ASCII.
        let name = unsafe { CStr::from_ptr(ffi::lua_typename(self.state, self.kind(index))) };
        name.to_str().unwrap_or("?")
    }

    /// The bytes of a string, borrowed from the stack. `None` for other types, numbers included.
    #[inline]
    pub fn string(&self, index: c_int) -> Option<&[u8]> {
        if self.kind(index) != ffi::LUA_TSTRING {
            return None;
        }
        let mut length = 0;
        // SAFETY: it is a string, so nothing is converted; it stays as long as it is on the stack.
        unsafe {
            let start = ffi::lua_tolstring(self.state, index, &raw mut length);
            Some(std::slice::from_raw_parts(start.cast(), length))
        }
    }

    /// The bytes of a string argument; a number is turned into its text as Lua does.
    ///
    /// # Errors
    /// When the argument is neither.
    pub fn check_string(&mut self, index: c_int) -> Result<&[u8], Raise> {
        if self.kind(index) == ffi::LUA_TNUMBER {
            // SAFETY: converts the number on the stack in place.
            unsafe { ffi::lua_tolstring(self.state, index, std::ptr::null_mut()) };
        }
        if self.kind(index) != ffi::LUA_TSTRING {
            return Err(self.type_error(index, "string"));
        }
        Ok(self.string(index).unwrap_or_default())
    }

    /// An integer argument; a float with an integral value and a numeric string are accepted.
    ///
    /// # Errors
    /// As Lua's own library raises them.
    #[inline]
    pub fn check_integer(&mut self, index: c_int) -> Result<i64, Raise> {
        let mut is_integer = 0;
        // SAFETY: reading a stack slot.
        let value = unsafe { ffi::lua_tointegerx(self.state, index, &raw mut is_integer) };
        if is_integer != 0 {
            return Ok(value);
        }
        // SAFETY: reading a stack slot.
        if unsafe { ffi::lua_isnumber(self.state, index) } != 0 {
            return Err(self.argument(index, format_args!("number has no integer representation")));
        }
        Err(self.type_error(index, "number"))
    }

    /// An integer, without conversion of strings or an error.
    pub fn integer(&self, index: c_int) -> Option<i64> {
        let mut is_integer = 0;
        if self.kind(index) != ffi::LUA_TNUMBER {
            return None;
        }
        // SAFETY: reading a stack slot.
        let value = unsafe { ffi::lua_tointegerx(self.state, index, &raw mut is_integer) };
        (is_integer != 0).then_some(value)
    }

    /// The truth of an argument, as Lua's `if` sees it.
    pub fn boolean(&self, index: c_int) -> bool {
        // SAFETY: any index is acceptable.
        unsafe { ffi::lua_toboolean(self.state, index) != 0 }
    }

    /// Makes sure that the argument has the type `kind`.
    ///
    /// # Errors
    /// As Lua's own library raises them.
    pub fn check_type(&mut self, index: c_int, kind: c_int) -> Result<(), Raise> {
        if self.kind(index) == kind {
            return Ok(());
        }
        // SAFETY: type names are static C strings of ASCII.
        let expected = unsafe { CStr::from_ptr(ffi::lua_typename(self.state, kind)) };
        Err(self.type_error(index, expected.to_str().unwrap_or("?")))
    }

    /// The pointer of a light or full userdata.
    pub fn pointer(&self, index: c_int) -> *mut c_void {
        // SAFETY: null for other types.
        unsafe { ffi::lua_touserdata(self.state, index) }
    }

    /// Room for `count` more values on the stack.
    ///
    /// # Errors
    /// When Lua's stack is at its limit of a million values.
    #[inline]
    pub fn reserve(&mut self, count: c_int) -> Result<(), Raise> {
        // SAFETY: the check itself does not raise.
        if unsafe { ffi::lua_checkstack(self.state, count) } == 0 {
            return Err(self.error(format_args!("stack overflow")));
        }
        Ok(())
    }

    /// Pushes nil.
    pub fn push_nil(&mut self) {
        // SAFETY: natives have at least 20 free slots.
        unsafe { ffi::lua_pushnil(self.state) };
    }

    /// Pushes a boolean.
    pub fn push_boolean(&mut self, value: bool) {
        // SAFETY: as above.
        unsafe { ffi::lua_pushboolean(self.state, c_int::from(value)) };
    }

    /// Pushes an integer.
    #[inline]
    pub fn push_integer(&mut self, value: i64) {
        // SAFETY: as above.
        unsafe { ffi::lua_pushinteger(self.state, value) };
    }

    /// Pushes a float.
    pub fn push_number(&mut self, value: f64) {
        // SAFETY: as above.
        unsafe { ffi::lua_pushnumber(self.state, value) };
    }

    /// Pushes a string. May raise: nothing with a destructor may be alive in the native.
    pub fn push_bytes(&mut self, value: &[u8]) {
        // SAFETY: as above; Lua copies the bytes.
        unsafe { ffi::lua_pushlstring(self.state, value.as_ptr().cast(), value.len()) };
    }

    /// Pushes text that is written into the VM's buffer first, so that a raise loses nothing.
    pub fn push_text(&mut self, text: fmt::Arguments<'_>) {
        let state = self.state;
        let buffer = self.vm().error_text.write(text);
        // SAFETY: the buffer belongs to the VM and is not touched by the push.
        unsafe { ffi::lua_pushlstring(state, buffer.as_ptr().cast(), buffer.len()) };
    }

    /// One value: nil.
    pub fn answer_nil(&mut self) -> NativeResult {
        self.push_nil();
        Ok(Outcome::Values(1))
    }

    /// One value: a boolean.
    pub fn answer_boolean(&mut self, value: bool) -> NativeResult {
        self.push_boolean(value);
        Ok(Outcome::Values(1))
    }

    /// One value: an integer.
    pub fn answer_integer(&mut self, value: i64) -> NativeResult {
        self.push_integer(value);
        Ok(Outcome::Values(1))
    }

    /// An error at the line of the script that called.
    #[cold]
    pub fn error(&mut self, text: fmt::Arguments<'_>) -> Raise {
        self.vm().error_text.write(text);
        Raise::At
    }

    /// An error without a position, as `assert` raises it.
    #[cold]
    pub fn plain_error(&mut self, text: fmt::Arguments<'_>) -> Raise {
        self.vm().error_text.write(text);
        Raise::Plain
    }

    /// A bad argument.
    #[cold]
    pub fn argument(&mut self, index: c_int, text: fmt::Arguments<'_>) -> Raise {
        self.vm().error_text.write(text);
        Raise::Argument(index)
    }

    #[cold]
    fn type_error(&mut self, index: c_int, expected: &str) -> Raise {
        let found = match self.kind(index) {
            ffi::LUA_TNONE => "no value",
            ffi::LUA_TLIGHTUSERDATA => "light userdata",
            _ => self.type_name(index),
        };
        self.argument(index, format_args!("{expected} expected, got {found}"))
    }
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
