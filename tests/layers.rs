//! The floors of `src/`: which module may use which, and what only some of them may use at all.
//!
//! Reads the sources as tokens, so comments and strings do not count, and code inside macros does. Modules that are only compiled for tests
//! may use everything.

#[path = "common/source.rs"]
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use source::{Module, modules};

/// The modules of `src/`, from the ground up. Each may use those of lower floors: none of its own floor, and none above.
const FLOORS: [&[&str]; 12] = [
    &["layout", "os", "text", "tunables"],
    &["fatal", "sync"],
    &["slots"],
    &["config", "magazine"],
    &["memory", "stats"],
    &["advice", "thread"],
    &["metadata"],
    &["lifecycle"],
    &["pools"],
    &["buffer_pool", "pool_alloc"],
    &["inspect", "monitor"],
    &["assert_no_misses", "assert_pooled", "guide", "lib"],
];

fn src() -> Vec<Module> {
    modules("src", "lib")
}

fn floor(floors: &[&[&str]], name: &str) -> usize {
    let floor = floors.iter().position(|floor| floor.contains(&name));
    floor.unwrap_or_else(|| panic!("'{name}' has no floor in tests/layers.rs"))
}

/// Each use of a module on the same floor or above.
fn upward(floors: &[&[&str]], modules: &[Module]) -> Vec<String> {
    let uses = modules.iter().flat_map(|module| {
        let names = module.paths.iter().filter(|path| path[0] == "crate").filter_map(|path| path.get(1));
        names.map(move |name| (module, name))
    });
    // What begins with a capital letter is one of the crate's public items, which stand in `lib.rs`.
    let name_of = |name: &str| if name.starts_with(char::is_uppercase) { "lib" } else { name }.to_owned();
    uses.map(|(module, name)| (module, name_of(name)))
        .filter(|(module, name)| module.room() != name)
        .filter(|(module, name)| floor(floors, name) >= floor(floors, module.room()))
        .map(|(module, name)| format!("{} uses crate::{name}", module.file))
        .collect()
}

#[test]
fn no_module_uses_one_of_its_own_floor_or_above() {
    assert_eq!(upward(&FLOORS, &src()), [""; 0]);
}

#[test]
fn two_floors_that_are_swapped_are_noticed() {
    let modules = src();
    for lower in 0..FLOORS.len() - 1 {
        let mut floors = FLOORS;
        floors.swap(lower, lower + 1);
        assert!(
            !upward(&floors, &modules).is_empty(),
            "{:?} need not be below {:?}",
            floors[lower + 1],
            floors[lower]
        );
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let crates = [
        ("src", "lib"),
        ("src/bin/framepool", "main"),
        ("benches/peers/src", "main"),
        ("benches/table", "main"),
    ];
    for (folder, root) in crates {
        let modules = modules(folder, root);
        let names: Vec<_> = modules.iter().map(|module| &module.name).collect();
        // The file of the innermost module that a path names. Parents and children belong together.
        let file_of = |path: &Vec<String>| {
            (1..=path.len()).rev().find_map(|len| names.iter().position(|name| **name == path[..len]))
        };
        let is_family = |one: &[String], other: &[String]| one.starts_with(other) || other.starts_with(one);
        let uses: Vec<Vec<usize>> = modules
            .iter()
            .map(|module| {
                let used = module.paths.iter().filter_map(file_of);
                used.filter(|&used| !is_family(&modules[used].name, &module.name)).collect()
            })
            .collect();
        for start in 0..modules.len() {
            let mut reached = vec![false; modules.len()];
            let mut next = uses[start].clone();
            while let Some(module) = next.pop() {
                if !core::mem::replace(&mut reached[module], true) {
                    next.extend(&uses[module]);
                }
            }
            assert!(!reached[start], "{} is part of a circle", modules[start].file);
        }
    }
}

/// Dependencies that Cargo.toml has for one kind of target only.
fn system_crates() -> Vec<String> {
    let manifest = fs::read_to_string("Cargo.toml").unwrap();
    let mut is_system = false;
    let mut crates = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_system = line.starts_with("[target.") && line.ends_with(".dependencies]");
        } else if let (true, Some((name, _))) = (is_system, line.split_once('=')) {
            crates.push(name.trim().replace('-', "_"));
        }
    }
    assert!(crates.contains(&"libc".to_owned()));
    crates
}

#[test]
fn only_os_uses_the_crates_of_a_system() {
    let crates = system_crates();
    for module in src().iter().filter(|module| module.room() != "os") {
        let used = module.paths.iter().find(|path| crates.contains(&path[0]));
        assert_eq!(used, None, "{}", module.file);
    }
}

#[test]
fn only_sync_and_os_use_atomics() {
    let modules = src();
    let is_atomic = |path: &&Vec<String>| path.len() > 2 && path[1] == "sync" && path[2] == "atomic";
    let rooms: BTreeMap<_, _> = modules
        .iter()
        .filter(|module| module.paths.iter().any(|path| is_atomic(&path)))
        .map(|module| (module.room(), &module.file))
        .collect();
    assert!(rooms.keys().all(|room| ["os", "sync"].contains(room)), "{rooms:?}");
    assert!(!rooms.is_empty());
}

/// A row for each floor: `| 3 | **slots** | ...`, from the top down.
#[test]
fn the_map_in_architecture_shows_the_same_floors() {
    let page = fs::read_to_string("ARCHITECTURE.md").unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | **"));
    let shown: BTreeMap<usize, Vec<String>> = rows
        .filter_map(|(number, rest)| Some((number.parse().ok()?, rest)))
        .map(|(number, rest)| {
            let cell = rest.split(" |").next().unwrap();
            (number, cell.split(", ").map(|name| name.trim_matches('*').to_owned()).collect())
        })
        .collect();
    let expected: BTreeMap<usize, Vec<String>> = FLOORS
        .iter()
        .zip(1..)
        .map(|(floor, number)| (number, floor.iter().map(|&name| name.to_owned()).collect()))
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn every_file_of_src_is_read() {
    let files = src().iter().map(|module| module.file.clone()).collect::<Vec<_>>();
    for expected in ["src/lib.rs", "src/os.rs", "src/os/linux.rs", "src/os/none.rs", "src/pools/trim/walk.rs"]
    {
        assert!(files.iter().any(|file| file == expected), "{expected}");
        assert!(Path::new(expected).exists());
    }
    assert!(files.iter().all(|file| !file.ends_with("/tests.rs")));
}
