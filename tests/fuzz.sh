#!/usr/bin/env bash
# Lets a coverage-guided fuzzer find inputs for a number of seconds, 1200 by default. Needs a nightly toolchain and a C++ compiler. Installs cargo-fuzz if it
# is missing. Ends with one line.
#
#   tests/fuzz.sh [--keep] [SECONDS]   plays the game of tests/model, starting from a copy of tests/model/corpus. With `--keep`, the games that it finds are
#                                      put there afterwards, as few as cover the same code.
#   tests/fuzz.sh inspect [SECONDS]    reads another process's memory, in which it changes bytes
set -euo pipefail
cd "$(dirname "$0")/.."

keep='' target=actions
case ${1-} in
  --keep) keep=yes; shift ;;
  inspect) target=inspect; shift ;;
esac
seconds=${1-1200}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "fuzz: SECONDS is a number, not '$seconds'"; exit 2; }
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
corpus=tests/model/corpus found=target/fuzz/$target
fuzz() { cargo +nightly fuzz "$1" --fuzz-dir tests/fuzz --sanitizer none "$target" "${@:2}"; }

mkdir -p "$found"
log=target/fuzz/$target.log
# 200 actions of 8 bytes, and the one that picks the pools; or 320 changes of 5 bytes.
inputs=("$found")
[ $target = inspect ] || inputs+=("$corpus")
if ! fuzz run "${inputs[@]}" -- -max_total_time="$seconds" -max_len=1601 -timeout=60 -print_final_stats=1 >"$log" 2>&1; then
  tail -40 "$log"
  echo "fuzz: a run of $target went wrong: see above, and tests/fuzz/artifacts"
  exit 1
fi
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
if [ -n "$keep" ]; then
  least=$(mktemp -d)
  fuzz run "$least" "$corpus" "$found" -- -set_cover_merge=1 -use_counters=0 -max_len=1601 >"$log" 2>&1
  rm -rf "$corpus" && mv "$least" "$corpus"
fi
echo "fuzz: $runs runs of $target in $seconds s, $covered edges covered, none went wrong"
