#!/usr/bin/env bash
# Checks that no cast turns a number into a pointer or a pointer into a number, by the compiler's strict-provenance lints. Needs a nightly toolchain.
# Takes about ten seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

lints='-Zcrate-attr=feature(strict_provenance_lints) -Dfuzzy_provenance_casts -Dlossy_provenance_casts'
RUSTFLAGS=$lints CARGO_TARGET_DIR=target/provenance cargo +nightly check -q --lib --features full
echo "provenance: strict"
