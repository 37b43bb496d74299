//! Sizes and numbers as the statistics print them.

use core::fmt;

/// A size, written in the largest unit that divides it: 2 MiB, 3110400 B.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} B"),
        }
    }
}

/// An amount of bytes, with one digit after the point: 889.9 MiB.
pub(crate) struct Amount(pub(crate) u64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.0 as f64;
        match self.0 {
            ..1_024 => write!(f, "{} B", self.0),
            1_024..1_048_576 => write!(f, "{:.1} KiB", amount / 1024.0),
            1_048_576..10_737_418_240 => write!(f, "{:.1} MiB", amount / f64::from(1 << 20)),
            _ => write!(f, "{:.1} GiB", amount / f64::from(1 << 30)),
        }
    }
}

/// A share, 0.0 to 1.0, in percent. It is rounded down, so that only all is 100.0%. `None` is `n/a`.
pub(crate) struct Percent(pub(crate) Option<f64>);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(share) => write!(f, "{:.1}%", (1000.0 * share).floor() / 10.0),
            None => f.write_str("n/a"),
        }
    }
}

/// A number with its digits in groups of three: 3,110,400, or 3_110_400 as Rust source writes it.
pub(crate) struct Grouped(pub(crate) u64, pub(crate) char);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, separator) = (self.0, self.1);
        if number < 1_000 {
            return write!(f, "{number}");
        }
        write!(f, "{}{separator}{:03}", Grouped(number / 1_000, separator), number % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_shares_print_as_people_write_them() {
        let bytes = [1, 1_023, 1_024, 3_110_400, 3 << 20].map(|bytes| Bytes(bytes).to_string());
        assert_eq!(bytes, ["1 B", "1023 B", "1 KiB", "3110400 B", "3 MiB"]);
        let amounts = [0, 1_023, 1_536, 933_120_000, 20 << 30].map(|bytes| Amount(bytes).to_string());
        assert_eq!(amounts, ["0 B", "1023 B", "1.5 KiB", "889.9 MiB", "20.0 GiB"]);
        let numbers = [0, 999, 1_000, 3_110_400].map(|number| Grouped(number, ',').to_string());
        assert_eq!(numbers, ["0", "999", "1,000", "3,110,400"]);
        assert_eq!(Grouped(1_002_003, '_').to_string(), "1_002_003");
    }

    #[test]
    fn only_everything_is_a_hundred_percent() {
        let shares = [None, Some(0.0), Some(0.9999), Some(1.0)].map(|share| Percent(share).to_string());
        assert_eq!(shares, ["n/a", "0.0%", "99.9%", "100.0%"]);
    }
}
