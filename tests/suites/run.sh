#!/usr/bin/env bash
# Runs one test binary for tests/suites.sh: cargo calls this in its place. What becomes of each test, what it writes and how it ends are left in
# $SUITES_RUN, as NAME.tests, NAME.out, NAME.err and NAME.exit; a failure is no failure of this script, so cargo goes on with the next binary.
# With $SUITES_ONLY, names with a space before and after each, no other binary runs.
set -euo pipefail

binary=$1
shift
name=${binary##*/}
name=${name%-*}
[[ -z ${SUITES_ONLY-} || $SUITES_ONLY == *" $name "* ]] || exit 0
files=$SUITES_RUN/$name
if [ -e "$files.exit" ]; then
  echo "suites: two binaries are called $name"
  exit 1
fi

# The file for outcomes is an argument, not a variable: a test that starts its own binary again does not pass it on.
status=0
FRAMEPOOL=stats timeout --kill-after=10 "$SUITES_SECONDS" "$binary" --logfile "$files.tests" "$@" \
  >"$files.out" 2>"$files.err" </dev/null || status=$?
echo "$status" >"$files.exit"
