//! Ticker: the thread that turns the timer wheel and watches the workers.
//!
//! Invariant: a service that waits behind a worker stuck in one message is taken over within two
//! ticks, by a parked worker or by a replacement.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::node::Node;
use super::progress::Reading;
use super::timer::Timer;

/// Longest sleep of the ticker, skynet's own tick.
const TICK: Duration = Duration::from_micros(2_500);
/// How long a worker is in one message before a replacement may take its place in the count.
const STUCK: Duration = Duration::from_millis(20);

/// What the ticker remembers of one worker.
#[derive(Clone, Copy, Default)]
struct Watch {
    last: Option<Reading>,
    /// How long the reading has not changed.
    unchanged: Duration,
    /// When the next endless-loop warning is due.
    next_warning: Duration,
}

/// Runs until the node's workers stop.
pub(super) fn run(node: &Arc<Node>) {
    let mut watches = vec![Watch::default(); node.scheduler.seats.len()];
    let mut due = Vec::new();
    let mut last = node.clock.elapsed();
    while !node.scheduler.is_stopping() {
        std::thread::sleep(node.until_next_timer(TICK));
        let now = node.clock.elapsed();
        fire(node, now, &mut due);
        // After a suspended machine the gap says nothing about the workers.
        let step = now.saturating_sub(last).min(TICK * 4);
        last = now;
        let stuck = watch(node, &mut watches, step);
        node.stuck_workers.store(stuck, Ordering::Relaxed);
        node.scheduler.check_driver();
        if node.scheduler.has_waiting_work() {
            if node.scheduler.parked() > 0 {
                node.scheduler.wake_one();
            } else if stuck > 0 {
                node.start_replacement(stuck);
            }
        }
    }
}

fn fire(node: &Arc<Node>, now: Duration, due: &mut Vec<Timer>) {
    node.take_due_timers(now, due);
    for timer in due.drain(..) {
        node.answer_timer(timer.service, timer.session);
    }
}

/// Compares every worker with the tick before; returns how many are stuck.
fn watch(node: &Arc<Node>, watches: &mut [Watch], step: Duration) -> usize {
    let mut stuck = 0;
    for (seat, watch) in node.scheduler.seats.iter().zip(watches) {
        let reading = seat.progress.read();
        let Some(service) = reading.service.filter(|_| watch.last == Some(reading)) else {
            *watch = Watch {
                last: Some(reading),
                unchanged: Duration::ZERO,
                next_warning: node.options.endless_warning,
            };
            seat.stalled.store(false, Ordering::Relaxed);
            continue;
        };
        watch.unchanged += step;
        seat.stalled.store(true, Ordering::Relaxed);
        if watch.unchanged >= STUCK {
            stuck += 1;
        }
        if watch.unchanged >= watch.next_warning {
            // Doubling keeps the log of a service that never returns short.
            watch.next_warning *= 2;
            node.warn_of_endless_loop(seat, service, reading);
        }
        node.enforce_message_time(seat, service, watch.unchanged);
    }
    stuck
}
