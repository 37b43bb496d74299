//! Memory that another process could have: an image of real metadata, in which anything may have changed. For tests, and
//! for the fuzz target `inspect`.

use crate::inspect::allocator::Allocator;
use crate::inspect::error::Error;
use crate::inspect::memory::Memory;
use crate::inspect::process::Process;
use crate::inspect::signature;
use crate::slots::class::Class;

/// A page, which is read as a whole or not at all.
const PAGE: usize = 4096;

/// The number of the process that the image is of.
const PID: u32 = 1;

/// The memory of one allocator: its metadata and, if it records, its recording.
#[derive(Clone, Debug)]
pub struct Image {
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Image {
    /// Copies the memory of all allocators of this process that record, each with its recording. Others may go meanwhile.
    ///
    /// # Panics
    ///
    /// If this process cannot be read.
    #[must_use]
    pub fn of_this_process() -> Vec<Self> {
        let process = Process::attach(std::process::id()).expect("this process may be read");
        let allocators = process.allocators().expect("this process has pools");
        let all = allocators.iter().filter_map(|allocator| allocator.pieces().ok());
        all.filter(|pieces| pieces.len() == 2).map(|pieces| Self { pieces }).collect()
    }

    /// Changes the byte at a position, modulo the length of the image, and returns what was there. The first 64 bytes are the
    /// signature.
    pub fn change(&mut self, position: usize, byte: u8) -> u8 {
        let len: usize = self.pieces.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut position = position % len;
        for (_, bytes) in &mut self.pieces {
            match bytes.get_mut(position) {
                Some(place) => return core::mem::replace(place, byte),
                None => position -= bytes.len(),
            }
        }
        unreachable!("the position lies in one of the pieces")
    }

    /// The position of the recording's first byte.
    #[cfg(all(test, target_os = "linux", not(framepool_os = "none")))]
    pub(super) fn recording(&self) -> usize {
        self.pieces[0].1.len()
    }

    /// Reads everything that can be read of the image, and returns it as text.
    ///
    /// # Errors
    ///
    /// There is no metadata in it, or its statistics cannot be read.
    pub fn read(&self) -> Result<String, Error> {
        let maps: String = self
            .pieces
            .iter()
            .map(|(start, bytes)| {
                format!("{start:x}-{:x} rw-p 00000000 00:00 0 \n", start + bytes.len() as u64)
            })
            .collect();
        let mut texts = String::new();
        for found in signature::find(self, PID, &maps)? {
            let allocator = Allocator::new(self, PID, found);
            for class in Class::ALL {
                match allocator.slot_states(class) {
                    Ok(states) => texts += &format!("{class}: {} slots\n", states.len()),
                    Err(error) => texts += &format!("{error}\n"),
                }
            }
            match allocator.advice() {
                Ok(advice) => texts += &format!("{advice}\n{advice:?}\n"),
                Err(error) => texts += &format!("{error}\n"),
            }
            let stats = allocator.stats()?;
            texts += &format!("{stats}\n{stats:?}\n{:?}\n", stats.refused().collect::<Vec<_>>());
            texts += &format!("{} {:?}\n", stats.total_allocs(), stats.since(&stats));
        }
        Ok(texts)
    }
}

impl Memory for Image {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let piece = self.pieces.iter().find_map(|(start, piece)| {
            let from = usize::try_from(address.checked_sub(*start)?).ok()?;
            piece.get(from..from.checked_add(bytes.len())?)
        });
        bytes.copy_from_slice(piece.ok_or(Error::Gone(PID))?);
        Ok(())
    }
}

impl Allocator<'_> {
    /// Copies the metadata and the recording, page by page. What cannot be read is zeros.
    fn pieces(&self) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let copy = |start: u64, bytes: usize| {
            let mut copy = vec![0; bytes.next_multiple_of(PAGE)];
            for (page, at) in copy.chunks_mut(PAGE).zip((start..).step_by(PAGE)) {
                self.read_page(at, page);
            }
            (start, copy)
        };
        let mut pieces = vec![copy(self.address(), self.bytes())];
        pieces.extend(self.recording_bytes()?.map(|(start, bytes)| copy(start, bytes)));
        Ok(pieces)
    }
}
