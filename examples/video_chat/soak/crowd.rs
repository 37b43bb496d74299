//! The order and the times in which clients join and leave, which depend on the seed only.
//!
//! It is a random walk over the seats. At least one client stays, so that memory that the others leave is
//! used again at once. If there is only one seat, its client joins and leaves.

use std::time::Duration;

/// The range of the time from one step to the next, in milliseconds. Many threads start and end, and a client
/// stays for several seconds.
const GAP_MS: std::ops::Range<u64> = 20..500;

/// The next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A client joins on a seat that was free.
    Join(u32),
    /// The client of a seat leaves.
    Leave(u32),
}

/// The state of the random walk.
pub(super) struct Crowd {
    state: u64,
    /// The seats that are taken, in no particular order, and the seats that are free.
    taken: Vec<u32>,
    free: Vec<u32>,
}

impl Crowd {
    /// A crowd without clients.
    pub(super) fn new(seed: u64, seats: u32) -> Self {
        // Both lists have room for all seats, so later steps do not allocate.
        Self { state: seed, taken: Vec::with_capacity(seats as usize), free: (0..seats).collect() }
    }

    /// Returns the number of clients that are present.
    pub(super) fn present(&self) -> usize {
        self.taken.len()
    }

    /// Lets all absent clients join, and returns their seats.
    pub(super) fn fill(&mut self) -> impl Iterator<Item = u32> {
        let joined = self.taken.len();
        self.taken.append(&mut self.free);
        self.taken[joined..].iter().copied()
    }

    /// Lets all clients leave, and returns their seats.
    pub(super) fn empty(&mut self) -> impl Iterator<Item = u32> {
        let left = self.free.len();
        self.free.append(&mut self.taken);
        self.free[left..].iter().copied()
    }

    /// Returns the time until the next step.
    pub(super) fn gap(&mut self) -> Duration {
        Duration::from_millis(GAP_MS.start + self.below(GAP_MS.end - GAP_MS.start))
    }

    /// Takes the next step.
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

    /// Returns a random number below `end`, from splitmix64 (Steele, Lea and Flood 2014).
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

    /// Returns the steps of a crowd, each checked against the clients that are present.
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
