//! Walking through keys and elements in parts.
//!
//! A cursor is the number of places still to be seen, from the last one down: whatever is removed
//! on the way moves elements only to places that are still to be seen, or have been.
//!
//! Invariant: what is there from the first part to the last is shown at least once.

use crate::store::call::Call;
use crate::store::glob;
use crate::store::number::{float_text, integer_text};
use crate::store::reply::{Answer, Failure, Reply, SYNTAX};
use crate::store::table::{Command, Keys, ONE, READONLY, command};
use crate::store::value::{Hash, Set, Sorted};

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("scan", -2, READONLY, Keys::None, scan),
    command("hscan", -3, READONLY, ONE, hscan),
    command("sscan", -3, READONLY, ONE, sscan),
    command("zscan", -3, READONLY, ONE, zscan),
];

/// Elements that are looked at if nothing else is asked for.
const COUNT: usize = 10;

/// What a scan asks for.
struct Scan<'a> {
    cursor: usize,
    count: usize,
    pattern: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
}

fn cursor(call: &Call<'_>, at: usize) -> Result<usize, Failure> {
    const NO_CURSOR: Failure = Failure::new("ERR invalid cursor");
    let text = str::from_utf8(call.arg(at)).map_err(|_| NO_CURSOR)?;
    // A negative one is a very large one, as C reads it.
    let number = text
        .strip_prefix('-')
        .map_or(text.parse().ok(), |digits| digits.parse::<usize>().ok().map(usize::wrapping_neg));
    number.ok_or(NO_CURSOR)
}

fn request<'a>(call: &Call<'a>, at: usize, keys: bool) -> Result<Scan<'a>, Failure> {
    let mut scan = Scan { cursor: cursor(call, at)?, count: COUNT, pattern: None, kind: None };
    for option in (at + 1..call.args.len()).step_by(2) {
        let Some(value) = call.args.get(option + 1) else { return Err(SYNTAX) };
        if call.is(option, "count") {
            let count = call.integer(option + 1)?;
            scan.count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or(SYNTAX)?;
        } else if call.is(option, "match") {
            scan.pattern = Some(value);
        } else if keys && call.is(option, "type") {
            scan.kind = Some(value);
        } else {
            return Err(SYNTAX);
        }
    }
    Ok(scan)
}

impl Scan<'_> {
    /// The places to look at now, of `length`, and the next cursor.
    fn part(&self, length: usize) -> (impl Iterator<Item = usize> + use<>, usize) {
        let from = if self.cursor == 0 { length } else { self.cursor.min(length) };
        let to = from.saturating_sub(self.count);
        ((to..from).rev(), to)
    }

    fn shows(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }
}

fn answer(cursor: usize, items: Vec<Reply>) -> Answer {
    let cursor = integer_text(i64::try_from(cursor).unwrap_or(i64::MAX));
    Ok(Reply::Array(vec![Reply::Bulk(cursor), Reply::Array(items)]))
}

fn scan(call: &mut Call<'_>) -> Answer {
    let scan = request(call, 1, true)?;
    let db = call.db();
    let (places, next) = scan.part(call.store.keys.db(db).len());
    // Keys that have ended are removed afterwards, so that places do not move meanwhile.
    let keys: Vec<_> =
        places.filter_map(|at| Some(call.store.keys.db(db).at(at)?.0.clone())).collect();
    let mut items = Vec::new();
    for key in keys {
        let Some(entry) = call.store.keys.peek(db, &key) else { continue };
        let right = |kind: &[u8]| kind.eq_ignore_ascii_case(entry.value.type_name().as_bytes());
        if scan.kind.is_none_or(right) && scan.shows(&key) {
            items.push(Reply::bulk(key));
        }
    }
    answer(next, items)
}

/// Whether there is anything at the key; a cursor is checked before.
fn is_absent(call: &mut Call<'_>) -> Result<bool, Failure> {
    cursor(call, 2)?;
    Ok(call.get(call.arg(1)).is_none())
}

fn hscan(call: &mut Call<'_>) -> Answer {
    if is_absent(call)? {
        return answer(0, Vec::new());
    }
    call.read::<Hash>(call.arg(1))?;
    let scan = request(call, 2, false)?;
    let Some(hash) = call.read::<Hash>(call.arg(1))? else { return answer(0, Vec::new()) };
    let mut items = Vec::new();
    let mut show = |(field, value): (&[u8], &[u8])| {
        if scan.shows(field) {
            items.extend([Reply::bulk(field), Reply::bulk(value)]);
        }
    };
    if hash.is_compact() {
        hash.iter().for_each(show);
        return answer(0, items);
    }
    let (places, next) = scan.part(hash.len());
    places.filter_map(|at| hash.at(at)).for_each(&mut show);
    answer(next, items)
}

fn sscan(call: &mut Call<'_>) -> Answer {
    if is_absent(call)? {
        return answer(0, Vec::new());
    }
    call.read::<Set>(call.arg(1))?;
    let scan = request(call, 2, false)?;
    let Some(set) = call.read::<Set>(call.arg(1))? else { return answer(0, Vec::new()) };
    if set.is_compact() {
        let shown = set.iter().filter(|member| scan.shows(member));
        return answer(0, shown.map(Reply::bulk).collect());
    }
    let (places, next) = scan.part(set.len());
    let shown = places.filter_map(|at| set.at(at)).filter(|member| scan.shows(member));
    answer(next, shown.map(Reply::bulk).collect())
}

fn zscan(call: &mut Call<'_>) -> Answer {
    if is_absent(call)? {
        return answer(0, Vec::new());
    }
    call.read::<Sorted>(call.arg(1))?;
    let scan = request(call, 2, false)?;
    let Some(sorted) = call.read::<Sorted>(call.arg(1))? else { return answer(0, Vec::new()) };
    let mut items = Vec::new();
    let mut show = |member: &[u8], score: f64| {
        if scan.shows(member) {
            items.extend([Reply::bulk(member), Reply::Bulk(float_text(score))]);
        }
    };
    if sorted.is_compact() {
        sorted.iter().for_each(|entry| show(&entry.member, entry.score));
        return answer(0, items);
    }
    let (places, next) = scan.part(sorted.len());
    places.filter_map(|at| sorted.at(at)).for_each(|(member, score)| show(member, score));
    answer(next, items)
}
