//! Runs each test in a process of its own: a test that crashes fails by itself, and no other thread uses the
//! allocator.

use std::env;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The time after which a test counts as hanging.
const TIME_OUT: Duration = Duration::from_secs(60);
const ALONE: &str = "FRAMEPOOL_TEST_ALONE";

/// Runs `body` in a child process that runs `test` alone. Panics if the child fails, crashes or hangs.
///
/// `test` is the function that calls this.
pub(crate) fn alone<T: Fn()>(_test: T, body: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        return body();
    }
    let (_binary, name) = std::any::type_name::<T>().split_once("::").unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(ALONE, "")
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + TIME_OUT;
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    let hangs = child.try_wait().unwrap().is_none();
    if hangs {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let passed = output.status.success() && stdout.contains("1 passed");
    assert!(passed && !hangs, "{} (hangs: {hangs})\n{stdout}\n{stderr}", output.status);
}
