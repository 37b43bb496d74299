#!/usr/bin/env bash
# Runs tests/stress.rs under a thread sanitizer: threads that start, stop, reclaim and free each other's slots. Only tests whose threads share nothing
# but atomics and joins can run, because std itself is not instrumented. Needs a nightly toolchain. Takes several minutes.
#
# The sanitizer sees one run, where loom (src/loom_tests.rs) tries all. It understands neither fences nor `membarrier`. That it finds no race shows that
# gates and modes order everything by themselves.
set -euo pipefail
cd "$(dirname "$0")/.."

export STRESS_SECONDS=${STRESS_SECONDS-20}
for profile in dev release; do
  bash tests/sanitized.sh thread --profile "$profile" --test stress
done
echo "thread_sanitizer: no race in $STRESS_SECONDS s of each stress, in debug and release builds"
