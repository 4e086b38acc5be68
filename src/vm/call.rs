//! The running call of a native function: its arguments, its results, its errors.
//!
//! Invariant: nothing here holds a value with a destructor while it calls Lua; the VM is borrowed
//! only between two uses of the stack.

use std::ffi::{CStr, c_int, c_void};
use std::fmt;

use mlua::ffi;

use super::layout::Peek;
use super::native::{NativeResult, Outcome, Raise};
use super::{Vm, layout};

/// The running call of a native function: its arguments, its VM, its stack.
pub struct Call {
    pub(super) state: *mut ffi::lua_State,
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

    /// True when the running coroutine can yield.
    #[inline(always)]
    pub fn is_yieldable(&self) -> bool {
        // SAFETY: as above.
        unsafe { layout::is_yieldable(self.state) }
    }

    /// Number of arguments, or of values on the stack.
    #[inline(always)]
    pub fn top(&self) -> c_int {
        // SAFETY: reading the top of a live state.
        unsafe { layout::values(self.state) }
    }

    /// The value at `index`, an argument or a position below the top, without asking Lua.
    #[inline(always)]
    pub fn peek(&self, index: c_int) -> Peek {
        // SAFETY: a native runs in a state whose layout was compared when it was made.
        unsafe { layout::peek(self.state, index) }
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
        // SAFETY: reading a live state.
        if unsafe { layout::has_room(self.state, count) } {
            return Ok(());
        }
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
    ///
    /// # Errors
    /// None; the form is that of every native's end.
    pub fn answer_nil(&mut self) -> NativeResult {
        self.push_nil();
        Ok(Outcome::Values(1))
    }

    /// One value: a boolean.
    ///
    /// # Errors
    /// None, as above.
    pub fn answer_boolean(&mut self, value: bool) -> NativeResult {
        self.push_boolean(value);
        Ok(Outcome::Values(1))
    }

    /// One value: an integer.
    ///
    /// # Errors
    /// None, as above.
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
