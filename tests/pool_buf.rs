//! Tests of `PoolBuf` as a `Vec` of bytes: what it is extended with, compared with, and found by.

use framepool::{BufferPool, Class, Config, PoolBuf};

/// A table with slots for two frames.
const TWO: Config = Config::new().class(Class::XLarge, 1_382_400, 2);

#[test]
fn a_buffer_is_extended_byte_by_byte_and_grows_on_the_way() {
    let pool = BufferPool::with_config(TWO);
    let mut buf = pool.alloc(1_000);
    (0..3_000_u32).for_each(|n| buf.push(n as u8));
    buf.extend((3_000..5_000_u32).map(|n| n as u8));
    buf.extend(&[1, 2, 3]);
    let expected: Vec<u8> = (0..5_000_u32).map(|n| n as u8).chain([1, 2, 3]).collect();
    assert_eq!(buf, expected);
    assert!(buf.is_pooled() && pool.stats().class(Class::Small).returns == 1);
    // An iterator that promises little still gets room.
    let mut longer = pool.alloc(0);
    longer.extend((0..=255_u8).filter(|byte| byte % 2 == 0));
    assert_eq!((longer.len(), longer[127]), (128, 254));
}

#[test]
fn a_buffer_is_compared_and_found_by_its_bytes() {
    let pool = BufferPool::with_config(TWO);
    let packet = |bytes: &[u8]| {
        let mut buf = pool.alloc(100);
        buf.extend_from_slice(bytes);
        buf
    };
    fn equal<T: ?Sized + PartialEq<PoolBuf>>(one: &PoolBuf, other: &T) -> bool
    where
        PoolBuf: PartialEq<T>,
    {
        assert_eq!(one == other, other == one);
        one == other
    }
    let buf = packet(b"RTP");
    assert!(
        equal(&buf, b"RTP") && equal(&buf, &b"RTP") && equal(&buf, &b"RTP"[..]) && equal(&buf, &&b"RTP"[..])
    );
    assert!(equal(&buf, &b"RTP".to_vec()) && equal(&buf, &packet(b"RTP")));
    assert!(!equal(&buf, b"RTCP") && !equal(&buf, &packet(b"rtp")));
    #[expect(clippy::mutable_key_type, reason = "the bytes change only through `&mut`")]
    let seen: std::collections::HashSet<PoolBuf> = [buf, packet(b"RTCP")].into();
    assert!(seen.contains(&b"RTP"[..]) && seen.contains(&b"RTCP"[..]) && !seen.contains(&b"SRTP"[..]));
}

#[test]
fn every_public_type_can_be_shown() {
    fn shown<T: std::fmt::Debug>(value: &T, part: &str) {
        let text = format!("{value:?}");
        assert!(text.contains(part), "{text}");
    }
    let pool = BufferPool::with_config(TWO).named("Camera");
    shown(&pool, "Camera");
    shown(&pool.alloc(1), "PoolBuf");
    shown(&framepool::Monitor::of(pool.clone()), "Camera");
    shown(&framepool::PoolAlloc::new(), "PoolAlloc");
}
