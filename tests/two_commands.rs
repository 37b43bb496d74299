//! Finds a table for programs that know nothing of it, by two commands: `FRAMEPOOL=record,to=FILE` and
//! `FRAMEPOOL=table=FILE`. `tests/advice.sh` does the same with `video_chat`.

#![cfg(all(unix, not(framepool_os = "none")))]

mod common;

use std::env::temp_dir;
use std::fs::{read_to_string, remove_file};
use std::ops::RangeInclusive;
use std::process::id;
use std::sync::{Arc, Barrier};

use common::{Random, case, child, run_to_success};
use framepool::{Class, Config, PoolAlloc};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

/// Runs a program three times: as it is, recorded, and with the table that the recording advises.
///
/// As it is, a share of its bytes in `share_before` is pooled. With the table it has 99 %, and no miss.
fn find_a_table<T: Fn() + Copy>(test: T, program: fn(), share_before: RangeInclusive<f64>) {
    let Some(case) = case() else {
        let file = temp_dir().join(format!("framepool-{}-{}.table", std::any::type_name::<T>(), id()));
        let file = file.to_str().unwrap().replace("::", "-");
        run_to_success(child(test, "before"));
        for (case, value) in [("recorded", format!("record,to={file}")), ("after", format!("table={file}"))] {
            let mut command = child(test, case);
            command.env("FRAMEPOOL", value);
            run_to_success(command);
        }
        let text = read_to_string(&file).unwrap();
        remove_file(&file).unwrap();
        let (comments, table) = text.trim_end().rsplit_once('\n').unwrap();
        let table = table.parse::<Config>().unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(table != Config::new() && comments.lines().all(|line| line.starts_with('#')), "{text}");
        assert!(text.starts_with("# two_commands-"), "{text}");
        return;
    };
    program();
    let stats = ALLOC.stats();
    let share = stats.pooled_share().unwrap();
    match &*case {
        "before" => assert!(share_before.contains(&share), "{share}\n{stats}"),
        "recorded" => assert!(stats.advice().recorded),
        _ => assert!(share >= 0.99 && stats.misses() == 0, "{share}\n{stats}"),
    }
}

fn varied() {
    (0..900_usize).for_each(|n| drop(vec![1_u8; 100_000 + n * 2_110]));
}

fn thumbnails() {
    let mut random = Random(42);
    for _ in 0..600 {
        let picture = vec![1_u8; 100_000 + random.below(4_000_000)];
        let thumbnails: Vec<_> = [8, 16, 32].map(|part| vec![picture[0]; picture.len() / part]).into();
        drop((picture, thumbnails));
    }
}

fn uploads() {
    // All are at work at once for a moment, however they are scheduled later.
    let all = Arc::new(Barrier::new(8));
    let workers = (0..8).map(|_| {
        let all = Arc::clone(&all);
        std::thread::spawn(move || {
            for n in 0..50_usize {
                let mut body = Vec::with_capacity(4 << 20);
                if n == 0 {
                    all.wait();
                }
                (0..64).for_each(|_| body.extend_from_slice(&[n as u8; 65_536]));
                assert_eq!(body.len(), 4 << 20);
            }
        })
    });
    let workers: Vec<_> = workers.collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

fn frames() {
    let mut queue = std::collections::VecDeque::new();
    for n in 0..300_u64 {
        queue.push_back(vec![n as u8; 1920 * 1080 * 3 / 2]);
        if queue.len() == 12 {
            queue.pop_front();
        }
    }
}

#[test]
fn sizes_of_which_no_two_are_alike() {
    find_a_table(sizes_of_which_no_two_are_alike, varied, 0.95..=1.0);
}

#[test]
fn a_thumbnail_server() {
    find_a_table(a_thumbnail_server, thumbnails, 0.2..=0.6);
}

#[test]
fn an_upload_server() {
    find_a_table(an_upload_server, uploads, 0.0..=0.01);
}

#[test]
fn frames_of_1080p() {
    find_a_table(frames_of_1080p, frames, 0.0..=0.01);
}

/// The line that needs no recording.
#[test]
fn frames_of_1080p_by_the_line() {
    static POOL: PoolAlloc = PoolAlloc::with_config(Config::new().frames(1920 * 1080 * 3 / 2, 12));
    let blocks: Vec<_> =
        (0..12).map(|id| common::Block::take(&POOL, common::layout(1920 * 1080 * 3 / 2, 1), id)).collect();
    assert_eq!(POOL.stats().class(Class::XLarge).hits, 12);
    blocks.into_iter().for_each(common::Block::give);
}
