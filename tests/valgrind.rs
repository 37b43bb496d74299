//! valgrind finds the usual mistakes in a program with the pools, because they start switched off under it. Each test runs itself under valgrind;
//! without one it is skipped.

#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(framepool_os = "none")
))]

mod common;

use std::hint::black_box;
use std::process::Command;

use framepool::{PoolAlloc, Reservation};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

const FRAME: usize = 1_382_400;

/// Runs this test under valgrind, with this value of `FRAMEPOOL`, and returns what valgrind and the test wrote. `None` if there is no
/// valgrind.
fn under_valgrind(test: impl Fn(), value: Option<&str>) -> Option<String> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("skipped: there is no valgrind");
        return None;
    }
    let child = common::child(test, "under valgrind");
    let mut command = Command::new("valgrind");
    command.args(["--leak-check=full", "--show-leak-kinds=definite"]);
    command.arg(child.get_program()).args(child.get_args());
    command.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env_remove("FRAMEPOOL").envs(value.map(|value| ("FRAMEPOOL", value)));
    let output = common::run(command);
    Some(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

/// Runs `mistake` under valgrind, and checks that valgrind says `text` of it, and says nothing with the pools switched on.
fn is_found(test: impl Fn() + Copy, mistake: impl Fn(), text: &str) {
    if common::case().is_some() {
        return mistake();
    }
    let Some(output) = under_valgrind(test, None) else { return };
    assert!(output.contains(text), "{output}");
    let with_pools = under_valgrind(test, Some("on")).unwrap();
    assert!(!with_pools.contains(text), "{with_pools}");
}

#[test]
fn a_read_after_free_is_found() {
    let mistake = || {
        let frame = vec![1_u8; FRAME];
        let start = black_box(frame.as_ptr());
        drop(frame);
        // SAFETY: none, on purpose.
        black_box(unsafe { start.read_volatile() });
    };
    is_found(a_read_after_free_is_found, mistake, "Invalid read of size 1");
}

#[test]
fn a_write_past_the_end_is_found() {
    let mistake = || {
        let mut frame = vec![1_u8; FRAME];
        // SAFETY: none, on purpose.
        unsafe { black_box(frame.as_mut_ptr()).add(FRAME).write_volatile(7) };
    };
    is_found(a_write_past_the_end_is_found, mistake, "Invalid write of size 1");
}

#[test]
fn a_leak_is_found() {
    is_found(
        a_leak_is_found,
        || std::mem::forget(black_box(vec![1_u8; FRAME])),
        "1,382,400 bytes in 1 blocks are definitely lost",
    );
}

#[test]
fn a_byte_that_was_never_written_is_found() {
    let mistake = || {
        let packet: Vec<u8> = Vec::with_capacity(1_000);
        // SAFETY: none, on purpose.
        if unsafe { black_box(packet.as_ptr()).read_volatile() } == 7 {
            eprintln!("seven");
        }
    };
    is_found(
        a_byte_that_was_never_written_is_found,
        mistake,
        "Conditional jump or move depends on uninitialised value",
    );
}

#[test]
fn the_statistics_say_that_the_pools_are_off_for_valgrind() {
    let test = the_statistics_say_that_the_pools_are_off_for_valgrind;
    if common::case().is_some() {
        let frame = black_box(vec![1_u8; FRAME]);
        eprintln!("{:?}, {}", ALLOC.stats().reservation(), ALLOC.owns(frame.as_ptr()));
        return;
    }
    assert_eq!(ALLOC.stats().reservation(), Reservation::Ready);
    let Some(output) = under_valgrind(test, None) else { return };
    assert!(output.contains("OffForValgrind, false"), "{output}");
    let output = under_valgrind(test, Some("stats")).unwrap();
    assert!(output.contains("OffForValgrind, false"), "{output}");
    assert!(output.contains("Switched off at the start: valgrind runs the program"), "{output}");
    let output = under_valgrind(test, Some("on,stats")).unwrap();
    assert!(output.contains("Ready, true") && !output.contains("Switched off"), "{output}");
    let output = under_valgrind(test, Some("off")).unwrap();
    assert!(output.contains("Ready, false"), "{output}");
}
