#!/usr/bin/env bash
# Planted bugs of every kind under an address sanitizer, which has to stop each, and the tests of what is right, which it has to let pass. Needs
# a nightly toolchain. Takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

bash tests/sanitized.sh address --test address_sanitizer
# The skipped ones measure address space and resident memory, of which the sanitizer has its own share, or look into a freed slot.
bash tests/sanitized.sh address --features full --test vec --test routing --test realloc --test zeroed --test trim --test buffer_pool \
  --test collections --test magazines --test model -- --skip without_address_space --skip a_thousand_pools --skip zero_on_free_clears
echo "address_sanitizer: every planted bug was stopped, and nothing else"
