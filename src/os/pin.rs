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

/// Whether this code stays mapped for as long as the process lives, which this call brings about if it can. For a constructor.
#[cfg(all(target_os = "linux", target_env = "gnu", not(target_feature = "crt-static")))]
pub(crate) fn stays_mapped() -> bool {
    use core::ffi::{c_char, c_long, c_void};

    unsafe extern "C" {
        /// Of the C compiler's start files: hidden, one in each program and library, so no other library's can be meant.
        static __dso_handle: u8;
    }
    let look_up = |address: *const c_void| {
        // SAFETY: all zeros is valid: numbers and pointers.
        let mut info: libc::Dl_info = unsafe { core::mem::zeroed() };
        // SAFETY: any address may be asked for; the place is valid.
        (unsafe { libc::dladdr(address, &mut info) } != 0).then_some(info)
    };
    // SAFETY: a plain question.
    let entry = unsafe { libc::getauxval(libc::AT_ENTRY) } as usize;
    let program = look_up(core::ptr::without_provenance(entry));
    let Some(own) = look_up((&raw const __dso_handle).cast()) else {
        // In a static program the loader knows neither. Where it knows the program only, it did not load this library.
        return program.is_none();
    };
    if program.is_some_and(|program| program.dli_fbase == own.dli_fbase) {
        return true;
    }
    if own.dli_fname.is_null() {
        return false;
    }
    // SAFETY: the loader's name of a library that is loaded. Nothing new is loaded.
    let handle = unsafe { libc::dlopen(own.dli_fname, libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    if handle.is_null() {
        return false;
    }
    // The head of a link map: the difference of addresses, and the name.
    let mut map: *mut [*mut c_void; 2] = core::ptr::null_mut();
    let mut namespace: c_long = -1;
    // SAFETY: an open handle, and places for the answers, which are of these types.
    let is_own = unsafe {
        // By name, the loader may find another library: one whose file was replaced by this one's.
        libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) == 0
            && (*map)[1].cast_const().cast::<c_char>() == own.dli_fname
            // Each further namespace (`dlmopen`) has a C library of its own, whose keys mean others in threads that it did not start.
            && libc::dlinfo(handle, libc::RTLD_DI_LMID, (&raw mut namespace).cast()) == 0
            && namespace == 0
    };
    let flags = libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
    // SAFETY: as above.
    let stays = is_own && unsafe { !libc::dlopen(own.dli_fname, flags).is_null() };
    // SAFETY: opened above. What is to stay was opened once more.
    unsafe { libc::dlclose(handle) };
    stays
}

/// Nothing is ever unloaded, or nobody could say so.
#[cfg(not(all(target_os = "linux", target_env = "gnu", not(target_feature = "crt-static"))))]
pub(crate) fn stays_mapped() -> bool {
    cfg!(any(target_env = "musl", target_feature = "crt-static", target_vendor = "apple"))
}
