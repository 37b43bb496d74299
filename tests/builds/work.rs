//! Busy threads, and forks among them: what each program here does with its allocator.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// Sizes in each class, above the classes, and below them.
const SIZES: [usize; 6] = [40, 900, 50_000, 200_000, 1_382_400, 3_000_000];

/// Makes, grows, checks and drops vectors of every size, until `is_done` or `rounds` are over.
pub fn use_vectors(id: u8, rounds: usize, is_done: &AtomicBool) {
    for _ in (0..rounds).take_while(|_| !is_done.load(Relaxed)) {
        for size in SIZES {
            let mut vector = vec![id; size];
            vector.resize(size + size / 2, id);
            assert!(vector.iter().all(|&byte| byte == id));
            assert!(vec![0_u8; size].iter().all(|&byte| byte == 0));
        }
    }
}

/// Forks `forks` times among 4 busy threads. Each child uses the allocator on two threads of its own.
pub fn fork_among_threads(forks: usize) {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        for id in 1..=4 {
            let is_done = &is_done;
            scope.spawn(move || use_vectors(id, usize::MAX, is_done));
        }
        for fork in 0..forks {
            // SAFETY: the child uses the allocator and threads, and ends without running its parent's exit handlers.
            match unsafe { libc::fork() } {
                -1 => panic!("no child"),
                0 => {
                    // SAFETY: a child that hangs is ended.
                    unsafe { libc::alarm(60) };
                    let never = AtomicBool::new(false);
                    thread::scope(|scope| {
                        scope.spawn(|| use_vectors(11, 3, &never));
                        use_vectors(10, 3, &never);
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
