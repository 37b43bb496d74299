//! A dhat profile: a file of version 2, written by the crate `dhat` or by `valgrind --tool=dhat`.

use std::fs::File;
use std::io::BufReader;
use std::iter::Sum;
use std::ops::AddAssign;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::pools::MAX;

/// The maximum size of a file. A larger one would take several times as much memory, and is rejected.
const MAX_BYTES: u64 = 1 << 30;

/// The amounts that were allocated at a site, or in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Amounts {
    /// The allocations of the whole run. A `realloc` counts as another block of its new size.
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    /// The blocks and bytes live at t-gmax, the moment at which the whole program had most bytes live.
    pub(crate) peak_blocks: u64,
    pub(crate) peak_bytes: u64,
    /// The blocks and bytes live at t-end, when the profiler stopped.
    pub(crate) end_blocks: u64,
    pub(crate) end_bytes: u64,
}

impl AddAssign for Amounts {
    fn add_assign(&mut self, other: Self) {
        self.blocks += other.blocks;
        self.bytes += other.bytes;
        self.peak_blocks += other.peak_blocks;
        self.peak_bytes += other.peak_bytes;
        self.end_blocks += other.end_blocks;
        self.end_bytes += other.end_bytes;
    }
}

impl Sum for Amounts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, amounts| {
            sum += amounts;
            sum
        })
    }
}

/// One program point: a stack, innermost frame first, and the amounts that were allocated there.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) amounts: Amounts,
    pub(crate) stack: Vec<usize>,
}

/// A whole profile.
#[derive(Debug)]
pub(crate) struct Profile {
    /// The command line of the profiled program.
    pub(crate) command: String,
    pub(crate) points: Vec<Point>,
    /// The frames that the stacks' numbers stand for: address, function, place in the source.
    pub(crate) frames: Vec<String>,
}

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is cut off, is not a dhat profile, or has another version or mode. The
    /// message is one line.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let rejected = |text: String| Failure::bad_input(format!("{}: {text}", path.display()));
        let file = File::open(path).map_err(|error| rejected(error.to_string()))?;
        let kind = file.metadata().map_err(|error| rejected(error.to_string()))?;
        if kind.is_dir() {
            return Err(rejected("a directory".to_owned()));
        }
        if kind.len() > MAX_BYTES {
            return Err(rejected(format!("{} bytes are too many, {MAX_BYTES} at most", kind.len())));
        }
        let raw: Raw = serde_json::from_reader(BufReader::new(file)).map_err(|error| {
            rejected(match error.classify() {
                serde_json::error::Category::Eof => format!("the file is cut off: {error}"),
                serde_json::error::Category::Io => error.to_string(),
                _ => format!("not a dhat profile: {error}"),
            })
        })?;
        raw.check().map_err(rejected)
    }

    /// Returns the sum over all points.
    pub(crate) fn total(&self) -> Amounts {
        self.points.iter().map(|point| point.amounts).sum()
    }
}

/// The file as it is. A field that is missing in some mode or version has a default, so that the error
/// message can say what is wrong.
#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "dhatFileVersion")]
    version: Option<u64>,
    mode: Option<String>,
    #[serde(default)]
    cmd: String,
    #[serde(default)]
    pps: Vec<RawPoint>,
    #[serde(default)]
    ftbl: Vec<String>,
}

#[derive(Deserialize)]
struct RawPoint {
    tb: u64,
    tbk: u64,
    #[serde(default)]
    gb: u64,
    #[serde(default)]
    gbk: u64,
    #[serde(default)]
    eb: u64,
    #[serde(default)]
    ebk: u64,
    fs: Vec<usize>,
}

impl Raw {
    fn check(self) -> Result<Profile, String> {
        match self.version {
            Some(2) => {}
            Some(other) => return Err(format!("a dhat profile of version {other}; only version 2 is known")),
            None => return Err("not a dhat profile: it has no dhatFileVersion".to_owned()),
        }
        match self.mode.as_deref() {
            Some("heap" | "rust-heap") => {}
            other => {
                let mode = other.unwrap_or("none");
                return Err(format!("a dhat profile of mode {mode:?}; only heap profiles can be compared"));
            }
        }
        let frames = self.ftbl.len();
        let point = |raw: RawPoint| {
            if let Some(beyond) = raw.fs.iter().find(|&&frame| frame >= frames) {
                return Err(format!("a broken dhat profile: a stack has frame {beyond} of {frames}"));
            }
            let amounts = Amounts {
                blocks: raw.tbk,
                bytes: raw.tb,
                peak_blocks: raw.gbk,
                peak_bytes: raw.gb,
                end_blocks: raw.ebk,
                end_bytes: raw.eb,
            };
            Ok(Point { amounts, stack: raw.fs })
        };
        // The limit on each sum makes all later sums safe from overflow.
        let sum =
            |count: fn(&RawPoint) -> u64| self.pps.iter().map(|raw| u128::from(count(raw))).sum::<u128>();
        let counts: [fn(&RawPoint) -> u64; 6] =
            [|p| p.tb, |p| p.tbk, |p| p.gb, |p| p.gbk, |p| p.eb, |p| p.ebk];
        if counts.into_iter().any(|count| sum(count) > MAX.into()) {
            return Err(format!("a broken dhat profile: its counts exceed {MAX}"));
        }
        let points = self.pps.into_iter().map(point).collect::<Result<_, _>>()?;
        Ok(Profile { command: self.cmd, points, frames: self.ftbl })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Profile, String> {
        serde_json::from_str::<Raw>(text).map_err(|error| error.to_string()).and_then(Raw::check)
    }

    #[test]
    fn heap_profiles_of_version_2_are_read_and_no_others() {
        let heap = r#"{"dhatFileVersion":2,"mode":"rust-heap","cmd":"a","ftbl":["[root]","0x1: f (a.rs:1:2)"],
            "pps":[{"tb":10,"tbk":2,"mb":8,"mbk":1,"gb":8,"gbk":1,"eb":0,"ebk":0,"fs":[1]}]}"#;
        let profile = read(heap).expect("whole");
        assert_eq!((profile.total().bytes, profile.total().blocks, profile.total().peak_bytes), (10, 2, 8));
        assert!(read(&heap.replace("rust-heap", "heap")).is_ok());
        let wrong = [
            ("{}", "no dhatFileVersion"),
            (&heap.replace(":2,\"mode", ":1,\"mode"), "version 1"),
            (&heap.replace("rust-heap", "rust-ad-hoc"), "mode \"rust-ad-hoc\""),
            (&heap.replace("[1]", "[2]"), "frame 2 of 2"),
            (&heap.replace("\"tb\":10", "\"tb\":18446744073709551615"), "counts exceed"),
        ];
        for (text, expected) in wrong {
            let error = read(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        }
    }
}
