//! The advice as text, and its table in the two forms in which a user can try it.

use core::fmt;

use super::{Advice, ClassAdvice};
use crate::slots::class::Class;
use crate::stats::units::{Amount, Grouped, Percent};

impl Advice {
    /// Returns the advised table as a value for [`FRAMEPOOL`](crate::Config::env); `None` if there is none.
    #[must_use]
    pub fn environment(&self) -> Option<String> {
        self.config()?;
        let class = |(class, advice): (Class, &ClassAdvice)| {
            let ClassAdvice { slot_bytes, slots, floor, .. } = advice;
            let name = class.name().to_lowercase();
            format!("{name}={slot_bytes}x{slots}:floor={floor}:hold=0:magazine=0")
        };
        Some(Class::ALL.into_iter().zip(&self.classes).map(class).collect::<Vec<_>>().join(","))
    }

    /// Returns the advised table as a Rust constant, ready to paste; `None` if there is none.
    #[must_use]
    pub fn literal(&self) -> Option<String> {
        self.config()?;
        let mut literal = "const CONFIG: framepool::Config = framepool::Config::new()".to_owned();
        for (class, advice) in Class::ALL.into_iter().zip(&self.classes) {
            let ClassAdvice { slot_bytes, slots, floor, peak } = *advice;
            let class = format!("framepool::Class::{class}");
            let (slot_bytes, slots) = (grouped(slot_bytes), grouped(slots));
            let why = if peak > 0 {
                format!("up to {} at once", grouped(peak))
            } else {
                "nothing needs it".to_owned()
            };
            literal += &format!("\n    .class({class}, {slot_bytes}, {slots}) // {why}");
            if floor > 0 {
                literal += &format!("\n    .floor({class}, {})", grouped(floor));
            }
            literal += &format!("\n    .hold_back({class}, 0, 0)\n    .magazine({class}, 0)");
        }
        Some(literal + ";")
    }
}

/// Formats a number as Rust source writes it: 3_110_400.
fn grouped(number: usize) -> Grouped {
    Grouped(number as u64, '_')
}

fn percent(part: u64, all: u64) -> Percent {
    Percent((all > 0).then(|| part as f64 / all as f64))
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.recorded {
            return write!(f, "Nothing was recorded: see Config::record, or set FRAMEPOOL=record");
        }
        for finding in &self.findings {
            writeln!(f, "- {finding}")?;
        }
        for unserved in &self.unserved {
            writeln!(f, "- left out: {unserved}")?;
        }
        if let Some(cost) = self.cost {
            writeln!(
                f,
                "- the counting of the recording took about {:.1}% of the CPU time, beside slower paths",
                100.0 * cost.share()
            )?;
        }
        let (Some(literal), Some(environment)) = (self.literal(), self.environment()) else {
            return write!(
                f,
                "No table: nothing was asked for that is worth a slot, or too much lived at once for four classes."
            );
        };
        let mib = self.reserved_bytes() as f64 / (1 << 20) as f64;
        let ratio = self.reserved_bytes() as f64 / self.peak_bytes().max(1) as f64;
        let (all, served) = (self.requested, self.served);
        writeln!(
            f,
            "A table of {mib:.1} MiB, {ratio:.2} times what was needed at once, would have served {} of {} requests \
             and {} of {} without a miss:",
            percent(served.requests, all.requests),
            Grouped(all.requests, ','),
            percent(served.bytes, all.bytes),
            Amount(all.bytes),
        )?;
        writeln!(f, "\n{literal}\n")?;
        write!(f, "or, without rebuilding (Config::env):\n\nFRAMEPOOL={environment}")
    }
}
