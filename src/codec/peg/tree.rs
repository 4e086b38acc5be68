//! Patterns as trees, and the ways to put them together.
//!
//! Invariant: the children of a node stand before it, the root stands last. A tree holds plain
//! values only, so its bytes can be kept anywhere.

use super::charset::Charset;

/// Nodes of a pattern: each combination copies its parts, and squaring a pattern over and over
/// would fill any memory.
pub const MAX_NODES: usize = 1 << 20;

/// What a capture is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// The end of the innermost open one.
    Close,
    /// The position.
    Position,
    /// A constant.
    Constant,
    /// The values of an earlier group.
    Back,
    /// An extra argument of the match.
    Argument,
    /// The text.
    Simple,
    /// A table of the values inside.
    Table,
    /// What a function makes of the values inside.
    Function,
    /// What a table has under the value inside.
    Query,
    /// A text with the values inside.
    Text,
    /// One of the values inside.
    Number,
    /// The text with the values inside in the place of what they stand for.
    Substitution,
    /// The values inside joined by a function.
    Fold,
    /// A value that a function gave during the match.
    Runtime,
    /// The values inside, perhaps under a name.
    Group,
}

/// A part of a pattern. Numbers of nodes are positions in the tree.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Node {
    /// One byte.
    Char(u8),
    /// A byte of a set.
    Set(u32),
    /// Any byte.
    Any,
    /// Nothing, with success.
    True,
    /// Nothing, without.
    False,
    /// As many as there are.
    Repeat(u32),
    /// One, then the other.
    Sequence(u32, u32),
    /// One, or else the other.
    Choice(u32, u32),
    /// Not this, consuming nothing.
    Not(u32),
    /// This, consuming nothing.
    And(u32),
    /// This, so many bytes back.
    Behind(u32, u8),
    /// A rule by its name, in a grammar to come.
    OpenCall(u32),
    /// A rule: the value of its name, and its node.
    Call(u32, u32),
    /// The rule with a name: the value of the name, and the body.
    Rule(u32, u32),
    /// Rules, the first one first: where they start in the list of rules, and how many they are.
    Grammar(u32, u32),
    /// A capture: its value, and what it captures.
    Capture(Kind, u32, u32),
    /// A function that decides how the match goes on: its value, and what it gets.
    Runtime(u32, u32),
}

/// The pattern would have more than `MAX_NODES` parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooBig;

/// A pattern.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    /// Its parts.
    pub nodes: Vec<Node>,
    /// Its sets.
    pub sets: Vec<Charset>,
    /// The rules of its grammars.
    pub rules: Vec<u32>,
}

/// A pattern that somebody else keeps.
#[derive(Clone, Copy, Debug)]
pub struct TreeRef<'a> {
    /// Its parts.
    pub nodes: &'a [Node],
    /// Its sets.
    pub sets: &'a [Charset],
    /// The rules of its grammars.
    pub rules: &'a [u32],
}

impl<'a> TreeRef<'a> {
    /// The root.
    pub fn root(self) -> Node {
        self.nodes.last().copied().unwrap_or(Node::True)
    }

    /// The position of the root.
    pub fn top(self) -> u32 {
        u32::try_from(self.nodes.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// The node at a position.
    #[inline]
    pub fn node(self, at: u32) -> Node {
        self.nodes[at as usize]
    }

    /// The rules of a grammar.
    pub fn rules_of(self, start: u32, count: u32) -> &'a [u32] {
        &self.rules[start as usize..][..count as usize]
    }

    /// The node as a set of bytes, if it is that.
    pub fn charset(self, at: u32) -> Option<Charset> {
        match self.node(at) {
            Node::Char(byte) => Some(Charset::of(byte)),
            Node::Set(set) => Some(self.sets[set as usize]),
            Node::Any => Some(Charset::FULL),
            _ => None,
        }
    }
}

fn position(count: usize) -> Result<u32, TooBig> {
    if count >= MAX_NODES {
        return Err(TooBig);
    }
    u32::try_from(count).map_err(|_| TooBig)
}

impl Tree {
    /// A view of it.
    pub fn view(&self) -> TreeRef<'_> {
        TreeRef { nodes: &self.nodes, sets: &self.sets, rules: &self.rules }
    }

    /// A pattern of one part without children.
    pub fn leaf(node: Node) -> Self {
        Self { nodes: vec![node], ..Self::default() }
    }

    /// A byte of a set.
    pub fn set(set: Charset) -> Self {
        Self { nodes: vec![Node::Set(0)], sets: vec![set], rules: Vec::new() }
    }

    /// A text.
    ///
    /// # Errors
    /// When it is too long.
    pub fn text(text: &[u8]) -> Result<Self, TooBig> {
        let mut tree = Self::default();
        let mut last = None;
        for byte in text {
            let at = tree.push(Node::Char(*byte))?;
            last = Some(match last {
                None => at,
                Some(before) => tree.push(Node::Sequence(before, at))?,
            });
        }
        if last.is_none() {
            tree.push(Node::True)?;
        }
        Ok(tree)
    }

    /// So many bytes; a negative number: not as many.
    ///
    /// # Errors
    /// When there are too many.
    pub fn count(number: i64) -> Result<Self, TooBig> {
        let mut tree = Self::default();
        if number == 0 {
            return Ok(Self::leaf(Node::True));
        }
        let mut last = tree.push(Node::Any)?;
        for _ in 1..number.unsigned_abs() {
            let at = tree.push(Node::Any)?;
            last = tree.push(Node::Sequence(last, at))?;
        }
        if number < 0 {
            tree.push(Node::Not(last))?;
        }
        Ok(tree)
    }

    /// Adds a node; its children are there already.
    ///
    /// # Errors
    /// When there are too many.
    pub fn push(&mut self, node: Node) -> Result<u32, TooBig> {
        let at = position(self.nodes.len())?;
        self.nodes.push(node);
        Ok(at)
    }

    /// Adds a copy of a pattern whose values have numbers that much higher here; the position of
    /// its root.
    ///
    /// # Errors
    /// When there are too many nodes.
    pub fn append(&mut self, tree: TreeRef<'_>, keys: u32) -> Result<u32, TooBig> {
        position(self.nodes.len() + tree.nodes.len())?;
        let base = position(self.nodes.len())?;
        let sets = position(self.sets.len())?;
        let rules = position(self.rules.len())?;
        let key = |key: u32| if key == 0 { 0 } else { key + keys };
        // The number of a capture of these kinds is no value.
        let value = |kind, number| match kind {
            Kind::Argument | Kind::Number => number,
            _ => key(number),
        };
        self.nodes.extend(tree.nodes.iter().map(|node| match *node {
            Node::Set(set) => Node::Set(set + sets),
            Node::Repeat(body) => Node::Repeat(body + base),
            Node::Sequence(left, right) => Node::Sequence(left + base, right + base),
            Node::Choice(left, right) => Node::Choice(left + base, right + base),
            Node::Not(body) => Node::Not(body + base),
            Node::And(body) => Node::And(body + base),
            Node::Behind(body, count) => Node::Behind(body + base, count),
            Node::OpenCall(name) => Node::OpenCall(key(name)),
            Node::Call(name, rule) => Node::Call(key(name), rule + base),
            Node::Rule(name, body) => Node::Rule(key(name), body + base),
            Node::Grammar(start, count) => Node::Grammar(start + rules, count),
            Node::Capture(kind, number, body) => {
                Node::Capture(kind, value(kind, number), body + base)
            }
            Node::Runtime(function, body) => Node::Runtime(key(function), body + base),
            leaf @ (Node::Char(_) | Node::Any | Node::True | Node::False) => leaf,
        }));
        self.sets.extend_from_slice(tree.sets);
        self.rules.extend(tree.rules.iter().map(|rule| rule + base));
        position(self.nodes.len() - 1)
    }

    /// A pattern with one child.
    ///
    /// # Errors
    /// When it is too big.
    pub fn unary(tree: TreeRef<'_>, node: impl FnOnce(u32) -> Node) -> Result<Self, TooBig> {
        let mut new = Self::default();
        let body = new.append(tree, 0)?;
        new.push(node(body))?;
        Ok(new)
    }

    /// A pattern with two children. The values of the second one have numbers higher by `keys`.
    ///
    /// # Errors
    /// When it is too big.
    pub fn binary(
        left: TreeRef<'_>,
        right: TreeRef<'_>,
        keys: u32,
        node: impl FnOnce(u32, u32) -> Node,
    ) -> Result<Self, TooBig> {
        let mut new = Self::default();
        let left = new.append(left, 0)?;
        let right = new.append(right, keys)?;
        new.push(node(left, right))?;
        Ok(new)
    }

    /// The pattern at least `count` times; a negative number: at most as many times.
    ///
    /// # Errors
    /// When it is too big.
    pub fn power(tree: TreeRef<'_>, count: i64) -> Result<Self, TooBig> {
        let times = usize::try_from(count.unsigned_abs()).map_err(|_| TooBig)?;
        position(times.saturating_mul(tree.nodes.len() + 2))?;
        let mut new = Self::default();
        if count >= 0 {
            let body = new.append(tree, 0)?;
            let mut last = new.push(Node::Repeat(body))?;
            for _ in 0..times {
                let before = new.append(tree, 0)?;
                last = new.push(Node::Sequence(before, last))?;
            }
            return Ok(new);
        }
        let mut last = new.push(Node::True)?;
        for _ in 0..times {
            let nothing = new.push(Node::True)?;
            let body = new.append(tree, 0)?;
            let some = match new.nodes[last as usize] {
                Node::True => body,
                _ => new.push(Node::Sequence(body, last))?,
            };
            last = new.push(Node::Choice(some, nothing))?;
        }
        Ok(new)
    }
}
