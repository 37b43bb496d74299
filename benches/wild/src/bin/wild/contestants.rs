//! The contestants: a binary each, and the environment that some of them need.

use std::path::Path;

/// One contestant.
#[derive(Debug)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// The binary that has its allocator.
    pub(crate) binary: &'static str,
    tunables: Option<&'static str>,
    /// Whether it has the table that a recorded run of the program advised.
    pub(crate) is_advised: bool,
    /// Whether the pools ask for huge pages, in the recorded run too.
    pub(crate) has_huge_pages: bool,
}

const PLAIN: Contestant =
    Contestant { name: "", binary: "", tunables: None, is_advised: false, has_huge_pages: false };
const POOLS: Contestant = Contestant { binary: "pools", ..PLAIN };

/// glibc's thresholds, raised so that no large block is mapped by itself or returned to the system.
const TUNABLES: &str = "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824";
/// Those thresholds, and huge pages.
const TUNABLES_HUGE: &str = "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824\
     :glibc.malloc.hugetlb=1";

/// All contestants, in the order of the tables. The first one is the measure of the others.
pub(crate) const CONTESTANTS: &[Contestant] = &[
    Contestant { name: "system", binary: "system", ..PLAIN },
    Contestant { name: "tuned", binary: "system", tunables: Some(TUNABLES), ..PLAIN },
    Contestant { name: "tuned_huge", binary: "system", tunables: Some(TUNABLES_HUGE), ..PLAIN },
    Contestant { name: "pools", ..POOLS },
    Contestant { name: "advised", is_advised: true, ..POOLS },
    Contestant { name: "pools_huge", has_huge_pages: true, ..POOLS },
    Contestant { name: "advised_huge", is_advised: true, has_huge_pages: true, ..POOLS },
    Contestant { name: "mimalloc", binary: "mimalloc", ..PLAIN },
    Contestant { name: "jemalloc", binary: "jemalloc", ..PLAIN },
    Contestant { name: "rpmalloc", binary: "rpmalloc", ..PLAIN },
];

/// The advised contestants.
pub(crate) const ADVISED: [&str; 2] = ["advised", "advised_huge"];
/// The contestants that they are compared with.
pub(crate) const RIVALS: [&str; 5] = ["tuned", "tuned_huge", "mimalloc", "jemalloc", "rpmalloc"];

impl Contestant {
    /// Returns the environment of a run, with the advised table in `table`.
    pub(crate) fn environment(&self, table: Option<&Path>) -> Vec<(&'static str, String)> {
        let table = table.map(|table| format!("table={}", table.display()));
        self.environment_with(table.into_iter().collect())
    }

    /// Returns the environment of a run with more words in `FRAMEPOOL`.
    pub(crate) fn environment_with(&self, mut words: Vec<String>) -> Vec<(&'static str, String)> {
        if self.has_huge_pages {
            words.insert(0, "huge".to_owned());
        }
        let variable = (!words.is_empty()).then(|| ("FRAMEPOOL", words.join(",")));
        let tunables = self.tunables.map(|tunables| ("GLIBC_TUNABLES", tunables.to_owned()));
        variable.into_iter().chain(tunables).collect()
    }
}
