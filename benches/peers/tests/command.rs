//! Tests the program from outside: its answers to bad flags, and that its samples run.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_framepool-peers");
    Command::new(program).args(arguments).output().expect("the program was just built")
}

#[test]
fn a_bad_flag_is_one_line_and_status_2() {
    for arguments in
        [&["--bogus"][..], &["--only", "pear"], &["--rounds", "0"], &["--sample", "1", "2", "3", "4"]]
    {
        let output = run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{arguments:?}: {text}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn samples_of_each_kind_run() {
    for (workload, bytes) in [
        ("pairs", "1000"),
        ("bursts_64", "200000"),
        ("queue_8", "40000"),
        ("frame_ready", "1382400"),
        ("frame_copy", "3110400"),
        ("frame_convert", "921600"),
        ("hand_off", "40000"),
        ("survivors", "1"),
        ("threads_bursts", "200000"),
        ("vec_zeroed", "200000"),
        ("vec_grown", "2097152"),
        ("walk", "64"),
        ("tax_floor", "24"),
        ("tax_open_lane", "200"),
        ("tax_small", "24"),
        ("tax_large", "8388608"),
        ("start_up", "1000"),
    ] {
        let output = run(&["--sample", workload, bytes, "framepool", "100"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.starts_with(r#"{"figures":[["#), "{workload}: {output:?}");
    }
}
