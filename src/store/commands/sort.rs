//! `SORT`: elements in order, perhaps by what other keys hold.

use std::cmp::Ordering;

use crate::store::call::{Call, Words};
use crate::store::number::float;
use crate::store::reply::{Answer, Failure, Reply, SYNTAX, WRONG_TYPE};
use crate::store::table::{Command, DENYOOM, MOVABLE, ONE, READONLY, WRITE, command};
use crate::store::value::{End, Hash, Kind, List, Text, Value};

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("sort", -2, WRITE | DENYOOM | MOVABLE, ONE, |call| sort(call, true)),
    command("sort_ro", -2, READONLY | MOVABLE, ONE, |call| sort(call, false)),
];

const NO_NUMBER: Failure = Failure::new("ERR One or more scores can't be converted into double");

#[derive(Default)]
struct Options<'a> {
    descending: bool,
    alphabetical: bool,
    by: Option<&'a [u8]>,
    get: Vec<&'a [u8]>,
    limit: Option<(i64, i64)>,
    store: Option<&'a [u8]>,
}

fn options<'a>(call: &Call<'a>, may_store: bool) -> Result<Options<'a>, Failure> {
    let mut options = Options::default();
    let mut at = 2;
    while at < call.args.len() {
        let left = call.args.len() - at - 1;
        match &*call.arg(at).to_ascii_uppercase() {
            b"ASC" => options.descending = false,
            b"DESC" => options.descending = true,
            b"ALPHA" => options.alphabetical = true,
            b"LIMIT" if left >= 2 => {
                options.limit = Some((call.integer(at + 1)?, call.integer(at + 2)?));
                at += 2;
            }
            b"STORE" if may_store && left >= 1 => {
                options.store = Some(call.arg(at + 1));
                at += 1;
            }
            b"BY" if left >= 1 => {
                options.by = Some(call.arg(at + 1));
                at += 1;
            }
            b"GET" if left >= 1 => {
                options.get.push(call.arg(at + 1));
                at += 1;
            }
            _ => return Err(SYNTAX),
        }
        at += 1;
    }
    Ok(options)
}

/// What the key holds that a pattern means for an element: `weight_*`, `object_*->field`, `#`.
fn looked_up(call: &mut Call<'_>, pattern: &[u8], element: &[u8]) -> Option<Vec<u8>> {
    if pattern == b"#" {
        return Some(element.to_vec());
    }
    let star = pattern.iter().position(|byte| *byte == b'*')?;
    let (before, behind) = (&pattern[..star], &pattern[star + 1..]);
    let arrow = behind.windows(2).position(|pair| pair == b"->");
    let (behind, field) = match arrow {
        Some(at) if behind.len() > at + 2 => (&behind[..at], Some(&behind[at + 2..])),
        _ => (behind, None),
    };
    let key = [before, element, behind].concat();
    let value = &call.get(&key)?.value;
    match field {
        Some(field) => Hash::of(value)?.get(field).map(<[u8]>::to_vec),
        None => Text::of(value).map(|text| text.bytes().into_owned()),
    }
}

fn sort(call: &mut Call<'_>, may_store: bool) -> Answer {
    let options = options(call, may_store)?;
    let mut is_set = false;
    let mut elements: Vec<Vec<u8>> = match call.get(call.arg(1)).map(|entry| &entry.value) {
        None => Vec::new(),
        Some(Value::List(list)) => list.iter().map(<[u8]>::to_vec).collect(),
        Some(Value::Set(set)) => {
            is_set = true;
            set.iter().map(std::borrow::Cow::into_owned).collect()
        }
        Some(Value::Sorted(sorted)) => sorted.iter().map(|entry| entry.member.to_vec()).collect(),
        Some(_) => return Err(WRONG_TYPE),
    };
    let unsorted = options.by.is_some_and(|by| !by.contains(&b'*'));
    if !unsorted {
        elements = sorted(call, &options, elements)?;
    } else if is_set && options.store.is_some() {
        // What is stored has to be the same at a replay, and a set has no order.
        elements.sort();
    } else if options.descending && call.read::<crate::store::value::Sorted>(call.arg(1)).is_ok() {
        elements.reverse();
    }
    let (offset, count) = options.limit.unwrap_or((0, -1));
    let offset = usize::try_from(offset).unwrap_or(0);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut items: Vec<Option<Vec<u8>>> = Vec::new();
    for element in elements.into_iter().skip(offset).take(count) {
        if options.get.is_empty() {
            items.push(Some(element));
            continue;
        }
        for pattern in &options.get {
            items.push(looked_up(call, pattern, &element));
        }
    }
    let Some(destination) = options.store else {
        return Ok(Reply::Array(items.into_iter().map(Reply::maybe).collect()));
    };
    let mut list = List::default();
    let mut record: Words = vec![b"RPUSH".to_vec(), destination.to_vec()];
    for item in items {
        let item = item.unwrap_or_default();
        list.push(End::Right, &item);
        record.push(item);
    }
    let count = list.len();
    call.store_result(destination, list);
    let mut records: Vec<Words> = vec![vec![b"DEL".to_vec(), destination.to_vec()]];
    if count > 0 {
        records.push(record);
    }
    call.record_all(records);
    Ok(Reply::count(count))
}

fn sorted(
    call: &mut Call<'_>,
    options: &Options<'_>,
    elements: Vec<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, Failure> {
    let mut weighted: Vec<(f64, Option<Vec<u8>>, Vec<u8>)> = Vec::with_capacity(elements.len());
    for element in elements {
        let by = match options.by {
            Some(pattern) => looked_up(call, pattern, &element),
            None => Some(element.clone()),
        };
        let weight = match &by {
            Some(text) if !options.alphabetical => float(text).ok_or(NO_NUMBER)?,
            _ => 0.0,
        };
        weighted.push((weight, by, element));
    }
    let alphabetical = options.alphabetical;
    weighted.sort_by(|(weight, text, element), (other_weight, other_text, other_element)| {
        let order = if alphabetical {
            text.cmp(other_text)
        } else {
            weight.partial_cmp(other_weight).unwrap_or(Ordering::Equal)
        };
        // Equal weights leave the order to the elements.
        let ties = !alphabetical || options.by.is_some();
        let order =
            order.then_with(|| if ties { element.cmp(other_element) } else { Ordering::Equal });
        if options.descending { order.reverse() } else { order }
    });
    Ok(weighted.into_iter().map(|(_, _, element)| element).collect())
}
