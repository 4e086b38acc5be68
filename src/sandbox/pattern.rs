//! Patterns for service names: `agent`, `agent*`, `*/db`.
//!
//! Invariant: two different patterns never rank the same, so that the policy of a service does not
//! depend on the order in which a file was read.
//! Not here: the policies behind the patterns (`mod.rs`).

use std::cmp::{Ordering, Reverse};

/// A service name in which `*` stands for any characters, also none and also `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(String);

impl Pattern {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// Whether the pattern covers the whole of `name`.
    pub(super) fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == name;
        };
        let Some(mut name) = name.strip_prefix(first) else {
            return false;
        };
        let mut parts: Vec<&str> = rest.split('*').collect();
        let last = parts.pop().unwrap_or_default();
        // Taking the earliest place for each part leaves the most for the parts behind it.
        for part in parts {
            let Some(start) = name.find(part) else {
                return false;
            };
            name = &name[start + part.len()..];
        }
        name.ends_with(last)
    }

    /// Orders the more specific pattern first: more characters besides `*`, then fewer `*`, then
    /// the alphabet.
    pub(super) fn by_precedence(&self, other: &Self) -> Ordering {
        let rank = |pattern: &Self| {
            let stars = pattern.0.matches('*').count();
            (Reverse(pattern.0.len() - stars), stars)
        };
        rank(self).cmp(&rank(other)).then_with(|| self.0.cmp(&other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern.to_owned()).matches(name)
    }

    #[test]
    fn without_a_star_the_name_must_be_equal() {
        assert!(matches("agent", "agent"));
        assert!(!matches("agent", "agents"));
        assert!(!matches("agent", "Agent"));
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        assert!(matches("*", ""));
        assert!(matches("*", "db/agent"));
        assert!(matches("agent*", "agent"));
        assert!(matches("agent*", "agent/7"));
        assert!(matches("*agent", "db/agent"));
        assert!(matches("db/*/agent", "db/a/b/agent"));
        assert!(!matches("db/*/agent", "db/agent"));
        assert!(matches("a*b*c", "a-bb-c"));
        assert!(!matches("a*b*c", "a-c-b"));
        assert!(matches("a**b", "ab"));
    }

    #[test]
    fn the_parts_around_a_star_do_not_overlap() {
        assert!(!matches("ab*ba", "aba"));
        assert!(!matches("*ab*ab", "ab"));
        assert!(matches("*ab*ab", "abab"));
    }

    #[test]
    fn many_stars_do_not_take_long() {
        assert!(!matches(&"a*".repeat(1000), &"b".repeat(100_000)));
        assert!(!matches(&("*a".repeat(1000) + "*b"), &"a".repeat(100_000)));
    }

    #[test]
    fn the_more_specific_pattern_comes_first() {
        let mut patterns = ["*", "agent*", "*agent", "agent", "agent_vip*", "a*t", "*a*", "*a"]
            .map(|text| Pattern::new(text.to_owned()));
        patterns.sort_by(Pattern::by_precedence);
        let texts = patterns.each_ref().map(|pattern| pattern.0.as_str());
        assert_eq!(texts, ["agent_vip*", "agent", "*agent", "agent*", "a*t", "*a", "*a*", "*"]);
    }
}
