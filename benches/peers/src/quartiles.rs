//! Medians and quartiles, which sum up every figure.

use std::fmt;

/// The median of values, one a round, and the bounds of their middle half.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quartiles {
    pub(crate) median: f64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

impl Quartiles {
    /// Returns the quartiles of `values`, or `None` if there are none.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let at = |quarters: usize| values[(values.len() - 1) * quarters / 4];
        Some(Self { median: at(2), lower: at(1), upper: at(3) })
    }
}

/// Returns the median of at least one value.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    Quartiles::of(values).expect("the callers have at least one value").median
}

impl fmt::Display for Quartiles {
    /// Writes `12.3 (12.1..12.8)`, or `12.3` alone if all three values print alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, lower, upper] = [self.median, self.lower, self.upper].map(figure);
        f.write_str(&median)?;
        if lower != upper {
            write!(f, " ({lower}..{upper})")?;
        }
        Ok(())
    }
}

/// Formats three significant digits below a thousand, and whole numbers with separated thousands above.
pub(crate) fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        below if below < 9.995 => 2,
        below if below < 99.95 => 1,
        _ => 0,
    };
    let plain = format!("{value:.decimals$}");
    let (sign, digits) = plain.strip_prefix('-').map_or(("", &*plain), |digits| ("-", digits));
    let mut text = digits.to_owned();
    let mut at = if decimals == 0 { text.len() } else { 0 };
    while at > 3 {
        at -= 3;
        text.insert(at, ',');
    }
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_middle_half_around_the_median() {
        let quartiles = Quartiles::of((1..=9).rev().map(f64::from).collect());
        assert_eq!(quartiles, Some(Quartiles { median: 5.0, lower: 3.0, upper: 7.0 }));
        assert_eq!(Quartiles::of(vec![2.0]), Some(Quartiles { median: 2.0, lower: 2.0, upper: 2.0 }));
        assert_eq!(Quartiles::of(Vec::new()), None);
    }

    #[test]
    fn figures_have_three_digits_or_thousands() {
        let figures = [0.0, 1.234, 9.996, 12.34, 123.4, 1234.5, 1_234_567.0, -4.5, -1234.0].map(figure);
        assert_eq!(figures, ["0.00", "1.23", "10.0", "12.3", "123", "1,234", "1,234,567", "-4.50", "-1,234"]);
    }
}
