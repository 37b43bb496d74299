//! The times at which work is due: an iterator over numbered deadlines that sleeps until each.
//!
//! Deadlines are absolute, so one late step does not delay the rest. A thread that is late catches up at one
//! and a half times its rate. It does not catch up at once, so the threads that use its results can keep up.

use std::thread;
use std::time::{Duration, Instant};

use super::Settings;

/// The blocks of audio a second: 10 ms each.
pub(super) const AUDIO_RATE: u32 = 100;

/// The speed and the length of a run of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Frames at their due times, for that many seconds.
    Paced { seconds: u32 },
    /// As many frames as possible in that many seconds, with audio at its due times. The mixer starts once its
    /// queue is full, so that each run has the busiest moment that a server with these queues can have.
    Unpaced { seconds: u32 },
    /// A number of frames of each client, as fast as possible, with the audio that belongs to them. No step
    /// depends on a clock: with [`WhenFull::Wait`](super::WhenFull::Wait), every run does the same work.
    #[allow(dead_code, reason = "for programs that share the server and need equal runs")]
    Exactly { frames: u32 },
}

/// The deadlines of one thread, numbered from 0.
pub(super) struct Schedule {
    first: Instant,
    /// The earliest time of the next step, even if that step is late.
    earliest: Instant,
    rate: u32,
    paced: bool,
    end: End,
    next: u32,
}

#[derive(Clone, Copy)]
enum End {
    After(u32),
    At(Instant),
}

impl Schedule {
    /// The schedule by which `client` captures its frames.
    pub(super) fn of_video(settings: &Settings, client: u32, start: Instant) -> Self {
        let (end, paced) = match settings.pace {
            Pace::Paced { seconds } => (End::After(seconds * settings.fps), true),
            Pace::Unpaced { seconds } => (End::At(start + Duration::from_secs(seconds.into())), false),
            Pace::Exactly { frames } => (End::After(frames), false),
        };
        Self::new(settings, client, start, settings.fps, end, paced)
    }

    /// The schedule by which `client` sends its blocks of audio.
    pub(super) fn of_audio(settings: &Settings, client: u32, start: Instant) -> Self {
        let (blocks, paced) = match settings.pace {
            Pace::Paced { seconds } | Pace::Unpaced { seconds } => (seconds * AUDIO_RATE, true),
            Pace::Exactly { frames } => (frames * AUDIO_RATE / settings.fps, false),
        };
        Self::new(settings, client, start, AUDIO_RATE, End::After(blocks), paced)
    }

    fn new(settings: &Settings, client: u32, start: Instant, rate: u32, end: End, paced: bool) -> Self {
        // Clients are spread over one period, so no two cameras tick at the same instant.
        let first = start + Duration::from_secs(1) * client / (rate * settings.clients);
        Self { first, earliest: first, rate, paced, end, next: 0 }
    }
}

impl Iterator for Schedule {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let over = match self.end {
            End::After(count) => self.next >= count,
            End::At(instant) => Instant::now() >= instant,
        };
        if over {
            return None;
        }
        if self.paced {
            let nanos = u64::from(self.next) * 1_000_000_000 / u64::from(self.rate);
            let due = (self.first + Duration::from_nanos(nanos)).max(self.earliest);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.earliest = Instant::now() + Duration::from_secs(2) / (3 * self.rate);
        }
        self.next += 1;
        Some(self.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_thread_catches_up_step_by_step() {
        let now = Instant::now();
        let mut late =
            Schedule { first: now, earliest: now, rate: 50, paced: true, end: End::After(6), next: 0 };
        late.next();
        thread::sleep(Duration::from_millis(50));
        let (number, first) = (late.next(), now.elapsed());
        let (_, second) = (late.next(), now.elapsed());
        assert_eq!(number, Some(1));
        assert!(second - first >= Duration::from_micros(13_300), "{first:?} {second:?}");
        assert_eq!(late.by_ref().last(), Some(5));
        assert!(now.elapsed() >= Duration::from_millis(100));
    }
}
