#!/usr/bin/env bash
# Runs planted bugs of every kind under an address sanitizer, which must stop each, and tests of correct code, which it must let pass. Needs a nightly
# toolchain. Takes several minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

bash tests/sanitized.sh address --test address_sanitizer
# The skipped tests measure address space and resident memory, which the sanitizer changes, or look into a freed slot.
bash tests/sanitized.sh address --features full --test vec --test routing --test realloc --test zeroed --test trim --test buffer_pool \
  --test collections --test magazines --test model -- --skip without_address_space --skip a_thousand_pools --skip zero_on_free_clears
echo "address_sanitizer: every planted bug was stopped, and nothing else"
