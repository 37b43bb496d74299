#!/usr/bin/env bash
# Checks that no pointer is made of a number, and none made a number, by a cast: the compiler's strict-provenance lints, which need a nightly
# toolchain. Takes some seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

lints='-Zcrate-attr=feature(strict_provenance_lints) -Dfuzzy_provenance_casts -Dlossy_provenance_casts'
RUSTFLAGS=$lints CARGO_TARGET_DIR=target/provenance cargo +nightly check -q --lib --features full
echo "provenance: strict"
