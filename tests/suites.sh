#!/usr/bin/env bash
# Runs the test suites of other projects with `PoolAlloc` as the global allocator, and with `System` as the control: hashbrown, bytes,
# crossbeam-channel, rayon (with rayon-core), tokio and v_frame. Each test must end as it does under `System`, and each binary must have hits.
#
# rav1e encodes the first 60 frames of each clip in `../shared/clips`, or of a generated clip if there is none. The bytes must be the same as under
# `System`. With a table that has room for them, the planes of all its frames must be hits.
#
#     bash tests/suites.sh            all seven
#     bash tests/suites.sh bytes      only the named ones
#
# Versions and features are in tests/suites/Cargo.toml; cargo gets the packages from the registry. Unit tests and integration tests run, doc tests do
# not. They run in copies under target/suites, to which the allocator is added, one line a file. A test binary with an allocator of its own keeps it,
# with the pools where it had `System`. If a test ends differently than under `System`, its binary runs again on both sides, twice at most. If the
# difference is gone then, it does not count, and the last line says so. An abort and a text of framepool's always count.
#
# Takes about 25 minutes on two cores the first time, then 8. Needs Linux, the stable toolchain (1.95 or later) and, the first time, the network and
# 5 GiB of disk. Exit status: 0 as with `System`, 1 something differs, 2 there was nothing to compare.
set -euo pipefail
cd "$(dirname "$0")/.."

# How many tests run at once, how long a binary may take, how many frames of each clip are encoded, and a table that has room for these.
threads=2 seconds=300 frames=60 room=medium=65536x1024,large=262144x512,xlarge=2097152x512
all=(hashbrown bytes crossbeam-channel rayon tokio v_frame rav1e)

here=$PWD/tests/suites
work=$(realpath -m "${CARGO_TARGET_DIR:-target}")/suites
packages=$work/packages runs=$work/runs
export CARGO_TARGET_DIR=$work/build SUITES_SECONDS=$seconds RUST_BACKTRACE=0
# Their warnings are theirs.
export RUSTFLAGS="${RUSTFLAGS-} --cap-lints allow"
unset FRAMEPOOL
ulimit -c 0

give_up() {
  echo "suites: $*" >&2
  exit 2
}

wanted=("$@")
[ $# -gt 0 ] || wanted=("${all[@]}")
for suite in "${wanted[@]}"; do
  [[ " ${all[*]} " == *" $suite "* ]] || give_up "there is no '$suite'; there are: ${all[*]}"
done
mkdir -p "$work"
exec 9>"$work/lock"
flock -n 9 || give_up "another run is using $work"

# ---- the packages ----

# What tests/suites/Cargo.toml says of a package.
version_of() { sed -n "s/^$1 = .*\"=\([^\"]*\)\".*/\1/p" "$here/Cargo.toml"; }
features_of() { sed -n "s/^$1 = .*features = \[\(.*\)\].*/\1/p" "$here/Cargo.toml" | tr -d '" '; }
sources() { sed -n 's/^\([a-z_-]*\) = { workspace = true, optional = true }$/\1/p' "$here/sources/Cargo.toml"; }

# Makes the allocator that of one file: with $2 before it, such as a condition.
declare_allocator() {
  local file=$1 before=$2
  if grep -q '^#\[global_allocator\]' "$file"; then
    sed -i -E 's/^use std::alloc::\{(.*), System\};$/use std::alloc::{\1};/' "$file"
    if grep -q 'use .*System' "$file"; then give_up "does not know how to put the pools below the allocator of $file"; fi
    echo "$before static System: framepool_suites::Allocator = framepool_suites::ALLOCATOR;" >>"$file"
  else
    echo "$before #[global_allocator] static FRAMEPOOL_SUITES: framepool_suites::Allocator = framepool_suites::ALLOCATOR;" >>"$file"
  fi
}

# A copy of each package, all in one workspace, so that what they depend on is built once.
copy_packages() {
  local metadata package origin copy file
  if ! metadata=$(cargo metadata -q --all-features --format-version 1 --manifest-path "$here/Cargo.toml" 2>"$work/metadata.err"); then
    give_up "cargo cannot get the packages, for reasons in $work/metadata.err: $(grep . "$work/metadata.err" | tail -1 | sed 's/^ *//')"
  fi
  # Made anew only if something of it has changed, because cargo builds what is newer.
  local recipe
  recipe="$({ declare -f copy_packages declare_allocator; cat "$here/Cargo.toml" "$here/sources/Cargo.toml"; } | cksum) $here"
  if [ "$(cat "$packages/recipe" 2>/dev/null)" != "$recipe" ]; then
    rm -rf "$packages"
    mkdir -p "$packages"
    cat >"$packages/Cargo.toml" <<END
[workspace]
members = [$(sources | sed 's/.*/"&", /' | tr -d '\n')]
resolver = "3"

[profile.dev]
opt-level = 1
debug = 0

# Their own tests depend on packages that depend on them.
[patch.crates-io]
$(sources | sed 's/.*/& = { path = "&" }/')
END
    for package in $(sources); do
      origin=$(grep -o "\"manifest_path\":\"[^\"]*/$package-$(version_of "$package")/Cargo.toml\"" <<<"$metadata" | sort -u) ||
        give_up "cargo does not have $package $(version_of "$package")"
      origin=${origin#*:\"} copy=$packages/$package
      cp -r "${origin%/Cargo.toml\"}" "$copy"
      rm -f "$copy/Cargo.lock"
      sed -i '/^\[features\]/a framepool-pools = ["framepool-suites/pools"]' "$copy/Cargo.toml"
      grep -q '^framepool-pools' "$copy/Cargo.toml" || printf '\n[features]\nframepool-pools = ["framepool-suites/pools"]\n' >>"$copy/Cargo.toml"
      printf '\n[dev-dependencies.framepool-suites]\npath = "%s/allocator"\n' "$here" >>"$copy/Cargo.toml"
      declare_allocator "$copy/src/lib.rs" '#[cfg(test)]'
      while read -r file; do
        declare_allocator "$copy/$file" ''
      done < <(sed -n 's/^path = "\(tests\/.*\.rs\)"$/\1/p' "$copy/Cargo.toml")
    done
    echo "$recipe" >"$packages/recipe"
  fi
  cp "$here/packages.lock" "$packages/Cargo.lock"
}

# ---- a suite ----

# Builds or runs the tests of a package: $1 with the allocator $2, into the folder $3. More arguments are cargo's.
cargo_test() {
  local package=$1 side=$2 run=$3 features
  shift 3
  features=$(features_of "$package")
  [ "$side" = system ] || features+=,framepool-pools
  mkdir -p "$run"
  SUITES_RUN=$run cargo test -q --manifest-path "$packages/$package/Cargo.toml" --lib --tests --features "$features" \
    --config "target.'cfg(all())'.runner = ['bash', '$here/run.sh']" "$@" >"$run/cargo.out" 2>&1 9>&-
}

# What became of a run: a line for each test and for each binary's end, "BINARY: TEST<tab>OUTCOME", sorted.
outcomes() {
  local file binary
  for file in "$1"/*.exit; do
    binary=$(basename "$file" .exit)
    printf '%s: exit status\t%s\n' "$binary" "$(<"$file")"
    # A line is "ok NAME" or the like; one with a message, "failed: MESSAGE NAME", may be several.
    [ ! -e "$1/$binary.tests" ] || awk -v binary="$binary" '
      function tell() { if (outcome) printf "%s: %s\t%s\n", binary, name, outcome }
      /^(ok|failed|ignored)[ :]/ { tell(); outcome = $1; sub(/:$/, "", outcome) }
      { name = $NF }
      END { tell() }' "$1/$binary.tests"
  done | LC_ALL=C sort
}

# Two runs side by side: "BINARY: TEST<tab>OUTCOME under System<tab>OUTCOME under the pools".
both() { LC_ALL=C join -t $'\t' -a 1 -a 2 -e none -o 0,1.2,2.2 <(outcomes "$1/system") <(outcomes "$1/pools"); }
# Where they differ, a line each; a binary that ended too early, one for all of its tests.
differences() {
  both "$1" | awk -F '\t' '
    $2 == $3 { next }
    $2 != "none" && $3 != "none" { print $1 ": " $2 " under System, " $3 " under the pools"; next }
    { sub(/: .*/, "", $1); missing[$1 ": %d tests have no end under " ($2 == "none" ? "System" : "the pools") "\n"]++ }
    END { for (text in missing) printf text, missing[text] }'
}
# Of many lines the first.
some() { awk -v start="$1" 'NR <= 10 { print start $0 } END { if (NR > 10) print start "and " NR - 10 " more" }'; }

# Hits of each class in what these files have of statistics: "SMALL MEDIUM LARGE XLARGE".
hits() {
  { grep -ohE '(Small|Medium|Large|XLarge) +\([^)]*\): hits=[0-9]+' "$@" || true; } |
    awk '{ sub(/.*=/, "", $NF); hits[$1] += $NF } END { printf "%d %d %d %d\n", hits["Small"], hits["Medium"], hits["Large"], hits["XLarge"] }'
}
no_hits() { [ "$(hits "$@")" = '0 0 0 0' ]; }
tell_hits() { awk '{ printf "%d hits (Small %d, Medium %d, Large %d, XLarge %d)", $1 + $2 + $3 + $4, $1, $2, $3, $4 }' <<<"$1"; }

# What no second run excuses: a line each.
misdeeds() {
  local system=$1/system pools=$1/pools file binary status
  grep -HoE '(framepool: |FRAMEPOOL is ignored).*' "$pools"/*.{out,err} | sed 's|.*/\([^/]*\)\.[a-z]*:|\1: |' || true
  for file in "$pools"/*.exit; do
    binary=$(basename "$file" .exit)
    status=$(<"$file")
    # 137: it ran for too long and had to be killed.
    if ((status > 128 && status != 137)) && [ "$(cat "$system/$binary.exit" 2>/dev/null)" != "$status" ]; then
      echo "$binary: ended by signal $((status - 128)) under the pools"
    fi
    # Without a test in it, a binary may be empty, and then it has no allocator.
    if [ -s "$pools/$binary.tests" ] && no_hits "$pools/$binary".{out,err}; then echo "$binary: no hit"; fi
    no_hits "$system/$binary".{out,err} || echo "$binary: the control has hits"
  done
}

# Runs a package's tests on both sides; with $3, only these binaries.
run_both() {
  local package=$1 run=$2 side
  export SUITES_ONLY=${3-}
  for side in system pools; do
    cargo_test "$package" $side "$run/$side" -- --test-threads=$threads || { tail -20 "$run/$side/cargo.out"; return 1; }
  done
}

# Says how a package's tests end, and fails if they do not end as under `System`.
suite_of_tests() {
  local package=$1 run=$runs/$1 side round=$runs/$1 binaries='' count
  rm -rf "$run"
  for side in system pools; do
    cargo_test "$package" $side "$run/$side" --no-run || { tail -20 "$run/$side/cargo.out"; echo "$package: does not build"; return 1; }
  done
  while :; do
    run_both "$package" "$round" "$binaries" || return 1
    misdeeds "$round" >>"$run/wrong"
    differences "$round" >"$run/different" || return 1
    if [ ! -s "$run/different" ] || [ -s "$run/wrong" ] || [ "$round" = "$run/again/again" ]; then break; fi
    some "  runs again: " <"$run/different"
    binaries=" $(sed 's/: .*//' "$run/different" | sort -u | tr '\n' ' ')"
    round+=/again again+=", $package:${binaries% }"
  done

  count=$(both "$run" | awk -F '\t' '
    $1 ~ /: exit status$/ { next }
    { tests++ }
    $2 == $3 { same[$2]++ }
    END { printf "%d tests: %d pass, %d fail and %d are ignored on both sides", tests, same["ok"], same["failed"], same["ignored"] }') || return 1
  echo "$package $(version_of "$package"): $count; $(tell_hits "$(hits "$run"/pools/*.{out,err})")"
  both "$run" | awk -F '\t' '$2 == "failed" && $3 == "failed" { print $1 }' | some '  fails on both sides: '
  [[ $count != '0 '* ]] || echo "no test ran" >>"$run/wrong"
  if [ -s "$run/different" ] || [ -s "$run/wrong" ]; then
    sort -u "$run/wrong" "$run/different" | some '  not as it should be: '
    return 1
  fi
}

# Encodes $2 into $3 with the encoder of a side, and FRAMEPOOL. What it says is in $3.out and $3.err.
encode() {
  local status=0
  # The shell has something to say of an abort, too.
  { FRAMEPOOL=$4 timeout "$seconds" "$runs/rav1e/encode-$1" "$2" "$3" $frames >"$3.out" 2>"$3.err" 9>&- || status=$?; } 2>/dev/null
  [ $status -eq 0 ] || { cat "$3.err"; echo "  not as it should be: $(basename "$3"): exit status $status"; return 1; }
}

# Says how rav1e encodes each clip, and fails if a byte differs or a frame is no hit.
suite_of_clips() {
  local run=$runs/rav1e side clip name features planes failed=0
  rm -rf "$run"
  mkdir -p "$run"
  for side in system pools; do
    features=()
    [ $side = system ] || features=(--features pools)
    cargo build -q --release --manifest-path "$here/Cargo.toml" -p framepool-suites-encode "${features[@]}" >"$run/cargo.out" 2>&1 9>&- ||
      { tail -20 "$run/cargo.out"; echo "rav1e: does not build"; return 1; }
    cp "$CARGO_TARGET_DIR/release/framepool-suites-encode" "$run/encode-$side"
  done
  for clip in "${clips[@]}"; do
    name=$(basename "${clip/#-/generated}" .y4m)
    encode system "$clip" "$run/$name.system" stats || return 1
    encode pools "$clip" "$run/$name.default" stats || return 1
    encode pools "$clip" "$run/$name.roomy" "stats,$room" || return 1
    planes=$(sed -n 's/ planes of .*//p' "$run/$name.roomy.out")
    echo "rav1e $(version_of rav1e): $name: $(head -1 "$run/$name.system.out")"
    for side in default roomy; do
      echo "  $side table: $(tail -1 "$run/$name.$side.out"); $(tell_hits "$(hits "$run/$name.$side.err")")," \
        "$(grep -o 'misses=[0-9]*' "$run/$name.$side.err" | awk -F = '{ n += $2 } END { print n + 0 }') misses," \
        "$(grep -o 'too large=[0-9]*' "$run/$name.$side.err" || echo 'none too large')"
      cmp "$run/$name.system" "$run/$name.$side" || { echo "  not as it should be: other bytes"; failed=1; }
    done
    [ "${planes% of *}" = "${planes#* of }" ] || { echo "  not as it should be: a plane is no hit though there is room"; failed=1; }
    ! no_hits "$run/$name.default.err" || { echo "  not as it should be: no hit"; failed=1; }
    no_hits "$run/$name.system.err" || { echo "  not as it should be: the control has hits"; failed=1; }
  done
  return $failed
}

# ---- all of it ----

copy_packages
clips=(../shared/clips/*.y4m) note='' differing=() again=''
[ -e "${clips[0]}" ] || clips=(-)
for suite in "${wanted[@]}"; do
  printf '\n== %s\n' "$suite"
  failed=0
  case $suite in
    rav1e) suite_of_clips || failed=1 ;;
    rayon) for package in rayon-core rayon; do suite_of_tests $package || failed=1; done ;;
    *) suite_of_tests "$suite" || failed=1 ;;
  esac
  [ $failed -eq 0 ] || differing+=("$suite")
done

[ -z "$again" ] || note+="; ran again: ${again#, }"
[[ ${clips[0]} != - || " ${wanted[*]} " != *' rav1e '* ]] || note+='; no clips, so a generated one'
echo
if [ ${#differing[@]} -gt 0 ]; then
  echo "suites: ${#differing[@]} of ${#wanted[@]} do not behave as with System: ${differing[*]}$note"
  exit 1
fi
echo "suites: ${#wanted[@]} of ${#wanted[@]} behave as with System, hits in each$note"
