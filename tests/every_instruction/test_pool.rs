//! The allocator under test, and an account of all requests: every block has an id, and every request is
//! counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use framepool::{Class, Config, PoolAlloc, SlotState, Stats};

use crate::common::layout;
use crate::stepping;

/// Small has a held-back lane and an open one, Medium one lane. Large has no magazines. XLarge has a set of
/// two words, and a thread gets its magazine there only after 16 visits.
pub(crate) const CONFIG: Config = Config::new()
    .class(Class::Small, 256, 32)
    .hold_back(Class::Small, 16, 64)
    .magazine(Class::Small, 4)
    .class(Class::Medium, 512, 16)
    .hold_back(Class::Medium, 0, 0)
    .magazine(Class::Medium, 4)
    .class(Class::Large, 1_024, 16)
    .magazine(Class::Large, 0)
    .class(Class::XLarge, 8_192, 80)
    .magazine(Class::XLarge, 9);
/// A table with the same slot sizes and fewer slots, for work that looks at every slot.
pub(crate) const FEW_SLOTS: Config = Config::new()
    .class(Class::Small, 256, 4)
    .hold_back(Class::Small, 2, 64)
    .class(Class::Medium, 512, 2)
    .hold_back(Class::Medium, 0, 0)
    .class(Class::Large, 1_024, 2)
    .class(Class::XLarge, 8_192, 10);
const MAX_SLOTS: usize = 80;

/// The bytes of a request for each of these lanes. XLARGE is small: the C library copies more with
/// `rep movsb`, which traps after each byte.
pub(crate) const TINY: usize = 24;
pub(crate) const SMALL: usize = 200;
pub(crate) const MEDIUM: usize = 500;
pub(crate) const LARGE: usize = 1_000;
pub(crate) const XLARGE: usize = 2_100;
pub(crate) const SIZES: [usize; 5] = [TINY, SMALL, MEDIUM, LARGE, XLARGE];

pub(crate) fn class_of(size: usize) -> Class {
    Class::ALL.into_iter().find(|&class| size <= CONFIG.slot_bytes(class)).unwrap()
}

/// `System` under another name. The allocator must expect that it calls back, and hides the thread's place
/// around each call.
struct MayCallBack;

// SAFETY: every call is passed on.
unsafe impl GlobalAlloc for MayCallBack {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// A `PoolAlloc` with any fallback.
pub(crate) trait AnyPoolAlloc: GlobalAlloc + Sync {
    fn stats(&self) -> Stats;
    fn owns(&self, ptr: *const u8) -> bool;
    fn usable_size(&self, ptr: *const u8) -> Option<usize>;
    fn slot_states(&self, class: Class, states: &mut [SlotState]) -> usize;
    fn set_enabled(&self, yes: bool);
    fn trim(&self) -> usize;
    fn unpooled(&self, f: &mut dyn FnMut());
    fn check_invariants(&self);
}

impl<A: GlobalAlloc + Sync + 'static> AnyPoolAlloc for PoolAlloc<A> {
    fn stats(&self) -> Stats {
        self.stats()
    }

    fn owns(&self, ptr: *const u8) -> bool {
        self.owns(ptr)
    }

    fn usable_size(&self, ptr: *const u8) -> Option<usize> {
        self.usable_size(ptr)
    }

    fn slot_states(&self, class: Class, states: &mut [SlotState]) -> usize {
        self.slot_states(class, states)
    }

    fn set_enabled(&self, yes: bool) {
        self.set_enabled(yes);
    }

    fn trim(&self) -> usize {
        self.trim()
    }

    fn unpooled(&self, f: &mut dyn FnMut()) {
        self.unpooled(f);
    }

    fn check_invariants(&self) {
        self.check_invariants();
    }
}

/// Requests of one kind, and their bytes.
struct Requests {
    count: AtomicU64,
    bytes: AtomicU64,
}

impl Requests {
    const fn none() -> Self {
        Self { count: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    fn add(&self, bytes: usize) {
        self.count.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    fn get(&self) -> (u64, u64) {
        (self.count.load(Relaxed), self.bytes.load(Relaxed))
    }
}

/// The allocator, and what it must have counted. Threads and their signal handlers add to that.
pub(crate) struct TestPool {
    pub(crate) alloc: &'static dyn AnyPoolAlloc,
    config: Config,
    next_id: AtomicU64,
    /// Requests that a slot served, the next two counts included.
    pooled: Requests,
    in_place: AtomicU64,
    zeroed: AtomicU64,
    /// Requests that the fallback served.
    passed_on: Requests,
    /// More such requests, of a handler. The allocator counts them unless the thread was interrupted in
    /// `unpooled` or in a call of the fallback.
    perhaps_counted: Requests,
    is_perhaps_unpooled: AtomicBool,
}

/// A live block with its id at both ends.
pub(crate) struct Block {
    start: *mut u8,
    layout: Layout,
    id: u64,
}

// SAFETY: a block belongs to its owner alone, and `GlobalAlloc` takes it back on any thread.
unsafe impl Send for Block {}

impl Block {
    fn ends(&self) -> [*mut u64; 2] {
        let last = self.layout.size() - size_of::<u64>();
        [self.start.cast(), self.start.wrapping_add(last).cast()]
    }

    fn check(&self) {
        // SAFETY: inside the live block.
        let ids = self.ends().map(|end| unsafe { end.read_unaligned() });
        assert_eq!(ids, [self.id; 2], "a block has two owners");
    }
}

impl TestPool {
    pub(crate) fn new(config: Config, may_call_back: bool) -> &'static Self {
        // A `PoolAlloc` never unmaps its pools, so the value is leaked, too.
        let alloc: &'static dyn AnyPoolAlloc = if may_call_back {
            Box::leak(Box::new(PoolAlloc::with_fallback(MayCallBack, config)))
        } else {
            Box::leak(Box::new(PoolAlloc::with_config(config)))
        };
        Box::leak(Box::new(Self {
            alloc,
            config,
            next_id: AtomicU64::new(1),
            pooled: Requests::none(),
            in_place: AtomicU64::new(0),
            zeroed: AtomicU64::new(0),
            passed_on: Requests::none(),
            perhaps_counted: Requests::none(),
            is_perhaps_unpooled: AtomicBool::new(may_call_back),
        }))
    }

    /// Returns a caller whose calls are not interrupted.
    pub(crate) fn plain(&'static self) -> Caller {
        Caller { pool: self, is_trapped: false, is_handler: false }
    }

    /// Returns a caller whose calls are interrupted.
    pub(crate) fn trapped(&'static self) -> Caller {
        Caller { is_trapped: true, ..self.plain() }
    }

    /// Returns a caller that is a signal handler.
    pub(crate) fn handler(&'static self) -> Caller {
        Caller { is_handler: true, ..self.plain() }
    }

    /// Notes that the interrupted work calls `unpooled`.
    pub(crate) fn expect_unpooled(&'static self) {
        self.is_perhaps_unpooled.store(true, Relaxed);
    }

    fn count(&self, class: Class, wanted: &[SlotState]) -> usize {
        let mut states = [SlotState::Free; MAX_SLOTS];
        let slots = self.alloc.slot_states(class, &mut states);
        states[..slots].iter().filter(|state| wanted.contains(state)).count()
    }

    /// Returns the number of slots of a class that are not live.
    pub(crate) fn free(&self, class: Class) -> usize {
        self.count(class, &[SlotState::Free, SlotState::Cached])
    }

    /// Returns the number of slots of a class that are in magazines.
    pub(crate) fn cached(&self, class: Class) -> usize {
        self.count(class, &[SlotState::Cached])
    }

    /// Panics unless one thread can take every slot of each class.
    pub(crate) fn assert_complete(&'static self) {
        for class in Class::ALL {
            let whole = self.config.slot_bytes(class);
            let mut blocks = vec![self.plain().take_zeroed(whole)];
            while self.alloc.owns(blocks[blocks.len() - 1].start) {
                blocks.push(self.plain().take_zeroed(whole));
            }
            let (found, slots) = (blocks.len() - 1, self.config.slots(class));
            blocks.into_iter().for_each(|block| self.plain().give(block));
            assert_eq!(found, slots, "slots of {class} are lost: {:?}", self.alloc.stats());
        }
    }

    /// Panics unless all slots are free and all counts exact. Before the call, every block is given back, and
    /// the interrupted thread has exited.
    pub(crate) fn assert_settled(&'static self) {
        for class in Class::ALL {
            // A reclaim leaves slots in the magazine of an owner that is inside. The next give moves them to
            // the set, because half of the lane is free. No slot stays behind in a magazine without an owner.
            if self.cached(class) > 0 {
                let sizes = SIZES.into_iter().filter(|&size| class == class_of(size));
                sizes.for_each(|size| self.plain().give(self.plain().take(size)));
            }
            let free = self.count(class, &[SlotState::Free]);
            // Before the first allocation there are no slots.
            assert!(free == self.config.slots(class) || free == 0, "{class}: {free} slots are free");
        }
        self.alloc.check_invariants();
        let stats = self.alloc.stats();
        for class in Class::ALL.map(|class| stats.class(class)) {
            assert_eq!((class.in_use, class.hits), (0, class.returns), "{stats:?}");
            assert!(class.peak <= class.slots, "{stats:?}");
        }
        let (pooled, in_place) = (self.pooled.get(), self.in_place.load(Relaxed));
        assert_eq!((stats.served(), stats.reallocs_in_place()), (pooled, in_place), "{stats:?}");
        let memsets = stats.memsets_done() + stats.memsets_skipped();
        assert_eq!(memsets, self.zeroed.load(Relaxed), "{stats:?}");
        let (least, perhaps) = (self.passed_on.get(), self.perhaps_counted.get());
        let (fallbacks, bytes) = (stats.fallbacks(), stats.fallback_bytes());
        assert!(
            (least.0..=least.0 + perhaps.0).contains(&fallbacks),
            "not {least:?}, {perhaps:?}: {stats:?}"
        );
        assert!((least.1..=least.1 + perhaps.1).contains(&bytes), "not {least:?}, {perhaps:?}: {stats:?}");
    }
}

/// A thread or its signal handler, which takes blocks and gives them back.
#[derive(Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) pool: &'static TestPool,
    is_trapped: bool,
    is_handler: bool,
}

impl Caller {
    pub(crate) fn call<R>(self, f: impl FnOnce() -> R) -> R {
        if self.is_trapped { stepping::trapped(f) } else { f() }
    }

    pub(crate) fn take(self, size: usize) -> Block {
        let layout = layout(size, 8);
        // SAFETY: not empty.
        let start = self.call(|| unsafe { self.pool.alloc.alloc(layout) });
        self.count(start, layout);
        self.stamp(start, layout)
    }

    pub(crate) fn take_zeroed(self, size: usize) -> Block {
        let layout = layout(size, 8);
        // SAFETY: not empty.
        let start = self.call(|| unsafe { self.pool.alloc.alloc_zeroed(layout) });
        self.count(start, layout);
        self.pool.zeroed.fetch_add(self.pool.alloc.owns(start).into(), Relaxed);
        // SAFETY: the block made above.
        let bytes = unsafe { std::slice::from_raw_parts(start, size) };
        // SAFETY: any eight bytes are a valid number.
        let (before, words, after) = unsafe { bytes.align_to::<u64>() };
        assert!(
            before.is_empty() && words.iter().all(|&word| word == 0) && after.iter().all(|&byte| byte == 0)
        );
        self.stamp(start, layout)
    }

    /// Takes a block inside `unpooled`.
    pub(crate) fn take_unpooled(self, size: usize) -> Block {
        let layout = layout(size, 8);
        // SAFETY: not empty.
        let start = unsafe { self.pool.alloc.alloc(layout) };
        assert!(!self.pool.alloc.owns(start));
        self.stamp(start, layout)
    }

    pub(crate) fn resize(self, block: Block, size: usize) -> Block {
        block.check();
        let layout = layout(size, 8);
        // SAFETY: the block is live, with this layout.
        let start = self.call(|| unsafe { self.pool.alloc.realloc(block.start, block.layout, size) });
        self.count(start, layout);
        if start == block.start && self.pool.alloc.owns(start) {
            self.pool.in_place.fetch_add(1, Relaxed);
        }
        // SAFETY: inside the block.
        assert_eq!(unsafe { start.cast::<u64>().read_unaligned() }, block.id, "a realloc lost contents");
        self.stamp(start, layout)
    }

    pub(crate) fn give(self, block: Block) {
        block.check();
        // SAFETY: the block is live, with this layout, and given up.
        self.call(|| unsafe { self.pool.alloc.dealloc(block.start, block.layout) });
    }

    /// Calls `owns`, `usable_size` and `stats`.
    pub(crate) fn look_at(self, block: &Block) {
        let TestPool { alloc, .. } = self.pool;
        let (is_owned, usable, stats) =
            self.call(|| (alloc.owns(block.start), alloc.usable_size(block.start), alloc.stats()));
        assert!(is_owned == usable.is_some() && usable.is_none_or(|usable| usable >= block.layout.size()));
        for class in Class::ALL.map(|class| stats.class(class)) {
            assert!(class.in_use <= class.slots && class.peak <= class.slots, "{stats:?}");
        }
        block.check();
    }

    pub(crate) fn is_pooled(self, block: &Block) -> bool {
        self.pool.alloc.owns(block.start)
    }

    pub(crate) fn unpooled(self, mut f: impl FnMut()) {
        self.call(|| self.pool.alloc.unpooled(&mut f));
    }

    /// Counts a request.
    fn count(self, start: *mut u8, layout: Layout) {
        let TestPool { alloc, pooled, passed_on, perhaps_counted, is_perhaps_unpooled, .. } = self.pool;
        assert!(!start.is_null() && start.addr().is_multiple_of(layout.align()));
        let requests = match alloc.usable_size(start) {
            Some(usable) => {
                assert!(alloc.owns(start) && usable >= layout.size());
                pooled
            }
            None if self.is_handler && is_perhaps_unpooled.load(Relaxed) => perhaps_counted,
            None => passed_on,
        };
        requests.add(layout.size());
    }

    /// Writes an id to both ends of a block.
    fn stamp(self, start: *mut u8, layout: Layout) -> Block {
        let block = Block { start, layout, id: self.pool.next_id.fetch_add(1, Relaxed) };
        // SAFETY: inside the block.
        block.ends().into_iter().for_each(|end| unsafe { end.write_unaligned(block.id) });
        block
    }
}
