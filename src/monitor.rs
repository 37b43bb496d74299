//! A thread that checks an allocator once an interval. It logs the table of statistics, warns of what goes
//! wrong, and gives memory back when the allocator is idle.
//!
//! No allocation runs through this code, and what the thread itself allocates is not counted. [`watch`]
//! decides what is worth an event. `log.rs` and `metrics.rs` pass it on, each if its feature is on.

#[cfg(feature = "log")]
mod log;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(test)]
mod programs;
mod watch;
mod watched;

use core::{fmt, mem};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use watch::MonitorEvent;
use watch::{Thresholds, Watch};
pub use watched::Watched;

use crate::lifecycle::registry::Process;
use crate::os;
use crate::sync::{Condvar, Lock};
use crate::tunables::REFUSED_FROM;

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
/// If the feature `log` is on, the thread logs under the target `framepool`: at level debug what is routine (the
/// table of statistics at each check that finds it changed, and trims), at level warn each other
/// [`MonitorEvent`]. If the feature `metrics` is on, it sets gauges and counters of that facade at each check, and
/// describes them when it starts. All of this happens once an interval. The threads that allocate take no part
/// in it.
#[must_use = "it stops when it is dropped"]
pub struct Monitor {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
    /// The process that runs the thread.
    process: Process,
}

impl Monitor {
    /// Returns a builder for a monitor of a `&'static PoolAlloc`, or of a [`BufferPool`](crate::BufferPool),
    /// of which it keeps a handle.
    pub fn of(watched: impl Watched) -> MonitorBuilder {
        MonitorBuilder {
            name: watched.name().unwrap_or(Cow::Borrowed("Global pool")),
            watched: Box::new(watched),
            interval: Duration::from_secs(10),
            thresholds: Thresholds { share: 0.05, from_bytes: REFUSED_FROM as u64, trim_after: None },
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
    /// Stops the thread, and waits until it has ended, except when called on that thread. In the child of a
    /// `fork` there is no such thread, and nothing is done.
    fn drop(&mut self) {
        if Process::this() != self.process {
            // The thread may have held the lock, and it is not in this process. So neither lock nor handle
            // may be touched.
            mem::forget(self.thread.take());
            return;
        }
        self.stop.is_wanted.with(|is_wanted| *is_wanted = true);
        self.stop.wakeup.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // If the thread panicked, the panic hook has reported it.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for MonitorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

type OnEvent = Box<dyn FnMut(&MonitorEvent) + Send>;

/// The settings of a [`Monitor`]: see [`Monitor::of`].
#[must_use = "`start` makes a monitor of it"]
pub struct MonitorBuilder {
    watched: Box<dyn Watched>,
    name: Cow<'static, str>,
    interval: Duration,
    thresholds: Thresholds,
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "the metrics show it"))]
    shows_residency: bool,
    on_event: Option<OnEvent>,
}

impl MonitorBuilder {
    /// Sets the pool's name in the log and the metrics. Default: that of the `BufferPool`, or "Global pool".
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets the time between two checks, 1 ms at the minimum. Default: 10 s.
    pub fn every(self, interval: Duration) -> Self {
        Self { interval: interval.max(Duration::from_millis(1)), ..self }
    }

    /// Sets the share, 0.0 to 1.0, above which there is a warning. Default: 0.05.
    ///
    /// It is the rate of [misses](MonitorEvent::MissRateHigh) of a class between two checks, and the share of the
    /// bytes requested between two checks that were in requests [too large](MonitorEvent::TooLarge) for every
    /// slot.
    pub fn warn_above(self, share: f64) -> Self {
        Self { thresholds: Thresholds { share, ..self.thresholds }, ..self }
    }

    /// Sets the size in bytes from which there are warnings: neither classes with smaller slots nor smaller
    /// requests that are too large get one. Default: 16 KiB.
    ///
    /// So small objects, of which a program may have more than Small has slots, raise no alarm about frames.
    pub fn warn_from(self, bytes: usize) -> Self {
        Self { thresholds: Thresholds { from_bytes: bytes as u64, ..self.thresholds }, ..self }
    }

    /// Has the monitor [trim](crate::PoolAlloc::trim) the allocator once it has been idle for `idle`.
    /// Default: never.
    ///
    /// Idle means that no class above Small had a hit, from one check to the next. It is trimmed once, and
    /// again only after further hits. Small does not count, because it has the least memory and timers make
    /// short strings even in an idle program.
    pub fn trim_after(self, idle: Duration) -> Self {
        Self { thresholds: Thresholds { trim_after: Some(idle), ..self.thresholds }, ..self }
    }

    /// Adds the [residency](crate::PoolAlloc::residency) to the metrics. Default: `false`.
    ///
    /// To find the figures, the system walks all pages of the process. That takes about 10 us for each
    /// resident MiB, and threads that map or unmap memory wait meanwhile.
    pub fn show_residency(self, yes: bool) -> Self {
        Self { shows_residency: yes, ..self }
    }

    /// Calls `f` at each event, on the monitor's thread.
    pub fn on_event(self, f: impl FnMut(&MonitorEvent) + Send + 'static) -> Self {
        Self { on_event: Some(Box::new(f)), ..self }
    }

    /// Starts the thread, which checks at once and then every interval.
    ///
    /// Requests before this call do not count. If the system denied the reservation or an option before it,
    /// the first check reports that.
    ///
    /// The thread takes none of the process's signals. It takes only those that it raises by a fault of its
    /// own (SIGSEGV and the like).
    ///
    /// # Errors
    ///
    /// If the system cannot start the thread.
    pub fn start(self) -> io::Result<Monitor> {
        let stop = Arc::new(Stop { is_wanted: Lock::new(false), wakeup: Condvar::new() });
        let watch = Watch::new(self.watched.stats(), self.thresholds);
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
            #[cfg(feature = "metrics")]
            let metrics = metrics::Metrics::new(&self.name);
            loop {
                let now = watched.stats();
                let mut events = watch.check(&now, &watched.denials(), Instant::now());
                if watch.wants_trim() {
                    let bytes = watched.trim();
                    events.push(MonitorEvent::Trimmed { bytes });
                }
                #[cfg(feature = "metrics")]
                metrics.tell(&now, self.shows_residency.then(|| watched.residency()));
                #[cfg(feature = "log")]
                log::tell(&self.name, watch.has_changed().then_some(&now), &events);
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

/// The state that the thread sleeps on.
struct Stop {
    is_wanted: Lock<bool>,
    wakeup: Condvar,
}

impl Stop {
    /// Sleeps for `interval`, or until the thread must stop; returns whether it must.
    fn wait(&self, interval: Duration) -> bool {
        // If the clock cannot represent the sum, there is no deadline.
        let deadline = Instant::now().checked_add(interval);
        self.is_wanted.wait(&self.wakeup, deadline, |is_wanted| *is_wanted, |is_wanted| *is_wanted)
    }
}
