//! The report for machines: the settings, every run's figures, and the spreads and verdicts computed from
//! them.

use serde_json::{Map, Value, json};

use crate::cli::Mode;
use crate::figures;
use crate::parent;
use crate::report::Results;

impl Results<'_> {
    /// Returns all that [`report`](Self::report) prints, as one JSON object.
    pub(crate) fn json(&self) -> Value {
        let cli = self.cli;
        let runs: Map<String, Value> =
            self.runs.iter().map(|runs| (runs.mode.name().to_owned(), json!(runs.figures))).collect();
        let tuned = runs.contains_key(Mode::Tuned.name());
        json!({
            "settings": {
                "clients": cli.clients,
                "fps": cli.fps,
                "seconds": cli.seconds,
                "rounds": cli.rounds,
                "unpaced": cli.unpaced,
                "full_rgb": cli.full_rgb,
                "ansi": cli.ansi,
                "source": cli.source(),
                "clip": self.clip,
                "table": cli.table.name(),
                "prewarm": cli.prewarm,
                "reserved_bytes": cli.table.config().reserved_bytes(),
                "glibc_tunables": tuned.then_some(parent::TUNABLES),
            },
            "metrics": self.metrics(),
            "identity": self.identity,
            "runs": runs,
        })
    }

    /// Returns each metric's spread by mode, and its verdicts.
    fn metrics(&self) -> Value {
        let claims = figures::CLAIMS.iter().map(|(metric, _)| metric);
        let metrics = figures::metrics().chain(claims).map(|metric| {
            let mut fields = Map::new();
            for runs in &self.runs {
                fields.insert(runs.mode.name().to_owned(), json!(self.spread(metric, runs.mode)));
                if runs.mode != Mode::On {
                    let verdict =
                        self.verdict(metric, Mode::On, runs.mode).map(|verdict| verdict.to_string());
                    fields.insert(format!("on_against_{}", runs.mode.name()), json!(verdict));
                }
            }
            (metric.key.to_owned(), Value::Object(fields))
        });
        Value::Object(metrics.collect())
    }
}
