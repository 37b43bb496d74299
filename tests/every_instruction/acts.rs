//! The acts of a signal handler between two instructions of the thread that it interrupts. It keeps blocks
//! from one act to the next.

use std::cell::Cell;

use crate::stepping;
use crate::test_pool::{Block, Caller, SIZES, TestPool};

/// The maximum number of acts of a handler that interrupts another one. The reason is the same as for
/// `MAX_ACTS`.
const MAX_INNER_ACTS: usize = 5_000;

/// A handler, with the blocks that it keeps.
pub(crate) struct Handler {
    caller: Caller,
    /// The size of the interrupted work's blocks, in bytes.
    size: usize,
    blocks: [Cell<Option<Block>>; SIZES.len()],
    acts: Cell<usize>,
    /// The handler that interrupts this one, and its act.
    inner: Option<(&'static Handler, stepping::Act)>,
}

/// A kind of act.
pub(crate) type Behaviour = fn(&'static Handler);

/// All behaviours but [`act_while_interrupted`], which takes long.
pub(crate) const BEHAVIOURS: [Behaviour; 6] =
    [give_then_take, take_then_give, take_two_or_give_two, visit_every_lane, exhaust, use_everything];

impl Handler {
    pub(crate) fn new(pool: &'static TestPool, size: usize) -> &'static Self {
        let new = |inner| {
            let blocks = [const { Cell::new(None) }; SIZES.len()];
            let caller = pool.handler();
            Box::leak(Box::new(Self { caller, size, blocks, acts: Cell::new(0), inner }))
        };
        let inner: &'static Self = new(None);
        new(Some((inner, Box::leak(Box::new(move |_| give_then_take(inner))))))
    }

    /// Gives back every block, once the work is done.
    pub(crate) fn give_all(&self) {
        (0..self.blocks.len()).for_each(|index| self.give(index));
        if let Some((inner, _)) = self.inner {
            inner.give_all();
        }
    }

    fn take(&self, index: usize, size: usize) {
        self.blocks[index].set(Some(self.caller.take(size)));
    }

    fn give(&self, index: usize) {
        if let Some(block) = self.blocks[index].take() {
            self.caller.give(block);
        }
    }

    /// Returns how many acts came before this one.
    fn next_act(&self) -> usize {
        self.acts.replace(self.acts.get() + 1)
    }
}

fn give_then_take(handler: &'static Handler) {
    handler.give(0);
    handler.take(0, handler.size);
}

fn take_then_give(handler: &'static Handler) {
    let index = handler.next_act() % 2;
    handler.take(index, handler.size);
    handler.give(1 - index);
}

fn take_two_or_give_two(handler: &'static Handler) {
    if handler.next_act().is_multiple_of(2) {
        handler.take(0, handler.size);
        handler.take(1, handler.size);
    } else {
        handler.give(0);
        handler.give(1);
    }
}

fn visit_every_lane(handler: &'static Handler) {
    let index = handler.next_act() % SIZES.len();
    handler.give(index);
    handler.take(index, SIZES[index]);
    handler.give((index + 2) % SIZES.len());
}

/// Takes every slot of a class, and keeps one of them. The next act gives that one back.
fn exhaust(handler: &'static Handler) {
    handler.give(0);
    if handler.next_act() % 2 == 1 {
        return;
    }
    let mut blocks = [const { None }; 100];
    for place in &mut blocks {
        let block = place.insert(handler.caller.take(handler.size));
        if !handler.caller.is_pooled(block) {
            break;
        }
    }
    if let Some(block) = &blocks[0] {
        handler.caller.look_at(block);
    }
    handler.blocks[0].set(blocks[0].take());
    blocks.into_iter().flatten().for_each(|block| handler.caller.give(block));
}

fn use_everything(handler: &'static Handler) {
    let Handler { caller, size, .. } = *handler;
    handler.give(0);
    caller.unpooled(|| {
        let block = caller.take_unpooled(size);
        handler.give(1);
        caller.give(block);
    });
    let block = [size + 1, 4_000, 60]
        .into_iter()
        .fold(caller.take_zeroed(size), |block, size| caller.resize(block, size));
    caller.look_at(&block);
    handler.blocks[0].set(Some(block));
    caller.pool.alloc.set_enabled(false);
    let passed_on = caller.take(size);
    assert!(!caller.is_pooled(&passed_on));
    caller.pool.alloc.set_enabled(true);
    caller.give(passed_on);
    handler.take(1, size);
}

/// Makes another handler act after each instruction of this handler's act.
pub(crate) fn act_while_interrupted(handler: &'static Handler) {
    if let Some((_, act)) = handler.inner {
        stepping::within_act(MAX_INNER_ACTS, act, || take_then_give(handler));
    }
}
