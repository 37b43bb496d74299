#!/usr/bin/env bash
# Checks what is published: its files and size, and with --test that the unpacked package passes its own tests. Those that need the rest of the
# repository are not in it: Cargo.toml names them. With --test it takes five minutes, without it some seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

MAX_BYTES=400000

cargo package --no-verify --allow-dirty --quiet
crate=$(ls -t target/package/framepool-*.crate | head -1)
bytes=$(stat -c %s "$crate")
list=$(tar -tzf "$crate")
files=$(wc -l <<<"$list")
if [ "$bytes" -gt "$MAX_BYTES" ]; then
  echo "package: $bytes bytes are more than $MAX_BYTES"
  exit 1
fi
# Nothing that is only of use in the repository.
out=$(grep -E '/(\.ci|\.cargo|profiles|benches/(peers|wild|results))/|\.(sh|svg|png|html|y4m|csv|table)$' <<<"$list" || true)
if [ -n "$out" ]; then
  echo "package: these are not meant to be in it:"
  echo "$out"
  exit 1
fi
# Each page of the documentation is there.
for file in README.md ARCHITECTURE.md SECURITY.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE src/guide/sizing.md; do
  grep -q "/$file\$" <<<"$list" || { echo "package: $file is missing"; exit 1; }
done
echo "package: $files files, $bytes bytes"

if [ "${1-}" = --test ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  tar -xzf "$crate" -C "$folder"
  cd "$folder"/framepool-*
  CARGO_TARGET_DIR="$folder/target" cargo test --features full
fi
