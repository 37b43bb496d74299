#!/usr/bin/env bash
# Checks the library with every set of its features, and that by default it depends on nothing but libc and spin.
# Takes half a minute once the dependencies are built.
set -euo pipefail
cd "$(dirname "$0")/.."

features=(allocator-api2 bytes log metrics serde)
sets=$((1 << ${#features[@]}))
for ((set = 0; set < sets; set++)); do
  chosen=()
  for ((i = 0; i < ${#features[@]}; i++)); do
    ((set >> i & 1)) && chosen+=("${features[i]}")
  done
  list=$(IFS=,; echo "${chosen[*]-}")
  RUSTFLAGS='-D warnings' CARGO_TARGET_DIR=target/features cargo check -q --lib --no-default-features --features "$list" || { echo "features: fails with '$list'"; exit 1; }
done

default=$(cargo tree -q -e normal --prefix none --depth 1 --format '{p}' | sed -n '2,$s/ .*//p' | sort | tr '\n' ' ')
if [ "$default" != 'libc spin ' ]; then
  echo "features: by default it depends on $default"
  exit 1
fi
echo "features: all $sets sets pass, and by default there are libc and spin"
