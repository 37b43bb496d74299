//! A message put together in a fixed buffer, without `core::fmt`, an allocation or a panic.
//!
//! It serves two purposes. The compile-time errors of [`Config`](crate::Config) need it, because a `const`
//! panic takes a ready `&str` and no arguments. The texts of [`fatal`](crate::fatal) and
//! [`environment`](crate::config::environment) need it, because they are written inside the allocator.
//!
//! Bytes that do not fit are cut off. Each step costs as much as the bytes that it writes.

/// The maximum number of bytes in a message. The longest one in use has about 200.
const CAPACITY: usize = 320;

/// A message under construction. It is changed in place, because it may lie on a small stack. All that is
/// appended becomes ASCII.
#[derive(Clone, Copy)]
pub(crate) struct Text {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Text {
    /// Returns a message with the crate's name, with which every message starts.
    pub(crate) const fn new() -> Self {
        let mut text = Self { bytes: [0; CAPACITY], len: 0 };
        text.str("framepool: ");
        text
    }

    pub(crate) const fn str(&mut self, text: &str) -> &mut Self {
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() && self.len < CAPACITY {
            // Messages are ASCII by construction. Any other character would break `as_str` if it were cut.
            self.bytes[self.len] = if bytes[i].is_ascii() { bytes[i] } else { b'?' };
            self.len += 1;
            i += 1;
        }
        self
    }

    /// Appends text from outside the crate, 80 bytes at most, with `?` for each byte that is not printable
    /// ASCII. If there were more bytes, `...` follows.
    pub(crate) fn printable(&mut self, bytes: &[u8]) -> &mut Self {
        const MAX: usize = 80;
        for &byte in bytes.iter().take(MAX.min(CAPACITY - self.len)) {
            self.bytes[self.len] = if byte == b' ' || byte.is_ascii_graphic() { byte } else { b'?' };
            self.len += 1;
        }
        if bytes.len() > MAX { self.str("...") } else { self }
    }

    pub(crate) const fn decimal(&mut self, number: usize) -> &mut Self {
        self.digits(number, 10)
    }

    /// Appends a number in hexadecimal, after `0x`.
    pub(crate) const fn hex(&mut self, number: usize) -> &mut Self {
        self.str("0x").digits(number, 16)
    }

    const fn digits(&mut self, number: usize, base: usize) -> &mut Self {
        // At most 20 digits: a 64-bit number in base 10.
        let mut divisor = 1;
        while number / divisor >= base {
            divisor *= base;
        }
        while divisor > 0 && self.len < CAPACITY {
            let digit = (number / divisor % base) as u8;
            self.bytes[self.len] = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
            self.len += 1;
            divisor /= base;
        }
        self
    }

    pub(crate) const fn as_bytes(&self) -> &[u8] {
        self.bytes.split_at(self.len).0
    }

    pub(crate) const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.as_bytes()) {
            Ok(text) => text,
            Err(_) => "framepool: unprintable message",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_print_as_core_would_print_them() {
        for number in [0, 9, 10, 99, 100, 65_535, 65_536, usize::MAX / 10, usize::MAX - 1, usize::MAX] {
            let mut text = Text::new();
            text.decimal(number).str(" ").hex(number);
            assert_eq!(text.as_str(), format!("framepool: {number} {number:#x}"));
        }
    }

    #[test]
    fn a_message_too_long_is_cut_and_stays_printable() {
        let mut text = Text::new();
        text.str(&"é".repeat(CAPACITY)).decimal(17);
        assert_eq!(text.as_bytes().len(), CAPACITY);
        assert!(text.as_str().ends_with('?'));
    }
}
