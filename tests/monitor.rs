//! `Monitor`: its log lines, its metrics, the memory that it gives back, and that its own allocations are not
//! counted. Also the serialized forms of the feature `serde`.

mod common;
#[path = "common/system.rs"]
mod system;

use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use framepool::{BufferPool, Bypass, Class, Config, MemoryOption, Monitor, MonitorEvent, PoolAlloc};
use log::{Level, LevelFilter, Log, Metadata, Record};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

const FRAME: usize = 1_382_400;
const OFTEN: Duration = Duration::from_millis(5);

/// Returns the time within which what is waited for happens.
fn soon() -> Duration {
    common::patience(Duration::from_secs(20))
}

/// A logger that keeps every line.
struct Kept(Mutex<Vec<(Level, String, String)>>);

static LINES: Kept = Kept(Mutex::new(Vec::new()));

impl Log for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = (record.level(), record.target().to_owned(), record.args().to_string());
        self.0.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

/// Returns the logged lines that contain `what`.
fn logged(what: &str) -> Vec<(Level, String, String)> {
    LINES.0.lock().unwrap().iter().filter(|line| line.2.contains(what)).cloned().collect()
}

fn listen() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        log::set_logger(&LINES).unwrap();
        log::set_max_level(LevelFilter::Trace);
        PrometheusBuilder::new().install_recorder().unwrap()
    })
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + soon();
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {:?}: {what}", soon());
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn pool(name: &'static str) -> BufferPool {
    BufferPool::with_config(Config::new().class(Class::XLarge, FRAME, 2)).named(name)
}

#[test]
fn it_logs_the_table_under_the_pools_name_when_there_is_news_and_warns_once() {
    listen();
    let pool = pool("Encoder");
    let monitor = Monitor::of(pool.clone()).every(OFTEN).start().unwrap();
    let both = [pool.alloc(FRAME), pool.alloc(FRAME)];
    let table = || logged("[buffer_pool] Encoder statistics:");
    until("the table", || table().iter().any(|line| line.2.contains("XLarge (1350 KiB): hits=2")));
    assert!(logged("Encoder: ").is_empty());
    (0..10).for_each(|_| drop(pool.alloc(FRAME)));
    until("the warning", || !logged("Encoder: ").is_empty());
    let told = table().len();
    std::thread::sleep(20 * OFTEN);
    assert!(table().len() <= told + 1, "nothing was news");
    (0..10).for_each(|_| drop(pool.alloc(FRAME)));
    std::thread::sleep(20 * OFTEN);
    drop(monitor);
    let warnings = logged("Encoder: ");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let (level, target, text) = &warnings[0];
    assert_eq!((*level, target.as_str()), (Level::Warn, "framepool"));
    assert!(
        text.starts_with("Encoder: XLarge pool miss rate high: ")
            && text.ends_with("% - consider increasing pool size")
    );
    assert!(table().iter().all(|line| line.0 == Level::Debug));
    drop(both);
}

#[test]
fn it_stops_at_once_when_it_is_dropped_and_looks_no_more() {
    let begun = Instant::now();
    drop(Monitor::of(pool("Short")).every(Duration::from_secs(3_600)).start().unwrap());
    assert!(begun.elapsed() < soon());
    let pool = pool("Stopped");
    let told = Arc::new(AtomicUsize::new(0));
    let monitor = Monitor::of(pool.clone()).every(OFTEN).on_event({
        let told = Arc::clone(&told);
        move |_| _ = told.fetch_add(1, Relaxed)
    });
    let monitor = monitor.start().unwrap();
    let both = [pool.alloc(FRAME), pool.alloc(FRAME)];
    drop(pool.alloc(FRAME));
    until("the first episode", || told.load(Relaxed) == 1);
    drop(both);
    (0..100).for_each(|_| drop(pool.alloc(FRAME)));
    std::thread::sleep(20 * OFTEN);
    drop(monitor);
    // A second episode, which no monitor sees.
    let _both = [pool.alloc(FRAME), pool.alloc(FRAME)];
    (0..100).for_each(|_| drop(pool.alloc(FRAME)));
    std::thread::sleep(20 * OFTEN);
    assert_eq!(told.load(Relaxed), 1);
}

/// Drops the monitor in its own callback, which keeps it, and so on its own thread.
#[test]
fn it_may_be_dropped_by_its_own_callback() {
    let pool = pool("Callback");
    let slot: Arc<Mutex<Option<Monitor>>> = Arc::default();
    let (done, is_done) = mpsc::channel();
    let monitor = Monitor::of(pool.clone()).every(OFTEN).on_event({
        let slot = Arc::clone(&slot);
        move |_| {
            slot.lock().unwrap().take();
            done.send(()).unwrap();
        }
    });
    *slot.lock().unwrap() = Some(monitor.start().unwrap());
    let _both = [pool.alloc(FRAME), pool.alloc(FRAME)];
    drop(pool.alloc(FRAME));
    is_done.recv_timeout(soon()).unwrap();
}

#[test]
fn it_gives_memory_back_once_when_nothing_goes_on() {
    let pool = pool("Idle");
    let (tell, told) = mpsc::channel();
    let monitor = Monitor::of(pool.clone()).every(OFTEN).trim_after(10 * OFTEN).on_event(move |event| {
        tell.send(format!("{event:?}: {event}")).unwrap();
    });
    let _monitor = monitor.start().unwrap();
    std::thread::sleep(20 * OFTEN);
    assert!(told.try_recv().is_err(), "nothing has gone on yet");
    pool.alloc_zeroed(FRAME).fill(1);
    let text = told.recv_timeout(soon()).unwrap();
    if system::HAS_FIGURES {
        assert!(
            text.starts_with("Trimmed { bytes: 13") && text.ends_with("trimmed 1.3 MiB while idle"),
            "{text}"
        );
        assert_eq!(pool.residency().resident_bytes, 0);
    }
    std::thread::sleep(30 * OFTEN);
    assert!(told.try_recv().is_err(), "once");
}

#[cfg(all(target_os = "linux", not(framepool_os = "none")))]
#[test]
fn it_tells_what_the_system_refuses() {
    if common::case().is_none() {
        return common::run_to_success(common::child(it_tells_what_the_system_refuses, "limited"));
    }
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid limit. Rights that overrule it are given up.
    unsafe {
        assert_eq!(libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit), 0);
        assert_eq!(libc::setresuid(65_534, 65_534, 65_534), 0);
    }
    use framepool::{MemoryOption, MonitorEvent};
    let pool = BufferPool::with_config(Config::new().lock_memory(true));
    let (tell, told) = mpsc::channel();
    let monitor = Monitor::of(pool).every(OFTEN).on_event(move |event| {
        assert!(event.is_warning());
        if let MonitorEvent::OptionDenied { option, .. } = event {
            tell.send(*option).unwrap();
        }
    });
    let _monitor = monitor.start().unwrap();
    assert_eq!(told.recv_timeout(soon()).unwrap(), MemoryOption::Lock);
    std::thread::sleep(20 * OFTEN);
    assert!(told.try_recv().is_err(), "once");
}

/// Runs in a child process, so that no other test allocates.
#[test]
fn what_it_allocates_itself_is_not_counted() {
    if common::case().is_none() {
        return common::run_to_success(common::child(what_it_allocates_itself_is_not_counted, "quiet"));
    }
    listen();
    let monitor = Monitor::of(&ALLOC).named("Quiet").every(Duration::from_millis(1)).start().unwrap();
    until("the first check", || !listen().render().is_empty());
    let sleeps = Sleeps::of_thread("framepool");
    until("quiet", || {
        let before = ALLOC.stats();
        sleeps.wait_for(20);
        ALLOC.stats() == before
    });
    drop(monitor);
}

/// How often a thread went to sleep, as Linux counts it. Elsewhere time has to do.
struct Sleeps(Option<std::fs::File>);

impl Sleeps {
    fn of_thread(name: &str) -> Self {
        // In Wine the folder is there, and what is in it cannot be read.
        let tasks = if cfg!(unix) { std::fs::read_dir("/proc/self/task").ok() } else { None };
        let tasks = tasks.into_iter().flatten().map(|task| task.unwrap().path());
        let mut found =
            tasks.filter(|task| std::fs::read_to_string(task.join("comm")).unwrap().trim() == name);
        Self(found.next().map(|task| std::fs::File::open(task.join("status")).unwrap()))
    }

    /// Waits until the thread has slept `more` times. Allocates nothing.
    fn wait_for(&self, more: u64) {
        let Some(file) = &self.0 else { return std::thread::sleep(Duration::from_millis(50)) };
        let begun = Self::read(file);
        while Self::read(file) < begun + more {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[cfg(unix)]
    fn read(file: &std::fs::File) -> u64 {
        use std::os::unix::fs::FileExt;
        const LINE: &str = "\nvoluntary_ctxt_switches:";
        let mut text = [0; 4_096];
        let bytes = file.read_at(&mut text, 0).unwrap();
        let text = std::str::from_utf8(&text[..bytes]).unwrap();
        let number = text[text.find(LINE).unwrap() + LINE.len()..].split_whitespace().next();
        number.unwrap().parse().unwrap()
    }

    #[cfg(not(unix))]
    fn read(_: &std::fs::File) -> u64 {
        0
    }
}

#[test]
fn the_metrics_are_the_statistics() {
    let handle = listen();
    let pool = pool("Metrics");
    let _kept = pool.alloc_zeroed(FRAME);
    drop(pool.alloc(3 << 20));
    let monitor = Monitor::of(pool.clone()).every(OFTEN).show_residency(true);
    let monitor = monitor.start().unwrap();
    let labels = "pool=\"Metrics\",class=\"XLarge\"";
    let wanted = [
        format!("framepool_hits_total{{{labels}}} 1"),
        format!("framepool_misses_total{{{labels}}} 0"),
        format!("framepool_requested_bytes_total{{{labels}}} {FRAME}"),
        format!("framepool_slots{{{labels}}} 2"),
        format!("framepool_slots_in_use{{{labels}}} 1"),
        format!("framepool_slots_peak{{{labels}}} 1"),
        format!("framepool_slot_bytes{{{labels}}} {FRAME}"),
        "framepool_refused_total{pool=\"Metrics\",reason=\"too_large\"} 1".to_owned(),
        format!("framepool_fallback_bytes_total{{pool=\"Metrics\"}} {}", 3 << 20),
        "framepool_reserved{pool=\"Metrics\"} 1".to_owned(),
        "framepool_resident_bytes{pool=\"Metrics\"}".to_owned(),
    ];
    let mut missing = String::new();
    until("every line", || {
        let text = handle.render();
        missing = wanted.iter().filter(|line| !text.contains(*line)).cloned().collect();
        missing.is_empty()
    });
    drop(monitor);
}

#[test]
fn statistics_residency_and_advice_can_be_serialized() {
    let pool = pool("Serde");
    let _kept = pool.alloc(FRAME);
    let stats = serde_json::to_value(pool.stats()).unwrap();
    assert_eq!(stats["classes"][3]["hits"], json!(1));
    assert_eq!(stats["reservation"], json!("Ready"));
    let residency: Value = serde_json::to_value(pool.residency()).unwrap();
    assert!(residency["resident_bytes"].is_u64() && residency["denied"].is_object(), "{residency}");
    assert_eq!(serde_json::to_value(Class::XLarge).unwrap(), json!("XLarge"));
    assert_eq!(serde_json::to_value(Bypass::OverAligned).unwrap(), json!("over-aligned"));
    assert_eq!(serde_json::to_value(MemoryOption::Lock).unwrap(), json!("locked memory"));
    assert_eq!(serde_json::to_value(pool.stats().named("Camera")).unwrap()["name"], json!("Camera"));
    let denied =
        MonitorEvent::OptionDenied { option: MemoryOption::Lock, error: ErrorKind::OutOfMemory.into() };
    let denied = serde_json::to_value(denied).unwrap();
    assert_eq!(denied, json!({ "OptionDenied": { "option": "locked memory", "error": "out of memory" } }));
    let advice = serde_json::to_value(pool.stats().advice()).unwrap();
    assert_eq!((&advice["recorded"], &advice["unserved"]), (&json!(false), &json!([])));
    assert_eq!(advice["served"], json!({ "requests": 0, "bytes": 0 }));
}

#[cfg(unix)]
#[test]
fn a_monitor_that_is_dropped_in_the_child_of_a_fork_does_nothing() {
    let monitor = Monitor::of(&ALLOC).every(OFTEN).start().unwrap();
    let monitor = std::cell::Cell::new(Some(monitor));
    for _ in 0..20 {
        common::in_forked_child(|| drop(monitor.take())).unwrap();
    }
    drop(monitor);
}

/// A signal that is sent to the process has to reach a thread that expects it, not the monitor's thread.
#[cfg(target_os = "linux")]
#[test]
fn its_thread_takes_none_of_the_processs_signals() {
    let _monitor = Monitor::of(&ALLOC).every(OFTEN).on_event(|_| ()).start().unwrap();
    let blocked = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let status = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("status")).ok();
        let statuses: Vec<_> = tasks.filter_map(|task| status(task.ok()?)).collect();
        let field = |status: &str, name: &str| {
            status.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned())).unwrap()
        };
        let of_monitors = statuses.iter().filter(|status| field(status, "Name:") == "framepool");
        of_monitors
            .map(|status| u64::from_str_radix(&field(status, "SigBlk:"), 16).unwrap())
            .collect::<Vec<_>>()
    };
    until("its thread has its name", || !blocked().is_empty());
    let has = |signals: u64, signal: libc::c_int| signals & 1 << (signal - 1) != 0;
    for signals in blocked() {
        for signal in
            [libc::SIGTERM, libc::SIGINT, libc::SIGUSR1, libc::SIGALRM, libc::SIGCHLD, libc::SIGPROF]
        {
            assert!(has(signals, signal), "{signal} of {signals:#x}");
        }
        assert!(!has(signals, libc::SIGSEGV), "{signals:#x}");
    }
    // SAFETY: the calls only read this thread's signal mask into a valid place.
    unsafe {
        let mut own = std::mem::zeroed();
        assert_eq!(libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), &mut own), 0);
        assert_eq!(libc::sigismember(&own, libc::SIGTERM), 0, "the thread that started it has its signals");
    }
}
