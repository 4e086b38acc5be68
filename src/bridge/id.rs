//! Ids of transfers and sessions of requests: no two of a system are the same, also not after a restart.
//!
//! Invariant: a transfer id is `SYSTEM-INCARNATION-NUMBER`; the incarnation is 64 random bits that a
//! process draws when it opens the link, so nothing has to be remembered.

/// Bits of a session below the seconds of its link's start.
const COUNTER_BITS: u32 = 20;

/// Makes ids and sessions.
#[derive(Debug, Clone)]
pub struct Ids {
    prefix: Vec<u8>,
    transfers: u64,
    session: u64,
}

impl Ids {
    /// For a system of this short name. `random` is from the system's source of randomness,
    /// `seconds` the time of day.
    pub fn new(own: &[u8], random: u64, seconds: u64) -> Self {
        let mut prefix = own.to_vec();
        prefix.push(b'-');
        base36(&mut prefix, random);
        prefix.push(b'-');
        // Exact also where numbers are floats: below 2^53 until the year 2242.
        let session =
            ((seconds << COUNTER_BITS) + (random & ((1 << COUNTER_BITS) - 1))) & ((1 << 53) - 1);
        Self { prefix, transfers: 0, session }
    }

    /// The id of a new transfer.
    pub fn transfer(&mut self) -> Vec<u8> {
        self.transfers += 1;
        let mut id = self.prefix.clone();
        base36(&mut id, self.transfers);
        id
    }

    /// The session of a new request.
    pub fn session(&mut self) -> u64 {
        self.session += 1;
        self.session
    }
}

fn base36(out: &mut Vec<u8>, mut number: u64) {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let start = out.len();
    loop {
        out.push(DIGITS[usize::try_from(number % 36).unwrap_or(0)]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_two_incarnations_differ() {
        let mut first = Ids::new(b"f", 35, 1_763_880_000);
        let mut second = Ids::new(b"f", u64::MAX, 1_763_880_000);
        assert_eq!(first.transfer(), b"f-z-1");
        assert_eq!(first.transfer(), b"f-z-2");
        assert_eq!(second.transfer(), b"f-3w5e11264sgsf-1");
        assert_ne!(first.session(), second.session());
    }

    #[test]
    fn sessions_grow_and_a_later_start_is_above_a_million_requests_of_an_earlier_one() {
        let mut first = Ids::new(b"f", 0, 1_763_880_000);
        let mut later = Ids::new(b"f", 0, 1_763_880_001);
        let session = first.session();
        assert_eq!(first.session(), session + 1);
        assert!(later.session() - session == 1 << COUNTER_BITS);
        assert!(session < 1 << 53);
    }
}
