//! The encoder's output: a header, a checksum, and the characters of one frame.
//!
//! All numbers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | client |
//! | 4..8 | frame |
//! | 8..10, 10..12 | columns, rows of characters |
//! | 12..16 | bytes of the payload |
//! | 16..20 | CRC-32 of bytes 0..16 and the payload |
//! | 20.. | the payload: rows of characters, each ended by a line feed |

/// The number of bytes before the payload.
const HEADER_BYTES: usize = 20;

/// The number of bytes of the header that the checksum covers.
const CHECKED_BYTES: usize = 16;

/// The identity of a packet in comparisons of runs: client, frame and checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) client: u32,
    pub(crate) frame: u32,
    pub(crate) checksum: u32,
}

/// A packet with a correct checksum.
pub(super) struct Packet<'a> {
    pub(super) fingerprint: Fingerprint,
    pub(super) columns: usize,
    pub(super) rows: usize,
    payload: &'a [u8],
}

/// Packs the characters of a frame.
pub(super) fn pack(client: u32, frame: u32, (columns, rows): (usize, usize), payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(HEADER_BYTES + payload.len());
    packet.extend_from_slice(&client.to_le_bytes());
    packet.extend_from_slice(&frame.to_le_bytes());
    packet.extend_from_slice(&(columns as u16).to_le_bytes());
    packet.extend_from_slice(&(rows as u16).to_le_bytes());
    packet.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    let checksum = checksum(&packet, payload);
    packet.extend_from_slice(&checksum.to_le_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// Reads a packet. Returns `None` if it is not whole.
pub(super) fn unpack(packet: &[u8]) -> Option<Packet<'_>> {
    let (header, payload) = packet.split_at_checked(HEADER_BYTES)?;
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let half = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let fingerprint = Fingerprint { client: word(0), frame: word(4), checksum: word(16) };
    let whole = word(12) as usize == payload.len()
        && checksum(&header[..CHECKED_BYTES], payload) == fingerprint.checksum;
    whole.then_some(Packet { fingerprint, columns: half(8), rows: half(10), payload })
}

impl<'a> Packet<'a> {
    /// Returns the bytes of the character at `column` of `row`. Its colour, if it has one, stands before it.
    pub(super) fn cell(&self, column: usize, row: usize) -> &'a [u8] {
        let row_bytes = self.payload.len() / self.rows;
        let cell_bytes = (row_bytes - 1) / self.columns;
        &self.payload[row * row_bytes + column * cell_bytes..][..cell_bytes]
    }
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_comes_out_as_it_went_in() {
        let bytes = pack(7, 123, (3, 2), b"abc\ndef\n");
        assert_eq!(bytes.capacity(), bytes.len());
        let packet = unpack(&bytes).expect("whole");
        assert_eq!((packet.fingerprint.client, packet.fingerprint.frame), (7, 123));
        assert_eq!((packet.columns, packet.rows), (3, 2));
        assert_eq!([packet.cell(0, 0), packet.cell(2, 1)], [b"a", b"f"]);
        let coloured = pack(0, 0, (2, 1), b"1234a5678b\n");
        assert_eq!(unpack(&coloured).expect("whole").cell(1, 0), b"5678b");
    }

    #[test]
    fn any_changed_bit_and_any_lost_byte_is_seen() {
        let bytes = pack(1, 2, (2, 1), b"ab\n");
        for bit in 0..8 * bytes.len() {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unpack(&damaged).is_none(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(unpack(&bytes[..length]).is_none(), "{length} bytes");
        }
    }
}
