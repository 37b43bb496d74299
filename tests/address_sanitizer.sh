#!/usr/bin/env bash
# Planted bugs of every kind under an address sanitizer, which has to stop each, and the tests of what is right, which it has to let pass. Needs
# a nightly toolchain. Takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(rustc +nightly -vV | sed -n 's/^host: //p')
export RUSTFLAGS='-Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer --cfg framepool_sanitizer="address"'
export CARGO_TARGET_DIR=target/address_sanitizer
# Leaks: pointers in slots are not found. Null: what is too large for the sanitizer is no bug.
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
run() { cargo +nightly test --target "$target" --features full "$@"; }

run --test address_sanitizer
# The skipped ones measure address space and resident memory, of which the sanitizer has its own share, or look into a freed slot.
run --test vec --test routing --test realloc --test zeroed --test trim --test buffer_pool --test collections --test magazines --test model -- \
  --skip without_address_space --skip a_thousand_pools --skip zero_on_free_clears
echo "address_sanitizer: every planted bug was stopped, and nothing else"
