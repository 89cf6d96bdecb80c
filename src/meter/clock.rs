//! What time it is for a run, and how long slices of fuel are by it.

use std::time::{Duration, Instant};

/// Most instructions between two checkpoints: some tenths of a millisecond of interpreter time, so that a deadline is kept
/// to within that, while the clock is read rarely enough not to show.
const SLICE: u64 = 8192;

/// Fewest. Slices shrink while instructions are slow (each may start native work), so that checkpoints keep coming in
/// time. The bill does not depend on where slices end.
pub(super) const MIN_SLICE: u64 = 16;

/// What a slice should take, and what is so little that the next one may be longer.
const SLICE_TIME: Duration = Duration::from_micros(1000);
const SHORT_TIME: Duration = Duration::from_micros(400);

/// How long a run has taken.
///
/// Reading the clock costs as much as a short call. A lazy clock starts at the first checkpoint: at most [`MIN_SLICE`]
/// instructions and native steps after the run began, and before native work that is charged with more.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    since: Option<Instant>,
    before: Duration,
}

impl Clock {
    /// Starts now.
    pub(crate) fn started() -> Self {
        Clock { since: Some(Instant::now()), before: Duration::ZERO }
    }

    /// Starts at the first checkpoint.
    pub(crate) fn lazy() -> Self {
        Clock::default()
    }

    pub(super) fn start(&mut self, now: impl FnOnce() -> Instant) {
        if self.since.is_none() {
            self.since = Some(now());
        }
    }

    #[inline]
    pub(super) fn elapsed(&self) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Stops, to be started again.
    pub(super) fn stop(&mut self) {
        self.before = self.elapsed();
        self.since = None;
    }
}

/// How long slices are at present.
pub(crate) struct Pace {
    pub(super) slice: u64,
    checked: Option<Instant>,
    /// What the last collection of garbage took.
    pub(super) collection: Duration,
}

impl Pace {
    #[inline]
    pub(crate) fn begin() -> Self {
        Pace { slice: MIN_SLICE, checked: None, collection: Duration::ZERO }
    }

    /// The next slice, by what the last one took and what is left until the deadline.
    pub(super) fn next(&mut self, now: Instant, left: Duration) -> u64 {
        let Some(checked) = self.checked.replace(now) else { return self.slice };
        let took = now.duration_since(checked).max(Duration::from_nanos(1));
        if took > SLICE_TIME {
            let shrunk = self.slice as f64 * (SLICE_TIME.as_secs_f64() / took.as_secs_f64());
            self.slice = (shrunk as u64).max(MIN_SLICE);
        } else if took < SHORT_TIME {
            self.slice = (self.slice * 2).min(SLICE);
        }
        if left < SLICE_TIME { MIN_SLICE } else { self.slice }
    }
}
