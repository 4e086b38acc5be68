//! Views: tables that show a table of a shared tree.
//!
//! A view is an empty Lua table with a metatable. What it shows stands under keys that no script
//! has: its root (which tree), its node with the version that number belongs to, its parent view
//! and the key it was read under, and the views of its own tables. When the root has moved to
//! another version, a view finds its node again by its way from the root.
//!
//! Invariant: a node is used only with the tree of the version it was found in.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::NonNull;

use mlua::ffi;

use super::root::{self, Root};
use super::way;
use crate::shared::{Key, Kind, Node, Tree, Value};
use crate::vm::layout::Peek;
use crate::vm::native::{Call, Entry, NativeResult, Outcome, Raise, register};
use crate::{native, natives};

/// Addresses that serve as keys. Scripts have no way to make them.
static KEYS: [u8; 9] = [0; 9];

/// Keys in a view.
pub(super) const ROOT: usize = 0;
const NODE: usize = 1;
pub(super) const PARENT: usize = 2;
pub(super) const NAME: usize = 3;
const VIEWS: usize = 4;
/// Keys in the registry: metatables by kind, from here on.
const METATABLES: usize = 5;
/// The metatable of tables with weak values.
const WEAK: usize = 8;

/// The number of a node that its version does not have.
pub(super) const GONE: Node = Node(u32::MAX);

/// The key with a number.
pub(super) fn key(number: usize) -> *const c_void {
    (&raw const KEYS[number]).cast()
}

const DATA: &[Entry] = natives![
    c"__index" => index,
    c"__len" => length,
    c"__newindex" => refuse_data,
    c"__pairs" => pairs,
];

const TABLE: &[Entry] = natives![
    c"__eq" => equal,
    c"__index" => index,
    c"__len" => length,
    c"__newindex" => refuse_table,
    c"__pairs" => pairs,
];

const SHEET: &[Entry] = natives![
    c"__index" => index,
    c"__len" => length,
    c"__pairs" => pairs,
];

/// A view at a stack index, and what it shows.
#[derive(Clone, Copy)]
pub(crate) struct View {
    pub(super) root: NonNull<Root>,
    pub(super) node: Node,
    /// The version that the node belongs to.
    pub(super) version: u32,
}

impl View {
    /// The view at `index`, if there is one.
    ///
    /// # Errors
    /// When what it shows is no more.
    pub(crate) fn at(call: &mut Call, index: c_int) -> Result<Option<Self>, Raise> {
        if call.kind(index) != ffi::LUA_TTABLE {
            return Ok(None);
        }
        match root_of(call, index) {
            None => Ok(None),
            Some(root) => locate(call, index, root).map(Some),
        }
    }

    /// The tree and the table in it. The tree stays until Lua runs.
    ///
    /// # Safety
    /// Nothing runs Lua while the tree is used, but to copy one string of it.
    pub(super) unsafe fn tree<'a>(self) -> Option<(&'a Tree, Node)> {
        // SAFETY: the view on the stack keeps its root, which has its tree since `locate`.
        let tree = unsafe { (*self.root.as_ptr()).tree.as_deref() };
        tree.map(|tree| (&**tree, self.node))
    }

    /// Whether the root still shows the version that was looked at: finalizers may have moved it.
    pub(super) fn is_current(self) -> bool {
        // SAFETY: the view on the stack keeps its root.
        let root = unsafe { &*self.root.as_ptr() };
        root.version == self.version && root.tree.is_some()
    }

    pub(super) const fn root(self) -> NonNull<Root> {
        self.root
    }

    pub(super) const fn node(self) -> Node {
        self.node
    }
}

/// Makes the metatables of views and roots, once a state.
///
/// # Safety
/// Runs protected.
pub(super) unsafe fn prepare(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        for (at, functions) in [DATA, TABLE, SHEET].into_iter().enumerate() {
            if ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, key(METATABLES + at))
                != ffi::LUA_TNIL
            {
                ffi::lua_pop(state, 1);
                return;
            }
            ffi::lua_pop(state, 1);
            ffi::lua_createtable(state, 0, 6);
            register(state, functions);
            ffi::lua_pushboolean(state, 0);
            ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
            ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, key(METATABLES + at));
        }
        push_weak_metatable(state, c"v");
        ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, key(WEAK));
        root::prepare(state);
    }
}

/// Pushes a metatable that makes keys or values weak.
pub(super) unsafe fn push_weak_metatable(state: *mut ffi::lua_State, mode: &CStr) {
    // SAFETY: runs protected.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_pushstring(state, mode.as_ptr());
        ffi::lua_setfield(state, -2, c"__mode".as_ptr());
    }
}

/// The root of the view at `index`, a table; `None` when it is no view.
#[inline]
pub(super) fn root_of(call: &mut Call, index: c_int) -> Option<NonNull<Root>> {
    let state = call.state();
    // SAFETY: a native has free slots; raw reads of a table raise nothing.
    unsafe {
        let kind = ffi::lua_rawgetp(state, index, key(ROOT));
        let root = if kind == ffi::LUA_TUSERDATA { root::check(state, -1) } else { None };
        ffi::lua_pop(state, 1);
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

/// What the view at `index` shows.
#[inline]
fn locate(call: &mut Call, index: c_int, root: NonNull<Root>) -> Result<View, Raise> {
    root::pin(call, root);
    // SAFETY: the view keeps its root.
    let version = unsafe { (*root.as_ptr()).version };
    let node = match noted(call, index, version) {
        Some(node) => node,
        None => way::find_again(call, index, root, version)?,
    };
    if node == GONE {
        return way::gone(call, index, root);
    }
    Ok(View { root, node, version })
}

/// Notes in the view at `index` what it shows; the key is there already.
pub(super) unsafe fn note(call: &mut Call, index: c_int, node: Node, version: u32) {
    let state = call.state();
    // SAFETY: the caller's promise: a view is there, and there is room.
    unsafe {
        let index = ffi::lua_absindex(state, index);
        ffi::lua_pushinteger(state, pack(node, version));
        ffi::lua_rawsetp(state, index, key(NODE));
    }
}

/// The value at `index` as a key of a tree. It lives as long as it stands on the stack.
#[inline]
pub(super) fn key_at<'a>(call: &Call, index: c_int) -> Option<Key<'a>> {
    match call.peek(index) {
        // SAFETY: see above.
        Peek::String(text) => Some(Key::String(unsafe { &*text })),
        Peek::Integer(value) => Some(Key::Integer(value)),
        Peek::Float(value) => Some(float_key(value)),
        Peek::Boolean(value) => Some(Key::Boolean(value)),
        Peek::Pointer(value) => Some(Key::Pointer(value)),
        Peek::Nil | Peek::Table | Peek::Other => None,
    }
}

/// A float as a key: integral values are integers, as in Lua.
fn float_key<'a>(value: f64) -> Key<'a> {
    #[allow(clippy::cast_possible_truncation, reason = "compared below")]
    let integer = value as i64;
    #[allow(clippy::cast_precision_loss, reason = "compared below")]
    let same = integer as f64 == value && integer != i64::MAX;
    if same { Key::Integer(integer) } else { Key::Float(value) }
}

/// The view at index 1, or an error.
#[inline]
fn own(call: &mut Call) -> Result<View, Raise> {
    match View::at(call, 1)? {
        Some(view) => Ok(view),
        None => Err(call.argument(1, format_args!("shared table expected"))),
    }
}

/// `view[key]`
pub(super) fn index(call: &mut Call) -> NativeResult {
    let view = own(call)?;
    let value = match key_at(call, 2) {
        // SAFETY: Lua does not run meanwhile.
        Some(key) => match unsafe { view.tree() } {
            Some((tree, node)) if node != GONE => tree.get(node, key),
            _ => Value::Nil,
        },
        None => Value::Nil,
    };
    push(call, view, 1, 2, value)?;
    Ok(Outcome::Values(1))
}

/// Pushes a value of the view at `index`; the key it was found under is at `name`.
fn push(call: &mut Call, view: View, index: c_int, name: c_int, value: Value) -> Result<(), Raise> {
    match value {
        Value::Table(node) => push_view(call, view, index, name, node),
        Value::Function(number) => root::push_function(call, view, number)?,
        // SAFETY: Lua copies the string before it runs anything.
        value => unsafe { push_plain(call, view, value) },
    }
    Ok(())
}

/// Pushes anything but a table or a function.
///
/// # Safety
/// The value is one of the view's tree.
unsafe fn push_plain(call: &mut Call, view: View, value: Value) {
    // SAFETY: the caller's promise; Lua copies a string before it runs anything.
    match unsafe { view.tree() } {
        Some((tree, _)) => push_plain_of(call, tree, value),
        None => call.push_nil(),
    }
}

/// Pushes a value of `tree` that is no table or function.
pub(super) fn push_plain_of(call: &mut Call, tree: &Tree, value: Value) {
    match value {
        Value::Boolean(value) => call.push_boolean(value),
        Value::Integer(value) => call.push_integer(value),
        Value::Float(value) => call.push_number(value),
        Value::String(text) => call.push_bytes(tree.text(&text)),
        // SAFETY: a light userdata is any address; the caller has free slots.
        Value::Pointer(value) => unsafe {
            let pointer = std::ptr::with_exposed_provenance_mut(value);
            ffi::lua_pushlightuserdata(call.state(), pointer);
        },
        Value::Nil | Value::Table(_) | Value::Function(_) => call.push_nil(),
    }
}

/// Starts to fetch the two cache lines from `address` on: a row that is asked for is read next, and
/// memory takes as long as all that is done here.
#[inline(always)]
fn near(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: to fetch ahead is allowed of any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
        _mm_prefetch::<_MM_HINT_T0>(address.wrapping_add(64).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Pushes the view of a table below the one at `index`, made when it is first looked at.
fn push_view(call: &mut Call, view: View, index: c_int, name: c_int, node: Node) {
    let state = call.state();
    // SAFETY: the view keeps its root; what may raise finds nothing with a destructor here, and a
    // switch of versions by a finalizer is noticed by the version noted below.
    unsafe {
        let Root { version, kind, tree, .. } = &*view.root.as_ptr();
        let (version, kind) = (*version, *kind);
        if let Some(tree) = tree {
            near(tree.address(node));
        }
        if ffi::lua_rawgetp(state, index, key(VIEWS)) == ffi::LUA_TNIL {
            ffi::lua_pop(state, 1);
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, key(WEAK));
            ffi::lua_setmetatable(state, -2);
            ffi::lua_pushvalue(state, -1);
            ffi::lua_rawsetp(state, index, key(VIEWS));
        }
        ffi::lua_pushvalue(state, name);
        if ffi::lua_rawget(state, -2) == ffi::LUA_TTABLE {
            ffi::lua_remove(state, -2);
            return;
        }
        ffi::lua_pop(state, 1);
        push_new(state, node, version, kind);
        ffi::lua_rawgetp(state, index, key(ROOT));
        ffi::lua_rawsetp(state, -2, key(ROOT));
        ffi::lua_pushvalue(state, index);
        ffi::lua_rawsetp(state, -2, key(PARENT));
        ffi::lua_pushvalue(state, name);
        ffi::lua_rawsetp(state, -2, key(NAME));
        // views, view
        ffi::lua_pushvalue(state, name);
        ffi::lua_pushvalue(state, -2);
        ffi::lua_rawset(state, -4);
        ffi::lua_remove(state, -2);
    }
}

/// Pushes a view without its root.
///
/// # Safety
/// `prepare` has run; there are free slots; may raise for lack of memory.
pub(super) unsafe fn push_new(state: *mut ffi::lua_State, node: Node, version: u32, kind: Kind) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_createtable(state, 0, 4);
        ffi::lua_pushinteger(state, pack(node, version));
        ffi::lua_rawsetp(state, -2, key(NODE));
        ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, key(METATABLES + kind as usize));
        ffi::lua_setmetatable(state, -2);
    }
}

/// `#view`
pub(super) fn length(call: &mut Call) -> NativeResult {
    let view = own(call)?;
    // SAFETY: Lua does not run meanwhile.
    let length = match unsafe { view.tree() } {
        Some((tree, node)) if node != GONE => tree.length(node),
        _ => 0,
    };
    call.answer_integer(length.into())
}

/// `pairs(view)`
fn pairs(call: &mut Call) -> NativeResult {
    own(call)?;
    // SAFETY: a native has free slots.
    unsafe {
        ffi::lua_pushcfunction(call.state(), native!(next));
        ffi::lua_pushvalue(call.state(), 1);
    }
    call.push_nil();
    Ok(Outcome::Values(3))
}

/// As `next`, for Lua's own function of this name, which knows no key that is not there.
pub(super) fn next_known(call: &mut Call) -> NativeResult {
    let view = own(call)?;
    if !call.is_none_or_nil(2) {
        // SAFETY: Lua does not run meanwhile.
        let known = match (unsafe { view.tree() }, key_at(call, 2)) {
            (Some((tree, node)), Some(key)) if node != GONE => tree.next(node, Some(key)).is_ok(),
            _ => false,
        };
        if !known {
            return Err(call.error(format_args!("invalid key to 'next'")));
        }
    }
    next(call)
}

/// `next(view, key)`: the entry behind that with `key`. A key that an update has taken away ends
/// the listing.
pub(super) fn next(call: &mut Call) -> NativeResult {
    let view = own(call)?;
    let from = match call.is_none_or_nil(2) {
        true => Ok(None),
        false => key_at(call, 2).map(Some).ok_or(()),
    };
    // SAFETY: Lua does not run meanwhile.
    let entry = match (unsafe { view.tree() }, from) {
        (Some((tree, node)), Ok(from)) if node != GONE => tree.next(node, from).ok().flatten(),
        _ => None,
    };
    let Some((name, value)) = entry else { return call.answer_nil() };
    // SAFETY: the name is one of the view's tree.
    unsafe {
        ffi::lua_settop(call.state(), 2);
        push_plain(call, view, name);
    }
    if view.is_current() {
        push(call, view, 1, 3, value)?;
    } else {
        // SAFETY: the name is on top, and becomes what is asked for.
        unsafe { ffi::lua_replace(call.state(), 2) };
        index(call)?;
        // SAFETY: the name goes below the value.
        unsafe {
            ffi::lua_pushvalue(call.state(), 2);
            ffi::lua_insert(call.state(), -2);
        }
    }
    Ok(Outcome::Values(2))
}

/// `view == other`: both show the same table of the same version.
fn equal(call: &mut Call) -> NativeResult {
    let same = match (View::at(call, 1)?, View::at(call, 2)?) {
        (Some(left), Some(right)) => {
            // SAFETY: Lua does not run meanwhile.
            match unsafe { (left.tree(), right.tree()) } {
                (Some((left, node)), Some((right, other))) => {
                    std::ptr::eq(left, right) && node == other && node != GONE
                }
                _ => false,
            }
        }
        _ => false,
    };
    call.answer_boolean(same)
}

fn refuse_data(call: &mut Call) -> NativeResult {
    let way = if call.kind(1) == ffi::LUA_TTABLE { way::of(call, 1) } else { String::new() };
    Err(call.error(format_args!("Error newindex, the key [{way}]")))
}

pub(super) fn refuse_table(call: &mut Call) -> NativeResult {
    Err(call.error(format_args!("attempt to change a shared table")))
}
