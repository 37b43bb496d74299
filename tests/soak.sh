#!/usr/bin/env bash
# Runs video_chat as fast as it can for 30 minutes, or as many as are named (0.05 at least), while clients join and leave. Expects no
# growth of resident memory after the first minute, each minute as many slots in use as before the first client, and no counter out of its
# equation. Flags for video_chat may follow: tests/soak.sh 30 --seed 2
#
# The slots are made resident at first, so that the memory that is watched is all that there is. Without that, slots that are used for the
# first time later look like growth.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-30}
shift $(($# > 0))
cargo build --release --example video_chat
# Whoever is not done two minutes later hangs.
seconds=$(awk -v minutes="$minutes" 'BEGIN { print int(60 * minutes) + 120 }')
target="${CARGO_TARGET_DIR:-target}"
if timeout "$seconds" "$target/release/examples/video_chat" --soak "$minutes" --prewarm "$@"; then
  echo "soak: nothing grew, was lost or miscounted in $minutes minutes"
else
  status=$?
  if [ $status -eq 124 ]; then echo "soak: hangs"; else echo "soak: failed with exit status $status"; fi
  exit 1
fi
