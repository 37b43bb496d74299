#!/usr/bin/env bash
# Runs programs in which the crate is built or loaded in uncommon ways: linked statically with the C library, as a Rust dylib with `prefer-dynamic`, in
# two versions of which one is the other's fallback, and as a library in CPython, whose `multiprocessing` forks. Each has busy threads and forks. Needs
# Linux, glibc on x86-64 and python3. Takes about five minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

here=$PWD/tests/builds
out=$PWD/target/builds
mkdir -p "$out"
triple=$(rustc -vV | sed -n 's/^host: //p')
command -v python3 >/dev/null || { echo "builds: python3 is missing"; exit 2; }

step() { printf '== %s\n' "$*"; }

step "the C library linked statically"
RUSTFLAGS="-C target-feature=+crt-static" CARGO_TARGET_DIR=$out/static cargo test -q --target "$triple" \
  --lib --test fork --test magazines --test realloc --test stats --test trim --test trim_memory --test vec --test zeroed

# `std` is a Rust dylib too then, and the crate's generic code is in the program.
step "the crate as a Rust dylib"
CARGO_TARGET_DIR=$out/rlibs cargo build -q --release
# As cargo says it, which does not build this.
export CARGO_PKG_VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
rlib() { ls -t "$out/rlibs/release/deps/lib$1"-*.rlib | head -1; }
compile() { rustc --edition 2024 -O -C prefer-dynamic -L "dependency=$out/rlibs/release/deps" --out-dir "$out" "$@"; }
compile -A warnings --crate-type dylib --crate-name framepool src/lib.rs --extern "libc=$(rlib libc)" --extern "spin=$(rlib spin)"
compile --crate-name one "$here/one.rs" --extern "framepool=$out/libframepool.so" --extern "libc=$(rlib libc)" \
  -C "link-arg=-Wl,-rpath,$out:$(rustc --print target-libdir)"
"$out/one"

# The other version is a copy with another number, because a graph of packages has each version once.
step "two versions"
rm -rf "$out/two" "$out/other"
mkdir -p "$out/two/src" "$out/other"
git ls-files -z Cargo.toml *.md src benches examples tests | xargs -0 cp --parents -t "$out/other"
sed -i '0,/^version = .*/s//version = "0.0.1"/' "$out/other/Cargo.toml"
cp "$here/two.rs" "$out/two/src/main.rs"
cp "$here/work.rs" "$out/two/src/work.rs"
cat >"$out/two/Cargo.toml" <<TOML
[package]
name = "two"
version = "0.0.0"
edition = "2024"

[dependencies]
framepool = { path = "$PWD" }
other = { package = "framepool", path = "$out/other" }
libc = "0.2"

[workspace]
TOML
cp Cargo.lock "$out/two/"
(cd "$out/two" && CARGO_TARGET_DIR=$out/rlibs cargo run -q --release)

step "CPython and multiprocessing"
CARGO_TARGET_DIR=$out/rlibs cargo rustc -q --release -p framepool-unloading --lib --crate-type cdylib
python3 "$here/forks.py" "$out/rlibs/release/libframepool_unloading.so"

echo "builds: all passed"
