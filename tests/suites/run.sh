#!/usr/bin/env bash
# Runs one test binary for tests/suites.sh. Cargo calls this script in its place.
#
# Writes to $SUITES_RUN: the end of each test (NAME.tests), its output (NAME.out, NAME.err) and its exit status (NAME.exit). A failing binary is
# not a failure of this script, so cargo goes on with the next one. If $SUITES_ONLY is set, only the binaries that it names run. Each name in it has
# a space before and after it.
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
