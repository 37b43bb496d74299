#!/usr/bin/env bash
# Applies each known breakage to a copy of the code, and checks that the named test fails: tests/breakages.sh [PROMISE ...]
#
# A line has the promise, the file, a Perl substitution that breaks it, and the test target that must fail:
#
#   NAME           the integration test of that name       lib            the unit tests
#   full:NAME      the same, with all features             inspecting:NAME  the same, with the program framepool
#   loom:TEST      a test under the model checker
#   package:NAME   a member of the workspace               coroutines     that member, in a release build
#   tsan, asan     tests under a sanitizer (nightly)       soak           the short soaks of video_chat
#
# A substitution that changes nothing, or code that no longer compiles, is an error of this script. A test that hangs for five minutes has failed.
# Takes one to two hours on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z | xargs -0 cp --parents -t "$copy"
export CARGO_TARGET_DIR="$copy/target" RUST_BACKTRACE=0
cd "$copy"
# Only these promises, if any are named: tests/breakages.sh P6 P7
only=("$@")

# What is selected, under the sanitizer or the model checker if that is said, for so many seconds at most: what hangs is red.
run_tests() {
  local seconds=$1
  shift
  if [ "$sanitizer" = loom ]; then
    timeout "$seconds" bash tests/loom.sh -q "${selection[@]}" "$@"
  elif [ -z "$sanitizer" ]; then
    timeout "$seconds" cargo test -q "${selection[@]}" "$@"
  else
    STRESS_SECONDS=5 timeout "$seconds" bash tests/sanitized.sh "$sanitizer" -q "${selection[@]}" "$@"
  fi
}

red=0 green=()
breaks() {
  local promise=$1 file=$2 edit=$3 target=$4 sanitizer=''
  [[ ${#only[@]} -eq 0 || " ${only[*]} " == *" ${promise%% *} "* ]] || return 0
  cp "$file" original
  perl -0pi -e "$edit" "$file"
  if cmp -s "$file" original; then echo "breakages: nothing to break: $promise"; exit 1; fi
  local selection=(--test "$target")
  case $target in
    lib) selection=(--lib) ;;
    full:lib) selection=(--features full --lib) ;;
    full:*) selection=(--features full --test "${target#full:}") ;;
    coroutines) selection=(-p framepool-coroutines --release) ;;
    inspecting:*) selection=(--features inspect --test "${target#inspecting:}") ;;
    package:*) selection=(-p "${target#package:}") ;;
    loom:*) sanitizer=loom selection=("${target#loom:}") ;;
    soak) selection=(--example video_chat soak) ;;
    tsan) sanitizer=thread selection=(--test stress) ;;
    asan) sanitizer=address selection=(--test address_sanitizer) ;;
  esac
  if ! run_tests 1800 --no-run >build.log 2>&1; then
    cat build.log; echo "breakages: does not compile: $promise"; exit 1
  fi
  if run_tests 300 >/dev/null 2>&1; then
    green+=("$promise ($target)"); echo "STILL GREEN  $promise ($target)"
  else
    red=$((red + 1)); echo "red          $promise ($target)"
  fi
  cp original "$file"
}

breaks "P1 a block goes back by address" src/pool_alloc/global_alloc.rs \
  's/if self\.pools\.spans\(ptr\) \{\n(\s+\/\/ SAFETY: the caller.s contract\.\n\s+unsafe \{ self\.dealloc_slot)/if self.pools.spans(ptr) && layout.size() > 1 << 20 {\n$1/' vec
breaks "P2 a hit makes no system call" src/pools/fast_path.rs \
  's/(let start = guard\.magazine\(lane\)\.pop\(\)\?;)/$1 std::thread::yield_now();/' never_waits
breaks "P3 a slot given back can be taken again" src/slots/slot_set.rs \
  's/self\.shared\.level\.fetch_add\(slots\.len\(\) as u64, AcqRel\);/self.shared.level.load(Relaxed);/' routing
breaks "P3 what sleeping threads have cached is reclaimed" src/magazine/reclaim.rs \
  's/self\.add_all\(lane, store\.used_places\(\)\);//' magazines
breaks "P3 a thread that was inside is looked at again" src/magazine/reclaim.rs \
  's/is_settled = false;/*word ^= bit;/' never_waits
breaks "P3 a child of a fork has the places of the threads that are gone" src/metadata/fork.rs \
  's/(abandon_unless_open\(self\.key\(\)\) \{\n\s+)self\.release_place\(state\);/$1let _ = state;/' lib
breaks "P9 only the thread that forked frees the places of the others" src/metadata/fork_mark.rs \
  's/WIPED if os::is_first_thread\(\) =>/WIPED =>/' lib
breaks "P9 a child settles once" src/metadata/fork_mark.rs \
  's/if self\.word\(\)\.load\(Acquire\) != settled_here\(\) \{/{/' lib
breaks "P9 a thread that ended inside keeps its place" src/lifecycle/thread.rs \
  's/if state\.gate\(\)\.abandon_unless_open\(address\) \{/if state.gate().abandon_unless_open(address) || true {/' lib
breaks "P9 start-up calls no allocator" src/lifecycle/registry.rs \
  's/(pub\(crate\) fn register.*?\{\n)/$1    os::after_fork(settle_children);\n/' late_key
breaks "P9 a reclaim that a fork cuts short leaves no slot in two places" src/magazine.rs \
  's/        let len = self\.len\(\);\n        let first = len - .*?\n        let drained = .*?\n        self\.len\.store\(first, Relaxed\);\n        drained\n/        self.take_oldest(self.len())\n/' fork_anywhere
breaks "P9 a thread that a handler forks on settles after what it was at" src/thread/section.rs \
  's/if is_inside \{ None \} else/if is_inside \&\& false { None } else/' fork_anywhere
breaks "P9 it settles when it is through with that" src/metadata/lanes.rs \
  's/        self\.settle_after_fork\(\);\n        result/        result/' fork_anywhere
breaks "P9 a place that was being claimed is not pending in the child" src/thread/places.rs \
  's/self\.taken\.iter\(\)\.zip\(\(0\.\.\)\.step_by\(64\)\)\.flat_map/self.taken[..self.used().div_ceil(64)].iter().zip((0..).step_by(64)).flat_map/; s/bits & 1 << place != 0\)\.map\(move/bits \& 1 << place != 0 \&\& first + place < self.used()).map(move/; s/flat_map\(\|/flat_map(move |/' fork_anywhere
breaks "P9 places without an owner are left alone" src/metadata/fork.rs \
  's/self\.places\.taken\(\)\.map/(0..crate::tunables::PLACES).map/; s/(fn take_over_places.*?)self\.release_place\(state\);/$1state.owner.store(0, Relaxed);/s' lib
breaks "P9 a child settles at once" src/lifecycle/registry.rs \
  's/    all\(\)\.for_each\(Metadata::settle_child\);\n//' fork
breaks "P9 a child does not rely on the kernel to wipe the mark" src/metadata/fork.rs \
  's/        self\.fork_mark\.iter\(\)\.for_each\(ForkMark::wipe\);\n//' fork
breaks "P3 a child of a fork inside a fallback keeps its own place" src/thread/current.rs \
  's/BINDING\.with\(\|binding\| binding\.own\.load\(Relaxed\)\)/current_state()/' lib
breaks "P2 an exhausted class costs no fence for each give" src/magazine/reclaim.rs \
  's/set\.free\(\) \* 2 >= set\.slots\(\)/set.free() > 0/' never_waits
breaks "P3 a slot without a hint is found" src/slots/slot_set.rs \
  's/let groups = .*?;/let groups = 0;/' lib
breaks "P4 slots are aligned" src/config/plan.rs \
  's/let align = if slot_align > GUARD_BYTES \{ slot_align \} else \{ GUARD_BYTES \};/_ = slot_align; let align = GUARD_BYTES;/' routing
breaks "P5 a dirty slot is cleared" src/pools.rs \
  's/if !self\.is_clean \{/if false {/' zeroed
breaks "P5 an untouched slot is not cleared" src/slots/slot_map.rs \
  's/self\.read\(\)\.0 & DIRTY == 0/false/' zeroed
breaks "P5 zero_on_free clears" src/pools/slow_path.rs \
  's/start\.write_bytes\(0, self\.slot_bytes\(found\)\)/start.write_bytes(0, 1)/' zeroed
breaks "P6 a shrink moves at a quarter" src/pools/slow_path.rs \
  's/size <= self\.slot_bytes\(found\) \/ 4/size <= self.slot_bytes(found) \/ 2/' realloc
breaks "P6 a fallback block that shrinks stays" src/pool_alloc/realloc.rs \
  's/if new_(layout\.size\(\)|size) <= layout\.size\(\) \{/if false {/g' realloc
breaks "P6 a shrink never goes below a floor" src/pools/slow_path.rs \
  's/                return Shrink::ToFallback;\n/                Lane::new(class, true)\n/' realloc
breaks "P6 a small remainder holds no larger slot" src/pools/slow_path.rs \
  's/taken\.map_or\(Shrink::ToFallback,/taken.map_or(Shrink::Stays,/' realloc
breaks "P6 a remainder keeps no slot that is held back for larger layouts" src/pools/slow_path.rs \
  's/ && \(lane\.is_held_back\(\) \|\| !found\.lane\.is_held_back\(\)\)//' realloc
breaks "P6 a shrink starts no reclaim" src/pools/slow_path.rs \
  's/take_without_reclaim/take/' realloc
breaks "P6 a shrink that the fallback cannot serve stays" src/pool_alloc/realloc.rs \
  's/                if start\.is_null\(\) \{\n\s+return None;\n\s+\}\n//' no_memory
breaks "P14 a shrink to the fallback is counted" src/pool_alloc/realloc.rs \
  's/                self\.tally_now\(\)\.fallback\(FallbackReason::ShrunkToFallback.*?;\n//' dhat
breaks "values a remainder holds no larger slot" src/buffer_pool/allocator.rs \
  's/(Shrink::ToFallback => \{)/$1 if new.size() < 1000 { return None; }/' full:collections
breaks "values a shrink outside the pools is counted" src/buffer_pool/allocator.rs \
  's/return self\.counted\(reason, new, block\);/_ = reason; return block;/' full:collections
breaks "values a move that is not of the pools is not counted" src/buffer_pool/allocator.rs \
  's/if concerns_pools \{/if { let _ = concerns_pools; true } {/' full:collections
breaks "P6 a failed realloc leaves the block" src/pool_alloc/realloc.rs \
  's/if !new\.is_null\(\) \{/if true {/' no_memory
breaks "fallback glibc consolidates after many allocations that the pools refuse" src/pool_alloc/allocate.rs \
  's/if is_due \{/if false {/' consolidation
breaks "fallback glibc consolidates after many reallocations that the pools refuse" src/pool_alloc/realloc.rs \
  's/if is_due \{/if false {/' consolidation
breaks "fallback glibc consolidates for threads without counters too" src/pool_alloc/fallback.rs \
  's/if is_due && Self::needs_consolidation\(\) \{/if false \&\& is_due {/' consolidation
breaks "fallback glibc consolidates only if the pools took large requests" src/pool_alloc/fallback.rs \
  's/if self\.pools\.have_taken_large_requests\(self\.tally_now\(\)\) \{/if true {/' consolidation
breaks "fallback only glibc is made to consolidate" src/pool_alloc/fallback.rs \
  's/os::CONSOLIDATES && Self::is_on_system\(\)/os::CONSOLIDATES/' consolidation
breaks "P12 an uncounted end makes no maximum too low" src/stats/level.rs \
  's/live\.checked_sub\(1\)/Some(live.wrapping_sub(1))/' lib
breaks "fallback the request that makes glibc consolidate reaches its heap" src/os/linux/glibc.rs \
  's/const MIN_REQUEST_BYTES: usize = 1100;/const MIN_REQUEST_BYTES: usize = 900;/' consolidation
breaks "P12 a hit in a lane that is never cached is counted" src/pools/uncached.rs \
  's/        guard\.counters\(lane\)\.count_hit\(size\);\n//' model
breaks "P12 the peak of a lane that is never cached rises" src/pools/uncached.rs \
  's/        metadata\.look_at_peak\(lane\.class\(\)\);\n//' magazines
breaks "P7 a double free is seen" src/slots/slot_map.rs \
  's/self\.0 & LIVE != 0\n/self.0 != 0\n/' misuse
breaks "P7 an interior pointer is seen" src/slots/slot_map.rs \
  's/address & self\.within_granule == 0/true/' misuse
breaks "P7 a wrong layout is seen" src/pools/find.rs \
  's/&& self\.plan\(\)\.classes\[found\.lane\.class\(\)\]\.fits\(layout\)/\&\& layout.size() > 0/' misuse
breaks "P7 hardened sees racing frees" src/slots/slot_map.rs \
  's/Relaxed\) & LIVE != 0/Relaxed) != 0/' misuse
breaks "P8 guards fault" src/os/unix.rs \
  's/map\(bytes \+ align, libc::PROT_NONE/map(bytes + align, libc::PROT_READ | libc::PROT_WRITE/' guards
breaks "P9 a handler does not enter an owner's magazines" src/magazine/gate.rs \
  's/self\.state\.store\(CLOSED, Relaxed\);//' life_cycle
breaks "P9 a place is given back" src/metadata/fork.rs \
  's/        self\.places\.release\(self\.place_of\(state\)\);/        _ = self;/' lib
breaks "P9 a first request in a handler calls no allocator" src/os/unix/exit_hook.rs \
  's/if cfg!\(target_env = "gnu"\) && self\.0 >= KEYS_WITH_ROOM/if false \&\& self.0 >= KEYS_WITH_ROOM/' late_key
breaks "P9 a thread without a hook leaves its place to the next" src/lifecycle/orphans.rs \
  's/is_gone && state\.owner/false \&\& is_gone \&\& state.owner/' late_key
breaks "P9 a library that may be unloaded is kept" src/os/unix/pin.rs \
  's/ \| libc::RTLD_NODELETE//; s/let stays = (is_own && .*?);/let stays = $1;\n    \/\/ SAFETY: as above.\n    unsafe { libc::dlclose(handle) };/s' package:framepool-unloading
breaks "P9 a library that cannot be kept has no hook" src/os/unix/exit_hook.rs \
  's/local::KEEPS_VALUES && stays_mapped\(\)/{ let _ = stays_mapped; local::KEEPS_VALUES }/' package:framepool-unloading
breaks "P9 a library is looked for by its own name" src/os/unix/pin.rs \
  's/\(\*map\)\[1\]\.cast_const\(\)\.cast::<c_char>\(\) == name/!(*map)[1].cast_const().cast::<c_char>().is_null()/' package:framepool-unloading
breaks "P9 another namespace has no hook" src/os/unix/pin.rs \
  's/&& namespace == 0/\&\& namespace > -9/' package:framepool-unloading
breaks "P9 threads ask again that allocate before the constructor" src/lifecycle/thread.rs \
  's/let Some\(exit_hook\) = exit_hook\(\) else \{ return \};/let Some(exit_hook) = exit_hook() else { current::begin_to_bind(); return };/' package:framepool-unloading
breaks "P9 places of dead threads are found" src/lifecycle/orphans.rs \
  's/owner == this_thread \|\| os::is_gone\(owner, this_thread\)/owner == this_thread \&\& os::is_gone(owner, this_thread)/' lib
breaks "P9 living threads keep their places" src/os/linux/threads.rs \
  's/find\(thread\)\.err\(\) == gone/(find(thread).err() == gone || true)/' lib
breaks "P9 a thread past its exit has no place" src/lifecycle/thread.rs \
  's/    current::forget_own_state\(\);\n//' lib
breaks "P9 what a full magazine was made to let go of is given back" src/magazine/lane_pool.rs \
  's/                self\.give_to_set\(spilled\.as_slice\(\)\);\n/                if !is_pushed { self.give_to_set(spilled.as_slice()); }\n/' fork
breaks "P9 the first allocation fits a small stack" src/metadata.rs \
  's/(let parts = Parts::of)/core::hint::black_box([0_u8; 6000]); $1/' stack
breaks "P10 a denied reservation is noticed" src/lifecycle/serving.rs \
  's/if base\.is_null\(\) \{ FAILED \} else \{ READY \}/READY/' no_memory
breaks "P10 the limit that was exceeded is named" src/os/linux/limits.rs \
  's/in_use\.saturating_add\(more as u64\) > limit/in_use > limit/' no_memory
breaks "P10 a slot size is a multiple of 64" src/config/check.rs \
  's/if slot_bytes == 0 \|\| !slot_bytes\.is_multiple_of\(SLOT_STEP\) \{/if slot_bytes == 0 {/' config
breaks "P10 the slot map is bounded" src/config/plan.rs \
  's/if self\.map_bytes\(\) > .*? \{/if false {/' config
breaks "P11 nothing allocates" src/pools/fast_path.rs \
  's/(let start = guard\.magazine\(lane\)\.pop\(\)\?;)/$1 drop(std::hint::black_box(vec![0_u8; 3 << 20]));/' never_allocates
breaks "P12 each hit is counted" src/stats/counters.rs \
  's/self\.hits\.load\(Relaxed\)\.wrapping_add\(1\)/1/' stats
breaks "P12 peak is the most at once" src/stats/peak.rs \
  's/self\.highest\.fetch_max\(in_use, Relaxed\);//' stats
breaks "small layouts leave held-back slots alone" src/config/plan.rs \
  's/if held == 0 \{ 0 \} else \{ min_bytes \}/0/' routing
breaks "switched off, nothing new is taken" src/lifecycle/serving.rs \
  's/ && self\.enabled\.load\(SeqCst\)//' routing
breaks "P13 prewarm makes slots resident" src/pools/residency.rs \
  's/self\.options\.populate\(reserved\);//' residency
breaks "P13 prewarm makes the last page of a slab resident" src/memory/reservation.rs \
  's/\.next_multiple_of\(os::page_bytes\(\)\)/ \& !4095/' residency
breaks "P13 prefault makes slots resident" src/pools/start_up.rs \
  's/self\.memory_config\(\)\.prefault\)/false)/' residency
breaks "P13 a report touches nothing" src/pools/residency.rs \
  's/(\|reserved\|) self\.options\.report\(reserved\)\)/$1 { self.options.populate(reserved); self.options.report(reserved) })/' residency
breaks "P13 touching a page writes to it" src/os/touch.rs \
  's/let _ = byte\.compare_exchange\(.*?\);/let _ = found;/' lib
breaks "P13 touching without a write is not enough for prewarm" src/os/touch.rs \
  's/let _ = byte\.compare_exchange\(.*?\);/let _ = found;/' residency_denied
breaks "P13 touching loses no write" src/os/touch.rs \
  's/let _ = byte\.compare_exchange\(.*?\);/byte.store(found, Relaxed);/' lib
breaks "P13 huge pages are asked for" src/os/linux/requests.rs \
  's/if yes \{ libc::MADV_HUGEPAGE \}/if false { libc::MADV_HUGEPAGE }/' residency
breaks "P13 huge pages are declined" src/os/linux/requests.rs \
  's/else \{ libc::MADV_NOHUGEPAGE \}/else { libc::MADV_NORMAL }/' residency
breaks "P13 the metadata gets no huge page" src/metadata.rs \
  's/os::use_huge_pages\(mapping\.pages, false\)/os::use_huge_pages(mapping.pages, true)/' residency
breaks "P13 core dumps leave slots out" src/memory/options.rs \
  's/if !config\.core_dumps \{/if false {/' residency
breaks "P13 a denied lock is reported" src/memory/reservation.rs \
  's/return Err\(denied\);/let _ = denied; return Ok(());/' residency_denied
breaks "P13 what fits the limit is locked" src/memory/reservation.rs \
  's/locked = slots;/locked = 0;/' residency_denied
breaks "P13 an unused slot costs nothing, locked or not" src/os/linux/requests.rs \
  's/const MLOCK_ONFAULT: c_int = 1;/const MLOCK_ONFAULT: c_int = 0;/' residency_denied
breaks "P13 locks have a lower rung" src/os/linux/requests.rs \
  's/=> unix::lock\(pages\)/=> { let _ = unix::lock; Err(denied) }/' residency_denied
breaks "P13 prewarm in a forked child locks anew" src/pools/residency.rs \
  's/self\.options\.ask\(reserved, self\.memory_config\(\)\);//' residency_denied
breaks "P13 without /proc what is resident is told" src/os/linux/requests.rs \
  's/PageFigures \{ resident: resident\(pages\), /PageFigures { resident: 0 * resident(pages), /' residency_denied
breaks "P10 without memory no page is touched" src/os/linux/requests.rs \
  's/\[libc::EINVAL, /[libc::ENOMEM, /' residency_denied
breaks "P12 assert_no_misses sees a single miss" src/assert_pooled.rs \
  's/requests == 0,/requests < 2,/' assert_no_misses
breaks "P14 what the fallback asks for is its own" src/pool_alloc/fallback.rs \
  's/self\.unpooled\(\|\| f\(&self\.fallback\)\)/f(\&self.fallback)/' dhat
breaks "P14 what a fallback behind another one asks for is its own" src/thread/nested.rs \
  's/self\.rows\.iter\(\)\.find\(is_free\)/self.rows[..1].iter().find(is_free)/; s/self\.unlisted\.load\(Relaxed\) != 0 \|\| //' unpooled
breaks "P14 a thread inside more allocators than there are rows is outside all pools" src/thread/nested.rs \
  's/self\.unlisted\.load\(Relaxed\) != 0 \|\| //' lib
breaks "P9 what suspends inside and ends elsewhere changes nothing there" src/thread/nested.rs \
  's/            if depths\.thread\.load\(Relaxed\) != self\.thread \{\n\s+return;\n\s+\}\n//' lib
breaks "P9 guards end in any order" src/thread/nested.rs \
  's/            if depths\.total\.load\(Relaxed\) == 0 \{\n\s+current::resume\(\);\n\s+\}/            current::resume();/' lib
breaks "P14 unpooled ends when it unwinds" src/pool_alloc/fallback.rs \
  's/let _frame = (FallbackFrame::enter\(self\.address\(\)\));\n        f\(\)/let frame = core::mem::ManuallyDrop::new($1);\n        let result = f();\n        drop(core::mem::ManuallyDrop::into_inner(frame));\n        result/' unpooled
breaks "P14 a realloc in place is served" src/metadata/tally.rs \
  's/add\(&counters\.reallocs_in_place, 1\);/_ = \&counters.reallocs_in_place;/' dhat
breaks "P14 a block of the pools moves nowhere while they are left out" src/pool_alloc/realloc.rs \
  's/(fn place_for_remainder.*?)if self\.is_in_fallback_now\(\) \{/$1if false {/s' unpooled
breaks "P14 a block of the fallback stays there while the pools are left out" src/pool_alloc/realloc.rs \
  's/if self\.is_in_fallback_now\(\) \{\n(\s+\/\/ Neither)/if false {\n$1/' unpooled

breaks "trim takes from a range what is free there only" src/slots/slot_set.rs \
  's/let mut left = bits & mask;/let mut left = bits;/' lib
breaks "trim gives permits back that found no slot" src/slots/slot_set.rs \
  's/if found < permits \{/if false {/' lib
breaks "trim drops no live byte" src/pools/trim/walk.rs \
  's/chunk_by\(\|a, b\| a \+ 1 == \*b\)/chunk_by(|_, _| true)/' trim
breaks "trim starts with the first whole page" src/pools/trim/walk.rs \
  's/self\.start\(first\)\.next_multiple_of\(self\.page_bytes\)/self.start(first) \& !(self.page_bytes - 1)/' trim
breaks "trim ends with the last whole page" src/pools/trim/walk.rs \
  's/if is_last \{/if true {/' trim
breaks "trim reaches the end of a slab" src/pools/trim/walk.rs \
  's/if is_last \{/if false {/' trim_memory
breaks "trim keeps slots for the page that they share with the next" src/pools/trim/walk.rs \
  's/let may_go_on = .*?;/let may_go_on = false;/' lib
breaks "trim keeps slots no longer than it is at them" src/pools/trim/walk.rs \
  's/may_go_on && self\.end/may_go_on \&\& self.start/' lib
breaks "trim holds an eighth of a lane" src/tunables.rs \
  's/TRIM_LANE_SHARE: usize = 8/TRIM_LANE_SHARE: usize = 4/' trim
breaks "trim leaves half of what is free" src/tunables.rs \
  's/TRIM_FREE_SHARE: usize = 2/TRIM_FREE_SHARE: usize = 1/' lib
breaks "trim makes no slot clean that shares a page with a live one" src/pools/trim/walk.rs \
  's/edge\.from <= first_page && //' trim
breaks "trim marks no slot clean whose discard was denied" src/pools/trim/walk.rs \
  's/edge\.from = edge\.to;//' trim_memory
breaks "trim makes slots clean" src/pools/trim/walk.rs \
  's/self\.cell\(slot\)\.set_clean\(self\.lane\);//' trim
breaks "trim makes no call for clean slots" src/pools/trim/walk.rs \
  's/let is_needed = self\.is_warm/let is_needed = true/' trim_memory
breaks "trim gives back what prewarm made resident" src/memory/options.rs \
  's/self\.set_warmed\(\);//' trim_memory
breaks "trim remembers what it left of that" src/pools/trim.rs \
  's/if is_warm && !is_complete \{/if false {/' trim_memory
breaks "trim gives back what lies in a huge page" src/memory/options.rs \
  's/ \|\| config\.huge_pages/ || config.huge_pages \&\& false/' trim_memory
breaks "trim counts what was resident" src/pools/trim.rs \
  's/let resident = os::resident\(pages\) as usize;/let resident = pages.len();/' trim_memory
breaks "trim gives all slots back to their sets" src/pools/trim/walk.rs \
  's/walk\.give\(done\);/if done.len() != 3 { walk.give(done); }/' trim
breaks "trim empties other threads magazines" src/pools/trim.rs \
  's/if is_settled \{/if false {/' trim
breaks "trim leaves lanes cached" src/pools/trim.rs \
  's/metadata\.with_reclaim\(\|reclaim\| reclaim\.resume_caching\(metadata, &mut closed\)\);/_ = \&mut closed;/' lib
breaks "trim hides no peak" src/pools/trim.rs \
  's/metadata\.peaks\[lane\.class\(\)\]\.look_anew\(\);//' lib
breaks "P5 a discard that did nothing makes no slot clean" src/os/unix/trial.rs \
  's/leaves_zeros\n    \}/_ = leaves_zeros;\n        true\n    }/' trim_memory
breaks "trim gives back what was cleared when it was freed" src/pools/trim.rs \
  's/ \|\| self\.zero_on_free;/;/' trim_memory
breaks "trim leaves errno as it was" src/pools/trim.rs \
  's/os::keeping_errno\(\|\| self\.trim_all\(reserved\)\)/self.trim_all(reserved)/' trim_memory
breaks "errno stays as it was" src/os/errno.rs \
  's/set_last_error\(before\);/let _ = (before, set_last_error);/' residency_denied

breaks "loom permits that find no slot in a range go back" src/slots/slot_set.rs \
  's/if found < permits \{/if false {/' loom:takes_from_a_range
breaks "loom the owner fences" src/magazine/gate.rs \
  's/            light_fence\(\);\n//' loom:two_lanes
breaks "loom a reclaim fences" src/magazine/reclaim.rs \
  's/ && !heavy_fence\(\)/ \&\& false/' loom:two_lanes
breaks "loom the mode changes before the fence" src/magazine/reclaim.rs \
  's/(let closed = lanes\.map\()/_ = heavy_fence(); $1/; s/ && !heavy_fence\(\)/ \&\& false/' loom:two_lanes
breaks "loom places are counted after the fence" src/magazine/reclaim.rs \
  's/(let closed = lanes\.map\()/let used = store.used_places(); $1/; s/self\.add_all\(lane, store\.used_places\(\)\)/self.add_all(lane, used)/' loom:a_new_place
breaks "loom a gate read open shows what was done inside" src/magazine/gate.rs \
  's/self\.state\.load\(Acquire\) == key/self.state.load(Relaxed) == key/' loom:two_lanes
breaks "loom a gate is opened with Release" src/magazine/gate.rs \
  's/(fn leave.*?store\(key, )Release/$1Relaxed/s' loom:two_lanes
breaks "loom a mode read as cached shows empty magazines" src/magazine/mode.rs \
  's/self\.0\.load\(Acquire\)/self.0.load(crate::sync::Ordering::Relaxed)/' loom:an_owner_may
breaks "loom a mode is stored with Release" src/magazine/mode.rs \
  's/self\.0\.store\(mode as u8, SeqCst\)/self.0.store(mode as u8, crate::sync::Ordering::Relaxed)/' loom:an_owner_may
breaks "loom a reclaim leaves closed gates alone" src/magazine/reclaim.rs \
  's/if store\.gate\(place\)\.is_open\(store\.key\(\)\) \{/if true {/' loom:two_lanes
breaks "loom an owner leaves magazines of set-only lanes alone" src/magazine/lane_pool.rs \
  's/self\.mode\(\)\.is_cached\(\)\.then\(/true.then(/' loom:two_lanes
breaks "loom nothing is restored while a place is pending" src/magazine/reclaim.rs \
  's/store\.mode\(lane\)\.get\(\) == LaneMode::SetOnly && //' loom:stopped_inside
breaks "loom a place that was inside is remembered" src/magazine/reclaim.rs \
  's/is_settled = false;/*word ^= bit;/' loom:two_lanes
breaks "loom a pending lane says so" src/magazine/reclaim.rs \
  's/is_settled = false;/{}/' loom:two_lanes
breaks "loom a pending lane is reclaimed" src/magazine/lane_pool.rs \
  's/may_hide_slots\(\)/is_cached()/' loom:two_lanes
breaks "loom a lane is restored" src/magazine/lane_pool.rs \
  's/self\.store\.with_reclaim\(\|reclaim\| reclaim\.resume_caching_if_half_free\(self\.store, self\.lane\)\);//' loom:two_lanes
breaks "loom what does not fit a magazine goes to the set" src/magazine/lane_pool.rs \
  's/self\.give_to_set\(&starts\[cached\.unwrap_or\(0\)\.\.\]\);/_ = cached;/' loom:two_owners
breaks "loom a reclaim takes from the top of a magazine" src/magazine.rs \
  's/        let len = self\.len\(\);\n        let first = len - .*?\n        let drained = .*?\n        self\.len\.store\(first, Relaxed\);\n        drained\n/        self.take_oldest(self.len())\n/' loom:a_magazine
breaks "loom a thread that takes a slot sees what was written to it" src/slots/slot_set.rs \
  's/(compare_exchange_weak\(bits, bits & !mask \| left, )Acquire/$1Relaxed/' loom:a_group
breaks "loom a giver shows what was written to the slots of a word" src/slots/slot_set.rs \
  's/0, slots, AcqRel\)/0, slots, Acquire)/' loom:one_word
breaks "loom a giver shows what was written to slots of several words" src/slots/slot_set.rs \
  's/now, SeqCst\)/now, Relaxed)/' loom:a_group
breaks "loom a released place shows what its owner left" src/thread/places.rs \
  's/\(1 << \(place % 64\)\), Release/(1 << (place % 64)), Relaxed/' loom:a_place_passes
breaks "loom a claim sees what the last owner left" src/thread/places.rs \
  's/fetch_update\(Acquire/fetch_update(Relaxed/' loom:a_place_passes
breaks "loom a thread that clears a hint looks again" src/slots/slot_set.rs \
  's/            if !is_empty\(\) \{\n\s*summary\.fetch_or\(hint, SeqCst\);\n\s*\}\n//' loom:a_group
breaks "loom a thread that clears a hint looks at the latest value" src/slots/slot_set.rs \
  's/word\(word\)\.load\(SeqCst\) == 0/word(word).load(Acquire) == 0/' loom:a_group
breaks "loom a giver looks at the latest hint" src/slots/slot_set.rs \
  's/summary\.load\(SeqCst\) & hint/summary.load(Acquire) & hint/' loom:a_group

breaks "values a buffer shows no byte that was not written" src/buffer_pool/pool_buf.rs \
  's/Self::from_slot\(block\.start, 0, len, pool\)/Self::from_slot(block.start, len, len, pool)/' buffer_pool
breaks "values zeros are zeros" src/buffer_pool.rs \
  's/block\.zeroed\(layout\)/block.start/' buffer_pool
breaks "values nothing is held back by default" src/buffer_pool/shared.rs \
  's/config\.without_default_hold_backs\(\)/config/' buffer_pool
breaks "values the last one unmaps" src/buffer_pool/shared.rs \
  's/self\.pools\.unmap\(&ProgramAllocator\)/_ = \&self.pools/' buffer_pool
breaks "values the slots are unmapped too" src/pools/start_up.rs \
  's/                os::unmap\(reservation, source\);/                let _ = (reservation, source);/' buffer_pool
breaks "values a buffer keeps its pool" src/buffer_pool/pool_buf.rs \
  's/let Some\(pool\) = self\.slot_of\(\) else/let Some(pool) = self.slot_of().filter(|pool| Arc::strong_count(pool) > 1) else/' buffer_pool
breaks "values a buffer grows out of its slot into a larger one" src/buffer_pool/pool_buf.rs \
  's/self\.pool\.as_ref\(\)\.map\(\|pool\| Self::take\(pool, needed\)\)/None::<Result<Self, Option<crate::stats::counters::FallbackReason>>>/' buffer_pool
breaks "values a give wakes a waiter" src/buffer_pool/shared.rs \
  's/(pools\.shared_tally\(\), found\) \};\n)        self\.serve\(class\);/$1        let _ = class;/' wait_pooled
breaks "values a trim wakes waiters" src/buffer_pool.rs \
  's/        \(0\.\.CLASSES\)\.for_each\(\|class\| self\.shared\.serve\(class\)\);\n//' wait_pooled
breaks "values the first waiter is served first" src/slots/waiters.rs \
  's/        match self\.waiters\(\)\.last\(\) \{\n\s+Some\(last\) => last\.next\.set\(waiter\),\n\s+None => self\.first\.set\(waiter\),\n\s+\}/        waiter.next.set(self.first.get()); self.first.set(waiter);/' wait_pooled
breaks "values a thread that cannot be served holds up no other" src/slots/waiters.rs \
  's/ else if waiter\.request\.lane\.is_held_back\(\) \{/ else {/' wait_pooled
breaks "values whose time is up leaves the line" src/slots/waiters.rs \
  's/                    queue\.remove\(&waiter\);\n\s+self\.count_in\(-1\);\n//' wait_pooled
breaks "values a block that shrinks to nothing keeps its slot" src/buffer_pool/allocator.rs \
  's/(unsafe fn deallocate.*?)if self\.shared\.has\(ptr\) \{/$1if layout.size() != 0 \&\& self.shared.has(ptr) {/s' full:collections
breaks "values what a growing block gains is zeros" src/buffer_pool/allocator.rs \
  's/write_bytes\(0, new\.size\(\) - old\.size\(\)\)/write_bytes(0, 0)/' full:collections
breaks "loom a waiter is ordered with gives" src/slots/waiters.rs \
  's/            order_with_gives\(\);/            let _ = order_with_gives;/' loom:a_waiting_thread
breaks "loom ordering with gives changes the level" src/slots/slot_set.rs \
  's/        self\.shared\.level\.fetch_add\(0, AcqRel\);\n//' loom:a_waiting_thread
breaks "loom a give sees the waiters" src/slots/slot_set.rs \
  's/0, slots, AcqRel\)/0, slots, crate::sync::Ordering::Release)/' loom:a_waiting_thread
breaks "loom a give to several words sees the waiters" src/slots/slot_set.rs \
  's/slots\.len\(\) as u64, AcqRel\)/slots.len() as u64, crate::sync::Ordering::Release)/' loom:a_waiting_thread
breaks "loom a thread that takes a given slot hands it on" src/slots/waiters.rs \
  's/            self\.serve_queue\(take\);/            let _ = take;/' loom:a_slot_taken_by

breaks "env a table is tried" src/pools/start_up.rs \
  's/self\.plan\.set_with\(\|plan\| _ = plan\.fill\(config\)\);//' environment
breaks "env sizes are routed by the table that is tried" src/pools/start_up.rs \
  's/            self\.routes\.set_with\(\|routes\| \*routes = Routes::new\(self\.plan\(\)\)\);\n//' environment
breaks "env off is off" src/config/environment.rs \
  's/parsed\.is_on = Some\(is\("on"\)\);/parsed.is_on = Some(true);/' environment
breaks "env stats are written at the end" src/os/unix.rs \
  's/        at_exit\(hooks\.program_exit\);/        let _ = (at_exit as fn(_), hooks.program_exit);/' environment
breaks "env the program's own changes are not seen" src/os/unix.rs \
  's/    keep_variable\(\);\n/    let _ = keep_variable;\n/' environment
breaks "env the table is written to what standard error was" src/os/unix/files.rs \
  's/\|\| write_to\(self\.descriptor, text\)/|| write_to(libc::STDERR_FILENO, text)/' environment
breaks "env the table is written into no other file" src/os/unix/files.rs \
  's/if status\(self\.descriptor\)\.is_none_or\(.*?\) \{/if false {/' environment
breaks "env a program with rights of its own does not listen" src/os/unix/variable.rs \
  's/if has_rights_of_its_own\(\)/if has_rights_of_its_own() \&\& false/' environment
breaks "env reading it allocates nothing" src/config/environment.rs \
  's/(pub\(crate\) fn read.*?\{\n)/$1    drop(core::hint::black_box(Box::new(1)));\n/' never_allocates
breaks "env a program that is not to listen does not" src/pools/start_up.rs \
  's/if self\.config\.env \{ self/if true { self/' environment

breaks "advice during a recording not even 0 bytes have a route" src/pools/route.rs \
  's/self\.fits_below = \[0; CLASSES\]/self.fits_below = [1; CLASSES]/' advice
breaks "P9 a handler that interrupts a plain fallback gets slots" src/pool_alloc/fallback.rs \
  's/ \|\| self\.has_plain_fallback//' unpooled
breaks "advice a free of the fallback is seen" src/pools/start_up.rs \
  's/if settled\.recording\.is_some\(\) \{ usize::MAX \} else \{ plan\.span \}/plan.span/' advice
breaks "advice a block that moves is old and new at once" src/stats/recording.rs \
  's/            self\.path\(bin\)\.for_each\(Level::rise\);\n            self\.end\(old\);/            self.end(old);\n            self.path(bin).for_each(Level::rise);/' lib
breaks "advice several bins are never told less than lived at once" src/stats/recording.rs \
  's/            \+ self\.max_below/            .max(self.max_below/; s/middle\.\.of_node\.end, wanted\)\n/middle..of_node.end, wanted))\n/' lib
breaks "advice a size that comes and goes gets a class" src/advice/unserved.rs \
  's/if requests < MANY \{/if true {/' lib
breaks "advice a class that fills the table up takes nothing" src/advice/fit.rs \
  's/if groups\.peek\(\)\.is_some_and\(.*?\) \{/if false {/' lib
breaks "advice a table makes sense" src/advice/fit.rs \
  's/tables\.filter\(\|classes\| table\(classes\)\.validate\(\)\.is_ok\(\)\)\.map/tables.map/' lib
breaks "advice a resized block is not two" src/stats/recording.rs \
  's/        if bin != old_bin \{\n            self\.path/        if bin < BINS {\n            self.path/' lib

breaks "advice sizes count where they have room" src/advice/fit.rs \
  's/\.\.bin_of\(slot_bytes\) \+ 1/..self.served[group.sizes.end - 1].bin + 1/' lib
breaks "advice what shrank may be where it was" src/advice/fit.rs \
  's/placed\(&self\.with_shrunk\(groups\), used, unit\)/placed(\&groups, used, unit)/' lib
breaks "advice what shrank to little has left its slot" src/advice/fit.rs \
  's/seen\.largest > group\.slot_bytes \/ 4/seen.largest > group.slot_bytes * 0/' lib
breaks "advice few requests of a class get slots of its size" src/advice/fit.rs \
  's/if \(group\.slot_bytes\.\.end\)\.contains\(&min\)/if end == min/' lib
breaks "advice a step of sizes is served as a whole" src/advice.rs \
  's/lowest_size\(seen\.bin\)\.min\(floor\)/lowest_size(seen.bin).max(floor)/' lib
breaks "advice a floor looks at the size alone" src/advice.rs \
  's/seen\.largest_asked < floor/seen.largest < floor/' lib
breaks "advice a hold-back of large slots does not decide what is tiny" src/advice.rs \
  's/min_bytes\.min\(TINY\)/min_bytes/' lib
breaks "advice a class that is switched off does not decide what is tiny" src/advice.rs \
  's/if small\.floor > small\.slot_bytes \{ 0 \}/if small.floor == usize::MAX { 0 }/' lib
breaks "advice what the table holds is served, however large" src/advice/unserved.rs \
  's/\.max\(always_served\);\n    let mut left/;\n    let mut left/' lib
breaks "advice each step of a loop is measured in turn" src/stats/recording/cost.rs \
  's/const STEPS: u64 = 61;/const STEPS: u64 = 64;/' lib
breaks "advice rare sizes that have slots now are served" src/advice.rs \
  's/fits_now\.max\(fits_default\)/fits_now.min(fits_default) * 0/' lib
breaks "advice blocks that stay are left out" src/advice/unserved.rs \
  's/requests < USES_PER_SLOT \* at_once as u64/requests < USES_PER_SLOT * 0 * at_once as u64/' lib
breaks "advice a larger slot has room for what was left out" src/advice/unserved.rs \
  's/\*at >= served && has/has/' lib
breaks "advice no class is smaller than is usual one below" src/advice/fit.rs \
  's/!may_be_small && !are_large\(&classes\)/!may_be_small \&\& false/' lib
breaks "advice four small classes may pay" src/advice/fit.rs \
  's/let may_be_small = self\.all_earn\(groups\);/let may_be_small = self.all_earn(groups) \&\& false;/' lib
breaks "advice one huge request does not make all slots huge" src/advice/unserved.rs \
  's/\.max\(large\)\.min\(end\)/.min(end)/' lib
breaks "advice slots share no cache sets" src/config/sizing.rs \
  's/let is_spread = huge_pages \|\| /let is_spread = true || huge_pages || /' lib
breaks "advice huge pages hold whole slots" src/config/sizing.rs \
  's/let is_spread = huge_pages \|\| /let is_spread = /; s/huge_pages: bool/_: bool/' lib
breaks "advice what a recording cost is told" src/stats/recording/cost.rs \
  's/self\.nanos\.fetch_add\(.*?\);/let _ = (nanos, reading, MAX_NANOS);/' advice
breaks "advice alignment is not that of the crowd" src/stats/recording.rs \
  's/layout\.size\(\)\.max\(layout\.align\(\)\)/layout.size()/' lib
breaks "advice the value for FRAMEPOOL leaves nothing to the program" src/advice/text.rs \
  's/:floor=\{floor\}:hold=0/:hold=0/; s/slots, floor, \.\. \} = advice;\n(\s+let name)/slots, .. } = advice;\n$1/' advice
breaks "advice a number of classes that is impossible is not tried" src/advice/fit.rs \
  's/\(1\.\.=CLASSES\)\.filter\(is_possible\)/{ let _ = is_possible; 1..=CLASSES }/' lib
breaks "advice demand is never less than what is in use" src/pools/recording.rs \
  's/recording\.occupy\(classes\[1\]\);\n\s+recording\.vacate\(classes\[0\]\);/recording.vacate(classes[0]);\n                std::thread::yield_now();\n                recording.occupy(classes[1]);/; s/if classes\[0\] != classes\[1\]/if classes[0].is_some()/' advice
breaks "advice what is unpooled is no demand" src/pools/recording.rs \
  's/if is_in_fallback \|\| !self\.is_serving\(\)/if !self.is_serving()/' advice
breaks "advice without slots nothing is recorded" src/pools/start_up.rs \
  's/recording\.filter\(\|_\| reservation\.is_some\(\)\)/recording/' advice
breaks "env the table at the end waits for no other writer" src/lifecycle/registry.rs \
  's/output\.write\(text\.as_bytes\(\), is_first\)/{ _ = std::io::Write::write_all(\&mut std::io::stderr(), text.as_bytes()); Ok::<(), os::Errno>(()) }/' environment

breaks "monitor misses are told once an episode" src/monitor/watch.rs \
  's/share > threshold && !self\.is_open/share > threshold/' lib
breaks "monitor it trims once" src/monitor/watch.rs \
  's/        if self\.wants_trim \{\n\s+self\.idle_since = None;\n\s+\}\n//' lib
breaks "monitor a denial is reported once" src/monitor/watch.rs \
  's/denied\.is_some\(\) && !\*was_denied/denied.is_some()/' lib
breaks "monitor it counts nothing of its own" src/monitor/watched.rs \
  's/self\.unpooled\(f\)/f()/' full:monitor
breaks "monitor it stops when it is dropped" src/monitor.rs \
  's/        self\.stop\.is_wanted\.with\(\|is_wanted\| \*is_wanted = true\);\n//' full:monitor
breaks "monitor the child of a fork has none" src/monitor.rs \
  's/if Process::this\(\) != self\.process \{/if false {/' full:monitor
breaks "monitor its thread takes no signals" src/os/signals.rs \
  's/libc::sigfillset\(&mut blocked\)/libc::sigemptyset(\&mut blocked)/' full:monitor
breaks "monitor its starter keeps its signals" src/os/signals.rs \
  's/            libc::pthread_sigmask\(libc::SIG_SETMASK, &before, core::ptr::null_mut\(\)\);/            _ = before;/' full:monitor
breaks "values a child has no part in its parent's queue" src/buffer_pool/shared.rs \
  's/if inherited\.process == Process::this\(\)/if true/' wait_pooled
breaks "values a child has no part in its parent's queue although both have one number" src/lifecycle/registry.rs \
  's/    FORKS\.fetch_add\(1, Relaxed\);\n//' wait_pooled
breaks "monitor the log is silent without news" src/monitor.rs \
  's/watch\.has_changed\(\)\.then_some\(&now\)/Some(\&now)/' full:monitor

breaks "P12 a hit while the pools get ready is counted" src/metadata/published.rs \
  's/        self\.get\(\)\.map\(\|metadata\| &metadata\.shared\)/        if cfg!(test) { None } else { self.get().map(|metadata| \&metadata.shared) }/' lib
breaks "slot states tell cached slots from live ones" src/metadata/slot_state.rs \
  's/if tag\.is_live\(\)/if true || tag.is_live()/' magazines

breaks "P10 without a fence no thread touches what others have cached" src/magazine/reclaim.rs \
  's/if closed\.contains\(&true\) && !heavy_fence\(\) \{/if closed.contains(&true) \&\& { let _ = heavy_fence(); false } {/' lib
breaks "P3 a fence reaches other threads" src/os/linux/fence.rs \
  's/keeping_errno\(\|\| membarrier\(PRIVATE_EXPEDITED\)\)/{ let _ = PRIVATE_EXPEDITED; keeping_errno(|| true) }/' lib
breaks "loom only one starts" src/lifecycle/serving.rs \
  's/self\.state\.compare_exchange\(UNTOUCHED, STARTING, Acquire, Relaxed\)\.is_ok\(\)/{ self.state.store(STARTING, Relaxed); true }/' loom:serving
breaks "loom a served thread sees what start-up did" src/lifecycle/serving.rs \
  's/self\.pointer\.load\(Acquire\)/self.pointer.load(Relaxed)/' loom:serving
breaks "loom a freeing thread sees what start-up did" src/lifecycle/serving.rs \
  's/self\.span\.load\(Acquire\)/self.span.load(Relaxed)/' loom:serving
breaks "loom the span is stored with Release" src/lifecycle/serving.rs \
  's/self\.span\.store\(span, Release\)/self.span.store(span, Relaxed)/' loom:serving
breaks "loom the base is there before the span" src/lifecycle/serving.rs \
  's/(            self\.base\.store\(base, Relaxed\);\n)(            self\.span\.store\(span, Release\);\n)/$2$1/' loom:serving
breaks "loom a thread that switches the pools looks again" src/lifecycle/serving.rs \
  's/if wanted\(\) == now \{/if true {/' loom:serving
breaks "loom a switch that comes with start-up is not lost" src/lifecycle/serving.rs \
  's/self\.state\.swap\((if .*?), SeqCst\);\n        self\.republish\(from\);/self.republish(from);\n        self.state.swap($1, SeqCst);/' loom:serving
breaks "P3 what a dead thread had cached is reclaimed" src/magazine/reclaim.rs \
  's/self\.add_all\(lane, store\.used_places\(\)\);//' dead_threads
breaks "P9 a cancelled thread leaves nothing in its magazines" src/lifecycle/thread.rs \
  's/        metadata\.pool\(lane\)\.empty_own_magazine\(own\);/        _ = (metadata, own, lane);/' dead_threads
breaks "P9 an interrupted thread's own handler goes to the sets" src/magazine/gate.rs \
  's/self\.state\.store\(CLOSED, Relaxed\);//' life_cycle
breaks "P9 nested destructors have the shared sets" src/lifecycle/thread.rs \
  's/    current::forget_own_state\(\);\n//' life_cycle
breaks "P13 trim gives a group's memory back" src/os/linux/requests.rs \
  's/libc::MADV_DONTNEED\) \};/libc::MADV_WILLNEED) };/' limits
breaks "P10 a fence that a filter denies is noticed" src/magazine/reclaim.rs \
  's/if closed\.contains\(&true\) && !heavy_fence\(\) \{/if closed.contains(&true) \&\& { let _ = heavy_fence(); false } {/' limits
breaks "P10 a reservation that may not be locked fails" src/pools/start_up.rs \
  's/let reservation = metadata\.and_then\(\|_\| reservation::reserve\(plan, source\)\);/let reservation = metadata.and_then(|_| Some(reservation::reserve(plan, source).expect("memory")));/' limits

breaks "tsan a gate is opened with Release" src/magazine/gate.rs \
  's/(fn leave.*?store\(key, )Release/$1Relaxed/s' tsan
breaks "tsan a thread that takes a slot sees what its last owner did" src/slots/slot_set.rs \
  's/bits & !mask \| left, Acquire, Relaxed/bits \& !mask | left, Relaxed, Relaxed/' tsan
breaks "tsan a thread that gives a slot publishes what was done" src/slots/slot_set.rs \
  's/give_bits\(&self\.shared\.level, 0, slots, AcqRel\)/give_bits(\&self.shared.level, 0, slots, Relaxed)/' tsan
breaks "asan a freed slot is poisoned on the fast path" src/pools/fast_path.rs \
  's/        asan::poison\(start, metadata\.slot_bytes\(lane\)\);\n//' asan
breaks "asan a freed slot is poisoned on the slow path" src/pools/slow_path.rs \
  's/        asan::poison\(start, metadata\.slot_bytes\(lane\)\);\n//' asan
breaks "asan the slack is poisoned" src/os/asan.rs \
  's/imp::poison\(start\.wrapping_add\(bytes\), slot_bytes - bytes\);/_ = slot_bytes;/' asan
breaks "asan what a shrink in place gives up is poisoned" src/pools/counting.rs \
  's/        asan::unpoison_prefix\(found\.start, size, self\.slot_bytes\(found\)\);\n//' asan
breaks "asan a buffer has all of its slot" src/pools/slow_path.rs \
  's/        asan::unpoison_prefix\(start, bytes, bytes\);\n//' asan
breaks "asan slots are poisoned at first" src/pools/start_up.rs \
  's/            reserved\.poison_slots\(\);\n//' asan

breaks "soak a forgotten frame is a slot in use" examples/video_chat/server/mod.rs \
  's/        drop\(picture\);\n/        if picture.frame % 10 == 9 { std::mem::forget(picture) } else { drop(picture) }\n/' soak
breaks "soak a forgotten kilobyte is a slot in use" examples/video_chat/server/capture.rs \
  's/(let rgb = studio\.developer\.develop\(frame\);)/$1 std::mem::forget(vec![0_u8; 1024]);/' soak
breaks "soak a forgotten large block is a block more" examples/video_chat/server/capture.rs \
  's/(let rgb = studio\.developer\.develop\(frame\);)/$1 std::mem::forget(Vec::<u8>::with_capacity(3 << 20));/' soak
breaks "soak memory that grows is told" examples/video_chat/server/capture.rs \
  's/(captured\.frames \+= 1;)/$1 std::hint::black_box(unsafe { libc::memset(libc::malloc(64 << 10), 1, 64 << 10) });/' soak
breaks "soak a slot that a reclaim or an exit drops is missed" src/magazine/lane_pool.rs \
  's/self\.give_to_set\(drained\.as_slice\(\)\);/self.give_to_set(\&drained.as_slice()[1..]);/' soak
breaks "soak misses and bypasses are counted" src/stats/counters.rs \
  's/add\(&self\.calls, 1\)/self.calls.load(Relaxed)/' soak

breaks "model held-back slots are for sizes from the limit on, to the byte" src/pools/route.rs \
  's/if size >= self\.routes\(\)\.held_back_from\[class\] \{\n            return Ok/if size > self.routes().held_back_from[class] {\n            return Ok/' model
breaks "model a shrink moves at a quarter, to the byte" src/pools/slow_path.rs \
  's/size <= self\.slot_bytes\(found\) \/ 4/size < self.slot_bytes(found) \/ 4/' model
breaks "model each byte that is asked for in place is counted" src/metadata/tally.rs \
  's/            add\(&counters\.requested_bytes, bytes as u64\);/            _ = bytes;/' model
breaks "model the last byte is zeroed" src/pools.rs \
  's/write_bytes\(0, layout\.size\(\)\)/write_bytes(0, layout.size() - 1)/' model
breaks "model the last byte is copied" src/pool_alloc/realloc.rs \
  's/copy_from_nonoverlapping\(ptr, size\.min\(new_size\)\)/copy_from_nonoverlapping(ptr, size.min(new_size) - 1)/' model
breaks "model the fallback gets a block back with the layout that it had" src/pool_alloc/realloc.rs \
  's/fallback\.dealloc\(ptr, layout\)\);\n/fallback.dealloc(ptr, new_layout));\n/' model
breaks "model what may have every slot misses only when none is free" src/magazine/lane_pool.rs \
  's/taken\.or_else\(\|\| self\.with\(self\.lane\.open\(\)\)\.take_here\(own\)\)/taken/' model
breaks "model an unpooled request is not counted" src/pool_alloc/fallback.rs \
  's/if self\.is_in_fallback\(\) \{ None \} else \{ Some\(self\.tally\(\)\) \}/Some(self.tally())/' model

breaks "stress what a full magazine lets go of is not lost" src/magazine/lane_pool.rs \
  's/self\.give_to_set\(spilled\.as_slice\(\)\);/self.give_to_set(\&spilled.as_slice()[spilled.as_slice().len().min(1)..]);/' stress
breaks "tsan a magazine has one owner at a time" src/magazine/reclaim.rs \
  's/if store\.gate\(place\)\.is_open\(store\.key\(\)\) \{/if true {/' tsan

breaks "P3 a take from a range without slots leaves the rest to others" src/slots/slot_set.rs \
  's/(self\.word\(word\)\.load\(Relaxed\)) & (bits_of)/$1 | $2/' lib
breaks "magazines one that overflowed doubles" src/magazine.rs \
  's/u32::from\(small_refills_left & FRESH != 0\)/0/' lib
breaks "magazines one that overflowed is refilled by smaller portions" src/magazine.rs \
  's/2 << small_refills_left\.div_ceil\(SMALL_REFILLS\)/2/' lib
breaks "magazines a new owner starts anew" src/magazine.rs \
  's/        self\.small_refills_left\.store\(0, Relaxed\);\n//' lib
breaks "magazines a thread that comes now and then stays cold" src/magazine.rs \
  's/visit_score \/ 2/visit_score/' lib

breaks "P9 a handler goes to the sets, between any two instructions" src/magazine/gate.rs \
  's/self\.state\.store\(CLOSED, Relaxed\);//' every_instruction
breaks "P9 of a thread and its handler one claims a place" src/thread/current.rs \
  's/STATE\.with\(\|state\| state\.compare_exchange\(not_yet_bound, no_place, Relaxed, Relaxed\)\)\.ok\(\)\?;/if { let _ = no_place; STATE.with(|state| state.load(Relaxed)) != not_yet_bound } { return None; }/; s/let was_bound = BINDING\.with\(\|binding\| binding\.is_bound\.swap\(true, Relaxed\)\);/BINDING.with(|binding| binding.is_bound.store(true, Relaxed));\n    let was_bound = false;/' every_instruction
breaks "P9 own counters are added to guard the gate" src/thread/current.rs \
  's/self\.enter\(\)\.map\(\|guard\| f\(&guard\)\)/Some(f(\&core::mem::ManuallyDrop::new(StateGuard { state: self.state, key: self.key })))/' every_instruction
breaks "P9 a handler in a thread's exit has the shared sets" src/lifecycle/thread.rs \
  's/    current::forget_own_state\(\);\n//' every_instruction
breaks "P9 the reclaim lock is only tried" src/sync/native.rs \
  's/self\.0\.try_lock\(\)\.map\(/Some(self.0.lock()).map(/' every_instruction
breaks "P9 a take from a word is one step" src/slots/slot_set.rs \
  's/match word\.compare_exchange_weak\(bits, bits & !mask \| left, Acquire, Relaxed\) \{\n\s+Ok\(_\) => return found,\n\s+Err\(now\) => bits = now,\n\s+\}/word.store(bits & !mask | left, Relaxed);\n        bits = 0;\n        return found + bits as usize;/' every_instruction
breaks "P9 a give to a word is one step" src/slots/slot_set.rs \
  's/let twice = word\.fetch_or\(bits, order\) & bits;/let before = word.load(Relaxed);\n    word.store(before | bits, Relaxed);\n    let _ = order;\n    let twice = before & bits;/' every_instruction
breaks "P9 permits are taken in one step" src/slots/slot_set.rs \
  's/match self\.shared\.level\.compare_exchange_weak\(level, level - permits, Acquire, Relaxed\) \{\n\s+Ok\(_\) => return permits as usize,\n\s+Err\(now\) => level = now,\n\s+\}/self.shared.level.store(level - permits, Relaxed);\n            level = 0;\n            return permits as usize + level as usize;/' every_instruction
breaks "P9 a cached slot is marked free guard the gate" src/pools/fast_path.rs \
  's/(fn give_cached.*?)        cell\.retire\(lane\);\n(.*?)(        owned\(&guard\.counters\(lane\)\.returns, 1\);\n)/$1$2$3        drop(guard);\n        cell.retire(lane);\n/s' every_instruction
breaks "P9 a slot is marked free before it can be taken" src/pools/slow_path.rs \
  's/        if !self\.hardened \{\n            cell\.retire\(lane\);\n        \} else if/        if self.hardened \&\&/; s/(        metadata\.pool\(lane\)\.give\(tally\.own\(\), metadata\.own_pointer\(start\)\);\n)/$1        cell.retire(lane);\n/' every_instruction
breaks "P9 a handler's reclaim leaves its own thread's magazine alone" src/magazine/reclaim.rs \
  's/if store\.gate\(place\)\.is_open\(store\.key\(\)\) \{/if true {/' every_instruction
breaks "P9 a block that moves is copied before its slot is free" src/pool_alloc/realloc.rs \
  's/(                new\.copy_from_nonoverlapping\(ptr, size\.min\(new_size\)\);\n)(                self\.pools\.give\(tally, found\);\n)/$2$1/' every_instruction
breaks "P12 a return is counted before the slot can be taken" src/pools/slow_path.rs \
  's/(        tally\.give\(lane\);\n)(        metadata\.pool\(lane\)\.give\(tally\.own\(\), metadata\.own_pointer\(start\)\);\n)/$2$1/' every_instruction
breaks "P12 shared counters are added to in one step" src/stats/add.rs \
  's/counter\.fetch_add\(n, Relaxed\)\.wrapping_add\(n\)/{ counter.store(counter.load(Relaxed) + n, Relaxed); n }/' every_instruction
breaks "P9 slots that the magazine does not take go back" src/magazine/lane_pool.rs \
  's/self\.give_to_set\(&starts\[cached\.unwrap_or\(0\)\.\.\]\);/self.give_to_set(\&starts[cached.unwrap_or(starts.len())..]);/' every_instruction
breaks "P9 a lane that a handler exhausted is cached again" src/magazine/lane_pool.rs \
  's/self\.store\.with_reclaim\(\|reclaim\| reclaim\.resume_caching_if_half_free\(self\.store, self\.lane\)\);//' every_instruction
breaks "P9 a trim holds the slots whose pages it drops" src/pools/trim/walk.rs \
  's/let taken = parts\.set\.take_among\(next\.\.end, &mut held\[kept\.\.max\]\);/let taken = { let mut n = 0; for slot in next..end { if parts.set.has(slot) \&\& n < max - kept { held[kept + n] = slot as u32; n += 1; } } n };/; s/if !slots\.is_empty\(\)\n\s+&& let Err/if false \&\& !slots.is_empty()\n            \&\& let Err/' every_instruction
breaks "P9 no coroutine keeps the address of a thread-local" src/pool_alloc/global_alloc.rs \
  's/#\[inline\(never\)\]\n    unsafe fn alloc\(/#[inline]\n    unsafe fn alloc(/' coroutines
breaks "P9 a move asks again where to count and whose magazine to use" src/pool_alloc/realloc.rs \
  's/        let new = if new_size/        let tally = self.tally_now();\n$&/; s/(if !new\.is_null\(\) \{\n)\s+let tally = self\.tally_now\(\);\n/$1/' coroutines
breaks "P9 a call of the fallback is counted inside another one" src/pool_alloc/fallback.rs \
  's/        self\.unpooled\(\|\| f\(&self\.fallback\)\)/        if self.is_in_fallback() { f(\&self.fallback) } else { self.unpooled(|| f(\&self.fallback)) }/' coroutines

breaks "figures a share of bytes counts what bypasses the pools" src/stats.rs \
  's/let total = self\.total_bytes\(\);/let total = self.pooled_bytes();/' lib
breaks "figures of nothing there is no hit rate" src/stats/display.rs \
  's/Percent\(share\(self\.hits\(\), self\.misses\(\)\)\)/Percent(Some(share(self.hits(), self.misses()).unwrap_or(1.0)))/' lib
breaks "figures only everything is a hundred percent" src/stats/units.rs \
  's/\(1000\.0 \* share\)\.floor\(\) \/ 10\.0/100.0 * share/' lib
breaks "figures a request that nothing could serve has no bytes" src/pools/counting.rs \
  's/tally\.fallback\(reason, 0\)/tally.fallback(reason, size)/' lib
breaks "figures it has a count of its own" src/pools/counting.rs \
  's/self\.metadata_cell\.refused_shared\(\)\.count_failed\(refusal, size\);//' lib
breaks "figures refused requests are counted by size" src/stats/refused.rs \
  's/bytes\.ilog2\(\) - REFUSED_FROM\.ilog2\(\)/bytes.ilog2() - REFUSED_FROM.ilog2() + 1/' model
breaks "figures small refused requests are the rest" src/stats/refused.rs \
  's/                first\.subtract\(requests, bytes\);//' model
breaks "figures the counts of all threads are added" src/metadata/figures.rs \
  's/big_refusals\.load\(Relaxed\) > 0/big_refusals.load(Relaxed) > 9/' model
breaks "figures the most blocks too large at once are counted" src/pool_alloc/global_alloc.rs \
  's/self\.pools\.too_large_block_ends\(layout\.size\(\)\);//' lib
breaks "figures a block that is reallocated counts once" src/pool_alloc/realloc.rs \
  's/self\.pools\.too_large_block_ends\(layout\.size\(\)\);//' lib
breaks "figures the line to paste has headroom" src/config/sizing.rs \
  's/peak \+ if more > 1/peak + if more > 99/' lib
breaks "figures the line to paste leaves room for the present slots of the class" src/stats/too_large.rs \
  's/at_once \+ xlarge\.peak/at_once/' lib
breaks "figures one huge request does not decide the line to paste" src/stats/too_large.rs \
  's/seen \* OUTLIERS < requests \* \(OUTLIERS - 1\)/true/' lib
breaks "figures no table is advised for a request that comes once" src/stats/too_large.rs \
  's/requests >= at_once\.saturating_mul\(USES_PER_SLOT\)/true/' lib
breaks "figures no table is advised for sizes that are not known" src/stats/too_large.rs \
  's/let is_known = xlarge\.slot_bytes >= REFUSED_FROM as u64;/let is_known = true;/' lib
breaks "figures the line to paste drops a hold-back that is too large" src/stats/too_large.rs \
  's/if drops_hold_back \{/if false {/' lib
breaks "figures unpooled blocks too large at once are counted" src/pool_alloc/fallback.rs \
  's/if !start\.is_null\(\) \{/if !start.is_null() \&\& reason.is_some() {/' lib
breaks "figures the table at the end has the line to paste" src/metadata/snapshot.rs \
  's/self\.add_sizes_to\(&mut stats\);//' environment
breaks "figures a request that is not passed on has no bytes" src/buffer_pool.rs \
  's/count_fallback\(refused, len, false\)/count_fallback(refused, len, true)/' buffer_pool
breaks "figures a shrink that fails is not counted" src/buffer_pool/allocator.rs \
  's/if block\.is_ok\(\) \|\| !matches!\(reason, FallbackReason::ShrunkToFallback\)/if true/' full:collections
breaks "figures assert_pooled sees what bypasses the pools" src/assert_pooled.rs \
  's/!only_misses \|\| sizes\.reason == Refusal::Miss/sizes.reason == Refusal::Miss/' lib
breaks "figures assert_pooled sees a request that nothing could serve" src/assert_pooled.rs \
  's/sizes\.requests \+ sizes\.failed;/sizes.requests;/' lib
breaks "figures small objects do not fail a test of frames" src/assert_pooled.rs \
  's/sizes\.from_bytes >= from as u64 && //' lib
breaks "monitor requests that are too large raise an alarm" src/monitor/watch.rs \
  's/events\.push\(MonitorEvent::TooLarge\(too_large\)\);//' lib
breaks "monitor an alarm of large requests waits for a table" src/monitor/watch.rs \
  's/all\.needed\.is_some\(\) && //' lib
breaks "monitor only slots that serve end an episode" src/monitor/watch.rs \
  's/else if serves && share/else if share/' lib
breaks "monitor small objects raise no alarm" src/monitor/watch.rs \
  's/stats\.slot_bytes >= from_bytes && //' lib
breaks "monitor what is routine is logged at debug" src/monitor/log.rs \
  's/log::debug!/log::info!/' full:monitor
breaks "monitor there is no gauge without a value" src/monitor/metrics.rs \
  's/if let Some\(share\) = stats\.pooled_share\(\) \{/{ let share = stats.pooled_share().unwrap_or(1.0);/' full:lib

breaks "layers an upward path is seen" src/slots/lane.rs \
  's/\z/\n#[allow(dead_code)]\ntype Upward = crate::pools::Pools;\n/' layers
breaks "layers two files in a circle are seen" src/slots/class.rs \
  's/\z/\n#[allow(dead_code)]\ntype Circle = crate::slots::lane::Lane;\n/' layers
breaks "layers a system's crate outside os is seen" src/stats/peak.rs \
  's/\z/\n#[allow(dead_code)]\ntype Number = libc::c_int;\n/' layers
breaks "layers atomics outside sync and os are seen" src/stats/peak.rs \
  's/\z/\n#[allow(dead_code)]\ntype Number = core::sync::atomic::AtomicU8;\n/' layers
breaks "layers a map that differs is seen" ARCHITECTURE.md \
  's/\*\*lifecycle\*\*/**life**/' layers
breaks "where an item that does not exist is seen" ARCHITECTURE.md \
  's/`drop_pages`/`drop_page`/' where_is
breaks "language a word that hides who acts is seen" src/text.rs \
  's/\A/"\/\/ no" . "body\n"/e' language
breaks "env every allocator reads the variable" src/config.rs \
  's/env: true,/env: false,/' two_commands
breaks "env a table comes from a file" src/config/environment.rs \
  's/let outcome = read\(file\)\.and_then\(\|text\| set_table\(text, config\)\);/let outcome = read(file).and_then(|text| if false { set_table(text, config) } else { Ok(()) });/' environment_files
breaks "env a file too long is no table" src/config/environment.rs \
  's/if len == text\.len\(\)/if len > text.len()/' environment_files
breaks "env a pipe without a writer is empty" src/os/unix/files.rs \
  's/libc::O_RDONLY \| libc::O_NONBLOCK/libc::O_RDONLY/' environment_files
breaks "env each process may have a file" src/config/environment.rs \
  's/let process = os::this_process\(\);/let process = 1_u64;/' environment_files
breaks "env the child of a fork leaves the file alone" src/os/unix/files.rs \
  's/self\.opened_by\.is_none_or\(\|process\| process == this_process\(\)\)/true/' environment_files
breaks "env what was in the file is gone" src/os/unix/files.rs \
  's/libc::ftruncate\(self\.descriptor, 0\);//' environment_files
breaks "env executed programs do not have the file" src/os/unix/files.rs \
  's/libc::F_DUPFD_CLOEXEC/libc::F_DUPFD/' environment_files
breaks "env a full disk is told" src/lifecycle/registry.rs \
  's/os::write_to_stderr\(text\.as_bytes\(\)\);/let _ = text;/' environment_files
breaks "env a killed program leaves a note" src/os/unix/files.rs \
  's/let _ = output\.write\(Self::NOT_ENDED, true\);//' environment_files
breaks "env standard output is not overwritten" src/os/unix/files.rs \
  's/is_regular && standard\.is_none\(\)/is_regular/; s/standard\.unwrap_or\(opened\)/opened/' environment_files
breaks "env all allocators are in the file" src/lifecycle/registry.rs \
  's/show\(metadata, output, is_first\);/show(metadata, output, is_first || true);/' environment_files
breaks "env a limit of a file does not kill the program" src/os/unix/signals.rs \
  's/take_pending\(signal\);\n            \}/let _ = take_pending;\n            }/' environment_files
breaks "env advice in a file is comments and a table" src/lifecycle/registry.rs \
  's/if output\.is_file\(\)/if false \&\& output.is_file()/' two_commands
breaks "values a recording is refused" src/buffer_pool.rs \
  's/if config\.record \{/if false {/' buffer_pool
breaks "values a table that makes no sense is an error" src/buffer_pool.rs \
  's/config\.validate\(\)\?;\n//' buffer_pool
breaks "values a full buffer has a chunk" src/buffer_pool/pool_buf/bytes.rs \
  's/self\.reserve\(GROWTH_BYTES\);//' full:collections
breaks "values a buffer is not advanced beyond its room" src/buffer_pool/pool_buf/bytes.rs \
  's/assert!\(count <= room, .*?\);//' full:collections
breaks "values a buffer is hashed as a slice" src/buffer_pool/pool_buf/traits.rs \
  's/self\.as_slice\(\)\.hash\(state\);/self.as_ptr().hash(state);/' pool_buf
breaks "valgrind the pools start switched off" src/pools/start_up.rs \
  's/is_on\.is_none\(\) && os::is_under_valgrind\(\)/false \&\& os::is_under_valgrind()/' valgrind
breaks "valgrind the variable overrides it" src/pools/start_up.rs \
  's/is_on\.is_none\(\) && os::is_under_valgrind\(\)/os::is_under_valgrind()/' valgrind
breaks "inspect a copy of the metadata is none" src/inspect/signature.rs \
  's/ \|\| signature\.address != mapping\.start//' lib
breaks "inspect another version is refused" src/inspect/signature.rs \
  's/signature\.version != VERSION \|\| //' lib
breaks "inspect another layout is refused" src/inspect/signature.rs \
  's/ \|\| signature\.layout != LAYOUT//' lib
breaks "inspect a layout names all fields" src/layout.rs \
  's/\$\(core::mem::offset_of!\(\$name, \$field\) as u64\),\+/0/' lib
breaks "inspect metadata does not merge with its neighbours" src/metadata.rs \
  's/os::map_guarded/os::map_zeroed/' lib
breaks "inspect hits are read before returns" src/inspect/allocator.rs \
  's/(let hits = )self\.counters\(\)\?(.*?;\n)(.*?)(let counters = self\.counters\(\)\?;\n)/let counters = self.counters()?;\n        let hits = self.counters()?$2/s' inspecting:inspect
breaks "inspect slots of both lanes are read" src/inspect/allocator.rs \
  's/for lane in \[Lane::new\(class as usize, false\), Lane::new\(class as usize, true\)\] \{\n            let parts/for lane in [Lane::new(class as usize, true)] {\n            let parts/' lib
breaks "inspect torn figures are not shown" src/stats.rs \
  's/\.all\(\|count\| count <= MAX\)/.all(|count| count <= MAX || true)/' lib
breaks "inspect a recording is checked" src/inspect/allocator.rs \
  's/if recording\.is_plausible\(\) \{ Ok\(recording\) \} else \{ Err\(self\.torn\(\)\) \}/Ok(recording)/' lib
breaks "inspect a zombie is told from a process that lives" src/inspect/process.rs \
  's/starts_with\(b"Z"\)/starts_with(b"?")/' inspecting:inspect
breaks "inspect a program that is executed is another" src/inspect/process.rs \
  's/self\.memory\.read\(first\.start, &mut \[0\]\)\.map\(\|\(\)\| maps\)/_ = first; Ok(maps)/' inspecting:inspect
breaks "inspect SIGTERM is passed on" src/bin/framepool/command.rs \
  's/SIGTERM \| SIGHUP => self\.pass_on\(signal\),//' inspecting:inspect
breaks "inspect a command's output is not in the table" src/bin/framepool/command.rs \
  's/command\.stdout\(io::stderr\(\)\.as_fd\(\)\.try_clone_to_owned\(\)\?\);//' inspecting:inspect
breaks "inspect a command of a recording does not print it" src/bin/framepool/command.rs \
  's/"record,to=\/dev\/null"/"record"/' inspecting:inspect
breaks "invariants a slot in two places is seen" src/pools/invariants.rs \
  's/let found = usize::from\(is_free\) \+ owners \+ usize::from\(is_live\);/let found = 1;/' lib
breaks "invariants a broken one ends the process" src/fatal.rs \
  's/\$crate::fatal::broken_invariant\(\$text\)/_ = \$text;/' lib

echo
if [ ${#green[@]} -gt 0 ]; then
  echo "breakages: ${#green[@]} went unnoticed, $red noticed"
  exit 1
fi
echo "breakages: all $red noticed"
