//! What only the inside can see: who has a place, where a thread's exit can be watched.

use super::*;
use crate::tunables::PLACES;

#[test]
fn a_place_passes_from_a_thread_that_ends_to_the_next() {
    let pools: &Pools = Box::leak(Box::new(Pools::new(&Config::new())));
    for _ in 0..2 * PLACES {
        let has_place = std::thread::spawn(|| {
            pools.prepare(&std::alloc::System);
            pools.own().is_some()
        });
        assert!(has_place.join().unwrap());
    }
    // SAFETY: published by the first thread for ever.
    let places = unsafe { &(*pools.metadata.load(Acquire)).places };
    assert_eq!(places.used(), 1);
}
