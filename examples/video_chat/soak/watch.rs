//! The course of a soak: rounds in which clients join and leave, with lines and samples meanwhile, and a
//! check of the books after each round.

use std::thread;
use std::time::{Duration, Instant};

use framepool::{Class, PoolAlloc};

use super::audit::Auditor;
use super::crowd::{Crowd, Step};
use super::memory::{Growth, Memory, Resident};
use crate::failure::Failure;
use crate::print;
use crate::server::Guests;
use crate::spread::grouped;

/// The time from one moment without clients to the next. In a soak shorter than four rounds, a quarter of its
/// time.
const ROUND: Duration = Duration::from_secs(60);

/// The time from one line to the next.
const LINE: Duration = Duration::from_secs(10);

/// The time from one sample of resident memory to the next. In a soak shorter than 60 samples, a sixtieth of
/// its time.
const SAMPLE: Duration = Duration::from_secs(1);

const HEADING: &str = "\
    \x20                         resident, MiB       slots in use                            requests\n\
    \x20   time  clients  threads  in all  slots   Small  Medium  Large  XLarge            hits      misses    bypasses\n";

/// One soak.
pub(super) struct Watch {
    start: Instant,
    total: Duration,
    round: Duration,
    sample: Duration,
    next_sample: Duration,
    next_line: Duration,
    crowd: Crowd,
    memory: Memory,
    joined: u64,
}

impl Watch {
    pub(super) fn new(total: Duration, clients: u32, seed: u64) -> Self {
        let (round, sample) = (ROUND.min(total / 4), SAMPLE.min(total / 60));
        Self {
            start: Instant::now(),
            total,
            round,
            sample,
            next_sample: Duration::ZERO,
            next_line: LINE,
            crowd: Crowd::new(seed, clients),
            memory: Memory::new(total, round, sample),
            joined: 0,
        }
    }

    /// Returns the number of clients that joined so far.
    pub(super) fn joined(&self) -> u64 {
        self.joined
    }

    /// Returns the growth of the resident memory, or `None` if there are too few samples.
    pub(super) fn growth(&self) -> Option<Growth> {
        self.memory.growth()
    }

    /// Lets clients join and leave until the time is up.
    ///
    /// # Errors
    ///
    /// The system denies a thread, or the books are not in order when no client is present.
    pub(super) fn host(&mut self, guests: &mut Guests<'_, '_>, auditor: &mut Auditor) -> Result<(), Failure> {
        print(HEADING)?;
        let base = auditor.base().map_err(Failure::broken)?;
        self.start = Instant::now();
        self.line(auditor.pool(), "")?;
        while self.start.elapsed() < self.total {
            let end = (self.start.elapsed() + self.round).min(self.total);
            self.crowd.fill().try_for_each(|seat| join(guests, seat))?;
            self.joined += self.crowd.present() as u64;
            while self.wait(end, auditor)? {
                match self.crowd.step() {
                    Step::Join(seat) => {
                        join(guests, seat)?;
                        self.joined += 1;
                    }
                    Step::Leave(seat) => guests.leave(seat),
                }
            }
            self.crowd.empty().for_each(|seat| guests.leave(seat));
            auditor.settled(Some(&base)).map_err(Failure::broken)?;
            self.line(auditor.pool(), ", all have left: in order")?;
        }
        Ok(())
    }

    /// Waits until the next step is due, and takes samples and prints lines meanwhile. Returns `false` if
    /// `end` comes first.
    fn wait(&mut self, end: Duration, auditor: &Auditor) -> Result<bool, Failure> {
        let due = self.start.elapsed() + self.crowd.gap();
        loop {
            let now = self.start.elapsed();
            if now >= self.next_sample {
                self.next_sample = now + self.sample;
                if let Some((resident, _)) = Resident::now(auditor.pool()) {
                    self.memory.add(now, resident);
                }
            }
            if now >= self.next_line {
                self.next_line += LINE;
                self.line(auditor.pool(), "")?;
            }
            if now >= due.min(end) {
                return Ok(now < end);
            }
            let wake = due.min(end).min(self.next_sample).min(self.next_line);
            thread::sleep(wake.saturating_sub(now));
        }
    }

    /// Prints a line with the current figures.
    fn line(&self, pool: &PoolAlloc, note: &str) -> Result<(), Failure> {
        let stats = pool.stats();
        let (seconds, present) = (self.start.elapsed().as_secs(), self.crowd.present());
        let [threads, total, slots] = match Resident::now(pool) {
            Some((now, threads)) => {
                [threads.to_string(), format!("{:.1}", now.total()), format!("{:.1}", now.slots)]
            }
            None => ["?"; 3].map(str::to_owned),
        };
        let time = format!("{}:{:02}", seconds / 60, seconds % 60);
        let [small, medium, large, xlarge] = Class::ALL.map(|class| stats.class(class).in_use);
        let [hits, misses, bypasses] =
            [stats.hits(), stats.misses(), stats.bypasses()].map(|count| grouped(count, ','));
        print(&format!(
            "{time:>8}{present:>9}{threads:>9}{total:>8}{slots:>7}{small:>8}{medium:>8}{large:>7}{xlarge:>8}\
             {hits:>16}{misses:>12}{bypasses:>12}{note}\n"
        ))
    }
}

fn join(guests: &mut Guests<'_, '_>, seat: u32) -> Result<(), Failure> {
    guests.join(seat).map_err(|error| Failure::broken(format!("cannot start a thread: {error}")))
}
