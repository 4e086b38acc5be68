//! Grammars: rules that call each other by name.
//!
//! Invariant: in a grammar that is made, each call leads to a rule of it, no rule calls itself
//! before it has consumed something, and no loop can go on without consuming.

use super::analysis::{Facts, facts};
use super::tree::{Node, TooBig, Tree, TreeRef};

/// Rules that a call may pass through before something is consumed, as lpeg counts them when it
/// names the rule that calls itself.
const PASSED: usize = 250;

/// Why rules make no grammar. The numbers are those of the rules' names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GrammarError {
    /// A rule is called that is not there.
    Undefined(u32),
    /// A rule may call itself before it has consumed anything.
    LeftRecursive(u32),
    /// A loop in a rule may go on without consuming.
    EmptyLoop(u32),
    /// There are too many parts.
    TooBig,
}

impl From<TooBig> for GrammarError {
    fn from(_: TooBig) -> Self {
        Self::TooBig
    }
}

/// Makes a grammar of rules, the first one being where it starts. A rule has the number of its
/// name, its pattern, and by how much the numbers of the pattern's values are higher here.
/// `resolve` says which rule the name with a number means.
///
/// # Errors
/// See `GrammarError`.
pub fn grammar(
    rules: &[(u32, TreeRef<'_>, u32)],
    mut resolve: impl FnMut(u32) -> Option<usize>,
) -> Result<Tree, GrammarError> {
    let mut tree = Tree::default();
    let mut nodes = Vec::with_capacity(rules.len());
    for (name, pattern, keys) in rules {
        let body = tree.append(*pattern, *keys)?;
        nodes.push(tree.push(Node::Rule(*name, body))?);
    }
    let mut used = vec![false; rules.len()];
    used[0] = true;
    for at in 0..tree.nodes.len() {
        if let Node::OpenCall(name) = tree.nodes[at] {
            let rule = resolve(name).ok_or(GrammarError::Undefined(name))?;
            used[rule] = true;
            tree.nodes[at] = Node::Call(name, nodes[rule]);
        }
    }
    let count = u32::try_from(nodes.len()).map_err(|_| TooBig)?;
    let start = u32::try_from(tree.rules.len()).map_err(|_| TooBig)?;
    tree.rules.extend_from_slice(&nodes);
    tree.push(Node::Grammar(start, count))?;
    let facts = facts(tree.view());
    let check = Check { tree: tree.view(), facts: &facts, nodes: &nodes };
    check.left_recursion(&used)?;
    check.empty_loops(&used)?;
    Ok(tree)
}

struct Check<'a> {
    tree: TreeRef<'a>,
    facts: &'a [Facts],
    nodes: &'a [u32],
}

impl Check<'_> {
    fn name(&self, rule: usize) -> u32 {
        match self.tree.node(self.nodes[rule]) {
            Node::Rule(name, _) => name,
            _ => 0,
        }
    }

    /// The rules that a rule may call before anything is consumed, in the order of the calls.
    fn left_calls(&self, rule: usize) -> Vec<usize> {
        let mut calls = Vec::new();
        let mut waiting = vec![self.nodes[rule]];
        while let Some(at) = waiting.pop() {
            match self.tree.node(at) {
                Node::Not(body)
                | Node::And(body)
                | Node::Repeat(body)
                | Node::Capture(_, _, body)
                | Node::Runtime(_, body)
                | Node::Rule(_, body) => waiting.push(body),
                Node::Call(_, rule) => {
                    calls.extend(self.nodes.iter().position(|node| *node == rule));
                }
                Node::Sequence(left, right) => {
                    if self.facts[left as usize].nullable {
                        waiting.push(right);
                    }
                    waiting.push(left);
                }
                Node::Choice(left, right) => waiting.extend([right, left]),
                _ => {}
            }
        }
        calls
    }

    fn left_recursion(&self, used: &[bool]) -> Result<(), GrammarError> {
        let calls: Vec<Vec<usize>> = (0..self.nodes.len()).map(|at| self.left_calls(at)).collect();
        let mut done = vec![false; self.nodes.len()];
        for start in 0..self.nodes.len() {
            if !used[start] || done[start] {
                continue;
            }
            // The way from `start` on, and the next call to follow of each rule on it.
            let mut way = vec![(start, 0)];
            while let Some((rule, next)) = way.last_mut() {
                let rule = *rule;
                let Some(called) = calls[rule].get(*next).copied() else {
                    done[rule] = true;
                    way.pop();
                    continue;
                };
                *next += 1;
                if let Some(first) = way.iter().position(|(rule, _)| *rule == called) {
                    let cycle = &way[first..];
                    let named = PASSED.saturating_sub(first) % cycle.len();
                    return Err(GrammarError::LeftRecursive(self.name(cycle[named].0)));
                }
                if !done[called] {
                    way.push((called, 0));
                }
            }
        }
        Ok(())
    }

    fn empty_loops(&self, used: &[bool]) -> Result<(), GrammarError> {
        let mut from = 0;
        for (rule, end) in self.nodes.iter().map(|node| *node as usize).enumerate() {
            let body = &self.tree.nodes[from..end];
            let empty = body.iter().any(
                |node| matches!(node, Node::Repeat(body) if self.facts[*body as usize].nullable),
            );
            if empty && used[rule] {
                return Err(GrammarError::EmptyLoop(self.name(rule)));
            }
            from = end + 1;
        }
        Ok(())
    }
}
