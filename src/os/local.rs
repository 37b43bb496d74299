//! Thread-locals. The allocator needs such as allocate nothing and keep their values until the thread's very end.
//!
//! std has these wherever the system has thread-locals of its own, for `const` values without `Drop`. Elsewhere std
//! emulates them: the first use allocates, and the value is freed among the thread's last destructors. A later use makes
//! a new value, and the thread would forget that it has a place.
//!
//! | target | what is done |
//! |---|---|
//! | Windows with MinGW's libraries | the thread-locals of the system, without std |
//! | Android, OpenBSD, illumos, Linux x32 | std's emulated ones; threads get no places |
//! | all others | std's |
//!
//! (As std 1.93 to 1.97 have it, in `sys/thread_local`. Since 1.93 an emulated one is allocated by `System`, so an
//! allocator may use it.)

/// Whether a thread's values stay until its very end.
#[cfg(all(any(unix, windows), not(framepool_os = "none")))]
pub(crate) const KEEPS_VALUES: bool = !cfg!(any(
    target_os = "android",
    target_os = "openbsd",
    target_os = "illumos",
    target_os = "solaris",
    target_vendor = "win7",
    all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "32"),
));

#[cfg(not(all(windows, target_env = "gnu", not(target_abi = "llvm"))))]
pub(crate) use std::thread_local as thread_value;

#[cfg(all(windows, target_env = "gnu", not(target_abi = "llvm")))]
mod mingw {
    use core::arch::asm;

    /// A value that each thread has its own copy of.
    ///
    /// The loader copies the section `.tls` of this program or library for each thread. The value that the linker
    /// knows is the template; its place in the copy is as far from the start.
    pub(crate) struct Local<T>(T);

    // SAFETY: the template is never read here, and each thread reads its own copy.
    unsafe impl<T> Sync for Local<T> {}

    unsafe extern "C" {
        /// The number of this program or library among those with thread-locals.
        static _tls_index: u32;
        /// The start of the section.
        static _tls_start: u8;
    }

    impl<T> Local<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(value)
        }

        #[inline(always)]
        pub(crate) fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
            let own = own_copy((&raw const self.0).cast());
            // SAFETY: this thread's copy of the value, which stays until the thread's end.
            f(unsafe { &*own.cast::<T>() })
        }
    }

    /// The place of the array of this thread's copies, in the thread's own block of the system (TEB).
    #[cfg(target_arch = "x86_64")]
    macro_rules! copies {
        () => {
            "gs:[0x58]"
        };
    }
    #[cfg(target_arch = "x86")]
    macro_rules! copies {
        () => {
            "fs:[0x2c]"
        };
    }

    /// Returns the place of this thread's copy. Never inlined: the number and the start must be those of the library
    /// that contains the template, and a generic function may be compiled into another one.
    #[inline(never)]
    fn own_copy(template: *const u8) -> *const u8 {
        let offset = template.addr().wrapping_sub((&raw const _tls_start).addr());
        // SAFETY: written by the loader, before any code of this program or library runs.
        let index = unsafe { _tls_index } as usize;
        let own: *const u8;
        // SAFETY: the loader keeps the array there, with an entry for this program or library. In assembly, because the compiler would take the copy for the template.
        unsafe {
            asm!(
                concat!("mov {own}, ", copies!()),
                "mov {own}, [{own} + {bytes} * {index}]",
                "lea {own}, [{own} + {offset}]",
                own = out(reg) own, index = in(reg) index, offset = in(reg) offset, bytes = const size_of::<usize>(),
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        own
    }

    macro_rules! thread_value {
        ($($(#[$attribute:meta])* static $name:ident: $type:ty = const $value:block $(;)?)+) => {
            $(
                $(#[$attribute])*
                #[unsafe(link_section = ".tls$FRAMEPOOL")]
                static $name: $crate::os::local::Local<$type> = $crate::os::local::Local::new($value);
            )+
        };
    }
    pub(crate) use thread_value;
}

#[cfg(all(windows, target_env = "gnu", not(target_abi = "llvm")))]
pub(crate) use mingw::{Local, thread_value};
