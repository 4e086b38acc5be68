//! Which slot of a cluster a key belongs to, and which argument of a command is its key.
//!
//! Invariant: the same slot as the servers compute.
//! Not here: which server has a slot (`lua/lib/skynet/db/redis/cluster.lua`).

use super::crc16::crc16;

/// Slots of a cluster.
pub const SLOTS: u16 = 16_384;

/// The slot of a key: of what stands between its first braces, if that is something.
pub fn slot_of(key: &[u8]) -> u16 {
    crc16(tag_of(key).unwrap_or(key)) % SLOTS
}

fn tag_of(key: &[u8]) -> Option<&[u8]> {
    let behind = &key[key.iter().position(|byte| *byte == b'{')? + 1..];
    let tag = &behind[..behind.iter().position(|byte| *byte == b'}')?];
    (!tag.is_empty()).then_some(tag)
}

/// Why a command cannot be sent to a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unroutable {
    /// It has no key, or makes no sense there.
    NoKey,
    /// Its keys are in different slots.
    ManySlots,
}

/// Where the keys of a command are.
enum Keys {
    /// Nowhere.
    None,
    /// At this position.
    At(usize),
    /// Behind their number, which is at this position.
    Counted(usize),
    /// Behind the word STREAMS.
    Streams,
}

/// Commands that concern one server, or the connection that all of a service share.
const REFUSED: [&[u8]; 6] = [b"INFO", b"MULTI", b"EXEC", b"SLAVEOF", b"CONFIG", b"SHUTDOWN"];

fn keys_of(name: &[u8]) -> Keys {
    match name {
        name if REFUSED.contains(&name) => Keys::None,
        b"EVAL" | b"EVALSHA" | b"EVAL_RO" | b"EVALSHA_RO" | b"FCALL" | b"FCALL_RO" => {
            Keys::Counted(2)
        }
        b"BLMPOP" | b"BZMPOP" => Keys::Counted(2),
        b"LMPOP" | b"ZMPOP" | b"SINTERCARD" | b"ZDIFF" | b"ZINTER" | b"ZINTERCARD" | b"ZUNION" => {
            Keys::Counted(1)
        }
        b"XREAD" | b"XREADGROUP" => Keys::Streams,
        b"BITOP" | b"MEMORY" | b"OBJECT" | b"XGROUP" | b"XINFO" => Keys::At(2),
        _ => Keys::At(1),
    }
}

/// The slot of a command of so many parts: `part` gives one by its position, the name, which is in
/// capitals, being the first.
///
/// # Errors
/// When it belongs to none, or to several.
pub fn route<'a>(
    name: &[u8],
    count: usize,
    mut part: impl FnMut(usize) -> &'a [u8],
) -> Result<u16, Unroutable> {
    let found = match keys_of(name) {
        Keys::None => None,
        // A command such as `CLUSTER SLOTS` has fewer, and any server will do for it.
        Keys::At(position) => {
            let position = if position < count { position } else { 1 };
            (position < count).then(|| slot_of(part(position)))
        }
        Keys::Counted(position) => {
            let keys = if position < count { number(part(position)) } else { 0 };
            let end = count.min((position + 1).saturating_add(keys));
            let mut slots = (position + 1..end).map(|position| slot_of(part(position)));
            let first = slots.next();
            if slots.any(|slot| Some(slot) != first) {
                return Err(Unroutable::ManySlots);
            }
            // Without keys the first argument behind decides, as in skynet.
            first.or_else(|| (position + 1 < count).then(|| slot_of(part(position + 1))))
        }
        Keys::Streams => {
            let word = (1..count).find(|at| part(*at).eq_ignore_ascii_case(b"STREAMS"));
            word.filter(|word| word + 1 < count).map(|word| slot_of(part(word + 1)))
        }
    };
    found.ok_or(Unroutable::NoKey)
}

fn number(text: &[u8]) -> usize {
    str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Commands that change nothing: they may be asked of a replica, and again when it is unknown
/// whether the first was taken.
const READS: &[&str] = &[
    "BITCOUNT",
    "BITFIELD_RO",
    "BITPOS",
    "DBSIZE",
    "DUMP",
    "EVALSHA_RO",
    "EVAL_RO",
    "EXISTS",
    "EXPIRETIME",
    "FCALL_RO",
    "GEODIST",
    "GEOHASH",
    "GEOPOS",
    "GEORADIUSBYMEMBER_RO",
    "GEORADIUS_RO",
    "GEOSEARCH",
    "GET",
    "GETBIT",
    "GETRANGE",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HKEYS",
    "HLEN",
    "HMGET",
    "HRANDFIELD",
    "HSCAN",
    "HSTRLEN",
    "HVALS",
    "LCS",
    "LINDEX",
    "LLEN",
    "LPOS",
    "LRANGE",
    "MGET",
    "OBJECT",
    "PEXPIRETIME",
    "PFCOUNT",
    "PTTL",
    "SCARD",
    "SDIFF",
    "SINTER",
    "SINTERCARD",
    "SISMEMBER",
    "SMEMBERS",
    "SMISMEMBER",
    "SORT_RO",
    "SRANDMEMBER",
    "SSCAN",
    "STRLEN",
    "SUBSTR",
    "SUNION",
    "TTL",
    "TYPE",
    "XINFO",
    "XLEN",
    "XPENDING",
    "XRANGE",
    "XREAD",
    "XREVRANGE",
    "ZCARD",
    "ZCOUNT",
    "ZDIFF",
    "ZINTER",
    "ZINTERCARD",
    "ZLEXCOUNT",
    "ZMSCORE",
    "ZRANDMEMBER",
    "ZRANGE",
    "ZRANGEBYLEX",
    "ZRANGEBYSCORE",
    "ZRANK",
    "ZREVRANGE",
    "ZREVRANGEBYLEX",
    "ZREVRANGEBYSCORE",
    "ZREVRANK",
    "ZSCAN",
    "ZSCORE",
    "ZUNION",
];

/// Whether a command, in capitals, changes nothing.
pub fn is_read(name: &[u8]) -> bool {
    str::from_utf8(name).is_ok_and(|name| READS.binary_search(&name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(line: &str) -> Result<u16, Unroutable> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        route(words[0], words.len(), |position| words[position])
    }

    #[test]
    fn slots_are_those_of_the_servers() {
        for (key, slot) in
            [("foo", 12182), ("bar", 5061), ("{foo}x", 12182), ("a{foo}{bar}", 12182), ("", 0)]
        {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        for whole in ["{}foo", "foo{bar", "}foo{"] {
            assert_eq!(slot_of(whole.as_bytes()), crc16(whole.as_bytes()) % SLOTS, "{whole}");
        }
        assert_eq!(slot_of(b"{{foo}x"), slot_of(b"{foo"));
    }

    #[test]
    fn the_key_is_found_behind_counts_and_subcommands() {
        let foo = Ok(slot_of(b"foo"));
        for line in [
            "GET foo",
            "EVAL code 1 foo bar",
            "EVAL code 2 foo {foo}2 bar",
            "EVAL code 0 foo",
            "ZUNION 2 foo {foo}2",
            "BLMPOP 0 1 foo LEFT",
            "OBJECT ENCODING foo",
            "XREAD COUNT 2 streams foo 0",
            "XINFO STREAM foo",
        ] {
            assert_eq!(routed(line), foo, "{line}");
        }
        assert_eq!(routed("CLUSTER SLOTS"), Ok(slot_of(b"SLOTS")));
    }

    #[test]
    fn what_has_no_place_in_a_cluster_is_refused() {
        for line in ["INFO", "INFO x", "MULTI", "GET", "EVAL code 0", "XREAD COUNT 1"] {
            assert_eq!(routed(line), Err(Unroutable::NoKey), "{line}");
        }
        assert_eq!(routed("EVAL code 2 foo bar"), Err(Unroutable::ManySlots));
    }

    #[test]
    fn reads_are_found_in_a_sorted_list() {
        assert!(READS.is_sorted());
        assert!(is_read(b"GET") && is_read(b"ZUNION") && is_read(b"BITCOUNT"));
        assert!(!is_read(b"SET") && !is_read(b"GETDEL") && !is_read(b"\xff"));
    }
}
