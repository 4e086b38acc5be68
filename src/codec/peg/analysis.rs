//! What can be told of a pattern without running it.
//!
//! Invariant: what rules call each other for is found by going over all until nothing changes, so
//! recursion needs no special care.

use std::cell::Cell;

use super::charset::Charset;
use super::tree::{Node, TreeRef};

/// Nesting of calls that the search for first bytes follows; beyond it the answer is the careful
/// one.
const FOLLOWED: usize = 300;

/// Nodes that the search looks at for one pattern; beyond it the answers are the careful ones.
/// Rules that call each other twice would take it for ever.
const LOOKS: u32 = 1 << 22;

/// What is known of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// It may succeed without consuming anything.
    pub nullable: bool,
    /// It never fails.
    pub never_fails: bool,
    /// There are captures in it.
    pub captures: bool,
    /// The number of bytes it consumes, if that is always the same.
    pub length: Option<u32>,
    /// Nesting of different parts.
    pub depth: u32,
}

/// The facts of every node.
pub fn facts(tree: TreeRef<'_>) -> Vec<Facts> {
    let mut facts = vec![Facts::default(); tree.nodes.len()];
    let recursive = tree.nodes.iter().any(|node| matches!(node, Node::Call(..)));
    loop {
        let mut changed = false;
        for at in 0..facts.len() {
            let new = of_node(tree, &facts, tree.nodes[at]);
            changed |= new != facts[at];
            facts[at] = new;
        }
        if !(changed && recursive) {
            break;
        }
    }
    if recursive {
        find_lengths(tree, &mut facts);
    }
    facts
}

/// Lengths of patterns with calls: those of the rules that need no other rule first.
fn find_lengths(tree: TreeRef<'_>, facts: &mut [Facts]) {
    loop {
        let mut changed = false;
        for at in 0..facts.len() {
            let length = match tree.nodes[at] {
                Node::Call(_, rule) => facts[rule as usize].length,
                node => of_node(tree, facts, node).length,
            };
            changed |= length != facts[at].length;
            facts[at].length = length;
        }
        if !changed {
            break;
        }
    }
}

fn of_node(tree: TreeRef<'_>, facts: &[Facts], node: Node) -> Facts {
    let of = |at: u32| facts[at as usize];
    let deeper = |facts: Facts| Facts { depth: facts.depth + 1, ..facts };
    match node {
        Node::Char(_) | Node::Any | Node::Set(_) => Facts { length: Some(1), ..Facts::default() },
        Node::True => {
            Facts { nullable: true, never_fails: true, length: Some(0), ..Facts::default() }
        }
        Node::False => Facts { length: Some(0), ..Facts::default() },
        Node::OpenCall(_) => Facts::default(),
        Node::Repeat(body) => Facts {
            nullable: true,
            never_fails: true,
            captures: of(body).captures,
            length: None,
            depth: of(body).depth + 1,
        },
        Node::Sequence(left, right) => {
            let (first, second) = (of(left), of(right));
            Facts {
                nullable: first.nullable && second.nullable,
                never_fails: first.never_fails && second.never_fails,
                captures: first.captures || second.captures,
                length: first.length.zip(second.length).and_then(|(a, b)| a.checked_add(b)),
                depth: joined_depth(tree, facts, [left, right], |node| {
                    matches!(node, Node::Sequence(..))
                }),
            }
        }
        Node::Choice(left, right) => {
            let (first, second) = (of(left), of(right));
            Facts {
                nullable: first.nullable || second.nullable,
                never_fails: first.never_fails || second.never_fails,
                captures: first.captures || second.captures,
                length: first.length.filter(|length| second.length == Some(*length)),
                depth: joined_depth(tree, facts, [left, right], |node| {
                    matches!(node, Node::Choice(..))
                }),
            }
        }
        Node::Not(body) | Node::Behind(body, _) => Facts {
            nullable: true,
            never_fails: false,
            captures: of(body).captures,
            length: Some(0),
            depth: of(body).depth + 1,
        },
        Node::And(body) => Facts { nullable: true, length: Some(0), ..deeper(of(body)) },
        Node::Call(_, rule) => {
            // Its length comes later, and its depth is not that of this pattern.
            Facts { length: None, depth: 0, ..of(rule) }
        }
        Node::Rule(_, body) => deeper(of(body)),
        Node::Grammar(start, count) => {
            let rules = tree.rules_of(start, count);
            let depth = rules.iter().map(|rule| of(*rule).depth).max().unwrap_or(0);
            let captures = rules.iter().any(|rule| of(*rule).captures);
            let first = rules.first().map_or_else(Facts::default, |rule| of(*rule));
            Facts { depth: depth + 1, captures, ..first }
        }
        Node::Capture(_, _, body) => Facts { captures: true, ..deeper(of(body)) },
        Node::Runtime(_, body) => {
            Facts { never_fails: false, captures: true, length: None, ..deeper(of(body)) }
        }
    }
}

/// Lists nest to one side; they are one level, however long.
fn joined_depth(
    tree: TreeRef<'_>,
    facts: &[Facts],
    parts: [u32; 2],
    same: impl Fn(Node) -> bool,
) -> u32 {
    let depth = |at: u32| facts[at as usize].depth + u32::from(!same(tree.node(at)));
    parts.into_iter().map(depth).max().unwrap_or(0)
}

/// How the first bytes of a pattern decide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct First {
    /// The bytes with which it, or what follows it, can begin.
    pub(super) set: Charset,
    /// It may succeed without consuming, so another byte does not make it fail.
    pub(super) passes: bool,
    /// A function of the script may have a say, which has to be asked.
    pub(super) asks: bool,
}

impl First {
    pub(super) fn decides(self) -> bool {
        !self.passes && !self.asks
    }
}

/// A tree with its facts.
#[derive(Clone, Copy)]
pub(super) struct Analysed<'a> {
    pub(super) tree: TreeRef<'a>,
    pub(super) facts: &'a [Facts],
    /// How many nodes the search has looked at.
    pub(super) looks: &'a Cell<u32>,
}

impl Analysed<'_> {
    pub(super) fn of(self, at: u32) -> Facts {
        self.facts[at as usize]
    }

    /// Counts a look; true when there were too many, or they go too deep.
    fn gives_up(self, depth: usize) -> bool {
        self.looks.set(self.looks.get().saturating_add(1));
        depth > FOLLOWED || self.looks.get() > LOOKS
    }

    /// The first bytes of a node that is followed by one of `follow`.
    pub(super) fn first(self, at: u32, follow: Charset) -> First {
        self.first_within(at, follow, 0)
    }

    fn first_within(self, at: u32, follow: Charset, depth: usize) -> First {
        let deeper = |at, follow| self.first_within(at, follow, depth + 1);
        if self.gives_up(depth) {
            return First { set: Charset::FULL, passes: true, asks: true };
        }
        let plain = |set| First { set, passes: false, asks: false };
        match self.tree.node(at) {
            Node::Char(byte) => plain(Charset::of(byte)),
            Node::Any => plain(Charset::FULL),
            Node::Set(set) => plain(self.tree.sets[set as usize]),
            Node::False => plain(Charset::EMPTY),
            Node::True => First { set: follow, passes: true, asks: false },
            Node::OpenCall(_) => First { set: Charset::FULL, passes: true, asks: true },
            Node::Choice(..) => {
                let mut all = plain(Charset::EMPTY);
                for part in self.alternatives(at) {
                    all = either(all, deeper(part, follow));
                }
                all
            }
            Node::Sequence(..) => self.first_of_parts(&self.parts(at), follow, depth + 1),
            Node::Repeat(body) => {
                let body = deeper(body, follow);
                First { set: body.set.union(follow), passes: true, asks: body.asks }
            }
            Node::Capture(_, _, body) | Node::Rule(_, body) | Node::Call(_, body) => {
                deeper(body, follow)
            }
            Node::Grammar(start, count) => match self.tree.rules_of(start, count).first() {
                Some(rule) => deeper(*rule, follow),
                None => plain(Charset::EMPTY),
            },
            Node::Runtime(_, body) => {
                let body = deeper(body, Charset::FULL);
                First { asks: !body.decides(), ..body }
            }
            Node::And(body) => {
                let body = deeper(body, follow);
                First { set: body.set.intersection(follow), ..body }
            }
            Node::Not(body) => match self.tree.charset(body) {
                Some(set) => First { set: set.complement(), passes: true, asks: false },
                None => First { set: follow, passes: true, asks: deeper(body, follow).asks },
            },
            Node::Behind(body, _) => {
                First { set: follow, passes: true, asks: deeper(body, follow).asks }
            }
        }
    }

    /// The first bytes of parts one after the other.
    pub(super) fn first_of_parts(self, parts: &[u32], follow: Charset, depth: usize) -> First {
        let nullable = parts.iter().take_while(|part| self.of(**part).nullable).count();
        let (mut set, mut passes) = (follow, true);
        let mut asks = false;
        let deciding = match parts.get(nullable) {
            Some(part) => {
                let first = self.first_within(*part, Charset::FULL, depth);
                (set, passes, asks) = (first.set, first.passes, first.asks);
                &parts[..nullable]
            }
            None => parts,
        };
        for part in deciding.iter().rev() {
            let first = self.first_within(*part, set, depth);
            set = first.set;
            if first.decides() {
                (passes, asks) = (false, false);
            } else {
                asks |= first.asks;
            }
        }
        First { set, passes, asks }
    }

    /// Whether looking at one byte is enough to know that it fails.
    pub(super) fn fails_at_once(self, at: u32) -> bool {
        self.fails_within(at, 0)
    }

    fn fails_within(self, at: u32, depth: usize) -> bool {
        if self.gives_up(depth) {
            return false;
        }
        match self.tree.node(at) {
            Node::Char(_) | Node::Set(_) | Node::Any | Node::False => true,
            Node::True
            | Node::Repeat(_)
            | Node::Runtime(..)
            | Node::Not(_)
            | Node::Behind(..)
            | Node::OpenCall(_) => false,
            Node::Capture(_, _, body)
            | Node::Rule(_, body)
            | Node::And(body)
            | Node::Call(_, body) => self.fails_within(body, depth + 1),
            Node::Grammar(start, count) => {
                let first = self.tree.rules_of(start, count).first();
                first.is_some_and(|rule| self.fails_within(*rule, depth + 1))
            }
            Node::Sequence(..) => {
                let parts = self.parts(at);
                parts[1..].iter().all(|part| self.of(*part).never_fails)
                    && self.fails_within(parts[0], depth + 1)
            }
            Node::Choice(..) => {
                self.alternatives(at).into_iter().all(|part| self.fails_within(part, depth + 1))
            }
        }
    }

    /// The parts of a sequence, however it is nested.
    pub(super) fn parts(self, at: u32) -> Vec<u32> {
        self.flat(at, |node| match node {
            Node::Sequence(left, right) => Some((left, right)),
            _ => None,
        })
    }

    /// The parts of a choice, however it is nested.
    pub(super) fn alternatives(self, at: u32) -> Vec<u32> {
        self.flat(at, |node| match node {
            Node::Choice(left, right) => Some((left, right)),
            _ => None,
        })
    }

    fn flat(self, at: u32, split: impl Fn(Node) -> Option<(u32, u32)>) -> Vec<u32> {
        let mut parts = Vec::new();
        let mut waiting = vec![at];
        while let Some(at) = waiting.pop() {
            match split(self.tree.node(at)) {
                Some((left, right)) => waiting.extend([right, left]),
                None => parts.push(at),
            }
        }
        parts
    }

    /// Whether what follows a node changes how it is compiled.
    pub(super) fn needs_follow(self, at: u32) -> bool {
        match self.tree.node(at) {
            Node::Choice(..) | Node::Repeat(_) => true,
            Node::Capture(_, _, body) => self.needs_follow(body),
            _ => false,
        }
    }
}

fn either(left: First, right: First) -> First {
    First {
        set: left.set.union(right.set),
        passes: left.passes || right.passes,
        asks: left.asks || right.asks,
    }
}
