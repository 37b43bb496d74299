#!/usr/bin/env bash
# Measures programs around other people's crates under each allocator, quiet and beside a neighbour: benches/wild.sh [FLAGS of the harness]
#
# CSV, advised tables and the plot are in target/wild then; `--publish` copies them to benches/results/wild, and writes the tables into
# benches/README.md and README.md. Takes 10 minutes to build, and about 60 to measure with 15 rounds. Needs a C compiler and two processors.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/wild/build}
cargo build --release --locked --manifest-path benches/wild/Cargo.toml
"$CARGO_TARGET_DIR/release/wild" "$@"
