//! Which slot of a cluster a key belongs to, and which argument of a command is its key.
//!
//! Invariant: the same slot as the servers compute.
//! Not here: which server has a slot (the `redis` crate).

/// Slots of a cluster.
pub const SLOTS: u16 = 16_384;

/// CRC16 with polynomial 0x1021 and start 0, most significant bit first.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| {
            if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 }
        })
    })
}

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

/// The slot of a command, whose name is in capitals and stands first.
///
/// # Errors
/// When it belongs to none, or to several.
pub fn route(arguments: &[Vec<u8>]) -> Result<u16, Unroutable> {
    let name = arguments.first().ok_or(Unroutable::NoKey)?;
    let at = |position: usize| arguments.get(position).map(|key| slot_of(key));
    let found = match keys_of(name) {
        Keys::None => None,
        // A command such as `CLUSTER SLOTS` has fewer, and any server will do for it.
        Keys::At(position) => at(position).or_else(|| at(1)),
        Keys::Counted(position) => {
            let count = arguments.get(position).and_then(|text| str::from_utf8(text).ok());
            let count = count.and_then(|text| text.trim().parse::<usize>().ok()).unwrap_or(0);
            let mut slots = arguments.iter().skip(position + 1).take(count).map(|key| slot_of(key));
            let first = slots.next();
            if slots.any(|slot| Some(slot) != first) {
                return Err(Unroutable::ManySlots);
            }
            // Without keys the first argument behind decides, as in skynet.
            first.or_else(|| at(position + 1))
        }
        Keys::Streams => {
            let word = arguments.iter().position(|word| word.eq_ignore_ascii_case(b"STREAMS"));
            word.and_then(|word| at(word + 1))
        }
    };
    found.ok_or(Unroutable::NoKey)
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
        let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        route(&words)
    }

    #[test]
    fn slots_are_those_of_the_servers() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
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
        assert_eq!(route(&[]), Err(Unroutable::NoKey));
    }

    #[test]
    fn reads_are_found_in_a_sorted_list() {
        assert!(READS.is_sorted());
        assert!(is_read(b"GET") && is_read(b"ZUNION") && is_read(b"BITCOUNT"));
        assert!(!is_read(b"SET") && !is_read(b"GETDEL") && !is_read(b"\xff"));
    }
}
