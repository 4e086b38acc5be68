//! How a view is kept: what a Lua table holds so that it shows a table of a tree.
//!
//! A view of a list's row is a table with two entries: its node with the version that number belongs
//! to, and its way, a light userdata made of the row's number that leads to the parent view. A view
//! with another name has parent and name as entries of their own. The root, and with it the tree, is
//! found by the metatable, which all views of a root have in common. A view whose tables were read
//! has the weak table of their views, too. Keys are light userdata, which scripts do not index with;
//! one that makes up the right address reads the parent view, or a number.
//!
//! Invariant: all entries but the table of views are there from the start, so that nothing is
//! allocated when another node is noted.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::NonNull;

use mlua::ffi;

use super::root::{self, Root};
use super::view::key_at;
use crate::shared::{Key, Node};
use crate::vm::layout::Peek;
use crate::vm::native::{Call, Entry, register};

/// Addresses that serve as keys.
static KEYS: [u8; 6] = [0; 6];

/// Key in the metatable.
const ROOT: usize = 0;
/// Keys in a view.
const NODE: usize = 1;
const PARENT: usize = 2;
const NAME: usize = 3;
const VIEWS: usize = 4;
/// Key in the registry: the metatable of tables with weak values.
const WEAK: usize = 5;

/// What tells the number of a row from an address: no process has one so high.
const WAY: u64 = 1 << 63;

/// Number of entries from which on a list has many rows, and room for their first views.
const MANY: u32 = 16;

/// The key with a number.
fn key(number: usize) -> *const c_void {
    (&raw const KEYS[number]).cast()
}

/// Makes what all views share, once a state.
///
/// # Safety
/// Runs protected.
pub(super) unsafe fn prepare(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        push_weak_metatable(state, c"v");
        ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, key(WEAK));
    }
}

/// True when `prepare` has run.
///
/// # Safety
/// There is a free slot.
pub(super) unsafe fn is_prepared(state: *mut ffi::lua_State) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let kind = ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, key(WEAK));
        ffi::lua_pop(state, 1);
        kind == ffi::LUA_TTABLE
    }
}

/// Pushes a metatable that makes keys or values weak.
///
/// # Safety
/// Runs protected.
pub(super) unsafe fn push_weak_metatable(state: *mut ffi::lua_State, mode: &CStr) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_pushstring(state, mode.as_ptr());
        ffi::lua_setfield(state, -2, c"__mode".as_ptr());
    }
}

/// Pushes an outermost view, and the userdata that its root goes into; until then the userdata has
/// no metatable, and the view is none.
///
/// # Safety
/// `prepare` has run; there are free slots; may raise for lack of memory.
pub(super) unsafe fn push_outermost(
    state: *mut ffi::lua_State,
    functions: &[Entry],
) -> NonNull<Root> {
    // SAFETY: the caller's promise; the userdata has the size of a root, and Lua gives no null.
    unsafe {
        ffi::lua_createtable(state, 0, 2);
        ffi::lua_pushinteger(state, pack(Node::ROOT, 0));
        ffi::lua_rawsetp(state, -2, key(NODE));
        ffi::lua_createtable(state, 0, 8);
        register(state, functions);
        ffi::lua_pushboolean(state, 0);
        ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        let place = ffi::lua_newuserdata(state, size_of::<Root>()).cast::<Root>();
        place.cast::<u8>().write_bytes(0, size_of::<Root>());
        ffi::lua_pushvalue(state, -1);
        ffi::lua_rawsetp(state, -3, key(ROOT));
        // view, metatable, root
        ffi::lua_insert(state, -2);
        ffi::lua_setmetatable(state, -3);
        NonNull::new_unchecked(place)
    }
}

/// Pushes the root of the view at `index`, a table; nothing when it is no view.
///
/// # Safety
/// There are two free slots.
#[inline]
pub(super) unsafe fn push_root(state: *mut ffi::lua_State, index: c_int) -> Option<NonNull<Root>> {
    // SAFETY: the caller's promise; raw reads raise nothing.
    unsafe {
        if ffi::lua_getmetatable(state, index) == 0 {
            return None;
        }
        let kind = ffi::lua_rawgetp(state, -1, key(ROOT));
        let root = if kind == ffi::LUA_TUSERDATA { root::check(state, -1) } else { None };
        match root {
            Some(_) => ffi::lua_replace(state, -2),
            None => ffi::lua_pop(state, 2),
        }
        root
    }
}

/// The root of the view at `index`, a table; `None` when it is no view. The metatable of the view
/// keeps it: whoever runs Lua and then needs it, pushes it.
#[inline]
pub(super) fn root_of(call: &mut Call, index: c_int) -> Option<NonNull<Root>> {
    let state = call.state();
    // SAFETY: a native has free slots; raw reads of a table raise nothing.
    unsafe {
        if ffi::lua_getmetatable(state, index) == 0 {
            return None;
        }
        let kind = ffi::lua_rawgetp(state, -1, key(ROOT));
        let root = if kind == ffi::LUA_TUSERDATA { root::check(state, -1) } else { None };
        ffi::lua_pop(state, 2);
        root
    }
}

fn pack(node: Node, version: u32) -> i64 {
    (u64::from(node.0) << 32 | u64::from(version)).cast_signed()
}

/// The node noted in the view at `index`, if it is that of `version`.
#[inline]
pub(super) fn noted(call: &mut Call, index: c_int, version: u32) -> Option<Node> {
    let state = call.state();
    // SAFETY: as above.
    let packed = unsafe {
        ffi::lua_rawgetp(state, index, key(NODE));
        let packed = match call.peek(-1) {
            Peek::Integer(packed) => packed.cast_unsigned(),
            _ => 0,
        };
        ffi::lua_pop(state, 1);
        packed
    };
    #[allow(clippy::cast_possible_truncation, reason = "two halves of a word")]
    let (node, of) = (Node((packed >> 32) as u32), packed as u32);
    (of == version).then_some(node)
}

/// Notes in the view at `index` what it shows. Raises nothing.
///
/// # Safety
/// A table is there, and there are free slots.
pub(super) unsafe fn note(call: &mut Call, index: c_int, node: Node, version: u32) {
    let state = call.state();
    // SAFETY: the caller's promise. Where the key is there, nothing is allocated; a table without it
    // has been given the metatable by a script.
    unsafe {
        let index = ffi::lua_absindex(state, index);
        let is_view = ffi::lua_rawgetp(state, index, key(NODE)) == ffi::LUA_TNUMBER;
        ffi::lua_pop(state, 1);
        if is_view {
            ffi::lua_pushinteger(state, pack(node, version));
            ffi::lua_rawsetp(state, index, key(NODE));
        }
    }
}

/// The key under which the view of the row with a number has its parent.
fn way_of(row: i64) -> Option<*const c_void> {
    let row = u64::try_from(row).ok()?;
    usize::try_from(row | WAY).ok().map(std::ptr::without_provenance)
}

/// Pushes the parent of the view at `index` and the name it has there; nothing when it is an
/// outermost one. Raises nothing.
///
/// # Safety
/// A table is there, and there are three free slots.
pub(super) unsafe fn push_way(call: &mut Call, index: c_int) -> bool {
    let state = call.state();
    // SAFETY: the caller's promise; raw reads raise nothing, nor does a step from a key that the
    // step before has given.
    unsafe {
        let index = ffi::lua_absindex(state, index);
        if ffi::lua_rawgetp(state, index, key(PARENT)) == ffi::LUA_TTABLE {
            ffi::lua_rawgetp(state, index, key(NAME));
            return true;
        }
        ffi::lua_pop(state, 1);
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, index) != 0 {
            if let (Peek::Pointer(way), Peek::Table) = (call.peek(-2), call.peek(-1))
                && way as u64 & WAY != 0
            {
                ffi::lua_pushinteger(state, (way as u64 & !WAY).cast_signed());
                ffi::lua_remove(state, -3);
                return true;
            }
            ffi::lua_pop(state, 1);
        }
        false
    }
}

/// Pushes the view of a table below the one at `index`, made when it is first looked at. The name it
/// has there is at `name`; the view at `index` has room for the views of `entries` tables.
///
/// # Safety
/// A view is at `index`, a key at `name`; there are free slots; may raise for lack of memory.
pub(super) unsafe fn push_below(
    call: &mut Call,
    (index, name): (c_int, c_int),
    node: Node,
    version: u32,
    entries: u32,
) {
    let state = call.state();
    // SAFETY: the caller's promise. Finalizers that run meanwhile may switch versions, which is
    // noticed by the version noted, or take the metatable away, and the view is none then.
    unsafe {
        if ffi::lua_rawgetp(state, index, key(VIEWS)) != ffi::LUA_TTABLE {
            ffi::lua_pop(state, 1);
            ffi::lua_createtable(state, 0, if entries >= MANY { 16 } else { 1 });
            ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, key(WEAK));
            ffi::lua_setmetatable(state, -2);
            ffi::lua_pushvalue(state, -1);
            ffi::lua_rawsetp(state, index, key(VIEWS));
        }
        let row = match key_at(call, name) {
            Some(Key::Integer(row)) => Some(row),
            _ => None,
        };
        let found = match row {
            Some(row) => ffi::lua_rawgeti(state, -1, row),
            None => {
                ffi::lua_pushvalue(state, name);
                ffi::lua_rawget(state, -2)
            }
        };
        if found == ffi::LUA_TTABLE {
            ffi::lua_replace(state, -2);
            return;
        }
        ffi::lua_pop(state, 1);
        let way = row.and_then(way_of);
        ffi::lua_createtable(state, 0, if way.is_some() { 2 } else { 4 });
        ffi::lua_pushinteger(state, pack(node, version));
        ffi::lua_rawsetp(state, -2, key(NODE));
        ffi::lua_pushvalue(state, index);
        if let Some(way) = way {
            ffi::lua_rawsetp(state, -2, way);
        } else {
            ffi::lua_rawsetp(state, -2, key(PARENT));
            ffi::lua_pushvalue(state, name);
            ffi::lua_rawsetp(state, -2, key(NAME));
        }
        if ffi::lua_getmetatable(state, index) != 0 {
            ffi::lua_setmetatable(state, -2);
        }
        // views, view
        ffi::lua_pushvalue(state, -1);
        if let Some(row) = row {
            ffi::lua_rawseti(state, -3, row);
        } else {
            ffi::lua_pushvalue(state, name);
            ffi::lua_insert(state, -2);
            ffi::lua_rawset(state, -4);
        }
        ffi::lua_replace(state, -2);
    }
}
