//! Whether valgrind runs the program. It sees what goes through `malloc`, and nothing of what pools do with their
//! slots.
//!
//! valgrind watches for a sequence of instructions that does nothing on a processor, and answers it: its client
//! requests, as `valgrind.h` documents them.

/// Returns whether valgrind runs this program, with any of its tools. `false` on processors for which this crate does
/// not know the sequence.
#[cold]
#[inline(never)]
pub(crate) fn is_under_valgrind() -> bool {
    ask(&[RUNNING_ON_VALGRIND, 0, 0, 0, 0, 0]) != 0
}

/// The request whose answer is how many valgrinds run the program, one inside the other.
const RUNNING_ON_VALGRIND: usize = 0x1001;

/// Makes a request, and returns the answer: 0 from a processor.
#[cfg(all(
    target_os = "linux",
    any(all(target_arch = "x86_64", target_pointer_width = "64"), target_arch = "aarch64"),
    not(miri)
))]
fn ask(request: &[usize; 6]) -> usize {
    let answer;
    // SAFETY: the four rotations add up to 128 bits, so that all registers are as before. valgrind reads the request
    // and writes the answer to one register.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") request,
            inout("rdx") 0_usize => answer,
            options(nostack),
        );
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!(
            "ror x12, x12, 3", "ror x12, x12, 13", "ror x12, x12, 51", "ror x12, x12, 61", "orr x10, x10, x10",
            in("x4") request,
            inout("x3") 0_usize => answer,
            options(nostack),
        );
    }
    answer
}

#[cfg(not(all(
    target_os = "linux",
    any(all(target_arch = "x86_64", target_pointer_width = "64"), target_arch = "aarch64"),
    not(miri)
)))]
fn ask(_: &[usize; 6]) -> usize {
    0
}
