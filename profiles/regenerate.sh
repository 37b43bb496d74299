#!/usr/bin/env bash
# Regenerates the files of this folder from a clip: profiles/regenerate.sh CLIP.y4m
#
# The screenshot needs Chromium (Debian: apt-get install chromium). Without Chromium the old screenshot stays.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ $# -eq 1 ]] || { echo "usage: profiles/regenerate.sh CLIP.y4m" >&2; exit 2; }
clip=$(realpath "$1")

name=video_chat_720p
changed=$(git diff --quiet HEAD -- src examples Cargo.toml Cargo.lock || echo ", changed")
cargo run --profile dhat --example dhat_video_chat -- --clip "$clip" --scenario "$name" --out profiles
cargo run --release --example dhat_diff -- "profiles/$name-system.json" "profiles/$name-pool.json" \
  --html "profiles/$name.html" --min-absorbed 80 --require-identity --top 16

cat >profiles/made.txt <<END
command: profiles/regenerate.sh $(basename "$clip")
commit:  $(git rev-parse --short HEAD)$changed
machine: $(nproc) cores of $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1), $(uname -s) $(uname -r)
rustc:   $(rustc --version)
dhat:    $(sed -n '/^name = "dhat"$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)
END

if chromium=$(command -v chromium); then
  "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --force-color-profile=srgb \
    --window-size=1100,1500 --screenshot="profiles/$name.png" "file://$PWD/profiles/$name.html" 2>/dev/null
fi
