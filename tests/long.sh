#!/usr/bin/env bash
# What `cargo test` does for seconds, for minutes: 10,000 forks among busy threads, five minutes of stress, a minute of waiting, and thousands of
# random games, in release builds. Takes about ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --release --test fork --test wait_pooled -- --ignored
STRESS_SECONDS=150 cargo test --release --test stress
GAMES=5000 cargo test --release --test model
cargo test --release --test life_cycle --test dead_threads --test never_waits --test misuse --test guards
echo "long: all passed"
