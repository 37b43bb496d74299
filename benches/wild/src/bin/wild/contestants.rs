//! The contestants: a binary each, and the environment that some of them need.

use std::path::Path;

/// One contestant.
#[derive(Debug)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// The binary that has its allocator.
    pub(crate) binary: &'static str,
    /// The parts of `FRAMEPOOL` beside the table.
    words: &'static str,
    is_advised: bool,
    tunables: Option<&'static str>,
}

const PLAIN: Contestant = Contestant { name: "", binary: "", words: "", is_advised: false, tunables: None };

/// glibc's thresholds, raised so that no large block is mapped by itself or returned to the system.
const TUNABLES: &str = "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824";

/// All contestants, in the order of the tables. The first one is the measure of the others.
pub(crate) const CONTESTANTS: &[Contestant] = &[
    Contestant { name: "system", binary: "system", ..PLAIN },
    Contestant { name: "tuned", binary: "system", tunables: Some(TUNABLES), ..PLAIN },
    Contestant { name: "pools", binary: "pools", ..PLAIN },
    Contestant { name: "advised", binary: "pools", is_advised: true, ..PLAIN },
    Contestant { name: "pools_huge", binary: "pools", words: "huge", ..PLAIN },
    Contestant { name: "advised_huge", binary: "pools", words: "huge", is_advised: true, ..PLAIN },
    Contestant { name: "mimalloc", binary: "mimalloc", ..PLAIN },
    Contestant { name: "jemalloc", binary: "jemalloc", ..PLAIN },
    Contestant { name: "rpmalloc", binary: "rpmalloc", ..PLAIN },
];

impl Contestant {
    /// Returns the environment of a run, with the advised table in `table`, if there is one.
    pub(crate) fn environment(&self, table: Option<&Path>) -> Vec<(&'static str, String)> {
        let table = table.filter(|_| self.is_advised).map(|table| format!("table={}", table.display()));
        let words = [Some(self.words.to_owned()).filter(|words| !words.is_empty()), table];
        let value = words.into_iter().flatten().collect::<Vec<_>>().join(",");
        let variable = Some(("FRAMEPOOL", value)).filter(|(_, value)| !value.is_empty());
        let tunables = self.tunables.map(|tunables| ("GLIBC_TUNABLES", tunables.to_owned()));
        variable.into_iter().chain(tunables).collect()
    }
}
