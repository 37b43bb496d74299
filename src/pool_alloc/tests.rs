//! P10: if the system denies any call, at any moment of an allocator's life, there is no crash and no lost
//! block, and the statistics add up.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::sync::Barrier;
use std::thread;

use crate::os::unix::calls::inject_failure::{Call, inject_failure};
use crate::{Class, Config, PoolAlloc, Stats};

/// A table that requests everything the system can be asked for. It has few slots, because a trim takes them
/// in turns.
const CONFIG: Config = Config::new()
    .class(Class::Small, 1 << 10, 80)
    .hold_back(Class::Small, 0, 0)
    .class(Class::Medium, 8 << 10, 4)
    .hold_back(Class::Medium, 0, 0)
    .class(Class::Large, 16 << 10, 2)
    .class(Class::XLarge, 64 << 10, 4)
    .huge_pages(true)
    .prefault(true)
    .lock_memory(true)
    .core_dumps(false);

/// The calls of a program to its allocator, and how often it asked for memory.
struct Program {
    pool: &'static PoolAlloc,
    requests: Cell<u64>,
}

/// A block filled with its number.
struct Block {
    start: *mut u8,
    layout: Layout,
    number: u8,
}

fn whole(class: Class) -> Layout {
    Layout::from_size_align(CONFIG.slot_bytes(class), 8).unwrap()
}

/// Returns the offsets of 10 bytes of a block, its first and its last among them.
fn sample(layout: Layout) -> impl Iterator<Item = usize> {
    (0..layout.size()).step_by(layout.size() / 8 - 1).chain([layout.size() - 1])
}

impl Program {
    /// Creates a program with pools of its own, which are never dropped.
    fn new() -> Self {
        Self { pool: Box::leak(Box::new(PoolAlloc::with_config(CONFIG))), requests: Cell::new(0) }
    }

    fn take(&self, layout: Layout, number: u8) -> Block {
        self.requests.set(self.requests.get() + 1);
        // SAFETY: not empty.
        let start = unsafe { self.pool.alloc_zeroed(layout) };
        assert!(!start.is_null());
        // SAFETY: a new block of that many bytes.
        unsafe {
            assert!(sample(layout).all(|at| start.add(at).read() == 0));
            start.write_bytes(number, layout.size());
        }
        Block { start, layout, number }
    }

    fn give(&self, block: Block) {
        let Block { start, layout, number } = block;
        // SAFETY: a live block, which is given up.
        unsafe {
            assert!(sample(layout).all(|at| start.add(at).read() == number), "a block has two owners");
            self.pool.dealloc(start, layout);
        }
    }

    /// Takes as many blocks as a class has slots.
    fn take_all(&self, class: Class) -> Vec<Block> {
        (0..CONFIG.slots(class)).map(|slot| self.take(whole(class), 1 + slot as u8)).collect()
    }

    /// Takes every path to the system: start-up, a thread's first use, a reclaim of slots that another thread
    /// has cached, memory that is given back and requested again.
    fn run(&self) {
        Class::ALL.into_iter().map(|class| self.take(whole(class), 7)).for_each(|block| self.give(block));
        let (cached, done) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            let pool = self.pool;
            let (cached, done) = (&cached, &done);
            let other = scope.spawn(move || {
                let other = Self { pool, requests: Cell::new(0) };
                for class in Class::ALL {
                    // Often enough that the thread gets magazines of the larger slots, too.
                    for _ in 0..20 {
                        let blocks = [1, 2].map(|number| other.take(whole(class), number));
                        blocks.into_iter().for_each(|block| other.give(block));
                    }
                }
                cached.wait();
                done.wait();
                other.requests.get()
            });
            cached.wait();
            let blocks: Vec<_> = Class::ALL.into_iter().flat_map(|class| self.take_all(class)).collect();
            blocks.into_iter().for_each(|block| self.give(block));
            self.pool.trim();
            self.pool.prewarm();
            self.pool.trim();
            done.wait();
            self.requests.set(self.requests.get() + other.join().unwrap());
        });
    }

    /// Returns the statistics, and checks that they account for each request.
    fn stats(&self) -> Stats {
        let stats = self.pool.stats();
        assert_eq!(stats.total_allocs(), self.requests.get(), "{stats}");
        assert_eq!((stats.hits(), stats.shrunk_in_fallback), (stats.returns(), 0), "{stats}");
        for class in Class::ALL.map(|class| stats.class(class)) {
            assert_eq!((class.in_use, class.hits), (0, class.returns));
            assert!(class.peak <= class.slots);
        }
        stats
    }
}

/// Runs a program whose calls number `failing` fail with `errno`, and returns all calls.
fn run_with_failures(failing: core::ops::Range<usize>, errno: i32) -> Vec<Call> {
    // On a thread of its own, which has its place with this allocator.
    let program = thread::spawn(move || {
        let program = Program::new();
        let ((), calls) = inject_failure(failing, errno, || program.run());
        let stats = program.stats();

        // The page that tells a forked child from its parent comes right after the registration, and is not
        // needed. The reservation is the last `mmap` of start-up; later ones are trials.
        let is_needed = |before: Option<&Call>, call: &Call| match call.name {
            "mmap" => before.is_none_or(|before| before.name != "membarrier" || before.was_denied),
            name => name == "mprotect",
        };
        let before = core::iter::once(None).chain(calls.iter().map(Some));
        let mut start_up = before.zip(&calls).take_while(|(_, call)| call.name != "pthread_setspecific");
        let is_missing = start_up.any(|(before, call)| call.was_denied && is_needed(before, call));
        assert_eq!(stats.reservation().is_failed(), is_missing, "{stats}");
        if is_missing {
            assert_eq!((stats.hits(), stats.misses()), (0, 0), "{stats}");
            return calls;
        }
        // Without a fence, no thread may take what other threads have cached. With one, every thread may.
        // (The first call only registers.)
        let fences: Vec<_> = calls.iter().filter(|call| call.name == "membarrier").collect();
        match &fences[..] {
            [_, fences @ ..] if !fences.is_empty() && fences.iter().all(|fence| fence.was_denied) => {
                assert!(stats.misses() > 0, "{stats}");
            }
            fences if fences.iter().all(|fence| !fence.was_denied) => {
                assert_eq!(stats.fallbacks(), 0, "{stats}");
            }
            _ => {}
        }
        // Nothing was lost.
        let blocks: Vec<_> = Class::ALL.into_iter().flat_map(|class| program.take_all(class)).collect();
        blocks.into_iter().for_each(|block| program.give(block));
        assert_eq!(program.stats().since(&stats).fallbacks(), 0);
        calls
    });
    program.join().unwrap()
}

#[test]
fn any_call_may_fail_and_no_block_is_lost() {
    let calls = run_with_failures(0..0, 0);
    for name in ["mmap", "mprotect", "madvise", "membarrier", "mlock2", "mincore", "pthread_setspecific"] {
        assert!(calls.iter().any(|call| call.name == name), "{name} is not tested");
    }
    for number in 0..calls.len() {
        run_with_failures(number..number + 1, libc::ENOMEM);
        // As if a filter were installed at this moment.
        run_with_failures(number..usize::MAX, libc::EPERM);
    }
}
