//! Timer wheel: turns "wake session S of service A after a while" into one message.
//!
//! Invariant: a timer fires at most once and never early. Timers due in the same millisecond
//! fire in the order in which they were set.
//! Not here: the thread that turns the wheel (`ticker.rs`), sleeping coroutines (`vm`).

use std::time::Duration;

use super::handle::Handle;
use super::message::Session;

/// Resolution of the wheel. Scripts count in centiseconds, but a timer set in the middle of one
/// should not wait for the end of another, so the wheel is ten times finer.
pub const TICK: Duration = Duration::from_millis(1);

/// Bits of a deadline that select a slot on the lowest level.
const NEAR_BITS: u32 = 8;
/// Bits that select a slot on each of the higher levels.
const LEVEL_BITS: u32 = 6;
/// Higher levels; together with the lowest they span 2^38 ms, the 497 days that a 32-bit
/// number of centiseconds can ask for.
const LEVELS: usize = 5;
/// The highest of them.
const TOP_LEVEL: u32 = 4;

/// One timer that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// Tick at which it fires.
    deadline: u64,
    /// Whose timer it is.
    pub service: Handle,
    /// Session under which the service waits.
    pub session: Session,
}

/// All timers of a node.
#[derive(Debug)]
pub struct Wheel {
    /// Ticks that are over; every timer with a deadline at or before this has fired.
    now: u64,
    near: Vec<Vec<Timer>>,
    levels: Vec<Vec<Vec<Timer>>>,
    count: usize,
}

impl Wheel {
    /// A wheel at tick zero.
    pub fn new() -> Self {
        Self {
            now: 0,
            near: vec![Vec::new(); 1 << NEAR_BITS],
            levels: vec![vec![Vec::new(); 1 << LEVEL_BITS]; LEVELS],
            count: 0,
        }
    }

    /// Sets a timer that fires once `at` (time since start) is over.
    pub fn set(&mut self, at: Duration, service: Handle, session: Session) {
        let deadline = u64::try_from(at.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX);
        self.count += 1;
        self.place(Timer { deadline: deadline.max(self.now + 1), service, session });
    }

    /// Number of timers that are set.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True when no timer is set.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn place(&mut self, timer: Timer) {
        // The level is that of the highest bit in which the deadline differs from now.
        let differing = timer.deadline ^ self.now;
        if differing >> NEAR_BITS == 0 {
            let slot = index(timer.deadline, 0, NEAR_BITS);
            self.near[slot].push(timer);
            return;
        }
        let highest = u64::BITS - 1 - differing.leading_zeros();
        let level = ((highest - NEAR_BITS) / LEVEL_BITS).min(TOP_LEVEL);
        let slot = index(timer.deadline, NEAR_BITS + level * LEVEL_BITS, LEVEL_BITS);
        self.levels[level as usize][slot].push(timer);
    }

    /// Moves time on to `to` (since start) and appends every timer that fell due to `due`.
    pub fn advance(&mut self, to: Duration, due: &mut Vec<Timer>) {
        let target = u64::try_from(to.as_nanos() / TICK.as_nanos()).unwrap_or(u64::MAX);
        if self.count == 0 {
            self.now = self.now.max(target);
            return;
        }
        while self.now < target {
            self.now += 1;
            self.cascade();
            let slot = index(self.now, 0, NEAR_BITS);
            self.count -= self.near[slot].len();
            due.append(&mut self.near[slot]);
        }
    }

    /// When a lower level has gone round, spreads the next slot of the level above over it.
    fn cascade(&mut self) {
        let mut shift = NEAR_BITS;
        for level in 0..LEVELS {
            if self.now & ((1 << shift) - 1) != 0 {
                return;
            }
            let slot = index(self.now, shift, LEVEL_BITS);
            for timer in std::mem::take(&mut self.levels[level][slot]) {
                self.place(timer);
            }
            shift += LEVEL_BITS;
        }
    }

    /// How long from `now` (time since start) until the next turn of the wheel can matter, at
    /// most `limit`.
    pub fn until_next(&self, now: Duration, limit: Duration) -> Duration {
        if self.count == 0 {
            return limit;
        }
        let steps = u64::try_from(limit.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX);
        for step in 1..=steps {
            let tick = self.now + step;
            let occupied = !self.near[index(tick, 0, NEAR_BITS)].is_empty();
            if occupied || tick & ((1 << NEAR_BITS) - 1) == 0 {
                let at = Duration::from_millis(tick);
                return at.saturating_sub(now).min(limit);
            }
        }
        limit
    }
}

impl Default for Wheel {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(clippy::cast_possible_truncation, reason = "masked to a few bits")]
const fn index(deadline: u64, shift: u32, bits: u32) -> usize {
    ((deadline >> shift) & ((1 << bits) - 1)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle() -> Handle {
        Handle::new(1).unwrap()
    }

    fn fired(wheel: &mut Wheel, to: Duration) -> Vec<i32> {
        let mut due = Vec::new();
        wheel.advance(to, &mut due);
        due.iter().map(|timer| timer.session.0).collect()
    }

    #[test]
    fn timers_fire_in_order_and_never_early() {
        let mut wheel = Wheel::new();
        wheel.set(Duration::from_millis(30), handle(), Session(3));
        wheel.set(Duration::from_micros(9_200), handle(), Session(1));
        wheel.set(Duration::from_millis(10), handle(), Session(2));
        assert!(fired(&mut wheel, Duration::from_millis(9)).is_empty());
        assert_eq!(fired(&mut wheel, Duration::from_millis(29)), [1, 2]);
        assert_eq!(fired(&mut wheel, Duration::from_millis(30)), [3]);
        assert!(wheel.is_empty());
    }

    #[test]
    fn far_timers_come_down_the_levels_exactly_on_time() {
        for start in [0_u64, 1, 255, 256, 16_383, 1_048_575, 67_108_000] {
            for delay in [1_u64, 255, 256, 257, 16_384, 70_000, 1_048_577, 4_300_000] {
                let mut wheel = Wheel::new();
                let mut due = Vec::new();
                wheel.advance(Duration::from_millis(start), &mut due);
                wheel.set(Duration::from_millis(start + delay), handle(), Session(1));
                wheel.advance(Duration::from_millis(start + delay - 1), &mut due);
                assert!(due.is_empty(), "start {start} delay {delay}: early");
                wheel.advance(Duration::from_millis(start + delay), &mut due);
                assert_eq!(due.len(), 1, "start {start} delay {delay}: late");
            }
        }
    }

    #[test]
    fn a_deadline_that_is_already_over_fires_with_the_next_tick() {
        let mut wheel = Wheel::new();
        let mut due = Vec::new();
        wheel.advance(Duration::from_millis(50), &mut due);
        wheel.set(Duration::from_millis(20), handle(), Session(7));
        assert_eq!(fired(&mut wheel, Duration::from_millis(51)), [7]);
    }

    #[test]
    fn the_next_turn_is_known_ahead() {
        let mut wheel = Wheel::new();
        let limit = Duration::from_micros(2_500);
        assert_eq!(wheel.until_next(Duration::ZERO, limit), limit);
        wheel.set(Duration::from_millis(2), handle(), Session(1));
        assert_eq!(wheel.until_next(Duration::ZERO, limit), Duration::from_millis(2));
    }
}
