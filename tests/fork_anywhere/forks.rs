//! Forks after each instruction of a piece of work.
//!
//! The processor's trap flag raises SIGTRAP after each of them. The handler asks another thread to fork. Or
//! it forks itself, and its thread goes on in the child.

use std::arch::asm;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use super::common::{self, child, run_to_success_within};

/// The one that forks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum By {
    AnotherThread,
    Handler,
}

thread_local! {
    /// The one that forks at the next trap of this thread, if any does.
    pub(crate) static FORKS: Cell<Option<By>> = const { Cell::new(None) };
    /// Whether this is a child that the handler forked.
    pub(crate) static IS_CHILD: Cell<bool> = const { Cell::new(false) };
}

static TRAPS: AtomicUsize = AtomicUsize::new(0);
pub(crate) static FORKED: AtomicUsize = AtomicUsize::new(0);
/// The number of traps from one fork to the next.
static STRIDE: AtomicUsize = AtomicUsize::new(1);
/// The state of the requests to fork. 1: a fork is asked for; 2: it is done; 3: there will be no more.
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
    // SAFETY: the child goes on with this thread's work, and exits after it; the context belongs to this
    // signal.
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

/// Waits for a child, and aborts unless it ended well. If a handler panicked instead, other threads would
/// wait for its thread.
fn wait_for(child: libc::pid_t) {
    let mut status = 0;
    // SAFETY: a child of this process, and room for its status.
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
    // SAFETY: all zeros is a valid action; the handler forks, and touches only data of its own.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_trap as extern "C" fn(_, _, _) as usize;
        action.sa_flags = libc::SA_SIGINFO;
        assert_eq!(libc::sigaction(libc::SIGTRAP, &action, null_mut()), 0);
    }
}

/// Starts to trap after each instruction.
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

/// Runs `work` with a fork after each instruction, and ends each child with the result of `check`.
///
/// In a child that another thread forked, `check` runs on that thread. In a child that the handler forked, it
/// runs on this thread after its work.
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
            // SAFETY: ends the child without running the exit handlers of its parent.
            unsafe { libc::_exit(check(by)) }
        }
        REQUEST.store(3, SeqCst);
    });
    assert!(TRAPS.load(SeqCst) > 20, "nothing was trapped");
}

/// Forks at each request, until there will be no more.
pub(crate) fn answer_requests(check: &dyn Fn(By) -> i32) {
    loop {
        match REQUEST.load(SeqCst) {
            1 => {
                // SAFETY: the child uses the pools and the C library, which both work there, and ends.
                match unsafe { libc::fork() } {
                    // SAFETY: ends the child without running the exit handlers of its parent.
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

/// Runs `test` in a child process of its own for each [`By`], whose only threads are those of the test.
pub(crate) fn in_a_process(test: impl Fn(), stride: usize, body: impl FnOnce(By) + Send) {
    match common::case().as_deref() {
        None => {
            for case in ["thread", "handler"] {
                // A fork takes a millisecond, and a trim 50,000 instructions.
                let limit = if stride == 1 { Duration::from_secs(600) } else { common::time_out() };
                run_to_success_within(limit, child(&test, case));
            }
        }
        Some(case) => {
            install_handler();
            STRIDE.store(stride, SeqCst);
            let by = if case == "handler" { By::Handler } else { By::AnotherThread };
            // The body runs on a new thread, which has its place with the pools that the body makes.
            thread::scope(|scope| scope.spawn(|| body(by)).join().unwrap());
            println!("{} forks in {} instructions", FORKED.load(SeqCst), TRAPS.load(SeqCst));
        }
    }
}

/// Returns 1 if every instruction is wanted, as in `tests/long.sh`. Otherwise returns `quick`, for which
/// `cargo test` has time.
pub(crate) fn stride(quick: usize) -> usize {
    if std::env::var_os("FORK_EVERYWHERE").is_some() { 1 } else { quick }
}
