//! P1 from the user's side: with one line, the `Vec`s, `String`s and maps of an unmodified program come from
//! the pools.

use std::collections::HashMap;

use framepool::{Class, PoolAlloc};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

#[test]
fn frame_buffers_are_hits_and_stay_where_they_are_while_they_grow() {
    let mut frame = Vec::with_capacity(300_000);
    frame.resize(300_000, 7_u8);
    assert!(ALLOC.owns(frame.as_ptr()));
    let start = frame.as_ptr();
    frame.reserve_exact(1_382_400 - frame.len());
    frame.resize(1_382_400, 8);
    assert_eq!(frame.as_ptr(), start);
    assert!(frame[..300_000].iter().all(|&byte| byte == 7) && frame[300_000..].iter().all(|&byte| byte == 8));
}

#[test]
fn buffers_that_cross_threads_keep_their_contents() {
    let (to_encoder, frames) = std::sync::mpsc::sync_channel::<(u8, Vec<u8>)>(4);
    let encoder = std::thread::spawn(move || {
        frames
            .iter()
            .filter(|(id, frame)| ALLOC.owns(frame.as_ptr()) && frame.iter().all(|byte| byte == id))
            .count()
    });
    let cameras: Vec<_> = (0..4_u8)
        .map(|id| {
            let to_encoder = to_encoder.clone();
            std::thread::spawn(move || {
                (0..200).for_each(|_| to_encoder.send((id, vec![id; 388_800])).unwrap())
            })
        })
        .collect();
    drop(to_encoder);
    cameras.into_iter().for_each(|camera| camera.join().unwrap());
    assert_eq!(encoder.join().unwrap(), 800);
}

// A 32-bit process may have as much.
#[cfg(target_pointer_width = "64")]
#[test]
fn memory_beyond_the_machine_is_an_error_and_no_abort() {
    let mut buffer: Vec<u8> = vec![1, 2, 3];
    assert!(buffer.try_reserve_exact(isize::MAX as usize - 3).is_err());
    assert!(buffer.try_reserve_exact(1 << 48).is_err());
    let mut frame = vec![9_u8; 1 << 20];
    assert!(frame.try_reserve_exact(1 << 48).is_err());
    assert_eq!(buffer, [1, 2, 3]);
    assert!(frame.iter().all(|&byte| byte == 9));
}

#[test]
fn collections_of_every_kind_work_on_pools_and_fallback_alike() {
    let words: Vec<String> = (0..5_000).map(|n| format!("word {n} {}", "x".repeat(n % 3_000))).collect();
    let lengths: HashMap<&str, usize> = words.iter().map(|word| (word.as_str(), word.len())).collect();
    assert!(words.iter().all(|word| lengths[word.as_str()] == word.len()));
    let stats = ALLOC.stats();
    assert!(stats.class(Class::Small).held_back > 0, "5,000 words exceed the open slots of Small");
    assert!(stats.class(Class::Medium).hits > 0);
}

#[test]
fn an_allocator_knows_whether_it_is_the_programs() {
    static OTHER: PoolAlloc = PoolAlloc::new();
    assert!(ALLOC.is_installed());
    assert!(!OTHER.is_installed());
}
