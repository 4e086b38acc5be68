//! The side that receives: makes an offer its own in one step, applies it, and says so.
//!
//! Invariant: `give` is called only when Redis says that the transfer is the receiver's, and the
//! receiver closes it only after `give` has given.

use super::about;
use super::record::Record;
use super::step::{Effect, Event, Outcome, Pairs, Purse, Reply, Step};

/// How an offer reached the receiver, which decides what is said about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Way {
    /// A request that wants an answer, with the member that would stand for it.
    Request(Vec<u8>),
    /// The answer to a request of the receiver's own.
    Answer,
    /// Found in Redis, with the member that stands for it, if there was one.
    Found(Vec<u8>),
}

/// One transfer of the receiver.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Taker {
    uid: Vec<u8>,
    id: Vec<u8>,
    /// The request: its command and session.
    command: Vec<u8>,
    session: Vec<u8>,
    way: Way,
    purse: Purse,
    /// The record of a transfer that came without an id, from a peer that keeps none.
    adopted: Option<Record>,
    pairs: Pairs,
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    New,
    Accepting,
    Giving,
    Saying,
    Closing,
    /// Says no, or that there is nothing to be done; then it ends.
    Declining(End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum End {
    Elsewhere,
    Gone,
    Full,
}

impl Taker {
    /// For an offer with an id.
    pub fn new(
        uid: &[u8],
        id: &[u8],
        command: &[u8],
        session: &[u8],
        way: Way,
        purse: Purse,
    ) -> Self {
        Self {
            uid: uid.to_vec(),
            id: id.to_vec(),
            command: command.to_vec(),
            session: session.to_vec(),
            way,
            purse,
            adopted: None,
            pairs: Vec::new(),
            at: At::New,
        }
    }

    /// For what came without an id; `id` is the receiver's own.
    pub fn adopt(uid: &[u8], id: &[u8], record: Record, way: Way, purse: Purse) -> Self {
        let (command, session) = (record.command.clone(), record.session.clone());
        Self { adopted: Some(record), ..Self::new(uid, id, &command, &session, way, purse) }
    }

    /// What has happened, and what is to be done next.
    pub fn on(&mut self, event: Event) -> Effect {
        match (std::mem::replace(&mut self.at, At::New), event) {
            (At::New, Event::Start) => self.accept(),
            (At::Accepting, Event::Reply(reply)) => self.accepted(&reply),
            (At::Giving, Event::Given(answer)) => self.say(answer),
            (At::Giving, Event::Failed) => Effect::Done(Outcome::Left(b"callback".to_vec())),
            (At::Saying, Event::Sent) => self.close(),
            (At::Closing, Event::Reply(_)) => {
                Effect::Done(Outcome::Moved(std::mem::take(&mut self.pairs)))
            }
            (At::Declining(end), Event::Sent) => Effect::Done(end.outcome()),
            (_, _) => Effect::Done(Outcome::Left(b"out of turn".to_vec())),
        }
    }

    fn accept(&mut self) -> Effect {
        self.at = At::Accepting;
        let member = match &self.way {
            Way::Request(member) | Way::Found(member) => member.clone(),
            Way::Answer => Vec::new(),
        };
        match &self.adopted {
            Some(record) => self.step("adopt", vec![member, record.text()]),
            None => self.step("accept", vec![member]),
        }
    }

    fn accepted(&mut self, reply: &Reply) -> Effect {
        match &reply.word[..] {
            b"accepted" | b"seen" => {
                let Some(record) = Record::parse(reply.rest(0)) else {
                    return Effect::Done(Outcome::Left(b"record".to_vec()));
                };
                // What nobody waits for need not be said; an accepted one has a giver that waits.
                if reply.word == b"seen" && matches!(self.way, Way::Found(_)) {
                    self.session.clear();
                }
                self.pairs.clone_from(&record.pairs);
                if self.purse == Purse::Shared {
                    return self.say(Vec::new());
                }
                self.at = At::Giving;
                Effect::Give(self.id.clone(), record.pairs)
            }
            b"applied" => self.decline(End::Elsewhere, true),
            b"full" => self.decline(End::Full, false),
            _ => self.decline(End::Gone, false),
        }
    }

    fn say(&mut self, answer: Pairs) -> Effect {
        let kind = match self.way {
            Way::Request(_) => "rsp_",
            Way::Answer | Way::Found(_) => "ack_",
        };
        match self.message(kind, (b"result", b"ok"), answer) {
            Some(message) => {
                self.at = At::Saying;
                Effect::Send(message)
            }
            None => self.close(),
        }
    }

    fn close(&mut self) -> Effect {
        self.at = At::Closing;
        self.step("close", Vec::new())
    }

    /// Ends without having moved anything; says so where somebody waits.
    fn decline(&mut self, end: End, done: bool) -> Effect {
        let kind = match (&self.way, done) {
            (Way::Request(_), _) => "rsp_",
            (Way::Answer, true) => "ack_",
            (Way::Answer, false) => "nak_",
            (Way::Found(_), _) => return Effect::Done(end.outcome()),
        };
        let what: (&[u8], &[u8]) =
            if done { (b"result", b"ok") } else { (b"error", end.word().as_bytes()) };
        match self.message(kind, what, Vec::new()) {
            Some(message) => {
                self.at = At::Declining(end);
                Effect::Send(message)
            }
            None => Effect::Done(end.outcome()),
        }
    }

    /// A message about this transfer; `None` when nobody waits for one.
    fn message(&self, kind: &str, what: (&[u8], &[u8]), answer: Pairs) -> Option<Vec<u8>> {
        if self.session.is_empty() {
            return None;
        }
        let mut fields: Vec<(&[u8], &[u8])> =
            vec![what, (b"session", &self.session), (b"uid", &self.uid)];
        if self.adopted.is_none() {
            fields.push((b"id", &self.id));
        }
        let own = fields.len();
        fields.extend(answer.iter().map(|(name, value)| (&name[..], &value[..])));
        let command = about(kind, &self.command);
        let mut message = Vec::new();
        if crate::codec::bridge::write(&mut message, &command, &mut fields).is_err() {
            // An answer of the game's own that no message can carry is left out.
            let mut fields: Vec<(&[u8], &[u8])> =
                vec![what, (b"session", &self.session), (b"uid", &self.uid), (b"id", &self.id)];
            fields.truncate(own);
            crate::codec::bridge::write(&mut message, &command, &mut fields).ok()?;
        }
        Some(message)
    }

    fn step(&self, operation: &'static str, arguments: Vec<Vec<u8>>) -> Effect {
        Effect::Step(Step { operation, id: self.id.clone(), purse: self.purse, arguments })
    }
}

impl End {
    const fn word(self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::Gone => "gone",
            Self::Full => "full",
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Elsewhere => Outcome::Elsewhere,
            other => Outcome::Refused(other.word().as_bytes().to_vec(), Vec::new()),
        }
    }
}
