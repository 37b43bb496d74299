#!/usr/bin/env bash
# Records video_chat, and checks that five runs with the advised table have no miss: on generated video of 720p and 1080p, and on each clip in
# `../shared/clips` if that exists. The table may take at most 1.3 times what was needed at once. Takes about a minute.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --example video_chat
advise() {
  printf '\n== %s\n' "$*"
  local report ratio
  report=$(target/release/examples/video_chat --advise --seconds 1 --rounds 5 "$@")
  ratio=$(sed -n 's/^A table of .* MiB, \(.*\) times what was needed at once.*/\1/p' <<<"$report")
  sed -n '/^A table/p; /^   *misses/,$p' <<<"$report"
  awk -v ratio="$ratio" 'BEGIN { exit !(ratio > 0 && ratio <= 1.3) }' || { echo "advice: $ratio times is too much"; exit 1; }
}

advise
advise --size 1920x1080
for clip in ../shared/clips/*.y4m; do
  [ -e "$clip" ] || continue
  advise --clip "$clip"
done
echo
echo "advice: no run had a miss"
