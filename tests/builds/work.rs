//! Busy threads, and forks among them: what each program here does with its allocator.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// Sizes in each class, above the classes, and below them.
pub const SIZES: [usize; 6] = [40, 900, 50_000, 200_000, 1_382_400, 3_000_000];

/// Forks `forks` times among 4 busy threads, which call `use_blocks` with a number of their own. Each child does so on
/// two threads.
pub fn fork_among_threads(forks: usize, use_blocks: impl Fn(u8) + Sync) {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        for id in 1..=4 {
            let (is_done, use_blocks) = (&is_done, &use_blocks);
            scope.spawn(move || {
                while !is_done.load(Relaxed) {
                    use_blocks(id);
                }
            });
        }
        for fork in 0..forks {
            // SAFETY: the child uses the allocator and threads, and ends without running its parent's exit handlers.
            match unsafe { libc::fork() } {
                -1 => panic!("no child"),
                0 => {
                    // SAFETY: a child that hangs is ended.
                    unsafe { libc::alarm(60) };
                    thread::scope(|scope| {
                        scope.spawn(|| (0..3).for_each(|_| use_blocks(11)));
                        (0..3).for_each(|_| use_blocks(10));
                    });
                    // SAFETY: as above.
                    unsafe { libc::_exit(0) };
                }
                child => {
                    let mut status = 0;
                    // SAFETY: a child of this process, and room for its status.
                    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
                    assert_eq!(status, 0, "child {fork}");
                }
            }
        }
        is_done.store(true, Relaxed);
    });
}
