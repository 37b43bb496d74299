//! The report for people, 100 columns wide: all runs side by side, then the pools' figures, then where the
//! pools did not help.

use std::fmt::{self, Write as _};

use crate::bypasses;
use crate::cli::{Cli, Mode};
use crate::figures::{self, Better, Figures, GROUPS, Metric};
use crate::identity::Identity;
use crate::parent::{self, Runs};
use crate::spread::{Number, Spread, Verdict, grouped};

/// The widths of the label and of a column.
const LABEL: usize = 24;
const COLUMN: usize = 21;

/// All figures, and the report of them.
pub(crate) struct Results<'a> {
    pub(crate) cli: &'a Cli,
    /// A description of the source: its size, chroma and frames.
    pub(crate) clip: String,
    pub(crate) runs: Vec<Runs>,
    pub(crate) identity: Identity,
}

impl Results<'_> {
    /// Returns the spread of a metric over the runs of a mode, or `None` if a run has no value.
    pub(crate) fn spread(&self, metric: &Metric, mode: Mode) -> Option<Spread> {
        let values: Option<Vec<f64>> =
            self.figures(mode).iter().map(|figures| (metric.value)(figures, self.cli.fps)).collect();
        Spread::of(values?)
    }

    /// Compares the runs of `mode` with those of `base`.
    pub(crate) fn verdict(&self, metric: &Metric, mode: Mode, base: Mode) -> Option<Verdict> {
        Some(self.spread(metric, mode)?.against(&self.spread(metric, base)?))
    }

    /// Returns the runs of a mode. There are none if the mode was left out.
    pub(crate) fn figures(&self, mode: Mode) -> &[Figures] {
        self.runs.iter().find(|runs| runs.mode == mode).map_or(&[], |runs| &runs.figures)
    }

    fn modes(&self) -> impl Iterator<Item = Mode> {
        self.runs.iter().map(|runs| runs.mode)
    }

    /// Renders the whole report.
    pub(crate) fn report(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        self.write_setting(&mut out)?;
        self.write_figures(&mut out)?;
        self.write_claims(&mut out)?;
        self.write_pools(&mut out)?;
        self.write_no_help(&mut out)?;
        self.write_identity(&mut out)?;
        Ok(out)
    }

    fn write_setting(&self, out: &mut String) -> fmt::Result {
        let Cli { clients, fps, seconds, rounds, .. } = self.cli;
        let pace =
            if self.cli.unpaced { "as fast as they can".to_owned() } else { format!("at {fps} frames/s") };
        writeln!(out, "Video chat of {clients} clients {pace}, from {}", self.cli.source())?;
        writeln!(out, "({}).", self.clip)?;
        writeln!(out, "{rounds} runs of {seconds} s each, in turns; medians (lowest..highest):")?;
        writeln!(
            out,
            "  off    this allocator switched off, not a build without it: the system's serves everything"
        )?;
        if self.modes().any(|mode| mode == Mode::Tuned) {
            let (mmap, trim) = parent::TUNABLES.split_once(':').unwrap_or((parent::TUNABLES, ""));
            writeln!(out, "  tuned  off, and GLIBC_TUNABLES={mmap}:")?;
            writeln!(out, "         {trim}")?;
        }
        let prewarmed = if self.cli.prewarm { ", prewarmed" } else { "" };
        let tried = parent::tried().map_or(String::new(), |value| format!(", FRAMEPOOL={value}"));
        writeln!(out, "  on     the pools on, table {}{prewarmed}{tried}", self.cli.table.name())
    }

    fn write_figures(&self, out: &mut String) -> fmt::Result {
        write!(out, "\n{:LABEL$}", "")?;
        for mode in self.modes() {
            write!(out, "{:COLUMN$}", mode.name())?;
        }
        writeln!(out, "on against off")?;
        for (title, metrics) in GROUPS {
            writeln!(out, "{title}")?;
            for metric in *metrics {
                let mut line = format!("  {:1$}", metric.label, LABEL - 2);
                for mode in self.modes() {
                    let cell = self.spread(metric, mode).map_or("-".to_owned(), |spread| spread.to_string());
                    write!(line, "{cell:0$} ", COLUMN - 1)?;
                }
                if self.judges(metric)
                    && let Some(verdict) = self.verdict(metric, Mode::On, Mode::Off)
                {
                    write!(line, "{verdict}")?;
                }
                writeln!(out, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }

    /// Writes the allocator's time beside ascii-chat's claims.
    fn write_claims(&self, out: &mut String) -> fmt::Result {
        writeln!(
            out,
            "\nThe same beside the claim of ascii-chat's buffer pool (its pipeline on its machine; not measured here):"
        )?;
        let head = ["off", "on", "recovered", "claim: off", "on", "recovered"];
        let line = |label: &str, cells: [String; 6]| {
            let cells: String = cells.iter().map(|cell| format!("{cell:12}")).collect();
            format!("{label:LABEL$}{cells}").trim_end().to_owned()
        };
        writeln!(out, "{}", line("", head.map(String::from)))?;
        for (metric, [claim_off, claim_on]) in &figures::CLAIMS {
            let median = |mode| self.spread(metric, mode).map_or(0.0, |spread| spread.median);
            let (off, on) = (median(Mode::Off), median(Mode::On));
            let cells = [off, on, off - on, *claim_off, *claim_on, claim_off - claim_on];
            writeln!(
                out,
                "{}",
                line(
                    &format!("  {}", metric.label.trim_start_matches("allocator, ")),
                    cells.map(|cell| Number(cell).to_string())
                )
            )?;
        }
        let budget_ms = 1e3 / f64::from(self.cli.fps);
        writeln!(
            out,
            "  A frame's budget is {budget_ms:.1} ms here, and 33.3 ms in the claim, which is for 270 frames a second."
        )
    }

    /// Writes the pools' figures of the last run with them, and the requests that they did not serve.
    fn write_pools(&self, out: &mut String) -> fmt::Result {
        let Some(run) = self.figures(Mode::On).last() else { return Ok(()) };
        writeln!(out, "\nThe last run with the pools on:\n{}", run.pools.table)?;
        if let Some(residency) = &run.pools.residency {
            writeln!(out, "Prewarmed. {residency}")?;
        }
        let used = run.pools.classes.iter().filter(|class| class.hits + class.misses > 0);
        let rates = used.map(|class| {
            format!("{} {:.1} %", class.name, 100.0 * class.hits as f64 / (class.hits + class.misses) as f64)
        });
        writeln!(out, "Hit rate by class: {}\n", rates.collect::<Vec<_>>().join(", "))?;
        bypasses::write(out, run, self.cli.table, self.cli.clients)
    }

    fn write_no_help(&self, out: &mut String) -> fmt::Result {
        let mut lines = Vec::new();
        for base in self.modes().filter(|&mode| mode != Mode::On) {
            let judged = figures::metrics().filter(|metric| self.judges(metric));
            lines.extend(judged.filter_map(|metric| self.no_help(metric, base)));
        }
        lines.extend(self.figures(Mode::On).last().and_then(|run| self.too_large(run)));
        if lines.is_empty() {
            return writeln!(out, "\nThe pools helped in every line above.");
        }
        writeln!(out, "\nWhere the pools did not help:")?;
        lines.iter().try_for_each(|line| writeln!(out, "  {line}"))
    }

    /// Whether runs are compared by this metric. The number of frames is given unless the run is unpaced, so
    /// it is compared in unpaced runs only.
    fn judges(&self, metric: &Metric) -> bool {
        match metric.better {
            Better::Lower => true,
            Better::Higher => self.cli.unpaced,
            Better::Neither => false,
        }
    }

    /// Returns the line for a metric in which the pools are no better than `base`, but could be.
    fn no_help(&self, metric: &Metric, base: Mode) -> Option<String> {
        let (on, other) = (self.spread(metric, Mode::On)?, self.spread(metric, base)?);
        let verdict = on.against(&other);
        let what = match (metric.better, verdict) {
            (Better::Lower, Verdict::Less(_)) | (Better::Higher, Verdict::More(_)) => return None,
            (Better::Lower, _) if other.max == 0.0 && on.max == 0.0 => return None,
            (_, Verdict::NoDifference) => "no difference".to_owned(),
            _ => format!("worse, {verdict}"),
        };
        Some(format!("{:LABEL$}{what}: {on} on, {other} {}", metric.label, base.name()))
    }

    /// Returns the line for frames that no pool served.
    fn too_large(&self, run: &Figures) -> Option<String> {
        let bytes = bypasses::frames_too_large(run, self.cli.table.config())?;
        Some(format!(
            "Buffers of {} bytes fit no slot: the system served them all.",
            grouped(bytes as u64, ',')
        ))
    }

    fn write_identity(&self, out: &mut String) -> fmt::Result {
        let Identity { identical, compared } = self.identity;
        let runs: usize = self.runs.iter().map(|runs| runs.figures.len()).sum();
        let (identical, compared) = (grouped(identical as u64, ','), grouped(compared as u64, ','));
        writeln!(
            out,
            "\n{identical} of {compared} identical: packets of one client and frame, compared over {runs} runs"
        )
    }
}
