//! Roots: which tree the views of a name show, and from where newer ones come.
//!
//! Invariant: a root that follows its name has a tree only while its service has a turn; its
//! version says which tree the nodes of its views belong to.

use std::ffi::CStr;
use std::ptr::NonNull;
use std::sync::Arc;

use mlua::ffi;

use super::form::{self, push_weak_metatable, root_of};
use super::view::{self, View};
use super::{kind, split_handle, walk};
use crate::natives;
use crate::shared::{Held, Kind, Node, Slot};
use crate::vm::native::{Call, Entry, NOTHING, NativeResult, Outcome, Raise, register};

/// Name of the metatable of roots.
const METATABLE: &CStr = c"skynet.shared.root";
/// Name of the table of the outermost views: by the number of their slot, or by their tree.
const OUTERMOST: &CStr = c"skynet.shared.views";
/// Name of the set of the outermost views of sharetable.
const TABLES: &CStr = c"skynet.shared.tables";

const METHODS: &[Entry] = natives![c"__gc" => collect];

/// What the views of a name have in common.
pub(crate) struct Root {
    /// Its own address, by which it is told from anything else.
    this: usize,
    /// Whose it is.
    pub(super) kind: Kind,
    /// Where trees come from.
    slot: Option<Arc<Slot>>,
    /// The tree, if it is held.
    pub(super) tree: Option<Arc<Held>>,
    /// Counts the trees.
    pub(super) version: u32,
}

/// # Safety
/// Runs protected.
pub(super) unsafe fn prepare(state: *mut ffi::lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::luaL_newmetatable(state, METATABLE.as_ptr());
        register(state, METHODS);
        ffi::lua_pushboolean(state, 0);
        ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        ffi::lua_pop(state, 1);
        for (name, mode) in [(OUTERMOST, c"v"), (TABLES, c"k")] {
            ffi::lua_createtable(state, 0, 1);
            push_weak_metatable(state, mode);
            ffi::lua_setmetatable(state, -2);
            ffi::lua_setfield(state, ffi::LUA_REGISTRYINDEX, name.as_ptr());
        }
    }
}

/// The root in the full userdata at `index`; `None` if it is something else.
///
/// # Safety
/// A full userdata is at `index`.
#[inline]
pub(super) unsafe fn check(
    state: *mut ffi::lua_State,
    index: std::ffi::c_int,
) -> Option<NonNull<Root>> {
    // SAFETY: the caller's promise; what is long enough and holds its own address was made here.
    unsafe {
        if ffi::lua_rawlen(state, index) != size_of::<Root>() {
            return None;
        }
        let root = NonNull::new(ffi::lua_touserdata(state, index).cast::<Root>())?;
        ((*root.as_ptr()).this == root.as_ptr().addr()).then_some(root)
    }
}

/// Makes sure that a root has its tree until the end of the turn.
#[inline]
pub(super) fn pin(call: &mut Call, root: NonNull<Root>) {
    // SAFETY: a view on the stack keeps the root, and nothing else refers to its fields.
    let root = unsafe { &mut *root.as_ptr() };
    if root.tree.is_none()
        && let Some(slot) = &root.slot
    {
        let (tree, version) = slot.current();
        root.tree = Some(tree);
        root.version = version;
        call.vm().pins.push(&raw mut root.tree);
    }
}

fn collect(call: &mut Call) -> NativeResult {
    let state = call.state();
    // SAFETY: what `check` accepts is a root; it is dropped once, since it loses its address.
    unsafe {
        if call.kind(1) == ffi::LUA_TUSERDATA
            && let Some(root) = check(state, 1)
        {
            let root = root.as_ptr();
            let place = &raw mut (*root).tree;
            call.vm().pins.retain(|pin| *pin != place);
            (*root).this = 0;
            root.drop_in_place();
        }
    }
    NOTHING
}

/// A root on its way into a userdata: made when nothing can raise any more.
struct Plan {
    kind: Kind,
    slot: Option<Arc<Slot>>,
    tree: Option<Arc<Held>>,
    version: u32,
}

/// Pushes the outermost view of what `plan` finds; nothing when it finds nothing.
fn push_outermost(
    call: &mut Call,
    kind: Kind,
    plan: impl FnOnce(&mut Call) -> Option<Plan>,
) -> bool {
    let state = call.state();
    // SAFETY: the userdata is filled before anything can raise; until then it has no metatable.
    unsafe {
        let place = form::push_outermost(state, view::metamethods(kind)).as_ptr();
        ffi::luaL_getmetatable(state, METATABLE.as_ptr());
        let Some(Plan { kind, slot, tree, version }) = plan(call) else {
            ffi::lua_pop(state, 3);
            return false;
        };
        place.write(Root { this: place.addr(), kind, slot, tree, version });
        ffi::lua_setmetatable(state, -2);
        ffi::lua_pop(state, 1);
    }
    true
}

/// `query(kind, name)`: the view of what is under a name, always the same while it is in use;
/// nothing when there is none.
pub(super) fn query(call: &mut Call) -> NativeResult {
    let kind = kind(call, 1)?;
    call.check_string(2)?;
    let state = call.state();
    let find = move |call: &mut Call| {
        let name: *const [u8] = call.string(2).unwrap_or_default();
        // SAFETY: the name stays on the stack.
        call.vm().shared.data.find(kind, unsafe { &*name })
    };
    let Some(slot) = find(call) else { return NOTHING };
    // A view of sharetable belongs to one tree; the others to their name.
    let number = match kind {
        Kind::Table => Arc::as_ptr(&slot.current().0) as usize as u64,
        Kind::Data | Kind::Sheet => slot.id,
    };
    drop(slot);
    let number = number.cast_signed();
    // SAFETY: a native has free slots; what may raise finds nothing with a destructor.
    unsafe {
        ffi::lua_settop(state, 2);
        ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, OUTERMOST.as_ptr());
        if ffi::lua_rawgeti(state, 3, number) == ffi::LUA_TTABLE && is_current(call, kind, number) {
            return Ok(Outcome::Values(1));
        }
        ffi::lua_settop(state, 3);
        let made = push_outermost(call, kind, |call| {
            let slot = find(call)?;
            let (tree, version) = slot.current();
            let tree = (kind == Kind::Table).then_some(tree);
            Some(Plan { kind, slot: Some(slot), tree, version })
        });
        if !made {
            return NOTHING;
        }
        ffi::lua_pushvalue(state, -1);
        ffi::lua_rawseti(state, 3, number);
        if kind == Kind::Table {
            ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, TABLES.as_ptr());
            ffi::lua_pushvalue(state, -2);
            ffi::lua_pushboolean(state, 1);
            ffi::lua_rawset(state, -3);
            ffi::lua_pop(state, 1);
        }
    }
    Ok(Outcome::Values(1))
}

/// Whether the outermost view on top of the stack is that of the tree it is kept under: one of
/// sharetable may have moved on since.
fn is_current(call: &mut Call, kind: Kind, number: i64) -> bool {
    let Some(root) = root_of(call, -1) else { return false };
    if kind != Kind::Table {
        return true;
    }
    // SAFETY: the view on the stack keeps its root.
    let tree = unsafe { (*root.as_ptr()).tree.as_ref() };
    tree.is_some_and(|tree| (Arc::as_ptr(tree) as usize as u64).cast_signed() == number)
}

/// `update(name)`: all views of a name of sharetable move to its latest version.
pub(super) fn update(call: &mut Call) -> NativeResult {
    let name: *const [u8] = call.check_string(1)?;
    let state = call.state();
    // SAFETY: the name stays on the stack; a native has free slots. The listing changes nothing,
    // and nothing raises in it.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, TABLES.as_ptr());
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, 2) != 0 {
            ffi::lua_pop(state, 1);
            let Some(root) = root_of(call, -1) else { continue };
            let of_name = (*root.as_ptr()).slot.as_ref().is_some_and(|slot| *slot.name == *name);
            if of_name && let Some(slot) = call.vm().shared.data.find(Kind::Table, &*name) {
                let tree = slot.current().0;
                let number = (Arc::as_ptr(&tree) as usize as u64).cast_signed();
                (*root.as_ptr()).slot = Some(slot);
                switch(call, root, tree);
                keep_if_first(state, number);
            }
        }
    }
    NOTHING
}

/// The outermost view on top of the stack becomes the one that `query` gives, unless there is one.
///
/// # Safety
/// It is there; there are free slots.
unsafe fn keep_if_first(state: *mut ffi::lua_State, number: i64) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, OUTERMOST.as_ptr());
        if ffi::lua_rawgeti(state, -1, number) == ffi::LUA_TNIL {
            ffi::lua_pushvalue(state, -3);
            ffi::lua_rawseti(state, -3, number);
        }
        ffi::lua_pop(state, 2);
    }
}

/// Gives a root another tree.
///
/// # Safety
/// A view on the stack keeps the root, and no tree of it is in use.
unsafe fn switch(call: &mut Call, root: NonNull<Root>, tree: Arc<Held>) {
    // SAFETY: the caller's promise.
    let root = unsafe { &mut *root.as_ptr() };
    if root.tree.as_ref().is_some_and(|old| Arc::ptr_eq(old, &tree)) {
        return;
    }
    root.version = root.version.wrapping_add(1);
    root.tree = Some(tree);
    let state = call.state();
    // Its functions are those of the old tree.
    // SAFETY: the view is on top; an assignment of nil allocates nothing.
    unsafe {
        if form::push_root(state, -1).is_some() {
            ffi::lua_pushnil(state);
            ffi::lua_setuservalue(state, -2);
            ffi::lua_pop(state, 1);
        }
    }
}

/// `view(object [, kind])`: a view of an object, which stays with its tree until it is moved.
pub(super) fn of_object(call: &mut Call) -> NativeResult {
    let (number, node) = split_handle(call, 1)?;
    let kind = if call.is_none_or_nil(2) { Kind::Data } else { kind(call, 2)? };
    if node != Node::ROOT || call.vm().shared.data.object(number).is_none() {
        return Err(call.argument(1, format_args!("no shared object")));
    }
    let made = push_outermost(call, kind, |call| {
        let object = call.vm().shared.data.object(number)?;
        Some(Plan { kind, slot: None, tree: Some(Arc::clone(&object.tree)), version: 0 })
    });
    if made { Ok(Outcome::Values(1)) } else { NOTHING }
}

/// `move(view, object)`: the outermost view shows another object from now on.
pub(super) fn move_to_object(call: &mut Call) -> NativeResult {
    call.check_type(1, ffi::LUA_TTABLE)?;
    let (number, node) = split_handle(call, 2)?;
    let object = call.vm().shared.data.object(number).filter(|_| node == Node::ROOT);
    let tree = object.map(|object| Arc::clone(&object.tree));
    let Some(tree) = tree else {
        return Err(call.argument(2, format_args!("no shared object")));
    };
    // SAFETY: a native has free slots; the view is on top while the root is changed.
    unsafe {
        ffi::lua_settop(call.state(), 1);
        match root_of(call, 1).filter(|root| (*root.as_ptr()).slot.is_none()) {
            Some(root) => switch(call, root, tree),
            None => {
                drop(tree);
                return Err(call.argument(1, format_args!("view of an object expected")));
            }
        }
    }
    NOTHING
}

/// Pushes a function of the view's tree, made once for all views of the root.
pub(super) fn push_function(call: &mut Call, view: View, number: u32) -> Result<(), Raise> {
    let state = call.state();
    call.reserve(6)?;
    // SAFETY: room is reserved. The code is copied to the VM's buffer, for compiling may run
    // finalizers that move the root to another tree; a raise finds nothing with a destructor.
    unsafe {
        if form::push_root(state, 1) != Some(view.root) {
            return Err(call.error(format_args!("the shared table has changed meanwhile")));
        }
        if ffi::lua_getuservalue(state, -1) != ffi::LUA_TTABLE {
            ffi::lua_pop(state, 1);
            ffi::lua_createtable(state, 1, 0);
            ffi::lua_pushvalue(state, -1);
            ffi::lua_setuservalue(state, -3);
        }
        if ffi::lua_rawgeti(state, -1, i64::from(number) + 1) == ffi::LUA_TFUNCTION {
            return Ok(());
        }
        ffi::lua_pop(state, 1);
        let tree = view.tree().filter(|_| view.is_current());
        let Some((tree, _)) = tree else {
            return Err(call.error(format_args!("the shared table has changed meanwhile")));
        };
        match tree.function(number).split_first() {
            Some((&walk::NATIVE, address)) => {
                // The walk has put it there: the address of a function of this process.
                let address = address.first_chunk().copied().unwrap_or_default();
                let address: *const () =
                    std::ptr::with_exposed_provenance(usize::from_ne_bytes(address));
                let function: *const ffi::lua_CFunction = (&raw const address).cast();
                ffi::lua_pushcfunction(state, function.read());
            }
            Some((_, code)) => {
                let vm = call.vm();
                let start = vm.scratch.len();
                vm.scratch.extend_from_slice(code);
                let (code, length) = (vm.scratch[start..].as_ptr(), code.len());
                let name = c"=shared".as_ptr();
                let mode = c"b".as_ptr();
                let status = ffi::luaL_loadbufferx(state, code.cast(), length, name, mode);
                call.vm().scratch.truncate(start);
                if status != ffi::LUA_OK {
                    return Err(Raise::Top);
                }
            }
            None => call.push_nil(),
        }
        ffi::lua_pushvalue(state, -1);
        ffi::lua_rawseti(state, -3, i64::from(number) + 1);
    }
    Ok(())
}
