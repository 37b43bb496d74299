//! The parts that the host's tests share: the addon's functions, files to open it from, and counts of free
//! keys and used address space.
//!
//! The host does not link the addon. It finds the file beside its own, or at the path in the environment
//! variable `FRAMEPOOL_ADDON`.

#![allow(dead_code, reason = "every test file compiles this module for itself and uses a part of it")]

#[path = "../../../common/mod.rs"]
pub(crate) mod common;

use std::env;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs;
use std::mem::transmute_copy;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

use common::{child, run_to_success};

/// The number of size classes, and so of the blocks that one use of the addon allocates.
pub(crate) const CLASSES: u32 = 4;
/// The number of keys that glibc has.
pub(crate) const KEYS: usize = 1024;

/// Runs `play` in a child process that runs `test` alone. A crash or a hang of the child fails the test.
pub(crate) fn in_child<T: Fn()>(test: T, play: impl FnOnce()) {
    if is_child() { play() } else { run_to_success(child(test, "child")) }
}

pub(crate) fn is_child() -> bool {
    common::case().is_some()
}

/// Returns the path of the addon's file.
pub(crate) fn addon() -> PathBuf {
    let beside = || env::current_exe().unwrap().with_file_name("libframepool_unloading.so");
    env::var_os("FRAMEPOOL_ADDON").map_or_else(beside, PathBuf::from)
}

/// A folder that is deleted when this value is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("unloading-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Copies the addon to a new file of this name, which replaces one that is there.
    pub(crate) fn copy_addon(&self, name: &str) -> PathBuf {
        let (new, copy) = (self.0.join(format!("{name}.new")), self.0.join(name));
        fs::copy(addon(), &new).unwrap();
        fs::rename(new, &copy).unwrap();
        copy
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind in the build folder does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An open addon. The functions must not be called once it is closed.
#[derive(Clone, Copy)]
pub(crate) struct Addon {
    handle: *mut c_void,
    use_all: extern "C" fn() -> u32,
    keep: extern "C" fn(u32) -> *mut u8,
    give: unsafe extern "C" fn(*mut u8, u32),
    owns: extern "C" fn(*const u8) -> bool,
    cached: extern "C" fn() -> u32,
    hits: extern "C" fn() -> u64,
    live: extern "C" fn() -> u64,
    start: unsafe extern "C" fn(*const AtomicU32),
}

// SAFETY: any thread may use a handle and call the functions.
unsafe impl Send for Addon {}
// SAFETY: as above.
unsafe impl Sync for Addon {}

fn last_error() -> String {
    // SAFETY: null, or a string that stays until this thread's next call of the loader.
    unsafe {
        let error = libc::dlerror();
        if error.is_null() { String::new() } else { CStr::from_ptr(error).to_string_lossy().into_owned() }
    }
}

fn c_path(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_bytes()).unwrap()
}

impl Addon {
    /// Opens the addon with all symbols bound and local.
    pub(crate) fn open(path: impl AsRef<Path>) -> Self {
        Self::open_with(path, libc::RTLD_NOW | libc::RTLD_LOCAL)
    }

    pub(crate) fn open_with(path: impl AsRef<Path>, flags: c_int) -> Self {
        // SAFETY: a valid string. The addon's constructors may run on any thread.
        Self::with_handle(unsafe { libc::dlopen(c_path(path).as_ptr(), flags) })
    }

    /// Opens the addon in a new namespace, with a C library of its own.
    pub(crate) fn open_in_a_new_namespace(path: impl AsRef<Path>) -> Self {
        // SAFETY: as in `open_with`.
        Self::with_handle(unsafe { libc::dlmopen(libc::LM_ID_NEWLM, c_path(path).as_ptr(), libc::RTLD_NOW) })
    }

    fn with_handle(handle: *mut c_void) -> Self {
        assert!(!handle.is_null(), "{}", last_error());
        // SAFETY: the addon defines each function with the type of the field.
        unsafe {
            Self {
                handle,
                use_all: function(handle, c"addon_use"),
                keep: function(handle, c"addon_keep"),
                give: function(handle, c"addon_give"),
                owns: function(handle, c"addon_owns"),
                cached: function(handle, c"addon_cached"),
                hits: function(handle, c"addon_hits"),
                live: function(handle, c"addon_live"),
                start: function(handle, c"addon_start"),
            }
        }
    }

    /// Closes the addon. It needs one close for each time that it was opened.
    pub(crate) fn close(self) {
        // SAFETY: an open handle, and the callers call nothing of the addon's afterwards.
        assert_eq!(unsafe { libc::dlclose(self.handle) }, 0, "{}", last_error());
    }

    /// Allocates and frees a block of each class. All of them have to be slots.
    pub(crate) fn use_all(self) {
        assert_eq!((self.use_all)(), CLASSES);
    }

    /// Allocates and frees a block of each class. Returns the number of slots among them.
    pub(crate) fn use_some(self) -> u32 {
        (self.use_all)()
    }

    pub(crate) fn keep(self, class: u32) -> *mut u8 {
        (self.keep)(class)
    }

    /// # Safety
    ///
    /// [`keep`](Self::keep) returned the block for the same class, and it was not freed before.
    pub(crate) unsafe fn give(self, block: *mut u8, class: u32) {
        // SAFETY: the caller's contract.
        unsafe { (self.give)(block, class) };
    }

    pub(crate) fn owns(self, block: *const u8) -> bool {
        (self.owns)(block)
    }

    /// The number of slots that threads have in their magazines.
    pub(crate) fn cached(self) -> u32 {
        (self.cached)()
    }

    pub(crate) fn hits(self) -> u64 {
        (self.hits)()
    }

    pub(crate) fn live(self) -> u64 {
        (self.live)()
    }

    /// Starts a thread of the addon's own.
    pub(crate) fn start(self, step: &'static AtomicU32) {
        // SAFETY: valid for as long as the process runs.
        unsafe { (self.start)(step) };
    }
}

/// # Safety
///
/// `T` is the type of the function with this name.
unsafe fn function<T>(handle: *mut c_void, name: &CStr) -> T {
    // SAFETY: an open handle and a valid string.
    let function = unsafe { libc::dlsym(handle, name.as_ptr()) };
    assert!(!function.is_null(), "{}", last_error());
    // SAFETY: a function pointer of this type, by contract.
    unsafe { transmute_copy(&function) }
}

/// Uses the addon on a new thread, closes it, and only then lets the thread exit. Returns the number of slots
/// that were cached when it was closed.
pub(crate) fn exit_after_closing(addon: Addon) -> u32 {
    exit_after(addon, || addon.close())
}

/// Uses the addon on a new thread, runs `close`, and only then lets the thread exit. Returns the number of
/// slots that were cached before.
pub(crate) fn exit_after(addon: Addon, close: impl FnOnce()) -> u32 {
    let (used, closed) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let slots = addon.use_some();
            used.wait();
            closed.wait();
            slots
        });
        used.wait();
        let cached = addon.cached();
        close();
        closed.wait();
        // Returns when the thread's destructors have run.
        assert_eq!(thread.join().unwrap(), CLASSES);
        cached
    })
}

/// The number of pthread keys that the process can still create.
pub(crate) fn free_keys() -> usize {
    let keys = take_keys(usize::MAX);
    let free = keys.len();
    give_keys(keys);
    free
}

/// Creates keys without a destructor, as many as there are but no more than `max`.
pub(crate) fn take_keys(max: usize) -> Vec<libc::pthread_key_t> {
    let mut key = 0;
    // SAFETY: a valid place for the key.
    (0..max)
        .map_while(|_| (unsafe { libc::pthread_key_create(&mut key, None) } == 0).then_some(key))
        .collect()
}

pub(crate) fn give_keys(keys: Vec<libc::pthread_key_t>) {
    for key in keys {
        // SAFETY: created by `take_keys`, and no thread uses it.
        assert_eq!(unsafe { libc::pthread_key_delete(key) }, 0);
    }
}

/// Keys of the host, which show whether the addon leaves their values alone. A process makes them once.
#[derive(Clone, Copy)]
pub(crate) struct HostKeys([libc::pthread_key_t; 8]);

static OWN_VALUE: AtomicU32 = AtomicU32::new(0);
static OWN_VALUES_DESTROYED: AtomicU32 = AtomicU32::new(0);
static OTHER_VALUES_DESTROYED: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" fn count(value: *mut c_void) {
    let is_own = value == OWN_VALUE.as_ptr().cast();
    let counter = if is_own { &OWN_VALUES_DESTROYED } else { &OTHER_VALUES_DESTROYED };
    counter.fetch_add(1, SeqCst);
}

impl HostKeys {
    pub(crate) fn new() -> Self {
        Self([(); 8].map(|()| {
            let mut key = 0;
            // SAFETY: a valid place, and a function of the host's, which stays.
            assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(count)) }, 0);
            key
        }))
    }

    /// Gives this thread the host's value for each key.
    pub(crate) fn set(self) {
        for key in self.0 {
            // SAFETY: created above, and never deleted.
            assert_eq!(unsafe { libc::pthread_setspecific(key, OWN_VALUE.as_ptr().cast()) }, 0);
        }
    }

    /// Panics if this thread has another value for a key.
    pub(crate) fn check(self) {
        for key in self.0 {
            // SAFETY: as above.
            let value = unsafe { libc::pthread_getspecific(key) };
            assert_eq!(value, OWN_VALUE.as_ptr().cast(), "a value of the host's is lost");
        }
    }

    /// Panics unless the exits of threads destroyed the host's values of `threads` threads, and nothing else.
    /// Any number of threads without those values may have exited, too.
    pub(crate) fn check_destroyed(self, threads: u32) {
        assert_eq!(OTHER_VALUES_DESTROYED.load(SeqCst), 0, "a destructor of the host's got another's value");
        assert_eq!(OWN_VALUES_DESTROYED.load(SeqCst), threads * self.0.len() as u32);
    }
}

/// Returns the number of bytes of all mappings of the process.
pub(crate) fn address_space() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let number = |text: &str| usize::from_str_radix(text, 16).unwrap();
    let bytes = |line: &str| {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        // The kernel's own page is at the top of the address space.
        number(end).wrapping_sub(number(start))
    };
    maps.lines().map(bytes).sum()
}

/// Runs a child process in which the loader looks for libraries in `folder`.
pub(crate) fn in_child_that_finds<T: Fn()>(test: T, folder: &Path, case: &str) {
    let mut command: Command = child(test, case);
    command.env("LD_LIBRARY_PATH", folder);
    run_to_success(command);
}

/// Returns the file name that the loader has for the addon.
pub(crate) fn name_of(addon: Addon) -> String {
    // SAFETY: all zeros is valid: numbers and pointers.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: any address may be asked for, and the place is valid.
    assert_ne!(unsafe { libc::dladdr(addon.use_all as *const c_void, &mut info) }, 0);
    // SAFETY: a string of the loader's, for as long as the addon is open.
    unsafe { CStr::from_ptr::<'static>(info.dli_fname.cast::<c_char>()) }.to_string_lossy().into_owned()
}
