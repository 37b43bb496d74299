//! P9: however a library that holds the allocator was found and opened, it may be closed while threads that
//! used it live.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod host;

use std::env;
use std::ffi::{c_int, c_void};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use host::common::{child, run_to_success};
use host::{
    Addon, Folder, HostKeys, addon, exit_after_closing, in_child, in_child_that_finds, is_child, name_of,
};

/// Closes the addon before the exit of a thread that has magazines.
fn close_under_a_thread(addon: Addon) {
    assert!(exit_after_closing(addon) > 0, "the thread had no magazines");
}

#[test]
fn a_library_with_local_or_global_symbols_bound_now_or_later_may_be_closed() {
    let flags = [
        libc::RTLD_NOW | libc::RTLD_LOCAL,
        libc::RTLD_NOW | libc::RTLD_GLOBAL,
        libc::RTLD_LAZY | libc::RTLD_LOCAL,
        libc::RTLD_LAZY | libc::RTLD_GLOBAL,
        libc::RTLD_NOW | libc::RTLD_DEEPBIND,
    ];
    match env::var("UNLOADING_FLAGS") {
        Ok(flags) => close_under_a_thread(Addon::open_with(addon(), flags.parse::<c_int>().unwrap())),
        Err(_) => {
            for flags in flags {
                let test = a_library_with_local_or_global_symbols_bound_now_or_later_may_be_closed;
                let mut command: Command = child(test, "child");
                command.env("UNLOADING_FLAGS", flags.to_string());
                run_to_success(command);
            }
        }
    }
}

#[test]
fn a_library_opened_by_a_relative_path_may_be_closed_from_another_directory() {
    in_child(a_library_opened_by_a_relative_path_may_be_closed_from_another_directory, || {
        let folder = Folder::new("relative");
        folder.copy_addon("addon.so");
        env::set_current_dir(folder.path()).unwrap();
        let addon = Addon::open("./addon.so");
        env::set_current_dir("/").unwrap();
        assert_eq!(name_of(addon), "./addon.so");
        close_under_a_thread(addon);
    });
}

#[test]
fn a_library_whose_file_was_deleted_may_be_closed() {
    in_child(a_library_whose_file_was_deleted_may_be_closed, || {
        let folder = Folder::new("deleted");
        let file = folder.copy_addon("addon.so");
        let addon = Addon::open(&file);
        fs::remove_file(file).unwrap();
        close_under_a_thread(addon);
    });
}

#[test]
fn a_library_whose_file_was_deleted_before_it_was_opened_may_be_closed() {
    in_child(a_library_whose_file_was_deleted_before_it_was_opened_may_be_closed, || {
        let folder = Folder::new("descriptor");
        let path = folder.copy_addon("addon.so");
        let file = File::open(&path).unwrap();
        fs::remove_file(path).unwrap();
        let addon = Addon::open(format!("/proc/self/fd/{}", file.as_raw_fd()));
        drop(file);
        close_under_a_thread(addon);
    });
}

#[test]
fn a_library_that_never_was_in_a_file_system_may_be_closed() {
    in_child(a_library_that_never_was_in_a_file_system_may_be_closed, || {
        // SAFETY: a valid name; the descriptor is new, and no other value owns it.
        let mut file = unsafe { File::from_raw_fd(libc::memfd_create(c"addon".as_ptr(), 0)) };
        io::copy(&mut File::open(addon()).unwrap(), &mut file).unwrap();
        close_under_a_thread(Addon::open(format!("/proc/self/fd/{}", file.as_raw_fd())));
    });
}

#[test]
fn a_library_opened_through_a_symbolic_link_may_be_closed() {
    in_child(a_library_opened_through_a_symbolic_link_may_be_closed, || {
        let folder = Folder::new("link");
        let (file, link) = (folder.copy_addon("addon.so"), folder.path().join("link.so"));
        symlink(file, &link).unwrap();
        let addon = Addon::open(&link);
        fs::remove_file(link).unwrap();
        close_under_a_thread(addon);
    });
}

#[test]
fn a_library_found_by_its_name_alone_may_be_closed() {
    if !is_child() {
        let folder = Folder::new("name");
        folder.copy_addon("libfound_by_name.so");
        let test = a_library_found_by_its_name_alone_may_be_closed;
        return in_child_that_finds(test, folder.path(), "child");
    }
    close_under_a_thread(Addon::open("libfound_by_name.so"));
}

/// The loader gives both libraries the same name, and finds the older one by it.
#[test]
fn a_library_that_replaced_the_file_of_an_open_one_may_be_closed() {
    if !is_child() {
        let folder = Folder::new("replaced");
        folder.copy_addon("libreplaced.so");
        let test = a_library_that_replaced_the_file_of_an_open_one_may_be_closed;
        return in_child_that_finds(test, folder.path(), "child");
    }
    let folder = env::var("LD_LIBRARY_PATH").unwrap();
    let older = Addon::open(format!("{folder}/libreplaced.so"));
    let new = format!("{folder}/new.so");
    fs::copy(addon(), &new).unwrap();
    fs::rename(new, format!("{folder}/libreplaced.so")).unwrap();
    let newer = Addon::open("libreplaced.so");
    assert_eq!(name_of(older), name_of(newer));
    let block = older.keep(0);
    assert!(older.owns(block) && !newer.owns(block), "the loader took the one for the other");
    // A library that cannot be kept gives threads no magazines, but it serves.
    exit_after_closing(newer);
    close_under_a_thread(older);
}

/// A C library keeps the values of keys in the thread, by number. The C library of another namespace has
/// other keys with the same numbers.
#[test]
fn a_library_in_a_namespace_of_its_own_leaves_the_hosts_keys_alone() {
    in_child(a_library_in_a_namespace_of_its_own_leaves_the_hosts_keys_alone, || {
        let keys = HostKeys::new();
        let addon = Addon::open_in_a_new_namespace(addon());
        let thread = thread::spawn(move || {
            keys.set();
            addon.use_all();
            keys.check();
        });
        thread.join().unwrap();
        keys.check_destroyed(1);
        thread::spawn(move || addon.use_all()).join().unwrap();
        exit_after_closing(addon);
        keys.check_destroyed(1);
    });
}

/// A namespace ends with the last library in it, and a process has 16.
#[test]
fn namespaces_with_the_library_may_come_and_go() {
    in_child(namespaces_with_the_library_may_come_and_go, || {
        for _ in 0..50 {
            exit_after_closing(Addon::open_in_a_new_namespace(addon()));
        }
    });
}

/// Other threads hold the loader's locks often, and for long.
#[test]
fn a_library_opens_while_others_are_opened_closed_and_looked_through() {
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    unsafe extern "C" fn look(_: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
        thread::yield_now();
        0
    }
    in_child(a_library_opens_while_others_are_opened_closed_and_looked_through, || {
        let folder = Folder::new("locks");
        let others = [c"libresolv.so.2", c"libutil.so.1", c"libanl.so.1", c"libBrokenLocale.so.1"];
        thread::scope(|scope| {
            for other in others {
                scope.spawn(move || {
                    while !IS_OVER.load(SeqCst) {
                        // SAFETY: a valid name of a library of glibc's, which is closed again.
                        unsafe {
                            let handle = libc::dlopen(other.as_ptr(), libc::RTLD_NOW);
                            if !handle.is_null() {
                                libc::dlclose(handle);
                            }
                        }
                    }
                });
            }
            scope.spawn(|| {
                while !IS_OVER.load(SeqCst) {
                    // SAFETY: the function changes nothing that it is passed.
                    unsafe { libc::dl_iterate_phdr(Some(look), std::ptr::null_mut()) };
                }
            });
            let openers = [0, 1].map(|opener| {
                let folder = &folder;
                scope.spawn(move || {
                    for copy in 0..10 {
                        let copy = folder.copy_addon(&format!("{opener}-{copy}.so"));
                        close_under_a_thread(Addon::open(copy));
                    }
                })
            });
            let outcomes = openers.map(|opener| opener.join());
            IS_OVER.store(true, SeqCst);
            outcomes.into_iter().for_each(Result::unwrap);
        });
    });
}

#[test]
fn a_program_that_holds_the_allocator_itself_has_magazines() {
    let output = Command::new(env!("CARGO_BIN_EXE_plain")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_program_that_allocates_in_a_constructor_has_magazines() {
    let output = Command::new(env!("CARGO_BIN_EXE_early")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
