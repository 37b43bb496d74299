//! Code that the test files share: blocks that are checked when they are given back, and children that run
//! one test of the same binary.

#![allow(dead_code, reason = "every test file compiles this module for itself and uses a part of it")]

use std::alloc::{GlobalAlloc, Layout};
use std::env;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use framepool::{Class, PoolAlloc};

/// The time after which a child counts as hanging, unless its test has another limit.
const TIME_OUT: Duration = Duration::from_secs(30);
/// The variable that makes every limit of time as many times longer, for emulators and slow machines.
const SLOWDOWN: &str = "FRAMEPOOL_TEST_SLOWDOWN";
const CASE: &str = "FRAMEPOOL_TEST_CASE";

/// Returns the limit for a test that takes at most this long on a machine of its own.
pub(crate) fn patience(limit: Duration) -> Duration {
    let slowdown =
        env::var(SLOWDOWN).map_or(1, |times| times.parse().expect("FRAMEPOOL_TEST_SLOWDOWN is a number"));
    limit * slowdown
}

/// Returns the time after which a child counts as hanging.
pub(crate) fn time_out() -> Duration {
    patience(TIME_OUT)
}

pub(crate) fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// Returns the layout that fills a slot of `class` in the default table. It may have every slot of the class.
pub(crate) fn whole(class: Class) -> Layout {
    layout(framepool::Config::new().slot_bytes(class), 8)
}

/// A block that carries an id. Only [`give`](Self::give) frees it.
pub(crate) struct Block<'a, A> {
    alloc: &'a A,
    pub(crate) start: *mut u8,
    pub(crate) layout: Layout,
    id: u64,
}

// SAFETY: a block belongs to its owner alone, and `GlobalAlloc` frees it on any thread.
unsafe impl<A: Sync> Send for Block<'_, A> {}

impl<'a, A: GlobalAlloc> Block<'a, A> {
    /// Takes a block and writes `id` over its first and last bytes. Panics if there is no block.
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

    /// Reallocates to `size` bytes. Panics if that fails, or if the block no longer holds its id.
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

    /// Frees the block. Panics if another owner wrote to it.
    pub(crate) fn give(self) {
        self.check();
        // SAFETY: the block is live, with this layout, and given up.
        unsafe { self.alloc.dealloc(self.start, self.layout) };
    }

    /// Panics if another owner wrote to the block.
    pub(crate) fn check(&self) {
        for (offset, byte) in self.stamp() {
            // SAFETY: inside the block.
            assert_eq!(unsafe { self.start.add(offset).read() }, byte, "a block has two owners");
        }
    }

    /// The stamped bytes, each with its offset: the id repeated at both ends, so that large blocks stay
    /// cheap.
    fn stamp(&self) -> impl Iterator<Item = (usize, u8)> + use<A> {
        let (id, size) = (self.id.to_ne_bytes(), self.layout.size());
        let ends = (0..STAMPED.min(size)).chain(size.saturating_sub(STAMPED)..size);
        ends.map(move |offset| (offset, id[offset % id.len()]))
    }
}

const STAMPED: usize = 16;

/// Takes two blocks of each class at once, resizes one of them in place, and gives both back: 8 hits and 4
/// reallocations.
pub(crate) fn use_every_class(pool: &'static PoolAlloc, id: u64) {
    for class in Class::ALL {
        let kept = Block::take(pool, whole(class), id);
        let resized = Block::take(pool, whole(class), id + 1).resize(whole(class).size() - 1);
        assert!(pool.owns(kept.start) && pool.owns(resized.start));
        kept.give();
        resized.give();
    }
}

/// Takes, writes, checks and gives blocks of two sizes in turn until `done`.
pub(crate) fn write_until(done: &AtomicBool, pool: &'static PoolAlloc, first: u64) {
    for id in (first..).take_while(|_| !done.load(Relaxed)) {
        Block::take(pool, layout(700_000, 8), id).give();
        Block::take(pool, layout(2_000, 8), id).give();
    }
}

/// Sets a flag when it is dropped, in a panic too. A thread that waits for the flag must not hang.
pub(crate) struct DoneWhenDropped<'a>(pub(crate) &'a AtomicBool);

impl Drop for DoneWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// A generator of pseudo-random numbers, which are the same in every run. The seed is not 0.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % n
    }
}

/// Returns the case that a child made by [`child`] plays, or `None` in the test run itself.
pub(crate) fn case() -> Option<String> {
    env::var(CASE).ok()
}

/// Returns a command that runs this binary again: `test` alone, with `case`, and with its output shown.
pub(crate) fn child<T: Fn()>(_test: T, case: &str) -> Command {
    let (_binary, test) = std::any::type_name::<T>().split_once("::").unwrap();
    let mut command = this_binary(case);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command
}

/// Returns a command that runs this binary again, to play `case`.
pub(crate) fn this_binary(case: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(CASE, case);
    command
}

/// Runs a child to its end. Panics if it hangs. The child must print less than a pipe holds.
pub(crate) fn run(command: Command) -> Output {
    run_within(time_out(), command)
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
    let mut output = child.wait_with_output().unwrap();
    // What an emulator says of a child that a signal ends is not the child's.
    let is_childs = |line: &&[u8]| !line.starts_with(b"qemu: uncaught target signal");
    output.stderr =
        output.stderr.split_inclusive(|&byte| byte == b'\n').filter(is_childs).collect::<Vec<_>>().concat();
    output
}

/// Runs a child, which must pass its test.
pub(crate) fn run_to_success(command: Command) {
    run_to_success_within(time_out(), command);
}

/// Runs a child, which must pass its test within `limit`.
pub(crate) fn run_to_success_within(limit: Duration, command: Command) {
    let output = run_within(limit, command);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{}\n{stdout}\n{stderr}", output.status);
}

/// Returns whether this process is the child. In the test run itself, first runs the calling test in a child
/// of its own.
pub(crate) fn is_in_child(test: impl Fn()) -> bool {
    let is_child = case().is_some();
    if !is_child {
        run_to_success(child(test, "alone"));
    }
    is_child
}

/// Forks and runs `f` in the child. If the child does not end well, returns its panic's text and its status.
/// A child that hangs ends by SIGALRM.
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
            // SAFETY: takes no pointer. SIGALRM ends a child that hangs.
            unsafe { libc::alarm(patience(Duration::from_secs(20)).as_secs() as _) };
            let outcome = catch_unwind(AssertUnwindSafe(f));
            if let Err(panic) = &outcome {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
                let _ = tells.write_all(format!("panicked: {text}; ").as_bytes());
            }
            // SAFETY: ends the child without running the exit handlers of its parent.
            unsafe { libc::_exit(outcome.is_err().into()) }
        }
        child => child,
    };
    let mut status = 0;
    // SAFETY: a child of this process, and room for its status.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    if status == 0 {
        return Ok(());
    }
    // Does not wait for the end of the stream: children that were forked meanwhile have the other end too.
    told.set_nonblocking(true).unwrap();
    let mut text = Vec::new();
    let _ = told.read_to_end(&mut text);
    Err(format!("{}wait status {status:#x}", String::from_utf8_lossy(&text)))
}
