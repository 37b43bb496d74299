#!/usr/bin/env bash
# Runs the unit tests under the model checker loom: tests/loom.sh [NAME OF A TEST]. Takes one to two minutes on two cores.
#
# Cargo calls this script, too, as the wrapper of the compiler for this workspace's own packages. So the dependencies are those of any other
# release build. RUSTFLAGS does the same, but builds all of them once more, for 2.5 minutes.
set -euo pipefail

if [[ ${1-} == */* ]]; then
  exec "$@" --cfg framepool_loom -C debug-assertions
fi
cd "$(dirname "$0")/.."
RUSTC_WORKSPACE_WRAPPER=$PWD/tests/loom.sh cargo test --release --lib "$@"
