//! A median with its range, the comparison of two of them, and the format of numbers.

use std::fmt;

use serde::Serialize;

/// The median of several runs, and their extremes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Returns the spread of `values`, or `None` if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let upper = values.len() / 2;
        let lower = (values.len() - 1) / 2;
        Some(Self { median: f64::midpoint(values[lower], values[upper]), min, max })
    }

    /// Compares this spread with `base`.
    pub(crate) fn against(&self, base: &Self) -> Verdict {
        if self.min <= base.max && base.min <= self.max {
            Verdict::NoDifference
        } else if self.median < base.median {
            Verdict::Less(base.median / self.median)
        } else {
            Verdict::More(self.median / base.median)
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, min, max] = [self.median, self.min, self.max].map(|value| Number(value).to_string());
        if min == max { f.pad(&median) } else { f.pad(&format!("{median} ({min}..{max})")) }
    }
}

/// The difference between two spreads. If their ranges overlap, there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    NoDifference,
    /// The ratio by which it is less; infinite if nothing is left.
    Less(f64),
    /// The ratio by which it is more.
    More(f64),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ratio, word, share) = match *self {
            Verdict::NoDifference => return f.pad("no difference"),
            Verdict::Less(ratio) => (ratio, "less", 1.0 - 1.0 / ratio),
            Verdict::More(ratio) => (ratio, "more", ratio - 1.0),
        };
        if ratio.is_infinite() {
            f.pad(if word == "less" { "none left" } else { "more" })
        } else if ratio < 2.0 {
            f.pad(&format!("{:.0} % {word}", 100.0 * share))
        } else {
            f.pad(&format!("{} x {word}", Number(ratio)))
        }
    }
}

/// A number with two or three significant digits. A whole number has all its digits up to ten thousand.
pub(crate) struct Number(pub(crate) f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        let text = match value.abs() {
            size if size >= 999_500.0 => format!("{:.1}M", value / 1e6),
            size if size >= 9_999.5 => format!("{:.1}k", value / 1e3),
            _ if value.fract() == 0.0 => format!("{value:.0}"),
            size if size >= 99.95 => format!("{value:.0}"),
            size if size >= 9.995 => format!("{value:.1}"),
            size if size >= 0.0995 => format!("{value:.2}"),
            _ => format!("{value:.3}"),
        };
        f.pad(&text)
    }
}

/// Formats a whole number in groups of three digits: `,` for people, `_` for Rust.
pub(crate) fn grouped(value: u64, separator: char) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread<const N: usize>(values: [f64; N]) -> Spread {
        Spread::of(values).expect("values")
    }

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(spread([3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(spread([4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(spread([7.0]), Spread { median: 7.0, min: 7.0, max: 7.0 });
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ranges_that_overlap_or_touch_are_no_difference() {
        let base = spread([10.0, 11.0, 12.0]);
        assert_eq!(spread([1.0, 2.0, 10.0]).against(&base), Verdict::NoDifference);
        assert_eq!(spread([10.5, 10.6, 10.7]).against(&base), Verdict::NoDifference);
        assert_eq!(spread([5.0, 5.5, 9.9]).against(&base), Verdict::Less(2.0));
        assert_eq!(spread([22.0]).against(&base), Verdict::More(2.0));
        assert_eq!(spread([0.0]).against(&spread([0.0])), Verdict::NoDifference);
    }

    #[test]
    fn verdicts_read_as_people_say_them() {
        assert_eq!(Verdict::NoDifference.to_string(), "no difference");
        assert_eq!(Verdict::Less(30.0).to_string(), "30 x less");
        assert_eq!(Verdict::Less(1.25).to_string(), "20 % less");
        assert_eq!(Verdict::More(1.25).to_string(), "25 % more");
        assert_eq!(spread([0.0]).against(&spread([5.0])).to_string(), "none left");
        assert_eq!(spread([5.0]).against(&spread([0.0])).to_string(), "more");
    }

    #[test]
    fn numbers_keep_three_digits_and_counts_all() {
        let texts = [1_350.0, 10.456, 3.456, 0.0012, 123.4, 0.0, 12_345.6, 2_000_000.0]
            .map(|n| Number(n).to_string());
        assert_eq!(texts, ["1350", "10.5", "3.46", "0.001", "123", "0", "12.3k", "2.0M"]);
        assert_eq!(
            [grouped(3_110_400, '_'), grouped(999, ','), grouped(1_000, ',')],
            ["3_110_400", "999", "1,000"]
        );
    }

    #[test]
    fn a_spread_shows_its_range_only_if_it_has_one() {
        assert_eq!(spread([2.0, 2.0]).to_string(), "2");
        assert_eq!(spread([20.21, 20.22, 20.23]).to_string(), "20.2");
        assert_eq!(spread([1.0, 2.0, 3.5]).to_string(), "2 (1..3.50)");
    }
}
