//! The pieces of work that are interrupted, each on a new thread. Calls through [`TestPool::trapped`] are
//! interrupted. Calls through [`TestPool::plain`] bring the allocator into the state in which the interrupted
//! calls find it.

use std::ffi::c_void;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;

use framepool::Config;

use crate::stepping;
use crate::test_pool::{Block, CONFIG, FEW_SLOTS, MEDIUM, SIZES, SMALL, TINY, TestPool, XLARGE, class_of};

/// A size that is larger than a slot of the largest class.
const TOO_LARGE: usize = 9_000;

/// A piece of work, and the sizes of its blocks.
pub(crate) struct Piece {
    /// A function of the allocator and the bytes of a block.
    pub(crate) work: fn(&'static TestPool, usize),
    pub(crate) sizes: &'static [usize],
    /// A function that another thread calls once for each allocator.
    pub(crate) prepare: fn(&'static TestPool),
    pub(crate) config: Config,
    /// Whether each run has an allocator of its own.
    pub(crate) starts_anew: bool,
    /// Whether the work itself calls the fallback.
    pub(crate) calls_fallback: bool,
}

const fn piece(work: fn(&'static TestPool, usize), sizes: &'static [usize]) -> Piece {
    Piece { work, sizes, prepare: |_| (), config: CONFIG, starts_anew: false, calls_fallback: false }
}

const fn calls_fallback(piece: Piece) -> Piece {
    Piece { calls_fallback: true, ..piece }
}

const fn calls_unpooled(piece: Piece) -> Piece {
    Piece { prepare: TestPool::expect_unpooled, ..piece }
}

pub(crate) static TAKES_AND_GIVES: [Piece; 5] = [
    piece(take_and_give, &SIZES),
    Piece { config: CONFIG.hardened(true).zero_on_free(true), ..piece(take_and_give, &[SMALL]) },
    Piece { config: CONFIG.record(true), ..piece(take_and_give, &[SMALL]) },
    piece(refill, &[TINY, SMALL, XLARGE]),
    piece(flush, &[TINY, SMALL, XLARGE]),
];
pub(crate) static FIRST_AND_LAST_USES: [Piece; 2] =
    [piece(use_first, &[SMALL, XLARGE]), Piece { prepare: make_keys, ..piece(exit, &[SMALL, MEDIUM]) }];
pub(crate) static RECLAIMS: [Piece; 2] =
    [calls_fallback(piece(reclaim, &[SMALL, MEDIUM])), piece(resume_caching, &[SMALL, MEDIUM, XLARGE])];
pub(crate) static TRIMS: [Piece; 1] = [Piece { config: FEW_SLOTS, ..piece(trim, &[XLARGE]) }];
pub(crate) static LONG_TRIMS: [Piece; 1] = [piece(trim, &[SMALL, XLARGE])];
pub(crate) static REALLOCS: [Piece; 1] = [calls_fallback(piece(resize, &[SMALL]))];
pub(crate) static EXCEPTIONS: [Piece; 3] = [
    calls_fallback(calls_unpooled(piece(leave_out, &[SMALL]))),
    calls_unpooled(piece(leave_out_first, &[SMALL])),
    calls_fallback(piece(switch, &[SMALL, XLARGE])),
];
pub(crate) static START_UPS: [Piece; 1] =
    [Piece { starts_anew: true, ..calls_fallback(piece(start_up, &[SMALL])) }];
pub(crate) static REFUSALS_AND_QUESTIONS: [Piece; 2] =
    [calls_fallback(piece(miss, &[TINY, SMALL, XLARGE])), piece(ask, &[SMALL])];

/// Returns how many slots a magazine grows to, with [`CONFIG`].
fn capacity(size: usize) -> usize {
    match size {
        TINY => 2,
        SMALL | MEDIUM => 4,
        _ => 9,
    }
}

/// Takes and gives until the thread has a magazine with a slot.
pub(crate) fn warm_up(pool: &'static TestPool, size: usize) {
    for _ in 0..20 {
        pool.plain().give(pool.plain().take(size));
    }
}

fn give_all(pool: &'static TestPool, blocks: impl IntoIterator<Item = Block>) {
    blocks.into_iter().for_each(|block| pool.plain().give(block));
}

fn take_and_give(pool: &'static TestPool, size: usize) {
    warm_up(pool, size);
    let block = pool.trapped().take(size);
    pool.trapped().give(block);
    let block = pool.trapped().take_zeroed(size);
    pool.trapped().give(block);
}

/// Takes a slot while the magazine is empty.
fn refill(pool: &'static TestPool, size: usize) {
    warm_up(pool, size);
    let mut blocks = Vec::new();
    while pool.cached(class_of(size)) > 0 {
        blocks.push(pool.plain().take(size));
    }
    blocks.push(pool.trapped().take(size));
    give_all(pool, blocks);
}

/// Gives a slot while the magazine is full.
fn flush(pool: &'static TestPool, size: usize) {
    warm_up(pool, size);
    let mut blocks: Vec<_> = (0..2 * capacity(size)).map(|_| pool.plain().take(size)).collect();
    while pool.cached(class_of(size)) < capacity(size) && blocks.len() > 1 {
        pool.plain().give(blocks.remove(0));
    }
    pool.trapped().give(blocks.remove(0));
    give_all(pool, blocks);
}

fn use_first(pool: &'static TestPool, size: usize) {
    let block = pool.trapped().take(size);
    pool.trapped().give(block);
}

/// The C library calls the destructors of its keys in the order in which the keys were made. The allocator's
/// key is between these two.
static KEYS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

fn make_keys(pool: &'static TestPool) {
    extern "C" fn begin(_: *mut c_void) {
        stepping::begin();
    }
    extern "C" fn end(pool: *mut c_void) {
        stepping::end();
        // SAFETY: `exit` stored a reference.
        let pool = unsafe { &*pool.cast::<TestPool>() };
        // The thread has lost its place.
        use_first(pool, SMALL);
    }
    let make = |key: &AtomicU32, destructor| {
        let mut new = 0;
        // SAFETY: a place for the key, and a destructor that does not unwind.
        assert_eq!(unsafe { libc::pthread_key_create(&mut new, Some(destructor)) }, 0);
        key.store(new, Relaxed);
    };
    make(&KEYS[0], begin);
    warm_up(pool, SMALL);
    make(&KEYS[1], end);
}

/// Exits the thread, which is interrupted from one destructor of [`KEYS`] to the other.
fn exit(pool: &'static TestPool, size: usize) {
    warm_up(pool, size);
    warm_up(pool, TINY);
    for key in &KEYS {
        let value = std::ptr::from_ref(pool).cast();
        // SAFETY: the key was made.
        assert_eq!(unsafe { libc::pthread_setspecific(key.load(Relaxed), value) }, 0);
    }
}

/// Takes a slot while all free slots are in another thread's magazine.
fn reclaim(pool: &'static TestPool, size: usize) {
    let (is_cached, is_over) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            give_all(pool, [(); 4].map(|()| pool.plain().take(size)));
            is_cached.wait();
            is_over.wait();
        });
        is_cached.wait();
        let cached = pool.cached(class_of(size));
        assert!(cached > 0, "after a reclaim, threads never cache slots again");
        let mut blocks = Vec::new();
        while pool.free(class_of(size)) > cached {
            blocks.push(pool.plain().take(size));
        }
        blocks.push(pool.trapped().take(size));
        give_all(pool, blocks);
        is_over.wait();
        other.join().unwrap();
    });
}

/// Gives a slot after every slot was live. With it half of the lane is free again, so threads may cache its
/// slots again.
fn resume_caching(pool: &'static TestPool, size: usize) {
    let mut blocks = Vec::new();
    while pool.free(class_of(size)) > 0 {
        blocks.push(pool.plain().take(size));
    }
    let missed = pool.plain().take(size);
    // The first 16 slots of Small are held back.
    let half = if size == SMALL { 8 } else { blocks.len() / 2 };
    give_all(pool, blocks.drain(..half - 1));
    pool.trapped().give(blocks.remove(0));
    give_all(pool, blocks);
    pool.plain().give(missed);
}

fn trim(pool: &'static TestPool, size: usize) {
    give_all(pool, [(); 6].map(|()| pool.plain().take(size)));
    pool.trapped().call(|| pool.alloc.trim());
    give_all(pool, [(); 6].map(|()| pool.plain().take_zeroed(size)));
}

/// Resizes a block in place, to larger classes, to a smaller one, out to the fallback, up and down there, and
/// back.
fn resize(pool: &'static TestPool, size: usize) {
    let mut block = pool.plain().take(size);
    let sizes = [size + 20, MEDIUM, XLARGE, size, TOO_LARGE, TOO_LARGE + 500, TOO_LARGE + 100, 100, size];
    for size in sizes {
        block = pool.trapped().resize(block, size);
    }
    pool.plain().give(block);
}

/// Calls `unpooled` as the thread's first use of the allocator.
fn leave_out_first(pool: &'static TestPool, size: usize) {
    pool.trapped().unpooled(|| {
        let block = pool.plain().take_unpooled(size);
        pool.plain().unpooled(|| pool.plain().give(pool.plain().take_unpooled(size)));
        pool.plain().give(block);
    });
    warm_up(pool, size);
}

fn leave_out(pool: &'static TestPool, size: usize) {
    warm_up(pool, size);
    let pooled = pool.plain().take(size);
    leave_out_first(pool, size);
    pool.plain().give(pooled);
}

/// Switches the pools off and on.
fn switch(pool: &'static TestPool, size: usize) {
    warm_up(pool, size);
    let set_enabled = |yes| pool.trapped().call(|| pool.alloc.set_enabled(yes));
    set_enabled(false);
    let passed_on = pool.trapped().take(size);
    set_enabled(true);
    pool.trapped().give(passed_on);
    assert_serves(pool, size);
}

fn start_up(pool: &'static TestPool, size: usize) {
    let block = pool.trapped().take(size);
    pool.trapped().give(block);
    assert_serves(pool, size);
}

fn assert_serves(pool: &'static TestPool, size: usize) {
    let block = pool.plain().take(size);
    assert!(pool.plain().is_pooled(&block), "the pools never serve again");
    pool.plain().give(block);
}

/// Misses while no slot is left, and takes a block that is larger than every slot.
fn miss(pool: &'static TestPool, size: usize) {
    let mut blocks = vec![pool.plain().take(size)];
    while pool.plain().is_pooled(&blocks[blocks.len() - 1]) {
        blocks.push(pool.plain().take(size));
    }
    blocks.push(pool.trapped().take(size));
    blocks.push(pool.trapped().take_zeroed(size));
    let too_large = pool.trapped().take(TOO_LARGE);
    pool.trapped().give(too_large);
    give_all(pool, blocks);
}

fn ask(pool: &'static TestPool, size: usize) {
    let block = pool.plain().take(size);
    pool.trapped().look_at(&block);
    pool.plain().give(block);
}
