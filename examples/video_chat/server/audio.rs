//! A client's microphone: 10 ms of 48 kHz mono 16-bit sound at a time, each in a new buffer of 960 bytes.

use super::mixer::Mail;
use super::queue::Sender;

/// The number of samples in a block.
pub(super) const SAMPLES: usize = 480;

/// The number of bytes in a block.
pub(super) const BLOCK_BYTES: usize = SAMPLES * size_of::<i16>();

/// The amplitude of the loudest sample of one client. Nine clients in phase would clip.
const AMPLITUDE: i32 = 8_192;

/// Sends a block at each step of `schedule`, until the schedule ends or the mixer is gone.
pub(super) fn run(client: u32, schedule: impl Iterator<Item = u32>, mixer: &Sender<Mail>) {
    let mut phase = 0;
    for _ in schedule {
        if mixer.send(Mail::Audio(block(&mut phase, client))).is_some() {
            return;
        }
    }
}

/// Returns the next block of the client's tone, a triangle wave with a pitch of its own.
fn block(phase: &mut u16, client: u32) -> Vec<u8> {
    // A whole wave is 65,536 steps: a step of 300 is 220 Hz at 48 kHz.
    let step = 300 + 41 * (client as u16 % 64);
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    for _ in 0..SAMPLES {
        let height = i32::from(*phase as i16).abs() - 16_384;
        block.extend_from_slice(&((height * AMPLITUDE / 16_384) as i16).to_le_bytes());
        *phase = phase.wrapping_add(step);
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_960_bytes_of_sound_that_goes_on_where_the_last_one_ended() {
        let mut phase = 0;
        let (first, second) = (block(&mut phase, 3), block(&mut phase, 3));
        assert_eq!((first.len(), first.capacity()), (960, 960));
        let sound: Vec<i16> = [first, second]
            .concat()
            .as_chunks::<2>()
            .0
            .iter()
            .map(|&bytes| i16::from_le_bytes(bytes))
            .collect();
        assert!(sound.iter().any(|&sample| sample > 8_000) && sound.iter().any(|&sample| sample < -8_000));
        assert!(sound.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 1_000));
    }
}
