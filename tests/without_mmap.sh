#!/usr/bin/env bash
# Runs `cargo test` with the crate built as for a system that has no `mmap`. Takes about two minutes on two cores.
#
# Cargo calls this script, too, as the wrapper of the compiler for this workspace's own packages. So dependencies need not be built once more, as they
# would with RUSTFLAGS.
set -euo pipefail

if [ $# -gt 0 ]; then
  exec "$@" --cfg 'framepool_os="none"'
fi
cd "$(dirname "$0")/.."
RUSTC_WORKSPACE_WRAPPER=$PWD/tests/without_mmap.sh cargo test --tests --features full
