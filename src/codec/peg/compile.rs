//! Compiling a tree into a program for the machine.
//!
//! What one byte can decide is tested without a choice, and the last call of a rule is a jump, so
//! that the machine's stack grows only where the pattern really has to come back.
//!
//! Invariant: every jump leads into the program; a program ends in `End`.

use std::cell::Cell;

use super::analysis::{Analysed, First, facts};
use super::charset::Charset;
use super::tree::{Kind, Node, TreeRef};

/// Nesting of different parts in a pattern.
const DEPTH: u32 = 500;

/// Bytes that a pattern may look back.
pub(super) const BEHIND: u32 = 255;

/// Longest capture that is noted in one step.
const FULL: u32 = 15;

/// An instruction. Numbers are positions in the program unless they say otherwise.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Instruction {
    /// Consumes any byte.
    Any,
    /// Consumes this byte.
    Char(u8),
    /// Consumes a byte of the set with this number.
    Set(u32),
    /// Goes on there at the end of the subject.
    TestAny(u32),
    /// Goes on there unless this byte is next.
    TestChar(u8, u32),
    /// Goes on there unless a byte of the set is next.
    TestSet(u32, u32),
    /// Consumes all bytes of the set.
    Span(u32),
    /// Goes back so many bytes.
    Behind(u8),
    /// Ends a rule.
    Return,
    /// Ends the match.
    End,
    /// Failing from here on goes on there.
    Choice(u32),
    /// Goes on there.
    Jump(u32),
    /// Runs the rule there.
    Call(u32),
    /// Gives up the last choice, and goes on there.
    Commit(u32),
    /// Takes the last choice for here, and goes on there.
    PartialCommit(u32),
    /// Gives up the last choice and what was consumed since, and goes on there.
    BackCommit(u32),
    /// Gives up the last choice, and fails.
    FailTwice,
    /// Fails.
    Fail,
    /// Starts a capture with its value.
    Open(Kind, u32),
    /// Ends the innermost capture.
    Close,
    /// Captures the last so many bytes.
    Full(Kind, u32, u8),
    /// Ends the innermost capture and asks its function.
    CloseRuntime,
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Program {
    /// What to do.
    pub code: Vec<Instruction>,
    /// Its sets.
    pub sets: Vec<Charset>,
}

/// A compiled pattern that somebody else keeps.
#[derive(Clone, Copy, Debug)]
pub struct ProgramRef<'a> {
    /// What to do.
    pub code: &'a [Instruction],
    /// Its sets.
    pub sets: &'a [Charset],
}

impl Program {
    /// A view of it.
    pub fn view(&self) -> ProgramRef<'_> {
        ProgramRef { code: &self.code, sets: &self.sets }
    }
}

/// Why a pattern cannot be compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompileError {
    /// It calls a rule by a name, whose number is this, and is in no grammar.
    OpenCall(u32),
    /// Its parts are nested too deep.
    TooDeep(u32),
}

/// Compiles a pattern.
///
/// # Errors
/// See `CompileError`.
pub fn compile(tree: TreeRef<'_>) -> Result<Program, CompileError> {
    let open = tree.nodes.iter().find_map(|node| match node {
        Node::OpenCall(name) => Some(*name),
        _ => None,
    });
    if let Some(name) = open {
        return Err(CompileError::OpenCall(name));
    }
    let facts = facts(tree);
    if facts.iter().any(|facts| facts.depth > DEPTH) {
        return Err(CompileError::TooDeep(DEPTH));
    }
    let looks = Cell::new(0);
    let about = Analysed { tree, facts: &facts, looks: &looks };
    let mut compiler = Compiler {
        about,
        code: Vec::new(),
        sets: Vec::new(),
        calls: Vec::new(),
        rules: Vec::new(),
    };
    compiler.node(tree.top(), Charset::FULL, None, false);
    compiler.emit(Instruction::End);
    compiler.thread_jumps();
    Ok(Program { code: compiler.code, sets: compiler.sets })
}

struct Compiler<'a> {
    about: Analysed<'a>,
    code: Vec<Instruction>,
    sets: Vec<Charset>,
    /// Calls, and the nodes of the rules they mean.
    calls: Vec<(u32, u32)>,
    /// Where the rules start, by node.
    rules: Vec<(u32, u32)>,
}

/// A target that is set later.
const OPEN: u32 = u32::MAX;

impl Compiler<'_> {
    fn here(&self) -> u32 {
        u32::try_from(self.code.len()).unwrap_or(OPEN)
    }

    fn emit(&mut self, instruction: Instruction) -> u32 {
        let at = self.here();
        self.code.push(instruction);
        at
    }

    fn set(&mut self, set: Charset) -> u32 {
        let known = self.sets.iter().rev().take(32).position(|other| *other == set);
        let at = match known {
            Some(back) => self.sets.len() - 1 - back,
            None => {
                self.sets.push(set);
                self.sets.len() - 1
            }
        };
        u32::try_from(at).unwrap_or(OPEN)
    }

    /// Lets the jump at `at` lead here.
    fn lead_here(&mut self, at: impl IntoIterator<Item = u32>) {
        let here = self.here();
        for at in at {
            if let Some(target) = target(&mut self.code[at as usize]) {
                *target = here;
            }
        }
    }

    /// A test that goes elsewhere when `first` shows that a pattern fails.
    fn test(&mut self, first: First) -> Option<u32> {
        if !first.decides() {
            return None;
        }
        let set = first.set;
        Some(if set.is_empty() {
            self.emit(Instruction::Jump(OPEN))
        } else if set == Charset::FULL {
            self.emit(Instruction::TestAny(OPEN))
        } else if let Some(byte) = set.single() {
            self.emit(Instruction::TestChar(byte, OPEN))
        } else {
            let set = self.set(set);
            self.emit(Instruction::TestSet(set, OPEN))
        })
    }

    /// Compiles a node that is followed by one of `follow`. `test` is a test that was passed right
    /// before; `optional`: the innermost choice leads behind this node.
    fn node(&mut self, at: u32, follow: Charset, test: Option<u32>, optional: bool) {
        let tree = self.about.tree;
        match tree.node(at) {
            Node::Char(_) | Node::Set(_) | Node::Any => self.byte(at, test),
            Node::True => {}
            Node::False => {
                self.emit(Instruction::Fail);
            }
            Node::Sequence(..) => self.sequence(at, follow, test, optional),
            Node::Choice(..) => self.choice(at, follow, optional),
            Node::Repeat(body) => self.repeat(body, follow, optional),
            Node::Not(body) => self.not(body),
            Node::And(body) => self.and(body, test),
            Node::Behind(body, count) => {
                if count > 0 {
                    self.emit(Instruction::Behind(count));
                }
                self.node(body, Charset::FULL, None, false);
            }
            Node::Capture(kind, value, body) => self.capture(kind, value, body, (follow, test)),
            Node::Runtime(function, body) => {
                self.emit(Instruction::Open(Kind::Group, function));
                self.node(body, Charset::FULL, test, false);
                self.emit(Instruction::CloseRuntime);
            }
            Node::Call(_, rule) => {
                let call = self.emit(Instruction::Call(OPEN));
                self.calls.push((call, rule));
            }
            Node::Grammar(start, count) => self.grammar(tree.rules_of(start, count)),
            Node::Rule(_, body) => self.node(body, follow, test, false),
            Node::OpenCall(_) => {
                self.emit(Instruction::Fail);
            }
        }
    }

    fn byte(&mut self, at: u32, test: Option<u32>) {
        let Some(set) = self.about.tree.charset(at) else { return };
        let tested = test.map(|test| self.code[test as usize]);
        let passed = match tested {
            Some(Instruction::TestChar(byte, _)) => set.single() == Some(byte),
            Some(Instruction::TestSet(other, _)) => self.sets[other as usize] == set,
            Some(Instruction::TestAny(_)) => set == Charset::FULL,
            _ => false,
        };
        if passed || set == Charset::FULL {
            self.emit(Instruction::Any);
        } else if set.is_empty() {
            self.emit(Instruction::Fail);
        } else if let Some(byte) = set.single() {
            self.emit(Instruction::Char(byte));
        } else {
            let set = self.set(set);
            self.emit(Instruction::Set(set));
        }
    }

    fn sequence(&mut self, at: u32, follow: Charset, test: Option<u32>, optional: bool) {
        let parts = self.about.parts(at);
        let mut test = test;
        for (position, part) in parts.iter().copied().enumerate() {
            let rest = &parts[position + 1..];
            if rest.is_empty() {
                return self.node(part, follow, test, optional);
            }
            let next = match self.about.needs_follow(part) {
                true => self.about.first_of_parts(rest, follow, 0).set,
                false => Charset::FULL,
            };
            self.node(part, next, test, false);
            if self.about.of(part).length != Some(0) {
                test = None;
            }
        }
    }

    fn choice(&mut self, at: u32, follow: Charset, optional: bool) {
        let parts = self.about.alternatives(at);
        // What the parts from each one on may begin with.
        let mut rests =
            vec![First { set: Charset::EMPTY, passes: false, asks: false }; parts.len()];
        for position in (0..parts.len()).rev() {
            let first = self.about.first(parts[position], follow);
            let rest = rests.get(position + 1).copied();
            rests[position] = match rest {
                None => first,
                Some(rest) => First {
                    set: first.set.union(rest.set),
                    passes: first.passes || rest.passes,
                    asks: first.asks || rest.asks,
                },
            };
        }
        let mut ends = Vec::new();
        for (position, part) in parts.iter().copied().enumerate() {
            let Some(rest) = rests.get(position + 1) else {
                self.node(part, follow, None, optional);
                break;
            };
            let last_is_nothing = position + 2 == parts.len()
                && self.about.tree.node(parts[position + 1]) == Node::True;
            let first = self.about.first(part, Charset::FULL);
            if self.about.fails_at_once(part) || first.decides() && first.set.is_disjoint(rest.set)
            {
                let test = self.test(First { passes: false, asks: false, ..first });
                self.node(part, Charset::FULL, test, false);
                if !last_is_nothing {
                    ends.push(self.emit(Instruction::Jump(OPEN)));
                }
                self.lead_here(test);
            } else if optional && last_is_nothing {
                let next = self.here() + 1;
                self.emit(Instruction::PartialCommit(next));
                self.node(part, Charset::FULL, None, true);
            } else {
                let test = self.test(first);
                let choice = self.emit(Instruction::Choice(OPEN));
                self.node(part, Charset::FULL, test, last_is_nothing);
                ends.push(self.emit(Instruction::Commit(OPEN)));
                self.lead_here([choice]);
                self.lead_here(test);
            }
        }
        self.lead_here(ends);
    }

    fn repeat(&mut self, body: u32, follow: Charset, optional: bool) {
        if let Some(set) = self.about.tree.charset(body) {
            let set = self.set(set);
            self.emit(Instruction::Span(set));
            return;
        }
        let first = self.about.first(body, Charset::FULL);
        if self.about.fails_at_once(body) || first.decides() && first.set.is_disjoint(follow) {
            let start = self.here();
            let test = self.test(First { passes: false, asks: false, ..first });
            self.node(body, Charset::FULL, test, false);
            self.emit(Instruction::Jump(start));
            self.lead_here(test);
            return;
        }
        let test = self.test(first);
        let choice = if optional {
            let next = self.here() + 1;
            self.emit(Instruction::PartialCommit(next));
            None
        } else {
            Some(self.emit(Instruction::Choice(OPEN)))
        };
        let start = self.here();
        self.node(body, Charset::FULL, None, false);
        self.emit(Instruction::PartialCommit(start));
        self.lead_here(choice);
        self.lead_here(test);
    }

    fn not(&mut self, body: u32) {
        let first = self.about.first(body, Charset::FULL);
        let at_once = self.about.fails_at_once(body);
        if at_once {
            let test = self.test(First { passes: false, asks: false, ..first });
            self.emit(Instruction::Fail);
            self.lead_here(test);
        } else {
            let test = self.test(first);
            let choice = self.emit(Instruction::Choice(OPEN));
            self.node(body, Charset::FULL, None, false);
            self.emit(Instruction::FailTwice);
            self.lead_here([choice]);
            self.lead_here(test);
        }
    }

    fn and(&mut self, body: u32, test: Option<u32>) {
        let facts = self.about.of(body);
        match facts.length.filter(|length| *length <= BEHIND && !facts.captures) {
            Some(length) => {
                self.node(body, Charset::FULL, test, false);
                if let Ok(count @ 1..) = u8::try_from(length) {
                    self.emit(Instruction::Behind(count));
                }
            }
            None => {
                let choice = self.emit(Instruction::Choice(OPEN));
                self.node(body, Charset::FULL, test, false);
                let commit = self.emit(Instruction::BackCommit(OPEN));
                self.lead_here([choice]);
                self.emit(Instruction::Fail);
                self.lead_here([commit]);
            }
        }
    }

    fn capture(
        &mut self,
        kind: Kind,
        value: u32,
        body: u32,
        (follow, test): (Charset, Option<u32>),
    ) {
        let facts = self.about.of(body);
        let short = facts.length.filter(|length| *length <= FULL && !facts.captures);
        if let Some(Ok(length)) = short.map(u8::try_from) {
            self.node(body, follow, test, false);
            self.emit(Instruction::Full(kind, value, length));
        } else {
            self.emit(Instruction::Open(kind, value));
            self.node(body, follow, test, false);
            self.emit(Instruction::Close);
        }
    }

    fn grammar(&mut self, rules: &[u32]) {
        let first = self.emit(Instruction::Call(OPEN));
        self.calls.push((first, rules[0]));
        let over = self.emit(Instruction::Jump(OPEN));
        for rule in rules {
            let here = self.here();
            self.rules.push((*rule, here));
            self.node(*rule, Charset::FULL, None, false);
            self.emit(Instruction::Return);
        }
        self.lead_here([over]);
        // Calls of this grammar's rules: all are known now.
        let calls = std::mem::take(&mut self.calls);
        for (call, rule) in calls {
            match self.rules.iter().rev().find(|(node, _)| *node == rule) {
                Some((_, start)) => self.code[call as usize] = Instruction::Call(*start),
                None => self.calls.push((call, rule)),
            }
        }
    }

    /// Makes jumps lead to where they end up, and the last call of a rule a jump.
    fn thread_jumps(&mut self) {
        for at in 0..self.code.len() {
            let mut instruction = self.code[at];
            if let Instruction::Call(start) = instruction
                && self.code[self.end_of(at + 1)] == Instruction::Return
            {
                instruction = Instruction::Jump(start);
            }
            if let Some(target) = target(&mut instruction) {
                *target = u32::try_from(self.end_of(*target as usize)).unwrap_or(OPEN);
            }
            if let Instruction::Jump(to) = instruction
                && let end @ (Instruction::Return
                | Instruction::Fail
                | Instruction::FailTwice
                | Instruction::End
                | Instruction::Commit(_)
                | Instruction::PartialCommit(_)
                | Instruction::BackCommit(_)) = self.code[to as usize]
            {
                instruction = end;
            }
            self.code[at] = instruction;
        }
    }

    /// Where one ends up who goes on at `at`.
    fn end_of(&self, at: usize) -> usize {
        let mut at = at;
        // A loop of jumps has no end; one that is longer than this is not worth more.
        for _ in 0..64 {
            match self.code[at] {
                Instruction::Jump(to) => at = to as usize,
                _ => break,
            }
        }
        at
    }
}

/// Where an instruction may lead.
fn target(instruction: &mut Instruction) -> Option<&mut u32> {
    match instruction {
        Instruction::TestAny(target)
        | Instruction::TestChar(_, target)
        | Instruction::TestSet(_, target)
        | Instruction::Choice(target)
        | Instruction::Jump(target)
        | Instruction::Call(target)
        | Instruction::Commit(target)
        | Instruction::PartialCommit(target)
        | Instruction::BackCommit(target) => Some(target),
        _ => None,
    }
}
