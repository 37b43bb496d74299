//! Actions on an allocator, decoded from bytes. All bytes decode to valid actions.

use std::alloc::Layout;

use super::table::Table;

/// The number of bytes that encode one action.
pub(crate) const ACTION_BYTES: usize = 8;

/// An action, and the thread that performs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action {
    /// The number of the thread. 0 is the thread that plays the game; 1 and 2 are threads that wait for
    /// tasks.
    pub(crate) thread: usize,
    /// Whether the action runs inside [`unpooled`](framepool::PoolAlloc::unpooled).
    pub(crate) unpooled: bool,
    pub(crate) what: What,
}

/// The kind of an action. A block is named by a number, which is taken modulo the number of live blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Alloc(Layout),
    AllocZeroed(Layout),
    /// Allocates this many blocks of the layout.
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
    /// Has the fallback serve `after` more requests and fail the next one.
    FailFallback {
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
        // A slot of any class is aligned to 64 bytes at least. Of the layouts, three quarters have at most
        // that, the others up to 16 KiB.
        let align = 1 << if align < 192 { align % 7 } else { align % 15 };
        // Valid, because size and alignment are both small.
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
            249..=255 => What::FailFallback { after: u32::from(low % 8) },
        };
        Self { thread: usize::from(who) % THREADS, unpooled: who >= 240, what }
    }
}

/// Returns a size at most 2 bytes from an edge, or any size up to 196,605 bytes, about twice the largest
/// slot.
fn size(edge: u8, nudge: u8, random: usize, table: &Table) -> usize {
    let edges = table.edges();
    let size = match edge {
        0..=199 => edges[usize::from(edge) % edges.len()] + usize::from(nudge % 5),
        200..=239 => random % 1_024 + 2,
        240..=255 => random * 3 + 2,
    };
    size.saturating_sub(2).max(1)
}
