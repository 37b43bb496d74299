//! Counts of requests by size: a table of fixed size, filled without allocating.
//!
//! The counts are exact for the first sizes that a thread requests. Small sizes share one row, and sizes that
//! find no free row share another, so the sum is always exact.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

/// The size below which all sizes share one row.
pub(crate) const SMALL: usize = 256;

/// The number of sizes that one thread's table counts apart.
const ROWS: usize = 48;

/// One thread's table.
pub(crate) struct Sizes {
    small: AtomicU64,
    rows: [(AtomicUsize, AtomicU64); ROWS],
    others: AtomicU64,
}

impl Sizes {
    pub(crate) const fn new() -> Self {
        let rows = [const { (AtomicUsize::new(0), AtomicU64::new(0)) }; ROWS];
        Self { small: AtomicU64::new(0), rows, others: AtomicU64::new(0) }
    }

    /// Counts a request of `size` bytes.
    pub(crate) fn count(&self, size: usize) {
        self.row(size).fetch_add(1, Ordering::Relaxed);
    }

    fn row(&self, size: usize) -> &AtomicU64 {
        if size < SMALL {
            return &self.small;
        }
        for (row_size, count) in &self.rows {
            // A row whose size is 0 is free. If two threads that share a table want the same row, one of them
            // gets it.
            let found = match row_size.load(Ordering::Relaxed) {
                0 => row_size
                    .compare_exchange(0, size, Ordering::Relaxed, Ordering::Relaxed)
                    .unwrap_or_else(|now| now),
                other => other,
            };
            if found == size || found == 0 {
                return count;
            }
        }
        &self.others
    }

    /// Returns the number of all requests.
    pub(crate) fn total(&self) -> u64 {
        let rows = self.rows.iter().map(|(_, count)| count);
        let counts = rows.chain([&self.small, &self.others]);
        counts.map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Adds this table's counts to `all`.
    pub(crate) fn read_into(&self, all: &mut Unserved) {
        all.small += self.small.load(Ordering::Relaxed);
        all.others += self.others.load(Ordering::Relaxed);
        for (size, count) in &self.rows {
            let (size, count) = (size.load(Ordering::Relaxed), count.load(Ordering::Relaxed));
            if size != 0 {
                *all.sizes.entry(size).or_default() += count;
            }
        }
    }
}

/// The counts of one or more tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unserved {
    /// Requests below [`SMALL`].
    pub(crate) small: u64,
    /// Requests by size.
    pub(crate) sizes: BTreeMap<usize, u64>,
    /// Requests whose size found no free row.
    pub(crate) others: u64,
}

impl Unserved {
    /// Returns the number of requests of `size` bytes.
    pub(crate) fn of(&self, size: usize) -> u64 {
        self.sizes.get(&size).copied().unwrap_or(0)
    }

    /// Returns the requests since an earlier reading. Sizes without requests since then are left out.
    pub(crate) fn since(self, earlier: &Self) -> Self {
        let sizes = self.sizes.iter().map(|(&size, count)| (size, count - earlier.of(size)));
        Self {
            small: self.small - earlier.small,
            sizes: sizes.filter(|&(_, count)| count > 0).collect(),
            others: self.others - earlier.others,
        }
    }

    /// Returns the number of all requests.
    pub(crate) fn total(&self) -> u64 {
        self.small + self.sizes.values().sum::<u64>() + self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(table: &Sizes) -> Unserved {
        let mut all = Unserved::default();
        table.read_into(&mut all);
        all
    }

    #[test]
    fn sizes_have_their_rows_and_small_ones_share_one() {
        let table = Sizes::new();
        [1, 255, 256, 4_096, 4_096].into_iter().for_each(|size| table.count(size));
        let counts = read(&table);
        assert_eq!((counts.small, counts.of(256), counts.of(4_096), counts.others), (2, 1, 2, 0));
    }

    #[test]
    fn a_full_table_counts_the_rest_as_others_and_loses_none() {
        let table = Sizes::new();
        for size in 0..ROWS + 10 {
            table.count(SMALL + size);
        }
        table.count(SMALL);
        let counts = read(&table);
        assert_eq!((counts.of(SMALL), counts.sizes.len(), counts.others), (2, ROWS, 10));
        assert_eq!((counts.total(), table.total()), (ROWS as u64 + 11, ROWS as u64 + 11));
    }

    #[test]
    fn a_difference_leaves_out_what_did_not_happen_since() {
        let table = Sizes::new();
        [300, 400].into_iter().for_each(|size| table.count(size));
        let before = read(&table);
        [400, 500].into_iter().for_each(|size| table.count(size));
        let since = read(&table).since(&before);
        assert_eq!(since.sizes, BTreeMap::from([(400, 1), (500, 1)]));
    }
}
