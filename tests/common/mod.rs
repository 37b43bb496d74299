//! What the test files share: blocks that are checked when they go back, and children that run one test of the same binary.

#![allow(dead_code, reason = "every test file compiles this module for itself and uses a part of it")]

use std::alloc::{GlobalAlloc, Layout};
use std::env;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use framepool::{Class, PoolAlloc};

/// A child that takes longer than this hangs, unless its test says otherwise.
pub(crate) const TIME_OUT: Duration = Duration::from_secs(30);
const CASE: &str = "FRAMEPOOL_TEST_CASE";

pub(crate) fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// The layout that fills a slot of the default table's `class`, so one that may have every slot of it.
pub(crate) fn whole(class: Class) -> Layout {
    layout(framepool::Config::new().slot_bytes(class), 8)
}

/// A block that carries an id, and gives itself back by [`give`](Self::give) only.
pub(crate) struct Block<'a, A> {
    alloc: &'a A,
    pub(crate) start: *mut u8,
    pub(crate) layout: Layout,
    id: u64,
}

// SAFETY: a block is its owner's alone, and `GlobalAlloc` takes it back on any thread.
unsafe impl<A: Sync> Send for Block<'_, A> {}

impl<'a, A: GlobalAlloc> Block<'a, A> {
    /// A block with `id` all over its first and last bytes; panics if there is none.
    pub(crate) fn take(alloc: &'a A, layout: Layout, id: u64) -> Self {
        // SAFETY: tests ask for no empty layouts.
        let start = unsafe { alloc.alloc(layout) };
        assert!(!start.is_null() && start.addr().is_multiple_of(layout.align()));
        let block = Self { alloc, start, layout, id };
        for (offset, byte) in block.stamp() {
            // SAFETY: inside the block.
            unsafe { start.add(offset).write(byte) };
        }
        block
    }

    /// Reallocates to `size` bytes; panics if that fails, or if the block comes back as another's.
    pub(crate) fn resize(mut self, size: usize) -> Self {
        let new = layout(size, self.layout.align());
        // SAFETY: the block is live, with this layout.
        self.start = unsafe { self.alloc.realloc(self.start, self.layout, size) };
        assert!(!self.start.is_null());
        for (offset, byte) in self.stamp().take_while(|(offset, _)| *offset < STAMPED.min(size)) {
            // SAFETY: inside the old block and the new one.
            assert_eq!(unsafe { self.start.add(offset).read() }, byte, "a realloc lost contents");
        }
        self.layout = new;
        for (offset, byte) in self.stamp() {
            // SAFETY: inside the block.
            unsafe { self.start.add(offset).write(byte) };
        }
        self
    }

    /// Frees the block; panics if somebody else wrote to it.
    pub(crate) fn give(self) {
        self.check();
        // SAFETY: the block is live, with this layout, and given up.
        unsafe { self.alloc.dealloc(self.start, self.layout) };
    }

    /// Panics if somebody else wrote to the block.
    pub(crate) fn check(&self) {
        for (offset, byte) in self.stamp() {
            // SAFETY: inside the block.
            assert_eq!(unsafe { self.start.add(offset).read() }, byte, "a block has two owners");
        }
    }

    /// What is where: the id's bytes over and over, at both ends, so that large blocks stay cheap.
    fn stamp(&self) -> impl Iterator<Item = (usize, u8)> + use<A> {
        let (id, size) = (self.id.to_ne_bytes(), self.layout.size());
        let ends = (0..STAMPED.min(size)).chain(size.saturating_sub(STAMPED)..size);
        ends.map(move |offset| (offset, id[offset % id.len()]))
    }
}

const STAMPED: usize = 16;

/// Two blocks of each class at once, one of them resized in place: 8 hits and 4 reallocations.
pub(crate) fn use_every_class(pool: &'static PoolAlloc, id: u64) {
    for class in Class::ALL {
        let kept = Block::take(pool, whole(class), id);
        let resized = Block::take(pool, whole(class), id + 1).resize(whole(class).size() - 1);
        assert!(pool.owns(kept.start) && pool.owns(resized.start));
        kept.give();
        resized.give();
    }
}

/// Takes, writes, checks and gives two blocks over and over until `done`.
pub(crate) fn write_until(done: &AtomicBool, pool: &'static PoolAlloc, first: u64) {
    for id in (first..).take_while(|_| !done.load(Relaxed)) {
        Block::take(pool, layout(700_000, 8), id).give();
        Block::take(pool, layout(2_000, 8), id).give();
    }
}

/// Says that something is done when it is dropped, in a panic too: who waits for that must not hang.
pub(crate) struct DoneWhenDropped<'a>(pub(crate) &'a AtomicBool);

impl Drop for DoneWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Numbers that look random and are the same in every run. The seed is not 0.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % n
    }
}

/// In a child made by [`child`], the case that it is to play; `None` in the test run itself.
pub(crate) fn case() -> Option<String> {
    env::var(CASE).ok()
}

/// This binary again, as a process that runs `test` alone, plays `case`, and shows what it prints.
pub(crate) fn child<T: Fn()>(_test: T, case: &str) -> Command {
    let (_binary, test) = std::any::type_name::<T>().split_once("::").unwrap();
    let mut command = this_binary(case);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command
}

/// This binary again, to play `case`.
pub(crate) fn this_binary(case: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(CASE, case);
    command
}

/// Runs a child to its end; panics if it hangs. It prints less than a pipe holds.
pub(crate) fn run(command: Command) -> Output {
    run_within(TIME_OUT, command)
}

fn run_within(limit: Duration, mut command: Command) -> Output {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + limit;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("a child hangs: {:?}", child.wait_with_output().unwrap());
        }
        thread::sleep(Duration::from_millis(1));
    }
    child.wait_with_output().unwrap()
}

/// Runs a child that has to pass its test.
pub(crate) fn run_to_success(command: Command) {
    run_to_success_within(TIME_OUT, command);
}

/// The same for one that may take this long.
pub(crate) fn run_to_success_within(limit: Duration, command: Command) {
    let output = run_within(limit, command);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{}\n{stdout}\n{stderr}", output.status);
}

/// Runs the test that asks in a child of its own, once; `true` there.
pub(crate) fn is_in_child(test: impl Fn()) -> bool {
    let is_child = case().is_some();
    if !is_child {
        run_to_success(child(test, "alone"));
    }
    is_child
}

/// Forks, runs `f` in the child, and says what the child ended with if it did not end well: what it panicked with, or its status. A child that
/// hangs ends by SIGALRM.
#[cfg(unix)]
pub(crate) fn in_forked_child(f: impl FnOnce()) -> Result<(), String> {
    use std::io::{Error, Read, Write};
    use std::os::unix::net::UnixStream;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    let (mut told, mut tells) = UnixStream::pair().unwrap();
    // SAFETY: the child uses the pools and, through the C library, `malloc`, which both work there.
    let child = match unsafe { libc::fork() } {
        -1 => panic!("no child: {}", Error::last_os_error()),
        0 => {
            // SAFETY: a child that hangs has to die of it.
            unsafe { libc::alarm(20) };
            let outcome = catch_unwind(AssertUnwindSafe(f));
            if let Err(panic) = &outcome {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
                let _ = tells.write_all(format!("panicked: {text}; ").as_bytes());
            }
            // SAFETY: ends the child without running what belongs to its parent.
            unsafe { libc::_exit(outcome.is_err().into()) }
        }
        child => child,
    };
    let mut status = 0;
    // SAFETY: a child of this process, and a place for its status.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    if status == 0 {
        return Ok(());
    }
    // Not to its end: children that were forked meanwhile have the other end too.
    told.set_nonblocking(true).unwrap();
    let mut text = Vec::new();
    let _ = told.read_to_end(&mut text);
    Err(format!("{}wait status {status:#x}", String::from_utf8_lossy(&text)))
}
