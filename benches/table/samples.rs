//! The figures of one child, and their summary: medians, and the middle half of a ratio.
//!
//! A ratio is taken within each round, between two samples about 10 ms apart, and summed up afterwards. If
//! the machine gets slower halfway, both sides of the ratio change.

use std::collections::HashMap;

/// A workload of one size, as in `("warm/pair", 65536)`.
pub(crate) type Work<'a> = (&'a str, usize);

/// Nanoseconds a block of each contestant and workload, one figure a round.
pub(crate) struct Samples(HashMap<(String, String, usize), Vec<f64>>);

/// The median of one value a round, and the middle half of them.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Samples {
    /// Reads the output of a child.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut samples: HashMap<_, Vec<f64>> = HashMap::new();
        for line in text.lines() {
            let mut fields = line.split('\t');
            let cell = (fields.next()?.to_owned(), fields.next()?.to_owned(), fields.next()?.parse().ok()?);
            samples.entry(cell).or_default().push(fields.next()?.parse().ok()?);
        }
        Some(Self(samples))
    }

    /// Returns the number of rounds.
    pub(crate) fn rounds(&self) -> usize {
        self.0.values().map(Vec::len).max().unwrap_or(0)
    }

    /// Returns the median nanoseconds of a block.
    pub(crate) fn median(&self, contestant: &str, work: Work) -> f64 {
        Spread::of(self.of(contestant, work).to_vec()).median
    }

    /// Returns how many times as long `slow` takes as `fast`.
    pub(crate) fn ratio(&self, slow: &str, fast: &str, work: Work) -> Spread {
        let (slow, fast) = (self.of(slow, work), self.of(fast, work));
        Spread::of(slow.iter().zip(fast).map(|(slow, fast)| slow / fast).collect())
    }

    fn of(&self, contestant: &str, (workload, bytes): Work) -> &[f64] {
        &self.0[&(contestant.to_owned(), workload.to_owned(), bytes)]
    }
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |quarters: usize| values[(values.len() - 1) * quarters / 4];
        Self { median: at(2), low: at(1), high: at(3) }
    }
}
