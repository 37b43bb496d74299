//! P7: misuse of a block aborts the process with a text that names the misuse, in release builds too.
//!
//! Each case runs in two child processes: one misuses a block by `dealloc`, the other by `realloc`. A child
//! first prints the text that it expects.

mod common;

use std::alloc::GlobalAlloc;
use std::fmt::Display;
use std::process::Output;
use std::ptr::with_exposed_provenance_mut;
use std::thread;

use common::{Block, layout, run, whole};
use framepool::{Class, PoolAlloc};

static POOL: PoolAlloc = PoolAlloc::new();

#[derive(Clone, Copy, Debug)]
enum Via {
    Dealloc,
    Realloc,
}

/// The case that one child plays.
#[derive(Clone, Copy)]
struct Case {
    class: Class,
    via: Via,
    variant: usize,
}

impl Case {
    /// Frees or reallocates an address at which no block of this size and alignment is live.
    fn misuse(self, address: usize, size: usize, align: usize) {
        let (ptr, layout) = (with_exposed_provenance_mut(address), layout(size, align));
        // SAFETY: none, on purpose. `POOL` has to abort before it does anything with the block.
        unsafe {
            match self.via {
                Via::Dealloc => POOL.dealloc(ptr, layout),
                // Would succeed in place if the block were live. So only the check can stop it.
                Via::Realloc => _ = POOL.realloc(ptr, layout, size),
            }
        }
    }

    /// Takes every slot of the class and sorts them by address. So a slot's index in the list is its index in
    /// the class.
    fn take_all(self) -> Vec<Block<'static, PoolAlloc>> {
        let slots = POOL.stats().class(self.class).slots;
        let mut blocks: Vec<_> = (0..slots).map(|id| Block::take(&POOL, whole(self.class), id)).collect();
        blocks.sort_unstable_by_key(|block| block.start);
        assert!(blocks.iter().all(|block| POOL.owns(block.start)));
        blocks
    }

    /// Takes the lowest free slot, with a layout that may have no held-back slot.
    fn take_lowest(self) -> Block<'static, PoolAlloc> {
        let least = [1, 1025, (64 << 10) + 1, (256 << 10) + 1];
        Block::take(&POOL, layout(least[self.class as usize], 1), 0)
    }
}

/// Prints the text that the parent process has to find on standard error.
fn expect(text: impl Display) {
    println!("expect: framepool: {text}");
}

/// Plays `misuse` in a child for each class, call and variant. Each child has to write the expected text and
/// nothing else, and to end by SIGABRT.
fn each_aborts(test: impl Fn() + Copy, variants: usize, misuse: impl Fn(Case)) {
    for class in Class::ALL {
        for (via, variant) in (0..variants).flat_map(|n| [(Via::Dealloc, n), (Via::Realloc, n)]) {
            let name = format!("{class} {via:?} {variant}");
            match common::case() {
                None => assert_aborted(&name, &run(common::child(test, &name))),
                Some(case) if case == name => misuse(Case { class, via, variant }),
                Some(_) => {}
            }
        }
    }
}

fn assert_aborted(name: &str, output: &Output) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(stderr, expected(&stdout) + "\n", "{name}");
    assert!(!output.status.success(), "{name}");
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{name}");
    }
}

fn expected(stdout: &str) -> String {
    let text = stdout.lines().find_map(|line| Some(line.split_once("expect: ")?.1));
    text.unwrap_or_else(|| panic!("a child did not come to its misuse:\n{stdout}")).to_owned()
}

#[test]
fn a_double_free_is_named_at_once() {
    each_aborts(a_double_free_is_named_at_once, 2, |case| {
        let mut blocks = case.take_all();
        let (block, another) = (blocks.swap_remove(17), blocks.swap_remove(5));
        let (address, size) = (block.start.expose_provenance(), block.layout.size());
        expect(format_args!("double free: {} slot 17 at {address:#x}", case.class));
        block.give();
        // Variant 1 frees another slot in between, so that the block is not the last one freed.
        if case.variant == 1 {
            another.give();
        }
        case.misuse(address, size, 8);
    });
}

/// The second free takes the slot from its new owner, and is not detected. The free by the new owner is.
#[test]
fn a_double_free_after_the_slot_was_handed_out_again_is_named_when_its_new_owner_frees_it() {
    each_aborts(
        a_double_free_after_the_slot_was_handed_out_again_is_named_when_its_new_owner_frees_it,
        1,
        |case| {
            let mut blocks = case.take_all();
            let first = blocks.swap_remove(17);
            let (address, layout) = (first.start, first.layout);
            first.give();
            let second = Block::take(&POOL, layout, 1);
            assert_eq!(second.start, address);
            // SAFETY: none, on purpose: it was freed before.
            unsafe { POOL.dealloc(address, layout) };
            let address = address.expose_provenance();
            expect(format_args!("double free: {} slot 17 at {address:#x}", case.class));
            case.misuse(address, layout.size(), 8);
        },
    );
}

#[test]
fn a_double_free_is_named_after_a_thousand_operations_elsewhere_on_this_thread_or_another() {
    each_aborts(
        a_double_free_is_named_after_a_thousand_operations_elsewhere_on_this_thread_or_another,
        2,
        |case| {
            let mut blocks = case.take_all();
            let (victim, lower) = (blocks.swap_remove(17), blocks.swap_remove(5));
            let (address, size, reused) =
                (victim.start.expose_provenance(), victim.layout.size(), lower.start);
            victim.give();
            lower.give();
            for _ in 0..500 {
                let block = case.take_lowest();
                assert_eq!(block.start, reused);
                block.give();
            }
            expect(format_args!("double free: {} slot 17 at {address:#x}", case.class));
            match case.variant {
                0 => case.misuse(address, size, 8),
                _ => thread::spawn(move || case.misuse(address, size, 8)).join().unwrap(),
            }
        },
    );
}

#[test]
fn a_pointer_into_a_slot_is_named_with_its_distance_from_the_start() {
    each_aborts(a_pointer_into_a_slot_is_named_with_its_distance_from_the_start, 4, |case| {
        let block = &case.take_all()[17];
        // Half a slot is a multiple of the granule, except for Small.
        let bytes_in = [1, 8, block.layout.size() / 2, block.layout.size() - 1][case.variant];
        let address = block.start.expose_provenance() + bytes_in;
        expect(format_args!(
            "interior pointer: {} slot 17 at {address:#x}, {bytes_in} bytes into the slot",
            case.class
        ));
        case.misuse(address, 1, 1);
    });
}

#[test]
fn an_address_that_was_never_handed_out_is_named() {
    each_aborts(an_address_that_was_never_handed_out_is_named, 4, |case| {
        let first = case.take_lowest().start.expose_provenance();
        let stats = POOL.stats().class(case.class);
        let (slot_bytes, slots) = (stats.slot_bytes as usize, stats.slots as usize);
        let (index, address) = match case.variant {
            0 => (Some(1), first + slot_bytes),
            1 => (Some(slots - 1), first + (slots - 1) * slot_bytes),
            2 => (None, first + slots * slot_bytes),
            _ => (None, first - 1),
        };
        match index {
            Some(index) => expect(format_args!(
                "free of a slot never handed out: {} slot {index} at {address:#x}",
                case.class
            )),
            None => expect(format_args!("not a slot: guard page at {address:#x}")),
        }
        case.misuse(address, 1, 1);
    });
}

#[test]
fn a_layout_that_the_slot_cannot_have_served_is_named() {
    each_aborts(a_layout_that_the_slot_cannot_have_served_is_named, 2, |case| {
        let block = &case.take_all()[17];
        let (size, align) = [(block.layout.size() + 1, 8), (1, block.layout.size() * 2)][case.variant];
        expect(format_args!(
            "wrong layout: {} slot 17 at {:p}, used with size {size} and alignment {align}",
            case.class, block.start
        ));
        case.misuse(block.start.expose_provenance(), size, align);
    });
}

/// Races two frees of one block, in 100 rounds for each class. Each round has a forked process of its own.
/// Exactly one of the two frees writes the text.
#[cfg(unix)]
#[test]
fn of_two_threads_that_free_a_block_at_once_exactly_one_is_stopped_with_hardened() {
    const ROUNDS: usize = 100;

    for class in Class::ALL {
        match common::case() {
            None => {
                let test = of_two_threads_that_free_a_block_at_once_exactly_one_is_stopped_with_hardened;
                let output = run(common::child(test, class.name()));
                let stdout = String::from_utf8_lossy(&output.stdout);
                let stderr = String::from_utf8_lossy(&output.stderr);
                assert_eq!(stderr, (expected(&stdout) + "\n").repeat(ROUNDS), "{stdout}");
                assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}");
            }
            Some(case) if case == class.name() => free_at_once(class, ROUNDS),
            Some(_) => {}
        }
    }
}

#[cfg(unix)]
fn free_at_once(class: Class, rounds: usize) {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    static HARDENED: PoolAlloc = PoolAlloc::with_config(framepool::Config::new().hardened(true));
    static ARRIVED: AtomicUsize = AtomicUsize::new(0);
    static DONE: AtomicUsize = AtomicUsize::new(0);

    // Each thread has a magazine of Small at once. Without `hardened`, the second free would stay undetected
    // there.
    let block = Block::take(&HARDENED, whole(class), 0);
    let (address, layout) = (block.start.expose_provenance(), block.layout);
    // The lowest held-back slot if the class holds slots back, else the lowest slot.
    let slot = [512, 32, 0, 0][class as usize];
    expect(format_args!("double free: {class} slot {slot} at {address:#x}"));
    let other = if class as usize == 2 { Class::XLarge } else { Class::Large };
    let free = move || {
        // A thread's first use takes the slow path, unlike all later ones.
        Block::take(&HARDENED, whole(other), 0).give();
        ARRIVED.fetch_add(1, SeqCst);
        while ARRIVED.load(SeqCst) < 2 {
            std::hint::spin_loop();
        }
        // SAFETY: none for the second of the two, on purpose.
        unsafe { HARDENED.dealloc(with_exposed_provenance_mut(address), layout) };
        DONE.fetch_add(1, SeqCst);
        // At the thread's exit the slot would go to the set. That detects the second free as well, but too
        // late.
        loop {
            thread::park();
        }
    };
    for round in 0..rounds {
        // SAFETY: this process has no other thread, so the child may do anything.
        match unsafe { libc::fork() } {
            0 => {
                let _both = [thread::spawn(free), thread::spawn(free)];
                while DONE.load(SeqCst) < 2 {
                    thread::yield_now();
                }
                // SAFETY: ends this process, whose state is not needed any more.
                unsafe { libc::_exit(0) }
            }
            forked => {
                let mut status = 0;
                // SAFETY: a child of this process, and a place for its status.
                assert_eq!(unsafe { libc::waitpid(forked, &mut status, 0) }, forked);
                assert!(libc::WIFSIGNALED(status), "round {round} ended with both blocks freed");
                assert_eq!(libc::WTERMSIG(status), libc::SIGABRT);
            }
        }
    }
}
