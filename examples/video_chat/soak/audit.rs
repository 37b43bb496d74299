//! Reads the books at moments when no client is present, and takes all slots at once to check that none is
//! missing.
//!
//! The mixer still runs, and may be reading the last mail of clients that left. Books that are not in order
//! therefore get time to settle. A lost slot or a wrong count remains.

use std::thread;
use std::time::{Duration, Instant};

use framepool::{Class, ClassStats, PoolAlloc, SlotState};

use super::books::{Books, ClassBooks};
use crate::meter::Requests;

/// The maximum time that the mixer may need on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time in which nothing may change before the base is read.
const STILL: Duration = Duration::from_millis(200);

/// The reader of the books.
pub(super) struct Auditor {
    pool: &'static PoolAlloc,
    /// The meter's counts from before the pools served.
    opening: Requests,
    states: Vec<SlotState>,
}

impl Auditor {
    /// A reader for `pool`. `opening` is the meter's counts when `pool` was picked.
    pub(super) fn new(pool: &'static PoolAlloc, opening: Requests) -> Self {
        let max = Class::ALL.map(|class| pool.stats().class(class).slots).into_iter().max().unwrap_or(0);
        Self { pool, opening, states: vec![SlotState::default(); max as usize] }
    }

    /// Returns the pools that are audited.
    pub(super) fn pool(&self) -> &'static PoolAlloc {
        self.pool
    }

    /// Reads the books, without allocating. They are exact if no other thread is active.
    fn read(&mut self) -> Books {
        let classes = Class::ALL.map(|class| {
            let written = self.pool.slot_states(class, &mut self.states);
            let live = self.states[..written].iter().filter(|&&state| state == SlotState::Live).count();
            (class, live as u64)
        });
        let (stats, requests) = (self.pool.stats(), Requests::now().since(&self.opening));
        Books {
            classes: classes.map(|(class, live)| ClassBooks { counted: stats.class(class), live }),
            misses: stats.misses(),
            bypasses: stats.bypasses(),
            total: stats.total_allocs(),
            served: stats.served().0,
            fallbacks: stats.fallbacks(),
            requests,
        }
    }

    /// Reads the books while no client is present, once two readings are equal. The mixer may still be about
    /// to fall asleep.
    ///
    /// # Errors
    ///
    /// The books keep changing, or are not in order.
    pub(super) fn base(&mut self) -> Result<Books, String> {
        let start = Instant::now();
        let mut books = self.read();
        while start.elapsed() < PATIENCE {
            thread::sleep(STILL);
            let before = std::mem::replace(&mut books, self.read());
            if before.requests == books.requests {
                return books.check(None).map(|()| books);
            }
        }
        Err("the pools are in use although no client is present".to_owned())
    }

    /// Reads the books until they are in order.
    ///
    /// # Errors
    ///
    /// The books are still not in order after ten seconds. The text says what is wrong.
    pub(super) fn settled(&mut self, base: Option<&Books>) -> Result<Books, String> {
        let start = Instant::now();
        loop {
            let books = self.read();
            match books.check(base) {
                Ok(()) => return Ok(books),
                Err(wrong) if start.elapsed() > PATIENCE => return Err(wrong),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Takes all free slots of a class at once, for each class, and gives them back.
    ///
    /// # Errors
    ///
    /// Fewer slots can be taken than are free.
    pub(super) fn take_all(&self) -> Result<(), String> {
        for class in Class::ALL {
            let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(self.states.len() + 1);
            let ClassStats { slot_bytes, slots, in_use, .. } = self.pool.stats().class(class);
            for _ in 0..=slots {
                let block = std::hint::black_box(Vec::with_capacity(slot_bytes as usize));
                if !self.pool.owns(block.as_ptr()) {
                    break;
                }
                blocks.push(block);
            }
            if blocks.len() as u64 != slots - in_use {
                let had = blocks.len();
                return Err(format!("{class}: {in_use} of {slots} slots are in use, and {had} can be had"));
            }
        }
        Ok(())
    }
}
