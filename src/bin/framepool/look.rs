//! The figures of the pools at one moment, and their history.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use framepool::{Class, Residency, SlotState, Stats};

/// The number of moments that are kept: two minutes at four a second.
const MOMENTS: usize = 480;
/// The time between two readings of the residency, which takes the system longer than the other figures.
const RESIDENCY_INTERVAL: Duration = Duration::from_secs(2);

/// The figures that were read at one moment.
pub(crate) struct Reading {
    pub(crate) stats: Stats,
    /// The state of each slot, for each class.
    pub(crate) slots: [Vec<SlotState>; 4],
    /// `None` if it was not read this time.
    pub(crate) residency: Option<Residency>,
    /// Whether the pools are switched on; `None` if that is not known.
    pub(crate) is_on: Option<bool>,
}

/// All figures that are drawn.
pub(crate) struct Look {
    pub(crate) now: Stats,
    /// The statistics since the last look, and the seconds since then.
    pub(crate) lately: Stats,
    pub(crate) seconds: f64,
    pub(crate) slots: [Vec<SlotState>; 4],
    /// The hits of 100 requests at each moment, newest last, for each class. `None` if there were no
    /// requests.
    pub(crate) hit_rates: [VecDeque<Option<u64>>; 4],
    pub(crate) residency: Residency,
    pub(crate) is_on: Option<bool>,
    /// A text about the effect of the last key.
    pub(crate) said: String,
    looked: Instant,
    asked: Instant,
}

impl Look {
    pub(crate) fn new(reading: Reading) -> Self {
        Self {
            now: reading.stats,
            lately: reading.stats,
            seconds: 1.0,
            slots: reading.slots,
            hit_rates: Class::ALL.map(|_| VecDeque::with_capacity(MOMENTS)),
            residency: reading.residency.unwrap_or_default(),
            is_on: reading.is_on,
            said: String::new(),
            looked: Instant::now(),
            asked: Instant::now(),
        }
    }

    /// Takes over what was read a moment later.
    pub(crate) fn again(&mut self, reading: Reading) {
        self.lately = reading.stats.since(&self.now);
        self.now = reading.stats;
        self.seconds = self.looked.elapsed().as_secs_f64().max(1e-3);
        self.looked = Instant::now();
        self.slots = reading.slots;
        self.is_on = reading.is_on;
        for (class, rates) in Class::ALL.into_iter().zip(&mut self.hit_rates) {
            let lately = self.lately.class(class);
            if rates.len() == MOMENTS {
                rates.pop_front();
            }
            let is_asked = lately.hits + lately.misses > 0;
            rates.push_back(is_asked.then(|| (100.0 * lately.hit_rate()).round() as u64));
        }
        if let Some(residency) = reading.residency {
            self.asked = Instant::now();
            self.residency = residency;
        }
    }

    /// Whether the next reading is to have the residency.
    pub(crate) fn wants_residency(&self) -> bool {
        self.asked.elapsed() >= RESIDENCY_INTERVAL
    }

    /// Stores a text about the effect of a key. A key may change the residency too, so the next look reads it
    /// again.
    pub(crate) fn say(&mut self, what: String) {
        self.said = what;
        self.asked -= RESIDENCY_INTERVAL;
    }

    pub(crate) fn count(&self, class: Class, state: SlotState) -> usize {
        self.slots[class as usize].iter().filter(|&&slot| slot == state).count()
    }
}

pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}
