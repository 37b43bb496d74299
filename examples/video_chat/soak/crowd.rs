//! Who joins and who leaves, and when: the same for the same seed.
//!
//! A random walk over the seats. One client at least stays, so that what the others leave behind is used at once; with one seat it
//! comes and goes.

use std::time::Duration;

/// From one step to the next, milliseconds: so many threads start and end that a client stays for some seconds.
const GAP_MS: std::ops::Range<u64> = 20..500;

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A client joins on a seat that was free.
    Join(u32),
    /// The client of a seat leaves.
    Leave(u32),
}

/// The walk.
pub(super) struct Crowd {
    state: u64,
    /// The seats that are taken, in no order, and those that are free.
    taken: Vec<u32>,
    free: Vec<u32>,
}

impl Crowd {
    /// Nobody is there yet.
    pub(super) fn new(seed: u64, seats: u32) -> Self {
        // Both have room for all, so that nothing is allocated later.
        Self { state: seed, taken: Vec::with_capacity(seats as usize), free: (0..seats).collect() }
    }

    /// How many are there.
    pub(super) fn present(&self) -> usize {
        self.taken.len()
    }

    /// Lets everybody join who is not there: their seats.
    pub(super) fn fill(&mut self) -> impl Iterator<Item = u32> {
        let joined = self.taken.len();
        self.taken.append(&mut self.free);
        self.taken[joined..].iter().copied()
    }

    /// Lets everybody leave: their seats.
    pub(super) fn empty(&mut self) -> impl Iterator<Item = u32> {
        let left = self.free.len();
        self.free.append(&mut self.taken);
        self.free[left..].iter().copied()
    }

    /// How long it is until the next step.
    pub(super) fn gap(&mut self) -> Duration {
        Duration::from_millis(GAP_MS.start + self.below(GAP_MS.end - GAP_MS.start))
    }

    /// The next step.
    pub(super) fn step(&mut self) -> Step {
        let leaves = self.free.is_empty() || self.taken.len() > 1 && self.below(2) == 0;
        let from = if leaves { self.taken.len() } else { self.free.len() };
        let place = self.below(from as u64) as usize;
        if leaves {
            let seat = self.taken.swap_remove(place);
            self.free.push(seat);
            Step::Leave(seat)
        } else {
            let seat = self.free.swap_remove(place);
            self.taken.push(seat);
            Step::Join(seat)
        }
    }

    /// A random number below `end`: splitmix64 (Steele, Lea and Flood 2014).
    fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of a crowd, each checked against who is there.
    fn walk(seed: u64, seats: u32) -> Vec<(Duration, Step)> {
        let mut crowd = Crowd::new(seed, seats);
        let mut present: Vec<u32> = crowd.fill().collect();
        let step = |_| {
            let (gap, step) = (crowd.gap(), crowd.step());
            match step {
                Step::Join(seat) => {
                    assert!(seat < seats && !present.contains(&seat), "{seat} is taken");
                    present.push(seat);
                }
                Step::Leave(seat) => {
                    assert!(present.contains(&seat), "{seat} is free");
                    present.retain(|&other| other != seat);
                }
            }
            assert!(present.len() == crowd.present() && (seats == 1 || !present.is_empty()));
            (gap, step)
        };
        (0..1_000).map(step).collect()
    }

    #[test]
    fn a_seed_decides_which_clients_come_and_go_and_one_is_always_there() {
        assert_eq!(walk(1, 9), walk(1, 9));
        assert_ne!(walk(1, 9), walk(2, 9));
        walk(3, 2);
        walk(4, 1);
    }

    #[test]
    fn all_numbers_of_clients_come_up() {
        let mut crowd = Crowd::new(5, 9);
        let mut seen = [false; 10];
        crowd.fill().for_each(drop);
        for _ in 0..1_000 {
            crowd.step();
            seen[crowd.present()] = true;
        }
        assert_eq!(seen.iter().filter(|&&seen| seen).count(), 9);
        assert_eq!((crowd.empty().count() > 0, crowd.present(), crowd.fill().count()), (true, 0, 9));
    }
}
