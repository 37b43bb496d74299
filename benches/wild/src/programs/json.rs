//! serde_json: a server's cache of parsed documents, of which it replaces one after the other, and answers from them.

use serde_json::{Value, json};

use super::Program;
use crate::Checksum;

pub const PROGRAM: Program = Program {
    name: "json",
    of: "serde_json",
    does: "a cache of parsed documents of 0.1 to 1.2 MB",
    threads: 1,
    run,
};

const CACHED: usize = 8;

/// Returns a document of so many records.
fn document(records: usize) -> String {
    let records = (0..records).map(|n| {
        json!({
            "id": n,
            "name": format!("user number {n}"),
            "mail": format!("user.{n}@example.org"),
            "tags": ["red", "green", format!("tag {}", n % 97)],
            "place": { "x": n as f64 / 7.0, "y": -(n as i64), "label": "somewhere" },
        })
    });
    Value::Array(records.collect()).to_string()
}

fn run() -> u32 {
    let mut random = fastrand::Rng::with_seed(11);
    let texts: Vec<_> = (1..=12).map(|n| document(500 * n)).collect();
    let mut cache: Vec<Value> = (0..CACHED).map(|_| Value::Null).collect();
    let mut checksum = Checksum::default();
    for round in 0..60 {
        let text = random.choice(&texts).expect("a text");
        cache[random.usize(..CACHED)] = serde_json::from_str(text).expect("valid");
        let chosen = random.usize(..CACHED);
        let Some(records) = cache[chosen].as_array_mut() else { continue };
        for record in records.iter_mut().filter(|_| random.u8(..) < 100) {
            record["round"] = format!("changed in round {round}").into();
        }
        checksum.add(cache[chosen].to_string().as_bytes());
    }
    checksum.finish()
}
