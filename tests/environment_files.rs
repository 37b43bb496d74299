//! Tests of the files that `FRAMEPOOL` names: what is written where, and what is wrong with a file. Each case runs
//! in a child of its own, and a wrong file leaves the program as it is without the variable.

#![cfg(all(unix, not(framepool_os = "none")))]

mod common;

use std::ffi::CString;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{case, child, run};
use framepool::{Class, PoolAlloc};

#[global_allocator]
static ALLOC: PoolAlloc = PoolAlloc::new();

/// A folder that is removed when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("framepool-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a child with this value in this folder, and returns what it wrote to standard error.
fn told_in(folder: &Path, mut command: Command, value: &str) -> String {
    command.env("FRAMEPOOL", value).current_dir(folder);
    let Output { status, stdout, stderr } = run(command);
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && stdout.contains("1 passed"), "{status}\n{stdout}\n{stderr}");
    stderr.into_owned()
}

fn large_slots() -> u64 {
    ALLOC.stats().class(Class::Large).slots
}

#[test]
fn a_table_comes_from_a_file_in_the_folder_in_which_the_program_starts() {
    let test = a_table_comes_from_a_file_in_the_folder_in_which_the_program_starts;
    if case().is_some() {
        return assert_eq!(large_slots(), 3);
    }
    let folder = Folder::new("table");
    // The longest file that is read, with the ends of lines of another system.
    let table = "# A table.\r\n\r\nlarge=262144x3\r\n";
    let longest = format!("#{}\n{table}", "x".repeat(4_094 - table.len()));
    for text in [table, &longest, "large=262144x3", "\u{feff}# A table.\nLARGE=262144X3:Floor=0:HOLD=0"] {
        fs::write(folder.file("frames.table"), text).unwrap();
        assert_eq!(told_in(&folder.0, child(test, "child"), "Table= frames.table "), "");
    }
    assert_eq!(longest.len(), 4_096);
}

/// Makes a pipe that no process writes to.
fn make_pipe(path: &Path) {
    let path = CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: a valid path.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

/// Makes root a user like any other with regard to permissions, where root may do that.
fn without_rights(mut command: Command) -> Command {
    let drop_rights = || {
        #[cfg(target_os = "linux")]
        for right in [1, 2] {
            // CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH. SAFETY: the call takes only numbers.
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, right, 0, 0, 0) };
        }
        Ok(())
    };
    // SAFETY: between `fork` and `exec` it only makes two system calls.
    unsafe { command.pre_exec(drop_rights) };
    command
}

/// Whether a program without rights cannot read a file that is closed to all. Root may be unable to drop its rights.
fn is_closed(file: &Path) -> bool {
    let mut command = Command::new("cat");
    command.arg(file);
    let is_closed = !run(without_rights(command)).status.success();
    println!("a file without permissions is closed: {is_closed}");
    is_closed
}

#[test]
fn a_wrong_table_file_is_told_in_one_line_and_ignored() {
    let test = a_wrong_table_file_is_told_in_one_line_and_ignored;
    if case().is_some() {
        return assert_eq!(large_slots(), 32);
    }
    let folder = Folder::new("wrong");
    fs::create_dir(folder.file("folder")).unwrap();
    make_pipe(&folder.file("pipe"));
    File::create(folder.file("gigabyte")).unwrap().set_len(1 << 30).unwrap();
    fs::write(folder.file("closed"), "large=262144x3").unwrap();
    fs::set_permissions(folder.file("closed"), fs::Permissions::from_mode(0o0)).unwrap();
    for (file, text) in [
        ("empty", ""),
        ("comments", "# one\n# two\n"),
        ("two", "large=262144x3\nlarge=262144x3"),
        ("nonsense", "large=64x3"),
        ("words", "off"),
        ("long", &"#".repeat(4_097)),
        ("binary", "\0\u{1}\u{ff}"),
    ] {
        fs::write(folder.file(file), text).unwrap();
    }
    let is_closed = is_closed(&folder.file("closed"));
    for (file, problem) in [
        ("", "to= and table= need the name of a file"),
        ("missing", "no such file or folder"),
        ("folder", "it is a folder"),
        ("missing/file", "no such file or folder"),
        ("empty/file", "a part of the path is no folder"),
        ("empty", "there is no table in it"),
        ("comments", "there is no table in it"),
        ("two", "there is more than one table in it"),
        ("pipe", "there is no table in it"),
        ("words", "unknown word 'off'; known are classes such as xlarge=3112960x12"),
        ("long", "it is too long"),
        ("gigabyte", "it is too long"),
        ("binary", "unknown word '????'; known are classes such as xlarge=3112960x12"),
        ("closed", "permission denied"),
        (
            "nonsense",
            "Large slots of 64 bytes: slot sizes ascend from class to class; make them larger than Medium's 65536",
        ),
    ] {
        if file == "closed" && !is_closed {
            continue;
        }
        let told = told_in(&folder.0, without_rights(child(test, "child")), &format!("stats,table={file}"));
        assert_eq!(told, format!("framepool: FRAMEPOOL is ignored: {file}: {problem}\n"));
    }
    fs::write(folder.file("right"), "large=262144x3").unwrap();
    for (value, problem) in [
        ("table=right,table=right", "right: a table from a file is named already"),
        ("table=right,to=right", "right: the statistics would overwrite the table"),
        (
            "table=right,xlarge=64x1",
            "XLarge slots of 64 bytes: slot sizes ascend from class to class; make them larger than Large's 262144",
        ),
    ] {
        let told = told_in(&folder.0, child(test, "child"), value);
        assert_eq!(told, format!("framepool: FRAMEPOOL is ignored: {problem}\n"));
    }
    assert_eq!(fs::read_to_string(folder.file("right")).unwrap(), "large=262144x3");
    let long = "x".repeat(5_000);
    let told = told_in(&folder.0, child(test, "child"), &format!("table={long}"));
    assert_eq!(told, format!("framepool: FRAMEPOOL is ignored: {}...: it is too long\n", &long[..80]));
}

#[test]
fn the_statistics_are_in_the_file_when_the_program_has_ended() {
    let test = the_statistics_are_in_the_file_when_the_program_has_ended;
    if case().is_some() {
        #[cfg(target_os = "linux")]
        {
            // Programs that this one executes do not have the file.
            let is_output = |fd: &libc::c_int| {
                fs::read_link(format!("/proc/self/fd/{fd}")).is_ok_and(|file| file.ends_with("out.txt"))
            };
            // SAFETY: the call takes only numbers.
            let flags: Vec<_> =
                (0..200).filter(is_output).map(|fd| unsafe { libc::fcntl(fd, libc::F_GETFD) }).collect();
            assert!(flags.iter().all(|flags| flags & libc::FD_CLOEXEC != 0), "{flags:?}");
        }
        // Where the program goes later does not matter.
        return std::env::set_current_dir("/").unwrap();
    }
    let folder = Folder::new("to");
    let file = folder.file("out.txt");
    fs::write(&file, "x".repeat(100_000)).unwrap();
    assert_eq!(told_in(&folder.0, child(test, "child"), "to=out.txt"), "");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("environment_files-") && text.contains("Pooled: "), "{text}");
    fs::remove_file(&file).unwrap();
    // Each process has a file of its own.
    assert_eq!(told_in(&folder.0, child(test, "child"), "to=out.%p,stats"), "");
    let name = fs::read_dir(&folder.0).unwrap().next().unwrap().unwrap().file_name();
    let process = text_process(&fs::read_to_string(folder.file(name.to_str().unwrap())).unwrap());
    assert_eq!(name.to_str(), Some(&*format!("out.{process}")));
}

/// Returns the process that a text of statistics names.
fn text_process(text: &str) -> u32 {
    let (_, rest) = text.split_once(", process ").unwrap();
    rest.split_once(':').unwrap().0.parse().unwrap()
}

/// The text in a file until the program ends.
const NOT_ENDED: &str = "# The program has not ended yet.\n";

/// A killed program writes nothing, so nothing of an earlier one may be left that looks like its statistics.
#[test]
fn a_killed_program_leaves_a_note() {
    let test = a_killed_program_leaves_a_note;
    if case().is_some() {
        // SAFETY: takes only a number.
        unsafe { libc::raise(libc::SIGTERM) };
    }
    let folder = Folder::new("killed");
    fs::write(folder.file("out.txt"), "large=262144x3\n").unwrap();
    let mut command = child(test, "child");
    command.env("FRAMEPOOL", "record,to=out.txt").current_dir(&folder.0);
    assert!(!run(command).status.success());
    assert_eq!(fs::read_to_string(folder.file("out.txt")).unwrap(), NOT_ENDED);
}

/// The program's own output stays, and the statistics follow it.
#[test]
fn standard_output_and_error_are_not_overwritten() {
    let test = standard_output_and_error_are_not_overwritten;
    if case().is_some() {
        return println!("what the program says");
    }
    let folder = Folder::new("standard");
    for (name, descriptor) in [("out", "stdout"), ("err", "stderr")] {
        let path = folder.file(name);
        fs::write(&path, "before\n").unwrap();
        let file = fs::OpenOptions::new().append(name == "err").write(true).open(&path).unwrap();
        let mut command = child(test, "child");
        command.env("FRAMEPOOL", format!("to={}", path.display()));
        if descriptor == "stdout" {
            command.stdout(file)
        } else {
            command.stderr(file)
        };
        assert!(command.status().unwrap().success());
        let text = fs::read_to_string(&path).unwrap();
        let kept = if descriptor == "stdout" { "what the program says\n" } else { "before\n" };
        let (kept, end) = (text.find(kept), text.find("Pooled: "));
        assert!(kept.is_some() && end > kept, "{text}");
    }
}

/// All allocators of a program are in the file, and the table is that of the first one.
#[test]
fn several_allocators_share_a_file() {
    static OTHER: PoolAlloc = PoolAlloc::new();
    let test = several_allocators_share_a_file;
    if case().is_some() {
        drop(vec![1_u8; 300_000]);
        for _ in 0..20 {
            common::Block::take(&OTHER, common::layout(7_000, 8), 1).give();
        }
        return;
    }
    let folder = Folder::new("several");
    assert_eq!(told_in(&folder.0, child(test, "child"), "record,to=out.txt"), "");
    let text = fs::read_to_string(folder.file("out.txt")).unwrap();
    assert_eq!(text.matches("Overall hit rate: ").count(), 2, "{text}");
    let tables: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(matches!(tables[..], [table] if table.contains("xlarge=303104x2")), "{text}");
}

/// The signal that a program gets beyond its limit is none for its statistics.
#[test]
fn a_limit_of_a_files_size_does_not_kill_the_program() {
    let test = a_limit_of_a_files_size_does_not_kill_the_program;
    if case().is_some() {
        return;
    }
    let folder = Folder::new("limit");
    let mut command = child(test, "child");
    let limit = || {
        let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: a valid limit.
        unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) };
        Ok(())
    };
    // SAFETY: between `fork` and `exec` it makes one system call.
    unsafe { command.pre_exec(limit) };
    let told = told_in(&folder.0, command, "to=out.txt");
    assert!(told.ends_with(" are lost: the file may not be that large\n"), "{told}");
}

/// The child of a `fork` leaves the file to its parent, which may still be at work.
#[test]
fn a_forked_child_leaves_the_file_alone() {
    let test = a_forked_child_leaves_the_file_alone;
    if case().is_some() {
        // SAFETY: the child exits as a program does, and allocates at most.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::exit(0);
            }
            let mut status = 0;
            assert_eq!((libc::waitpid(child, &mut status, 0), status), (child, 0));
        }
        return assert_eq!(fs::read_to_string("out.txt").unwrap(), NOT_ENDED);
    }
    let folder = Folder::new("fork");
    assert_eq!(told_in(&folder.0, child(test, "child"), "to=out.txt"), "");
    assert!(fs::read_to_string(folder.file("out.txt")).unwrap().contains("Pooled: "));
}

#[test]
fn an_output_that_cannot_be_opened_is_told_in_one_line_and_the_variable_ignored() {
    let test = an_output_that_cannot_be_opened_is_told_in_one_line_and_the_variable_ignored;
    if case().is_some() {
        return assert_eq!(large_slots(), 32);
    }
    let folder = Folder::new("unopened");
    fs::write(folder.file("closed"), "mine").unwrap();
    fs::set_permissions(folder.file("closed"), fs::Permissions::from_mode(0o0)).unwrap();
    let is_closed = is_closed(&folder.file("closed"));
    for (file, problem) in [
        ("missing/file", "no such file or folder"),
        (".", "it is a folder"),
        ("closed/file", "a part of the path is no folder"),
        ("closed", "permission denied"),
    ] {
        if file == "closed" && !is_closed {
            continue;
        }
        let value = format!("large=262144x3,to={file}");
        let told = told_in(&folder.0, without_rights(child(test, "child")), &value);
        assert_eq!(told, format!("framepool: FRAMEPOOL is ignored: {file}: {problem}\n"));
    }
    fs::set_permissions(folder.file("closed"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(fs::read(folder.file("closed")).unwrap(), b"mine");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_at_the_end_and_the_program_ends_as_it_would() {
    let test = a_full_disk_is_told_at_the_end_and_the_program_ends_as_it_would;
    if case().is_some() {
        return assert_eq!(large_slots(), 3);
    }
    let told = told_in(Path::new("/"), child(test, "child"), "large=262144x3,record,to=/dev/full");
    let expected = "framepool: the statistics of process ";
    assert!(told.starts_with(expected) && told.ends_with(" are lost: no space left\n"), "{told}");
    assert_eq!(told.lines().count(), 1);
}
