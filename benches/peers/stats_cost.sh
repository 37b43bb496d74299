#!/usr/bin/env bash
# Measures what counting costs: pairs with the pools as they are, and with the pools built with --cfg framepool_stats="off", in turns.
#
# Prints the median nanoseconds of each and the median of their differences, for one size in each class. Takes about a minute after two builds.
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=${1:-31}
build() { cargo build -q --profile peers -p framepool-peers --target-dir "$1"; }
build target
RUSTFLAGS='--cfg framepool_stats="off"' build target/stats-off

pair() { "$1/peers/framepool-peers" --sample pairs "$2" framepool 20000 | sed 's/.*"ns",\([0-9.]*\).*/\1/'; }
median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

printf '%10s %10s %10s %14s\n' bytes counting without difference
for bytes in 1000 40000 200000 1382400; do
  with=() without=() differences=()
  for ((round = 0; round < rounds; round++)); do
    with+=("$(pair target $bytes)")
    without+=("$(pair target/stats-off $bytes)")
    differences+=("$(awk "BEGIN { print ${with[-1]} - ${without[-1]} }")")
  done
  printf '%10s %10.2f %10.2f %11.2f ns\n' $bytes "$(printf '%s\n' "${with[@]}" | median)" \
    "$(printf '%s\n' "${without[@]}" | median)" "$(printf '%s\n' "${differences[@]}" | median)"
done
