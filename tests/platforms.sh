#!/usr/bin/env bash
# Builds and tests framepool for other platforms than x86-64 Linux with glibc, on such a machine, by cross compilers and emulators.
#
#     bash tests/platforms.sh run aarch64|musl|i686|windows|wasm [ARGUMENTS of cargo test]
#     KERNEL=vmlinuz BUSYBOX=busybox bash tests/platforms.sh run aarch64-kernel
#                                          the same tests as aarch64, on a kernel in an emulated machine (of 4 or 16 KiB pages, as the kernel has)
#     bash tests/platforms.sh check        type-checks the library for systems that nothing here can run
#     bash tests/platforms.sh need         what has to be installed, on Debian
#
# On a machine of the platform itself, plain `cargo test --features full` is all. Without rustup, std is built from its source where it is not installed. Tests
# that an emulator cannot run are skipped by name, with the reason, and counted at the end. Takes 5 to 60 minutes for a target.
set -euo pipefail
cd "$(dirname "$0")/.."

need() {
  cat <<'TEXT'
aarch64   gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static (its tests start themselves again, so the kernel has to know the emulator)
aarch64-kernel
          qemu-system-arm cpio; a kernel, as /boot/vmlinuz-* of linux-image-arm64 or its 16k flavour; busybox of busybox-static, both for arm64
musl      musl-tools
i686      gcc-i686-linux-gnu libc6-dev-i386-cross
windows   gcc-mingw-w64-x86-64 wine64
wasm      nothing to build; wasmtime to run
all       rustup, or cargo with rust-src
TEXT
}

# Has the standard library for a target: rustup's, an installed one, or built from its source.
std=()
prepare() {
  std=()
  if command -v rustup >/dev/null; then
    rustup -q target add "$1"
  elif ! compgen -G "$(rustc --print target-libdir --target "$1")/libstd-*" >/dev/null; then
    std=(-Zbuild-std)
    export RUSTC_BOOTSTRAP=1
  fi
}

skipped=()
# Leaves out the tests whose names have this in them: skip REASON NAME...
skip() {
  local reason=$1
  shift
  for name in "$@"; do
    skips+=(--skip "$name")
    skipped+=("$name: $reason")
  done
}

# Runs each unit test in a process of its own. Most of them leave pools behind, and 32 bits have room for twenty.
each_unit_test_alone() {
  local binary test red=0 count=0
  binary=$(cargo test --no-run "${std[@]}" --target "$1" --lib --features full 2>&1 | sed -n 's/^ *Executable unittests .*(\(.*\))$/\1/p')
  for test in $("$binary" --list --format terse | sed -n 's/: test$//p'); do
    count=$((count + 1))
    "$binary" --exact "$test" >target/unit_test.log 2>&1 || { red=$((red + 1)); cat target/unit_test.log; }
  done
  echo "platforms: $count unit tests, $red failed"
  [ "$count" -gt 0 ] && [ "$red" -eq 0 ]
}

# Builds and runs the example `hello` as a package of its own: what the tests need has no place in WebAssembly.
hello_for_wasm() {
  local package=target/wasm target=wasm32-wasip1
  prepare "$target"
  mkdir -p "$package/src"
  cp examples/hello.rs "$package/src/main.rs"
  cat >"$package/Cargo.toml" <<TOML
[package]
name = "hello"
version = "0.0.0"
edition = "2024"

[dependencies]
framepool = { path = "$PWD" }

[workspace]
TOML
  (cd "$package" && cargo build "${std[@]}" --target "$target")
  if command -v wasmtime >/dev/null; then
    wasmtime "$package/target/$target/debug/hello.wasm"
  else
    echo "platforms: hello is built for $target, and not run: there is no wasmtime"
  fi
}

# qemu-user passes most system calls on to the machine's own kernel, under other addresses and numbers. `run aarch64-kernel` has these tests.
skip_what_qemu_cannot_do() {
  skip "qemu-user makes up the figures of /proc/self/smaps and page faults" \
    a_second_prewarm_finds_everything_there after_prewarm_no_use_of_any_slot_faults core_dumps_leave_the_slots_out_if_told_to \
    huge_pages_are_declined_where_they_are_not_asked_for huge_pages_are_used_where_they_are_asked_for prewarm_loses_no_byte_that_threads_write_meanwhile \
    prewarm_makes_every_page_of_every_slot_resident_and_reports_what_the_kernel_says slots_are_resident_from_the_first_allocation_on_if_that_is_asked_for \
    slots_of_odd_sizes_are_made_resident_to_their_last_byte the_metadata_gets_no_huge_page_even_if_the_slots_do \
    memory_that_prewarm_made_resident_goes_back_although_it_was_never_used of_what_prewarm_made_resident_a_later_trim_gives_back_what_was_locked_at_the_first \
    its_memory_can_be_made_ready_looked_at_and_given_back prewarmed_slots_are_as_clean_as_untouched_ones_whatever_the_system_can_tell_of_them \
    what_is_read_from_outside_is_what_the_allocator_says
  skip "qemu-user takes no filter of system calls" \
    no_system_call:: the_child_of_a_fork_has_their_places_where_the_kernel_only_says_that_it_wipes_memory \
    without_membarrier_from_some_moment_on_nothing_breaks_and_misses_are_counted a_kernel_without_locking_on_first_use_locks_at_once \
    an_allocation_leaves_errno_as_it_was_whatever_start_up_is_refused refused_advice_is_reported_and_the_pools_serve_on \
    where_a_kernel_has_no_call_for_it_pages_are_touched_and_no_byte_written_meanwhile_is_lost \
    where_the_account_of_mappings_cannot_be_read_the_report_says_so_and_tells_what_is_resident where_there_is_no_memory_pages_are_not_touched_either \
    a_refused_trim_gives_nothing_loses_nothing_and_leaves_errno_as_it_was a_slot_that_is_clean_costs_no_system_call \
    a_trim_that_the_system_only_says_it_did_makes_no_slot_clean_and_gives_nothing
  skip "qemu-user does not pass limits on, or needs more than they allow" \
    without_address_space_everything_comes_from_the_heap a_limit_of_a_files_size_does_not_kill_the_program limits::with_too_little \
    in_a_group_with_less_memory_than_the_pools_have_slots_what_is_touched_counts \
    as_much_as_the_limit_allows_is_locked_the_small_classes_and_the_lowest_slots_first without_the_right_to_lock_nothing_is_locked \
    without_a_reservation_there_is_nothing_to_warm_and_the_report_is_zeros
  skip "qemu-user's own memory grows in the first minute" soak::tests::a_few_seconds_find_nothing
  skip "valgrind does not run under qemu-user" a_byte_that_was_never_written_is_found a_leak_is_found a_read_after_free_is_found \
    a_write_past_the_end_is_found the_statistics_say_that_the_pools_are_off_for_valgrind
}

# Boots a kernel whose only process runs the tests, and reads on its console how they end. valgrind is not there.
on_a_kernel() {
  local target=$1 root=target/kernel binary name binaries count
  : "${KERNEL:?is the path of a kernel for aarch64}" "${BUSYBOX:?is the path of a static busybox for aarch64}"
  prepare "$target"
  binaries=$(cargo test --no-run "${std[@]}" --target "$target" --lib --tests --features full 2>&1 | tee /dev/stderr | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
  rm -rf "$root"
  mkdir -p "$root"/{bin,dev,etc,lib,proc,sys,tests,tmp} "$root$PWD/target/tmp"
  # Some tests read the repository.
  tar cf - --exclude=./target --exclude=./.git . | tar xf - -C "$root$PWD"
  cp "$BUSYBOX" "$root/bin/busybox"
  for name in sh mount mkdir cat timeout poweroff; do ln -s busybox "$root/bin/$name"; done
  cp -L "$QEMU_LD_PREFIX"/lib/*.so.* "$root/lib/"
  echo root:x:0:0:root:/:/bin/sh >"$root/etc/passwd"
  for binary in $binaries; do
    name=$(basename "$binary")
    [[ $name = valgrind-* ]] || aarch64-linux-gnu-strip -o "$root/tests/$name" "$binary"
  done
  cat >"$root/init" <<SH
#!/bin/sh
export PATH=/bin FRAMEPOOL_TEST_SLOWDOWN=$FRAMEPOOL_TEST_SLOWDOWN
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t devtmpfs dev /dev && mkdir /dev/shm && mount -t tmpfs tmp /tmp && mount -t tmpfs shm /dev/shm
mount -t cgroup2 group /sys/fs/cgroup
cat /proc/version
cd $PWD
for test in /tests/*; do
  timeout 1800 \$test --test-threads 2 2>&1
  echo "platforms: \$test ends with \$?"
done
poweroff -f
SH
  chmod +x "$root/init"
  (cd "$root" && find . | cpio -o -H newc --quiet) >target/kernel.cpio
  qemu-system-aarch64 -M virt -cpu max,pauth-impdef=on -smp 2 -m 5G -accel tcg,thread=multi -nic none -nographic -no-reboot \
    -kernel "$KERNEL" -initrd target/kernel.cpio -append "console=ttyAMA0 quiet panic=1 rdinit=/init" </dev/null | tee target/kernel.log
  count=$(ls "$root/tests" | wc -l)
  if [ "$count" -eq 0 ] || [ "$(grep -ac "^platforms: .* ends with 0" target/kernel.log)" -ne "$count" ]; then
    grep -a "^platforms: .* ends with [^0]" target/kernel.log || true
    echo "platforms: not all of $count files of tests pass on $KERNEL"
    exit 1
  fi
  echo "platforms: $count files of tests pass on $KERNEL"
}

run() {
  local target skips=()
  case $1 in
  aarch64 | aarch64-kernel)
    target=aarch64-unknown-linux-gnu
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=${CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER:-aarch64-linux-gnu-gcc}
    export QEMU_LD_PREFIX=${QEMU_LD_PREFIX:-/usr/aarch64-linux-gnu} FRAMEPOOL_TEST_SLOWDOWN=${FRAMEPOOL_TEST_SLOWDOWN:-20}
    if [ "$1" = aarch64-kernel ]; then
      on_a_kernel "$target"
      return
    fi
    skip_what_qemu_cannot_do
    ;;
  musl)
    target=x86_64-unknown-linux-musl
    skip "interrupts the program's own text, where a static C library lies too, with its locks" a_handler_interrupts while_a_thread_exits
    skip "a thread that dies in musl's malloc keeps its lock" a_thread_that_dies_anywhere_in_the_allocator
    ;;
  i686)
    target=i686-unknown-linux-gnu
    export CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_LINKER=${CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_LINKER:-i686-linux-gnu-gcc}
    ;;
  windows)
    target=x86_64-pc-windows-gnu
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=${CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER:-x86_64-w64-mingw32-gcc}
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=${CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER:-wine} WINEDEBUG=${WINEDEBUG:--all}
    export FRAMEPOOL_TEST_SLOWDOWN=${FRAMEPOOL_TEST_SLOWDOWN:-10}
    skip "Wine counts no page faults" usage::tests::touching_memory_shows
    ;;
  wasm)
    hello_for_wasm
    return
    ;;
  *) echo "platforms: aarch64, aarch64-kernel, musl, i686, windows or wasm"; exit 2 ;;
  esac
  shift
  prepare "$target"
  if [ $# -eq 0 ]; then
    set -- --lib --tests --features full
    case $target in
    i686-*)
      each_unit_test_alone "$target"
      # Every test that is a file has to be built then, the one of `inspect` too.
      set -- --test '*' --examples --features full,inspect
      ;;
    *-windows-*)
      cargo test "${std[@]}" --target "$target" -p framepool-unloading --test dll
      cargo run "${std[@]}" --target "$target" --release --example video_chat -- --seconds 1
      ;;
    esac
  fi
  cargo test --no-fail-fast "${std[@]}" --target "$target" "$@" -- "${skips[@]}"
  [ ${#skipped[@]} -eq 0 ] || printf 'skipped: %s\n' "${skipped[@]}"
  echo "platforms: $target passes, ${#skipped[@]} names skipped"
}

check() {
  local failed=() lint=(check)
  # Without clippy, the compiler's own warnings.
  if cargo clippy -V >/dev/null 2>&1; then lint=(clippy); fi
  export RUSTFLAGS="${RUSTFLAGS-} -D warnings"
  for target in aarch64-apple-darwin aarch64-linux-android armv7-linux-androideabi x86_64-unknown-freebsd x86_64-unknown-netbsd \
    x86_64-unknown-openbsd x86_64-unknown-illumos x86_64-pc-windows-msvc x86_64-pc-windows-gnullvm i686-pc-windows-msvc aarch64-pc-windows-msvc \
    armv7-unknown-linux-gnueabihf riscv64gc-unknown-linux-gnu i686-unknown-linux-gnu wasm32-wasip1; do
    prepare "$target" 2>/dev/null || true
    if cargo "${lint[@]}" -q "${std[@]}" --target "$target" --lib --features full; then echo "$target: ok"; else failed+=("$target"); fi
  done
  [ ${#failed[@]} -eq 0 ] || { echo "platforms: fails for ${failed[*]}"; exit 1; }
}

"${1:?run TARGET, check or need}" "${@:2}"
