//! Plays the game that the fuzzer's bytes describe: the first byte picks the pools, and each eight bytes
//! after it are an action.

#![no_main]

#[path = "../../model/play/mod.rs"]
mod play;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use play::Fields;

static FIELDS: LazyLock<Fields> = LazyLock::new(Fields::new);

fuzz_target!(|bytes: &[u8]| FIELDS.play(bytes));
