//! Stamps: readings of the processor's own clock, for the time that services spend.
//!
//! A turn is often shorter than a microsecond, and asking the system for the time takes a tenth of
//! that. The time stamp counter of x86-64 costs a third of it, but counts ticks of unknown length.
//! So ticks are kept, and become time when somebody reads them: by what the system's clock and the
//! counter had both gone on since the node started when that was asked first. Where the counter may change its pace or stop,
//! or on another processor, a tick is a nanosecond of the system's clock.
//!
//! Invariant: a difference of stamps is never negative, all stamps of a node are of one source, and
//! the same ticks are always the same time.
//! Not here: what scripts see as time (`clock.rs`).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the pace is taken from is at least this long; reading both clocks takes less than a ten
/// thousandth of it.
const BASE: Duration = Duration::from_millis(1);
/// Readings of both clocks, of which the one that was interrupted least counts.
const READINGS: usize = 4;

/// Ticks since some moment in the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(u64);

impl Stamp {
    /// Ticks from `earlier` on; none if the cores disagree about which was first.
    #[inline]
    pub fn ticks_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A stamp that many threads set and read; none at first.
#[derive(Debug, Default)]
pub struct LastStamp(AtomicU64);

impl LastStamp {
    /// Remembers `stamp` instead of the one before.
    #[inline]
    pub fn set(&self, stamp: Stamp) {
        // A counter that has just begun to count would read as none.
        self.0.store(stamp.0.max(1), Ordering::Relaxed);
    }

    /// The one remembered.
    pub fn get(&self) -> Option<Stamp> {
        Some(Stamp(self.0.load(Ordering::Relaxed))).filter(|stamp| stamp.0 > 0)
    }
}

/// Source of stamps.
#[derive(Debug)]
pub struct Stamps {
    start: Instant,
    /// The counter at `start`; `None` where it is of no use.
    counter: Option<u64>,
    pace: OnceLock<Pace>,
}

/// So many ticks took so long.
#[derive(Debug, Clone, Copy)]
struct Pace {
    ticks: u64,
    time: Duration,
}

impl Stamps {
    /// The best source that this machine has.
    pub fn new() -> Self {
        let (start, counter) = both();
        Self { start, counter: counter::is_steady().then_some(counter), pace: OnceLock::new() }
    }

    /// The present.
    #[inline]
    pub fn now(&self) -> Stamp {
        match self.counter {
            Some(_) => Stamp(counter::read()),
            None => Stamp(nanoseconds(self.start.elapsed())),
        }
    }

    /// How long `ticks` of this source took.
    pub fn duration(&self, ticks: u64) -> Duration {
        let Some(first) = self.counter else { return Duration::from_nanos(ticks) };
        if let Some(pace) = self.pace.get() {
            return convert(ticks, *pace);
        }
        let (now, counter) = both();
        let pace =
            Pace { ticks: counter.saturating_sub(first), time: now.duration_since(self.start) };
        if pace.time < BASE {
            return convert(ticks, pace);
        }
        convert(ticks, *self.pace.get_or_init(|| pace))
    }

    /// How long ago `stamp` was taken.
    pub fn elapsed(&self, stamp: Stamp) -> Duration {
        self.duration(self.now().ticks_since(stamp))
    }
}

impl Default for Stamps {
    fn default() -> Self {
        Self::new()
    }
}

/// Both clocks at the same moment.
fn both() -> (Instant, u64) {
    let mut best = (Instant::now(), counter::read());
    let mut shortest = u64::MAX;
    for _ in 0..READINGS {
        let before = counter::read();
        let now = Instant::now();
        let gap = counter::read().saturating_sub(before);
        if gap < shortest {
            shortest = gap;
            best = (now, before + gap / 2);
        }
    }
    best
}

fn convert(ticks: u64, pace: Pace) -> Duration {
    let nanoseconds = u128::from(ticks) * pace.time.as_nanos() / u128::from(pace.ticks.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(target_arch = "x86_64")]
mod counter {
    use std::arch::x86_64::{__cpuid, _rdtsc};

    /// Highest extended leaf of `cpuid`.
    const HIGHEST_EXTENDED: u32 = 0x8000_0000;
    /// Leaf that tells of power management.
    const POWER: u32 = 0x8000_0007;
    /// Bit of its EDX: the counter keeps its pace and never stops.
    const INVARIANT: u32 = 1 << 8;

    pub(super) fn is_steady() -> bool {
        #[allow(unused_unsafe, reason = "the function is safe in later versions of Rust")]
        let leaf = |number| {
            // SAFETY: every x86-64 has the instruction.
            unsafe { __cpuid(number) }
        };
        leaf(HIGHEST_EXTENDED).eax >= POWER && leaf(POWER).edx & INVARIANT != 0
    }

    #[inline(always)]
    pub(super) fn read() -> u64 {
        // SAFETY: every x86-64 has the instruction.
        unsafe { _rdtsc() }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod counter {
    pub(super) const fn is_steady() -> bool {
        false
    }

    pub(super) const fn read() -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spin(at_least: Duration) -> Duration {
        let start = Instant::now();
        while start.elapsed() < at_least {
            std::hint::spin_loop();
        }
        start.elapsed()
    }

    #[test]
    fn ticks_become_the_time_that_the_system_has_counted() {
        let second = Duration::from_secs(1);
        let pace = |ticks, time| Pace { ticks, time };
        assert_eq!(convert(500, pace(1_000, second)), second / 2);
        assert_eq!(convert(0, pace(1_000, second)), Duration::ZERO);
        assert_eq!(convert(7, pace(0, Duration::ZERO)), Duration::ZERO);
        // Two centuries at 3 GHz.
        let long = Duration::from_secs(6_307_200_000);
        assert_eq!(convert(u64::MAX, pace(u64::MAX, long)), long);
    }

    #[test]
    fn the_same_ticks_are_the_same_time_whenever_they_are_read() {
        let source = Stamps::new();
        spin(BASE * 2);
        let first = source.duration(123_456_789);
        spin(BASE * 3);
        assert_eq!(source.duration(123_456_789), first);
    }

    #[test]
    fn both_sources_measure_what_the_system_measures() {
        let system = Stamps { start: Instant::now(), counter: None, pace: OnceLock::new() };
        for source in [Stamps::new(), system] {
            let outside = Instant::now();
            let before = source.now();
            let inside = spin(Duration::from_millis(20));
            let ticks = source.now().ticks_since(before);
            let outside = outside.elapsed();
            let measured = source.duration(ticks);
            // The pace is known to about a microsecond in twenty milliseconds.
            let slack = inside / 100;
            assert!(measured + slack >= inside, "{measured:?} is less than {inside:?}");
            assert!(measured <= outside + outside / 100, "{measured:?} is over {outside:?}");
        }
    }

    #[test]
    fn stamps_in_the_wrong_order_are_no_time_apart() {
        assert_eq!(Stamp(3).ticks_since(Stamp(5)), 0);
        assert_eq!(Stamp(5).ticks_since(Stamp(3)), 2);
    }
}
