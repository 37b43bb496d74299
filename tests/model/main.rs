//! Random actions against a referee that knows the outcome of each: P1, P3 to P6, P12, and `errno`.
//!
//! Proptest makes up games of up to 299 actions, on three threads that take turns, and shrinks a game that
//! fails. The games that the fuzzer in `tests/fuzz` has collected are played, too.

mod play;

use std::path::Path;
use std::{env, fs};

use play::{ACTION_BYTES, Action, Field, Fields};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// The number of games of each kind, unless the environment variable `GAMES` gives another.
const GAMES: u32 = 48;
const ACTIONS: usize = 300;

fn play_games(field: &Field) {
    let table = field.table;
    let action = any::<[u8; ACTION_BYTES]>().prop_map(move |bytes| Action::decode(bytes, &table));
    let games = env::var("GAMES").ok().and_then(|games| games.parse().ok()).unwrap_or(GAMES);
    let config = Config { cases: games, failure_persistence: None, ..Config::default() };
    let played = TestRunner::new(config).run(&vec(action, 1..ACTIONS), |actions| {
        field.play(actions);
        Ok(())
    });
    if let Err(failure) = played {
        panic!("{failure}");
    }
}

#[test]
fn games_with_slots_of_odd_sizes() {
    play_games(&Field::odd());
}

#[test]
fn games_with_slots_of_even_sizes() {
    play_games(&Field::even());
}

#[test]
fn games_with_hardened_pools_that_clear_what_is_freed() {
    play_games(&Field::hardened());
}

#[test]
fn games_without_magazines() {
    play_games(&Field::without_magazines());
}

#[test]
fn games_that_the_fuzzer_has_found() {
    let fields = Fields::new();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model/corpus");
    let mut games: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    games.sort_unstable();
    assert!(games.len() > 10, "where is the corpus?");
    for game in games {
        println!("{}", game.display());
        fields.play(&fs::read(game).unwrap());
    }
}
