//! What can be asked of an allocator, made out of bytes: whatever they are, they mean something.

use std::alloc::Layout;

use super::table::Table;

/// Bytes that one action is made of.
pub(crate) const ACTION_BYTES: usize = 8;

/// One of the things to do, and who does it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action {
    /// 0 is the thread that plays; the others wait for what they are given.
    pub(crate) thread: usize,
    /// Inside [`unpooled`](framepool::PoolAlloc::unpooled).
    pub(crate) unpooled: bool,
    pub(crate) what: What,
}

/// Blocks go by a number that is taken modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Alloc(Layout),
    AllocZeroed(Layout),
    /// The same layout many times.
    AllocMany(Layout, usize),
    Realloc {
        block: usize,
        size: usize,
    },
    Free {
        block: usize,
    },
    FreeMany {
        block: usize,
        count: usize,
    },
    SetEnabled(bool),
    Trim,
    Prewarm,
    /// The fallback has nothing the so-manieth time that it is asked from now on.
    Refuse {
        after: u32,
    },
}

const THREADS: usize = 3;

impl Action {
    pub(crate) fn decode(bytes: [u8; ACTION_BYTES], table: &Table) -> Self {
        let [kind, who, edge, nudge, low, high, align, block] = bytes;
        let block = usize::from(block);
        let count = usize::from(low % 24);
        let size = size(edge, nudge, usize::from(low) | usize::from(high) << 8, table);
        // Few are aligned to more than a slot's start always is.
        let align = 1 << if align < 192 { align % 7 } else { align % 15 };
        // Fits: neither is large.
        let layout = Layout::from_size_align(size, align).expect("a small layout");
        let what = match kind {
            0..=79 => What::Alloc(layout),
            80..=104 => What::AllocZeroed(layout),
            105..=124 => What::AllocMany(layout, count),
            125..=164 => What::Realloc { block, size },
            165..=219 => What::Free { block },
            220..=235 => What::FreeMany { block, count },
            236..=241 => What::SetEnabled(low % 2 == 0),
            242..=247 => What::Trim,
            248 => What::Prewarm,
            249..=255 => What::Refuse { after: u32::from(low % 8) },
        };
        Self { thread: usize::from(who) % THREADS, unpooled: who >= 240, what }
    }
}

/// An edge and what lies next to it, or any size up to about twice what the largest class serves.
fn size(edge: u8, nudge: u8, random: usize, table: &Table) -> usize {
    let edges = table.edges();
    let size = match edge {
        0..=199 => edges[usize::from(edge) % edges.len()] + usize::from(nudge % 5),
        200..=239 => random % 1_024 + 2,
        240..=255 => random * 3 + 2,
    };
    size.saturating_sub(2).max(1)
}
