//! Reading running processes from outside: by the library, and by the program `framepool`. The process that is read is this
//! binary again.

#![cfg(all(target_os = "linux", not(framepool_os = "none")))]

mod common;

use std::alloc::{GlobalAlloc, Layout};
use std::fs;
use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{case, run, this_binary};
use framepool::inspect::{Allocator, Error, Kind, Process};
use framepool::{BufferPool, Class, Config, PoolAlloc, SlotState};
use libtest_mimic::{Arguments, Trial};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();
static SECOND: PoolAlloc = PoolAlloc::with_config(Config::new().class(Class::XLarge, 2 << 20, 5));

/// Frames of this size are what the process that is read makes.
const FRAME_BYTES: usize = 1_382_400;

/// Plays a case of the process that is read: says `ready`, and ends when its standard input is closed.
fn play(case: &str) {
    let frames: Vec<_> = (1..4).map(|n| black_box(vec![n as u8; FRAME_BYTES])).collect();
    match case {
        "busy" => {
            for _ in 0..2 {
                thread::spawn(|| {
                    loop {
                        drop(black_box(vec![1_u8; FRAME_BYTES]));
                        drop(black_box(vec![1_u8; 960]));
                    }
                });
            }
        }
        "several" => {
            let layout = Layout::from_size_align(FRAME_BYTES, 1).unwrap();
            // SAFETY: the layout is not empty. The block is never freed.
            assert!(!unsafe { SECOND.alloc(layout) }.is_null());
            let pool = BufferPool::with_config(Config::new().class(Class::XLarge, 2 << 20, 7));
            return wait_with((frames, pool.alloc(FRAME_BYTES)));
        }
        // The child of a `fork` frees what its parent allocated.
        // SAFETY: the child uses the pools, which work there.
        "fork" if unsafe { libc::fork() } == 0 => {
            drop(frames);
            println!("child {}", std::process::id());
            loop {
                thread::sleep(Duration::from_secs(1));
            }
        }
        "execute" => {
            println!("ready");
            std::io::stdin().read_exact(&mut [0]).unwrap();
            panic!("{}", Command::new("sleep").arg("60").exec());
        }
        "end" => return,
        _ => {}
    }
    wait_with(frames);
}

/// Says that the process is ready to be read, and keeps `what` until standard input is closed.
fn wait_with<T>(what: T) {
    println!("ready");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(what);
}

/// A process that is read. It is killed when this is dropped.
struct Running(Child);

impl Running {
    fn start(case: &str) -> Self {
        Self::of(this_binary(case))
    }

    /// Starts a process and waits until it is ready.
    fn of(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(&said, b"ready\n");
        Self(child)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn process(&self) -> Process {
        Process::attach(self.pid()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the program `framepool`.
fn framepool(arguments: &[&str]) -> Output {
    run(framepool_command(arguments))
}

fn framepool_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framepool"));
    command.args(arguments);
    command
}

/// Returns the arguments after `--` that make `framepool` start a process of this binary. The case is in the environment.
fn of_this_binary(task: &str, case: &str) -> Command {
    let mut command = framepool_command(&[task, "--"]);
    let own = this_binary(case);
    command.arg(own.get_program());
    for (name, value) in own.get_envs() {
        command.env(name, value.unwrap());
    }
    command
}

/// Returns the status and the texts of a run, for comparisons.
fn texts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn a_busy_process_is_read_while_it_works() {
    let running = Running::start("busy");
    let process = running.process();
    let [allocator] = &process.allocators().unwrap()[..] else { panic!("one allocator") };
    let mut hits = 0;
    for _ in 0..200 {
        let stats = allocator.stats().unwrap();
        let xlarge = stats.class(Class::XLarge);
        // Never above the truth: the hits are read first.
        assert!(stats.hits() >= hits && xlarge.in_use <= 5 && xlarge.peak <= 5, "{stats}");
        let live = allocator.slot_states(Class::XLarge).unwrap();
        let live = live.iter().filter(|&&state| state == SlotState::Live).count();
        // A slot that goes from hand to hand may be seen twice, or not at all.
        assert!((2..=7).contains(&live), "{live}");
        assert!(allocator.residency().unwrap().resident_bytes >= 3 * FRAME_BYTES as u64);
        hits = stats.hits();
    }
    let (status, stdout, stderr) = texts(&framepool(&["stats", "--pid", &running.pid().to_string()]));
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains(&format!("process {}, PoolAlloc at 0x", running.pid())), "{stdout}");
    assert!(stdout.contains("XLarge (2 MiB): hits=") && stdout.contains("Pooled: "), "{stdout}");
}

fn two_allocators_and_a_buffer_pool_are_told_apart() {
    let running = Running::start("several");
    let process = running.process();
    let allocators = process.allocators().unwrap();
    let slots = |it: &Allocator<'_>| it.stats().unwrap().class(Class::XLarge);
    let mut found: Vec<_> =
        allocators.iter().map(|it| (slots(it).slots, slots(it).in_use, it.kind())).collect();
    found.sort_by_key(|&(slots, ..)| slots);
    assert_eq!(found, [(5, 1, Kind::PoolAlloc), (7, 1, Kind::BufferPool), (64, 3, Kind::PoolAlloc)]);
    let (_, stdout, _) = texts(&framepool(&["stats", "--pid", &running.pid().to_string()]));
    assert_eq!(stdout.matches("PoolAlloc at").count(), 2, "{stdout}");
    assert_eq!(stdout.matches("BufferPool at").count(), 1, "{stdout}");
}

fn parent_and_child_of_a_fork_have_figures_of_their_own() {
    let mut command = this_binary("fork");
    let mut parent = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut stdout = parent.stdout.take().unwrap();
    while !(said.contains("ready") && said.contains("child") && said.matches('\n').count() == 2) {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        said.push(byte[0].into());
    }
    let child = said.split_once("child ").unwrap().1.split('\n').next().unwrap().parse().unwrap();
    let parent = Running(parent);
    let in_use = |pid| {
        let process = Process::attach(pid).unwrap();
        process.allocators().unwrap()[0].stats().unwrap().class(Class::XLarge).in_use
    };
    assert_eq!((in_use(parent.pid()), in_use(child)), (3, 0));
    // SAFETY: takes no pointer.
    unsafe { libc::kill(child as i32, libc::SIGKILL) };
}

/// Reads processes while they end, in every state that they are in then.
fn a_process_that_ends_while_it_is_read_gives_figures_or_a_line() {
    let mut ends = Vec::new();
    for round in 0..20 {
        let mut running = Running::start("busy");
        let process = running.process();
        let allocators = process.allocators().unwrap();
        let begun = Instant::now();
        let end = loop {
            if begun.elapsed() > Duration::from_micros(500 * round) {
                let _ = running.0.kill();
            }
            match allocators[0].stats() {
                Ok(stats) => assert_eq!(stats.class(Class::XLarge).slots, 64),
                Err(error) => break error,
            }
        };
        ends.push(end);
        let attached = Process::attach(running.pid()).map(|_| ());
        assert!(matches!(attached, Err(Error::Zombie(_) | Error::Ended(_))), "{attached:?}");
        let _ = running.0.wait();
        assert_eq!(Process::attach(running.pid()).unwrap_err(), Error::NoProcess(running.pid()));
    }
    assert!(ends.iter().all(|end| matches!(end, Error::Ended(_) | Error::Zombie(_))), "{ends:?}");
}

fn a_process_that_executes_another_program_is_not_read_as_the_old_one() {
    let mut running = Running::start("execute");
    let process = running.process();
    let allocators = process.allocators().unwrap();
    assert!(allocators[0].stats().is_ok());
    running.0.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    let executes = || fs::read_to_string(format!("/proc/{}/comm", running.pid())).unwrap() == "sleep\n";
    while !executes() {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(allocators[0].stats(), Err(Error::Ended(running.pid())));
    assert!(matches!(process.allocators(), Err(Error::Ended(_))));
    let error = running.process().allocators().map(|_| ()).unwrap_err();
    assert_eq!(error, Error::NoPools(running.pid()));
}

/// Starts `framepool` with a command, and waits until that has pools. Returns the number of the command's process too.
#[expect(
    clippy::zombie_processes,
    reason = "each caller waits for it, and without a child the test has failed"
)]
fn following(task: &str, case: &str) -> (Child, u32) {
    let mut command = of_this_binary(task, case);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let framepool = command.spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", framepool.id());
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < common::time_out(), "no child");
        let children = fs::read_to_string(&children).unwrap_or_default();
        let child = children.split_whitespace().next().and_then(|child| child.parse().ok());
        if let Some(child) = child
            && let Ok(process) = Process::attach(child)
            && let Ok(allocators) = process.allocators()
            && allocators[0].stats().is_ok_and(|stats| stats.class(Class::XLarge).hits >= 3)
        {
            // Long enough for two more readings.
            thread::sleep(Duration::from_millis(500));
            return (framepool, child);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits for the end of `framepool` and of the process that it follows, which must come in time.
fn output_of(mut framepool: Child, child: u32) -> Output {
    let begun = Instant::now();
    while framepool.try_wait().unwrap().is_none() {
        if begun.elapsed() > common::time_out() {
            // SAFETY: takes no pointer.
            unsafe { libc::kill(child as i32, libc::SIGKILL) };
            framepool.kill().unwrap();
            panic!("framepool hangs: {:?}", framepool.wait_with_output());
        }
        thread::sleep(Duration::from_millis(1));
    }
    framepool.wait_with_output().unwrap()
}

fn the_last_picture_is_printed_however_a_command_ends() {
    // SAFETY: takes no pointer.
    let kill = |pid: u32, signal| assert_eq!(unsafe { libc::kill(pid as i32, signal) }, 0);
    for (signal, is_passed_on, status) in
        [(libc::SIGTERM, true, 143), (libc::SIGTERM, false, 143), (libc::SIGKILL, false, 137)]
    {
        let (mut framepool, child) = following("stats", "busy");
        let _stdin = framepool.stdin.take();
        kill(if is_passed_on { framepool.id() } else { child }, signal);
        let (code, stdout, stderr) = texts(&output_of(framepool, child));
        assert_eq!((code, stdout.as_str()), (Some(status), "ready\n"), "{stderr}");
        assert!(stderr.contains(&format!("process {child}, PoolAlloc at")), "{stderr}");
        assert!(stderr.contains("Overall hit rate: 100.0%"), "{stderr}");
    }
    let (mut framepool, child) = following("stats", "wait");
    drop(framepool.stdin.take());
    let (code, _, stderr) = texts(&output_of(framepool, child));
    assert!(code == Some(0) && stderr.contains(&format!("process {child}, ")), "{code:?} {stderr}");
}

fn a_recorded_command_gives_a_table_that_it_can_be_started_with() {
    let (mut framepool, child) = following("advise", "busy");
    drop(framepool.stdin.take());
    let (code, table, stderr) = texts(&output_of(framepool, child));
    // The command's standard output is there, and what a recording writes at exit is not.
    assert_eq!((code, stderr.as_str()), (Some(0), "ready\n"));
    assert!(table.starts_with("# ") && table.contains("A table of"), "{table}");

    let file = std::env::temp_dir().join(format!("framepool-inspect-{}", std::process::id()));
    fs::write(&file, &table).unwrap();
    let mut command = this_binary("wait");
    command.env("FRAMEPOOL", format!("table={}", file.display()));
    let running = Running::of(command);
    let process = running.process();
    let slots = process.allocators().unwrap()[0].stats().unwrap().class(Class::XLarge);
    fs::remove_file(&file).unwrap();
    assert_eq!((slots.slot_bytes, slots.in_use), (1_384_448, 3));
    let error = process.allocators().unwrap()[0].advice().unwrap_err();
    assert_eq!(error, Error::NotRecorded(running.pid()));
}

fn what_cannot_be_read_is_one_clear_line_and_status_2() {
    let running = Running::of({
        let mut command = Command::new("sh");
        command.args(["-c", "echo ready; read nothing"]);
        command
    });
    let (none, missing) = (running.pid().to_string(), u32::MAX.to_string());
    let cases: [(&[&str], &str); 7] = [
        (&["stats", "--pid", &none], "has no pools of framepool"),
        (&["stats", "--pid", &missing], "no process 4294967295 here"),
        (&["advise", "--pid", &none], "has no pools of framepool"),
        (&["top", "--pid", &none], "top needs a terminal"),
        (&["stats", "--", "true"], "has no pools of framepool|ended before its pools could be read"),
        (&["stats", "--", "/no/such/program"], "cannot start /no/such/program"),
        (&["top", "--", "true"], "top needs a terminal"),
    ];
    for (arguments, expected) in cases {
        let (code, stdout, stderr) = texts(&framepool(arguments));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(
            stderr.starts_with("framepool: ") && stderr.matches('\n').count() == 1,
            "{arguments:?}: {stderr}"
        );
        assert!(expected.split('|').any(|text| stderr.contains(text)), "{arguments:?}: {stderr}");
    }
    // A zombie.
    let mut ended = this_binary("end").spawn().unwrap();
    while Process::attach(ended.id()).is_ok() {
        thread::sleep(Duration::from_millis(1));
    }
    let (code, _, stderr) = texts(&framepool(&["stats", "--pid", &ended.id().to_string()]));
    assert!(code == Some(2) && stderr.contains("zombie"), "{stderr}");
    ended.wait().unwrap();
}

/// Another user may not read a process of root's, and may read one of its own where Yama lets it.
fn the_kernel_says_whom_a_user_may_read() {
    const OTHER_USER: u32 = 65_534;
    // SAFETY: takes no pointer.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: it takes root to become another user");
        return;
    }
    // A copy of the program where every user finds it.
    let program = std::env::temp_dir().join(format!("framepool-program-{}", std::process::id()));
    fs::copy(env!("CARGO_BIN_EXE_framepool"), &program).unwrap();
    let as_other_user = |pid: u32| {
        let mut command = Command::new(&program);
        command.args(["stats", "--pid", &pid.to_string()]).uid(OTHER_USER).gid(OTHER_USER);
        texts(&run(command))
    };
    let root = Running::start("wait");
    let (code, _, stderr) = as_other_user(root.pid());
    assert!(code == Some(2) && stderr.contains("the kernel denies reading process"), "{stderr}");
    assert!(stderr.contains("sudo") && stderr.contains("framepool stats -- COMMAND"), "{stderr}");

    // A process that changed its user is not readable until it executes a program, so the program is copied too.
    let own = std::env::temp_dir().join(format!("framepool-own-{}", std::process::id()));
    fs::copy(std::env::current_exe().unwrap(), &own).unwrap();
    let mut command = Command::new(&own);
    command.envs(this_binary("wait").get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.uid(OTHER_USER).gid(OTHER_USER);
    let running = Running::of(command);
    let (code, stdout, stderr) = as_other_user(running.pid());
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if scope.trim().parse().unwrap_or(0) == 0 {
        assert!(code == Some(0) && stdout.contains("XLarge"), "{stderr}");
    } else {
        assert!(code == Some(2) && stderr.contains("Yama's ptrace_scope is"), "{stderr}");
    }
    fs::remove_file(program).unwrap();
    fs::remove_file(own).unwrap();
}

fn main() -> ExitCode {
    if let Some(case) = case() {
        play(&case);
        return ExitCode::SUCCESS;
    }
    macro_rules! trials {
        ($($test:ident),+ $(,)?) => {
            vec![$(Trial::test(stringify!($test), || { $test(); Ok(()) })),+]
        };
    }
    let trials = trials![
        a_busy_process_is_read_while_it_works,
        two_allocators_and_a_buffer_pool_are_told_apart,
        parent_and_child_of_a_fork_have_figures_of_their_own,
        a_process_that_ends_while_it_is_read_gives_figures_or_a_line,
        a_process_that_executes_another_program_is_not_read_as_the_old_one,
        the_last_picture_is_printed_however_a_command_ends,
        a_recorded_command_gives_a_table_that_it_can_be_started_with,
        what_cannot_be_read_is_one_clear_line_and_status_2,
        the_kernel_says_whom_a_user_may_read,
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
