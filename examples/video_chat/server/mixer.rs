//! The mixer: checks every packet, lays all clients out in one grid, and adds up their sound.
//!
//! One thread serves all clients. A client that is late is shown with its last frame. A client that has sent
//! no frame, or has left, is blank.

use std::time::{Duration, Instant};

use super::audio::{BLOCK_BYTES, SAMPLES};
use super::packet::{self, Fingerprint, Packet};
use super::queue::{Received, Receiver};
use super::schedule::Pace;
use super::{Settings, clip};

/// The number of grids a second.
const GRID_RATE: u32 = 30;

/// A piece of mail for the mixer.
pub(super) enum Mail {
    /// A packet of one frame.
    Video(Vec<u8>),
    /// A block of sound.
    Audio(Vec<u8>),
    /// A client joined.
    Joined,
    /// A client left. All its mail has arrived before this.
    Left(u32),
}

/// The clients whose mail the mixer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crowd {
    /// All clients, from the start to the end. Their packets are kept, so that runs can be compared.
    Fixed,
    /// No client at first; clients send mail when they join and leave. Their packets are only counted,
    /// because their number has no limit.
    Open,
}

/// The counts and packets of the mixer.
#[derive(Default)]
pub(super) struct Mixed {
    pub(super) packets: Vec<Fingerprint>,
    pub(super) delivered: u64,
    pub(super) damaged: u64,
    pub(super) grids: u64,
    pub(super) blocks: u64,
}

/// Mixes until all senders of mail are gone.
pub(super) fn run(
    settings: &Settings,
    start: Instant,
    crowd: Crowd,
    mail: &Receiver<Mail>,
    view: &(dyn Fn(&[u8]) + Sync),
) -> Mixed {
    let mut mixer = Mixer::new(settings, start, crowd);
    loop {
        let round_is_full = match mail.receive(mixer.tick) {
            Received::Closed => return mixer.mixed,
            Received::Late => true,
            Received::Item(item) => mixer.take(item),
        };
        if round_is_full {
            view(&lay_out(&mixer.latest, settings.canvas));
            mixer.mixed.grids += 1;
            mixer.tick = mixer.tick.map(next_tick);
        }
    }
}

/// The mixer's state of its clients.
struct Mixer {
    crowd: Crowd,
    /// Whether a grid is laid out for every round of frames, in a run whose result must not depend on a
    /// clock.
    by_rounds: bool,
    /// The number of clients that are present.
    present: usize,
    /// The last frame of each client.
    latest: Vec<Option<Vec<u8>>>,
    sound: Sound,
    /// The time at which the next grid is due, or `None` while no client is present.
    tick: Option<Instant>,
    mixed: Mixed,
}

impl Mixer {
    fn new(settings: &Settings, start: Instant, crowd: Crowd) -> Self {
        let clients = settings.clients as usize;
        let by_rounds = matches!(settings.pace, Pace::Exactly { .. });
        let (present, packets) = match crowd {
            Crowd::Fixed => (clients, clip::outside(0)),
            Crowd::Open => (0, Vec::new()),
        };
        Self {
            crowd,
            by_rounds,
            present,
            latest: vec![None; clients],
            sound: Sound::default(),
            tick: (present > 0 && !by_rounds).then_some(start),
            mixed: Mixed { packets, ..Mixed::default() },
        }
    }

    /// Handles a piece of mail. Returns whether it completes a round of frames.
    fn take(&mut self, mail: Mail) -> bool {
        match mail {
            Mail::Audio(block) => self.add_sound(&block),
            Mail::Video(bytes) => {
                self.show(bytes);
                return self.by_rounds && self.mixed.delivered.is_multiple_of(self.latest.len() as u64);
            }
            Mail::Joined => {
                self.present += 1;
                self.tick = self.tick.or_else(|| Some(Instant::now()));
            }
            Mail::Left(client) => {
                self.latest[client as usize] = None;
                self.present -= 1;
                self.tick = self.tick.filter(|_| self.present > 0);
            }
        }
        false
    }

    fn add_sound(&mut self, block: &[u8]) {
        self.sound.add(block);
        if self.sound.blocks >= self.present {
            drop(self.sound.mix());
            self.mixed.blocks += 1;
        }
    }

    fn show(&mut self, bytes: Vec<u8>) {
        let Some(fingerprint) = packet::unpack(&bytes).map(|packet| packet.fingerprint) else {
            self.mixed.damaged += 1;
            return;
        };
        self.mixed.delivered += 1;
        if self.crowd == Crowd::Fixed {
            self.mixed.packets.push(fingerprint);
        }
        self.latest[fingerprint.client as usize] = Some(bytes);
    }
}

/// Returns the next tick in the future. A mixer that fell behind leaves grids out, and reads its mail between
/// them.
fn next_tick(mut tick: Instant) -> Instant {
    let now = Instant::now();
    while tick <= now {
        tick += Duration::from_secs(1) / GRID_RATE;
    }
    tick
}

/// Lays out all clients' latest frames side by side, in a new buffer: rows of characters, each ended by a
/// line feed.
fn lay_out(latest: &[Option<Vec<u8>>], (columns, rows): (usize, usize)) -> Vec<u8> {
    let packets: Vec<Option<Packet<'_>>> =
        latest.iter().map(|bytes| packet::unpack(bytes.as_deref()?)).collect();
    let across = packets.len().isqrt() + usize::from(packets.len().isqrt().pow(2) < packets.len());
    let down = packets.len().div_ceil(across);
    let (tile_columns, tile_rows) = (columns / across, rows / down);
    let cell_bytes = packets.iter().flatten().map(|packet| packet.cell(0, 0).len()).max().unwrap_or(1);
    let mut grid = Vec::with_capacity(down * tile_rows * (across * tile_columns * cell_bytes + 1));
    for row in 0..down * tile_rows {
        for place in 0..across {
            match packets.get(row / tile_rows * across + place) {
                Some(Some(packet)) => {
                    append_tile_row(&mut grid, packet, row % tile_rows, tile_columns, tile_rows)
                }
                _ => grid.resize(grid.len() + tile_columns, b' '),
            }
        }
        grid.push(b'\n');
    }
    grid
}

/// Appends one row of a client's tile: the nearest cells of its frame.
fn append_tile_row(grid: &mut Vec<u8>, packet: &Packet<'_>, row: usize, columns: usize, rows: usize) {
    let from_row = row * packet.rows / rows;
    for column in 0..columns {
        grid.extend_from_slice(packet.cell(column * packet.columns / columns, from_row));
    }
}

/// The sum of the blocks since the last mix.
struct Sound {
    sums: [i32; SAMPLES],
    blocks: usize,
}

impl Default for Sound {
    fn default() -> Self {
        Self { sums: [0; SAMPLES], blocks: 0 }
    }
}

impl Sound {
    fn add(&mut self, block: &[u8]) {
        for (sum, &sample) in self.sums.iter_mut().zip(block.as_chunks::<2>().0) {
            *sum += i32::from(i16::from_le_bytes(sample));
        }
        self.blocks += 1;
    }

    /// Returns the mix so far in a new buffer, with loud parts clipped. The next mix starts in silence.
    fn mix(&mut self) -> Vec<u8> {
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        for sum in self.sums {
            let sample = sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            block.extend_from_slice(&sample.to_le_bytes());
        }
        *self = Self::default();
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_lie_side_by_side_and_a_silent_one_is_blank() {
        let packet = |client, character: &str| {
            let row = character.repeat(4) + "\n";
            Some(packet::pack(client, 0, (4, 2), row.repeat(2).as_bytes()))
        };
        let latest = [packet(0, "a"), packet(1, "b"), None];
        assert_eq!(lay_out(&latest, (4, 4)), b"aabb\naabb\n    \n    \n");
        assert_eq!(lay_out(&latest[..1], (8, 1)), b"aaaaaaaa\n");
        assert_eq!(lay_out(&latest, (1, 1)), b"");
    }

    #[test]
    fn sound_adds_up_and_clips() {
        let block = |sample: i16| sample.to_le_bytes().repeat(SAMPLES);
        let mut sound = Sound::default();
        for sample in [1_000, -300] {
            sound.add(&block(sample));
        }
        assert_eq!((sound.blocks, sound.mix()), (2, block(700)));
        for _ in 0..3 {
            sound.add(&block(-20_000));
        }
        assert_eq!(sound.mix(), block(i16::MIN));
    }

    #[test]
    fn ticks_that_were_missed_are_left_out() {
        let start = Instant::now();
        let past = start.checked_sub(Duration::from_secs(1)).unwrap_or(start);
        let next = next_tick(past);
        assert!(next > start && next < start + Duration::from_secs(1));
    }
}
