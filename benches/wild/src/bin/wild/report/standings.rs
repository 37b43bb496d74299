//! How the advised table compares with the best of the other allocators in each program, and which cells differ beyond
//! noise.

use std::fmt::Write;

use framepool_wild::PROGRAMS;

use super::{CONDITIONS, CPU};
use crate::contestants::{ADVISED, CONTESTANTS, RIVALS};
use crate::ratios::{Interval, median};
use crate::results::Results;

/// A comparison of an advised contestant with the rival that it does worst against.
struct Standing {
    rival: &'static str,
    ratio: Interval,
}

/// Writes the table and what it comes to.
pub(super) fn write(text: &mut String, results: &Results) {
    let _ = writeln!(
        text,
        "**CPU time with the advised table**, as a ratio to the rival that it does worst against. With huge pages where that takes less \
         time in both conditions together\n"
    );
    let _ =
        writeln!(text, "| program | table | on a quiet machine | beside the neighbour |\n|---|---|---|---|");
    let (mut cells, mut first, mut ahead, mut behind) = (0, 0, 0, 0);
    for program in PROGRAMS {
        let Some(ours) = choice(results, program.name) else { continue };
        let _ = write!(text, "| {} | {ours} |", program.name);
        for (condition, _) in CONDITIONS {
            let Some(Standing { rival, ratio }) = standing(results, program.name, ours, condition) else {
                text.push_str(" |");
                continue;
            };
            cells += 1;
            first += usize::from(ratio.median <= 1.0);
            ahead += usize::from(ratio.high < 1.0);
            behind += usize::from(ratio.low > 1.0);
            let _ = write!(text, " {rival}: {ratio} |");
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "\nFirst by the medians in {first} of {cells}. Beyond noise (the interval holds no 1): ahead of all rivals in {ahead}, behind one \
         in {behind}, neither in {}.\n",
        cells - ahead - behind
    );
    let _ = writeln!(text, "Beyond noise against `System`, of all cells:\n");
    for contestant in &CONTESTANTS[1..] {
        against_system(text, results, contestant.name);
    }
    text.push('\n');
}

/// Returns the advised contestant that takes less time in both conditions together.
fn choice(results: &Results, program: &str) -> Option<&'static str> {
    let time = |name: &str| {
        let medians = CONDITIONS.map(|(condition, _)| {
            let mut series = results.series(program, name, condition, CPU.of);
            (!series.is_empty()).then(|| median(&mut series))
        });
        medians.into_iter().sum::<Option<f64>>()
    };
    let times = ADVISED.iter().filter_map(|name| Some((*name, time(name)?)));
    times.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(name, _)| name)
}

fn standing(results: &Results, program: &str, ours: &str, condition: &str) -> Option<Standing> {
    let ratios = RIVALS.iter().filter_map(|rival| {
        let ratio = CPU.ratio_to(results, program, ours, rival, condition)?;
        Some(Standing { rival, ratio })
    });
    ratios.max_by(|one, other| one.ratio.median.total_cmp(&other.ratio.median))
}

/// Writes in how many cells a contestant is quicker and slower than the system's allocator.
fn against_system(text: &mut String, results: &Results, name: &str) {
    let (mut cells, mut quicker, mut slower) = (0, 0, Vec::new());
    for program in PROGRAMS {
        for (condition, _) in CONDITIONS {
            let Some(ratio) = CPU.ratio(results, program.name, name, condition) else { continue };
            cells += 1;
            quicker += usize::from(ratio.high < 1.0);
            if ratio.low > 1.0 {
                slower.push(format!("{} {condition} {:.2}", program.name, ratio.median));
            }
        }
    }
    if cells != 0 {
        let list = if slower.is_empty() { String::new() } else { format!(": {}", slower.join(", ")) };
        let _ = writeln!(text, "- {name}: quicker in {quicker} of {cells}, slower in {}{list}", slower.len());
    }
}
