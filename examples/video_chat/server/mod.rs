//! The video chat server: an example of a program that uses the allocator, without any code about the
//! allocator.
//!
//! ```text
//! clip -> capture (one a client) -> queue of 2 -> encode (one a client) -> inbox -> mixer -> view
//!                                                  audio (one a client) ----^
//! ```
//!
//! The clients are present from the start to the end ([`run`]), or join and leave while the server runs
//! ([`open`]).
//!
//! Every buffer is a plain `Vec`, `Box` or `String`. It is made where it is filled and dropped where it is
//! used up, mostly on another thread. This module contains no reference to the allocator, its timing, or the
//! flags. Packets depend on the clip, the client and the frame number only, so two runs can be compared
//! packet by packet.

mod ascii;
mod audio;
mod capture;
mod clip;
mod crew;
mod develop;
mod guests;
mod mixer;
mod packet;
mod pattern;
mod picture;
mod queue;
mod rgb;
mod scale;
mod schedule;

use std::io;
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;

use capture::{Captured, ReadyTimes, Studio};
use crew::{Crew, Gate};
use develop::Developer;
use mixer::{Crowd, Mail, Mixed};
use picture::Picture;
use queue::{Received, Receiver, Sender};
use schedule::Schedule;

pub(crate) use clip::Clip;
pub(crate) use guests::{Guests, open};
pub(crate) use packet::Fingerprint;
pub(crate) use picture::{Chroma, Format};
pub(crate) use queue::WhenFull;
pub(crate) use schedule::Pace;

/// The capacity of a client's queue between its capture and its encoder, in frames.
pub(crate) const QUEUE: usize = 2;

/// The capacity of the mixer's queue, in audio packets and encoded frames. A sender that finds it full waits.
const INBOX: usize = 256;

/// The settings of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) clients: u32,
    pub(crate) fps: u32,
    pub(crate) pace: Pace,
    /// The action of a capture thread whose encoder is two frames behind.
    pub(crate) when_full: WhenFull,
    /// Whether to convert to RGB at full size and then scale; else scale in YUV, then convert.
    pub(crate) full_rgb: bool,
    /// Whether to colour each character.
    pub(crate) ansi: bool,
    /// Columns and rows that the mixer lays the clients out in.
    pub(crate) canvas: (usize, usize),
}

/// The result of a run of the server.
pub(crate) struct Outcome {
    /// Frames that the captures made.
    pub(crate) captured: u64,
    /// Frames that reached the mixer as whole packets.
    pub(crate) delivered: u64,
    /// Frames that a full queue dropped for a newer one.
    pub(crate) dropped: u64,
    /// Packets with a wrong checksum on arrival. If this is not 0, memory was damaged.
    pub(crate) damaged: u64,
    /// Grids laid out, and blocks of mixed audio.
    pub(crate) mixed: (u64, u64),
    /// The packets that the mixer got, in order of arrival. Empty if clients join and leave.
    pub(crate) packets: Vec<Fingerprint>,
    /// Nanoseconds from before a captured frame's buffer was allocated until it was filled.
    pub(crate) ready_ns: Histogram<u32>,
    /// The time from the first frame's due time until the last thread was done.
    pub(crate) elapsed: Duration,
}

/// Runs the whole server to its end. `view` gets every grid that the mixer lays out.
///
/// # Errors
///
/// The system denies a thread.
pub(crate) fn run(settings: &Settings, clip: &Clip, view: &(dyn Fn(&[u8]) + Sync)) -> io::Result<Outcome> {
    let developer = Developer::new(clip.format, settings.full_rgb);
    let studio = &Studio { clip, developer, ready_times: ReadyTimes::new() };
    let gate = Gate::default();
    let (start, captured, mixed) = thread::scope(|scope| {
        let crew = Crew::new(scope, &gate);
        let (inbox, mail) = queue::bounded(INBOX, WhenFull::Wait);
        let mixer = crew.hire("mixer".to_owned(), move |start| {
            if let Pace::Unpaced { .. } = settings.pace {
                mail.wait_until_full();
            }
            mixer::run(settings, start, Crowd::Fixed, &mail, view)
        })?;
        let mut captures = Vec::with_capacity(settings.clients as usize);
        for client in 0..settings.clients {
            let (camera, pictures) = queue::bounded(QUEUE, settings.when_full);
            let to_mixer = inbox.clone();
            crew.hire(format!("encode {client}"), move |_| encode(settings, &pictures, &to_mixer))?;
            let to_mixer = inbox.clone();
            crew.hire(format!("audio {client}"), move |start| {
                audio::run(client, Schedule::of_audio(settings, client, start), &to_mixer)
            })?;
            captures.push(crew.hire(format!("capture {client}"), move |start| {
                capture::run(settings, client, Schedule::of_video(settings, client, start), studio, &camera)
            })?);
        }
        // The mixer ends when all senders are gone, so this sender must not outlive them.
        drop(inbox);
        let start = crew.start();
        let captured: Vec<Captured> = captures.into_iter().filter_map(crew::join).collect();
        io::Result::Ok((start, captured, crew::join(mixer).unwrap_or_default()))
    })?;
    let captured = Captured {
        frames: captured.iter().map(|camera| camera.frames).sum(),
        dropped: captured.iter().map(|camera| camera.dropped).sum(),
    };
    Ok(Outcome::of(&captured, mixed, studio, start.elapsed()))
}

impl Outcome {
    fn of(captured: &Captured, mixed: Mixed, studio: &Studio<'_>, elapsed: Duration) -> Self {
        Self {
            captured: captured.frames,
            delivered: mixed.delivered,
            dropped: captured.dropped,
            damaged: mixed.damaged,
            mixed: (mixed.grids, mixed.blocks),
            packets: mixed.packets,
            ready_ns: studio.ready_times.snapshot(),
            elapsed,
        }
    }
}

/// Runs a client's encoder: every picture becomes a packet.
fn encode(settings: &Settings, captured: &Receiver<Picture>, mixer: &Sender<Mail>) {
    while let Received::Item(picture) = captured.receive(None) {
        let packet = ascii::encode(&picture, settings.ansi);
        // The picture's buffer is freed before a full mixer's queue can make this thread wait.
        drop(picture);
        mixer.send(Mail::Video(packet));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(clients: u32, pace: Pace) -> Settings {
        let (when_full, canvas) = (WhenFull::Wait, (60, 20));
        Settings { clients, fps: 30, pace, when_full, full_rgb: false, ansi: false, canvas }
    }

    fn sorted(outcome: &Outcome) -> Vec<(u32, u32, u32)> {
        let mut packets: Vec<_> =
            outcome.packets.iter().map(|packet| (packet.client, packet.frame, packet.checksum)).collect();
        packets.sort_unstable();
        packets
    }

    #[test]
    fn an_exact_run_delivers_every_frame_and_does_the_same_work_again() {
        let clip = Clip::generated(175, 143);
        let exactly = settings(3, Pace::Exactly { frames: 9 });
        let run = |settings: &Settings| run(settings, &clip, &|_| {}).expect("threads");
        let (one, two) = (run(&exactly), run(&exactly));
        assert_eq!((one.captured, one.delivered, one.dropped, one.damaged), (27, 27, 0, 0));
        assert_eq!(one.mixed, (9, 30));
        assert_eq!((one.ready_ns.len(), one.mixed), (27, two.mixed));
        assert_eq!(sorted(&one), sorted(&two));
        let coloured = run(&Settings { ansi: true, full_rgb: true, ..exactly });
        assert_eq!((coloured.delivered, coloured.damaged), (27, 0));
        assert_ne!(sorted(&one), sorted(&coloured));
    }

    #[test]
    fn a_paced_run_takes_its_time_and_a_run_that_drops_accounts_for_every_frame() {
        let clip = Clip::generated(64, 36);
        let paced = run(&settings(2, Pace::Paced { seconds: 1 }), &clip, &|_| {}).expect("threads");
        assert_eq!((paced.captured, paced.delivered), (60, 60));
        assert!(paced.elapsed >= Duration::from_millis(950), "{:?}", paced.elapsed);
        let unpaced =
            Settings { when_full: WhenFull::DropOldest, ..settings(2, Pace::Unpaced { seconds: 1 }) };
        let unpaced = run(&unpaced, &clip, &|_| {}).expect("threads");
        assert_eq!(unpaced.captured, unpaced.delivered + unpaced.dropped);
    }
}
