//! The program that is watched: frames that pass from a camera to a screen, with a sound packet each, or the
//! video chat server.
//!
//! It uses plain vectors, on threads that end with the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::server::{self, Clip, Pace, Settings, WhenFull};

/// The sizes of a frame in bytes, which the up and down keys step through.
const SIZES: [usize; 10] =
    [960, 4_000, 40_000, 76_032, 200_000, 388_800, 700_000, 1_382_400, 2_764_800, 3_110_400];
/// The rates in frames a second.
const RATES: [usize; 8] = [1, 10, 30, 60, 120, 240, 480, 960];
/// The maximum numbers of frames that live at once. The largest exceeds the slots of XLarge.
const DEPTHS: [usize; 8] = [1, 2, 4, 8, 16, 32, 64, 96];

/// The settings that keys change, each an index into its list.
pub(crate) struct Knobs {
    size: AtomicUsize,
    rate: AtomicUsize,
    depth: AtomicUsize,
}

/// The program that is watched.
pub(crate) enum Workload {
    Frames(Arc<Knobs>),
    Chat,
}

impl Workload {
    /// Starts the program that is watched.
    ///
    /// # Errors
    ///
    /// The system denies a thread.
    pub(crate) fn start(chat: bool) -> io::Result<Self> {
        if chat {
            thread::Builder::new().name("chat".to_owned()).spawn(chat_forever)?;
            return Ok(Self::Chat);
        }
        let (size, rate, depth) = (AtomicUsize::new(7), AtomicUsize::new(4), AtomicUsize::new(3));
        let knobs = Arc::new(Knobs { size, rate, depth });
        let (camera, frames) = mpsc::channel();
        let (shot, shown) = (Arc::clone(&knobs), Arc::clone(&knobs));
        thread::Builder::new().name("camera".to_owned()).spawn(move || shot.shoot(&camera))?;
        thread::Builder::new().name("screen".to_owned()).spawn(move || shown.show(&frames))?;
        Ok(Self::Frames(knobs))
    }

    pub(crate) fn change_size(&self, by: isize) {
        self.turn(|knobs| &knobs.size, SIZES.len(), by);
    }

    pub(crate) fn change_rate(&self, by: isize) {
        self.turn(|knobs| &knobs.rate, RATES.len(), by);
    }

    pub(crate) fn change_depth(&self, by: isize) {
        self.turn(|knobs| &knobs.depth, DEPTHS.len(), by);
    }

    fn turn(&self, knob: fn(&Knobs) -> &AtomicUsize, places: usize, by: isize) {
        if let Self::Frames(knobs) = self {
            let knob = knob(knobs);
            knob.store(knob.load(Relaxed).saturating_add_signed(by).min(places - 1), Relaxed);
        }
    }

    /// Describes the workload in words, with the keys that change it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Chat => "a video chat of 9 clients at 30 frames/s".to_owned(),
            Self::Frames(knobs) => {
                let (size, rate, depth) = knobs.read();
                format!("frames of {size} bytes (up/down), {rate}/s (left/right), {depth} at once (+/-)")
            }
        }
    }
}

impl Knobs {
    fn read(&self) -> (usize, usize, usize) {
        let (size, rate, depth) = (&self.size, &self.rate, &self.depth);
        (SIZES[size.load(Relaxed)], RATES[rate.load(Relaxed)], DEPTHS[depth.load(Relaxed)])
    }

    /// Makes frames, each with a packet of sound and a line about it.
    fn shoot(&self, camera: &mpsc::Sender<(Vec<u8>, Vec<u8>, String)>) {
        let mut due = Instant::now();
        for number in 0_u64.. {
            let (size, rate, _) = self.read();
            let frame = vec![number as u8; size];
            let sound = vec![number as u8; 960];
            if camera.send((frame, sound, format!("frame {number} of {size} bytes"))).is_err() {
                return;
            }
            due =
                (due + Duration::from_secs(1) / rate as u32).max(Instant::now() - Duration::from_millis(100));
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    /// Keeps the latest frames, as many as the depth says.
    fn show(&self, frames: &mpsc::Receiver<(Vec<u8>, Vec<u8>, String)>) {
        let mut shown = std::collections::VecDeque::new();
        for frame in frames {
            shown.push_back(frame);
            while shown.len() > self.read().2 {
                shown.pop_front();
            }
        }
    }
}

fn chat_forever() {
    let clip = Clip::generated(1280, 720);
    let settings = Settings {
        clients: 9,
        fps: 30,
        pace: Pace::Paced { seconds: 600 },
        when_full: WhenFull::DropOldest,
        full_rgb: false,
        ansi: false,
        canvas: (120, 36),
    };
    while server::run(&settings, &clip, &|_| {}).is_ok() {}
}
