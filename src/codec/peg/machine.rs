//! The machine that runs a program over a subject.
//!
//! Invariant: the stack has at most as many entries as its limit says, the captures at most
//! `CAPTURES`; each step moves the program counter, so a pause is possible anywhere.

use super::compile::{Instruction, ProgramRef};
use super::tree::Kind;

/// Entries of the stack, unless the script says otherwise.
pub const STACK: usize = 400;

/// Captures of a match: 16 bytes each, so a quarter of a GiB.
pub const CAPTURES: usize = 1 << 24;

/// Where the subject continues, in an entry that a call has left: nowhere.
const CALLED: u32 = u32::MAX;

/// Something captured, or the start or end of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Capture {
    /// Position in the subject.
    pub at: u32,
    /// Length of a whole capture plus one; zero for the start of one.
    pub size: u32,
    /// Its value.
    pub value: u32,
    /// What it is for.
    pub kind: Kind,
}

impl Capture {
    /// Whether it stands for itself, without an end.
    pub const fn is_whole(self) -> bool {
        self.size != 0
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u32,
    code: u32,
    captures: u32,
}

/// Where a run has stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The pattern matches up to this position.
    Matched(u32),
    /// It does not.
    Failed,
    /// A function has to be asked, about what was captured from this capture on, at this position.
    Runtime(u32, u32),
    /// The stack is at its limit.
    StackOverflow,
    /// There are `CAPTURES` captures.
    TooManyCaptures,
    /// So many steps are done; it can be run on.
    Paused,
}

/// A match in progress.
#[derive(Debug, Default)]
pub struct Machine {
    /// What is captured so far.
    pub captures: Vec<Capture>,
    /// Where the captures of the values that functions gave stand, by number; some may be gone.
    given: Vec<u32>,
    stack: Vec<Entry>,
    code: u32,
    at: u32,
    limit: usize,
}

impl Machine {
    /// Starts a match at a position.
    pub fn start(&mut self, at: u32, limit: usize) {
        self.captures.clear();
        self.stack.clear();
        self.given.clear();
        (self.code, self.at, self.limit) = (0, at, limit);
        // What is left when everything has failed counts as an entry.
        self.stack.push(Entry { at, code: u32::MAX, captures: 0 });
    }

    /// Goes on after `Runtime`: at a position, or by failing.
    pub fn answer(&mut self, at: Option<u32>) -> bool {
        match at {
            Some(at) => {
                self.at = at;
                true
            }
            None => self.fail(),
        }
    }

    /// Number of the values that functions gave and that the match still has.
    pub fn values(&mut self) -> u32 {
        while let Some(at) = self.given.last() {
            let number = u32::try_from(self.given.len()).unwrap_or(u32::MAX);
            let there = self.captures.get(*at as usize);
            if there.is_some_and(|it| it.kind == Kind::Runtime && it.value == number) {
                return number;
            }
            self.given.pop();
        }
        0
    }

    /// Puts so many values of a function in the place of the captures from `open` on; they have the
    /// numbers that follow those there are.
    pub fn give(&mut self, open: u32, at: u32, count: u32) {
        let from = self.captures.get(open as usize).map_or(at, |capture| capture.at);
        self.captures.truncate(open as usize);
        if count == 0 {
            return;
        }
        let first = self.values() + 1;
        let capture = |kind, size, value| Capture { at, size, value, kind };
        self.captures.push(Capture { at: from, ..capture(Kind::Group, 0, 0) });
        for number in first..first + count {
            self.given.push(u32::try_from(self.captures.len()).unwrap_or(u32::MAX));
            self.captures.push(capture(Kind::Runtime, 1, number));
        }
        self.captures.push(capture(Kind::Close, 1, 0));
    }

    /// Gives back memory beyond what ordinary matches need.
    pub fn shrink(&mut self) {
        self.captures.clear();
        self.captures.shrink_to(1 << 10);
        self.stack.shrink_to(1 << 10);
    }

    /// Goes back to the last choice; false if there is none.
    #[inline]
    fn fail(&mut self) -> bool {
        while let Some(entry) = self.stack.pop() {
            if entry.at != CALLED {
                self.at = entry.at;
                self.code = entry.code;
                self.captures.truncate(entry.captures as usize);
                return !self.stack.is_empty();
            }
        }
        false
    }

    #[inline]
    fn push(&mut self, at: u32, code: u32) -> bool {
        if self.stack.len() >= self.limit {
            return false;
        }
        let captures = u32::try_from(self.captures.len()).unwrap_or(u32::MAX);
        self.stack.push(Entry { at, code, captures });
        true
    }

    /// Runs at most `steps` steps.
    pub fn run(&mut self, program: ProgramRef<'_>, subject: &[u8], steps: usize) -> Step {
        for _ in 0..steps {
            let next = subject.get(self.at as usize).copied();
            let instruction = program.code[self.code as usize];
            self.code += 1;
            let goes_on = match instruction {
                Instruction::Any => self.consume(next.is_some()),
                Instruction::Char(byte) => self.consume(next == Some(byte)),
                Instruction::Set(set) => {
                    let set = &program.sets[set as usize];
                    self.consume(next.is_some_and(|byte| set.contains(byte)))
                }
                Instruction::TestAny(to) => self.test(next.is_some(), to),
                Instruction::TestChar(byte, to) => self.test(next == Some(byte), to),
                Instruction::TestSet(set, to) => {
                    let set = &program.sets[set as usize];
                    self.test(next.is_some_and(|byte| set.contains(byte)), to)
                }
                Instruction::Span(set) => {
                    let set = &program.sets[set as usize];
                    let rest = subject.get(self.at as usize..).unwrap_or_default();
                    let length = rest.iter().take_while(|byte| set.contains(**byte)).count();
                    self.at += u32::try_from(length).unwrap_or(0);
                    true
                }
                Instruction::Behind(count) => match self.at.checked_sub(count.into()) {
                    Some(at) => {
                        self.at = at;
                        true
                    }
                    None => self.fail(),
                },
                Instruction::Return => {
                    self.code = self.stack.pop().map_or(0, |entry| entry.code);
                    true
                }
                Instruction::End => return self.end(),
                Instruction::Choice(to) => {
                    if !self.push(self.at, to) {
                        return Step::StackOverflow;
                    }
                    true
                }
                Instruction::Jump(to) => self.jump(to),
                Instruction::Call(to) => {
                    if !self.push(CALLED, self.code) {
                        return Step::StackOverflow;
                    }
                    self.jump(to)
                }
                Instruction::Commit(to) => {
                    self.stack.pop();
                    self.jump(to)
                }
                Instruction::PartialCommit(to) => {
                    let captures = u32::try_from(self.captures.len()).unwrap_or(u32::MAX);
                    if let Some(entry) = self.stack.last_mut() {
                        (entry.at, entry.captures) = (self.at, captures);
                    }
                    self.jump(to)
                }
                Instruction::BackCommit(to) => {
                    if let Some(entry) = self.stack.pop() {
                        self.at = entry.at;
                        self.captures.truncate(entry.captures as usize);
                    }
                    self.jump(to)
                }
                Instruction::FailTwice => {
                    self.stack.pop();
                    self.fail()
                }
                Instruction::Fail => self.fail(),
                Instruction::Open(kind, value) => {
                    if !self.capture(Capture { at: self.at, size: 0, value, kind }) {
                        return Step::TooManyCaptures;
                    }
                    true
                }
                Instruction::Full(kind, value, length) => {
                    let length = u32::from(length);
                    let at = self.at - length;
                    if !self.capture(Capture { at, size: length + 1, value, kind }) {
                        return Step::TooManyCaptures;
                    }
                    true
                }
                Instruction::Close => {
                    let at = self.at;
                    // One with nothing in it becomes whole.
                    match self.captures.last_mut() {
                        Some(open) if !open.is_whole() && open.kind != Kind::Close => {
                            open.size = at - open.at + 1;
                        }
                        _ => {
                            let close = Capture { at, size: 1, value: 0, kind: Kind::Close };
                            if !self.capture(close) {
                                return Step::TooManyCaptures;
                            }
                        }
                    }
                    true
                }
                Instruction::CloseRuntime => return self.ask(),
            };
            if !goes_on {
                return Step::Failed;
            }
        }
        Step::Paused
    }

    #[inline(always)]
    fn consume(&mut self, fits: bool) -> bool {
        if fits {
            self.at += 1;
            true
        } else {
            self.fail()
        }
    }

    #[inline(always)]
    fn test(&mut self, fits: bool, to: u32) -> bool {
        if !fits {
            self.code = to;
        }
        true
    }

    #[inline(always)]
    fn jump(&mut self, to: u32) -> bool {
        self.code = to;
        true
    }

    #[inline]
    fn capture(&mut self, capture: Capture) -> bool {
        if self.captures.len() >= CAPTURES {
            return false;
        }
        self.captures.push(capture);
        true
    }

    fn end(&mut self) -> Step {
        let close = Capture { at: self.at, size: 1, value: 0, kind: Kind::Close };
        self.captures.push(close);
        Step::Matched(self.at)
    }

    /// Closes the innermost open capture, and asks about it.
    fn ask(&mut self) -> Step {
        let mut open = self.captures.len();
        let mut closed = 0;
        while open > 0 {
            open -= 1;
            let capture = self.captures[open];
            if capture.kind == Kind::Close {
                closed += 1;
            } else if !capture.is_whole() {
                if closed == 0 {
                    break;
                }
                closed -= 1;
            }
        }
        let close = Capture { at: self.at, size: 1, value: 0, kind: Kind::Close };
        if !self.capture(close) {
            return Step::TooManyCaptures;
        }
        Step::Runtime(u32::try_from(open).unwrap_or(u32::MAX), self.at)
    }
}
