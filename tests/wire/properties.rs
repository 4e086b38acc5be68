//! Properties of the cluster frames: what is sent arrives, however the bytes are cut and messages
//! mixed, and no bytes do harm.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use node::codec::cluster::{
    Address, Assembly, AssemblyError, LARGE_REQUEST, LONGEST_NAME, PART, Request, Response,
    decode_request, decode_response, encode_error, split_frame,
};

use crate::frames::{examine, request_frame, response_frame};
use crate::send::{answer_frames, request_frames};

/// Bytes of all unfinished messages: more than any case sends.
const LIMIT: usize = 1 << 20;

/// Sizes around which bodies change their form.
const EDGES: [usize; 4] = [LARGE_REQUEST - 1, PART, PART + 1, 2 * PART];

/// An address that owns its name.
#[derive(Clone, PartialEq, Eq, Debug)]
enum To {
    Handle(u32),
    Name(Vec<u8>),
}

impl To {
    fn of(address: Address<'_>) -> Self {
        match address {
            Address::Handle(handle) => Self::Handle(handle),
            Address::Name(name) => Self::Name(name.to_vec()),
        }
    }

    fn address(&self) -> Address<'_> {
        match self {
            Self::Handle(handle) => Address::Handle(*handle),
            Self::Name(name) => Address::Name(name),
        }
    }
}

fn to() -> impl Strategy<Value = To> {
    prop_oneof![
        any::<u32>().prop_map(To::Handle),
        vec(any::<u8>(), 1..20).prop_map(To::Name),
        Just(To::Name(std::vec![b'n'; LONGEST_NAME])),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let large =
        (prop::sample::select(&EDGES), 0..3_usize, any::<u8>()).prop_map(|(edge, by, first)| {
            let byte = |at: usize| first.wrapping_add((at % 251).to_le_bytes()[0]);
            (0..edge - 1 + by).map(byte).collect()
        });
    prop_oneof![3 => vec(any::<u8>(), 0..60), 1 => large]
}

/// What was sent in one direction, by session: whom, whether a push, and the body.
type Requests = BTreeMap<u32, Vec<(To, bool, Vec<u8>)>>;
type Answers = BTreeMap<u32, Vec<Result<Vec<u8>, Vec<u8>>>>;

/// One stream of the frames of several messages: those of each in order, else mixed by `order`.
fn mix(messages: Vec<Vec<Vec<u8>>>, order: &[Index]) -> Vec<u8> {
    let mut queues: Vec<_> = messages.into_iter().map(Vec::into_iter).collect();
    let mut stream = Vec::new();
    let mut order = order.iter().cycle();
    while !queues.is_empty() {
        let at = order.next().map_or(0, |index| index.index(queues.len()));
        match queues[at].next() {
            Some(frame) => stream.extend(frame),
            None => drop(queues.remove(at)),
        }
    }
    stream
}

/// Gives every frame's content of `stream` to `take`, as a reader finds them that gets the bytes
/// cut at `cuts`.
fn read_in_pieces(stream: &[u8], cuts: &[Index], mut take: impl FnMut(&[u8])) {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    cuts.push(stream.len());
    cuts.sort_unstable();
    let mut buffer = Vec::new();
    let mut before = 0;
    for cut in cuts {
        buffer.extend_from_slice(&stream[before..cut]);
        before = cut;
        let mut rest = &buffer[..];
        while let Some((content, next)) = split_frame(rest) {
            take(content);
            rest = next;
        }
        let left = rest.len();
        buffer.drain(..buffer.len() - left);
    }
    assert!(buffer.is_empty(), "{} bytes are no frame", buffer.len());
}

/// A frame in the rough: a head byte that often means something, a session that others have too.
fn near_frame() -> impl Strategy<Value = Vec<u8>> {
    let kinds = &[0x00_u8, 0x01, 0x41, 0x02, 0x03, 0x04, 0x80, 0x81, 0xc1, 0x05, 0xff];
    let request =
        (prop::sample::select(kinds), 0..3_u8, 0..3_u8, 0..40_u32, vec(any::<u8>(), 0..20))
            .prop_map(|(kind, name, session, total, rest)| {
                let mut content = vec![kind];
                match kind {
                    0x00 | 0x01 | 0x41 => content.extend(7_u32.to_le_bytes()),
                    0x80.. => content.extend([&[name][..], &b"@n"[..usize::from(name)]].concat()),
                    _ => {}
                }
                content.extend(u32::from(session).to_le_bytes());
                match kind {
                    0x01 | 0x41 | 0x81 | 0xc1 => content.extend(total.to_le_bytes()),
                    _ => content.extend(rest),
                }
                content
            });
    let response = (0..3_u8, 0..6_u8, 0..40_u32, vec(any::<u8>(), 0..20)).prop_map(
        |(session, code, total, rest)| {
            let total = total.to_le_bytes();
            let rest = if code == 2 { &total[..] } else { &rest };
            [&u32::from(session).to_le_bytes()[..], &[code], rest].concat()
        },
    );
    (prop_oneof![request, response], 0..10_u8).prop_map(|(mut content, damage)| {
        match damage {
            0 => drop(content.pop()),
            1 => content.push(0),
            _ => {}
        }
        let length = u16::try_from(content.len()).expect("it is short");
        [&length.to_be_bytes()[..], &content].concat()
    })
}

/// A frame of a handshake in the rough: right in its size more often than not.
fn near_greeting() -> impl Strategy<Value = Vec<u8>> {
    let sizes = &[0_usize, 1, 2, 32, 34, 37, 64, 288, 289, 290];
    (0x0f..0x16_u8, prop::sample::select(sizes), 0..3_u8, any::<u8>()).prop_map(
        |(kind, size, first, fill)| {
            let mut content = [&[kind, first][..], &vec![fill; size]].concat();
            content.truncate(1 + size);
            let length = u16::try_from(content.len()).expect("it is short");
            [&length.to_be_bytes()[..], &content].concat()
        },
    )
}

/// What happens to an assembly: a begin with its total, or a part with its size and whether last.
#[derive(Clone, Debug)]
enum Event {
    Begin(u32, u32),
    Part(u32, usize, bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => (0..4_u32, 1..30_u32).prop_map(|(session, total)| Event::Begin(session, total)),
        2 => (0..4_u32, 0..15_usize, prop::bool::weighted(0.2))
            .prop_map(|(session, size, last)| Event::Part(session, size, last)),
    ]
}

proptest! {
    #[test]
    fn requests_arrive_however_bytes_are_cut_and_messages_mixed(
        messages in vec((to(), any::<bool>(), body()), 0..6),
        order in vec(any::<Index>(), 1..20),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let mut sent = Requests::new();
        let mut queues = Vec::new();
        for (session, (to, push, body)) in (1..).zip(messages) {
            // A push in one frame has no session, so its order among others is not its own.
            let session = if push && body.len() < LARGE_REQUEST { 0 } else { session };
            queues.push(request_frames(to.address(), session, push, &body));
            sent.entry(session).or_default().push((to, push, body));
        }
        let mut arrived = Requests::new();
        let mut assembly = Assembly::new(LIMIT);
        read_in_pieces(&mix(queues, &order), &cuts, |content| {
            let mut arrive = |session, message| arrived.entry(session).or_default().push(message);
            match decode_request(content).unwrap() {
                Request::Single { to, session, body } => {
                    arrive(session, (To::of(to), session == 0, body.to_vec()));
                }
                Request::Begin { to, session, total, push } => {
                    assembly.begin(session, total, (To::of(to), push)).unwrap();
                }
                Request::Part { session, bytes, last } => {
                    if let Some(((to, push), body)) = assembly.part(session, bytes, last).unwrap() {
                        arrive(session, (to, push, body));
                    }
                }
                Request::Trace(tag) => panic!("nobody sent the tag {tag:?}"),
            }
        });
        prop_assert!(assembly.is_empty());
        for pushes in [&mut sent, &mut arrived].into_iter().filter_map(|all| all.get_mut(&0)) {
            pushes.sort_by_key(|push| format!("{push:?}"));
        }
        prop_assert_eq!(arrived, sent);
    }

    #[test]
    fn answers_arrive_however_bytes_are_cut_and_messages_mixed(
        answers in vec(prop_oneof![3 => body().prop_map(Ok), 1 => body().prop_map(Err)], 0..6),
        order in vec(any::<Index>(), 1..20),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let queues = (1..).zip(&answers).map(|(session, answer)| match answer {
            Ok(body) => answer_frames(session, body),
            Err(text) => {
                let mut frame = Vec::new();
                encode_error(&mut frame, session, text);
                vec![frame]
            }
        });
        let stream = mix(queues.collect(), &order);
        let mut arrived = Answers::new();
        let mut assembly = Assembly::new(LIMIT);
        read_in_pieces(&stream, &cuts, |content| {
            let mut arrive = |session, answer| arrived.entry(session).or_default().push(answer);
            match decode_response(content).unwrap() {
                Response::Error { session, text } => arrive(session, Err(text.to_vec())),
                Response::Ok { session, body } => arrive(session, Ok(body.to_vec())),
                Response::Begin { session, total } => assembly.begin(session, total, ()).unwrap(),
                Response::Part { session, bytes, last } => {
                    if let Some(((), body)) = assembly.part(session, bytes, last).unwrap() {
                        arrive(session, Ok(body));
                    }
                }
            }
        });
        prop_assert!(assembly.is_empty());
        let cut = |answer: Result<Vec<u8>, Vec<u8>>| answer.map_err(|mut text| {
            text.truncate(PART);
            text
        });
        let sent = (1..).zip(answers).map(|(session, answer)| (session, vec![cut(answer)]));
        prop_assert_eq!(arrived, sent.collect::<Answers>());
    }

    #[test]
    fn a_frame_cut_short_is_never_taken_for_whole(
        to in to(), session in any::<u32>(), total in 1..u32::MAX, push in any::<bool>(),
        cut in any::<Index>(),
    ) {
        let request = request_frame(&Request::Begin { to: to.address(), session, total, push });
        let response = response_frame(&Response::Begin { session, total });
        for frame in [&request, &response] {
            prop_assert_eq!(split_frame(&frame[..cut.index(frame.len())]), None);
        }
        // Nor does it pass if its length says that this is all.
        let short = |frame: &[u8]| frame[2..2 + cut.index(frame.len() - 2)].to_vec();
        prop_assert!(decode_request(&short(&request)).is_err());
        prop_assert!(decode_response(&short(&response)).is_err());
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..400)) {
        examine(&bytes);
        // With a length in front, so that they reach the decoders.
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        examine(&[&length[..], &bytes].concat());
    }

    #[test]
    fn frames_that_are_nearly_right_do_no_harm(frames in vec(near_frame(), 0..60)) {
        examine(&frames.concat());
    }

    #[test]
    fn handshakes_that_are_nearly_right_do_no_harm(frames in vec(near_greeting(), 0..6)) {
        examine(&frames.concat());
    }

    #[test]
    fn an_assembly_does_what_its_model_does(events in vec(event(), 0..60), limit in 1..60_usize) {
        let mut assembly = Assembly::new(limit);
        let mut model: BTreeMap<u32, (u32, Vec<u8>)> = BTreeMap::new();
        for (byte, event) in (0..).zip(events) {
            let together: usize = model.values().map(|(_, body)| body.len()).sum();
            prop_assert_eq!(assembly.bytes(), together);
            prop_assert_eq!(assembly.is_empty(), model.is_empty());
            match event {
                Event::Begin(session, total) => {
                    let expected = if total as usize > limit {
                        Err(AssemblyError::TooLarge { session, total, limit })
                    } else if let Entry::Vacant(entry) = model.entry(session) {
                        entry.insert((total, Vec::new()));
                        Ok(())
                    } else {
                        Err(AssemblyError::BegunTwice { session })
                    };
                    prop_assert_eq!(assembly.begin(session, total, session), expected);
                }
                Event::Part(session, size, last) => {
                    let part = vec![byte; size];
                    let result = assembly.part(session, &part, last);
                    let Some((total, mut body)) = model.remove(&session) else {
                        prop_assert_eq!(result, Err(AssemblyError::NotBegun { session }));
                        continue;
                    };
                    body.extend(part);
                    let (bytes, whole) = (body.len(), body.len() == total as usize);
                    let expected = if bytes > total as usize || last && !whole {
                        Err(AssemblyError::WrongSize { session, bytes, total })
                    } else if together + size > limit {
                        Err(AssemblyError::TooMuch { session, bytes: together + size, limit })
                    } else if last {
                        Ok(Some((session, body)))
                    } else {
                        model.insert(session, (total, body));
                        Ok(None)
                    };
                    prop_assert_eq!(result, expected);
                }
            }
        }
    }
}
