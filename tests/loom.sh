#!/usr/bin/env bash
# Runs the unit tests under the model checker loom: tests/loom.sh [NAME OF A TEST], with `-- --ignored` those that take long. Takes three minutes on two
# cores. tests/loom.sh --lints runs clippy on what the model checker compiles.
#
# Cargo calls this script, too, as the wrapper of the compiler for this workspace's own packages. So the dependencies are those of any other
# build. RUSTFLAGS does the same, but builds all of them once more, for 2.5 minutes.
set -euo pipefail

if [[ ${1-} == */* ]]; then
  if [ -n "${LOOM_LINTS-}" ]; then
    exec clippy-driver "$@" --cfg framepool_loom -D warnings
  fi
  exec "$@" --cfg framepool_loom -C debug-assertions
fi
cd "$(dirname "$0")/.."
export RUSTC_WORKSPACE_WRAPPER=$PWD/tests/loom.sh
if [ "${1-}" = --lints ]; then
  LOOM_LINTS=1 cargo check --lib --profile test
else
  cargo test --release --lib "$@"
fi
