//! The addon: a library whose global allocator is a `PoolAlloc`, for a host that knows only the functions of
//! its C interface.
//!
//! A function whose documentation says "Registers no destructor" allocates through the pools, and calls
//! nothing of `std` that registers a thread-local's destructor. The C library keeps a library mapped until
//! such destructors have run, which would hide what the tests look for. No such function calls another one:
//! if the process has two addons, the loader could bind the call to the other addon.

use std::alloc::{Layout, alloc, dealloc};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use framepool::{Class, Config, PoolAlloc, SlotState};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

/// The layout that fills a slot of `class`.
fn whole(class: Class) -> Layout {
    Layout::from_size_align(Config::new().slot_bytes(class), 8).unwrap()
}

fn class(index: u32) -> Class {
    Class::ALL[index as usize]
}

fn keep(class: Class) -> *mut u8 {
    let layout = whole(class);
    // SAFETY: not empty.
    let block = unsafe { alloc(layout) };
    if !block.is_null() {
        // SAFETY: inside the block.
        unsafe {
            block.write(1);
            block.add(layout.size() - 1).write(1);
        }
    }
    block
}

fn use_all() -> u32 {
    let blocks = Class::ALL.map(|class| (keep(class), class));
    let slots = blocks.iter().filter(|(block, _)| ALLOC.owns(*block)).count();
    for (block, class) in blocks {
        // SAFETY: allocated above with this layout, and freed once.
        unsafe { dealloc(block, whole(class)) };
    }
    slots as u32
}

/// Allocates a block of each class, writes its first and its last byte, and frees them all. Returns the
/// number of blocks that were slots. Registers no destructor.
#[unsafe(no_mangle)]
pub extern "C" fn addon_use() -> u32 {
    use_all()
}

/// Allocates a block of the class with this index, and writes its first and its last byte. Registers no
/// destructor.
#[unsafe(no_mangle)]
pub extern "C" fn addon_keep(class_index: u32) -> *mut u8 {
    keep(class(class_index))
}

/// Frees a block of the class with this index. Registers no destructor.
///
/// # Safety
///
/// [`addon_keep`] returned the block for the same class, and it was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn addon_give(block: *mut u8, class_index: u32) {
    // SAFETY: the caller's contract.
    unsafe { dealloc(block, whole(class(class_index))) };
}

/// Whether the block is a slot of this addon's pools. Registers no destructor.
#[unsafe(no_mangle)]
pub extern "C" fn addon_owns(block: *const u8) -> bool {
    ALLOC.owns(block)
}

/// The number of slots of Small that threads have in their magazines. Registers no destructor.
#[unsafe(no_mangle)]
pub extern "C" fn addon_cached() -> u32 {
    let mut states = [SlotState::Free; 1024];
    let slots = ALLOC.slot_states(Class::Small, &mut states);
    states[..slots].iter().filter(|&&state| state == SlotState::Cached).count() as u32
}

/// The number of requests that a slot served. Registers no destructor.
#[unsafe(no_mangle)]
pub extern "C" fn addon_hits() -> u64 {
    ALLOC.stats().hits()
}

/// The number of slots that are live. Registers no destructor.
#[unsafe(no_mangle)]
pub extern "C" fn addon_live() -> u64 {
    let stats = ALLOC.stats();
    Class::ALL.into_iter().map(|class| stats.class(class).in_use).sum()
}

/// Starts threads of the addon's own that use the allocator until the process ends.
#[unsafe(no_mangle)]
pub extern "C" fn addon_keep_busy(threads: u32) {
    for _ in 0..threads {
        // The handle is dropped, so no thread joins this one.
        thread::spawn(|| {
            loop {
                use_all();
            }
        });
    }
}

/// Starts a thread of the addon's own. It uses the allocator, sets `step` to 1, waits until the host sets it
/// to 2, uses the allocator again, sets it to 3, and exits.
///
/// # Safety
///
/// `step` is valid until it is 3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn addon_start(step: *const AtomicU32) {
    // SAFETY: the caller's contract. The thread does not use it once it is 3.
    let step: &'static AtomicU32 = unsafe { &*step };
    // The handle is dropped, so no thread joins this one.
    thread::spawn(move || {
        use_all();
        step.store(1, SeqCst);
        while step.load(SeqCst) != 2 {
            thread::sleep(Duration::from_millis(1));
        }
        use_all();
        let words: Vec<String> = (0..100).map(|word| word.to_string()).collect();
        drop(words);
        step.store(3, SeqCst);
    });
}
