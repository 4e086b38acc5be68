//! Order, partial writes, pauses, and all the ways in which a connection ends.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::thread;

use super::*;
use crate::kernel::Payload;
use crate::net::{Chunk, Ended, Priority};

/// Length of a message in the test of order: its writer, its number, padding.
const MESSAGE: usize = 100;

fn message(writer: u8, number: u32) -> Vec<u8> {
    let mut message = vec![writer; MESSAGE];
    message[1..5].copy_from_slice(&number.to_le_bytes());
    message
}

#[test]
fn messages_of_several_threads_arrive_whole_and_in_the_order_of_each() {
    const WRITERS: u8 = 4;
    const EACH: u32 = 2000;
    let Pair { stream, mut peer, io: _io, .. } = pair();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let stream = Arc::clone(&stream);
            thread::spawn(move || {
                for number in 0..EACH {
                    let message = message(writer, number);
                    // Both ways of writing keep the same order.
                    if number % 3 == 0 {
                        let payload = Arc::new(Payload::copy_of(&message[10..]));
                        let chunk = Chunk::of_payload(&message[..10], &payload, 0..payload.len());
                        stream.write_chunks([chunk], Priority::High).unwrap();
                    } else {
                        stream.write(&message).unwrap();
                    }
                }
            })
        })
        .collect();
    let mut due = [0; WRITERS as usize];
    let mut got = [0; MESSAGE];
    for _ in 0..u32::from(WRITERS) * EACH {
        peer.read_exact(&mut got).unwrap();
        let number = &mut due[usize::from(got[0])];
        assert_eq!(got.as_slice(), message(got[0], *number));
        *number += 1;
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(due, [EACH; WRITERS as usize]);
    assert_eq!(stream.queued(), 0);
    let sent = u64::from(u32::from(WRITERS) * EACH) * MESSAGE as u64;
    assert_eq!(stream.traffic(), (0, sent));
}

#[test]
fn what_a_slow_peer_does_not_take_waits_and_arrives_in_order() {
    let Pair { stream, events, mut peer, io: _io, .. } = pair();
    let sent = flood();
    let queued = stream.write(&sent).unwrap();
    assert!(queued > 0 && queued < sent.len(), "{queued} of {}", sent.len());
    assert_eq!(stream.write(b"behind").unwrap(), stream.queued().max(6));
    let mut got = vec![0; sent.len() + 6];
    for piece in got.chunks_mut(999) {
        peer.read_exact(piece).unwrap();
    }
    assert!(got[..sent.len()] == sent);
    assert_eq!(&got[sent.len()..], b"behind");
    while !matches!(next(&events), Event::Written(0)) {}
    assert_eq!(stream.queued(), 0);
}

#[test]
fn what_is_urgent_overtakes_what_is_not() {
    let Pair { stream, mut peer, io: _io, .. } = pair();
    let sent = flood();
    stream.write(&sent).unwrap();
    let low = |text: &[u8]| stream.write_chunks([Chunk::new(text.to_vec())], Priority::Low);
    low(b"low 1 ").unwrap();
    low(b"low 2 ").unwrap();
    stream.write(b"high ").unwrap();
    let mut got = vec![0; sent.len() + 17];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got[sent.len()..], b"high low 1 low 2 ");
}

#[test]
fn a_paused_connection_holds_its_peer_up_until_it_is_resumed() {
    let Pair { stream, events, mut peer, io: _io, .. } = pair();
    peer.write_all(b"before").unwrap();
    assert_eq!(bytes(&events, 6), b"before");
    stream.pause();
    // The read that is under way when it is paused may still deliver.
    peer.set_nonblocking(true).unwrap();
    let sent = flood();
    let mut written = 0;
    let held_up = loop {
        match peer.write(&sent[written % sent.len()..]) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
        assert!(written < 1 << 30, "the peer is held up");
    };
    assert_eq!(held_up.kind(), io::ErrorKind::WouldBlock);
    let (received, _) = stream.traffic();
    assert!(received < written as u64);
    stream.resume();
    let got = bytes(&events, written);
    let expected = sent.iter().cycle();
    assert!(got.iter().zip(expected).all(|(got, sent)| got == sent));
    assert_eq!(got.len(), written);
}

#[test]
fn the_other_direction_stays_open_when_the_peer_has_finished() {
    let Pair { stream, events, mut peer, io: _io, .. } = pair_with(Flow::Continue, Flow::Continue);
    peer.write_all(b"question").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(bytes(&events, 8), b"question");
    assert!(matches!(next(&events), Event::Eof));
    stream.write(b"answer").unwrap();
    stream.close(PATIENCE);
    let mut got = String::new();
    peer.read_to_string(&mut got).unwrap();
    assert_eq!(got, "answer");
    assert!(matches!(end(&events), End::Peer));
}

#[test]
fn a_close_writes_what_waits_and_takes_nothing_more() {
    let Pair { stream, events, mut peer, io: _io, .. } = pair();
    let sent = flood();
    stream.write(&sent).unwrap();
    stream.close(PATIENCE);
    assert_eq!(stream.write(b"late"), Err(Ended));
    let late = Chunk::new(b"late".to_vec());
    assert_eq!(stream.write_chunks([late], Priority::Low), Err(Ended));
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert!(got == sent);
    assert!(matches!(end(&events), End::Closed));
}

#[test]
fn a_peer_that_closes_still_gets_what_waits() {
    let Pair { stream, events, mut peer, io: _io, .. } = pair();
    let sent = flood();
    stream.write(&sent).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert!(got == sent);
    assert!(matches!(end(&events), End::Peer));
}

#[test]
fn a_peer_that_takes_nothing_delays_a_close_only_so_long() {
    let Pair { stream, events, peer, io: _io, .. } = pair();
    stream.write(&flood()).unwrap();
    stream.close(Duration::from_millis(20));
    assert!(matches!(end(&events), End::Lingered));
    assert_eq!(stream.queued(), 0, "what was left is dropped");
    drop(peer);
}

#[test]
fn a_close_without_patience_drops_what_waits() {
    let Pair { stream, events, mut peer, io: _io, .. } = pair();
    let sent = flood();
    stream.write(&sent).unwrap();
    stream.close(Duration::ZERO);
    assert!(matches!(end(&events), End::Closed));
    let mut got = Vec::new();
    // A reset is fine as well.
    let _ = peer.read_to_end(&mut got);
    assert!(got.len() < sent.len() && sent.starts_with(&got));
}

#[test]
fn a_later_close_without_patience_ends_an_earlier_one() {
    let Pair { stream, events, peer, io: _io, .. } = pair();
    stream.write(&flood()).unwrap();
    stream.close(PATIENCE);
    stream.close(Duration::ZERO);
    assert!(matches!(end(&events), End::Closed));
    drop(peer);
}

#[test]
fn a_receiver_can_abort_and_can_close() {
    let Pair { events, mut peer, io: _io, .. } = pair_with(Flow::Abort, Flow::Close);
    peer.write_all(b"bad").unwrap();
    assert!(matches!(end(&events), End::Closed));
    let Pair { stream, events, mut peer, io: _io, .. } = pair_with(Flow::Close, Flow::Close);
    stream.write(b"bye").unwrap();
    peer.write_all(b"enough").unwrap();
    assert!(matches!(end(&events), End::Closed));
    let mut got = [0; 3];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"bye");
}

#[test]
fn a_reset_by_the_peer_is_a_failure_with_its_cause() {
    let Pair { stream, events, peer, io: _io, .. } = pair();
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    let end = end(&events);
    assert_eq!(kind(&end), Some(io::ErrorKind::ConnectionReset), "{end}");
    assert_eq!(stream.write(b"late"), Err(Ended));
    assert_eq!(stream.queued(), 0);
}

#[test]
fn a_reset_while_much_waits_ends_it_too() {
    let Pair { stream, events, peer, io: _io, .. } = pair();
    stream.write(&flood()).unwrap();
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    let end = end(&events);
    let expected = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe].map(Some);
    assert!(expected.contains(&kind(&end)), "{end}");
}

#[test]
fn addresses_are_those_of_both_sides() {
    let Pair { stream, peer, io: _io, .. } = pair();
    assert_eq!(stream.peer(), peer.local_addr().unwrap());
    assert_eq!(stream.local(), peer.peer_addr().unwrap());
    let shown = format!("{stream:?}");
    assert_eq!(shown, format!("connection of {} with {}", stream.local(), stream.peer()));
}

#[test]
fn the_end_of_the_io_closes_its_connections() {
    let Pair { io, stream, mut peer, events } = pair();
    stream.write(b"last").unwrap();
    drop(io);
    // The task is gone with its socket's reading half; the writing one goes with the stream.
    drop(stream);
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"last");
    drop(events);
}
