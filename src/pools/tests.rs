//! Tests that need access to private parts: which thread has a place, where a thread's exit can be watched.

use super::*;
use crate::stats::counters::FallbackReason;
use crate::sync::{AtomicU8, Ordering::SeqCst};
use crate::thread::nested::FallbackFrame;
use crate::tunables::PLACES;

/// Returns the number of this thread's place, which the thread claims if it has none.
fn place_of_this_thread(pools: &'static Pools) -> Option<usize> {
    pools.prepare(&std::alloc::System);
    pools.own().map(|own| pools.metadata().place_of(own.state()))
}

/// Covers a thread that finds another thread reserving the pools, which is over when the first one looks for
/// a slot.
#[test]
fn a_hit_is_counted_though_the_tally_was_taken_before_the_pools_were_ready() {
    let pools = Pools::of_a_value(&Config::new());
    let tally = pools.shared_tally();
    tally.fallback(FallbackReason::Starting, 0);
    pools.reserve(&std::alloc::System);
    let layout = Layout::new::<[u8; 100]>();
    let block = pools.take(tally, layout).unwrap();
    // SAFETY: just taken, and the block is not used any more.
    unsafe { pools.give(tally, pools.find(block.start, layout)) };
    let stats = pools.stats();
    assert_eq!((stats.hits(), stats.returns(), stats.bypasses()), (1, 1, 1));
}

#[test]
fn a_place_passes_from_a_thread_that_ends_to_the_next() {
    let pools: &Pools = Box::leak(Box::new(Pools::new(&Config::new())));
    for _ in 0..2 * PLACES {
        let has_place = std::thread::spawn(|| {
            pools.prepare(&std::alloc::System);
            pools.own().is_some()
        });
        assert!(has_place.join().unwrap());
    }
    assert_eq!(pools.metadata().places.used(), 1);
}

/// Every place is taken when the process forks. In the child, all but one belong to threads that are not
/// there.
#[test]
fn the_child_of_a_fork_has_the_places_of_the_threads_that_are_gone() {
    use std::sync::Barrier;

    let pools: &Pools = Box::leak(Box::new(Pools::new(&Config::new())));
    let gets_a_place = || {
        pools.prepare(&std::alloc::System);
        pools.own().is_some()
    };
    assert!(std::thread::scope(|scope| scope.spawn(gets_a_place).join().unwrap()));
    let (bound, done) = (Barrier::new(PLACES + 1), Barrier::new(PLACES + 1));
    std::thread::scope(|scope| {
        for _ in 0..PLACES {
            let work = || {
                assert!(gets_a_place());
                bound.wait();
                done.wait();
            };
            std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, work).unwrap();
        }
        bound.wait();
        assert!(!scope.spawn(gets_a_place).join().unwrap());
        // SAFETY: the child starts a thread, which the C library allows there, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let has_place = std::thread::spawn(gets_a_place).join().is_ok_and(|has_place| has_place);
            // SAFETY: ends the child without running what belongs to its parent.
            unsafe { libc::_exit(i32::from(!has_place)) }
        }
        let mut status = 0;
        // SAFETY: a child of this process, and a place for its status.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0);
        done.wait();
    });
}

#[test]
fn the_child_of_a_fork_inside_a_fallback_keeps_its_own_place() {
    let pools: &Pools = Box::leak(Box::new(Pools::new(&Config::new())));
    let place = || place_of_this_thread(pools);
    let forks = move || {
        let own = place().unwrap();
        let frame = FallbackFrame::enter(core::ptr::from_ref(pools).cast());
        // SAFETY: the child starts a thread, which the C library allows there, and ends.
        let child = unsafe { libc::fork() };
        assert!(child != 0 || pools.metadata().settle_after_fork());
        drop(frame);
        if child == 0 {
            let others = std::thread::spawn(place).join().ok().flatten();
            let is_right = place() == Some(own) && others.is_some_and(|other| other != own);
            // SAFETY: ends the child without running what belongs to its parent.
            unsafe { libc::_exit(i32::from(!is_right)) }
        }
        let mut status = 0;
        // SAFETY: a child of this process, and a place for its status.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0);
    };
    std::thread::scope(|scope| scope.spawn(forks).join().unwrap());
}

/// Keys are visited in the order in which they were made, so a younger key's destructor runs after the
/// allocator's.
#[test]
fn a_thread_past_its_exit_has_no_place() {
    use std::sync::OnceLock;

    static POOLS: OnceLock<Pools> = OnceLock::new();
    static HAD_PLACE: AtomicU8 = AtomicU8::new(2);
    extern "C" fn destructor(_: *mut core::ffi::c_void) {
        HAD_PLACE.store(u8::from(POOLS.get().unwrap().own().is_some()), SeqCst);
    }

    let pools: &'static Pools = POOLS.get_or_init(|| Pools::new(&Config::new()));
    let gets_a_place = || {
        pools.prepare(&std::alloc::System);
        assert!(pools.own().is_some());
    };
    std::thread::spawn(gets_a_place).join().unwrap();
    let mut key = 0;
    // SAFETY: a place for the key, and a destructor that does not unwind.
    assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(destructor)) }, 0);
    let exits = std::thread::spawn(move || {
        gets_a_place();
        // SAFETY: the key was created just now; its value is never followed.
        assert_eq!(unsafe { libc::pthread_setspecific(key, core::ptr::without_provenance(1)) }, 0);
    });
    exits.join().unwrap();
    assert_eq!(HAD_PLACE.load(SeqCst), 0);
}

/// Forks by a bare system call, so that the C library runs no handler in the child.
#[test]
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn until_the_thread_that_forked_has_settled_the_threads_that_it_starts_have_no_place() {
    let pools: &Pools = Box::leak(Box::new(Pools::new(&Config::new())));
    let has_place = || {
        pools.prepare(&std::alloc::System);
        pools.own().is_some()
    };
    let forks = move || {
        assert!(has_place());
        // SAFETY: as `fork` does. The child starts threads, which the C library happens to allow there, and
        // ends.
        let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        if child == 0 {
            let early = std::thread::spawn(has_place).join().is_ok_and(|has_place| has_place);
            let is_settled = pools.metadata().settle_after_fork();
            let late = std::thread::spawn(has_place).join().is_ok_and(|has_place| has_place);
            // SAFETY: ends the child without running what belongs to its parent.
            unsafe { libc::_exit(i32::from(early || !is_settled || !late || !has_place())) }
        }
        let mut status = 0;
        // SAFETY: a child of this process, and a place for its status.
        assert_eq!(i64::from(unsafe { libc::waitpid(child as i32, &mut status, 0) }), child);
        assert_eq!(status, 0);
    };
    std::thread::scope(|scope| scope.spawn(forks).join().unwrap());
}

/// The threads first allocate when no destructor of their own will run any more. There are more of them than
/// places.
#[test]
#[cfg(target_os = "linux")]
fn places_of_threads_that_died_without_giving_them_back_are_found_by_the_next() {
    use std::sync::OnceLock;

    static POOLS: OnceLock<Pools> = OnceLock::new();
    static KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
    /// The C library calls this again as long as it sets the key, four times in all.
    extern "C" fn destructor(left: *mut core::ffi::c_void) {
        if left.addr() == 1 {
            POOLS.get().unwrap().prepare(&std::alloc::System);
            assert!(POOLS.get().unwrap().own().is_some());
        } else {
            set_key(left.addr() - 1);
        }
    }
    fn set_key(left: usize) {
        let left = core::ptr::without_provenance::<core::ffi::c_void>(left);
        // SAFETY: the key was created; its value is never followed.
        assert_eq!(unsafe { libc::pthread_setspecific(*KEY.get().unwrap(), left) }, 0);
    }

    let pools: &'static Pools = POOLS.get_or_init(|| Pools::new(&Config::new()));
    let gets_a_place = || {
        pools.prepare(&std::alloc::System);
        pools.own().is_some()
    };
    assert!(std::thread::spawn(gets_a_place).join().unwrap());
    let mut key = 0;
    // SAFETY: a place for the key, and a destructor that does not unwind.
    assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(destructor)) }, 0);
    KEY.set(key).unwrap();
    let places = &pools.metadata().places;
    for _ in 0..PLACES {
        std::thread::spawn(|| set_key(4)).join().unwrap();
    }
    assert_eq!(places.taken().count(), PLACES, "the last destructors leave none");
    for _ in 0..PLACES {
        assert!(std::thread::spawn(gets_a_place).join().unwrap(), "the dead keep their places");
    }
    // Each living thread keeps its own place.
    let (bound, done) = (std::sync::Barrier::new(PLACES + 1), std::sync::Barrier::new(PLACES + 1));
    std::thread::scope(|scope| {
        for _ in 0..PLACES {
            let work = || {
                assert!(gets_a_place());
                let own = pools.metadata().place_of(pools.own().unwrap().state());
                bound.wait();
                done.wait();
                assert_eq!(pools.metadata().place_of(pools.own().unwrap().state()), own);
            };
            std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, work).unwrap();
        }
        bound.wait();
        assert!(!scope.spawn(gets_a_place).join().unwrap(), "all owners live");
        assert_eq!(places.taken().count(), PLACES);
        done.wait();
    });
}

/// A handler of the program, which the C library calls before the crate's, may take a slow path and start a
/// thread.
#[test]
#[cfg(target_os = "linux")]
fn a_child_of_a_fork_that_has_settled_does_not_settle_again() {
    let pools: &Pools = Box::leak(Box::new(Pools::new(&Config::new())));
    let gets_a_place = || place_of_this_thread(pools);
    assert!(gets_a_place().is_some() || std::thread::spawn(gets_a_place).join().unwrap().is_some());
    // SAFETY: the child starts a thread, which the C library allows there, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let (tell, told) = std::sync::mpsc::channel();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || {
            tell.send(gets_a_place()).unwrap();
            let _ = wait.recv();
        });
        let place = told.recv().unwrap();
        pools.metadata().settle_child();
        let is_kept = place.is_some_and(|place| pools.metadata().places.taken().any(|taken| taken == place));
        drop(done);
        // SAFETY: ends the child without running what belongs to its parent.
        unsafe { libc::_exit(i32::from(!is_kept)) }
    }
    let mut status = 0;
    // SAFETY: a child of this process, and a place for its status.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
}

/// The thread ends as by `pthread_exit` in a signal handler that interrupted it inside.
#[test]
fn the_place_of_a_thread_that_ended_inside_has_no_next_owner() {
    let pools: &Pools = Box::leak(Box::new(Pools::new(&Config::new())));
    let place = || place_of_this_thread(pools);
    let ended = std::thread::spawn(move || {
        let place = place();
        core::mem::forget(pools.enter());
        place
    });
    let ended = ended.join().unwrap().unwrap();
    let next = std::thread::spawn(place).join().unwrap();
    assert!(next.is_some_and(|next| next != ended));
    assert!(pools.metadata().places.taken().eq([ended]));
}
