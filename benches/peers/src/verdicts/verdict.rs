//! One verdict: a figure, its mark, and whether the median meets the mark. If the middle half crosses the
//! mark, the verdict is not settled.

use std::fmt;

use crate::quartiles::{Quartiles, figure};

/// A figure and the mark that it is judged by.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) subject: String,
    pub(crate) found: Quartiles,
    pub(crate) unit: &'static str,
    pub(crate) mark: Mark,
}

/// The mark that a figure must meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mark {
    AtMost(f64),
    Below(f64),
    AtLeast(f64),
    /// No mark: the figure is only reported.
    Reported,
}

impl Mark {
    fn is_met(self, value: f64) -> bool {
        match self {
            Mark::AtMost(most) => value <= most,
            Mark::Below(bound) => value < bound,
            Mark::AtLeast(least) => value >= least,
            Mark::Reported => true,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, found, unit, mark } = self;
        write!(f, "{subject}: {found}{unit}")?;
        let (words, bound) = match *mark {
            Mark::AtMost(most) => ("at most", most),
            Mark::Below(bound) => ("below", bound),
            Mark::AtLeast(least) => ("at least", least),
            Mark::Reported => return Ok(()),
        };
        let is_settled = mark.is_met(found.lower) == mark.is_met(found.upper);
        let outcome = if mark.is_met(found.median) { "met" } else { "NOT MET" };
        let doubt = if is_settled { "" } else { ", not settled" };
        write!(f, "; {words} {}{unit} asked: {outcome}{doubt}", figure(bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_whose_spread_crosses_its_mark_is_not_settled() {
        let line = |lower, median, upper, mark| {
            let found = Quartiles { median, lower, upper };
            Verdict { subject: "pairs".to_owned(), found, unit: " x", mark }.to_string()
        };
        assert_eq!(
            line(1.0, 1.3, 1.3, Mark::AtMost(1.1)),
            "pairs: 1.30 (1.00..1.30) x; at most 1.10 x asked: NOT MET, not settled"
        );
        assert_eq!(
            line(60.0, 70.0, 80.0, Mark::AtLeast(50.0)),
            "pairs: 70.0 (60.0..80.0) x; at least 50.0 x asked: met"
        );
        assert_eq!(line(1.0, 1.0, 1.0, Mark::Below(1.0)), "pairs: 1.00 x; below 1.00 x asked: NOT MET");
        assert_eq!(line(1.0, 1.0, 1.0, Mark::Reported), "pairs: 1.00 x");
    }
}
