//! Reads the books at moments when nobody is there, and takes all slots at once to see that none is missing.
//!
//! The mixer is still there, and may be reading what the last clients sent before they left. So books that are not in order get some time;
//! what was lost or miscounted stays so.

use std::thread;
use std::time::{Duration, Instant};

use framepool::{Class, ClassStats, PoolAlloc, SlotState};

use super::books::{Books, ClassBooks};
use crate::meter::Requests;

/// How long the mixer may take, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long nothing may change before the base is read.
const STILL: Duration = Duration::from_millis(200);

/// Who reads the books.
pub(super) struct Auditor {
    pool: &'static PoolAlloc,
    /// What the meter had seen before the pools served.
    opening: Requests,
    states: Vec<SlotState>,
}

impl Auditor {
    /// `opening` is what the meter had seen when `pool` was picked.
    pub(super) fn new(pool: &'static PoolAlloc, opening: Requests) -> Self {
        let most = Class::ALL.map(|class| pool.stats().class(class).slots).into_iter().max().unwrap_or(0);
        Self { pool, opening, states: vec![SlotState::default(); most as usize] }
    }

    /// Whose books they are.
    pub(super) fn pool(&self) -> &'static PoolAlloc {
        self.pool
    }

    /// The books as they are, which allocates nothing: exact if no other thread does anything.
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

    /// The books while nobody is there, once they stay as they are: the mixer may still be about to fall asleep.
    ///
    /// # Errors
    ///
    /// They do not stay, or are not in order.
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
        Err("somebody uses the pools although nobody is there".to_owned())
    }

    /// The books once they are in order.
    ///
    /// # Errors
    ///
    /// What is wrong with them even after a while.
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
    /// There are fewer to be had than are free.
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
