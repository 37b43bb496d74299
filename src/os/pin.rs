//! Keeps the library that this code is part of from being unloaded, because threads call into it when they exit.
//!
//! A program closes a library (`dlclose`) while threads that used it live: Node unloads an addon with its last worker. A thread's exit would then
//! call a destructor that is no longer mapped. So the library is opened once more, with `RTLD_NODELETE`, from its own constructor: the
//! loader is at work on it then anyway. Never from an allocation: `dlopen` locks, allocates and takes 3 KiB of stack.
//!
//! | system | how |
//! |---|---|
//! | glibc | as above; a program needs nothing, nor does a static one |
//! | musl, Apple | nothing to do: musl never unloads, and Apple's loader keeps what has thread-locals |
//! | others | unknown, so threads get no places |

#[cfg(all(target_os = "linux", target_env = "gnu", not(target_feature = "crt-static")))]
mod imp {
    use core::ffi::{c_char, c_long, c_void};

    unsafe extern "C" {
        /// Of the C compiler's start files: hidden, one in each program and library, so no other library's can be meant.
        static __dso_handle: u8;
    }

    /// Whether this code stays mapped for as long as the process lives, which this call brings about if it can. For a constructor.
    pub(crate) fn stays_mapped() -> bool {
        // SAFETY: a plain question.
        let entry = unsafe { libc::getauxval(libc::AT_ENTRY) } as usize;
        let program = look_up(core::ptr::without_provenance(entry));
        let Some(own) = look_up((&raw const __dso_handle).cast()) else {
            // In a static program the loader knows neither. Where it knows the program only, it did not load this library.
            return program.is_none();
        };
        let is_program = program.is_some_and(|program| program.dli_fbase == own.dli_fbase);
        is_program || !own.dli_fname.is_null() && keep(own.dli_fname)
    }

    /// The program or library that an address lies in.
    fn look_up(address: *const c_void) -> Option<libc::Dl_info> {
        // SAFETY: all zeros is valid: numbers and pointers.
        let mut info: libc::Dl_info = unsafe { core::mem::zeroed() };
        // SAFETY: any address may be asked for; the place is valid.
        (unsafe { libc::dladdr(address, &mut info) } != 0).then_some(info)
    }

    /// Keeps the library that the loader knows by this very name; `false` if it cannot be kept.
    fn keep(name: *const c_char) -> bool {
        let again = libc::RTLD_NOW | libc::RTLD_NOLOAD;
        // SAFETY: the loader's name of a library that is loaded. Nothing new is loaded.
        let handle = unsafe { libc::dlopen(name, again) };
        if handle.is_null() {
            return false;
        }
        let is_own = is_named(handle, name) && is_in_first_namespace(handle);
        // SAFETY: as above.
        let stays = is_own && unsafe { !libc::dlopen(name, again | libc::RTLD_NODELETE).is_null() };
        // SAFETY: opened above. What is to stay was opened once more.
        unsafe { libc::dlclose(handle) };
        stays
    }

    /// Whether an open library is the one of this name: by its text, the loader may find another one, whose file was replaced by this one's.
    fn is_named(handle: *mut c_void, name: *const c_char) -> bool {
        // The head of a link map: the difference of addresses, and the name.
        let mut map: *mut [*mut c_void; 2] = core::ptr::null_mut();
        // SAFETY: an open handle, and a place for the answer, which is of this type.
        unsafe {
            libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) == 0
                && (*map)[1].cast_const().cast::<c_char>() == name
        }
    }

    /// Whether it is in the first namespace. Each further one (`dlmopen`) has a C library of its own, whose keys mean others in threads that it did
    /// not start.
    fn is_in_first_namespace(handle: *mut c_void) -> bool {
        let mut namespace: c_long = -1;
        // SAFETY: as above.
        unsafe {
            libc::dlinfo(handle, libc::RTLD_DI_LMID, (&raw mut namespace).cast()) == 0 && namespace == 0
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu", not(target_feature = "crt-static"))))]
mod imp {
    /// Nothing is ever unloaded, or the system has no way to tell.
    pub(crate) fn stays_mapped() -> bool {
        cfg!(any(target_env = "musl", target_feature = "crt-static", target_vendor = "apple"))
    }
}

pub(crate) use imp::stays_mapped;
