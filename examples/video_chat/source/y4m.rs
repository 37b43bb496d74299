//! Reads a whole Y4M file, and says exactly what is wrong with one that it rejects.
//!
//! The `y4m` crate reads header and frames. It multiplies sizes before it checks them, and reports the end of
//! the file and a truncated frame alike, so this module checks both.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Cursor, Read};

use y4m::{Colorspace, Decoder, Error};

use crate::server::{Chroma, Clip, Format};

/// The maximum width and height of a picture, in pixels.
pub(crate) const MAX_SIDE: usize = 8_192;

/// The maximum size of a header. The crate accepts no longer ones either.
const MAX_HEADER_BYTES: u64 = 1_024;

const SUPPORTED: &str = "8 bit 420, 420jpeg, 420mpeg2, 420paldv, 422, 444 and mono are supported";

/// Reads all frames. `bytes` is the amount of memory to allocate for them.
///
/// # Errors
///
/// A text says what is wrong, and where.
pub(super) fn read(file: impl Read, bytes: usize) -> Result<Clip, String> {
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut header = Vec::new();
    file.by_ref().take(MAX_HEADER_BYTES).read_until(b'\n', &mut header).map_err(|error| error.to_string())?;
    check_header(&header)?;

    let position = Cell::new(0);
    let input = Counted { inner: Cursor::new(header).chain(file), position: &position };
    let mut decoder = Decoder::new(input).map_err(|error| match error {
        Error::UnknownColorspace => format!("unsupported chroma: {SUPPORTED}"),
        error => format!("bad header: {error}"),
    })?;
    let chroma = chroma(decoder.get_colorspace())?;
    let format = Format { width: decoder.get_width(), height: decoder.get_height(), chroma };
    let mut clip = Clip::with_capacity(format, bytes);
    loop {
        let frame_start = position.get();
        match decoder.read_frame() {
            Ok(frame) => {
                for plane in [frame.get_y_plane(), frame.get_u_plane(), frame.get_v_plane()] {
                    clip.push_plane(plane);
                }
            }
            Err(Error::EOF) if position.get() == frame_start => break,
            Err(Error::EOF) => return Err(format!("truncated in frame {}", clip.len())),
            Err(Error::IoError(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("frame {} does not start with FRAME", clip.len())),
        }
    }
    if clip.len() == 0 { Err("there is no frame in it".to_owned()) } else { Ok(clip) }
}

/// Rejects headers whose sizes the crate would multiply unchecked, and headers that it would report under a
/// wrong name.
fn check_header(header: &[u8]) -> Result<(), String> {
    const MAGIC: &[u8] = b"YUV4MPEG2";
    if !header.starts_with(&MAGIC[..MAGIC.len().min(header.len())]) || header.is_empty() {
        return Err("not a Y4M file: it does not start with YUV4MPEG2".to_owned());
    }
    let Some(header) = header.strip_suffix(b"\n") else {
        return Err("truncated in the header".to_owned());
    };
    for (tag, side) in [(b'W', "width"), (b'H', "height")] {
        let value = header.rsplit(|&byte| byte == b' ').find(|field| field.first() == Some(&tag));
        let value = value.map(|field| String::from_utf8_lossy(&field[1..]));
        let pixels = value.as_ref().and_then(|value| value.parse::<usize>().ok());
        if !pixels.is_some_and(|pixels| (1..=MAX_SIDE).contains(&pixels)) {
            let value = value.unwrap_or("missing".into());
            return Err(format!("the {side} is {}: it must be 1 to {MAX_SIDE}", value.escape_debug()));
        }
    }
    Ok(())
}

fn chroma(colorspace: Colorspace) -> Result<Chroma, String> {
    match colorspace {
        Colorspace::C420 | Colorspace::C420jpeg | Colorspace::C420mpeg2 | Colorspace::C420paldv => {
            Ok(Chroma::C420)
        }
        Colorspace::C422 => Ok(Chroma::C422),
        Colorspace::C444 => Ok(Chroma::C444),
        Colorspace::Cmono => Ok(Chroma::Mono),
        other => Err(format!("unsupported chroma {other:?}: {SUPPORTED}")),
    }
}

/// A reader that counts the bytes read.
struct Counted<'a, R> {
    inner: R,
    position: &'a Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.position.set(self.position.get() + count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(file: &[u8]) -> String {
        read(file, 0).err().expect("rejected")
    }

    fn clip(chroma: &str, width: usize, height: usize, frame_bytes: usize) -> Vec<u8> {
        let mut file = format!("YUV4MPEG2 W{width} H{height} F30:1 Ip {chroma}\n").into_bytes();
        for frame in 0..3 {
            file.extend_from_slice(b"FRAME\n");
            file.resize(file.len() + frame_bytes, frame);
        }
        file
    }

    #[test]
    fn all_supported_chromas_are_read_in_odd_sizes_too() {
        let (luma, rounded) = (175 * 143, 88 * 72);
        for (chroma, bytes) in [
            ("", luma + 2 * rounded),
            ("C420", luma + 2 * rounded),
            ("C420jpeg", luma + 2 * rounded),
            ("C420mpeg2 XYSCSS=420MPEG2", luma + 2 * rounded),
            ("C420paldv", luma + 2 * rounded),
            ("C422", luma + 2 * 88 * 143),
            ("C444", 3 * luma),
            ("Cmono", luma),
        ] {
            let clip = read(&clip(chroma, 175, 143, bytes)[..], 0).expect(chroma);
            assert_eq!((clip.len(), clip.format.frame_bytes()), (3, bytes), "{chroma}");
        }
    }

    #[test]
    fn other_chromas_are_refused_with_those_that_are_not() {
        for chroma in ["C411", "C420p10", "C422p12", "C444alpha", "Cmono12", "Cx"] {
            let text = rejection(&clip(chroma, 4, 4, 24));
            assert!(text.starts_with("unsupported chroma") && text.ends_with(SUPPORTED), "{text}");
        }
    }

    #[test]
    fn what_is_no_clip_is_told_from_a_clip_cut_short() {
        let not_a_clip = "not a Y4M file: it does not start with YUV4MPEG2";
        assert_eq!(rejection(b""), not_a_clip);
        assert_eq!(rejection(b"RIFF....AVI \n"), not_a_clip);
        assert_eq!(rejection(b"YUV4"), "truncated in the header");
        assert_eq!(rejection(b"YUV4MPEG2 W2 H2"), "truncated in the header");
        assert_eq!(
            rejection(&[b"YUV4MPEG2 W2 H2 X".as_slice(), &[b'x'; 2_000]].concat()),
            "truncated in the header"
        );
        assert_eq!(rejection(b"YUV4MPEG2 W2 H2\n"), "there is no frame in it");
        let whole = clip("C420", 2, 2, 6);
        assert_eq!(rejection(&whole[..whole.len() - 1]), "truncated in frame 2");
        assert_eq!(rejection(&whole[..whole.len() - 9]), "truncated in frame 2");
        assert_eq!(rejection(&[&whole[..], b"GRAME\n"].concat()), "frame 3 does not start with FRAME");
        assert_eq!(rejection(&[&whole[..], &[0; 3_000]].concat()), "frame 3 does not start with FRAME");
    }

    #[test]
    fn absurd_sizes_are_refused_before_anything_is_multiplied() {
        for (fields, text) in [
            ("H2", "the width is missing: it must be 1 to 8192"),
            ("W2", "the height is missing: it must be 1 to 8192"),
            ("W0 H2", "the width is 0: it must be 1 to 8192"),
            ("W2 H-2", "the height is -2: it must be 1 to 8192"),
            ("W2x H2", "the width is 2x: it must be 1 to 8192"),
            ("W4294967296 H4294967296", "the width is 4294967296: it must be 1 to 8192"),
            ("W2 H2 W18446744073709551615", "the width is 18446744073709551615: it must be 1 to 8192"),
        ] {
            assert_eq!(rejection(format!("YUV4MPEG2 {fields} F30:1\nFRAME\n").as_bytes()), text);
        }
        assert_eq!(rejection(b"YUV4MPEG2 W2 H2 Fx\nFRAME\n"), "bad header: General parsing error");
    }
}
