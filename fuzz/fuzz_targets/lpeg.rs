//! Fuzz target: programs of patterns that the bytes describe, over the rest of the bytes.
#![no_main]

use node::codec::peg::{Charset, Kind, Machine, Node, Step, Tree, compile, facts, grammar};

/// Puts a pattern together, as a machine with a stack would: each byte pushes or joins.
fn pattern(bytes: &[u8]) -> Tree {
    let mut stack = Vec::new();
    for pair in bytes.chunks_exact(2) {
        let (what, byte) = (pair[0] % 12, pair[1]);
        let mut pop = || stack.pop().unwrap_or_else(|| Tree::leaf(Node::Any));
        let made = match what {
            0 => Ok(Tree::leaf(Node::Char(byte))),
            1 => Ok(Tree::set(Charset::of(byte).complement())),
            2 => Tree::count(i64::from(byte.cast_signed()) / 16),
            3 => Ok(Tree::leaf(Node::OpenCall(u32::from(byte % 3) + 1))),
            4 | 5 => {
                let (right, left) = (pop(), pop());
                Tree::binary(left.view(), right.view(), 0, Node::Sequence)
            }
            6 | 7 => {
                let (right, left) = (pop(), pop());
                Tree::binary(left.view(), right.view(), 0, Node::Choice)
            }
            8 => {
                let body = pop();
                let nullable = facts(body.view()).last().is_some_and(|facts| facts.nullable);
                Tree::power(body.view(), if nullable { -2 } else { i64::from(byte % 4) })
            }
            9 => Tree::unary(pop().view(), Node::Not),
            10 => Tree::unary(pop().view(), Node::And),
            _ => Tree::unary(pop().view(), |body| Node::Capture(Kind::Table, 0, body)),
        };
        match made {
            Ok(tree) if tree.nodes.len() < 4096 => stack.push(tree),
            _ => break,
        }
    }
    stack.pop().unwrap_or_else(|| Tree::leaf(Node::True))
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (rules, subject) = bytes.split_at(bytes.len() / 2);
    let third = rules.len() / 3;
    let trees =
        [pattern(&rules[..third]), pattern(&rules[third..2 * third]), pattern(&rules[2 * third..])];
    let rules = [(1, trees[0].view(), 0), (2, trees[1].view(), 0), (3, trees[2].view(), 0)];
    let Ok(tree) = grammar(&rules, |name| Some(name as usize - 1)) else { return };
    let Ok(program) = compile(tree.view()) else { return };
    let mut machine = Machine::default();
    machine.start(0, 400);
    if let Step::Matched(end) = machine.run(program.view(), subject, 1 << 20) {
        assert!(end as usize <= subject.len());
        let open = machine.captures.iter().filter(|capture| !capture.is_whole()).count();
        let closed = machine.captures.iter().filter(|capture| capture.kind == Kind::Close).count();
        assert_eq!(open + 1, closed);
    }
});
