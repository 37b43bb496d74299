//! Hits in a process that another one reads ten times a second, beside hits in the same process without a reader. See
//! `README.md` beside this file.
//!
//! This process reads; the process that works is this binary again. It makes and frees buffers for a fifth of a second
//! whenever it is told to. Rounds with and without a reader alternate, and change places from pair to pair. The figure is the median of the
//! ratios of the pairs.

use std::env;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use framepool::inspect::{Allocator, Error, Process};
use framepool::{Class, PoolAlloc};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

const WORKER: &str = "FRAMEPOOL_BENCH_WORKER";
const SIZES: [usize; 4] = [960, 40_000, 200_000, 1_382_400];
const ROUND: Duration = Duration::from_millis(200);
const INTERVAL: Duration = Duration::from_millis(100);

/// Makes and frees buffers for a round for each line of input, and answers with the nanoseconds of a pair of each size.
fn work() {
    println!("ready");
    for _ in std::io::stdin().lines() {
        let nanos = SIZES.map(|size| {
            let (begun, mut pairs) = (Instant::now(), 0_u32);
            while begun.elapsed() < ROUND / SIZES.len() as u32 {
                (0..1_000).for_each(|_| drop(black_box(Vec::<u8>::with_capacity(black_box(size)))));
                pairs += 1_000;
            }
            format!("{:.3}", begun.elapsed().as_nanos() as f64 / f64::from(pairs))
        });
        println!("{}", nanos.join(" "));
    }
}

/// The process that works.
struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    fn start() -> Self {
        let mut command = Command::new(env::current_exe().expect("this program has a path"));
        command.env(WORKER, "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program can be started again");
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let mut worker = Self { child, input, output: BufReader::new(output) };
        worker.line();
        worker
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        line
    }

    /// Lets it work for a round, and returns the nanoseconds of a pair of each size.
    fn round(&mut self) -> Vec<f64> {
        self.input.write_all(b"\n").expect("the worker reads");
        self.line().split_whitespace().map(|nanos| nanos.parse().expect("a number")).collect()
    }
}

/// Reads all that `framepool top` reads.
fn read(allocator: &Allocator<'_>) -> Result<(), Error> {
    black_box(allocator.stats()?);
    for class in Class::ALL {
        black_box(allocator.slot_states(class)?);
    }
    black_box(allocator.residency()?);
    Ok(())
}

fn quartiles(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 4], values[values.len() * 3 / 4])
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    if env::var_os(WORKER).is_some() {
        return work();
    }
    let pairs = env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(75);
    let mut worker = Worker::start();
    let process = Process::attach(worker.child.id()).expect("a child may be read");
    let allocators = process.allocators().expect("the worker has pools");
    let (reads, readings, longest) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    let (done, mut ratios, mut nanos) = (AtomicBool::new(false), Vec::new(), Vec::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                let begun = Instant::now();
                if reads.load(Relaxed) {
                    read(&allocators[0]).expect("the worker lives");
                    readings.fetch_add(1, Relaxed);
                    longest.fetch_max(begun.elapsed().as_micros() as u32, Relaxed);
                }
                thread::sleep(INTERVAL.saturating_sub(begun.elapsed()));
            }
        });
        worker.round();
        for pair in 0..pairs {
            let mut round = |with_reader| {
                reads.store(with_reader, Relaxed);
                worker.round()
            };
            let (with, without) = if pair % 2 == 0 {
                let with = round(true);
                (with, round(false))
            } else {
                let without = round(false);
                (round(true), without)
            };
            ratios.push(with.iter().zip(&without).map(|(with, without)| with / without).collect::<Vec<_>>());
            nanos.push(without);
        }
        done.store(true, Relaxed);
    });
    let seconds = f64::from(pairs) * ROUND.as_secs_f64();
    println!(
        "{} readings in {seconds:.1} s, the longest took {} us",
        readings.into_inner(),
        longest.into_inner()
    );
    for (at, size) in SIZES.into_iter().enumerate() {
        let of = |rounds: &[Vec<f64>]| rounds.iter().map(|round| round[at]).collect::<Vec<_>>();
        let (ratio, nanos) = (of(&ratios), of(&nanos));
        let (lower, upper) = quartiles(ratio.clone());
        println!(
            "{size:>9} bytes: {:.1} ns a pair; while it is read {:.3} times that (quartiles {lower:.3}..{upper:.3})",
            median(nanos),
            median(ratio)
        );
    }
    drop(worker.input);
    let _ = worker.child.wait();
}
