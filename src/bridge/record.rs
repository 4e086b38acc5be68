//! The record of an open transfer, as it stands in Redis: `state@_at=…|_by=…|…|name=amount|…`.
//!
//! Invariant: a record that is read is written again the same; the script alone changes its state.

use super::step::Pairs;
use crate::codec::bridge::{self, Malformed, Parsed};

/// Where a transfer stands. docs/bridge.md has the diagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The giver is about to take it out of its own database.
    Taking,
    /// Taken from the giver, nobody's yet.
    Offered,
    /// As offered; the giver has nothing more to do.
    Stored,
    /// The receiver's; neither has closed it.
    Accepted,
    /// The receiver's, and the giver has closed it.
    Seen,
    /// The receiver's, which has applied and closed it.
    Applied,
    /// The giver's again, which is about to put it back into its own database.
    Returning,
}

impl State {
    /// The state of that name.
    pub fn parse(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"taking" => Self::Taking,
            b"offered" => Self::Offered,
            b"stored" => Self::Stored,
            b"accepted" => Self::Accepted,
            b"seen" => Self::Seen,
            b"applied" => Self::Applied,
            b"returning" => Self::Returning,
            _ => return None,
        })
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Taking => "taking",
            Self::Offered => "offered",
            Self::Stored => "stored",
            Self::Accepted => "accepted",
            Self::Seen => "seen",
            Self::Applied => "applied",
            Self::Returning => "returning",
        }
    }
}

/// Who began a transfer, which decides what becomes of it without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The receiver asked for it: returned without an acknowledgement.
    Pull,
    /// The giver sent it: stored without an answer.
    Push,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }
}

/// What the records of both sides say of a transfer besides its state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    /// Milliseconds since 1970, by the giver's clock; for people to read.
    pub at: u64,
    /// Short name of the giver.
    pub giver: Vec<u8>,
    /// The request it belongs to, as `req_mv_gold`.
    pub command: Vec<u8>,
    /// Who began.
    pub mode: Mode,
    /// The session of that request.
    pub session: Vec<u8>,
    /// Amounts, or the fields of a command.
    pub pairs: Pairs,
}

impl Record {
    /// The first part of its text, to which the script adds the amounts.
    pub fn head(&self) -> Vec<u8> {
        let mut out = format!("_at={}|_by=", self.at).into_bytes();
        out.extend_from_slice(&self.giver);
        out.extend_from_slice(b"|_command=");
        out.extend_from_slice(&self.command);
        out.extend_from_slice(b"|_mode=");
        out.extend_from_slice(self.mode.name().as_bytes());
        out.extend_from_slice(b"|_session=");
        bridge::escape(&mut out, &self.session);
        out.push(b'|');
        out
    }

    /// All of its text but the state.
    pub fn text(&self) -> Vec<u8> {
        let mut out = self.head();
        for (index, (name, value)) in self.pairs.iter().enumerate() {
            if index > 0 {
                out.push(b'|');
            }
            out.extend_from_slice(name);
            out.push(b'=');
            bridge::escape(&mut out, value);
        }
        out
    }

    /// Reads the text behind the state.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let whole = [b"r@", text.strip_suffix(b"|").unwrap_or(text)].concat();
        let parsed = bridge::parse(&whole).ok()?;
        let field = |name: &[u8]| parsed.field(name).map(std::borrow::Cow::into_owned);
        let pairs = parsed
            .fields()
            .filter(|(name, _)| !name.starts_with(b"_"))
            .map(|(name, value)| (name.to_vec(), value.into_owned()));
        Some(Self {
            at: super::amount::parse(&field(b"_at")?)?,
            giver: field(b"_by")?,
            command: field(b"_command")?,
            mode: match &field(b"_mode")?[..] {
                b"pull" => Mode::Pull,
                b"push" => Mode::Push,
                _ => return None,
            },
            session: field(b"_session")?,
            pairs: pairs.collect(),
        })
    }

    /// Reads a whole record.
    pub fn parse_with_state(text: &[u8]) -> Option<(State, Self)> {
        let at = memchr::memchr(b'@', text)?;
        Some((State::parse(&text[..at])?, Self::parse(&text[at + 1..])?))
    }

    /// The message that carries the transfer, or the member that stands for it (without uid).
    ///
    /// # Errors
    /// When it is longer than a message can be.
    pub fn message(
        &self,
        command: &[u8],
        uid: Option<&[u8]>,
        id: &[u8],
    ) -> Result<Vec<u8>, Malformed> {
        let mut fields: Vec<(&[u8], &[u8])> =
            self.pairs.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        fields.push((b"id", id));
        fields.push((b"session", &self.session));
        fields.extend(uid.map(|uid| (&b"uid"[..], uid)));
        let mut out = Vec::new();
        bridge::write(&mut out, command, &mut fields)?;
        Ok(out)
    }
}

/// The member that stands for a message: the same without the uid.
///
/// # Errors
/// When its values take more room escaped than a message has.
pub fn member(message: &Parsed<'_>) -> Result<Vec<u8>, Malformed> {
    let fields: Vec<_> = message.fields().filter(|(name, _)| *name != b"uid").collect();
    let mut pairs: Vec<(&[u8], &[u8])> =
        fields.iter().map(|(name, value)| (*name, &**value)).collect();
    let mut out = Vec::new();
    bridge::write(&mut out, message.command, &mut pairs)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            at: 1_763_880_000_123,
            giver: b"f".to_vec(),
            command: b"req_mv_gold".to_vec(),
            mode: Mode::Push,
            session: b"a|b".to_vec(),
            pairs: vec![(b"gold".to_vec(), b"1000".to_vec()), (b"item.7".to_vec(), b"2".to_vec())],
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let text = "_at=1763880000123|_by=f|_command=req_mv_gold|_mode=push|_session=a%7Cb|\
                    gold=1000|item.7=2";
        assert_eq!(record().text(), text.as_bytes());
        assert_eq!(Record::parse(text.as_bytes()), Some(record()));
        let whole = [b"stored@", text.as_bytes()].concat();
        assert_eq!(Record::parse_with_state(&whole), Some((State::Stored, record())));
        let empty = Record { pairs: Vec::new(), ..record() };
        assert_eq!(Record::parse(&empty.text()), Some(empty));
    }

    #[test]
    fn a_member_is_the_message_without_the_uid() {
        let member = record().message(b"req_mv_gold", None, b"f-1-1").unwrap();
        assert_eq!(member, b"req_mv_gold@gold=1000|id=f-1-1|item.7=2|session=a%7Cb");
        let message = record().message(b"req_mv_gold", Some(b"10001"), b"f-1-1").unwrap();
        assert_eq!(super::member(&bridge::parse(&message).unwrap()), Ok(member));
    }

    #[test]
    fn each_state_has_one_name() {
        for name in ["taking", "offered", "stored", "accepted", "seen", "applied", "returning"] {
            assert_eq!(State::parse(name.as_bytes()).map(State::name), Some(name));
        }
        assert_eq!(State::parse(b"gone"), None);
    }
}
