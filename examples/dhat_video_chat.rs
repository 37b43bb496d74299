//! Runs the video chat under dhat, once with the pools off and once with them on, and writes two profiles to
//! compare.
//!
//! ```text
//! cargo run --profile dhat --example dhat_video_chat                    # a generated picture
//! cargo run --profile dhat --example dhat_video_chat -- --clip FILE.y4m # real video, in a loop
//! cargo run --release --example dhat_diff -- target/dhat/video_chat-{system,pool}.json
//! ```
//!
//! The server is that of `video_chat`, with a fixed number of frames and no dropped frames, so that both runs
//! do the same work. Each run is a process of its own, because dhat and the pools count for the whole
//! process. It writes dhat's profile. Next to it, it writes what dhat cannot see: the pools' statistics and
//! the memory that they hold, taken before the profiler ends.

#[path = "common/failure.rs"]
mod failure;
#[path = "dhat_diff/pools.rs"]
mod pools;
#[path = "video_chat/server/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "this program asks for less of it than the one that it belongs to"
)]
mod server;
#[path = "video_chat/source/mod.rs"]
#[allow(unused_imports, reason = "as above")]
mod source;

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::error::ErrorKind;
use clap::{Parser, ValueEnum, value_parser};
use framepool::{Config, PoolAlloc};

use failure::Failure;
use pools::{Amount, Pools};
use server::{Clip, Pace, Settings, WhenFull};

#[global_allocator]
static ALLOC: PoolAlloc<dhat::Alloc> = PoolAlloc::with_fallback(dhat::Alloc, Config::new());

/// The video chat under dhat, with the pools off and with the pools on.
#[derive(Clone, Debug, Parser)]
#[command(name = "dhat_video_chat", bin_name = "dhat_video_chat", max_term_width = 100)]
struct Cli {
    /// Clients, each with a camera and a microphone
    #[arg(long, default_value_t = 9, value_parser = value_parser!(u32).range(1..=64))]
    clients: u32,
    /// Frames of each client
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u32).range(1..=10_000))]
    frames: u32,
    /// Play this Y4M file in a loop; - reads it from standard input
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,
    /// Name of the files: NAME-system.json, NAME-pool.json, and so on
    #[arg(long, value_name = "NAME", default_value = "video_chat")]
    scenario: String,
    /// Folder that they are written to
    #[arg(long, value_name = "DIR", default_value = "target/dhat")]
    out: PathBuf,
    /// Frames that dhat keeps of a stack, its own and the allocator's included
    #[arg(long, value_name = "FRAMES", default_value_t = 24, value_parser = value_parser!(u32).range(4..=1_000))]
    depth: u32,
    /// Internal: the program starts itself with this for one run
    #[arg(long, hide = true)]
    child: Option<Mode>,
}

/// The purpose of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// The pools are switched off: dhat sees all requests, and passes them to the system.
    System,
    /// The pools are on: dhat sees the requests that they do not serve.
    Pool,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Mode::System => "system",
            Mode::Pool => "pool",
        }
    }
}

fn main() -> ExitCode {
    let outcome = Cli::read(env::args_os()).and_then(|cli| match cli.child {
        Some(mode) => profile(&cli, mode),
        None => run_both(&cli),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If standard error is closed, the message cannot be printed anywhere.
            let _ = writeln!(io::stderr(), "dhat_video_chat: {failure}");
            ExitCode::from(failure.status)
        }
    }
}

impl Cli {
    fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        let cli = Self::try_parse_from(arguments).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp => error.exit(),
            _ => Failure::bad_flag(&error),
        })?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if cli.scenario.is_empty() || !cli.scenario.chars().all(plain) || cli.scenario.starts_with('.') {
            return Err(Failure::bad_input("a scenario's name is made of letters, digits, _, - and ."));
        }
        Ok(cli)
    }

    /// Returns the path of one of the files of a run. Its name ends in `.part` until it is complete.
    fn file(&self, mode: Mode, kind: &str) -> PathBuf {
        self.out.join(format!("{}-{}.{kind}", self.scenario, mode.name()))
    }

    fn settings(&self) -> Settings {
        Settings {
            clients: self.clients,
            fps: 30,
            pace: Pace::Exactly { frames: self.frames },
            when_full: WhenFull::Wait,
            full_rgb: false,
            ansi: false,
            canvas: (120, 36),
        }
    }
}

/// Starts this program again for each run.
fn run_both(cli: &Cli) -> Result<(), Failure> {
    let file = cli.clip.as_deref().map(source::open).transpose()?;
    if let (Some(file), Some(path)) = (&file, &cli.clip) {
        // The clip is checked here first, so that a bad clip gives one line of error, not two.
        source::read(file, &path.display().to_string())?;
    }
    fs::create_dir_all(&cli.out).map_err(|error| cannot_write(&cli.out, &error))?;
    for mode in [Mode::System, Mode::Pool] {
        run(cli, mode, file.as_ref())?;
    }
    let files = [Mode::System, Mode::Pool].map(|mode| cli.file(mode, "json").display().to_string());
    println!("Compare them: cargo run --release --example dhat_diff -- {}", files.join(" "));
    Ok(())
}

fn run(cli: &Cli, mode: Mode, clip: Option<&File>) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::broken(format!("the {} run: {error}", mode.name()));
    let mut command = Command::new(env::current_exe().map_err(failed)?);
    // The command line goes into the profile, which must not contain the user's folders.
    let flag = |name: &str, value: &std::ffi::OsStr| {
        let mut flag = OsString::from(format!("--{name}="));
        flag.push(value);
        flag
    };
    #[cfg(unix)]
    std::os::unix::process::CommandExt::arg0(&mut command, "dhat_video_chat");
    command.args(["--child", mode.name()]).stdin(Stdio::null());
    command.args(["--clients", &cli.clients.to_string(), "--frames", &cli.frames.to_string()]);
    command.args(["--depth", &cli.depth.to_string()]);
    command.arg(flag("scenario", cli.scenario.as_ref())).arg(flag("out", cli.out.as_os_str()));
    if let Some(clip) = clip {
        command.stdin(clip.try_clone().map_err(failed)?);
        command.args(cli.clip.as_deref().and_then(Path::file_name).map(|name| flag("clip", name)));
    }
    let status = command.status().map_err(failed)?;
    if !status.success() {
        return Err(Failure::broken(format!("the {} run failed ({status})", mode.name())));
    }
    // If dhat cannot write its file, it only prints a message on standard error. The file is therefore read
    // here.
    let part = cli.file(mode, "json.part");
    let whole = File::open(&part).and_then(|file| {
        serde_json::from_reader::<_, serde::de::IgnoredAny>(BufReader::new(file)).map_err(io::Error::from)
    });
    whole.map_err(|error| cannot_write(&part, &error))?;
    for kind in ["json", "pools.json"] {
        let path = cli.file(mode, kind);
        let part = cli.file(mode, &format!("{kind}.part"));
        fs::rename(&part, &path).map_err(|error| cannot_write(&path, &error))?;
    }
    Ok(())
}

/// Runs the server once under dhat, and writes the profile and the pools' figures.
fn profile(cli: &Cli, mode: Mode) -> Result<(), Failure> {
    ALLOC.set_enabled(mode == Mode::Pool);
    let clip = match &cli.clip {
        Some(path) => source::read(&source::inherited()?, &path.display().to_string())?,
        None => Clip::generated(1280, 720),
    };
    let profiler = dhat::Profiler::builder()
        .file_name(cli.file(mode, "json.part"))
        .trim_backtraces(Some(cli.depth as usize));
    let profiler = ALLOC.unpooled(|| profiler.build());
    let before = ALLOC.stats();
    let outcome = server::run(&cli.settings(), &clip, &|_| {});
    // These calls do not allocate, so the profile ends at the same point as the statistics.
    let (stats, residency, heap) = (ALLOC.stats().since(&before), ALLOC.residency(), dhat::HeapStats::get());
    ALLOC.unpooled(|| drop(profiler));

    let outcome = outcome.map_err(|error| Failure::broken(format!("cannot start a thread: {error}")))?;
    let (frames, expected) = (outcome.delivered, u64::from(cli.clients) * u64::from(cli.frames));
    if frames != expected || outcome.damaged > 0 {
        let text = format!("{frames} of {expected} frames arrived, {} damaged", outcome.damaged);
        return Err(Failure::broken(text));
    }
    let pools = Pools::of(&stats, &residency);
    let seen = Amount { blocks: heap.total_blocks, bytes: heap.total_bytes };
    if seen != pools.passed_on {
        return Err(Failure::broken(format!("dhat saw {seen:?}, the pools passed on {:?}", pools.passed_on)));
    }
    write(&cli.file(mode, "pools.json.part"), &pools)
}

fn write(path: &Path, pools: &Pools) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(pools).map_err(io::Error::from);
    text.and_then(|text| fs::write(path, text + "\n")).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::broken(format!("cannot write {}: {error}", path.display()))
}
