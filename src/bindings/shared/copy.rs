//! Copies of shared tables: ordinary Lua tables.
//!
//! Invariant: while a copy is made a userdata on the stack holds the tree, for the collector may
//! run finalizers that let go of it.

use std::ffi::CStr;
use std::sync::Arc;

use mlua::ffi;

use super::view::{View, push_plain_of};
use super::{split_handle, walk};
use crate::natives;
use crate::shared::{Held, Node, Tree, Value};
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, Raise, register};

/// Name of the metatable of what holds a tree.
const HOLDER: &CStr = c"skynet.shared.holder";

const METHODS: &[Entry] = natives![c"__gc" => collect];

/// Nesting of tables in a copy; a table that contains itself has no end.
const DEPTH: usize = 400;

fn collect(call: &mut Call) -> NativeResult {
    // SAFETY: a userdata with this metatable holds null or a tree of its own.
    unsafe {
        let place = ffi::luaL_testudata(call.state(), 1, HOLDER.as_ptr()).cast::<*const Held>();
        if !place.is_null() {
            let tree = place.replace(std::ptr::null());
            if !tree.is_null() {
                drop(Arc::from_raw(tree));
            }
        }
    }
    NOTHING
}

/// Pushes a userdata that holds the tree which `find` gives.
pub(super) fn push_holder(
    call: &mut Call,
    find: impl FnOnce(&mut Call) -> Option<Arc<Held>>,
) -> Option<*const Tree> {
    let state = call.state();
    // SAFETY: a native has free slots; the tree is put in when nothing can raise any more.
    unsafe {
        let place = ffi::lua_newuserdata(state, size_of::<*const Held>()).cast::<*const Held>();
        place.write(std::ptr::null());
        if ffi::luaL_newmetatable(state, HOLDER.as_ptr()) != 0 {
            register(state, METHODS);
            ffi::lua_pushboolean(state, 0);
            ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        }
        ffi::lua_setmetatable(state, -2);
        let tree = find(call)?;
        let pointer: *const Tree = &raw const **tree;
        place.write(Arc::into_raw(tree));
        Some(pointer)
    }
}

/// `copy(view | object, key, ...)`: an ordinary table with what is shown, or with the part that the
/// keys lead to; nothing if they lead to nothing.
pub(super) fn copy(call: &mut Call) -> NativeResult {
    let (object, mut node) = match View::at(call, 1)? {
        Some(view) => (None, view.node()),
        None => {
            let (object, node) = split_handle(call, 1)?;
            (Some(object), node)
        }
    };
    let last = call.top();
    call.reserve(8)?;
    let tree = push_holder(call, |call| match object {
        Some(number) => call.vm().shared.data.object(number).map(|object| object.tree.clone()),
        None => View::at(call, 1).ok().flatten().and_then(|view| {
            node = view.node();
            // SAFETY: the view at index 1 keeps its root.
            unsafe { (*view.root().as_ptr()).tree.clone() }
        }),
    });
    let Some(tree) = tree else {
        return Err(call.error(format_args!("Need a conf object")));
    };
    // SAFETY: the holder on the stack keeps the tree.
    let tree = unsafe { &*tree };
    if !tree.has(node) {
        if object.is_some() {
            return Err(call.argument(1, format_args!("no shared object")));
        }
        return NOTHING;
    }
    let holder = call.top();
    // SAFETY: the keys are copied behind the holder, which stays below the values made.
    unsafe {
        for index in 2..=last {
            call.reserve(2)?;
            ffi::lua_pushvalue(call.state(), index);
        }
    }
    let value = walk::follow(call, tree, node, holder + 1);
    if value == Value::Nil {
        return NOTHING;
    }
    push(call, tree, value, 0)?;
    Ok(Outcome::Values(1))
}

/// Pushes a copy of a value.
pub(super) fn push(call: &mut Call, tree: &Tree, value: Value, depth: usize) -> Result<(), Raise> {
    let Value::Table(node) = value else {
        push_plain_of(call, tree, value);
        return Ok(());
    };
    push_table(call, tree, node, depth)
}

fn push_table(call: &mut Call, tree: &Tree, node: Node, depth: usize) -> Result<(), Raise> {
    if depth == DEPTH {
        return Err(call.error(format_args!("the shared table is too deep to copy")));
    }
    call.reserve(6)?;
    let state = call.state();
    let array = tree.length(node);
    let size = |count: u32| i32::try_from(count).unwrap_or(0);
    // SAFETY: room is reserved; what may raise finds nothing with a destructor.
    unsafe {
        ffi::lua_createtable(state, size(array), size(tree.named(node)));
        let mut position = 0;
        while let Some((name, value)) = tree.entry(node, position) {
            position += 1;
            if position <= array {
                push(call, tree, value, depth + 1)?;
                ffi::lua_rawseti(state, -2, position.into());
            } else {
                push_plain_of(call, tree, name);
                push(call, tree, value, depth + 1)?;
                ffi::lua_rawset(state, -3);
            }
        }
    }
    Ok(())
}
