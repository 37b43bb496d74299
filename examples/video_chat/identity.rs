//! The check that the runs did the same work: packets of one client and frame are equal in all runs that
//! encoded them.

use std::collections::HashMap;

use serde::Serialize;

/// The packets that were encoded in at least two runs, and how many of them were the same in all of those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Identity {
    pub(crate) identical: usize,
    pub(crate) compared: usize,
}

/// Compares the packets of all runs, each a tuple of client, frame and checksum.
pub(crate) fn compare<'a>(runs: impl IntoIterator<Item = &'a [(u32, u32, u32)]>) -> Identity {
    struct Seen {
        checksum: u32,
        runs: u32,
        equal: bool,
    }
    let mut seen: HashMap<(u32, u32), Seen> = HashMap::new();
    for &(client, frame, checksum) in runs.into_iter().flatten() {
        let entry = seen.entry((client, frame)).or_insert(Seen { checksum, runs: 0, equal: true });
        entry.runs += 1;
        entry.equal &= entry.checksum == checksum;
    }
    let compared = seen.values().filter(|packet| packet.runs > 1);
    Identity { identical: compared.clone().filter(|packet| packet.equal).count(), compared: compared.count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_compared_where_two_runs_have_them() {
        let runs: [&[_]; 3] =
            [&[(0, 0, 7), (0, 1, 8), (1, 0, 9)], &[(0, 0, 7), (1, 0, 5)], &[(0, 0, 7), (2, 0, 1)]];
        assert_eq!(compare(runs), Identity { identical: 1, compared: 2 });
        assert_eq!(compare([]), Identity { identical: 0, compared: 0 });
    }
}
