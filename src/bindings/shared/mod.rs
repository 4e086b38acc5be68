//! `skynet.shared`: tables that all services of the node read. `skynet.sharedata`,
//! `skynet.sharetable` and `skynet.datasheet` are made of it.
//!
//! A table is walked once, by the service that publishes it, into a tree outside of Lua
//! (`crate::shared`). Readers get a **view**: an empty table whose metamethods look into the tree.
//! What a script reads is copied then, never the whole.
//!
//! Invariant: a view shows one version for as long as a turn of the service lasts; at the end of
//! the turn the service lets go of the tree (`vm::Vm::pins`). Views of `sharetable` stay with their
//! version until they are told.

mod copy;
pub(super) mod core;
mod form;
mod publish;
pub(super) mod raw;
mod root;
pub(super) mod sheet;
pub(super) mod stm;
mod view;
mod walk;
mod way;

use std::ffi::c_int;

use mlua::ffi;

pub(super) use raw::next_entry;

use crate::natives;
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Raise, register};

const FUNCTIONS: &[Entry] = natives![
    c"copy" => copy::copy,
    c"delete" => publish::delete,
    c"is_view" => is_view,
    c"list" => publish::list,
    c"look_again" => look_again,
    c"move" => root::move_to_object,
    c"names" => publish::names,
    c"next" => view::next,
    c"object" => publish::object,
    c"publish" => publish::publish,
    c"query" => root::query,
    c"stack_values" => stack_values,
    c"update" => root::update,
    c"view" => root::of_object,
];

/// Opens the module.
///
/// # Safety
/// Called by Lua, as `require` does.
pub(super) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called protected.
    unsafe {
        view::prepare(state);
        ffi::lua_createtable(state, 0, i32::try_from(FUNCTIONS.len()).unwrap_or(0));
        register(state, FUNCTIONS);
    }
    1
}

/// `look_again()`: views show the latest version from now on, not from the next turn on.
fn look_again(call: &mut Call) -> NativeResult {
    call.vm().release_pins();
    NOTHING
}

/// `is_view(value)`
fn is_view(call: &mut Call) -> NativeResult {
    let is_view = call.kind(1) == ffi::LUA_TTABLE && form::root_of(call, 1).is_some();
    call.answer_boolean(is_view)
}

/// What the table at `index` is a view of; `None` when it is no view.
pub(super) fn kind_of_view(call: &mut Call, index: c_int) -> Option<crate::shared::Kind> {
    // SAFETY: the view on the stack keeps its root.
    form::root_of(call, index).map(|root| unsafe { (*root.as_ptr()).kind })
}

/// `stack_values(thread, list)`: puts the values on the stack of a waiting coroutine into the list;
/// how many there are.
fn stack_values(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TTHREAD)?;
    call.check_type(2, ffi::LUA_TTABLE)?;
    let state = call.state();
    // SAFETY: the coroutine at index 1 lives as long as it stands on the stack; its own values are
    // only copied. What may raise finds nothing with a destructor.
    unsafe {
        ffi::lua_settop(state, 2);
        let thread = ffi::lua_tothread(state, 1);
        if thread == state || ffi::lua_checkstack(thread, 1) == 0 {
            return call.answer_integer(0);
        }
        let count = ffi::lua_gettop(thread);
        for at in 1..=count {
            ffi::lua_pushvalue(thread, at);
            ffi::lua_xmove(thread, state, 1);
            ffi::lua_rawseti(state, 2, at.into());
        }
        call.answer_integer(count.into())
    }
}

/// The kind of names that the text at `index` means.
fn kind(call: &mut Call, index: c_int) -> Result<crate::shared::Kind, Raise> {
    match call.check_string(index)? {
        b"data" => Ok(crate::shared::Kind::Data),
        b"table" => Ok(crate::shared::Kind::Table),
        b"sheet" => Ok(crate::shared::Kind::Sheet),
        _ => Err(call.argument(index, format_args!("data, table or sheet expected"))),
    }
}

/// A light userdata that stands for a table of an object: the object's number and the table's.
pub(super) fn handle_of(object: u64, node: crate::shared::Node) -> *mut std::ffi::c_void {
    let word = object << 32 | u64::from(node.0);
    std::ptr::without_provenance_mut(usize::try_from(word).unwrap_or(0))
}

/// The object and the table that a light userdata stands for.
pub(super) fn split_handle(
    call: &mut Call,
    index: c_int,
) -> Result<(u64, crate::shared::Node), Raise> {
    if call.kind(index) != ffi::LUA_TLIGHTUSERDATA {
        return Err(call.error(format_args!("Need a conf object")));
    }
    let word = call.pointer(index).addr() as u64;
    #[allow(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    let node = crate::shared::Node(word as u32);
    Ok((word >> 32, node))
}
