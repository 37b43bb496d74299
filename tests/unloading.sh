#!/usr/bin/env bash
# Closes libraries that hold the allocator while threads that used them live. The libraries are built, linked and found in different ways. Also runs
# programs that hold the allocator, linked in different ways. Needs gcc and glibc on x86-64. Takes about four minutes. A failure is shown, and the
# others still run.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$PWD/target/unloading
mkdir -p "$out"
export CARGO_TARGET_DIR=$out/host RUST_BACKTRACE=0
triple=$(rustc -vV | sed -n 's/^host: //p')
runner=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$triple")_RUNNER
c_libraries=(-lpthread -ldl -lm -lc)
red=() passed=0

# Runs a command, and shows what it wrote only if it fails.
check() {
  local what=$1
  shift
  if "$@" >"$out/log" 2>&1; then
    passed=$((passed + 1))
    echo "ok   $what"
  else
    red+=("$what")
    echo "RED  $what"
    grep -oE '^[a-z_]+ --- FAILED|^error.*|^signal: .*|.*undefined reference.*|.*refers to.*|^(plain|early|program): .*' "$out/log" | sort | uniq -c | cut -c 1-140 || true
  fi
}

# Runs the host's tests with this addon; what follows is for the test binaries.
host() {
  local addon=$1
  shift
  FRAMEPOOL_ADDON=$addon cargo test -q -p framepool-unloading --no-fail-fast --test closing --test loading -- "$@"
}

# Builds the addon as another kind of library, in a folder of its own.
build() {
  local name=$1 kind=$2
  shift 2
  CARGO_TARGET_DIR=$out/$name cargo rustc -q -p framepool-unloading --lib --crate-type "$kind" "$@"
}

check "cdylib, debug" cargo test -q -p framepool-unloading --no-fail-fast
check "cdylib, release" cargo test -q -p framepool-unloading --no-fail-fast --release

build lto cdylib --profile peers
check "cdylib, fat LTO" host "$out/lto/peers/libframepool_unloading.so"
build gc cdylib --release -- -C link-arg=-Wl,--gc-sections -C link-arg=-fuse-ld=bfd
check "cdylib, GNU ld, --gc-sections" host "$out/gc/release/libframepool_unloading.so"
build gc-lto cdylib --profile peers -- -C link-arg=-Wl,--gc-sections -C link-arg=-fuse-ld=bfd
check "cdylib, GNU ld, fat LTO, --gc-sections" host "$out/gc-lto/peers/libframepool_unloading.so"
for units in 1 256; do
  RUSTFLAGS="-C codegen-units=$units" build "units-$units" cdylib --release
  check "cdylib, codegen units: $units" host "$out/units-$units/release/libframepool_unloading.so"
done

# These libraries export all of Rust's symbols. So the loader mixes a second copy with one that was opened with global symbols, allocators included.
exports_all=(--skip global_symbols)

build dylib dylib --release
check "Rust dylib" host "$out/dylib/release/libframepool_unloading.so" "${exports_all[@]}"

# The crate as a Rust dylib, and so `std` as one: what `std` allocates is then not the addon's allocator's (rust-lang/rust#100781), whichever that is. Only
# the crate stays; the addon goes, and the address space of its pools is lost each time.
# As cargo says it, which does not build this.
export CARGO_PKG_VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
rlib() { ls -t "$out/dylib/release/deps/lib$1"-*.rlib | head -1; }
shared=$out/shared
mkdir -p "$shared"
compile() { rustc --edition 2024 -O -A warnings -C prefer-dynamic -L "dependency=$out/dylib/release/deps" --out-dir "$shared" "$@"; }
compile --crate-type dylib --crate-name framepool src/lib.rs --extern "libc=$(rlib libc)" --extern "spin=$(rlib spin)"
compile --crate-type cdylib --crate-name addon tests/unloading/src/lib.rs --extern "framepool=$shared/libframepool.so" \
  -C "link-arg=-Wl,-rpath,$shared:$(rustc --print target-libdir)"
check "cdylib that needs the crate as a Rust dylib" host "$shared/libaddon.so" "${exports_all[@]}" \
  --skip two_hundred_loads_take_no_more_address_space --skip takes_back_the_blocks_from_before --skip librarys_own --skip namespaces

# Archives. A C linker takes from them only what something refers to.
for mode in debug release peers; do
  case $mode in
    debug) options=() ;;
    *) options=(--profile "$mode") ;;
  esac
  build "archive-$mode" staticlib "${options[@]}"
  archive=$out/archive-$mode/$mode/libframepool_unloading.a
  for kind in PLAIN EARLY VANISHING; do
    library=$out/archive-$mode/lib$kind.so
    gcc -O2 -Wall -Wno-prio-ctor-dtor -shared -fPIC -D$kind tests/unloading/c/glue.c "$archive" -o "$library" -Wl,--gc-sections -lgcc_s "${c_libraries[@]}"
    case $kind in
      PLAIN) check "C library, $mode archive" host "$library" "${exports_all[@]}" ;;
      # The first thread has a place from the start.
      EARLY) check "C library, $mode archive, allocates in a constructor" host "$library" "${exports_all[@]}" --skip leaves_none_behind ;;
      # These open copies, each of which may vanish.
      VANISHING) check "C library, $mode archive, deletes its file in a constructor" host "$library" \
        opened_by_a_relative_path found_by_its_name_alone two_copies ;;
    esac
  done
  for link in -pie -no-pie -static -static-pie; do
    unwinder=-lgcc_s
    [[ $link == -static* ]] && unwinder=-lgcc_eh
    gcc -O2 -Wall -fPIE $link tests/unloading/c/program.c "$archive" -o "$out/program" -Wl,--gc-sections "$unwinder" "${c_libraries[@]}" 2>"$out/log"
    check "C program, $mode archive, $link" "$out/program"
  done
done

# Found in other ways. What is skipped opens two files that are one addon, or looks at the outer library's name, or for keys.
addon=$out/host/release/deps/libframepool_unloading.so
ln -sf "$addon" "$out/libinner.so"
gcc -O2 -shared -fPIC tests/unloading/c/outer.c -o "$out/libouter.so" -L "$out" -Wl,--no-as-needed -linner -Wl,-rpath,"$out"
check "needed by a library that is closed" host "$out/libouter.so" --skip two_copies --skip replaced_the_file --skip relative_path \
  --skip looked_through
export "$runner=env LD_PRELOAD=$addon"
check "preloaded" host "$addon" --skip finds_no_key_left
gcc -O2 -Wall -shared -fPIC tests/unloading/c/refuse.c -o "$out/refuse.so" -ldl
export "$runner=env LD_PRELOAD=$out/refuse.so"
check "it cannot be kept" host "$addon" a_block_that_outlives the_hosts_own_keys forks_unharmed opened_again_takes_no all_at_once threads_that_used_the_closed \
  statistics leaves_the_hosts_keys_alone namespaces two_hundred_loads_take_one_key
unset "$runner"

# Programs that hold the allocator themselves.
loader=$(readelf -p .interp "$out/host/release/plain" | grep -o '/.*')
for program in plain early; do
  check "$program, run by the loader" "$loader" "$out/host/release/$program"
  CARGO_TARGET_DIR=$out/lto cargo rustc -q -p framepool-unloading --profile peers --bin $program
  check "$program, fat LTO" "$out/lto/peers/$program"
  CARGO_TARGET_DIR=$out/gc cargo rustc -q -p framepool-unloading --release --bin $program -- -C link-arg=-Wl,--gc-sections -C link-arg=-fuse-ld=bfd
  check "$program, GNU ld, --gc-sections" "$out/gc/release/$program"
  CARGO_TARGET_DIR=$out/no-pie cargo rustc -q -p framepool-unloading --release --bin $program -- -C relocation-model=dynamic-no-pic
  check "$program, at a fixed address" "$out/no-pie/release/$program"
  for model in pie static; do
    RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=$model" CARGO_TARGET_DIR=$out/static-$model \
      cargo build -q -p framepool-unloading --release --target "$triple" --bin $program 2>"$out/log"
    check "$program, static, $model" "$out/static-$model/$triple/release/$program"
  done
done
# What std and glibc themselves bring of the loader is theirs.
refers_to_no_loader() {
  local rlib found=0
  for rlib in "$out"/static-*/"$triple"/release/deps/libframepool-*.rlib; do
    if nm -u "$rlib" 2>/dev/null | grep -wE 'dlopen|dlmopen|dlsym|dladdr|dladdr1|dlinfo|dlclose'; then
      echo "$rlib refers to the loader"
      return 1
    fi
    found=$((found + 1))
  done
  [ $found -ge 2 ]
}
check "a static program's crate refers to no loader" refers_to_no_loader

if [ ${#red[@]} -gt 0 ]; then
  echo "unloading: $passed passed, ${#red[@]} failed:$(printf ' [%s]' "${red[@]}")"
  exit 1
fi
echo "unloading: all passed"
