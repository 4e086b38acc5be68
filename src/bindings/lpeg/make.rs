//! `lpeg`: making patterns and putting them together.

use std::ffi::c_int;

use mlua::ffi;

use super::pattern::{
    at, check_count, convert, push, push_joined, push_plain, push_values, push_with_value, tree,
};
use crate::codec::peg::{Charset, Kind, Node, Tree, facts};
use crate::vm::native::{Call, NativeResult, Outcome, Raise};

/// Largest number that a capture may have.
const LARGEST: i64 = 32_767;

/// Bytes that a pattern may look back.
const BEHIND: u32 = 255;

fn one() -> NativeResult {
    Ok(Outcome::Values(1))
}

/// `P(value)`
pub(super) fn pattern(call: &mut Call) -> NativeResult {
    if call.kind(1) == ffi::LUA_TNONE {
        return Err(call.argument(1, format_args!("value expected")));
    }
    convert(call, 1)?;
    // SAFETY: a value is at index 1.
    unsafe { ffi::lua_settop(call.state(), 1) };
    one()
}

/// `S(text)`: any of its bytes.
pub(super) fn set(call: &mut Call) -> NativeResult {
    let mut set = Charset::EMPTY;
    for byte in call.check_string(1)? {
        set.insert(*byte);
    }
    push_plain(call, Ok(Tree::set(set)))?;
    one()
}

/// `R("az", …)`: any byte of the ranges.
pub(super) fn range(call: &mut Call) -> NativeResult {
    let mut set = Charset::EMPTY;
    for index in 1..=call.top() {
        let [first, last] = *call.check_string(index)? else {
            return Err(call.argument(index, format_args!("range must have two characters")));
        };
        for byte in first..=last {
            set.insert(byte);
        }
    }
    push_plain(call, Ok(Tree::set(set)))?;
    one()
}

/// `V(name)`: a rule.
pub(super) fn variable(call: &mut Call) -> NativeResult {
    if call.is_none_or_nil(1) {
        return Err(call.argument(1, format_args!("non-nil value expected")));
    }
    let name = push_with_value(call, 0, 1)?;
    let values = call.top();
    push(call, Ok(Tree::leaf(Node::OpenCall(name))), values)?;
    one()
}

/// Gives the pattern that stands at `index`.
fn same(call: &mut Call, index: c_int) -> NativeResult {
    // SAFETY: a value is there.
    unsafe { ffi::lua_pushvalue(call.state(), index) };
    one()
}

/// Makes patterns of the first two arguments.
fn two(call: &mut Call) -> Result<(), Raise> {
    // SAFETY: a native has free slots.
    unsafe { ffi::lua_settop(call.state(), 2) };
    convert(call, 1)?;
    convert(call, 2)?;
    Ok(())
}

/// The root of the pattern at `index`, the set that it is, and whether it never fails.
fn look(call: &Call, index: c_int) -> (Node, Option<Charset>, bool) {
    match at(call, index) {
        Some(header) => {
            // SAFETY: the pattern stays on the stack.
            let tree = unsafe { tree(header) };
            let never_fails = facts(tree).last().is_some_and(|facts| facts.never_fails);
            (tree.root(), tree.charset(tree.top()), never_fails)
        }
        None => (Node::True, None, true),
    }
}

/// Pushes the pattern that joins those at index 1 and 2.
fn push_binary(call: &mut Call, node: fn(u32, u32) -> Node) -> NativeResult {
    let keys = push_joined(call, 1, 2)?;
    let values = call.top();
    let (Some(left), Some(right)) = (at(call, 1), at(call, 2)) else { return same(call, 1) };
    // SAFETY: both patterns stay on the stack.
    let tree = unsafe { Tree::binary(tree(left), tree(right), keys, node) };
    push(call, tree, values)?;
    one()
}

/// `p * q`
pub(super) fn sequence(call: &mut Call) -> NativeResult {
    two(call)?;
    let (left, ..) = look(call, 1);
    let (right, ..) = look(call, 2);
    if left == Node::False || right == Node::True {
        return same(call, 1);
    }
    if left == Node::True {
        return same(call, 2);
    }
    push_binary(call, Node::Sequence)
}

/// `p + q`
pub(super) fn choice(call: &mut Call) -> NativeResult {
    two(call)?;
    let (left, left_set, never_fails) = look(call, 1);
    let (right, right_set, _) = look(call, 2);
    if let (Some(left), Some(right)) = (left_set, right_set) {
        push_plain(call, Ok(Tree::set(left.union(right))))?;
        return one();
    }
    if never_fails || right == Node::False {
        return same(call, 1);
    }
    if left == Node::False {
        return same(call, 2);
    }
    push_binary(call, Node::Choice)
}

/// `p - q`
pub(super) fn difference(call: &mut Call) -> NativeResult {
    two(call)?;
    let (_, left, _) = look(call, 1);
    let (_, right, _) = look(call, 2);
    if let (Some(left), Some(right)) = (left, right) {
        push_plain(call, Ok(Tree::set(left.minus(right))))?;
        return one();
    }
    let keys = push_joined(call, 1, 2)?;
    let values = call.top();
    let (Some(left), Some(right)) = (at(call, 1), at(call, 2)) else { return same(call, 1) };
    let build = || {
        let mut new = Tree::default();
        // SAFETY: both patterns stay on the stack.
        let (left, right) = unsafe { (tree(left), tree(right)) };
        let right = new.append(right, keys)?;
        let not = new.push(Node::Not(right))?;
        let left = new.append(left, 0)?;
        new.push(Node::Sequence(not, left))?;
        Ok(new)
    };
    push(call, build(), values)?;
    one()
}

/// Pushes a pattern around the one at index 1, with its values.
fn push_unary(call: &mut Call, node: impl FnOnce(u32) -> Node) -> NativeResult {
    push_values(call, 1);
    let values = call.top();
    let Some(body) = at(call, 1) else { return same(call, 1) };
    // SAFETY: the pattern stays on the stack.
    let tree = Tree::unary(unsafe { tree(body) }, node);
    push(call, tree, values)?;
    one()
}

/// `-p`
pub(super) fn not(call: &mut Call) -> NativeResult {
    convert(call, 1)?;
    push_unary(call, Node::Not)
}

/// `#p`
pub(super) fn and(call: &mut Call) -> NativeResult {
    convert(call, 1)?;
    push_unary(call, Node::And)
}

/// `p ^ n`
pub(super) fn power(call: &mut Call) -> NativeResult {
    let count = call.check_integer(2)?;
    let header = convert(call, 1)?;
    // SAFETY: the pattern stays on the stack.
    let nullable = facts(unsafe { tree(header) }).last().is_some_and(|facts| facts.nullable);
    if count >= 0 && nullable {
        return Err(call.error(format_args!("loop body may accept empty string")));
    }
    push_values(call, 1);
    let values = call.top();
    // SAFETY: as above.
    let tree = Tree::power(unsafe { tree(header) }, count);
    push(call, tree, values)?;
    one()
}

/// `B(p)`: `p` stands before the position.
pub(super) fn behind(call: &mut Call) -> NativeResult {
    let header = convert(call, 1)?;
    // SAFETY: the pattern stays on the stack.
    let facts = facts(unsafe { tree(header) }).last().copied().unwrap_or_default();
    let Some(length) = facts.length else {
        return Err(call.argument(1, format_args!("pattern may not have fixed length")));
    };
    if facts.captures {
        return Err(call.argument(1, format_args!("pattern have captures")));
    }
    let Some(length) = u8::try_from(length).ok().filter(|length| u32::from(*length) <= BEHIND)
    else {
        return Err(call.argument(1, format_args!("pattern too long to look behind")));
    };
    push_unary(call, |body| Node::Behind(body, length))
}

/// Pushes a capture of the pattern at index 1, with the value at `value` unless that is 0.
fn capture(call: &mut Call, kind: Kind, value: c_int) -> NativeResult {
    convert(call, 1)?;
    if value == 0 {
        return push_unary(call, |body| Node::Capture(kind, 0, body));
    }
    let number = push_with_value(call, 1, value)?;
    let values = call.top();
    let Some(body) = at(call, 1) else { return same(call, 1) };
    // SAFETY: the pattern stays on the stack.
    let tree = Tree::unary(unsafe { tree(body) }, |body| Node::Capture(kind, number, body));
    push(call, tree, values)?;
    one()
}

/// `C(p)`: the text that `p` matches.
pub(super) fn simple(call: &mut Call) -> NativeResult {
    capture(call, Kind::Simple, 0)
}

/// `Ct(p)`: a table of the values that `p` captures.
pub(super) fn table(call: &mut Call) -> NativeResult {
    capture(call, Kind::Table, 0)
}

/// `Cs(p)`: the text that `p` matches, with values in place of what they captured.
pub(super) fn substitution(call: &mut Call) -> NativeResult {
    capture(call, Kind::Substitution, 0)
}

/// `Cg(p [, name])`: the values that `p` captures, together.
pub(super) fn group(call: &mut Call) -> NativeResult {
    let value = if call.is_none_or_nil(2) { 0 } else { 2 };
    capture(call, Kind::Group, value)
}

/// `Cf(p, f)`: the values that `p` captures, joined by `f`.
pub(super) fn fold(call: &mut Call) -> NativeResult {
    call.check_type(2, ffi::LUA_TFUNCTION)?;
    capture(call, Kind::Fold, 2)
}

/// `p / value`
pub(super) fn divide(call: &mut Call) -> NativeResult {
    match call.kind(2) {
        ffi::LUA_TFUNCTION => capture(call, Kind::Function, 2),
        ffi::LUA_TTABLE => capture(call, Kind::Query, 2),
        ffi::LUA_TSTRING => capture(call, Kind::Text, 2),
        ffi::LUA_TNUMBER => {
            // SAFETY: a number is there.
            let number = unsafe { ffi::lua_tointegerx(call.state(), 2, std::ptr::null_mut()) };
            convert(call, 1)?;
            let Some(number) = small(number, 0) else {
                return Err(call.argument(1, format_args!("invalid number")));
            };
            push_unary(call, |body| Node::Capture(Kind::Number, number, body))
        }
        _ => Err(call.argument(2, format_args!("invalid replacement value"))),
    }
}

fn small(number: i64, least: i64) -> Option<u32> {
    (least..=LARGEST).contains(&number).then(|| u32::try_from(number).unwrap_or(0))
}

/// `Cmt(p, f)`: `f` decides how the match goes on.
pub(super) fn runtime(call: &mut Call) -> NativeResult {
    call.check_type(2, ffi::LUA_TFUNCTION)?;
    convert(call, 1)?;
    let function = push_with_value(call, 1, 2)?;
    let values = call.top();
    let Some(body) = at(call, 1) else { return same(call, 1) };
    // SAFETY: the pattern stays on the stack.
    let tree = Tree::unary(unsafe { tree(body) }, |body| Node::Runtime(function, body));
    push(call, tree, values)?;
    one()
}

/// A capture that matches nothing.
fn empty(kind: Kind, number: u32) -> Tree {
    Tree { nodes: vec![Node::True, Node::Capture(kind, number, 0)], ..Tree::default() }
}

/// `Cp()`: the position.
pub(super) fn position(call: &mut Call) -> NativeResult {
    push_plain(call, Ok(empty(Kind::Position, 0)))?;
    one()
}

/// `Cb(name)`: the values of the group with a name.
pub(super) fn back(call: &mut Call) -> NativeResult {
    if call.kind(1) == ffi::LUA_TNONE {
        return Err(call.argument(1, format_args!("value expected")));
    }
    let name = push_with_value(call, 0, 1)?;
    let values = call.top();
    push(call, Ok(empty(Kind::Back, name)), values)?;
    one()
}

/// `Carg(n)`: an extra argument of the match.
pub(super) fn argument(call: &mut Call) -> NativeResult {
    let number = call.check_integer(1)?;
    let Some(number) = small(number, 1) else {
        return Err(call.argument(1, format_args!("invalid argument index")));
    };
    push_plain(call, Ok(empty(Kind::Argument, number)))?;
    one()
}

/// `Cc(value, …)`: the values.
pub(super) fn constant(call: &mut Call) -> NativeResult {
    let count = call.top();
    check_count(call, u32::try_from(count).unwrap_or(0))?;
    if count == 0 {
        push_plain(call, Ok(Tree::leaf(Node::True)))?;
        return one();
    }
    let state = call.state();
    call.reserve(6)?;
    // SAFETY: room is reserved; may raise for lack of memory. Nil is no value: it has the number 0.
    let used = unsafe {
        ffi::lua_createtable(state, count, 0);
        let mut used = 0;
        for index in 1..=count {
            if call.kind(index) != ffi::LUA_TNIL {
                used += 1;
                ffi::lua_pushvalue(state, index);
                ffi::lua_rawseti(state, -2, used);
            }
        }
        used
    };
    let values = call.top();
    if used == 0 {
        // SAFETY: the list is empty and not wanted.
        unsafe { ffi::lua_pop(state, 1) };
        call.push_nil();
    }
    let build = || {
        let mut tree = Tree::default();
        let (mut number, mut last) = (0, None);
        for index in 1..=count {
            let value = if call.kind(index) == ffi::LUA_TNIL {
                0
            } else {
                number += 1;
                number
            };
            let nothing = tree.push(Node::True)?;
            let one = tree.push(Node::Capture(Kind::Constant, value, nothing))?;
            last = Some(match last {
                None => one,
                Some(before) => tree.push(Node::Sequence(before, one))?,
            });
        }
        if count > 1 {
            tree.push(Node::Capture(Kind::Group, 0, last.unwrap_or(0)))?;
        }
        Ok(tree)
    };
    let tree = build();
    push(call, tree, values)?;
    one()
}

/// `locale([table])`: patterns for the classes of ASCII characters, in the table or a new one.
pub(super) fn locale(call: &mut Call) -> NativeResult {
    type Class = (&'static std::ffi::CStr, fn(u8) -> bool);
    const CLASSES: [Class; 11] = [
        (c"alnum", |byte| byte.is_ascii_alphanumeric()),
        (c"alpha", |byte| byte.is_ascii_alphabetic()),
        (c"cntrl", |byte| byte.is_ascii_control()),
        (c"digit", |byte| byte.is_ascii_digit()),
        (c"graph", |byte| byte.is_ascii_graphic()),
        (c"lower", |byte| byte.is_ascii_lowercase()),
        (c"print", |byte| byte == b' ' || byte.is_ascii_graphic()),
        (c"punct", |byte| byte.is_ascii_punctuation()),
        (c"space", |byte| byte.is_ascii_whitespace() || byte == 0x0b),
        (c"upper", |byte| byte.is_ascii_uppercase()),
        (c"xdigit", |byte| byte.is_ascii_hexdigit()),
    ];
    let state = call.state();
    // SAFETY: a native has free slots; may raise for lack of memory.
    unsafe {
        if call.is_none_or_nil(1) {
            ffi::lua_settop(state, 0);
            ffi::lua_createtable(state, 0, 12);
        } else {
            call.check_type(1, ffi::LUA_TTABLE)?;
            ffi::lua_settop(state, 1);
        }
        for (name, belongs) in CLASSES {
            let mut set = Charset::EMPTY;
            (0..=u8::MAX).filter(|byte| belongs(*byte)).for_each(|byte| set.insert(byte));
            push_plain(call, Ok(Tree::set(set)))?;
            ffi::lua_setfield(state, 1, name.as_ptr());
        }
    }
    one()
}
