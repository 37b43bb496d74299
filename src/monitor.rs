//! A thread that looks at an allocator now and then: logs its table, warns of what goes wrong, gives memory back when nothing goes on.
//!
//! Nothing here is on an allocation's way, and what the thread itself allocates is not counted. [`watch`] decides what is worth a word;
//! `log.rs` and `metrics.rs` pass it on, each if its feature is on.

#[cfg(feature = "log")]
mod log;
#[cfg(feature = "metrics")]
mod metrics;
mod watch;
mod watched;

use core::{fmt, mem};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use watch::MonitorEvent;
use watch::Watch;
pub use watched::Watched;

use crate::lifecycle::registry::Process;
use crate::os;
use crate::sync::{Condvar, Lock};

/// Watches an allocator from a thread of its own until it is dropped.
///
/// ```
/// use framepool::{BufferPool, Monitor, PoolAlloc};
/// use std::time::Duration;
///
/// #[global_allocator]
/// static ALLOC: PoolAlloc = PoolAlloc::new();
///
/// # fn main() -> std::io::Result<()> {
/// let _monitor = Monitor::of(&ALLOC)
///     .named("Video server")
///     .every(Duration::from_secs(10))
///     .trim_after(Duration::from_secs(60))
///     .on_event(|event| eprintln!("{event}")) // without the feature `log`, or beside it
///     .start()?;
/// # Ok(())
/// # }
/// ```
///
/// With the feature `log` it logs, under the target `framepool`: the table of statistics at each look at which it has changed (info), and
/// each [`MonitorEvent`]. With the feature `metrics` it sets gauges and counters of that facade at each look. All of this is once an interval;
/// the threads that allocate have nothing to do with it.
#[must_use = "it stops when it is dropped"]
pub struct Monitor {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
    /// The process that has the thread.
    process: Process,
}

impl Monitor {
    /// For a `&'static PoolAlloc`, or a [`BufferPool`](crate::BufferPool), of which it keeps a handle.
    pub fn of(watched: impl Watched) -> MonitorBuilder {
        MonitorBuilder {
            name: watched.name().unwrap_or("Global pool"),
            watched: Box::new(watched),
            interval: Duration::from_secs(10),
            miss_rate: 0.05,
            trim_after: None,
            shows_residency: false,
            on_event: None,
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}

impl Drop for Monitor {
    /// Stops the thread, and waits for it. In the child of a `fork` there is no thread, and nothing is done.
    fn drop(&mut self) {
        if Process::this() != self.process {
            // Neither the lock, which the thread may have held, nor the handle may be touched.
            mem::forget(self.thread.take());
            return;
        }
        self.stop.is_wanted.with(|is_wanted| *is_wanted = true);
        self.stop.wakeup.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // What it panicked with has been told by the panic hook.
            let _ = thread.join();
        }
    }
}

type OnEvent = Box<dyn FnMut(&MonitorEvent) + Send>;

/// What a [`Monitor`] is to do: see [`Monitor::of`].
#[must_use = "`start` makes a monitor of it"]
pub struct MonitorBuilder {
    watched: Box<dyn Watched>,
    #[cfg_attr(
        not(any(feature = "log", feature = "metrics")),
        expect(dead_code, reason = "nobody is told it")
    )]
    name: &'static str,
    interval: Duration,
    miss_rate: f64,
    trim_after: Option<Duration>,
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "the metrics show it"))]
    shows_residency: bool,
    on_event: Option<OnEvent>,
}

impl MonitorBuilder {
    /// The pool's name in the log and the metrics. Default: that of the `BufferPool`, or "Global pool".
    pub fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// How often it looks. Default: every 10 s. No more often than every millisecond.
    pub fn every(self, interval: Duration) -> Self {
        Self { interval: interval.max(Duration::from_millis(1)), ..self }
    }

    /// The rate of misses between two looks, 0.0 to 1.0, above which a class is worth a [warning](MonitorEvent::MissRateHigh). Default: 0.05.
    pub fn warn_above(self, miss_rate: f64) -> Self {
        Self { miss_rate, ..self }
    }

    /// [Trims](crate::PoolAlloc::trim) once when no class above Small had a hit for so long, as far as looks can tell. Default: never.
    ///
    /// (Small does not count: it has the least memory, and some timer always makes a little string.)
    pub fn trim_after(self, idle: Duration) -> Self {
        Self { trim_after: Some(idle), ..self }
    }

    /// Has the metrics tell the [residency](crate::PoolAlloc::residency) too. Default: `false`.
    ///
    /// To find that out the system looks at all pages of the process, some 10 us for each MiB that is resident; meanwhile
    /// threads that map or unmap memory wait.
    pub fn show_residency(self, yes: bool) -> Self {
        Self { shows_residency: yes, ..self }
    }

    /// Calls `f` at each event, on the monitor's thread.
    pub fn on_event(self, f: impl FnMut(&MonitorEvent) + Send + 'static) -> Self {
        Self { on_event: Some(Box::new(f)), ..self }
    }

    /// Starts the thread, which looks at once and then every interval. What happened before this call is no news.
    ///
    /// The thread takes none of the process's signals, but for those that a thread raises by a fault of its own (SIGSEGV and the like).
    ///
    /// # Errors
    ///
    /// If the system has no thread for it.
    pub fn start(self) -> io::Result<Monitor> {
        let stop = Arc::new(Stop { is_wanted: Lock::new(false), wakeup: Condvar::new() });
        let watch = Watch::new(self.watched.stats(), self.miss_rate, self.trim_after);
        let spawn = || {
            let stop = Arc::clone(&stop);
            thread::Builder::new().name("framepool".to_owned()).spawn(move || self.run(watch, &stop))
        };
        let thread = os::with_signals_blocked(spawn)?;
        Ok(Monitor { stop, thread: Some(thread), process: Process::this() })
    }

    fn run(mut self, mut watch: Watch, stop: &Stop) {
        let watched = self.watched;
        watched.aside(&mut || {
            loop {
                let now = watched.stats();
                let mut events = watch.look(&now, &watched.denials(), Instant::now());
                if watch.wants_trim() {
                    let bytes = watched.trim();
                    events.push(MonitorEvent::Trimmed { bytes });
                }
                #[cfg(feature = "metrics")]
                metrics::tell(self.name, &now, self.shows_residency.then(|| watched.residency()));
                #[cfg(feature = "log")]
                log::tell(self.name, watch.has_changed().then_some(&now), &events);
                if let Some(on_event) = &mut self.on_event {
                    events.iter().for_each(on_event);
                }
                if stop.wait(self.interval) {
                    return;
                }
            }
        });
    }
}

/// What the thread sleeps on.
struct Stop {
    is_wanted: Lock<bool>,
    wakeup: Condvar,
}

impl Stop {
    /// Sleeps for so long, or until it is to stop; `true` if it is.
    fn wait(&self, interval: Duration) -> bool {
        // A time that no clock will ever show is none.
        let deadline = Instant::now().checked_add(interval);
        self.is_wanted.wait(&self.wakeup, deadline, |is_wanted| *is_wanted, |is_wanted| *is_wanted)
    }
}
