//! The library's checks, each as a test.

use crate::alone::alone;
use crate::check;

macro_rules! checks {
    ($($number:literal: $name:ident,)+) => {
        $(
            #[test]
            fn $name() {
                alone($name, || check($number));
            }
        )+
    };
}

#[cfg(not(feature = "global"))]
checks! {
    0: a_slot_that_a_coroutine_freed_on_a_thread_is_the_next_that_it_takes_there,
    1: zeroed_memory_comes_from_the_slot_that_was_freed_there_too,
    2: unpooled_before_a_move_and_after_it_leaves_both_threads_as_they_were,
    3: a_slot_that_outgrew_is_freed_on_the_thread_on_which_the_reallocation_ends,
    4: coroutines_that_move_between_allocations_and_frees_share_no_block_and_lose_no_count,
    5: coroutines_that_move_between_zeroed_allocations_and_frees_share_no_block_and_lose_no_count,
    6: coroutines_that_move_between_reallocations_share_no_block_and_lose_no_count,
    7: coroutines_that_enter_unpooled_on_one_thread_and_leave_it_on_another_share_no_block,
}

#[cfg(feature = "global")]
checks! {
    0: coroutines_that_move_between_boxes_share_no_block_and_lose_no_count,
    1: coroutines_that_move_between_vectors_of_zeros_share_no_block_and_lose_no_count,
    2: coroutines_that_move_between_growths_of_vectors_share_no_block_and_lose_no_count,
}
