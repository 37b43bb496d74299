//! Layouts as numbers, so that a program can tell whether the structs in another process's memory are its own.
//!
//! [`inspect`](crate::inspect) reads the metadata of other processes. Each struct that it reads is `repr(C)` and has a constant
//! `LAYOUT` next to its definition. [`Signature`](crate::metadata::signature) has all of them in one number.
//!
//! The hash is FNV-1a (Fowler, Noll and Vo), over the eight bytes of each number.

/// The hash of no number.
pub(crate) const START: u64 = 0xcbf2_9ce4_8422_2325;

/// Returns the hash of one number more.
pub(crate) const fn mix(mut hash: u64, number: u64) -> u64 {
    let bytes = number.to_le_bytes();
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

/// Returns the hash of several numbers.
pub(crate) const fn mix_all(numbers: &[u64]) -> u64 {
    let (mut hash, mut i) = (START, 0);
    while i < numbers.len() {
        hash = mix(hash, numbers[i]);
        i += 1;
    }
    hash
}

/// Hashes the size of a struct and the offsets of all its fields. A field that is not named does not compile.
macro_rules! layout_of {
    ($name:ident { $($field:ident),+ $(,)? }) => {{
        const _: fn(&$name) = |value| {
            let $name { $($field: _),+ } = value;
        };
        $crate::layout::mix_all(&[
            size_of::<$name>() as u64,
            $(core::mem::offset_of!($name, $field) as u64),+
        ])
    }};
}
pub(crate) use layout_of;

#[cfg(all(test, not(framepool_loom)))]
mod tests {
    use super::*;

    #[repr(C)]
    struct Pair {
        first: u16,
        second: u32,
    }

    #[repr(C)]
    struct Swapped {
        second: u32,
        first: u16,
    }

    #[test]
    fn a_hash_tells_fields_in_another_order_from_these() {
        let pair = layout_of!(Pair { first, second });
        assert_ne!(pair, layout_of!(Swapped { first, second }));
        assert_eq!(pair, mix_all(&[8, 0, 4]));
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // The published value for the text "a" is 0xaf63dc4c8601ec8c; seven zero bytes follow here.
        let one = (START ^ u64::from(b'a')).wrapping_mul(0x0000_0100_0000_01b3);
        assert_eq!(one, 0xaf63_dc4c_8601_ec8c);
        assert_eq!(
            mix(START, u64::from(b'a')),
            (0..7).fold(one, |hash, _| hash.wrapping_mul(0x0000_0100_0000_01b3))
        );
    }
}
