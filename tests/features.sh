#!/usr/bin/env bash
# Checks the library with none of its features, with each alone and with all, and that by default it depends on nothing but libc and spin. No code
# needs two features. With --all it checks every set. Takes half a minute, with --all one and a half.
set -euo pipefail
cd "$(dirname "$0")/.."

features=(allocator-api2 bytes log metrics serde)
sets=$((1 << ${#features[@]}))
checked=0
for ((set = 0; set < sets; set++)); do
  chosen=()
  for ((i = 0; i < ${#features[@]}; i++)); do
    ((set >> i & 1)) && chosen+=("${features[i]}")
  done
  if [ "${1-}" != --all ] && ((${#chosen[@]} > 1 && ${#chosen[@]} < ${#features[@]})); then
    continue
  fi
  list=$(IFS=,; echo "${chosen[*]-}")
  cargo clippy -q --lib --no-default-features --features "$list" -- -D warnings || { echo "features: fails with '$list'"; exit 1; }
  checked=$((checked + 1))
done

default=$(cargo tree -q -e normal --prefix none --depth 1 --format '{p}' | sed -n '2,$s/ .*//p' | sort | tr '\n' ' ')
if [ "$default" != 'libc spin ' ]; then
  echo "features: by default it depends on $default"
  exit 1
fi
echo "features: $checked sets pass, and by default there are libc and spin"
