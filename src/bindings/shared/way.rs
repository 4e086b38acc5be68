//! The way from a root to a view: finding a view's table again after an update, and naming it.

use std::ffi::c_int;
use std::ptr::NonNull;

use mlua::ffi;

use super::form::{note, noted, push_way};
use super::root::Root;
use super::view::{GONE, View, key_at};
use crate::shared::{Key, Kind, Node, Value};
use crate::vm::native::{Call, Raise};

/// Finds the node of a view by its way from the root, and notes it in all views on the way.
#[cold]
pub(super) fn find_again(
    call: &mut Call,
    index: c_int,
    root: NonNull<Root>,
    version: u32,
) -> Result<Node, Raise> {
    let state = call.state();
    let base = call.top();
    call.reserve(4)?;
    // SAFETY: room is reserved; raw reads, and writes to keys that are there, raise nothing.
    unsafe {
        ffi::lua_pushvalue(state, index);
        let mut node = loop {
            if let Some(node) = noted(call, -1, version) {
                ffi::lua_pop(state, 1);
                break node;
            }
            if !push_way(call, -1) {
                note(call, -1, Node::ROOT, version);
                ffi::lua_pop(state, 1);
                break Node::ROOT;
            }
            ffi::lua_pop(state, 1);
            if call.reserve(4).is_err() {
                ffi::lua_settop(state, base);
                return Err(call.error(format_args!("stack overflow")));
            }
        };
        while call.top() > base {
            if node != GONE && push_way(call, -1) {
                let tree = (*root.as_ptr()).tree.as_deref();
                node = match (tree, key_at(call, -1)) {
                    (Some(tree), Some(name)) => match tree.get(node, name) {
                        Value::Table(node) => node,
                        _ => GONE,
                    },
                    _ => GONE,
                };
                ffi::lua_pop(state, 2);
            }
            note(call, -1, node, version);
            ffi::lua_pop(state, 1);
        }
        Ok(node)
    }
}

/// What a view of a table that is gone does.
#[cold]
pub(super) fn gone(call: &mut Call, index: c_int, root: NonNull<Root>) -> Result<View, Raise> {
    // SAFETY: the view keeps its root.
    match unsafe { (*root.as_ptr()).kind } {
        Kind::Data => {
            let way = of(call, index);
            Err(call.error(format_args!("The key [{way}] doesn't exist after update")))
        }
        // The place where others show nothing at all: an empty table, without a node of its own.
        Kind::Table => Ok(View { root, node: GONE, version: 0 }),
        Kind::Sheet => {
            let way = of(call, index);
            Err(call.error(format_args!("Invalid proxy (index = {way})")))
        }
    }
}

/// The way to a view as skynet shows it: `.part.of.it`.
pub(super) fn of(call: &mut Call, index: c_int) -> String {
    let state = call.state();
    let base = call.top();
    let mut names: Vec<String> = Vec::new();
    // SAFETY: raw reads of views; the texts are those of keys, and Lua does not run.
    unsafe {
        ffi::lua_pushvalue(state, index);
        while names.len() < 256 {
            if !push_way(call, -1) {
                break;
            }
            // view, parent, name
            let name = match key_at(call, -1) {
                Some(Key::String(text)) => String::from_utf8_lossy(text).into_owned(),
                Some(Key::Integer(number)) => number.to_string(),
                Some(Key::Float(number)) => number.to_string(),
                Some(Key::Boolean(value)) => value.to_string(),
                Some(Key::Pointer(_)) => "userdata".to_owned(),
                None => break,
            };
            names.push(name);
            ffi::lua_pop(state, 1);
            ffi::lua_replace(state, -2);
        }
        ffi::lua_settop(state, base);
    }
    let mut way = String::new();
    for name in names.iter().rev() {
        way.push('.');
        way.push_str(name);
    }
    way
}
