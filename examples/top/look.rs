//! What is seen of the pools at one moment, and of the moments before.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use framepool::{Class, PoolAlloc, Residency, SlotState, Stats};

/// Moments that are remembered: two minutes at four a second.
const MOMENTS: usize = 480;
/// Residency takes the system longer to find out, so it is asked for less often.
const RESIDENCY_INTERVAL: Duration = Duration::from_secs(2);

/// All that is drawn.
pub(crate) struct Look {
    pub(crate) now: Stats,
    /// Since the last look, and how long that took.
    pub(crate) lately: Stats,
    pub(crate) seconds: f64,
    /// For each class, where its slots are.
    pub(crate) slots: [Vec<SlotState>; 4],
    /// For each class, hits of 100 requests at each moment, newest last; `None` where nothing was asked for.
    pub(crate) hit_rates: [VecDeque<Option<u64>>; 4],
    pub(crate) residency: Residency,
    pub(crate) is_on: bool,
    /// What the last key did.
    pub(crate) said: String,
    looked: Instant,
    asked: Instant,
}

impl Look {
    pub(crate) fn new(pool: &'static PoolAlloc) -> Self {
        let now = pool.stats();
        Self {
            now,
            lately: now,
            seconds: 1.0,
            slots: Class::ALL.map(|class| vec![SlotState::Free; now.class(class).slots as usize]),
            hit_rates: Class::ALL.map(|_| VecDeque::with_capacity(MOMENTS)),
            residency: pool.residency(),
            is_on: true,
            said: String::new(),
            looked: Instant::now(),
            asked: Instant::now(),
        }
    }

    pub(crate) fn again(&mut self, pool: &'static PoolAlloc) {
        let now = pool.stats();
        self.lately = now.since(&self.now);
        self.now = now;
        self.seconds = self.looked.elapsed().as_secs_f64().max(1e-3);
        self.looked = Instant::now();
        for class in Class::ALL {
            pool.slot_states(class, &mut self.slots[class as usize]);
            let rates = &mut self.hit_rates[class as usize];
            let lately = self.lately.class(class);
            if rates.len() == MOMENTS {
                rates.pop_front();
            }
            let is_asked = lately.hits + lately.misses > 0;
            rates.push_back(is_asked.then(|| (100.0 * lately.hit_rate()).round() as u64));
        }
        if self.asked.elapsed() >= RESIDENCY_INTERVAL {
            self.asked = Instant::now();
            self.residency = pool.residency();
        }
    }

    /// Remembers what a key did, which changes the residency, too.
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
