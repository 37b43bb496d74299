//! Compares two dhat profiles of the same work: with the system's allocator, and with the pools.
//!
//! ```text
//! cargo run --release --example dhat_diff -- SYSTEM.json POOL.json [--html page.html]
//! ```
//!
//! Next to a profile `x.json` the program looks for `x.pools.json`, the pools' figures of that run, as
//! `dhat_video_chat` writes it. With that file, the program tells whether any block went neither to the pools
//! nor to dhat. `profile.rs` reads profiles, `site.rs` decides which stacks are the same, and `diff.rs`
//! compares. `report.rs` and `page.rs` show the result.

mod cli;
mod diff;
#[path = "../common/failure.rs"]
mod failure;
mod page;
mod pools;
mod profile;
mod report;
mod site;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use cli::Cli;
use diff::{Diff, Run};
use failure::Failure;
use pools::Pools;
use profile::Profile;

fn main() -> ExitCode {
    match Cli::read(env::args_os()).and_then(|cli| run(&cli)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => {
            // If standard error is closed, the message cannot be printed anywhere.
            let _ = writeln!(io::stderr(), "dhat_diff: {failure}");
            ExitCode::from(failure.status)
        }
    }
}

/// Compares the profiles, prints the result, and returns whether all demands hold.
fn run(cli: &Cli) -> Result<bool, Failure> {
    let off = Run { profile: Profile::read(&cli.system)?, pools: pools_beside(&cli.system)? };
    let on = Run { profile: Profile::read(&cli.pool)?, pools: pools_beside(&cli.pool)? };
    let commands = [off.profile.command.clone(), on.profile.command.clone()];
    let diff = Diff::of(off, on, cli.served);
    let demands = cli.demands(&diff);
    if let Some(path) = &cli.html {
        let mut page = String::new();
        page::render(&mut page, &diff, &commands, cli.top)
            .map_err(|error| Failure::broken(error.to_string()))?;
        fs::write(path, page)
            .map_err(|error| Failure::broken(format!("cannot write {}: {error}", path.display())))?;
    }
    let text = if cli.json {
        let json = serde_json::to_string_pretty(&diff).map_err(|error| Failure::broken(error.to_string()))?;
        json + "\n"
    } else {
        report::render(&diff, &demands, cli.top)
    };
    match io::stdout().write_all(text.as_bytes()) {
        // A reader that closes the pipe early is not an error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::broken(format!("cannot print: {error}")))
        }
        _ => Ok(demands.iter().all(|demand| demand.holds)),
    }
}

/// Returns the pools' figures of a profile's run, if they were kept.
fn pools_beside(profile: &Path) -> Result<Option<Pools>, Failure> {
    let path = profile.with_extension("pools.json");
    let rejected = |text: String| Failure::bad_input(format!("{}: {text}", path.display()));
    match fs::read(&path) {
        Ok(text) => Pools::read(&text).map(Some).map_err(rejected),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(rejected(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use diff::Fate;

    /// Returns a profile of another program: `c_list.c` under valgrind, or `words.rs.txt` under the crate
    /// `dhat`, without and with an argument.
    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/dhat_diff/fixtures").join(name)
    }

    fn compare(system: &str, pool: &str) -> Diff {
        let run = |name| Run { profile: Profile::read(&fixture(name)).expect("a profile"), pools: None };
        Diff::of(run(system), run(pool), None)
    }

    #[test]
    fn a_c_program_under_valgrind_is_read() {
        let diff = compare("c_list.json", "c_list.json");
        assert_eq!((diff.system.blocks, diff.system.bytes), (102, 9_800));
        assert_eq!(diff.absorbed_bytes_percent, 0.0);
        let sites: Vec<_> = diff.sites.iter().map(|site| (site.title.as_str(), site.fate)).collect();
        assert_eq!(sites, [("main (list.c:19)", Fate::Same), ("push (list.c:8)", Fate::Same)]);
    }

    #[test]
    fn two_runs_of_another_rust_program_differ_where_it_differs() {
        let diff = compare("grown.json", "sized.json");
        assert_eq!((diff.system.blocks, diff.pool.blocks), (906, 904));
        let count = |fate| diff.sites.iter().filter(|site| site.fate == fate).count();
        assert_eq!(
            (count(Fate::Absorbed), count(Fate::New), count(Fate::Same), count(Fate::Moved)),
            (1, 1, 3, 0)
        );
    }

    #[test]
    fn of_the_committed_pair_most_is_absorbed_and_nothing_slipped_by() {
        let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
        let run = |name| {
            let path = profiles.join(name);
            Run {
                profile: Profile::read(&path).expect("a profile"),
                pools: pools_beside(&path).expect("figures"),
            }
        };
        let diff = Diff::of(run("video_chat_720p-system.json"), run("video_chat_720p-pool.json"), None);
        assert!(diff.absorbed_bytes_percent >= 80.0);
        assert!(diff.identity.is_some_and(|identity| identity.closes && identity.agrees == Some(true)));
    }

    #[test]
    fn a_file_that_is_cut_off_or_something_else_is_refused_in_a_line() {
        let whole = fs::read_to_string(fixture("grown.json")).expect("a file");
        let cut = env::temp_dir().join(format!("dhat_diff-{}.json", std::process::id()));
        for (text, expected) in
            [(&whole[..whole.len() / 2], "cut off"), ("", "cut off"), ("{\"pps\":1}", "not a dhat profile")]
        {
            fs::write(&cut, text).expect("room");
            let failure = Profile::read(&cut).expect_err("rejected");
            let line = failure.to_string();
            assert!(failure.status == 2 && line.contains(expected) && !line.contains('\n'), "{line}");
        }
        fs::remove_file(&cut).expect("still there");
        assert!(Profile::read(Path::new("/no/such.json")).is_err_and(|failure| failure.status == 2));
    }
}
