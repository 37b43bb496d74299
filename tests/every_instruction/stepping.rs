//! Interrupts one thread between its instructions, and calls a function there: an *act*.
//!
//! While the trap flag of x86 is set, the kernel sends SIGTRAP after each instruction. A trap costs 2 us, or
//! 20 us in a virtual machine. So one run acts after every instruction, and one run only records which
//! instructions there are. Each later run acts in one *window*: it plants a breakpoint (`int3`) at a recorded
//! instruction, sets the trap flag there, and clears it after the run's acts.
//!
//! **Acts happen between instructions of the program's own text**, never within the C library. The C library
//! does not call this program while it is inside `malloc`. So an act may reach `malloc` itself, and does
//! where the pools have no slot for it.
//!
//! **[`on_trap`] must not execute a planted breakpoint.** The interrupted work may share any function with
//! it. So `on_trap` calls no function until it has removed the breakpoint, and none after it has planted it
//! again.

use std::arch::asm;
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};

const TRAP_FLAG: i64 = 0x100;
const INT3: u8 = 0xcc;

/// An instruction of the work, and how often the work has executed it before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    address: usize,
    earlier: usize,
}

/// An act, which gets the address of the next instruction.
pub(crate) type Act = &'static dyn Fn(usize);

/// The meaning of the next trap.
static STAGE: AtomicU8 = AtomicU8::new(IDLE);
const IDLE: u8 = 0;
/// The breakpoint was reached.
const WAITING: u8 = 1;
/// The instruction below the breakpoint was executed, too early for an act.
const PASSING: u8 = 2;
/// An instruction was executed.
const ACTING: u8 = 3;

static EARLIER_LEFT: AtomicUsize = AtomicUsize::new(0);
static ACTS_LEFT: AtomicUsize = AtomicUsize::new(0);

// These are plain variables, because a debug build calls a function to read an atomic. Only one thread is
// interrupted at a time, and the thread that started it waits for it.
static mut ACT: Option<Act> = None;
static mut BREAKPOINT: usize = 0;
static mut ORIGINAL: u8 = 0;
static mut IS_PLANTED: bool = false;
static mut IS_ENDING: bool = false;

/// Writes a byte without a call. The compiler keeps the order.
macro_rules! poke {
    ($address:expr, $byte:expr) => {
        asm!("mov byte ptr [{}], {}", in(reg) $address, in(reg_byte) $byte, options(nostack, preserves_flags))
    };
}

/// Returns the addresses of the program's own instructions.
fn text() -> std::ops::Range<usize> {
    unsafe extern "C" {
        static __executable_start: u8;
        static etext: u8;
    }
    (&raw const __executable_start).addr()..(&raw const etext).addr()
}

/// Makes the text writable, and makes SIGTRAP call [`on_trap`].
pub(crate) fn install() {
    let (text, page) = (text(), 4096);
    let start = text.start / page * page;
    let all = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    // SAFETY: the pages of this program, which keep what they contain.
    let failed = unsafe { libc::mprotect(start as *mut c_void, text.end - start, all) };
    assert_eq!(failed, 0, "breakpoints need text that can be written to");
    // SAFETY: all zeros is a valid action. Acts may be interrupted too, so SIGTRAP is not blocked meanwhile.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_trap as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        assert_eq!(libc::sigaction(libc::SIGTRAP, &action, null_mut()), 0);
    }
}

extern "C" fn on_trap(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel made the context, and only the thread under test comes here. The planted breakpoint
    // is the only `int3`.
    unsafe {
        let context = context as *mut libc::ucontext_t;
        let flags = &raw mut (*context).uc_mcontext.gregs[libc::REG_EFL as usize];
        if IS_PLANTED {
            poke!(BREAKPOINT, ORIGINAL);
            IS_PLANTED = false;
            (*context).uc_mcontext.gregs[libc::REG_RIP as usize] = BREAKPOINT as i64;
            // The flag is set in this branch only: in any other trap, `end` may have cleared it already.
            *flags |= TRAP_FLAG;
        }
        let stage = next_stage((*context).uc_mcontext.gregs[libc::REG_RIP as usize] as usize);
        STAGE.store(stage, Relaxed);
        if stage == IDLE || stage == WAITING {
            *flags &= !TRAP_FLAG;
        }
        if stage == WAITING {
            IS_PLANTED = true;
            poke!(BREAKPOINT, INT3);
        }
    }
}

/// Acts if it is time to, and returns the next stage.
fn next_stage(address: usize) -> u8 {
    let stage = STAGE.load(Relaxed);
    if stage == PASSING {
        return WAITING;
    }
    if stage == WAITING && EARLIER_LEFT.load(Relaxed) > 0 {
        EARLIER_LEFT.fetch_sub(1, Relaxed);
        return PASSING;
    }
    // SAFETY: see `ACT`.
    if let (Some(act), false) = unsafe { (ACT, IS_ENDING) }
        && text().contains(&address)
    {
        act(address);
        ACTS_LEFT.fetch_sub(1, Relaxed);
    }
    if ACTS_LEFT.load(Relaxed) > 0 { ACTING } else { IDLE }
}

/// Lets this thread be interrupted, from here to [`end`].
#[inline(never)]
pub(crate) fn begin() {
    match STAGE.load(Relaxed) {
        // SAFETY: changes the trap flag of this thread, or a byte of the text; `on_trap` takes care of
        // either.
        ACTING => unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") },
        // SAFETY: as above.
        WAITING => unsafe {
            IS_PLANTED = true;
            poke!(BREAKPOINT, INT3);
        },
        _ => {}
    }
}

/// Stops the interruptions of this thread.
#[inline(never)]
pub(crate) fn end() {
    // No window lies after the first line, so no breakpoint is planted again after it was removed.
    // SAFETY: as in `begin`.
    unsafe {
        poke!(&raw mut IS_ENDING, 1_u8);
        if IS_PLANTED {
            poke!(BREAKPOINT, ORIGINAL);
            IS_PLANTED = false;
        }
        asm!("pushfq", "and qword ptr [rsp], -0x101", "popfq");
        IS_ENDING = false;
    }
}

pub(crate) fn trapped<R>(f: impl FnOnce() -> R) -> R {
    begin();
    let result = f();
    end();
    result
}

/// Runs `work` with an act after each of its instructions, from a window on or from the start, at most `acts`
/// of them. Returns whether there were any.
pub(crate) fn run_with(window: Option<Window>, acts: usize, act: Act, work: impl FnOnce()) -> bool {
    // SAFETY: see `ACT`; no thread is interrupted now. The address lies in the text.
    unsafe {
        ACT = Some(act);
        if let Some(Window { address, .. }) = window {
            (BREAKPOINT, ORIGINAL) = (address, *(address as *const u8));
        }
    }
    EARLIER_LEFT.store(window.map_or(0, |window| window.earlier), Relaxed);
    ACTS_LEFT.store(acts, Relaxed);
    let stage = match window {
        _ if acts == 0 => IDLE,
        Some(_) => WAITING,
        None => ACTING,
    };
    STAGE.store(stage, Relaxed);
    work();
    STAGE.store(IDLE, Relaxed);
    ACTS_LEFT.load(Relaxed) < acts
}

/// Runs `work` within an act, with another act after each of its instructions, at most `acts` of them.
pub(crate) fn within_act(acts: usize, act: Act, work: impl FnOnce()) {
    let (stage, acts_left) = (STAGE.load(Relaxed), ACTS_LEFT.load(Relaxed));
    // SAFETY: see `ACT`.
    let outer = unsafe { ACT };
    run_with(None, acts, act, || trapped(work));
    // SAFETY: as above.
    unsafe { ACT = outer };
    STAGE.store(stage, Relaxed);
    ACTS_LEFT.store(acts_left, Relaxed);
}

/// Returns the windows of `work`, in order: the first three executions of each instruction.
pub(crate) fn windows_of(work: impl FnOnce()) -> Vec<Window> {
    const MAX: usize = 1 << 18;
    const MAX_ROUNDS: usize = 3;
    static ADDRESSES: [AtomicUsize; MAX] = [const { AtomicUsize::new(0) }; MAX];
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    COUNT.store(0, Relaxed);
    run_with(
        None,
        usize::MAX,
        &|address| ADDRESSES[COUNT.fetch_add(1, Relaxed)].store(address, Relaxed),
        work,
    );
    let mut rounds = HashMap::new();
    let addresses = ADDRESSES[..COUNT.load(Relaxed)].iter().map(|address| address.load(Relaxed));
    let window = |address| {
        let rounds = rounds.entry(address).or_insert(0);
        *rounds += 1;
        Window { address, earlier: *rounds - 1 }
    };
    // An instruction with a `rep` traps after each round, and is reached once by a breakpoint.
    let mut addresses: Vec<_> = addresses.collect();
    addresses.dedup();
    addresses.into_iter().map(window).filter(|window| window.earlier < MAX_ROUNDS).collect()
}
