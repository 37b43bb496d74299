//! Keeps the library that contains this code from being unloaded, because threads call into it when they
//! exit.
//!
//! A program may close a library (`dlclose`) while threads that used it still live: Node unloads an addon
//! with its last worker. The exit of such a thread would call a destructor that is no longer mapped. So the
//! library is opened once more, with `RTLD_NODELETE`.
//!
//! Its own constructor does that: the loader is at work on the library then anyway. An allocation never does
//! it: `dlopen` locks, allocates and takes 3 KiB of stack.
//!
//! | system | how |
//! |---|---|
//! | glibc | as above; a program needs nothing, nor does a static one |
//! | musl, Apple | nothing to do: musl never unloads, and Apple's loader keeps libraries that have thread-locals |
//! | others | unknown, so threads get no places |

#[cfg(all(target_os = "linux", target_env = "gnu", not(target_feature = "crt-static")))]
mod imp {
    use core::ffi::{c_char, c_long, c_void};

    unsafe extern "C" {
        /// A symbol from the C compiler's start files. It is hidden, and each program and library has its
        /// own, so this is never the one of another library.
        static __dso_handle: u8;
    }

    /// Whether this code stays mapped for as long as the process lives. The call brings that about if it can.
    /// For a constructor.
    pub(crate) fn stays_mapped() -> bool {
        // SAFETY: the call takes a number, and only reads.
        let entry = unsafe { libc::getauxval(libc::AT_ENTRY) } as usize;
        let program = look_up(core::ptr::without_provenance(entry));
        let Some(own) = look_up((&raw const __dso_handle).cast()) else {
            // In a static program the loader knows neither address. If it knows only the program's, it did
            // not load this library.
            return program.is_none();
        };
        let is_program = program.is_some_and(|program| program.dli_fbase == own.dli_fbase);
        is_program || !own.dli_fname.is_null() && keep(own.dli_fname)
    }

    /// Returns the program or library that an address lies in.
    fn look_up(address: *const c_void) -> Option<libc::Dl_info> {
        // SAFETY: the type consists of numbers and pointers, for which all zeros are valid.
        let mut info: libc::Dl_info = unsafe { core::mem::zeroed() };
        // SAFETY: the call accepts any address, and the place for the answer is valid.
        (unsafe { libc::dladdr(address, &mut info) } != 0).then_some(info)
    }

    /// Keeps the library whose name in the loader is this very string. Returns `false` if it cannot be kept.
    fn keep(name: *const c_char) -> bool {
        let again = libc::RTLD_NOW | libc::RTLD_NOLOAD;
        // SAFETY: the name is the loader's own for a library that is loaded. Nothing new is loaded.
        let handle = unsafe { libc::dlopen(name, again) };
        if handle.is_null() {
            return false;
        }
        let is_own = is_named(handle, name) && is_in_first_namespace(handle);
        // SAFETY: as above.
        let stays = is_own && unsafe { !libc::dlopen(name, again | libc::RTLD_NODELETE).is_null() };
        // SAFETY: the handle was opened above. A library that is to stay was opened once more.
        unsafe { libc::dlclose(handle) };
        stays
    }

    /// Whether an open library is the one whose name is this very string. The loader compares texts, so it
    /// may find another library instead: one whose file was replaced by this library's.
    fn is_named(handle: *mut c_void, name: *const c_char) -> bool {
        // The start of a link map: the difference of addresses, and the name.
        let mut map: *mut [*mut c_void; 2] = core::ptr::null_mut();
        // SAFETY: the handle is open, and the place for the answer has the type that the call writes.
        unsafe {
            libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) == 0
                && (*map)[1].cast_const().cast::<c_char>() == name
        }
    }

    /// Whether an open library is in the first namespace. Each further namespace (`dlmopen`) has a C library
    /// of its own. Its keys mean other keys in threads that it did not start.
    fn is_in_first_namespace(handle: *mut c_void) -> bool {
        let mut namespace: c_long = -1;
        // SAFETY: as in `is_named`.
        unsafe {
            libc::dlinfo(handle, libc::RTLD_DI_LMID, (&raw mut namespace).cast()) == 0 && namespace == 0
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu", not(target_feature = "crt-static"))))]
mod imp {
    /// Whether the system never unloads this code. `false` too if the system has no call to find out.
    pub(crate) fn stays_mapped() -> bool {
        cfg!(any(target_env = "musl", target_feature = "crt-static", target_vendor = "apple"))
    }
}

pub(crate) use imp::stays_mapped;
