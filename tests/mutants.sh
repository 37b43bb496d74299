#!/usr/bin/env bash
# Makes each small change that cargo-mutants knows to the files that decide which thread gets which slot (.cargo/mutants.toml), and checks that a test
# fails. Installs cargo-mutants and cargo-nextest if they are missing. Takes an hour on two cores. Arguments are passed to cargo-mutants:
# tests/mutants.sh -f src/slots/slab.rs
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in cargo-mutants cargo-nextest; do
  command -v $tool >/dev/null || cargo install --locked $tool
done
# Backtraces would only take time.
export CARGO_PROFILE_DEV_DEBUG=0 RUST_BACKTRACE=0
mkdir -p target
status=0
cargo mutants --no-shuffle --jobs 2 "$@" || status=$?
results=target/mutants/mutants.out
count() { grep -c . "$results/$1.txt" || true; }
missed=$(count missed)
# 2: some were missed; 3: some hung, which counts as noticed.
if ((status != 0 && status != 2 && status != 3)); then echo "mutants: cargo-mutants failed"; exit 1; fi
if ((missed > 0)); then echo "mutants: $missed went unnoticed, see $results/missed.txt"; exit 1; fi
echo "mutants: all $(($(count caught) + $(count timeout))) that compile were noticed"
