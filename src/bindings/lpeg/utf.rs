//! `lpeg.utfR`: characters of UTF-8 in a range, as a choice of byte ranges.

use super::pattern::push_plain;
use crate::codec::peg::{Charset, Node, TooBig, Tree};
use crate::vm::native::{Call, NativeResult, Outcome};

/// `utfR(first, last)`: one character of UTF-8 with a code point in the range.
pub(super) fn range(call: &mut Call) -> NativeResult {
    /// The last code point.
    const LAST: i64 = 0x10_ffff;
    let (from, to) = (call.check_integer(1)?, call.check_integer(2)?);
    if !(0..=LAST).contains(&to) {
        return Err(call.argument(2, format_args!("invalid code point")));
    }
    if from < 0 || from > to {
        return Err(call.argument(1, format_args!("empty range")));
    }
    let (from, to) = (u32::try_from(from).unwrap_or(0), u32::try_from(to).unwrap_or(0));
    let build = || {
        let mut tree = Tree::default();
        let mut last = None;
        // Code points of the same length in bytes.
        for (least, most) in [(0, 0x7f), (0x80, 0x7ff), (0x800, 0xffff), (0x1_0000, 0x10_ffff)] {
            let (low, high) = (from.max(least), to.min(most));
            if low <= high {
                let length = encode(most).1;
                let part = part_of(&mut tree, encode(low).0, encode(high).0, 0, length)?;
                last = Some(match last {
                    None => part,
                    Some(before) => tree.push(Node::Choice(before, part))?,
                });
            }
        }
        Ok(tree)
    };
    push_plain(call, build())?;
    Ok(Outcome::Values(1))
}

/// The bytes of a code point, surrogates included, and how many they are.
fn encode(point: u32) -> ([u8; 4], usize) {
    let low = |shift: u32| 0x80 | (point >> shift & 0x3f) as u8;
    let high = |shift: u32, mark: u8| mark | u8::try_from(point >> shift).unwrap_or(0);
    match point {
        0..=0x7f => ([high(0, 0), 0, 0, 0], 1),
        0x80..=0x7ff => ([high(6, 0xc0), low(0), 0, 0], 2),
        0x800..=0xffff => ([high(12, 0xe0), low(6), low(0), 0], 3),
        _ => ([high(18, 0xf0), low(12), low(6), low(0)], 4),
    }
}

/// Adds what matches the bytes from `low` to `high`, from byte `at` on; the node.
fn part_of(
    tree: &mut Tree,
    low: [u8; 4],
    high: [u8; 4],
    at: usize,
    length: usize,
) -> Result<u32, TooBig> {
    let byte = |tree: &mut Tree, from: u8, to: u8| {
        let mut set = Charset::EMPTY;
        (from..=to).for_each(|byte| set.insert(byte));
        tree.sets.push(set);
        let number = u32::try_from(tree.sets.len() - 1).unwrap_or(0);
        tree.push(Node::Set(number))
    };
    if at + 1 == length {
        return byte(tree, low[at], high[at]);
    }
    let with_rest = |tree: &mut Tree, from: u8, to: u8, low: [u8; 4], high: [u8; 4]| {
        let first = byte(tree, from, to)?;
        let rest = part_of(tree, low, high, at + 1, length)?;
        tree.push(Node::Sequence(first, rest))
    };
    if low[at] == high[at] {
        return with_rest(tree, low[at], low[at], low, high);
    }
    // The first and the last lead byte have part of what may follow, those between all of it.
    let mut part = with_rest(tree, low[at], low[at], low, [0xbf; 4])?;
    if low[at] + 1 < high[at] {
        let middle = with_rest(tree, low[at] + 1, high[at] - 1, [0x80; 4], [0xbf; 4])?;
        part = tree.push(Node::Choice(part, middle))?;
    }
    let end = with_rest(tree, high[at], high[at], [0x80; 4], high)?;
    tree.push(Node::Choice(part, end))
}
