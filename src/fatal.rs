//! The texts that end a process whose memory can no longer be trusted, and the end itself.
//!
//! Written straight to standard error without allocating, locking (where there is a `write`) or `core::fmt`, then SIGABRT: the process may
//! be anywhere, inside the fallback or a signal handler included.

use crate::slots::class::Class;
use crate::text::Text;

/// How a pointer or its layout was wrong.
#[derive(Clone, Copy)]
pub(crate) enum Misuse {
    DoubleFree,
    NeverHandedOut,
    /// This many bytes into the slot.
    Interior(usize),
    /// A size and an alignment, of which one exceeds the slot's.
    WrongLayout(usize, usize),
}

/// `framepool: double free: Medium slot 17 at 0x...`
#[cold]
#[inline(never)]
pub(crate) fn misuse(what: Misuse, class: Class, index: usize, address: usize) -> ! {
    let name = match what {
        Misuse::DoubleFree => "double free: ",
        Misuse::NeverHandedOut => "free of a slot never handed out: ",
        Misuse::Interior(_) => "interior pointer: ",
        Misuse::WrongLayout(..) => "wrong layout: ",
    };
    let mut text = Text::new();
    text.str(name).str(class.name()).str(" slot ").decimal(index).str(" at ").hex(address);
    match what {
        Misuse::DoubleFree | Misuse::NeverHandedOut => {}
        Misuse::Interior(bytes_in) => _ = text.str(", ").decimal(bytes_in).str(" bytes into the slot"),
        Misuse::WrongLayout(size, align) => {
            text.str(", used with size ").decimal(size).str(" and alignment ").decimal(align);
        }
    }
    abort(&mut text)
}

/// `framepool: not a slot: guard page at 0x...`
#[cold]
#[inline(never)]
pub(crate) fn not_a_slot(address: usize) -> ! {
    abort(Text::new().str("not a slot: guard page at ").hex(address))
}

fn abort(text: &mut Text) -> ! {
    crate::os::write_to_stderr(text.str("\n").as_bytes());
    std::process::abort()
}
