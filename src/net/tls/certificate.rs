//! What people want to know of a certificate: its names and how long it is valid.
//!
//! Invariant: any bytes are fine; what cannot be read is absent.
//! Not here: whether it is to be trusted (the library's verifier decides that).

use std::net::IpAddr;

/// Tags of the DER encoding.
mod tag {
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const OCTETS: u8 = 0x04;
    pub(super) const OBJECT: u8 = 0x06;
    pub(super) const UTC_TIME: u8 = 0x17;
    pub(super) const LONG_TIME: u8 = 0x18;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const VERSION: u8 = 0xa0;
    pub(super) const EXTENSIONS: u8 = 0xa3;
    /// Of alternative names: a host, and an IP number.
    pub(super) const HOST: u8 = 0x82;
    pub(super) const IP: u8 = 0x87;
}

/// Object 2.5.4.3, the common name of a subject.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// Object 2.5.29.17, the alternative names.
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// What is known of a certificate.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Certificate {
    /// The common name of its subject.
    pub common_name: Option<String>,
    /// Hosts and IP numbers for which it stands.
    pub names: Vec<String>,
    /// First and last second of its validity, since 1970.
    pub validity: Option<(i64, i64)>,
}

impl Certificate {
    /// Reads a certificate in DER.
    pub fn parse(der: &[u8]) -> Self {
        let mut found = Self::default();
        // A break in the structure ends the reading; what was found until there counts.
        let _ = found.read(der);
        found
    }

    fn read(&mut self, der: &[u8]) -> Option<()> {
        let mut fields = Reader(Reader(Reader(der).expect(tag::SEQUENCE)?).expect(tag::SEQUENCE)?);
        fields.skip(tag::VERSION);
        fields.expect(tag::INTEGER)?;
        let _signature = fields.expect(tag::SEQUENCE)?;
        let _issuer = fields.expect(tag::SEQUENCE)?;
        let mut validity = Reader(fields.expect(tag::SEQUENCE)?);
        self.validity = read_time(validity.next()?).zip(read_time(validity.next()?));
        self.common_name = common_name(fields.expect(tag::SEQUENCE)?);
        while let Some((kind, value)) = fields.next() {
            if kind == tag::EXTENSIONS {
                self.names = alternative_names(value).unwrap_or_default();
            }
        }
        Some(())
    }

    /// All names for people, the common name first if it is none of the others.
    pub fn all_names(&self) -> Vec<String> {
        let common = self.common_name.iter().filter(|name| !self.names.contains(name));
        common.chain(&self.names).cloned().collect()
    }
}

fn common_name(subject: &[u8]) -> Option<String> {
    let mut sets = Reader(subject);
    while let Some((_, set)) = sets.next() {
        let mut attribute = Reader(Reader(set).expect(tag::SEQUENCE)?);
        if attribute.expect(tag::OBJECT)? == COMMON_NAME {
            return Some(String::from_utf8_lossy(attribute.next()?.1).into_owned());
        }
    }
    None
}

fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut list = Reader(Reader(extensions).expect(tag::SEQUENCE)?);
    while let Some((_, extension)) = list.next() {
        let mut parts = Reader(extension);
        if parts.expect(tag::OBJECT)? != ALTERNATIVE_NAMES {
            continue;
        }
        let mut value = &[][..];
        // A flag may stand between the object and the value.
        while let Some((kind, bytes)) = parts.next() {
            if kind == tag::OCTETS {
                value = bytes;
            }
        }
        let mut names = Reader(Reader(value).expect(tag::SEQUENCE)?);
        let mut found = Vec::new();
        while let Some((kind, name)) = names.next() {
            match kind {
                tag::HOST => found.push(String::from_utf8_lossy(name).into_owned()),
                tag::IP => found.extend(ip(name).map(|ip| ip.to_string())),
                _ => {}
            }
        }
        return Some(found);
    }
    None
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(bytes.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(Into::into)
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ` as seconds since 1970.
fn read_time((kind, text): (u8, &[u8])) -> Option<i64> {
    let text = text.strip_suffix(b"Z")?;
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'));
    let (year, rest) = match kind {
        tag::UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            // Two digits mean 1950 to 2049.
            (if number(year) < 50 { 2000 } else { 1900 } + number(year), rest)
        }
        tag::LONG_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (number(year), rest)
        }
        _ => return None,
    };
    let mut parts = rest.chunks_exact(2).map(number);
    let (month, day) = (parts.next()?, parts.next()?);
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let valid = (1..=12).contains(&month) && rest.len() == 10;
    valid.then(|| days_from(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years begin in March here, so that the
/// day of a leap year is the last one.
const fn days_from(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

/// Seconds since 1970 as `YYYY-MM-DD hh:mm:ss UTC`.
pub(super) fn show_time(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// What is left to read of a value that consists of values.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next value and its tag.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[kind, length], rest) = self.0.split_first_chunk()?;
        let (length, rest) = if length < 0x80 {
            (usize::from(length), rest)
        } else {
            // A length of more than four bytes is none of a certificate.
            let count = usize::from(length & 0x7f);
            let (bytes, rest) = rest.split_at_checked(count).filter(|_| count <= 4)?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((kind, value))
    }

    /// The next value, which must have this tag.
    fn expect(&mut self, kind: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == kind).map(|(_, value)| value)
    }

    /// Skips the next value if it has this tag.
    fn skip(&mut self, kind: u8) {
        if self.0.first() == Some(&kind) {
            self.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_validity_are_those_that_were_written() {
        let names = ["a.example", "*.b.example", "10.0.0.1", "::1"].map(str::to_owned);
        let mut wanted = rcgen::CertificateParams::new(names.to_vec()).unwrap();
        wanted.not_before = rcgen::date_time_ymd(1999, 12, 31);
        wanted.not_after = rcgen::date_time_ymd(2096, 2, 29);
        wanted.distinguished_name.push(rcgen::DnType::CommonName, "a node");
        let key = rcgen::KeyPair::generate().unwrap();
        let found = Certificate::parse(wanted.self_signed(&key).unwrap().der());
        assert_eq!(found.names, names);
        assert_eq!(found.common_name.as_deref(), Some("a node"));
        let (from, to) = found.validity.unwrap();
        assert_eq!(from, wanted.not_before.unix_timestamp());
        assert_eq!(to, wanted.not_after.unix_timestamp());
        assert_eq!(show_time(from), "1999-12-31 00:00:00 UTC");
        assert_eq!(show_time(to + 86_399), "2096-02-29 23:59:59 UTC");
        assert_eq!(found.all_names()[0], "a node");
    }

    #[test]
    fn a_cut_certificate_gives_what_stands_before_the_cut() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let der = made.cert.der();
        for length in 0..der.len() {
            assert_eq!(Certificate::parse(&der[..length]), Certificate::default());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_fine(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            Certificate::parse(&bytes);
            let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
            let mut der = made.cert.der().to_vec();
            for (index, byte) in bytes.drain(..).enumerate() {
                let at = index * 131 % der.len();
                der[at] = byte;
                Certificate::parse(&der);
            }
        }

        #[test]
        fn a_time_reads_as_it_is_shown(second in 0_i64..253_402_300_800) {
            let shown = show_time(second);
            let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
            let text = format!("{digits}Z");
            prop_assert_eq!(read_time((tag::LONG_TIME, text.as_bytes())), Some(second));
        }
    }
}
