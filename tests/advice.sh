#!/usr/bin/env bash
# Records video_chat, and checks that five runs with the advised table have no miss: on generated video of 720p and 1080p, and on each clip in
# `../shared/clips` if that exists. The table may take at most 1.3 times what was needed at once. Then it finds a table by two commands. Takes two minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --example video_chat
advise() {
  printf '\n== %s\n' "$*"
  local report ratio
  report=$(target/release/examples/video_chat --advise --seconds 1 --rounds 5 "$@") || { echo "$report"; exit 1; }
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

# The same as a user of a program that is built already does it, for a whole run of video_chat: its share of pooled bytes is 99 % then.
printf '\n== two commands, 1920x1080\n'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chat=(target/release/examples/video_chat --child on --size 1920x1080 --unpaced --seconds 8)
FRAMEPOOL=to="$folder/before" "${chat[@]}" >/dev/null
FRAMEPOOL=record,to="$folder/table" "${chat[@]}" >/dev/null
FRAMEPOOL=table="$folder/table",to="$folder/after" "${chat[@]}" >/dev/null
pooled() { sed -n 's/^Pooled: \(.*\)% of .*/\1/p' "$1"; }
echo "pooled before: $(pooled "$folder/before")%, after: $(pooled "$folder/after")%"
awk -v share="$(pooled "$folder/after")" 'BEGIN { exit !(share >= 99) }' || { cat "$folder"/*; echo "advice: that is too little"; exit 1; }
echo
echo "advice: no run had a miss"
