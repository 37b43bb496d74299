//! P10: the table is checked before the program runs, and a rejection says what to change.

use framepool::{Class, Config, PoolAlloc};

const DEFAULT: Config = Config::new();

const _: () = assert!(DEFAULT.reserved_bytes() == 147_849_216);

/// The tuning that ascii-chat's handbook recommends. If the table were rejected, this file would not
/// compile.
static HANDBOOK: PoolAlloc = PoolAlloc::with_config(Config::new().class(Class::Medium, 64 << 10, 128).class(
    Class::Large,
    512 << 10,
    512,
));

/// A table with slots for whole video frames.
static FRAMES: PoolAlloc = PoolAlloc::with_config(Config::new().class(Class::XLarge, 3_110_400, 48));

#[test]
fn the_default_table_is_the_one_of_the_documentation() {
    let table = Class::ALL.map(|class| (DEFAULT.slot_bytes(class), DEFAULT.slots(class)));
    assert_eq!(table, [(1 << 10, 1024), (64 << 10, 64), (256 << 10, 32), (2 << 20, 64)]);
    assert_eq!(Config::default(), DEFAULT);
}

#[test]
fn tables_of_other_shapes_report_their_own_sizes() {
    let stats = HANDBOOK.stats();
    assert_eq!((stats.class(Class::Medium).slots, stats.class(Class::Large).slots), (128, 512));
    assert_eq!(stats.class(Class::Large).slot_bytes, 512 << 10);
    assert_eq!(FRAMES.stats().class(Class::XLarge).slot_bytes, 3_110_400);
    let bytes = Config::new().class(Class::XLarge, 3_110_400, 48).reserved_bytes();
    assert_eq!(bytes, (1 << 20) + (4 << 20) + (8 << 20) + 48 * 3_110_400);
}

// More than a 32-bit address space.
#[cfg(target_pointer_width = "64")]
#[test]
fn every_class_may_have_65_536_slots() {
    let table = Class::ALL
        .into_iter()
        .fold(Config::new(), |table, class| table.class(class, Config::new().slot_bytes(class), 65_536));
    assert_eq!(PoolAlloc::with_config(table).stats().class(Class::XLarge).slots, 65_536);
}

#[test]
fn a_table_that_makes_no_sense_is_rejected_with_what_to_change() {
    let new = Config::new;
    let rejections = [
        (
            new().class(Class::Medium, 65_537, 64),
            "framepool: Medium slots of 65537 bytes: a slot size is a multiple of 64 bytes; the next one is 65600",
        ),
        (
            new().class(Class::Small, 0, 64),
            "framepool: Small slots of 0 bytes: a slot size is a multiple of 64 bytes; the next one is 64",
        ),
        (
            new().class(Class::Large, 64 << 10, 64),
            "framepool: Large slots of 65536 bytes: slot sizes ascend from class to class; make them larger than \
             Medium's 65536",
        ),
        (new().class(Class::XLarge, 2 << 20, 0), "framepool: XLarge has no slots: give it at least 1"),
        (
            new().class(Class::Small, 1 << 10, 131_073),
            "framepool: Small has 131073 slots: give it at most 131072",
        ),
        (
            new().hold_back(Class::Large, 33, 1),
            "framepool: Large holds back 33 slots: it has 32; hold back at most that",
        ),
        (
            new().hold_back(Class::Large, 1, 300_000),
            "framepool: Large holds slots back for 300000 bytes and more, which no layout of it has: make that at most \
             262144",
        ),
        (
            new().class(Class::XLarge, usize::MAX / 64 / 64 * 64, 65),
            "framepool: this table exceeds the address space: give its classes fewer or smaller slots",
        ),
        (
            new().class(Class::XLarge, 1 << (usize::BITS - 2), 2),
            "framepool: this table exceeds the address space: give its classes fewer or smaller slots",
        ),
        (
            new().class(Class::Small, 64, 1).class(Class::Medium, 128, 1).class(Class::Large, 192, 1).class(
                Class::XLarge,
                256,
                1,
            ),
            "framepool: the slot map of this table takes 9217 bytes, more than 1/32 of its slots: give the larger \
             classes more slots, or all classes slot sizes that are multiples of more than 64",
        ),
    ];
    for (config, expected) in rejections {
        let rejection = std::panic::catch_unwind(|| PoolAlloc::with_config(config)).unwrap_err();
        assert_eq!(rejection.downcast_ref::<String>().map(String::as_str), Some(expected));
    }
}
