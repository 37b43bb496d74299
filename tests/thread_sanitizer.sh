#!/usr/bin/env bash
# The stress of tests/stress.rs, and threads that start, stop, call in and free each other's slots, under a thread sanitizer. Only tests that
# have nothing but atomics and joins between their threads, because std itself is not instrumented. Needs a nightly toolchain. Takes some minutes.
#
# It sees what happens, where loom (src/model.rs) tries what may: no fence is understood by it, nor `membarrier`; that it is content with
# the gates and modes shows that these order all by themselves.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(rustc +nightly -vV | sed -n 's/^host: //p')
export RUSTFLAGS='-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer'
export CARGO_TARGET_DIR=target/thread_sanitizer STRESS_SECONDS=${STRESS_SECONDS-20}
mkdir -p "$CARGO_TARGET_DIR"
# The harness tells its main thread how a test ended by a channel of std's.
echo 'race:*CompletedTest*' >"$CARGO_TARGET_DIR/suppressions"
export TSAN_OPTIONS="halt_on_error=1:suppressions=$PWD/$CARGO_TARGET_DIR/suppressions"
for profile in dev release; do
  cargo +nightly test --profile "$profile" --target "$target" --test stress
done
echo "thread_sanitizer: no race in $STRESS_SECONDS s of each stress, in debug and release builds"
