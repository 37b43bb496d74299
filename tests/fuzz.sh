#!/usr/bin/env bash
# Plays the game of tests/model for a number of seconds, with actions that a coverage-guided fuzzer finds: tests/fuzz.sh [--keep] [SECONDS]
#
# SECONDS is 1200 by default. The fuzzer starts from a copy of tests/model/corpus. With `--keep`, the games that it finds are put there afterwards, as
# few as cover the same code. Needs a nightly toolchain and a C++ compiler. Installs cargo-fuzz if it is missing. Ends with one line.
set -euo pipefail
cd "$(dirname "$0")/.."

keep=
[ "${1-}" != --keep ] || { keep=yes; shift; }
seconds=${1-1200}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "fuzz: SECONDS is a number, not '$seconds'"; exit 2; }
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
corpus=tests/model/corpus found=target/fuzz/corpus
fuzz() { cargo +nightly fuzz "$1" --fuzz-dir tests/fuzz --sanitizer none actions "${@:2}"; }

mkdir -p "$found"
log=target/fuzz/log
# 200 actions of 8 bytes, and the one that picks the pools.
if ! fuzz run "$found" "$corpus" -- -max_total_time="$seconds" -max_len=1601 -timeout=60 -print_final_stats=1 >"$log" 2>&1; then
  tail -40 "$log"
  echo "fuzz: a game went wrong: see above, and tests/fuzz/artifacts"
  exit 1
fi
games=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
if [ -n "$keep" ]; then
  least=$(mktemp -d)
  fuzz run "$least" "$corpus" "$found" -- -set_cover_merge=1 -use_counters=0 -max_len=1601 >"$log" 2>&1
  rm -rf "$corpus" && mv "$least" "$corpus"
fi
echo "fuzz: $games games in $seconds s, $covered edges covered, none went wrong"
