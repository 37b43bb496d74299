//! Forks after each instruction of a piece of work.
//!
//! The processor's trap flag raises SIGTRAP after each of them. The handler asks another thread to fork, or forks itself and lets its thread go on
//! in the child.

use std::arch::asm;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use super::common::{self, child, run_to_success_within};

/// Who forks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum By {
    AnotherThread,
    Handler,
}

thread_local! {
    /// Who is to fork at the next trap of this thread.
    pub(crate) static FORKS: Cell<Option<By>> = const { Cell::new(None) };
    /// In a child that the handler forked.
    pub(crate) static IS_CHILD: Cell<bool> = const { Cell::new(false) };
}

static TRAPS: AtomicUsize = AtomicUsize::new(0);
pub(crate) static FORKED: AtomicUsize = AtomicUsize::new(0);
/// A child is forked at each so-many-th trap.
static STRIDE: AtomicUsize = AtomicUsize::new(1);
/// 1: a fork is asked for; 2: it is done; 3: there will be none any more.
pub(crate) static REQUEST: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_trap(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    let number = TRAPS.fetch_add(1, SeqCst);
    let Some(by) = FORKS.get().filter(|_| number.is_multiple_of(STRIDE.load(SeqCst))) else { return };
    FORKED.fetch_add(1, SeqCst);
    if by == By::AnotherThread {
        REQUEST.store(1, SeqCst);
        while REQUEST.load(SeqCst) == 1 {
            thread::yield_now();
        }
        return;
    }
    // SAFETY: the child goes on with this thread's work, which ends it; the context is this signal's own.
    unsafe {
        match libc::fork() {
            0 => {
                libc::alarm(20);
                IS_CHILD.set(true);
                FORKS.set(None);
                let context = context.cast::<libc::ucontext_t>();
                (*context).uc_mcontext.gregs[libc::REG_EFL as usize] &= !0x100;
            }
            child => wait_for(child),
        }
    }
}

/// Aborts, so that nothing waits for a thread that panicked in a handler.
fn wait_for(child: libc::pid_t) {
    let mut status = 0;
    // SAFETY: a child of this process, and a place for its status.
    let waited = unsafe { libc::waitpid(child, &mut status, 0) };
    if waited != child || status != 0 {
        let traps = TRAPS.load(SeqCst);
        eprintln!(
            "after {traps} instructions: a child ended with {status:#x} (code {})",
            libc::WEXITSTATUS(status)
        );
        std::process::abort();
    }
}

fn install_handler() {
    // SAFETY: all zeros is a valid action; the handler forks, and touches what is its own.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_trap as extern "C" fn(_, _, _) as usize;
        action.sa_flags = libc::SA_SIGINFO;
        assert_eq!(libc::sigaction(libc::SIGTRAP, &action, null_mut()), 0);
    }
}

/// Traps after each instruction from here on.
#[inline(always)]
pub(crate) fn begin_traps() {
    // SAFETY: changes the trap flag alone; SIGTRAP has a handler.
    unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") }
}

#[inline(always)]
pub(crate) fn end_traps() {
    // SAFETY: changes the trap flag alone.
    unsafe { asm!("pushfq", "and qword ptr [rsp], -0x101", "popfq") }
}

/// Runs `work` with a fork after each instruction. In the children of another thread's forks `check` runs on that thread; in those of the handler's,
/// on this thread after its work. Each ends with what `check` says.
pub(crate) fn run_with_forks(by: By, work: impl FnOnce(), check: impl Fn(By) -> i32 + Send + Sync) {
    TRAPS.store(0, SeqCst);
    REQUEST.store(0, SeqCst);
    thread::scope(|scope| {
        if by == By::AnotherThread {
            scope.spawn(|| answer_requests(&check));
        }
        FORKS.set(Some(by));
        begin_traps();
        work();
        end_traps();
        FORKS.set(None);
        if IS_CHILD.get() {
            // SAFETY: ends the child without running what belongs to its parent.
            unsafe { libc::_exit(check(by)) }
        }
        REQUEST.store(3, SeqCst);
    });
    assert!(TRAPS.load(SeqCst) > 20, "nothing was trapped");
}

/// Forks when it is asked to, until it is told that there is no more to do.
pub(crate) fn answer_requests(check: &dyn Fn(By) -> i32) {
    loop {
        match REQUEST.load(SeqCst) {
            1 => {
                // SAFETY: the child uses the pools and the C library, which both work there, and ends.
                match unsafe { libc::fork() } {
                    // SAFETY: ends the child without running what belongs to its parent.
                    0 => unsafe {
                        libc::alarm(20);
                        libc::_exit(check(By::AnotherThread))
                    },
                    child => wait_for(child),
                }
                REQUEST.store(2, SeqCst);
            }
            3 => return,
            _ => thread::yield_now(),
        }
    }
}

/// Runs `test` in a child process of its own, whose only threads are those of the test.
pub(crate) fn in_a_process(test: impl Fn(), stride: usize, body: impl FnOnce(By) + Send) {
    match common::case().as_deref() {
        None => {
            for case in ["thread", "handler"] {
                // A fork takes a millisecond, and a trim 50,000 instructions.
                let limit = if stride == 1 { Duration::from_secs(600) } else { common::TIME_OUT };
                run_to_success_within(limit, child(&test, case));
            }
        }
        Some(case) => {
            install_handler();
            STRIDE.store(stride, SeqCst);
            let by = if case == "handler" { By::Handler } else { By::AnotherThread };
            // A thread of its own, which has its place with the pools that the body makes.
            thread::scope(|scope| scope.spawn(|| body(by)).join().unwrap());
            println!("{} forks in {} instructions", FORKED.load(SeqCst), TRAPS.load(SeqCst));
        }
    }
}

/// 1 if every instruction is wanted, as in `tests/long.sh`; else what `cargo test` has time for.
pub(crate) fn stride(quick: usize) -> usize {
    if std::env::var_os("FORK_EVERYWHERE").is_some() { 1 } else { quick }
}
