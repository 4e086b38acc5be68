//! `skynet.sharedata.core`: shared tables by hand, for scripts written against skynet's.
//!
//! Source: reference 7, 22. An object is a light userdata that may be sent to other services; it is
//! the number of a tree and of a table in it, so a wrong one is refused.
//! Not here: what `skynet.sharedata` does (`publish.rs`, `root.rs`).

use std::ffi::{CStr, c_int};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mlua::ffi;

use super::view::{key_at, push_plain_of};
use super::{copy, handle_of, publish, split_handle};
use crate::natives;
use crate::shared::{Node, Object, Value};
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, Raise, register};

const FUNCTIONS: &[Entry] = natives![
    c"box" => hold,
    c"decref" => decrement,
    c"delete" => delete,
    c"getref" => references,
    c"hashlen" => named,
    c"incref" => increment,
    c"index" => index,
    c"isdirty" => is_dirty,
    c"len" => length,
    c"markdirty" => mark_dirty,
    c"needupdate" => need_update,
    c"new" => publish::object,
    c"nextkey" => next_key,
    c"update" => update,
];

const METHODS: &[Entry] = natives![c"__gc" => release];

/// Name of the metatable of boxes.
const BOX: &CStr = c"skynet.sharedata.box";

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(crate) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        ffi::luaL_newmetatable(state, BOX.as_ptr());
        register(state, METHODS);
        ffi::lua_pushboolean(state, 0);
        ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        ffi::lua_createtable(state, 0, i32::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// What a box holds: the object's number, and the one it is to be replaced by.
#[repr(C)]
struct Boxed {
    object: u64,
    newer: u64,
}

fn object(call: &mut Call, index: c_int) -> Result<(Arc<Object>, Node), Raise> {
    let (number, node) = split_handle(call, index)?;
    match call.vm().shared.data.object(number) {
        Some(object) if object.tree.has(node) => Ok((object, node)),
        _ => Err(call.argument(index, format_args!("no shared object"))),
    }
}

fn answer_count(call: &mut Call, change: i64) -> NativeResult {
    let (object, _) = object(call, 1)?;
    let count = object.references.fetch_add(change, Ordering::Relaxed) + change;
    drop(object);
    call.answer_integer(count)
}

/// `incref(object)`: counts a user; how many there are.
fn increment(call: &mut Call) -> NativeResult {
    answer_count(call, 1)
}

/// `decref(object)`: the reverse.
fn decrement(call: &mut Call) -> NativeResult {
    answer_count(call, -1)
}

/// `getref(object)`: how many users are counted.
fn references(call: &mut Call) -> NativeResult {
    answer_count(call, 0)
}

/// `delete(object)`: forgets it; views of it keep what they show.
fn delete(call: &mut Call) -> NativeResult {
    let (number, _) = split_handle(call, 1)?;
    call.vm().shared.data.remove_object(number);
    NOTHING
}

/// `markdirty(object)`: it is out of date.
fn mark_dirty(call: &mut Call) -> NativeResult {
    let (object, _) = object(call, 1)?;
    object.dirty.store(true, Ordering::Relaxed);
    NOTHING
}

/// `isdirty(object)`
fn is_dirty(call: &mut Call) -> NativeResult {
    let (object, _) = object(call, 1)?;
    let dirty = object.dirty.load(Ordering::Relaxed);
    drop(object);
    call.answer_boolean(dirty)
}

/// `len(object)`: length of its array part.
fn length(call: &mut Call) -> NativeResult {
    let (object, node) = object(call, 1)?;
    let length = object.tree.length(node);
    drop(object);
    call.answer_integer(length.into())
}

/// `hashlen(object)`: number of its other entries.
fn named(call: &mut Call) -> NativeResult {
    let (object, node) = object(call, 1)?;
    let named = object.tree.named(node);
    drop(object);
    call.answer_integer(named.into())
}

/// Pushes a value of an object's tree; a table as the object that stands for it.
fn answer(call: &mut Call, find: impl FnOnce(&mut Call, &Object, Node) -> Value) -> NativeResult {
    let (number, _) = split_handle(call, 1)?;
    let (object, node) = object(call, 1)?;
    let value = find(call, &object, node);
    drop(object);
    match value {
        Value::String(_) => {
            let tree = copy::push_holder(call, |call| {
                call.vm().shared.data.object(number).map(|object| Arc::clone(&object.tree))
            });
            // SAFETY: the holder on the stack keeps the tree.
            match tree.map(|tree| unsafe { &*tree }) {
                Some(tree) => push_plain_of(call, tree, value),
                None => call.push_nil(),
            }
        }
        // SAFETY: a light userdata is any address; a native has free slots.
        Value::Table(below) => unsafe {
            ffi::lua_pushlightuserdata(call.state(), handle_of(number, below));
        },
        Value::Integer(value) => call.push_integer(value),
        Value::Float(value) => call.push_number(value),
        Value::Boolean(value) => call.push_boolean(value),
        Value::Nil | Value::Pointer(_) | Value::Function(_) => call.push_nil(),
    }
    Ok(Outcome::Values(1))
}

/// `index(object, key)`
fn index(call: &mut Call) -> NativeResult {
    answer(call, |call, object, node| {
        key_at(call, 2).map_or(Value::Nil, |key| object.tree.get(node, key))
    })
}

/// `nextkey(object, key)`: the key behind `key`; nil at the end.
fn next_key(call: &mut Call) -> NativeResult {
    answer(call, |call, object, node| {
        let from = if call.is_none_or_nil(2) { None } else { key_at(call, 2) };
        let next = object.tree.next(node, from).ok().flatten();
        next.map_or(Value::Nil, |(name, _)| name)
    })
}

/// `box(object)`: something that counts as a user until it is collected.
fn hold(call: &mut Call) -> NativeResult {
    let (number, _) = split_handle(call, 1)?;
    drop(object(call, 1)?);
    let state = call.state();
    // SAFETY: a native has free slots; the count is raised when nothing can raise any more.
    unsafe {
        let place = ffi::lua_newuserdata(state, size_of::<Boxed>()).cast::<Boxed>();
        place.write(Boxed { object: 0, newer: 0 });
        ffi::luaL_setmetatable(state, BOX.as_ptr());
        if let Some(object) = call.vm().shared.data.object(number) {
            object.references.fetch_add(1, Ordering::Relaxed);
            (*place).object = number;
        }
    }
    Ok(Outcome::Values(1))
}

fn boxed(call: &mut Call) -> Result<*mut Boxed, Raise> {
    // SAFETY: a userdata with this metatable was made by `hold`.
    let place = unsafe { ffi::luaL_testudata(call.state(), 1, BOX.as_ptr()) };
    if place.is_null() {
        return Err(call.argument(1, format_args!("box of a shared object expected")));
    }
    Ok(place.cast())
}

fn release(call: &mut Call) -> NativeResult {
    let place = boxed(call)?;
    // SAFETY: see `boxed`.
    let number = unsafe { std::mem::replace(&mut (*place).object, 0) };
    if let Some(object) = call.vm().shared.data.object(number) {
        object.references.fetch_sub(1, Ordering::Relaxed);
    }
    NOTHING
}

/// `update(box, object, value)`: what the box holds is replaced by `object`; `value` is kept.
fn update(call: &mut Call) -> NativeResult {
    let place = boxed(call)?;
    let (number, _) = split_handle(call, 2)?;
    call.check_type(3, ffi::LUA_TTABLE)?;
    // SAFETY: see `boxed`; the box stays on the stack.
    unsafe {
        if (*place).object == number {
            return Err(call.error(format_args!("You should update a new object")));
        }
        (*place).newer = number;
        ffi::lua_settop(call.state(), 3);
        ffi::lua_setuservalue(call.state(), 1);
    }
    NOTHING
}

/// `needupdate(box)`: what `update` was given; nothing before.
fn need_update(call: &mut Call) -> NativeResult {
    let place = boxed(call)?;
    // SAFETY: see `boxed`.
    unsafe {
        if (*place).newer == 0 {
            return NOTHING;
        }
        let object = handle_of((*place).newer, Node::ROOT);
        ffi::lua_pushlightuserdata(call.state(), object);
        ffi::lua_getuservalue(call.state(), 1);
    }
    Ok(Outcome::Values(2))
}
