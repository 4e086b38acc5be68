//! Walking a Lua table into a tree.
//!
//! Invariant: the walk uses only what neither raises nor runs Lua, so the tree may be built on
//! Rust's side meanwhile. What would need Lua (`__pairs`) ends the walk, and the caller makes a
//! plain table first.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};

use mlua::ffi;

use super::view::{View, key_at};
use crate::shared::{Builder, Full, Key, Kind, Node, Tree, Value, sheet};
use crate::vm::layout::Peek;
use crate::vm::native::{Call, Raise};

/// What stands in front of the address of a native function, in the place of code.
pub(super) const NATIVE: u8 = 1;
/// What stands in front of compiled code.
const COMPILED: u8 = 0;

/// Nesting of tables: far more than data has, few enough for the stack of a worker.
const DEPTH: usize = 200;

/// Why a walk ended.
pub(super) enum Stop {
    /// The table cannot be shared.
    Raise(Raise),
    /// A table says by `__pairs` what is in it.
    Pairs,
}

impl From<Raise> for Stop {
    fn from(raise: Raise) -> Self {
        Self::Raise(raise)
    }
}

struct Walk {
    builder: Builder,
    kind: Kind,
    /// Metatables are refused, as skynet does where it shares the tables themselves.
    strict: bool,
    /// Nodes of the tables seen, by address.
    seen: HashMap<usize, Node>,
    depth: usize,
    /// Stack index of the text `__pairs`.
    pairs: c_int,
}

/// Builds the tree of the table at `index`.
///
/// # Errors
/// See `Stop`.
pub(super) fn walk(call: &mut Call, index: c_int, kind: Kind, strict: bool) -> Result<Tree, Stop> {
    call.reserve(8)?;
    call.push_bytes(b"__pairs");
    let pairs = call.top();
    let mut walk =
        Walk { builder: Builder::new(), kind, strict, seen: HashMap::new(), depth: 0, pairs };
    let built = walk.table(call, index).and_then(|_| {
        let Walk { builder, .. } = walk;
        builder.finish().map_err(|full| full_error(call, full))
    });
    // SAFETY: what the walk left behind is dropped.
    unsafe { ffi::lua_settop(call.state(), pairs - 1) };
    built
}

#[cold]
fn full_error(call: &mut Call, full: Full) -> Stop {
    Stop::Raise(call.error(format_args!("{full}")))
}

impl Walk {
    fn table(&mut self, call: &mut Call, index: c_int) -> Result<Node, Stop> {
        let state = call.state();
        call.reserve(8)?;
        // SAFETY: a table is at `index`; room is reserved.
        let index = unsafe { ffi::lua_absindex(state, index) };
        // SAFETY: as above.
        let address = unsafe { ffi::lua_topointer(state, index) }.addr();
        if let Some(node) = self.seen.get(&address) {
            return Ok(*node);
        }
        if self.depth == DEPTH {
            let text = format_args!("the table is too deep to be shared (limit {DEPTH} levels)");
            return Err(call.error(text).into());
        }
        if let Some(view) = View::at(call, index)? {
            return self.graft(call, view);
        }
        self.check_metatable(call, index)?;
        let node = self.builder.open().map_err(|full| full_error(call, full))?;
        self.seen.insert(address, node);
        self.depth += 1;
        // SAFETY: raw reads raise nothing; a key that `lua_next` gave is still there.
        unsafe {
            let mut position = 1;
            let length = match self.kind {
                Kind::Sheet => i64::MAX,
                _ => i64::try_from(ffi::lua_rawlen(state, index)).unwrap_or(i64::MAX),
            };
            while position <= length {
                if ffi::lua_rawgeti(state, index, position) == ffi::LUA_TNIL
                    && self.kind == Kind::Sheet
                {
                    ffi::lua_pop(state, 1);
                    break;
                }
                let value = self.value(call)?;
                self.builder.push(value);
                ffi::lua_pop(state, 1);
                position += 1;
            }
            let array = 1..position;
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, index) != 0 {
                if !matches!(call.peek(-2), Peek::Integer(key) if array.contains(&key)) {
                    let name = self.name(call)?;
                    let value = self.value(call)?;
                    self.builder.insert(name, value);
                }
                ffi::lua_pop(state, 1);
            }
        }
        self.depth -= 1;
        self.builder.close().map_err(|full| full_error(call, full))?;
        Ok(node)
    }

    fn check_metatable(&self, call: &mut Call, index: c_int) -> Result<(), Stop> {
        let state = call.state();
        // SAFETY: room is reserved; raw reads raise nothing.
        unsafe {
            if ffi::lua_getmetatable(state, index) == 0 {
                return Ok(());
            }
            if self.strict {
                return Err(call.error(format_args!("Can't share metatable")).into());
            }
            ffi::lua_pushvalue(state, self.pairs);
            let has_pairs = ffi::lua_rawget(state, -2) != ffi::LUA_TNIL;
            ffi::lua_pop(state, 2);
            if has_pairs { Err(Stop::Pairs) } else { Ok(()) }
        }
    }

    /// The name below the top of the stack.
    fn name(&mut self, call: &mut Call) -> Result<Value, Stop> {
        let name = call.peek(-2);
        match (self.kind, name) {
            (_, Peek::String(text)) => {
                // SAFETY: the string stays on the stack.
                let text = self.builder.string(unsafe { &*text });
                text.map_err(|full| full_error(call, full))
            }
            (Kind::Data | Kind::Table, Peek::Integer(value)) => Ok(Value::Integer(value)),
            (Kind::Data, Peek::Float(value)) => {
                Err(call.error(format_args!("Invalid key {value:.6}")).into())
            }
            (Kind::Table, Peek::Float(value)) => Ok(Value::Float(value)),
            (Kind::Table, Peek::Boolean(value)) => Ok(Value::Boolean(value)),
            (Kind::Table, Peek::Pointer(value)) => Ok(Value::Pointer(value)),
            (Kind::Data, _) => {
                let kind = call.type_name(-2);
                Err(call.error(format_args!("Invalid key type {kind}")).into())
            }
            (Kind::Table, _) => {
                let kind = call.type_name(-2);
                Err(call.error(format_args!("Invalid type [{kind}] of a key")).into())
            }
            (Kind::Sheet, Peek::Integer(value)) => {
                let text = format_args!(
                    "a datasheet has names, and numbers from 1 on without a hole (key {value})"
                );
                Err(call.error(text).into())
            }
            (Kind::Sheet, _) => {
                let kind = call.type_name(-2);
                let text = format_args!("a datasheet has no key of the type {kind}");
                Err(call.error(text).into())
            }
        }
    }

    /// The value on top of the stack.
    fn value(&mut self, call: &mut Call) -> Result<Value, Stop> {
        match (call.peek(-1), self.kind) {
            (Peek::Nil, _) => Ok(Value::Nil),
            (Peek::Boolean(value), _) => Ok(Value::Boolean(value)),
            (Peek::Integer(value), Kind::Sheet) => Ok(sheet::shortened(value)),
            (Peek::Integer(value), _) => Ok(Value::Integer(value)),
            (Peek::Float(value), Kind::Sheet) => Ok(sheet::rounded(value)),
            (Peek::Float(value), _) => Ok(Value::Float(value)),
            (Peek::String(text), _) => {
                // SAFETY: the string stays on the stack.
                let text = self.builder.string(unsafe { &*text });
                text.map_err(|full| full_error(call, full))
            }
            (Peek::Table, _) => self.table(call, -1).map(Value::Table),
            (Peek::Pointer(value), Kind::Table) => Ok(Value::Pointer(value)),
            (Peek::Other, Kind::Table) if call.kind(-1) == ffi::LUA_TFUNCTION => {
                self.function(call)
            }
            (Peek::Pointer(_) | Peek::Other, kind) => {
                let name = call.type_name(-1);
                Err(Stop::Raise(match kind {
                    Kind::Data => call.error(format_args!("Unsupport value type {name}")),
                    Kind::Table => call.error(format_args!("Invalid type [{name}]")),
                    Kind::Sheet => call.error(format_args!("Unsupport value {name}")),
                }))
            }
        }
    }

    /// The function on top of the stack.
    fn function(&mut self, call: &mut Call) -> Result<Value, Stop> {
        let state = call.state();
        // SAFETY: room is reserved; neither reading upvalues nor dumping raises.
        let code = unsafe {
            if !ffi::lua_getupvalue(state, -1, 1).is_null() {
                ffi::lua_pop(state, 1);
                return Err(call.error(format_args!("Invalid function with upvalue")).into());
            }
            match ffi::lua_tocfunction(state, -1) {
                Some(function) => {
                    let mut code = vec![NATIVE];
                    code.extend_from_slice(&(function as usize).to_ne_bytes());
                    code
                }
                None => {
                    let mut code = vec![COMPILED];
                    ffi::lua_dump(state, write, (&raw mut code).cast(), 0);
                    code
                }
            }
        };
        self.builder.function(&code).map_err(|full| full_error(call, full))
    }

    /// Takes over what a view shows.
    fn graft(&mut self, call: &mut Call, view: View) -> Result<Node, Stop> {
        // SAFETY: nothing runs Lua until the walk is over.
        let Some((tree, node)) = (unsafe { view.tree() }) else {
            return Err(call.error(format_args!("a shared table that is gone")).into());
        };
        let mut grafted = HashMap::new();
        graft(&mut self.builder, tree, node, &mut grafted, self.depth)
            .map_err(|full| full_error(call, full))
    }
}

fn graft(
    builder: &mut Builder,
    tree: &Tree,
    node: Node,
    grafted: &mut HashMap<Node, Node>,
    depth: usize,
) -> Result<Node, Full> {
    if let Some(known) = grafted.get(&node) {
        return Ok(*known);
    }
    if depth >= 2 * DEPTH {
        return Err(Full);
    }
    let new = builder.open()?;
    grafted.insert(node, new);
    let array = tree.length(node);
    let mut position = 0;
    while let Some((name, value)) = tree.entry(node, position) {
        let value = match value {
            Value::String(text) => builder.string(tree.text(&text))?,
            Value::Table(below) => Value::Table(graft(builder, tree, below, grafted, depth + 1)?),
            Value::Function(number) => builder.function(tree.function(number))?,
            plain => plain,
        };
        if position < array {
            builder.push(value);
        } else {
            let name = match name {
                Value::String(text) => builder.string(tree.text(&text))?,
                plain => plain,
            };
            builder.insert(name, value);
        }
        position += 1;
    }
    builder.close()?;
    Ok(new)
}

unsafe extern "C-unwind" fn write(
    _state: *mut ffi::lua_State,
    bytes: *const c_void,
    length: usize,
    code: *mut c_void,
) -> c_int {
    // SAFETY: `function` hands over a vector of its own; Lua the bytes.
    unsafe {
        let code = &mut *code.cast::<Vec<u8>>();
        code.extend_from_slice(std::slice::from_raw_parts(bytes.cast(), length));
    }
    0
}

/// The table of `tree` at the end of the way that the keys from stack index `first` on give, or
/// the value there.
pub(super) fn follow(call: &mut Call, tree: &Tree, node: Node, first: c_int) -> Value {
    let mut value = Value::Table(node);
    for index in first..=call.top() {
        let Value::Table(node) = value else { return value };
        let key: Option<Key<'_>> = key_at(call, index);
        // As skynet has it, nil ends the way.
        let Some(key) = key else { break };
        value = tree.get(node, key);
    }
    value
}
