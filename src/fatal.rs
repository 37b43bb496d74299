//! The texts that end a process whose memory can no longer be trusted, and the abort itself.
//!
//! A text goes straight to standard error, then SIGABRT follows. Nothing here allocates, uses `core::fmt`, or
//! takes a lock where the system has a `write`. The thread may be anywhere, even inside the fallback or a
//! signal handler.

#[cfg(not(framepool_loom))]
use crate::text::Text;

/// Aborts in builds with debug assertions if a condition that holds at all times does not hold. Compiles to
/// nothing in other builds.
///
/// It is not `debug_assert!`, because a panic inside the allocator would allocate and unwind (P11).
macro_rules! invariant {
    ($condition:expr, $text:literal) => {
        if cfg!(debug_assertions) && !$condition {
            $crate::fatal::broken_invariant($text)
        }
    };
}
pub(crate) use invariant;

/// Aborts with a text like `framepool: broken invariant: a slot index lies in its slab`.
#[cfg(not(framepool_loom))]
#[cold]
#[inline(never)]
pub(crate) fn broken_invariant(text: &str) -> ! {
    abort(Text::new().str("broken invariant: ").str(text))
}

/// Ends the run of the model checker, which prints the interleaving.
#[cfg(framepool_loom)]
pub(crate) fn broken_invariant(text: &str) -> ! {
    panic!("broken invariant: {text}")
}

#[cfg(not(framepool_loom))]
/// The ways in which a pointer or its layout can be wrong.
#[derive(Clone, Copy)]
pub(crate) enum Misuse {
    DoubleFree,
    NeverHandedOut,
    /// The pointer lies this many bytes into the slot.
    Interior(usize),
    /// The layout's size and alignment, at least one of which the slot cannot serve.
    WrongLayout(usize, usize),
}

#[cfg(not(framepool_loom))]
/// Aborts with a text like `framepool: double free: Medium slot 17 at 0x...`.
#[cold]
#[inline(never)]
pub(crate) fn misuse(what: Misuse, class: &str, index: usize, address: usize) -> ! {
    let name = match what {
        Misuse::DoubleFree => "double free: ",
        Misuse::NeverHandedOut => "free of a slot never handed out: ",
        Misuse::Interior(_) => "interior pointer: ",
        Misuse::WrongLayout(..) => "wrong layout: ",
    };
    let mut text = Text::new();
    text.str(name).str(class).str(" slot ").decimal(index).str(" at ").hex(address);
    match what {
        Misuse::DoubleFree | Misuse::NeverHandedOut => {}
        Misuse::Interior(bytes_in) => _ = text.str(", ").decimal(bytes_in).str(" bytes into the slot"),
        Misuse::WrongLayout(size, align) => {
            text.str(", used with size ").decimal(size).str(" and alignment ").decimal(align);
        }
    }
    abort(&mut text)
}

#[cfg(not(framepool_loom))]
/// Aborts with a text like `framepool: not a slot: guard page at 0x...`.
#[cold]
#[inline(never)]
pub(crate) fn not_a_slot(address: usize) -> ! {
    abort(Text::new().str("not a slot: guard page at ").hex(address))
}

#[cfg(not(framepool_loom))]
fn abort(text: &mut Text) -> ! {
    crate::os::write_to_stderr(text.str("\n").as_bytes());
    std::process::abort()
}

#[cfg(all(test, not(framepool_loom)))]
mod tests {
    use std::process::Command;

    const NAME: &str =
        "fatal::tests::a_broken_invariant_ends_the_process_with_a_text_where_debug_assertions_are_on";

    #[test]
    fn a_broken_invariant_ends_the_process_with_a_text_where_debug_assertions_are_on() {
        if std::env::var_os("FRAMEPOOL_BREAKS").is_some() {
            let one = std::hint::black_box(1);
            invariant!(one == 1, "one is one");
            invariant!(one == 2, "one is two");
            return;
        }
        let program = std::env::current_exe().unwrap();
        let child =
            Command::new(program).args([NAME, "--exact"]).env("FRAMEPOOL_BREAKS", "1").output().unwrap();
        let stderr = String::from_utf8_lossy(&child.stderr);
        assert_eq!(child.status.success(), !cfg!(debug_assertions), "{stderr}");
        assert_eq!(
            stderr.contains("framepool: broken invariant: one is two\n"),
            cfg!(debug_assertions),
            "{stderr}"
        );
        assert!(!stderr.contains("one is one"));
    }
}
