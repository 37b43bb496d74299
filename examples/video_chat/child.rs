//! One run: the server on one kind of memory, measured from outside. The child prints its figures to the
//! parent as one line of JSON.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use framepool::{Bypass, Class, PoolAlloc, Reservation, Stats};

use crate::cli::{Cli, Mode};
use crate::failure::Failure;
use crate::figures::{AdviceFigures, ClassFigures, Figures, PoolFigures};
use crate::meter::{self, Reading};
use crate::screen::Screen;
use crate::server::{self, Clip, Outcome, Pace, Settings};
use crate::source;
use crate::usage::{self, Usage};

/// The time after which the pools' slots have been touched and the heap has reached its size.
const WARM_UP: Duration = Duration::from_secs(1);

/// Runs the server in the mode that the parent selected.
///
/// # Errors
///
/// The clip cannot be read, or the system denies a thread.
pub(crate) fn run(cli: &Cli, mode: Mode) -> Result<(), Failure> {
    die_with_parent();
    let pool = cli.table.pick();
    let on = matches!(mode, Mode::On | Mode::Show | Mode::Record);
    pool.set_enabled(on);
    let residency = (on && cli.prewarm).then(|| pool.prewarm().to_string());
    let clip = match &cli.clip {
        Some(_) => source::read(&source::inherited()?, &cli.source())?,
        None => Clip::generated(cli.size.0, cli.size.1),
    };
    let mut settings = cli.settings();
    if mode == Mode::Record {
        settings.pace = Pace::Unpaced { seconds: cli.seconds };
    }
    if mode == Mode::Show {
        let screen = Screen::open()?;
        let settings = Settings { ansi: cli.ansi, canvas: screen.canvas(), ..settings };
        return serve(&settings, &clip, &|grid| screen.draw(grid)).map(|_| ());
    }
    let mut figures = measure(&settings, &clip, pool)?;
    figures.pools.residency = residency;
    let line = serde_json::to_string(&figures).map_err(|error| Failure::broken(error.to_string()))?;
    io::stdout().write_all(line.as_bytes()).map_err(|error| Failure::broken(error.to_string()))
}

/// Asks the system for a signal when the parent ends. The child then ends too, because no process waits for
/// it.
fn die_with_parent() {
    #[cfg(target_os = "linux")]
    // SAFETY: the call takes two integers, and changes only the signal that this process receives.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM as libc::c_ulong);
    }
}

fn serve(settings: &Settings, clip: &Clip, view: &(dyn Fn(&[u8]) + Sync)) -> Result<Outcome, Failure> {
    server::run(settings, clip, view).map_err(no_thread)
}

fn no_thread(error: io::Error) -> Failure {
    Failure::broken(format!("cannot start a thread: {error}"))
}

/// Starts a thread that reads the counters when the first second is over.
fn sample_when_warm() -> io::Result<thread::JoinHandle<Usage>> {
    thread::Builder::new().name("sample".to_owned()).spawn(|| {
        thread::sleep(WARM_UP);
        Usage::now()
    })
}

/// Runs the server between two readings of every counter. A third reading is taken after the first second.
fn measure(settings: &Settings, clip: &Clip, pool: &'static PoolAlloc) -> Result<Figures, Failure> {
    let empty_ns = meter::empty_request_ns();
    let warm = sample_when_warm().map_err(no_thread)?;
    let (stats, requests, cold) = (pool.stats(), Reading::now(), Usage::now());
    let outcome = serve(settings, clip, &|_| {})?;
    let (end, requests) = (Usage::now(), Reading::now().since(&requests));
    let since_start = pool.stats();
    let stats = since_start.since(&stats);
    let warm = warm.join().unwrap_or(end);

    let seconds = outcome.elapsed.as_secs_f64();
    let steady_seconds = seconds - WARM_UP.as_secs_f64();
    let packets =
        outcome.packets.iter().map(|packet| (packet.client, packet.frame, packet.checksum)).collect();
    let ready_us = |quantile| outcome.ready_ns.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Figures {
        captured: outcome.captured,
        delivered: outcome.delivered,
        dropped: outcome.dropped,
        damaged: outcome.damaged,
        grids: outcome.mixed.0,
        audio_mixes: outcome.mixed.1,
        seconds,
        ready_us: [ready_us(0.5), ready_us(0.99), ready_us(0.999), ready_us(1.0)],
        requests: requests.calls,
        request_seconds: (requests.nanos as f64 - empty_ns * requests.calls as f64).max(0.0) / 1e9,
        empty_request_ns: empty_ns,
        faults_first_second: warm.page_faults.saturating_sub(cold.page_faults),
        faults_steady: (steady_seconds >= 0.5)
            .then(|| end.page_faults.saturating_sub(warm.page_faults) as f64 / steady_seconds),
        cpu_seconds: end.cpu_seconds - cold.cpu_seconds,
        peak_resident_bytes: usage::peak_resident_bytes(),
        unserved: requests.unserved,
        pools: pool_figures(&stats, &since_start),
        packets,
    })
}

/// Returns the pools' figures for the measured time. Misses and advice are those since the start.
fn pool_figures(stats: &Stats, since_start: &Stats) -> PoolFigures {
    let class = |class: Class| {
        let now = stats.class(class);
        ClassFigures {
            name: class.name().to_owned(),
            slot_bytes: now.slot_bytes,
            slots: now.slots,
            peak: now.peak,
            hits: now.hits,
            misses: now.misses,
        }
    };
    let reserved =
        Class::ALL.map(|class| stats.class(class).slot_bytes * stats.class(class).slots).iter().sum();
    let advice = since_start.advice();
    PoolFigures {
        reserved_bytes: if stats.reservation() == Reservation::Ready { reserved } else { 0 },
        misses: since_start.misses(),
        residency: None,
        table: stats.named("Video chat").to_string(),
        classes: Class::ALL.map(class).to_vec(),
        bypasses: Bypass::ALL
            .iter()
            .map(|&reason| (reason.name().to_owned(), stats.bypassed(reason)))
            .collect(),
        advice: advice
            .recorded
            .then(|| AdviceFigures { text: advice.to_string(), table: advice.environment() }),
    }
}
