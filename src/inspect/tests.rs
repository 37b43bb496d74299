//! Reading this process, and images of it that were changed.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Mutex, PoisonError};

use proptest::prelude::*;

use super::torn::Image;
use super::*;
use crate::metadata::Metadata;
use crate::stats::counters::SharedCounters;
use crate::stats::recording::Recording;
use crate::{Advice, BufferPool, Class, Config, PoolAlloc, SlotState};

/// Other tests of this process make pools as well. Those of one test stay while it looks.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn this_process() -> Process {
    Process::attach(std::process::id()).expect("this process may be read")
}

/// Makes an allocator that has served, refused and recorded requests.
fn busy_allocator(config: Config) -> &'static PoolAlloc {
    let alloc: &PoolAlloc = Box::leak(Box::new(PoolAlloc::with_config(config.env(false))));
    for size in [1, 700, 5_000, 5_000, 200_000, 1_400_000, 3_000_000, 20_000_000] {
        let layout = Layout::from_size_align(size, 1).unwrap();
        // SAFETY: the layout is not empty, and the block is freed as it was allocated.
        unsafe {
            let block = alloc.alloc(layout);
            block.write(1);
            if size != 5_000 {
                alloc.dealloc(block, layout);
            }
        }
    }
    alloc
}

/// Returns the reader's view of an allocator of this process: the one with these statistics.
fn found<'a>(process: &'a Process, is_it: impl Fn(&Allocator<'_>) -> bool) -> Allocator<'a> {
    let mut all = process.allocators().expect("this process has pools");
    all.retain(is_it);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn what_is_read_from_outside_is_what_the_allocator_says() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let config = Config::new().class(Class::Large, 300_032, 35).huge_pages(true).record(true);
    let alloc = busy_allocator(config);
    let process = this_process();
    let allocator = found(&process, |it| it.stats().is_ok_and(|stats| stats.class(Class::Large).slots == 35));
    assert_eq!(allocator.kind(), Kind::PoolAlloc);

    let (inside, mut outside) = (alloc.stats(), allocator.stats().unwrap());
    assert_eq!(inside.class(Class::Medium).in_use, 2);
    assert!(outside.too_large().is_some() && outside.class(Class::Medium).peak_demand == 2);
    assert!(!outside.advice().recorded, "a recording of another process is not this one's");
    let advice = Advice { cost: None, ..inside.advice() };
    assert_eq!(allocator.advice().unwrap(), advice);
    outside.recording = inside.recording;
    assert_eq!(outside, inside);

    for class in Class::ALL {
        let mut states = vec![SlotState::Free; inside.class(class).slots as usize];
        alloc.slot_states(class, &mut states);
        assert_eq!(allocator.slot_states(class).unwrap(), states, "{class}");
    }
    let (inside, outside) = (alloc.residency(), allocator.residency().unwrap());
    assert_eq!(
        (inside.reserved_bytes, inside.resident_bytes, inside.huge_bytes),
        (outside.reserved_bytes, outside.resident_bytes, outside.huge_bytes)
    );
    assert!(outside.resident_bytes > 0);
}

#[test]
fn a_buffer_pool_is_told_apart_and_gone_once_it_is_dropped() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let pool = BufferPool::with_config(Config::new().class(Class::XLarge, 2 << 20, 37));
    let buffer = pool.alloc(1_000_000);
    let process = this_process();
    let allocator =
        found(&process, |it| it.stats().is_ok_and(|stats| stats.class(Class::XLarge).slots == 37));
    assert_eq!(allocator.kind(), Kind::BufferPool);
    assert_eq!(allocator.stats().unwrap(), pool.stats());
    assert_eq!(allocator.advice(), Err(Error::NotRecorded(process.pid())));
    let live = allocator
        .slot_states(Class::XLarge)
        .unwrap()
        .iter()
        .filter(|&&state| state == SlotState::Live)
        .count();
    assert_eq!(live, 1);
    drop((buffer, pool));
    assert_eq!(allocator.stats(), Err(Error::Gone(process.pid())));
}

/// Makes pools one after the other, whose mappings the kernel puts side by side.
#[test]
fn metadata_side_by_side_is_found_piece_by_piece() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let config = Config::new().class(Class::XLarge, 2 << 20, 41);
    let pools = [(); 20].map(|()| BufferPool::with_config(config));
    let buffers = pools.each_ref().map(|pool| pool.alloc(1));
    let process = this_process();
    // Pools of other tests may go meanwhile.
    let is_one = |it: &&Allocator<'_>| it.stats().is_ok_and(|stats| stats.class(Class::XLarge).slots == 41);
    let found = process.allocators().unwrap().iter().filter(is_one).count();
    assert_eq!(found, pools.len());
    drop(buffers);
}

#[test]
fn a_process_that_is_not_there_has_a_line_that_says_so() {
    // Numbers of processes end at 2^22.
    assert_eq!(Process::attach(u32::MAX).unwrap_err(), Error::NoProcess(u32::MAX));
    assert!(Process::attach(0).unwrap_err().to_string().starts_with("no process 0 here"));
}

fn image() -> Image {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    busy_allocator(Config::new().record(true));
    Image::of_this_process().pop().expect("an image")
}

#[test]
fn an_image_reads_as_the_process_does() {
    let text = image().read().unwrap();
    assert!(text.contains("Overall hit rate") && text.contains("A table of"), "{text}");
}

#[test]
fn a_byte_of_the_signature_that_is_wrong_makes_it_none() {
    let image = image();
    for (position, expected) in
        [(0, "no pools"), (8, "has pools of framepool"), (32, "another build"), (40, "no pools")]
    {
        let mut changed = image.clone();
        changed.change(position, 0xee);
        let error = changed.read().unwrap_err().to_string();
        assert!(error.contains(expected), "{position}: {error}");
    }
}

/// Sets the highest byte of each number in a part of the image, so that sums of two overflow.
fn with_huge_numbers(mut image: Image, positions: core::ops::Range<usize>) -> Result<String, Error> {
    for position in positions.skip(7).step_by(8) {
        image.change(position, 0xff);
    }
    image.read()
}

#[test]
fn counts_that_no_process_can_have_are_torn() {
    use core::mem::{offset_of, size_of};

    let counters = offset_of!(Metadata, shared);
    let rest = counters + offset_of!(SharedCounters, rest);
    let outcome = with_huge_numbers(image(), rest..counters + size_of::<SharedCounters>());
    assert!(matches!(outcome, Err(Error::Torn(_))), "{outcome:?}");

    let image = image();
    let recording = image.recording();
    let text = with_huge_numbers(image, recording..recording + size_of::<Recording>()).unwrap();
    assert!(text.contains("contradicted each other") && text.contains("Overall hit rate"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Changes bytes in the head of the metadata, and anywhere.
    #[test]
    fn whatever_the_memory_holds_the_reader_comes_to_an_end(
        head in prop::collection::vec((0..8_192_usize, any::<u8>()), 0..8),
        anywhere in prop::collection::vec((any::<usize>(), any::<u8>()), 0..64),
    ) {
        static IMAGE: std::sync::OnceLock<Image> = std::sync::OnceLock::new();
        let mut image = IMAGE.get_or_init(image).clone();
        for (position, byte) in head.into_iter().chain(anywhere) {
            // The signature stays, or there would be nothing to read.
            if position % (1 << 20) >= 64 {
                image.change(position, byte);
            }
        }
        let _ = image.read();
    }
}
