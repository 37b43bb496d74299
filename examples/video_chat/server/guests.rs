//! Clients that join and leave while the server runs.
//!
//! A client has a seat, which is its number. The seat decides its tile in the grid, its part of the clip and
//! its pitch. The client works until the host lets it leave. Once it has left and the mixer has read its
//! mail, neither a thread nor a buffer of it is left. While no client is present, the mixer sleeps.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use super::capture::{self, Captured, ReadyTimes, Studio};
use super::clip::Clip;
use super::crew::{self, Crew, Gate};
use super::develop::Developer;
use super::mixer::{self, Crowd, Mail};
use super::queue::{self, Sender, WhenFull};
use super::schedule::Schedule;
use super::{INBOX, Outcome, QUEUE, Settings, audio};

/// The clients that are present, and their server.
pub(crate) struct Guests<'scope, 'env> {
    crew: Crew<'scope, 'env>,
    settings: &'env Settings,
    studio: &'env Studio<'env>,
    inbox: Sender<Mail>,
    /// Flags, one for each seat, that tell the client to leave. A flag publishes nothing else: the threads
    /// are joined before their results are read.
    leaving: &'env [AtomicBool],
    seats: Vec<Option<Guest<'scope>>>,
    /// The counts of the cameras of clients that have left.
    captured: Captured,
}

/// The threads of a client.
struct Guest<'scope> {
    capture: ScopedJoinHandle<'scope, Option<Captured>>,
    encode: ScopedJoinHandle<'scope, Option<()>>,
    audio: ScopedJoinHandle<'scope, Option<()>>,
}

/// Runs the server without clients at first, while `host` lets clients join and leave. Then lets the
/// remaining clients leave.
///
/// There are as many seats as `settings` has clients. The result of the host is returned too. The outcome has
/// no single packets, because there may be very many.
///
/// # Errors
///
/// The system denies the mixer's thread.
pub(crate) fn open<R>(
    settings: &Settings,
    clip: &Clip,
    view: &(dyn Fn(&[u8]) + Sync),
    host: impl FnOnce(&mut Guests<'_, '_>) -> R,
) -> io::Result<(Outcome, R)> {
    let developer = Developer::new(clip.format, settings.full_rgb);
    let studio = &Studio { clip, developer, ready_times: ReadyTimes::new() };
    let leaving: Vec<AtomicBool> = (0..settings.clients).map(|_| AtomicBool::new(false)).collect();
    let gate = Gate::default();
    thread::scope(|scope| {
        let crew = Crew::new(scope, &gate);
        let (inbox, mail) = queue::bounded(INBOX, WhenFull::Wait);
        let mixer = crew
            .hire("mixer".to_owned(), move |start| mixer::run(settings, start, Crowd::Open, &mail, view))?;
        let start = crew.start();
        let seats = leaving.iter().map(|_| None).collect();
        let captured = Captured::default();
        let mut guests = Guests { crew, settings, studio, inbox, leaving: &leaving, seats, captured };
        let hosted = host(&mut guests);
        (0..settings.clients).for_each(|seat| guests.leave(seat));
        let captured = std::mem::take(&mut guests.captured);
        // The mixer ends when all senders are gone.
        drop(guests);
        let mixed = crew::join(mixer).unwrap_or_default();
        Ok((Outcome::of(&captured, mixed, studio, start.elapsed()), hosted))
    })
}

impl Guests<'_, '_> {
    /// Gives a client the seat, which must be free. Returns when the client's threads are up.
    ///
    /// # Errors
    ///
    /// The system denies a thread. The server cannot continue then.
    pub(crate) fn join(&mut self, seat: u32) -> io::Result<()> {
        let (settings, studio, is_leaving) = (self.settings, self.studio, &self.leaving[seat as usize]);
        is_leaving.store(false, Relaxed);
        let stays = move |_: &u32| !is_leaving.load(Relaxed);
        self.inbox.send(Mail::Joined);
        let (camera, pictures) = queue::bounded(QUEUE, settings.when_full);
        let to_mixer = self.inbox.clone();
        let encode = self.crew.hire(format!("encode {seat}"), move |_| {
            super::encode(settings, &pictures, &to_mixer);
        })?;
        let to_mixer = self.inbox.clone();
        let audio = self.crew.hire(format!("audio {seat}"), move |_| {
            let schedule = Schedule::of_audio(settings, seat, Instant::now());
            audio::run(seat, schedule.take_while(stays), &to_mixer);
        })?;
        let capture = self.crew.hire(format!("capture {seat}"), move |_| {
            let schedule = Schedule::of_video(settings, seat, Instant::now());
            capture::run(settings, seat, schedule.take_while(stays), studio, &camera)
        })?;
        self.seats[seat as usize] = Some(Guest { capture, encode, audio });
        Ok(())
    }

    /// Lets the client in the seat leave, if there is one. Returns when its threads have ended.
    pub(crate) fn leave(&mut self, seat: u32) {
        let Some(guest) = self.seats[seat as usize].take() else { return };
        self.leaving[seat as usize].store(true, Relaxed);
        let captured = crew::join(guest.capture).unwrap_or_default();
        self.captured.frames += captured.frames;
        self.captured.dropped += captured.dropped;
        // The camera is gone, so the encoder ends when it has encoded the pictures in its queue.
        crew::join(guest.encode);
        crew::join(guest.audio);
        self.inbox.send(Mail::Left(seat));
    }
}

impl Drop for Guests<'_, '_> {
    /// Lets all clients leave, because no host could do it later.
    fn drop(&mut self) {
        self.leaving.iter().for_each(|is_leaving| is_leaving.store(true, Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::super::schedule::Pace;
    use super::*;

    #[test]
    fn clients_join_and_leave_and_every_frame_is_accounted_for() {
        let (pace, when_full) = (Pace::Unpaced { seconds: 60 }, WhenFull::DropOldest);
        let settings =
            Settings { clients: 3, fps: 30, pace, when_full, full_rgb: false, ansi: false, canvas: (60, 20) };
        let clip = Clip::generated(64, 36);
        let (blank, drawn) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let view = |grid: &[u8]| {
            let is_blank = grid.iter().all(|character| character.is_ascii_whitespace());
            if is_blank { &blank } else { &drawn }.fetch_add(1, Relaxed);
        };
        let wait = || thread::sleep(Duration::from_millis(100));
        let (outcome, asleep) = open(&settings, &clip, &view, |guests| {
            guests.join(2).expect("threads");
            guests.join(0).expect("threads");
            wait();
            guests.leave(2);
            guests.leave(1);
            guests.join(2).expect("threads");
            wait();
            [0, 2].into_iter().for_each(|seat| guests.leave(seat));
            wait();
            let grids = || blank.load(Relaxed) + drawn.load(Relaxed);
            let before = grids();
            wait();
            let asleep = grids() == before;
            guests.join(1).expect("threads");
            wait();
            asleep
        })
        .expect("threads");
        assert!(asleep, "the mixer laid grids out although no client was present");
        assert!(drawn.load(Relaxed) > 0);
        assert!(outcome.delivered > 0 && outcome.mixed.1 > 0 && outcome.packets.is_empty());
        assert_eq!((outcome.damaged, outcome.captured), (0, outcome.delivered + outcome.dropped));
    }

    #[test]
    fn a_host_that_panics_ends_the_server() {
        let (pace, when_full) = (Pace::Unpaced { seconds: 60 }, WhenFull::Wait);
        let settings =
            Settings { clients: 1, fps: 30, pace, when_full, full_rgb: false, ansi: false, canvas: (60, 20) };
        let start = Instant::now();
        let panicked = std::panic::catch_unwind(|| {
            open(&settings, &Clip::generated(16, 9), &|_| {}, |guests| {
                guests.join(0).expect("threads");
                std::panic::resume_unwind(Box::new(7));
            })
        });
        let panic = panicked.err().expect("it panicked");
        assert_eq!(panic.downcast_ref(), Some(&7));
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
