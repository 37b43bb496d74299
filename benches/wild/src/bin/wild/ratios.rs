//! Medians, ratios by round, and bootstrap intervals.

use std::fmt;

/// A median with the interval that holds it in 95 of 100 resamplings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, low, high } = self;
        write!(f, "{median:.2} ({low:.2}..{high:.2})")
    }
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// Returns the median of the ratios of two series, round by round, and its interval by the bootstrap (B. Efron 1979).
pub(crate) fn paired(values: &[f64], base: &[f64]) -> Interval {
    const RESAMPLINGS: usize = 2_000;
    let ratios: Vec<_> = values.iter().zip(base).map(|(value, base)| value / base).collect();
    let mut random = fastrand::Rng::with_seed(1);
    let mut medians: Vec<_> = (0..RESAMPLINGS)
        .map(|_| median(&mut ratios.iter().map(|_| ratios[random.usize(..ratios.len())]).collect::<Vec<_>>()))
        .collect();
    medians.sort_by(f64::total_cmp);
    let low = medians[RESAMPLINGS * 25 / 1_000];
    let high = medians[RESAMPLINGS * 975 / 1_000];
    Interval { median: median(&mut ratios.clone()), low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_one_round_and_its_interval_holds_it() {
        let base: Vec<_> = (1..=15).map(f64::from).collect();
        let twice: Vec<_> = base.iter().map(|value| 2.0 * value).collect();
        assert_eq!(paired(&twice, &base), Interval { median: 2.0, low: 2.0, high: 2.0 });
        let noisy: Vec<_> =
            base.iter().enumerate().map(|(n, value)| value * (0.9 + 0.02 * n as f64)).collect();
        let Interval { median, low, high } = paired(&noisy, &base);
        assert!(low < median && median < high && (median - 1.04).abs() < 1e-9, "{low} {median} {high}");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!((median(&mut [3.0, 1.0, 2.0]), median(&mut [4.0, 1.0, 2.0, 3.0])), (2.0, 2.5));
        assert!(median(&mut []).is_nan());
    }
}
