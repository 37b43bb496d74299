#!/usr/bin/env bash
# Runs for minutes what `cargo test` runs for seconds, in release builds: 10,000 forks among busy threads, five minutes of stress, a minute of waiting,
# thousands of random games, a handler and a fork after every instruction, and coroutines in every build. Takes about twenty minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --release --test fork --test wait_pooled --test every_instruction -- --ignored
FORK_EVERYWHERE=1 cargo test --release --test fork_anywhere
STRESS_SECONDS=150 cargo test --release --test stress
GAMES=5000 cargo test --release --test model
bash tests/loom.sh -- --ignored
cargo test --release --test life_cycle --test dead_threads --test never_waits --test misuse --test guards
cargo test -p framepool-coroutines --release
cargo test -p framepool-coroutines --profile peers
# A profile of the program may make the compiler inline as much.
RUSTFLAGS=-Cllvm-args=-inline-threshold=3000 CARGO_TARGET_DIR=target/inlined \
  cargo test -p framepool-coroutines --profile peers --features global
echo "long: all passed"
