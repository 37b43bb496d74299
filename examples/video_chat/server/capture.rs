//! A client's camera: copies the source frame into a new buffer, makes a small RGB picture of it, and queues
//! that.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hdrhistogram::Histogram;

use super::Settings;
use super::clip::Clip;
use super::develop::Developer;
use super::picture::{Format, Picture};
use super::queue::Sender;

/// The time until each frame was ready, in nanoseconds: 100 ns to 10 s, three significant digits.
///
/// All cameras share one histogram, which is allocated at the start. A thread adds to it a few hundred times
/// a second at most, after it has read its clock.
pub(super) struct ReadyTimes(Mutex<Histogram<u32>>);

impl ReadyTimes {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Histogram::new_with_bounds(100, 10_000_000_000, 3).expect("the bounds are in order")))
    }

    fn add(&self, started: Instant) {
        let nanos = started.elapsed().as_nanos() as u64;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(nanos);
    }

    pub(super) fn snapshot(&self) -> Histogram<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The counts of one camera.
#[derive(Default)]
pub(super) struct Captured {
    pub(super) frames: u64,
    pub(super) dropped: u64,
}

/// The data that all cameras share.
pub(super) struct Studio<'a> {
    pub(super) clip: &'a Clip,
    pub(super) developer: Developer,
    pub(super) ready_times: ReadyTimes,
}

/// Captures each frame number of `schedule`.
pub(super) fn run(
    settings: &Settings,
    client: u32,
    schedule: impl Iterator<Item = u32>,
    studio: &Studio<'_>,
    queue: &Sender<Picture>,
) -> Captured {
    let mut captured = Captured::default();
    let Format { width, height, .. } = studio.developer.to;
    // Each client starts at a different part of the clip.
    let first = studio.clip.len() * client as usize / settings.clients as usize;
    for number in schedule {
        let source = studio.clip.frame(first + number as usize);
        let started = Instant::now();
        let mut frame = Vec::with_capacity(source.len());
        frame.extend_from_slice(source);
        studio.ready_times.add(started);
        captured.frames += 1;
        let rgb = studio.developer.develop(frame);
        let lost = queue.send(Picture { client, frame: number, width, height, rgb });
        captured.dropped += u64::from(lost.is_some());
    }
    captured
}
