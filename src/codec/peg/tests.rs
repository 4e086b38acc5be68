//! Programs against a plain reading of the trees they are made of.

use proptest::prelude::*;

use super::analysis::facts;
use super::charset::Charset;
use super::compile::compile;
use super::grammar::{GrammarError, grammar};
use super::machine::{CAPTURES, Machine, Step};
use super::tree::{Kind, Node, Tree, TreeRef};

/// Where `at` of the tree ends on the subject from `from` on: the meaning of a pattern.
fn meaning(tree: TreeRef<'_>, at: u32, subject: &[u8], from: usize) -> Option<usize> {
    match tree.node(at) {
        Node::Char(_) | Node::Set(_) | Node::Any => {
            let set = tree.charset(at).unwrap();
            subject.get(from).filter(|byte| set.contains(**byte)).map(|_| from + 1)
        }
        Node::True => Some(from),
        Node::False | Node::OpenCall(_) => None,
        Node::Repeat(body) => {
            let mut end = from;
            while let Some(next) = meaning(tree, body, subject, end) {
                assert!(next > end, "a loop that consumes nothing");
                end = next;
            }
            Some(end)
        }
        Node::Sequence(left, right) => {
            let middle = meaning(tree, left, subject, from)?;
            meaning(tree, right, subject, middle)
        }
        Node::Choice(left, right) => {
            meaning(tree, left, subject, from).or_else(|| meaning(tree, right, subject, from))
        }
        Node::Not(body) => match meaning(tree, body, subject, from) {
            Some(_) => None,
            None => Some(from),
        },
        Node::And(body) => meaning(tree, body, subject, from).map(|_| from),
        Node::Behind(body, count) => {
            let start = from.checked_sub(count.into())?;
            meaning(tree, body, subject, start).map(|_| from)
        }
        Node::Call(_, rule) => meaning(tree, rule, subject, from),
        Node::Rule(_, body) | Node::Capture(_, _, body) | Node::Runtime(_, body) => {
            meaning(tree, body, subject, from)
        }
        Node::Grammar(start, count) => meaning(tree, tree.rules_of(start, count)[0], subject, from),
    }
}

fn run(tree: &Tree, subject: &[u8]) -> Step {
    let program = compile(tree.view()).unwrap();
    let mut machine = Machine::default();
    machine.start(0, 10_000);
    machine.run(program.view(), subject, 1_000_000)
}

fn pattern() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        (b'a'..=b'c').prop_map(|byte| Tree::leaf(Node::Char(byte))),
        Just(Tree::leaf(Node::Any)),
        Just(Tree::leaf(Node::True)),
        Just(Tree::leaf(Node::False)),
        Just(Tree::set(Charset::of(b'a').union(Charset::of(b'b')))),
        (0_u32..3).prop_map(|rule| Tree::leaf(Node::OpenCall(rule + 1))),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(left, right)| {
                Tree::binary(left.view(), right.view(), 0, Node::Sequence).unwrap()
            }),
            two.prop_map(|(left, right)| {
                Tree::binary(left.view(), right.view(), 0, Node::Choice).unwrap()
            }),
            (inner.clone(), -2_i64..3).prop_map(|(body, count)| {
                // A loop over nothing is refused by whoever builds it.
                let nullable = facts(body.view()).last().unwrap().nullable;
                let count = if nullable && count >= 0 { -1 } else { count };
                Tree::power(body.view(), count).unwrap()
            }),
            inner.clone().prop_map(|body| Tree::unary(body.view(), Node::Not).unwrap()),
            inner.clone().prop_map(|body| Tree::unary(body.view(), Node::And).unwrap()),
            inner.prop_map(|body| {
                Tree::unary(body.view(), |body| Node::Capture(Kind::Simple, 0, body)).unwrap()
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_program_does_what_its_pattern_means(
        rules in prop::collection::vec(pattern(), 3), subject in "[a-c]{0,12}",
    ) {
        let parts: Vec<_> =
            (1..).zip(&rules).map(|(name, rule)| (name, rule.view(), 0)).collect();
        let made = grammar(&parts, |name| Some(name as usize - 1));
        if let Ok(tree) = made {
            let expected = meaning(tree.view(), tree.view().top(), subject.as_bytes(), 0);
            let step = run(&tree, subject.as_bytes());
            match expected {
                Some(end) => prop_assert_eq!(step, Step::Matched(u32::try_from(end).unwrap())),
                None => prop_assert_eq!(step, Step::Failed),
            }
        }
    }
}

fn call(name: u32) -> Tree {
    Tree::leaf(Node::OpenCall(name))
}

#[test]
fn a_rule_that_calls_itself_first_is_refused() {
    let rule = Tree::binary(call(1).view(), Tree::text(b"x").unwrap().view(), 0, Node::Sequence);
    let made = grammar(&[(1, rule.unwrap().view(), 0)], |_| Some(0));
    assert_eq!(made.unwrap_err(), GrammarError::LeftRecursive(1));
}

#[test]
fn a_loop_over_a_rule_that_may_be_empty_is_refused() {
    let repeated = Tree::power(call(2).view(), 0).unwrap();
    let empty = Tree::leaf(Node::True);
    let made =
        grammar(&[(1, repeated.view(), 0), (2, empty.view(), 0)], |name| Some(name as usize - 1));
    assert_eq!(made.unwrap_err(), GrammarError::EmptyLoop(1));
}

#[test]
fn a_call_of_no_rule_is_refused() {
    let made = grammar(&[(1, call(7).view(), 0)], |_| None);
    assert_eq!(made.unwrap_err(), GrammarError::Undefined(7));
}

#[test]
fn recursion_beyond_the_limit_stops_and_the_last_call_takes_no_entry() {
    // S <- 'a' S 'b' / ''
    let a = Tree::text(b"a").unwrap();
    let b = Tree::text(b"b").unwrap();
    let inner = Tree::binary(a.view(), call(1).view(), 0, Node::Sequence).unwrap();
    let inner = Tree::binary(inner.view(), b.view(), 0, Node::Sequence).unwrap();
    let nested =
        Tree::binary(inner.view(), Tree::leaf(Node::True).view(), 0, Node::Choice).unwrap();
    let nested = grammar(&[(1, nested.view(), 0)], |_| Some(0)).unwrap();
    let program = compile(nested.view()).unwrap();
    let mut machine = Machine::default();
    machine.start(0, 100);
    let deep = [b'a'; 200];
    assert_eq!(machine.run(program.view(), &deep, 1 << 20), Step::StackOverflow);
    // S <- 'a' S / ''
    let inner = Tree::binary(a.view(), call(1).view(), 0, Node::Sequence).unwrap();
    let listed =
        Tree::binary(inner.view(), Tree::leaf(Node::True).view(), 0, Node::Choice).unwrap();
    let listed = grammar(&[(1, listed.view(), 0)], |_| Some(0)).unwrap();
    let program = compile(listed.view()).unwrap();
    machine.start(0, 100);
    assert_eq!(machine.run(program.view(), &deep, 1 << 20), Step::Matched(200));
}

#[test]
fn a_pattern_squared_over_and_over_is_refused_in_time() {
    let mut tree = Tree::text(b"ab").unwrap();
    let refused =
        (0..64).any(|_| match Tree::binary(tree.view(), tree.view(), 0, Node::Sequence) {
            Ok(new) => {
                tree = new;
                false
            }
            Err(_) => true,
        });
    assert!(refused);
    assert!(CAPTURES < u32::MAX as usize);
}
