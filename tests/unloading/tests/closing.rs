//! P9: a library that holds the allocator may be closed while threads that used it live, any number of times.
//! All loads together take no more of the process than one does.
//!
//! Each test runs in a child process, because it looks for a crash.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod host;

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use host::common::{child, run};
use host::{
    Addon, CLASSES, Folder, HostKeys, KEYS, addon, address_space, exit_after, exit_after_closing, free_keys,
    give_keys, in_child, is_child, take_keys,
};

/// The number of times that a test opens and closes the addon.
const LOADS: usize = 200;
/// The number of keys whose values glibc keeps in the thread itself. For further keys it allocates.
const KEYS_IN_THE_THREAD: usize = 32;

#[test]
fn a_thread_that_used_the_library_exits_unharmed_after_it_was_closed() {
    in_child(a_thread_that_used_the_library_exits_unharmed_after_it_was_closed, || {
        assert!(exit_after_closing(Addon::open(addon())) > 0, "the thread had no magazines");
    });
}

#[test]
fn a_thread_caches_slots_of_the_library_and_leaves_none_behind() {
    in_child(a_thread_caches_slots_of_the_library_and_leaves_none_behind, || {
        let addon = Addon::open(addon());
        assert!(exit_after(addon, || ()) > 0);
        assert_eq!((addon.cached(), addon.live()), (0, 0));
    });
}

#[test]
fn two_hundred_loads_take_no_more_address_space_than_one() {
    in_child(two_hundred_loads_take_no_more_address_space_than_one, || {
        let use_once = || {
            let addon = Addon::open(addon());
            addon.use_all();
            addon.close();
        };
        use_once();
        let first = address_space();
        (1..LOADS).for_each(|_| use_once());
        let more = address_space().saturating_sub(first);
        assert!(more <= 1 << 20, "{} MiB more", more >> 20);
    });
}

#[test]
fn two_hundred_loads_take_one_key() {
    in_child(two_hundred_loads_take_one_key, || {
        let before = free_keys();
        (0..LOADS).for_each(|_| _ = exit_after_closing(Addon::open(addon())));
        let taken = before - free_keys();
        assert!(taken <= 1, "{taken} keys");
    });
}

#[test]
fn a_library_that_is_opened_again_takes_back_the_blocks_from_before() {
    in_child(a_library_that_is_opened_again_takes_back_the_blocks_from_before, || {
        let first = Addon::open(addon());
        let blocks: Vec<_> = (0..CLASSES).map(|class| (first.keep(class), class)).collect();
        assert!(blocks.iter().all(|&(block, _)| first.owns(block)));
        first.close();
        let again = Addon::open(addon());
        assert!(blocks.iter().all(|&(block, _)| again.owns(block)), "a block has lost its owner");
        assert_eq!(again.live(), u64::from(CLASSES));
        for (block, class) in blocks {
            // SAFETY: kept above, of this class.
            unsafe { again.give(block, class) };
        }
        assert_eq!(again.live(), 0);
        again.close();
    });
}

#[test]
fn a_block_that_outlives_the_library_stays_readable() {
    in_child(a_block_that_outlives_the_library_stays_readable, || {
        let addon = Addon::open(addon());
        let block = addon.keep(CLASSES - 1);
        addon.close();
        // SAFETY: the addon wrote it, and it is live.
        assert_eq!(unsafe { block.read() }, 1);
    });
}

#[test]
fn a_thread_of_the_librarys_own_goes_on_after_it_was_closed() {
    in_child(a_thread_of_the_librarys_own_goes_on_after_it_was_closed, || {
        static STEP: AtomicU32 = AtomicU32::new(0);
        let wait_until = |done: &dyn Fn() -> bool| {
            while !done() {
                thread::sleep(Duration::from_millis(1));
            }
        };
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let before = threads();
        let addon = Addon::open(addon());
        addon.start(&STEP);
        wait_until(&|| STEP.load(SeqCst) == 1);
        addon.close();
        STEP.store(2, SeqCst);
        wait_until(&|| STEP.load(SeqCst) == 3);
        wait_until(&|| threads() == before);
    });
}

#[test]
fn two_copies_of_the_library_keep_apart_and_are_closed_in_any_order() {
    in_child(two_copies_of_the_library_keep_apart_and_are_closed_in_any_order, || {
        let folder = Folder::new("two");
        for is_first_closed_first in [true, false] {
            let [first, second] = ["first.so", "second.so"].map(|name| Addon::open(folder.copy_addon(name)));
            let reserve = move || {
                [first, second].into_iter().for_each(Addon::use_all);
                let block = first.keep(0);
                assert!(first.owns(block) && !second.owns(block));
                // SAFETY: kept above, of this class.
                unsafe { first.give(block, 0) };
            };
            thread::spawn(reserve).join().unwrap();
            let (used, closed) = (Barrier::new(3), Barrier::new(3));
            let before = first.hits() + second.hits();
            let (hits, cached) = thread::scope(|scope| {
                // A thread has a place with the allocator that it uses first.
                let threads = [[first, second], [second, first]].map(|copies| {
                    let (used, closed) = (&used, &closed);
                    scope.spawn(move || {
                        // The hits give the number of slots.
                        let _ = copies.map(Addon::use_some);
                        used.wait();
                        closed.wait();
                    })
                });
                used.wait();
                let hits = first.hits() + second.hits() - before;
                let cached = [first.cached(), second.cached()];
                let order = if is_first_closed_first { [first, second] } else { [second, first] };
                order.into_iter().for_each(Addon::close);
                closed.wait();
                threads.into_iter().for_each(|thread| thread.join().unwrap());
                (hits, cached)
            });
            assert_eq!(hits, 4 * u64::from(CLASSES));
            assert!(cached.into_iter().all(|cached| cached > 0), "the threads had no magazines");
        }
    });
}

/// The loader binds the symbols that a later copy exports to the first copy's.
#[test]
fn the_second_copy_of_a_library_with_global_symbols_may_be_closed() {
    in_child(the_second_copy_of_a_library_with_global_symbols_may_be_closed, || {
        let folder = Folder::new("global");
        let first = Addon::open_with(folder.copy_addon("first.so"), libc::RTLD_NOW | libc::RTLD_GLOBAL);
        for name in ["second.so", "third.so"] {
            exit_after_closing(Addon::open(folder.copy_addon(name)));
            exit_after(first, || ());
        }
        exit_after_closing(first);
    });
}

#[test]
fn a_thread_exits_unharmed_where_the_library_came_after_many_keys() {
    in_child(a_thread_exits_unharmed_where_the_library_came_after_many_keys, || {
        let keys = take_keys(KEYS_IN_THE_THREAD + 8);
        assert!(exit_after_closing(Addon::open(addon())) > 0, "the thread had no magazines");
        give_keys(keys);
    });
}

#[test]
fn a_library_that_finds_no_key_left_serves_and_closes() {
    in_child(a_library_that_finds_no_key_left_serves_and_closes, || {
        let keys = take_keys(KEYS);
        assert_eq!(exit_after_closing(Addon::open(addon())), 0, "magazines that no exit can empty");
        give_keys(keys);
        exit_after_closing(Addon::open(addon()));
    });
}

#[test]
fn threads_open_use_and_close_the_library_all_at_once() {
    in_child(threads_open_use_and_close_the_library_all_at_once, || {
        for _ in 0..50 {
            let threads = [(); 4].map(|()| {
                thread::spawn(|| {
                    let addon = Addon::open(addon());
                    // While another thread reserves the pools, the fallback serves.
                    addon.use_some();
                    addon.close();
                })
            });
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    });
}

#[test]
fn a_process_that_closed_the_library_forks_unharmed() {
    in_child(a_process_that_closed_the_library_forks_unharmed, || {
        let addon = Addon::open(addon());
        exit_after(addon, || {
            addon.close();
            // SAFETY: the child does nothing but end.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(0) };
            }
            let mut status = -1;
            // SAFETY: a child of this process, and a valid place.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0, "the child of the fork was harmed");
        });
    });
}

#[test]
fn the_child_of_a_fork_uses_a_library_that_was_closed_and_opened_again() {
    in_child(the_child_of_a_fork_uses_a_library_that_was_closed_and_opened_again, || {
        let first = Addon::open(addon());
        exit_after(first, || {
            first.use_all();
            first.close();
            // SAFETY: glibc lets the child open libraries and allocate.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let again = Addon::open(addon());
                again.use_all();
                again.close();
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(0) };
            }
            let mut status = -1;
            // SAFETY: a child of this process, and a valid place.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0, "the child of the fork was harmed");
        });
    });
}

#[test]
fn a_process_ends_while_threads_that_used_the_closed_library_live() {
    static USED: Barrier = Barrier::new(2);
    in_child(a_process_ends_while_threads_that_used_the_closed_library_live, || {
        let addon = Addon::open(addon());
        thread::spawn(move || {
            addon.use_all();
            USED.wait();
            loop {
                thread::park();
            }
        });
        USED.wait();
        addon.close();
    });
}

#[test]
fn statistics_that_were_asked_for_at_exit_are_written_once() {
    if !is_child() {
        let mut command = child(statistics_that_were_asked_for_at_exit_are_written_once, "child");
        command.env("FRAMEPOOL", "stats");
        let output = run(command);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{stderr}", output.status);
        assert_eq!(stderr.matches("Overall hit rate").count(), 1, "{stderr}");
        return;
    }
    let addon = Addon::open(addon());
    addon.use_all();
    addon.close();
}

#[test]
fn the_hosts_own_keys_keep_their_values_and_destructors() {
    in_child(the_hosts_own_keys_keep_their_values_and_destructors, || {
        let keys = HostKeys::new();
        let addon = Addon::open(addon());
        let thread = thread::spawn(move || {
            keys.set();
            addon.use_all();
            keys.check();
        });
        thread.join().unwrap();
        exit_after_closing(addon);
        keys.check_destroyed(1);
    });
}
