//! Views: tables that show a table of a shared tree.
//!
//! A view is a Lua table with a metatable and no entry that a script sees (`form.rs`): it knows its
//! root (which tree), its node with the version that number belongs to, its parent view and the key
//! it was read under, and the views of its own tables. When the root has moved to another version, a
//! view finds its node again by its way from the root.
//!
//! Invariant: a node is used only with the tree of the version it was found in.

use std::ffi::c_int;
use std::ptr::NonNull;

use mlua::ffi;

use super::form::{self, noted, root_of};
use super::root::{self, Root};
use super::way;
use crate::shared::{Key, Kind, Node, Tree, Value};
use crate::vm::layout::Peek;
use crate::vm::native::{Call, Entry, NativeResult, Outcome, Raise};
use crate::{native, natives};

/// The number of a node that its version does not have.
pub(super) const GONE: Node = Node(u32::MAX);

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
        // SAFETY: whoever asks has the root on the stack.
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

/// Makes what views and roots need, once a state.
///
/// # Safety
/// Runs protected.
pub(super) unsafe fn prepare(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        if !form::is_prepared(state) {
            form::prepare(state);
            root::prepare(state);
        }
    }
}

/// The metamethods of views.
pub(super) fn metamethods(kind: Kind) -> &'static [Entry] {
    match kind {
        Kind::Data => DATA,
        Kind::Table => TABLE,
        Kind::Sheet => SHEET,
    }
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

/// Pushes the view of a table below the one at `index`.
fn push_view(call: &mut Call, view: View, index: c_int, name: c_int, node: Node) {
    // SAFETY: the view on the stack keeps its root, and Lua has not run since it was looked at.
    let (version, tree) = unsafe { ((*view.root.as_ptr()).version, view.tree()) };
    let mut entries = 0;
    if let Some((tree, above)) = tree {
        near(tree.address(node));
        entries = tree.length(above);
    }
    // SAFETY: the view is at `index`; a native has free slots, and nothing with a destructor.
    unsafe { form::push_below(call, (index, name), node, version, entries) };
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
    // SAFETY: the name is one of the view's tree. The root is on the stack, since a finalizer may
    // take its metatable from the view.
    unsafe {
        ffi::lua_settop(call.state(), 2);
        form::push_root(call.state(), 1);
        push_plain(call, view, name);
    }
    if view.is_current() {
        push(call, view, 1, 4, value)?;
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
