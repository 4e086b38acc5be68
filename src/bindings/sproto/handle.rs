//! Schemas and types behind the light userdata of scripts.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

use mlua::ffi;

use crate::codec::sproto::schema::{Schema, Type};
use crate::vm::layout::Peek;
use crate::vm::native::{Call, Raise};
use crate::vm::schemas::{Forgotten, Handle, Known};
use crate::vm::session::NO_REFERENCE;

/// The handle at `index`; `None` for a null pointer, and for what is no pointer at all.
#[inline]
pub(super) fn handle(call: &Call, index: c_int) -> Option<Handle> {
    match call.peek(index) {
        Peek::Pointer(pointer) => Handle::from_pointer(pointer),
        _ => None,
    }
}

/// The schema at index 1, which stays at its place as long as it is not deleted. `what` it is called
/// in the error.
pub(super) fn schema<'a>(call: &'a mut Call, what: &str) -> Result<(Handle, &'a mut Known), Raise> {
    let Some(handle) = handle(call, 1) else {
        return Err(call.argument(1, format_args!("Need a {what} object")));
    };
    let vm = call.vm();
    let found = vm.schemas.find(&vm.shared.schemas, handle).map(NonNull::from);
    match found {
        // SAFETY: the call stays borrowed for as long as what was found of its VM.
        Some(mut known) => Ok((handle, unsafe { known.as_mut() })),
        None => Err(unknown(call)),
    }
}

#[cold]
fn unknown(call: &mut Call) -> Raise {
    call.argument(1, format_args!("no sproto object of this node (deleted?)"))
}

/// Pushes a handle.
pub(super) fn push(call: &mut Call, handle: Option<Handle>) {
    let pointer = handle.map_or(0, Handle::pointer);
    let pointer: *mut c_void = std::ptr::without_provenance_mut(pointer);
    // SAFETY: a native has free slots; a light userdata is any pointer.
    unsafe { ffi::lua_pushlightuserdata(call.state(), pointer) };
}

/// Gives back what a schema leaves that is not known to this service any more.
pub(super) fn give_back(call: &mut Call, forgotten: Option<Forgotten>) {
    if let Some(Forgotten { names, charged }) = forgotten {
        call.vm().block_bytes -= charged;
        // SAFETY: the reference was the schema's, and giving back allocates nothing.
        unsafe { ffi::luaL_unref(call.state(), ffi::LUA_REGISTRYINDEX, names) };
    }
}

/// The use of a type, during which Lua may run.
pub(super) struct Use<'a> {
    handle: Handle,
    /// The schema.
    pub(super) schema: &'a Schema,
    /// The type.
    pub(super) described: &'a Type,
    /// Stack index of the table of names.
    pub(super) names: c_int,
}

impl Use<'_> {
    /// Begins to use the type with a handle; pushes the names of fields.
    #[inline]
    pub(super) fn begin(call: &mut Call, handle: Handle) -> Result<Self, Raise> {
        let vm = call.vm();
        let Some(known) = vm.schemas.enter(&vm.shared.schemas, handle) else {
            return Err(unknown(call));
        };
        // SAFETY: what was entered stays until it is left, which is when nothing borrows from here
        // any more; a native that is jumped out of never leaves it. Only `names` is ever changed.
        let known: &Known = unsafe { known.as_ref() };
        let schema: &Schema = &known.schema;
        let Some(described) = handle.type_index().and_then(|index| schema.types.get(index)) else {
            let forgotten = call.vm().schemas.leave(handle);
            give_back(call, forgotten);
            return Err(unknown(call));
        };
        let names = known.names;
        if names == NO_REFERENCE {
            push_new_names(call, handle, schema);
        } else {
            // SAFETY: a native has free slots; the reference is that of a table.
            unsafe { ffi::lua_rawgeti(call.state(), ffi::LUA_REGISTRYINDEX, names.into()) };
        }
        Ok(Self { handle, schema, described, names: call.top() })
    }

    /// Pushes the name of a field.
    #[inline(always)]
    pub(super) fn push_name(&self, call: &mut Call, name: u32) {
        // SAFETY: whoever uses a type has reserved room; there is a table at the index.
        unsafe { ffi::lua_rawgeti(call.state(), self.names, i64::from(name) + 1) };
    }

    /// Ends it. Not ended, the schema stays for as long as the service.
    #[inline]
    pub(super) fn end(self, call: &mut Call) {
        let forgotten = call.vm().schemas.leave(self.handle);
        if forgotten.is_some() {
            give_back(call, forgotten);
        }
    }
}

/// Makes the table of names, pushes it, and keeps it for the next time.
#[cold]
fn push_new_names(call: &mut Call, handle: Handle, schema: &Schema) {
    let state = call.state();
    let count = c_int::try_from(schema.names.len()).unwrap_or(0);
    // SAFETY: a native has free slots. Each step may raise; the names are those of a schema in use.
    let names = unsafe {
        ffi::lua_createtable(state, count, 0);
        for (index, name) in (1..).zip(&schema.names) {
            call.push_bytes(name);
            ffi::lua_rawseti(state, -2, index);
        }
        ffi::lua_pushvalue(state, -1);
        ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX)
    };
    let vm = call.vm();
    match vm.schemas.find(&vm.shared.schemas, handle) {
        Some(known) if known.names == NO_REFERENCE => known.names = names,
        // SAFETY: the reference was just made, and nothing uses it.
        _ => unsafe { ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, names) },
    }
}
