//! The rules: the outcome that each action must have, down to the last count, and what must hold after it.

use std::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeMap;
use std::io::Error;

use framepool::{Bypass, Class, Stats};

use super::action::{Action, What};
use super::counts::{Counts, Verdict};
use super::fallback::{Pool, Watched};
use super::live::{Live, Start};
use super::players::{Players, set_errno};
use super::table::{Row, Table};

/// A game. All blocks are freed at its end.
pub(crate) struct Game<'a> {
    pool: &'static Pool,
    fallback: &'static Watched,
    table: Table,
    players: &'a Players,
    is_enabled: bool,
    live: Vec<Live>,
    /// The start and the end address of each live block.
    ranges: BTreeMap<usize, usize>,
    /// The address of each class's first slot.
    slabs: [usize; 4],
    before: Stats,
    /// The number of the fallback's blocks that the pools themselves are made of, on systems without `mmap`.
    below: usize,
    counts: Counts,
    next_number: u8,
}

/// The outcome that a shrink must have.
enum Shrink {
    Stays,
    /// The block moves to where this verdict sends a new request, or to the fallback. It stays only if the
    /// fallback fails.
    Leaves(Verdict),
}

/// The thread that acts, and whether it does so inside `unpooled`.
#[derive(Clone, Copy)]
struct By {
    thread: usize,
    unpooled: bool,
}

/// The value of `errno` before each call. If the pools alone serve the call, `errno` must keep it.
const ERRNO: i32 = 77;

impl<'a> Game<'a> {
    /// Starts a game with pools that have no live block. Panics if a slot is missing.
    pub(crate) fn new(
        pool: &'static Pool,
        fallback: &'static Watched,
        table: Table,
        players: &'a Players,
    ) -> Self {
        let slabs = core::array::from_fn(|class| {
            let Row { slot_bytes, slots, .. } = table.0[class];
            let layout = Layout::from_size_align(slot_bytes, 1).expect("a slot's layout");
            // SAFETY: not empty.
            let starts: Vec<_> = (0..slots).map(|_| unsafe { pool.alloc(layout) }).collect();
            assert!(starts.iter().all(|&start| pool.owns(start)), "a slot was lost before");
            // SAFETY: just allocated, with that layout.
            starts.iter().for_each(|&start| unsafe { pool.dealloc(start, layout) });
            starts.iter().map(|start| start.addr()).min().expect("a class has slots")
        });
        Self {
            pool,
            fallback,
            table,
            players,
            is_enabled: true,
            live: Vec::new(),
            ranges: BTreeMap::new(),
            slabs,
            before: pool.stats(),
            below: fallback.live(),
            counts: Counts::default(),
            next_number: 1,
        }
    }

    pub(crate) fn play(&mut self, Action { thread, unpooled, what }: Action) {
        let by = By { thread, unpooled };
        match what {
            What::Alloc(layout) => self.alloc(by, layout, false),
            What::AllocZeroed(layout) => self.alloc(by, layout, true),
            What::AllocMany(layout, count) => (0..count).for_each(|_| self.alloc(by, layout, false)),
            What::Realloc { block, size } => self.realloc(by, block, size),
            What::Free { block } => self.free(by, block),
            What::FreeMany { block, count } => (0..count).for_each(|_| self.free(by, block)),
            What::SetEnabled(yes) => {
                self.run(by, move |pool| pool.set_enabled(yes));
                self.is_enabled = yes;
            }
            What::Trim => {
                self.run(by, |pool| pool.trim());
            }
            What::Prewarm => {
                self.run(by, |pool| _ = pool.prewarm());
            }
            What::FailFallback { after } => self.fallback.fail_after(after),
        }
        self.check();
        self.pool.check_invariants();
    }

    /// Frees all blocks, and checks that none was lost.
    pub(crate) fn end(mut self) {
        self.fallback.fail_no_more();
        self.pool.set_enabled(true);
        while !self.live.is_empty() {
            self.free(By { thread: 0, unpooled: false }, 0);
        }
        self.check();
        assert_eq!(self.fallback.live(), self.below, "a block of the fallback was lost");
    }

    fn run<R: Send + 'static>(
        &self,
        By { thread, unpooled }: By,
        f: impl FnOnce(&'static Pool) -> R + Send + 'static,
    ) -> R {
        let pool = self.pool;
        self.players.run(thread, move || if unpooled { pool.unpooled(|| f(pool)) } else { f(pool) })
    }

    /// Runs `f` and returns its block. Panics if `errno` changed although the pools alone served the call.
    fn run_quietly(&self, by: By, f: impl FnOnce(&'static Pool) -> *mut u8 + Send + 'static) -> Start {
        let calls = self.fallback.calls();
        let (start, errno) = self.run(by, |pool| {
            set_errno(ERRNO);
            let start = f(pool);
            (Start(start), Error::last_os_error().raw_os_error())
        });
        assert!(errno == Some(ERRNO) || calls != self.fallback.calls() || !cfg!(unix), "errno is {errno:?}");
        start
    }

    fn alloc(&mut self, by: By, layout: Layout, zeroed: bool) {
        // SAFETY: not empty.
        let alloc =
            move |pool: &Pool| unsafe { if zeroed { pool.alloc_zeroed(layout) } else { pool.alloc(layout) } };
        let start = self.run_quietly(by, alloc);
        let verdict = self.judge(by, layout, self.pool.owns(start.0));
        self.counts.count(verdict, layout.size(), start.0.is_null());
        self.count_large(None, start, Some(layout.size()));
        self.assert_place(start, layout, verdict);
        if zeroed && let Verdict::Hit(_) = verdict {
            self.counts.zeroed += 1;
        }
        if start.0.is_null() {
            return;
        }
        // SAFETY: a live block of that many bytes.
        let bytes = unsafe { core::slice::from_raw_parts_mut(start.0, layout.size()) };
        assert!(!zeroed || bytes.iter().all(|&byte| byte == 0), "not zeroed");
        self.adopt(start, layout);
    }

    /// Adds a block to the live ones and fills it with its number. Panics if it overlaps another.
    fn adopt(&mut self, start: Start, layout: Layout) {
        let class = self.class_at(start);
        let range = start.0.addr()..start.0.addr() + layout.size();
        let below = self.ranges.range(..range.end).next_back();
        assert!(below.is_none_or(|(_, &end)| end <= range.start), "two blocks overlap");
        self.ranges.insert(range.start, range.end);
        let number = self.next_number;
        self.next_number = number.checked_add(1).unwrap_or(1);
        // SAFETY: a live block of that many bytes.
        unsafe { start.0.write_bytes(number, layout.size()) };
        self.live.push(Live { start, layout, number, class });
    }

    /// Removes a block from the live ones, if there are any. Panics if a byte of it is not its number.
    fn give_up(&mut self, block: usize) -> Option<Live> {
        let block = block.checked_rem(self.live.len())?;
        let live = self.live.swap_remove(block);
        self.ranges.remove(&live.start.0.addr());
        live.assert_holds(live.layout.size());
        Some(live)
    }

    fn free(&mut self, by: By, block: usize) {
        let Some(Live { start, layout, class, .. }) = self.give_up(block) else { return };
        let dealloc = move |pool: &Pool| {
            // Moves all of `start`, because its field alone is not `Send`.
            let start = start;
            // SAFETY: a live block with its layout, which is given up.
            unsafe { pool.dealloc(start.0, layout) };
            start.0
        };
        self.run_quietly(by, dealloc);
        class.inspect(|&class| self.counts.give(class));
        self.count_large(Some(layout.size()), start, None);
    }

    /// Counts blocks of the fallback that are larger than every slot: one that was freed, and a new one.
    fn count_large(&mut self, old: Option<usize>, start: Start, new: Option<usize>) {
        if !start.0.is_null() {
            self.counts.exchange(self.table.0[3].slot_bytes, old, new);
        }
    }

    fn realloc(&mut self, by: By, block: usize, size: usize) {
        let Some(old) = self.give_up(block) else { return };
        let (from, old_layout) = (old.start, old.layout);
        let layout = Layout::from_size_align(size, old_layout.align()).expect("a small layout");
        let realloc = move |pool: &Pool| {
            let from = from;
            // SAFETY: a live block with its layout, and a new size below 1 MiB.
            unsafe { pool.realloc(from.0, old_layout, size) }
        };
        let calls = self.fallback.calls();
        let start = self.run_quietly(by, realloc);
        let asked_fallback = self.fallback.calls() > calls;
        let is_hit = self.pool.owns(start.0) && start.0 != from.0;
        match old.class {
            Some(class) if size <= self.table.0[class].slot_bytes => {
                match self.judge_shrink(by, layout, &old) {
                    Shrink::Leaves(verdict) if is_hit => {
                        assert!(matches!(verdict, Verdict::Hit(_)), "{layout:?} got a slot: {verdict:?}");
                        self.assert_place(start, layout, verdict);
                        self.counts.count(verdict, size, false);
                        self.counts.give(class);
                        self.counts.moved += 1;
                    }
                    // Other threads may have cached the free slots, and a shrink reclaims none.
                    Shrink::Leaves(_) if start.0 != from.0 => {
                        assert!(!self.pool.owns(start.0));
                        self.counts.pass_on(size, false);
                        self.counts.shrunk_to_fallback += 1;
                        self.counts.give(class);
                        self.counts.moved += 1;
                    }
                    shrink => {
                        let is_refused = matches!(shrink, Shrink::Leaves(_));
                        assert_eq!(is_refused, asked_fallback, "a small remainder kept a large slot");
                        assert_eq!(start.0, from.0, "a block moved that fits its slot");
                        self.counts.classes[class].in_place += 1;
                        self.counts.classes[class].requested_bytes += size as u64;
                    }
                }
            }
            Some(class) => {
                let verdict = self.judge(by, layout, is_hit);
                self.counts.count(verdict, size, start.0.is_null());
                self.count_large(None, start, Some(size));
                self.assert_place(start, layout, verdict);
                if !start.0.is_null() {
                    self.counts.give(class);
                    self.counts.moved += 1;
                }
            }
            None if size <= old_layout.size() || by.unpooled => {
                assert!(!self.pool.owns(start.0), "a block of the fallback moved that did not grow");
                if !by.unpooled {
                    self.counts.pass_on(size, start.0.is_null());
                }
                self.count_large(Some(old_layout.size()), start, Some(size));
            }
            None => {
                let verdict = self.judge(by, layout, is_hit);
                self.counts.count(verdict, size, start.0.is_null());
                self.count_large(Some(old_layout.size()), start, Some(size));
                self.assert_place(start, layout, verdict);
                self.counts.moved += u64::from(is_hit);
            }
        }
        if start.0.is_null() {
            // A `realloc` that fails leaves the block as it was.
            old.assert_holds(old_layout.size());
            self.ranges.insert(from.0.addr(), from.0.addr() + old_layout.size());
            self.live.push(old);
        } else {
            Live { start, layout, ..old }.assert_holds(size.min(old_layout.size()));
            self.adopt(start, layout);
        }
    }

    /// Returns the outcome that a resize must have if the new size fits the block's slot.
    fn judge_shrink(&self, by: By, layout: Layout, old: &Live) -> Shrink {
        let class = old.class.expect("a slot");
        let size = layout.size();
        if by.unpooled || size >= old.layout.size() || size > self.table.0[class].slot_bytes / 4 {
            return Shrink::Stays;
        }
        let verdict = self.judge(by, layout, true);
        let row = self.table.0[class];
        let is_of_this_class = self.table.class_of(size, layout.align()) == Some(class);
        let may_have_this_slot =
            row.may_have_every_slot(size) || self.slot_of(old, class) < row.held_back_from();
        if self.is_enabled && is_of_this_class && size >= row.floor && may_have_this_slot {
            Shrink::Stays
        } else {
            Shrink::Leaves(verdict)
        }
    }

    /// Returns the outcome that a request must have. If the layout may have open slots only, other threads
    /// may have cached those. Then `is_hit` decides.
    fn judge(&self, by: By, layout: Layout, is_hit: bool) -> Verdict {
        if by.unpooled {
            return Verdict::Unpooled;
        }
        if !self.is_enabled {
            return Verdict::Disabled;
        }
        let size = layout.size();
        if size > self.table.0[3].slot_bytes {
            return Verdict::TooLarge;
        }
        let Some(class) = self.table.class_of(size, layout.align()) else { return Verdict::OverAligned };
        let row = self.table.0[class];
        if size < row.floor {
            return Verdict::BelowFloor(class);
        }
        if row.may_have_every_slot(size) {
            let is_free = self.counts.classes[class].in_use < row.slots as u64;
            return if is_free { Verdict::Hit(class) } else { Verdict::Miss(class) };
        }
        let open_in_use =
            self.live.iter().filter(|live| self.slot_of(live, class) < row.held_back_from()).count();
        let is_free = open_in_use < row.held_back_from();
        if is_free && is_hit { Verdict::Hit(class) } else { Verdict::HeldBack(class) }
    }

    /// Returns the index of a block's slot in this class, or `usize::MAX` if its slot is not of this class.
    fn slot_of(&self, live: &Live, class: usize) -> usize {
        if live.class == Some(class) {
            (live.start.0.addr() - self.slabs[class]) / self.table.0[class].slot_bytes
        } else {
            usize::MAX
        }
    }

    fn class_at(&self, start: Start) -> Option<usize> {
        let address = start.0.addr();
        let found = (0..4).find(|&class| {
            let Row { slot_bytes, slots, .. } = self.table.0[class];
            let slab = self.slabs[class]..self.slabs[class] + slots * slot_bytes;
            slab.contains(&address)
        })?;
        let bytes_in = (address - self.slabs[found]) % self.table.0[found].slot_bytes;
        assert_eq!(bytes_in, 0, "not the start of a slot");
        Some(found)
    }

    /// Panics unless a new block is where the verdict puts it.
    fn assert_place(&self, start: Start, layout: Layout, verdict: Verdict) {
        let class = self.class_at(start);
        assert_eq!(self.pool.owns(start.0), class.is_some());
        match verdict {
            Verdict::Hit(expected) => {
                assert_eq!(class, Some(expected), "{layout:?}");
                let row = self.table.0[expected];
                let slot = (start.0.addr() - self.slabs[expected]) / row.slot_bytes;
                assert!(
                    row.may_have_every_slot(layout.size()) || slot < row.held_back_from(),
                    "{layout:?} got a held-back slot"
                );
            }
            other => assert_eq!(class, None, "{layout:?}: {other:?}"),
        }
        assert!(start.0.addr().is_multiple_of(layout.align()), "{layout:?} at {:p}", start.0);
    }

    /// Checks what must hold after every action: contents, owners and counts.
    fn check(&self) {
        for live in &self.live {
            live.assert_ends();
            let expected = live.class.map(|class| self.table.0[class].slot_bytes);
            assert_eq!(self.pool.usable_size(live.start.0), expected);
        }
        let of_fallback = self.live.iter().filter(|live| live.class.is_none()).count();
        assert_eq!(self.fallback.live(), self.below + of_fallback);

        let now = self.pool.stats();
        let stats = now.since(&self.before);
        assert_eq!(Counts::of(&stats, &self.counts), self.counts);
        assert_eq!(stats.total_allocs(), stats.hits() + stats.misses() + stats.bypasses());
        assert_eq!(stats.bypassed(Bypass::Starting), 0);
        for (class, row) in Class::ALL.into_iter().zip(self.table.0) {
            let stats = now.class(class);
            assert_eq!(stats.in_use, stats.hits - stats.returns);
            assert!((stats.in_use..=row.slots as u64).contains(&stats.peak));
        }
    }
}
