#!/usr/bin/env bash
# Runs `cargo test` under a sanitizer: tests/sanitized.sh address|thread [ARGUMENTS of cargo test]. Needs a nightly toolchain.
# tests/address_sanitizer.sh and tests/thread_sanitizer.sh name the tests that can run under each.
set -euo pipefail
cd "$(dirname "$0")/.."

sanitizer=$1
shift
export RUSTFLAGS="-Zsanitizer=$sanitizer -Cunsafe-allow-abi-mismatch=sanitizer"
# Kept apart, because nothing that was built otherwise can be used.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/$sanitizer"
mkdir -p "$CARGO_TARGET_DIR"
case $sanitizer in
  address)
    RUSTFLAGS+=' --cfg framepool_sanitizer="address"'
    # Leaks: pointers in slots are not found. Null: what is too large for the sanitizer is no bug.
    export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
    ;;
  thread)
    # The harness tells its main thread how a test ended by a channel of std's, which is not instrumented.
    echo 'race:*CompletedTest*' >"$CARGO_TARGET_DIR/suppressions"
    TSAN_OPTIONS="halt_on_error=1:suppressions=$(realpath "$CARGO_TARGET_DIR")/suppressions"
    export TSAN_OPTIONS
    ;;
  *)
    echo "sanitized: 'address' or 'thread', not '$sanitizer'"
    exit 2
    ;;
esac
cargo +nightly test --target "$(rustc +nightly -vV | sed -n 's/^host: //p')" "$@"
