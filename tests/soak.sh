#!/usr/bin/env bash
# Runs video_chat at full speed while clients join and leave, for 30 minutes: tests/soak.sh [MINUTES] [FLAGS of video_chat]
#
# Checks that resident memory does not grow after the first minute, that each minute ends with as many slots in use as before the first client, and
# that the counters satisfy their equations. The slots are made resident first. Otherwise slots that are used for the first time later would look
# like growth. MINUTES is at least 0.05.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-30}
shift $(($# > 0))
cargo build --release --example video_chat
# A run that is not done two minutes later hangs.
seconds=$(awk -v minutes="$minutes" 'BEGIN { print int(60 * minutes) + 120 }')
target="${CARGO_TARGET_DIR:-target}"
if timeout "$seconds" "$target/release/examples/video_chat" --soak "$minutes" --prewarm "$@"; then
  echo "soak: nothing grew, was lost or miscounted in $minutes minutes"
else
  status=$?
  if [ $status -eq 124 ]; then echo "soak: hangs"; else echo "soak: failed with exit status $status"; fi
  exit 1
fi
