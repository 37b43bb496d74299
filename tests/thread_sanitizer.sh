#!/usr/bin/env bash
# The stress of tests/stress.rs, and threads that start, stop, call in and free each other's slots, under a thread sanitizer. Only tests that
# have nothing but atomics and joins between their threads, because std itself is not instrumented. Needs a nightly toolchain. Takes some minutes.
#
# It sees what happens, where loom (src/loom_tests.rs) tries what may: no fence is understood by it, nor `membarrier`; that it is content with
# the gates and modes shows that these order all by themselves.
set -euo pipefail
cd "$(dirname "$0")/.."

export STRESS_SECONDS=${STRESS_SECONDS-20}
for profile in dev release; do
  bash tests/sanitized.sh thread --profile "$profile" --test stress
done
echo "thread_sanitizer: no race in $STRESS_SECONDS s of each stress, in debug and release builds"
