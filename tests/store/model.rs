//! The data types beside simple models, and the requests of arbitrary bytes.

use std::collections::{BTreeMap, BTreeSet};

use node::store::value::{End, Hash, List, Set, Sorted};
use proptest::collection::vec;
use proptest::prelude::*;

use super::request::examine;

/// Few names, so that operations meet.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0..40_u8).prop_map(|number| vec![b'm', number]),
        (0..40_i32).prop_map(|number| number.to_string().into_bytes()),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-5..5_i32).prop_map(f64::from),
        any::<f64>().prop_filter("number", |s| !s.is_nan())
    ]
}

proptest! {
    #[test]
    fn sorted_sets_keep_members_by_score_and_name(
        steps in vec((name(), score(), any::<bool>()), 0..400),
        many in 0..3_usize,
    ) {
        let mut sorted = Sorted::default();
        let mut model: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
        // More members than one chunk has, some of the time.
        for number in 0..many * 400 {
            let member = format!("x{number}").into_bytes();
            let score = (number % 17) as f64;
            sorted.insert(&member, score);
            model.insert(member, score);
        }
        for (member, score, adds) in steps {
            if adds {
                prop_assert_eq!(sorted.insert(&member, score), model.insert(member, score));
            } else {
                prop_assert_eq!(sorted.remove(&member), model.remove(&member));
            }
        }
        let mut expected: Vec<(f64, Vec<u8>)> =
            model.iter().map(|(member, score)| (*score, member.clone())).collect();
        expected.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap().then_with(|| a.1.cmp(&b.1)));
        let found: Vec<(f64, Vec<u8>)> =
            sorted.iter().map(|entry| (entry.score, entry.member.to_vec())).collect();
        prop_assert_eq!(&found, &expected);
        let backward: Vec<Vec<u8>> = sorted.iter().rev().map(|e| e.member.to_vec()).collect();
        prop_assert!(backward.iter().rev().eq(expected.iter().map(|(_, member)| member)));
        for (rank, (score, member)) in expected.iter().enumerate() {
            prop_assert_eq!(sorted.rank(member), Some(rank));
            prop_assert_eq!(sorted.score(member), Some(*score));
            prop_assert_eq!(sorted.order().at(rank).map(|entry| entry.member.to_vec()), Some(member.clone()));
        }
        let (start, end) = (expected.len() / 3, expected.len() * 2 / 3);
        let part: Vec<Vec<u8>> = sorted.order().range(start, end).map(|e| e.member.to_vec()).collect();
        prop_assert!(part.iter().eq(expected[start..end].iter().map(|(_, member)| member)));
    }

    #[test]
    fn sets_and_hashes_hold_what_was_put_in(steps in vec((name(), name(), any::<bool>()), 0..300)) {
        let (mut set, mut hash) = (Set::default(), Hash::default());
        let mut members: BTreeSet<Vec<u8>> = BTreeSet::new();
        let mut fields: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for (one, other, adds) in steps {
            if adds {
                prop_assert_eq!(set.insert(&one), members.insert(one.clone()));
                prop_assert_eq!(hash.insert(&one, &other), fields.insert(one, other).is_none());
            } else {
                prop_assert_eq!(set.remove(&one), members.remove(&one));
                prop_assert_eq!(hash.remove(&one), fields.remove(&one).is_some());
            }
        }
        let found: BTreeSet<Vec<u8>> = set.iter().map(|member| member.into_owned()).collect();
        prop_assert_eq!(&found, &members);
        prop_assert_eq!(set.len(), members.len());
        let found: BTreeMap<Vec<u8>, Vec<u8>> =
            hash.iter().map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
        prop_assert_eq!(found, fields);
    }

    #[test]
    fn a_walk_meets_whatever_stays(
        size in 100..400_usize,
        part in 1..50_usize,
        removed in vec(any::<prop::sample::Index>(), 0..60),
    ) {
        // Long values, so that the hash is a table from the start.
        let mut hash = Hash::default();
        let field = |number: usize| format!("f{number}").into_bytes();
        for number in 0..size {
            hash.insert(&field(number), &[b'x'; 100]);
        }
        let mut gone = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut victims = removed.into_iter();
        let mut place = hash.len();
        while place > 0 {
            let until = place.saturating_sub(part);
            seen.extend((until..place).filter_map(|at| hash.at(at)).map(|(field, _)| field.to_vec()));
            place = until;
            // Between two parts something goes and something comes.
            if let Some(index) = victims.next() {
                let victim = field(index.index(size));
                hash.remove(&victim);
                gone.insert(victim);
                hash.insert(&field(size + gone.len()), &[b'x'; 100]);
            }
            place = place.min(hash.len());
        }
        for number in 0..size {
            let field = field(number);
            prop_assert!(seen.contains(&field) || gone.contains(&field), "{:?}", field);
        }
    }

    #[test]
    fn lists_are_what_they_are(steps in vec((0..8_u8, name(), 0..20_usize), 0..200)) {
        let mut list = List::default();
        let mut model: Vec<Vec<u8>> = Vec::new();
        for (what, item, at) in steps {
            match what {
                0 => {
                    list.push(End::Left, &item);
                    model.insert(0, item);
                }
                1 | 2 => {
                    list.push(End::Right, &item);
                    model.push(item);
                }
                3 => {
                    let popped = list.pop(End::Left).map(Vec::from);
                    let expected = (!model.is_empty()).then(|| model.remove(0));
                    prop_assert_eq!(popped, expected);
                }
                4 => prop_assert_eq!(list.pop(End::Right).map(Vec::from), model.pop()),
                5 if at < model.len() => {
                    list.set(at, &item);
                    model[at] = item;
                }
                6 if at <= model.len() => {
                    list.insert(at, &item);
                    model.insert(at, item);
                }
                7 => {
                    let limit = at % 4 + 1;
                    let removed = list.remove(&item, End::Right, limit);
                    let places: Vec<usize> = (0..model.len()).rev().filter(|p| model[*p] == item).collect();
                    for place in places.iter().take(limit) {
                        model.remove(*place);
                    }
                    prop_assert_eq!(removed, places.len().min(limit));
                }
                _ => {}
            }
        }
        prop_assert!(list.iter().eq(model.iter().map(Vec::as_slice)));
    }

    #[test]
    fn requests_are_found_in_any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        examine(&bytes);
    }

    #[test]
    fn requests_are_found_in_what_looks_like_them(
        parts in vec(prop_oneof![
            Just("*1\r\n"), Just("*2\r\n"), Just("$3\r\nGET\r\n"), Just("$1\r\na\r\n"), Just("*0\r\n"),
            Just("$0\r\n\r\n"), Just("PING\r\n"), Just("set 'a b' \"\\x00\"\n"), Just("\r\n"), Just("*-1\r\n"),
            Just("$-1\r\n"), Just("\""), Just("\r"), Just("*3\r\n$"), Just(" "),
        ], 0..40),
    ) {
        examine(parts.concat().as_bytes());
    }
}
