//! serde_json: parses documents of many small strings, changes them and writes them again.

use serde_json::{Value, json};

use super::Program;
use crate::Checksum;

pub const PROGRAM: Program = Program {
    name: "json",
    of: "serde_json",
    does: "documents of 1.2 MB, parsed, changed, written",
    threads: 1,
    run,
};

fn run() -> u32 {
    let records = (0..6_000).map(|n| {
        json!({
            "id": n,
            "name": format!("user number {n}"),
            "mail": format!("user.{n}@example.org"),
            "tags": ["red", "green", format!("tag {}", n % 97)],
            "place": { "x": n as f64 / 7.0, "y": -n, "label": "somewhere" },
        })
    });
    let mut text = Value::Array(records.collect()).to_string();
    let mut checksum = Checksum::default();
    for round in 0..25 {
        let mut document: Value = serde_json::from_str(&text).expect("valid");
        let records = document.as_array_mut().expect("an array");
        records.iter_mut().for_each(|record| record["round"] = round.into());
        text = document.to_string();
        checksum.add(text.as_bytes());
    }
    checksum.finish()
}
