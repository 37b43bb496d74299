//! Tests of `FRAMEPOOL`, which changes a program that allows it: its table, its switch, and what it prints at
//! its end. Each case runs in a child of its own.

#![cfg(all(any(unix, windows), not(framepool_os = "none")))]

mod common;

use std::alloc::GlobalAlloc;
use std::process::Output;

use common::{case, child, layout, run};
use framepool::{Bypass, Class, Config, PoolAlloc, assert_no_misses, assert_pooled};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::with_config(Config::new().hardened(true));

/// An allocator that does not read the variable.
static WITHOUT_ENV: PoolAlloc = PoolAlloc::with_config(Config::new().env(false));

/// Runs `test` in a child with this value, and returns what the child wrote to standard error.
fn told<T: Fn()>(test: T, value: &str) -> String {
    let mut command = child(test, "child");
    command.env("FRAMEPOOL", value);
    let Output { status, stdout, stderr } = run(command);
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && stdout.contains("1 passed"), "{status}\n{stdout}\n{stderr}");
    stderr.into_owned()
}

fn table(pool: &PoolAlloc) -> [(u64, u64); 4] {
    Class::ALL.map(|class| (pool.stats().class(class).slot_bytes, pool.stats().class(class).slots))
}

const DEFAULT: [(u64, u64); 4] = [(1 << 10, 1_024), (64 << 10, 64), (256 << 10, 32), (2 << 20, 64)];

#[test]
fn without_it_the_program_is_as_it_was_built() {
    assert_eq!(table(&ALLOC), DEFAULT);
    if case().is_none() {
        assert_eq!(told(without_it_the_program_is_as_it_was_built, ""), "");
    }
}

#[test]
fn a_table_is_tried_without_a_word_and_serves() {
    if case().is_none() {
        let table = "xlarge=3110400x48,medium=65536x128:floor=2048";
        return assert_eq!(told(a_table_is_tried_without_a_word_and_serves, table), "");
    }
    assert_eq!(table(&ALLOC), [DEFAULT[0], (65_536, 128), DEFAULT[2], (3_110_400, 48)]);
    let frame = vec![1_u8; 3_110_400];
    assert!(ALLOC.owns(frame.as_ptr()));
    assert_eq!(ALLOC.usable_size(frame.as_ptr()), Some(3_110_400));
    drop(frame);
    let before = ALLOC.stats();
    let too_small = vec![1_u8; 2_047];
    assert!(!ALLOC.owns(too_small.as_ptr()));
    assert_eq!(ALLOC.stats().since(&before).class(Class::Medium).below_floor, 1);
    // SAFETY: not empty, and freed as it was allocated.
    unsafe {
        let ptr = WITHOUT_ENV.alloc(layout(10, 1));
        WITHOUT_ENV.dealloc(ptr, layout(10, 1));
    }
    assert_eq!(table(&WITHOUT_ENV), DEFAULT);
}

/// The crate keeps the value that the variable has when the program is loaded. Std guards later changes of
/// the environment by a lock, which no allocator may take.
#[test]
fn what_the_program_sets_later_is_not_seen() {
    static LATE: PoolAlloc = PoolAlloc::new();
    if case().is_none() {
        return assert_eq!(told(what_the_program_sets_later_is_not_seen, "large=262144x3"), "");
    }
    // SAFETY: no other thread reads or changes the environment.
    unsafe { std::env::set_var("FRAMEPOOL", "large=262144x5") };
    LATE.prewarm();
    assert_eq!(table(&LATE)[2], (262_144, 3));
}

#[test]
fn off_is_off_until_the_program_says_otherwise() {
    if case().is_none() {
        return assert_eq!(told(off_is_off_until_the_program_says_otherwise, "off"), "");
    }
    assert_eq!(ALLOC.stats().hits(), 0);
    assert!(ALLOC.stats().bypassed(Bypass::Disabled) > 0);
    assert!(!ALLOC.is_enabled());
    std::panic::set_hook(Box::new(|_| ())); // Standard error stays empty.
    let not_pooled =
        std::panic::catch_unwind(|| assert_pooled!(ALLOC, drop(vec![1_u8; 2 << 20]))).unwrap_err();
    let text = not_pooled.downcast_ref::<String>().unwrap();
    assert!(text.contains("1 request of 2 MiB to 4 MiB (2.0 MiB together): disabled\n"), "{text}");
    assert_no_misses!(ALLOC, drop(vec![1_u8; 2 << 20]));
    let stats = ALLOC.stats();
    assert_eq!(stats.pooled_share(), Some(0.0));
    assert!(stats.to_string().contains("\nOverall hit rate: n/a\nPooled: 0.0% of "), "{stats}");
    ALLOC.set_enabled(true);
    let frame = vec![1_u8; 2 << 20];
    assert!(ALLOC.owns(frame.as_ptr()));
}

#[test]
fn the_table_is_on_standard_error_when_the_program_exits() {
    let test = the_table_is_on_standard_error_when_the_program_exits;
    if case().is_none() {
        let stderr = told(test, "stats,large=262144x3");
        let lines: Vec<_> = stderr.lines().collect();
        assert!(lines[0].starts_with("environment-") && lines[0].contains(", process "), "{stderr}");
        assert_eq!(lines[1], "[buffer_pool] Global pool statistics:");
        assert!(lines[2].starts_with("Small  (1 KiB): hits="), "{stderr}");
        assert_eq!(lines[4], "Large  (256 KiB): hits=7 misses=1 peak=3/3 (100.0%)");
        let rate = lines.iter().position(|line| line.starts_with("Overall hit rate: ")).expect("a hit rate");
        assert!(lines[rate + 1].starts_with("Pooled: "), "{stderr}");
        let too_large = "20 requests too large for XLarge (2 MiB), largest 3,110,400 bytes, 2 at once; \
                         try .class(Class::XLarge, 3_112_960, ";
        assert!(lines[rate + 2].starts_with(too_large), "{stderr}");
        return;
    }
    assert_eq!(ALLOC.config(), Config::new().hardened(true).class(Class::Large, 262_144, 3));
    let live: [_; 4] = std::array::from_fn(|_| vec![1_u8; 262_144]);
    drop(live);
    (0..4).for_each(|n| drop(vec![n as u8; 262_144]));
    (0..10_u8).for_each(|n| drop([vec![n; 3_110_400], vec![n; 3_110_400]]));
}

/// The program may have another file open as descriptor 2, or as the duplicate's, when it ends.
#[cfg(unix)]
#[test]
fn the_table_at_the_end_is_not_written_into_a_file_of_the_programs() {
    use std::ffi::CString;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;

    let test = the_table_at_the_end_is_not_written_into_a_file_of_the_programs;
    let file = |case: &str| std::env::temp_dir().join(format!("framepool-data-{case}"));
    /// Opens a file of data as a descriptor that had another use.
    fn open_as(descriptor: libc::c_int, path: &std::path::Path) {
        let path = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: a valid path. The descriptor is closed under its owner, on purpose.
        unsafe {
            libc::close(descriptor);
            let opened = libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC, 0o600);
            assert_eq!(libc::dup2(opened, descriptor), descriptor);
            assert_eq!(libc::write(descriptor, b"data".as_ptr().cast(), 4), 4);
        }
    }
    if let Some(case) = case() {
        for descriptor in if case.starts_with("stderr") { 2..3 } else { 100..110 } {
            open_as(descriptor, &file(&case));
        }
        return;
    }
    for (what, is_told) in [("stderr", true), ("duplicate", false)] {
        let case = format!("{what}-{}", std::process::id());
        let mut command = child(test, &case);
        command.env("FRAMEPOOL", "stats");
        let Output { status, stderr, .. } = run(command);
        let data = fs::read(file(&case)).unwrap();
        fs::remove_file(file(&case)).unwrap();
        assert!(status.success(), "{status}");
        assert_eq!(String::from_utf8_lossy(&data), "data");
        assert_eq!(String::from_utf8_lossy(&stderr).contains("Overall hit rate"), is_told, "{what}");
    }
}

/// A thread that holds std's lock on standard error does not keep the program from ending.
#[test]
fn the_table_at_the_end_waits_for_no_other_writer() {
    let test = the_table_at_the_end_waits_for_no_other_writer;
    if case().is_none() {
        return assert!(told(test, "stats").contains("Overall hit rate"));
    }
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _forever = std::io::stderr().lock();
        tell.send(()).unwrap();
        loop {
            std::thread::park();
        }
    });
    told.recv().unwrap();
}

#[test]
fn whatever_is_wrong_is_told_in_one_line_and_ignored() {
    let test = whatever_is_wrong_is_told_in_one_line_and_ignored;
    if case().is_some() {
        assert_eq!(table(&ALLOC), DEFAULT);
        return assert!(ALLOC.stats().hits() > 0);
    }
    let ignored = "framepool: FRAMEPOOL is ignored: ";
    let known = "on, off, stats, record, to=FILE, table=FILE, huge, prefault, lock, and classes such as \
                 xlarge=3112960x12";
    assert_eq!(told(test, "off,nonsense"), format!("{ignored}unknown word 'nonsense'; known are {known}\n"));
    assert_eq!(told(test, "stats,small=1x"), format!("{ignored}'' is not a number, or too large\n"));
    let why = "XLarge slots of 3110000 bytes: a slot size is a multiple of 64 bytes; the next one is 3110016";
    assert_eq!(told(test, "xlarge=3110000x48"), format!("{ignored}{why}\n"));
}

/// Runs as root only, because only root may make such a program.
#[cfg(target_os = "linux")]
#[test]
fn a_program_with_rights_of_its_own_ignores_it() {
    use std::fs::{Permissions, copy, remove_file, set_permissions};
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::process::Command;

    // SAFETY: queries that take no pointer.
    let (user, is_secure) = unsafe { (libc::getuid(), libc::getauxval(libc::AT_SECURE) != 0) };
    if case().is_some() {
        println!("secure: {is_secure}");
        return assert_eq!(table(&ALLOC) == DEFAULT, is_secure);
    }
    if user != 0 {
        return println!("not root: not shown");
    }
    let program = std::env::temp_dir().join(format!("framepool-setuid-{}", std::process::id()));
    copy(std::env::current_exe().unwrap(), &program).unwrap();
    chown(&program, Some(65_534), None).unwrap();
    set_permissions(&program, Permissions::from_mode(0o4755)).unwrap();
    let mut command: Command = child(a_program_with_rights_of_its_own_ignores_it, "child");
    command.env("FRAMEPOOL", "stats,large=262144x3");
    let plain = run(command);
    let args = ["--exact", "a_program_with_rights_of_its_own_ignores_it", "--nocapture"];
    let mut command = Command::new(&program);
    command.env("FRAMEPOOL", "stats,large=262144x3").env("FRAMEPOOL_TEST_CASE", "child").args(args);
    let other = run(command);
    remove_file(&program).unwrap();
    assert!(plain.status.success() && other.status.success(), "{plain:?}\n{other:?}");
    assert!(!plain.stderr.is_empty());
    let is_secure = String::from_utf8_lossy(&other.stdout).contains("secure: true");
    // If the file system ignores the bit (nosuid), the copy is a program like any other.
    assert_eq!(other.stderr.is_empty(), is_secure, "{other:?}");
    println!("shown: {is_secure}");
}
