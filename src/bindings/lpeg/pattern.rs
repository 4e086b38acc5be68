//! Patterns as userdata, and the values that they refer to.
//!
//! A pattern is a userdata with the bytes of its tree. Its user value is a table: at 1 the list of
//! the values its numbers mean, if there are any, and at 2 the userdata of its program, once it was
//! compiled.
//!
//! Invariant: a header that holds its own address belongs to a pattern; its parts are as long as it
//! says and were written by `push`.

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;

use mlua::ffi;

use super::rules;
use crate::codec::peg::{
    Charset, CompileError, Instruction, MAX_NODES, Node, ProgramRef, TooBig, Tree, TreeRef, compile,
};
use crate::vm::native::{Call, Lossy, Raise};

/// Name of the metatable of patterns.
pub(super) const METATABLE: &CStr = c"lpeg-pattern";

/// Values that one pattern refers to.
const VALUES: u32 = 65_535;

/// What stands in front of the bytes of a tree. The sets behind it start at eight.
#[repr(C, align(8))]
pub(super) struct Header {
    this: usize,
    program: *const ProgramHeader,
    sets: u32,
    nodes: u32,
    rules: u32,
}

/// What stands in front of the bytes of a program. The sets behind it start at eight.
#[repr(C, align(8))]
pub(super) struct ProgramHeader {
    sets: u32,
    code: u32,
    /// Functions are asked during the match.
    pub(super) asks: bool,
}

/// The pattern at `index`.
#[inline]
pub(super) fn at(call: &Call, index: c_int) -> Option<NonNull<Header>> {
    if call.kind(index) != ffi::LUA_TUSERDATA {
        return None;
    }
    let header = NonNull::new(call.pointer(index).cast::<Header>())?;
    // SAFETY: the userdata is as long as a header at least, and what holds its own address in
    // front is a pattern.
    unsafe {
        let long_enough = ffi::lua_rawlen(call.state(), index) >= size_of::<Header>();
        (long_enough && (*header.as_ptr()).this == header.as_ptr().addr()).then_some(header)
    }
}

/// The tree of a pattern.
///
/// # Safety
/// The pattern stays on the stack while the tree is used.
pub(super) unsafe fn tree<'a>(header: NonNull<Header>) -> TreeRef<'a> {
    // SAFETY: the caller's promise, and the invariant.
    unsafe {
        let Header { sets, nodes, rules, .. } = *header.as_ptr();
        let start = header.as_ptr().add(1).cast::<Charset>();
        let first_node = start.add(sets as usize).cast::<Node>();
        let first_rule = first_node.add(nodes as usize).cast::<u32>();
        TreeRef {
            sets: std::slice::from_raw_parts(start, sets as usize),
            nodes: std::slice::from_raw_parts(first_node, nodes as usize),
            rules: std::slice::from_raw_parts(first_rule, rules as usize),
        }
    }
}

/// The program of a pattern, compiled if it was not.
pub(super) fn program(call: &mut Call, index: c_int) -> Result<NonNull<ProgramHeader>, Raise> {
    let Some(header) = at(call, index) else { return Err(not_a_pattern(call, index)) };
    // SAFETY: the pattern is on the stack.
    let known = unsafe { (*header.as_ptr()).program.cast_mut() };
    match NonNull::new(known) {
        Some(program) => Ok(program),
        None => compile_pattern(call, index, header),
    }
}

/// The parts of a program.
///
/// # Safety
/// Its pattern stays on the stack while they are used.
pub(super) unsafe fn parts<'a>(program: NonNull<ProgramHeader>) -> ProgramRef<'a> {
    // SAFETY: the caller's promise, and the invariant.
    unsafe {
        let ProgramHeader { sets, code, .. } = *program.as_ptr();
        let start = program.as_ptr().add(1).cast::<Charset>();
        let first = start.add(sets as usize).cast::<Instruction>();
        ProgramRef {
            sets: std::slice::from_raw_parts(start, sets as usize),
            code: std::slice::from_raw_parts(first, code as usize),
        }
    }
}

#[cold]
fn compile_pattern(
    call: &mut Call,
    index: c_int,
    header: NonNull<Header>,
) -> Result<NonNull<ProgramHeader>, Raise> {
    let state = call.state();
    call.reserve(6)?;
    // SAFETY: the pattern is on the stack.
    let program = match compile(unsafe { tree(header) }) {
        Ok(program) => program,
        Err(CompileError::TooDeep(limit)) => {
            return Err(call.error(format_args!("pattern too deep (limit {limit} levels)")));
        }
        Err(CompileError::OpenCall(name)) => {
            push_value_of(call, index, name);
            return Err(named(call, |name| format!("rule '{name}' used outside a grammar")));
        }
    };
    let head = ProgramHeader {
        sets: u32::try_from(program.sets.len()).unwrap_or(0),
        code: u32::try_from(program.code.len()).unwrap_or(0),
        asks: program.code.contains(&Instruction::CloseRuntime),
    };
    let start = begin(call);
    write(call, std::slice::from_ref(&head));
    write(call, &program.sets);
    write(call, &program.code);
    drop(program);
    // SAFETY: room is reserved; what was compiled waits in the VM's buffer while Lua may raise.
    unsafe {
        let place = finish(call, start);
        // program
        ffi::lua_getuservalue(state, index);
        ffi::lua_insert(state, -2);
        ffi::lua_rawseti(state, -2, 2);
        ffi::lua_pop(state, 1);
        let place = place.cast::<ProgramHeader>();
        (*header.as_ptr()).program = place.as_ptr();
        Ok(place)
    }
}

/// Where bytes for a userdata start in the VM's buffer.
fn begin(call: &mut Call) -> usize {
    call.vm().scratch.len()
}

/// Adds the bytes of plain values.
fn write<T: Plain>(call: &mut Call, values: &[T]) {
    let bytes = size_of_val(values);
    // SAFETY: any value can be looked at as the bytes it takes; only whole ones are read again.
    // Padding is copied by the buffer's own means, which do not look at it.
    unsafe {
        let scratch = &mut call.vm().scratch;
        scratch.reserve(bytes);
        let end = scratch.as_mut_ptr().add(scratch.len());
        std::ptr::copy_nonoverlapping(values.as_ptr().cast::<u8>(), end, bytes);
        scratch.set_len(scratch.len() + bytes);
    }
}

/// Plain values without a destructor, whose bytes can be kept anywhere.
trait Plain {}
impl Plain for Header {}
impl Plain for ProgramHeader {}
impl Plain for Charset {}
impl Plain for Node {}
impl Plain for Instruction {}
impl Plain for u32 {}

/// Makes a userdata of what was written, and pushes it.
///
/// # Safety
/// There is a free slot; may raise for lack of memory.
unsafe fn finish(call: &mut Call, start: usize) -> NonNull<u8> {
    let length = call.vm().scratch.len() - start;
    // SAFETY: the caller's promise. Finalizers that run meanwhile leave the buffer below alone.
    unsafe {
        let place = ffi::lua_newuserdata(call.state(), length).cast::<u8>();
        let scratch = &mut call.vm().scratch;
        std::ptr::copy_nonoverlapping(scratch.as_ptr().add(start), place, length);
        scratch.truncate(start);
        NonNull::new_unchecked(place)
    }
}

/// Pushes a pattern. Its values are the table at stack index `values`, which may be nil.
pub(super) fn push(
    call: &mut Call,
    tree: Result<Tree, TooBig>,
    values: c_int,
) -> Result<(), Raise> {
    let tree = match tree {
        Ok(tree) => tree,
        Err(TooBig) => {
            return Err(call.error(format_args!("pattern too big (limit {MAX_NODES} parts)")));
        }
    };
    call.reserve(4)?;
    let head = Header {
        this: 0,
        program: std::ptr::null(),
        sets: u32::try_from(tree.sets.len()).unwrap_or(0),
        nodes: u32::try_from(tree.nodes.len()).unwrap_or(0),
        rules: u32::try_from(tree.rules.len()).unwrap_or(0),
    };
    let start = begin(call);
    write(call, std::slice::from_ref(&head));
    write(call, &tree.sets);
    write(call, &tree.nodes);
    write(call, &tree.rules);
    drop(tree);
    let state = call.state();
    // SAFETY: room is reserved; the tree waits in the VM's buffer while Lua may raise.
    unsafe {
        let header = finish(call, start).cast::<Header>();
        (*header.as_ptr()).this = header.as_ptr().addr();
        ffi::lua_createtable(state, 2, 0);
        ffi::lua_pushvalue(state, values);
        ffi::lua_rawseti(state, -2, 1);
        ffi::lua_setuservalue(state, -2);
        ffi::luaL_setmetatable(state, METATABLE.as_ptr());
    }
    Ok(())
}

/// Pushes a pattern without values.
pub(super) fn push_plain(call: &mut Call, tree: Result<Tree, TooBig>) -> Result<(), Raise> {
    call.push_nil();
    let nil = call.top();
    push(call, tree, nil)?;
    // SAFETY: the nil lies below the pattern.
    unsafe { ffi::lua_remove(call.state(), -2) };
    Ok(())
}

/// Pushes the list of the values of the pattern at `index`, or nil; their number.
pub(super) fn push_values(call: &mut Call, index: c_int) -> u32 {
    let state = call.state();
    // SAFETY: a pattern is at `index`; raw reads.
    unsafe {
        ffi::lua_getuservalue(state, index);
        ffi::lua_rawgeti(state, -1, 1);
        ffi::lua_remove(state, -2);
        match call.kind(-1) {
            ffi::LUA_TTABLE => u32::try_from(ffi::lua_rawlen(state, -1)).unwrap_or(0),
            _ => 0,
        }
    }
}

/// Pushes the value of the pattern at `index` with a number.
fn push_value_of(call: &mut Call, index: c_int, number: u32) {
    push_values(call, index);
    // SAFETY: as above; a number belongs to a list.
    unsafe {
        if call.kind(-1) == ffi::LUA_TTABLE {
            ffi::lua_rawgeti(call.state(), -1, number.into());
            ffi::lua_remove(call.state(), -2);
        }
    }
}

/// Pushes a list of the values of the pattern at `index` (nothing if it is 0) and, behind them, the
/// one at `value`; its number. Nil is no value and has the number 0.
pub(super) fn push_with_value(call: &mut Call, index: c_int, value: c_int) -> Result<u32, Raise> {
    call.reserve(6)?;
    let count = match index {
        0 => {
            call.push_nil();
            0
        }
        index => push_values(call, index),
    };
    if call.kind(value) == ffi::LUA_TNIL {
        return Ok(0);
    }
    check_count(call, count + 1)?;
    let state = call.state();
    // SAFETY: room is reserved; may raise for lack of memory.
    unsafe {
        ffi::lua_createtable(state, c_int::try_from(count + 1).unwrap_or(0), 0);
        for number in 1..=i64::from(count) {
            ffi::lua_rawgeti(state, -2, number);
            ffi::lua_rawseti(state, -2, number);
        }
        ffi::lua_pushvalue(state, value);
        ffi::lua_rawseti(state, -2, i64::from(count) + 1);
        ffi::lua_remove(state, -2);
    }
    Ok(count + 1)
}

/// Pushes the list of the values of the patterns at both indexes; by how much the numbers of the
/// second one's values are higher in it.
pub(super) fn push_joined(call: &mut Call, first: c_int, second: c_int) -> Result<u32, Raise> {
    call.reserve(6)?;
    let state = call.state();
    let count = push_values(call, first);
    let more = push_values(call, second);
    if are_same(call) || more == 0 {
        // SAFETY: two lists are on top, or nil.
        unsafe { ffi::lua_pop(state, 1) };
        return Ok(0);
    }
    check_count(call, count + more)?;
    // SAFETY: room is reserved; may raise for lack of memory.
    unsafe {
        if count == 0 {
            ffi::lua_remove(state, -2);
            return Ok(0);
        }
        ffi::lua_createtable(state, c_int::try_from(count + more).unwrap_or(0), 0);
        append_values(state, -3, count, 0);
        append_values(state, -2, more, count);
        ffi::lua_insert(state, -3);
        ffi::lua_pop(state, 2);
    }
    Ok(count)
}

/// Whether the two values on top are the same.
fn are_same(call: &Call) -> bool {
    // SAFETY: two values are on top.
    unsafe { ffi::lua_rawequal(call.state(), -1, -2) != 0 }
}

pub(super) fn check_count(call: &mut Call, count: u32) -> Result<(), Raise> {
    if count > VALUES {
        return Err(call.error(format_args!("too many Lua values in pattern (limit {VALUES})")));
    }
    Ok(())
}

/// Appends a list of so many values at `index` to the table on top, which has `count` already.
unsafe fn append_values(state: *mut ffi::lua_State, index: c_int, more: u32, count: u32) {
    // SAFETY: the caller's promise: both are tables; there is a free slot.
    unsafe {
        let index = ffi::lua_absindex(state, index);
        for number in 1..=i64::from(more) {
            ffi::lua_rawgeti(state, index, number);
            ffi::lua_rawseti(state, -2, number + i64::from(count));
        }
    }
}

fn not_a_pattern(call: &mut Call, index: c_int) -> Raise {
    let found = match call.kind(index) {
        ffi::LUA_TNONE => "no value",
        ffi::LUA_TLIGHTUSERDATA => "light userdata",
        _ => call.type_name(index),
    };
    call.argument(index, format_args!("lpeg-pattern expected, got {found}"))
}

/// An error about the value on top, a rule's name.
pub(super) fn named(call: &mut Call, text: impl FnOnce(&str) -> String) -> Raise {
    let name = match call.kind(-1) {
        ffi::LUA_TSTRING => Lossy(call.string(-1).unwrap_or_default()).to_string(),
        // SAFETY: reads a number.
        ffi::LUA_TNUMBER => match call.integer(-1) {
            Some(number) => number.to_string(),
            // SAFETY: a number is on top.
            None => unsafe { ffi::lua_tonumber(call.state(), -1) }.to_string(),
        },
        _ => format!("(a {})", call.type_name(-1)),
    };
    let text = text(&name);
    call.error(format_args!("{text}"))
}

/// Makes the value at `index` a pattern, as lpeg takes strings, numbers, booleans, tables and
/// functions for patterns.
///
/// # Errors
/// When it is nothing of that.
pub(super) fn convert(call: &mut Call, index: c_int) -> Result<NonNull<Header>, Raise> {
    if let Some(header) = at(call, index) {
        return Ok(header);
    }
    let top = call.top();
    match call.kind(index) {
        ffi::LUA_TSTRING => {
            let tree = Tree::text(call.string(index).unwrap_or_default());
            push_plain(call, tree)?;
        }
        ffi::LUA_TNUMBER => {
            // SAFETY: a number is there; what is no integer counts as zero, as in lpeg.
            let number = unsafe { ffi::lua_tointegerx(call.state(), index, std::ptr::null_mut()) };
            let too_big = number.unsigned_abs() > MAX_NODES as u64;
            push_plain(call, if too_big { Err(TooBig) } else { Tree::count(number) })?;
        }
        ffi::LUA_TBOOLEAN => {
            let node = if call.boolean(index) { Node::True } else { Node::False };
            push_plain(call, Ok(Tree::leaf(node)))?;
        }
        ffi::LUA_TTABLE => rules::push_grammar(call, index)?,
        ffi::LUA_TFUNCTION => {
            let function = push_with_value(call, 0, index)?;
            let values = call.top();
            let always = Tree::leaf(Node::True);
            let tree = Tree::unary(always.view(), |body| Node::Runtime(function, body));
            drop(always);
            push(call, tree, values)?;
        }
        _ => return Err(not_a_pattern(call, index)),
    }
    // SAFETY: the pattern is on top, perhaps with its values below.
    unsafe {
        ffi::lua_replace(call.state(), index);
        ffi::lua_settop(call.state(), top);
    }
    match at(call, index) {
        Some(header) => Ok(header),
        None => Err(not_a_pattern(call, index)),
    }
}
