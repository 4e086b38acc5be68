//! Parsing expression grammars, as `lpeg` has them: trees of patterns, programs made of them, and
//! the machine that runs a program over bytes.
//!
//! A pattern is built as a tree; before its first match the tree is compiled. Values of a script
//! (names, constants, functions) are numbers here. The machine stops where a script's function
//! decides how a match goes on, and can be told the outcome later.
//!
//! Invariant: whatever the pattern and the subject are, the machine's memory is bounded by its
//! limits, and a loop goes on only while it consumes something.
//! Not here: turning captures into values, which runs scripts (`bindings/lpeg`).

mod analysis;
mod charset;
mod compile;
mod grammar;
mod machine;
mod tree;

#[cfg(test)]
mod tests;

pub use charset::Charset;
pub use compile::{CompileError, Instruction, Program, ProgramRef, compile};
pub use grammar::{GrammarError, grammar};
pub use machine::{CAPTURES, Capture, Machine, STACK, Step};
pub use tree::{Kind, MAX_NODES, Node, TooBig, Tree, TreeRef};

pub use analysis::facts;
