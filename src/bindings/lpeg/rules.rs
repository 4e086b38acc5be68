//! `lpeg`: grammars, from tables of rules.
//!
//! Invariant: while the tree of a grammar is made, nothing raises: rules and names stand on the
//! stack.

use std::ffi::c_int;

use mlua::ffi;

use super::pattern::{at, check_count, named, push, push_values, tree};
use crate::codec::peg::{GrammarError, TooBig, Tree, grammar};
use crate::vm::native::{Call, Raise};

/// Rules of one grammar.
const RULES: usize = 250;

/// Pushes the grammar whose rules are in the table at `index`.
pub(super) fn push_grammar(call: &mut Call, index: c_int) -> Result<(), Raise> {
    let state = call.state();
    call.reserve(12)?;
    let base = call.top();
    // SAFETY: room is reserved or checked; the key of the listing stays in place.
    unsafe {
        // values, positions, first name, first rule, name, rule, …
        ffi::lua_createtable(state, 8, 0);
        ffi::lua_createtable(state, 0, 8);
        ffi::lua_rawgeti(state, index, 1);
        if ffi::lua_isstring(state, -1) != 0 {
            ffi::lua_pushvalue(state, -1);
            ffi::lua_gettable(state, index);
        } else {
            ffi::lua_pushinteger(state, 1);
            ffi::lua_insert(state, -2);
        }
        if at(call, -1).is_none() {
            if call.kind(-1) == ffi::LUA_TNIL {
                return Err(call.error(format_args!("grammar has no initial rule")));
            }
            ffi::lua_pop(state, 1);
            return Err(named(call, |name| format!("initial rule '{name}' is not a pattern")));
        }
        note_rule(state, base + 2, 0);
        let mut count = 1;
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, index) != 0 {
            let first = ffi::lua_tonumber(state, -2) == 1.0 && call.kind(-2) == ffi::LUA_TNUMBER
                || ffi::lua_rawequal(state, -2, base + 3) != 0;
            if first {
                ffi::lua_pop(state, 1);
                continue;
            }
            if at(call, -1).is_none() {
                ffi::lua_pop(state, 1);
                return Err(named(call, |name| format!("rule '{name}' is not a pattern")));
            }
            if count == RULES || ffi::lua_checkstack(state, 12) == 0 {
                return Err(call.argument(index, format_args!("grammar has too many rules")));
            }
            note_rule(state, base + 2, count);
            count += 1;
            ffi::lua_pushvalue(state, -2);
        }
        let mut values = 0;
        for rule in 0..count {
            let pattern = base + 4 + 2 * c_int::try_from(rule).unwrap_or(0);
            values += 1 + push_values(call, pattern);
            ffi::lua_pop(state, 1);
            check_count(call, values)?;
        }
        // The values: of each rule its name, and those of its pattern.
        let mut total = 0;
        for rule in 0..count {
            let name = base + 3 + 2 * c_int::try_from(rule).unwrap_or(0);
            ffi::lua_pushvalue(state, name);
            total += 1;
            ffi::lua_rawseti(state, base + 1, total);
            let more = push_values(call, name + 1);
            for number in 1..=i64::from(more) {
                ffi::lua_rawgeti(state, -1, number);
                total += 1;
                ffi::lua_rawseti(state, base + 1, total);
            }
            ffi::lua_pop(state, 1);
        }
        let made = make_grammar(call, base, count);
        match made {
            Ok(tree) => push(call, Ok(tree), base + 1)?,
            Err(GrammarError::TooBig) => push(call, Err(TooBig), base + 1)?,
            Err(
                error @ (GrammarError::Undefined(name)
                | GrammarError::LeftRecursive(name)
                | GrammarError::EmptyLoop(name)),
            ) => {
                ffi::lua_rawgeti(state, base + 1, name.into());
                return Err(named(call, |name| match error {
                    GrammarError::Undefined(_) => {
                        format!("rule '{name}' undefined in given grammar")
                    }
                    GrammarError::LeftRecursive(_) => {
                        format!("rule '{name}' may be left recursive")
                    }
                    _ => format!("empty loop in rule '{name}'"),
                }));
            }
        }
        ffi::lua_replace(state, base + 1);
        ffi::lua_settop(state, base + 1);
    }
    Ok(())
}

/// Notes the position of the rule on top, with its name below.
unsafe fn note_rule(state: *mut ffi::lua_State, positions: c_int, position: usize) {
    // SAFETY: the caller's promise; there are free slots.
    unsafe {
        ffi::lua_pushvalue(state, -2);
        ffi::lua_pushinteger(state, i64::try_from(position).unwrap_or(0));
        ffi::lua_rawset(state, positions);
    }
}

/// The grammar of the rules that stand on the stack behind `base`. Nothing in it raises.
unsafe fn make_grammar(call: &mut Call, base: c_int, count: usize) -> Result<Tree, GrammarError> {
    let state = call.state();
    let mut rules = Vec::with_capacity(count);
    let mut total = 0;
    // SAFETY: the caller's promise; raw reads raise nothing.
    unsafe {
        for rule in 0..count {
            let pattern_index = base + 4 + 2 * c_int::try_from(rule).unwrap_or(0);
            let Some(header) = at(call, pattern_index) else { return Err(GrammarError::TooBig) };
            let name = total + 1;
            let values = push_values(call, pattern_index);
            ffi::lua_pop(state, 1);
            rules.push((name, tree(header), name));
            total = name + values;
        }
        grammar(&rules, |name| {
            ffi::lua_rawgeti(state, base + 1, name.into());
            ffi::lua_rawget(state, base + 2);
            let position = call.integer(-1);
            ffi::lua_pop(state, 1);
            position.and_then(|position| usize::try_from(position).ok())
        })
    }
}
