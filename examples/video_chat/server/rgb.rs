//! YUV to RGB: BT.601, studio range, in 16-bit integers with six bits of fraction. Results are within four of
//! the exact value.
//!
//! The code converts a block of pixels at a time, in arrays of fixed size, which the compiler turns into
//! vector code. A pixel costs about a nanosecond.

use super::picture::{Chroma, Format, next_row};

/// The number of pixels that are converted together.
const BLOCK: usize = 32;

/// Converts a frame to RGB, three bytes a pixel, in a new buffer.
pub(super) fn from_yuv(format: &Format, frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(3 * format.width * format.height);
    let [y, u, v] = format.planes(frame);
    let chroma_width = format.chroma_size().0;
    for (line, y) in y.chunks_exact(format.width).enumerate() {
        let row = next_row(&mut out, 3 * format.width);
        let chroma_line = if format.chroma == Chroma::C420 { line / 2 } else { line };
        let chroma = chroma_line * chroma_width..(chroma_line + 1) * chroma_width;
        let (u, v) = (&u[chroma.clone()], &v[chroma]);
        match format.chroma {
            Chroma::C420 | Chroma::C422 => colour::<{ BLOCK / 2 }>(y, u, v, row),
            Chroma::C444 => colour::<BLOCK>(y, u, v, row),
            Chroma::Mono => grey(y, row),
        }
    }
    out
}

/// Converts a row in which each block of pixels has `N` samples of each chroma.
fn colour<const N: usize>(y: &[u8], u: &[u8], v: &[u8], row: &mut [u8]) {
    let (blocks, last_block) = row.as_chunks_mut::<{ 3 * BLOCK }>();
    let ((y, last_y), (u, last_u), (v, last_v)) =
        (y.as_chunks::<BLOCK>(), u.as_chunks::<N>(), v.as_chunks::<N>());
    for (((block, y), u), v) in blocks.iter_mut().zip(y).zip(u).zip(v) {
        convert(y, u, v, block);
    }
    // The remaining pixels are converted as a padded block, and the padding is cut off.
    let mut block = [0; 3 * BLOCK];
    convert(&padded(last_y), &padded::<N>(last_u), &padded::<N>(last_v), &mut block);
    last_block.copy_from_slice(&block[..last_block.len()]);
}

fn padded<const N: usize>(samples: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array[..samples.len()].copy_from_slice(samples);
    array
}

/// Converts a block. The brightest blue exceeds 16 bits, so the sums saturate.
fn convert<const N: usize>(y: &[u8; BLOCK], u: &[u8; N], v: &[u8; N], block: &mut [u8; 3 * BLOCK]) {
    let (mut us, mut vs) = ([0; BLOCK], [0; BLOCK]);
    for i in 0..BLOCK {
        us[i] = i16::from(u[i * N / BLOCK]) - 128;
        vs[i] = i16::from(v[i * N / BLOCK]) - 128;
    }
    let (mut red, mut green, mut blue) = ([0; BLOCK], [0; BLOCK], [0; BLOCK]);
    for i in 0..BLOCK {
        let y = (i16::from(y[i]) - 16) * 75 + 32;
        red[i] = (y.saturating_add(102 * vs[i]) >> 6).clamp(0, 255) as u8;
        green[i] = (y.saturating_sub(25 * us[i] + 52 * vs[i]) >> 6).clamp(0, 255) as u8;
        blue[i] = (y.saturating_add(129 * us[i]) >> 6).clamp(0, 255) as u8;
    }
    for (i, pixel) in block.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        *pixel = [red[i], green[i], blue[i]];
    }
}

fn grey(y: &[u8], row: &mut [u8]) {
    for (pixel, &y) in row.as_chunks_mut::<3>().0.iter_mut().zip(y) {
        *pixel = [(((i16::from(y) - 16) * 75 + 32) >> 6).clamp(0, 255) as u8; 3];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(rgb: &[u8], exact: &[u8]) {
        let close = rgb.len() == exact.len() && rgb.iter().zip(exact).all(|(a, b)| a.abs_diff(*b) <= 4);
        assert!(close, "{rgb:?} is not {exact:?}");
    }

    fn pixel(chroma: Chroma, frame: &[u8]) -> Vec<u8> {
        from_yuv(&Format { width: 1, height: 1, chroma }, frame)
    }

    #[test]
    fn black_white_and_the_primaries_come_out_right() {
        assert_close(&pixel(Chroma::C444, &[16, 128, 128]), &[0, 0, 0]);
        assert_close(&pixel(Chroma::C444, &[235, 128, 128]), &[255, 255, 255]);
        assert_close(&pixel(Chroma::C444, &[81, 90, 240]), &[255, 0, 0]);
        assert_close(&pixel(Chroma::C444, &[145, 54, 34]), &[0, 255, 1]);
        assert_close(&pixel(Chroma::C444, &[41, 240, 110]), &[0, 0, 255]);
        assert_close(&pixel(Chroma::Mono, &[235]), &[255, 255, 255]);
    }

    #[test]
    fn every_value_is_close_to_the_exact_one() {
        for (y, u, v) in
            (0..=255).step_by(5).flat_map(|y| (0..=255).map(move |c| (y, c, (c as u8).wrapping_mul(91))))
        {
            let exact = {
                let (y, u, v) = (1.164 * f64::from(y - 16), f64::from(u - 128), f64::from(v) - 128.0);
                [y + 1.596 * v, y - 0.392 * u - 0.813 * v, y + 2.017 * u].map(|value| value.round() as u8)
            };
            assert_close(&pixel(Chroma::C444, &[y as u8, u as u8, v]), &exact);
        }
    }

    #[test]
    fn a_row_of_several_blocks_and_a_rest_is_converted_to_its_end() {
        let format = Format { width: 2 * BLOCK + 5, height: 2, chroma: Chroma::C420 };
        let frame: Vec<u8> = (0..format.frame_bytes()).map(|place| (place * 7) as u8).collect();
        let [y, u, v] = format.planes(&frame);
        let rgb = from_yuv(&format, &frame);
        for (place, rgb) in rgb.as_chunks::<3>().0.iter().enumerate() {
            let chroma = place % format.width / 2;
            assert_eq!(rgb[..], pixel(Chroma::C444, &[y[place], u[chroma], v[chroma]]), "pixel {place}");
        }
    }

    #[test]
    fn each_chroma_sample_reaches_its_own_pixels_in_odd_sizes() {
        // 3 x 3: the last column and the last row have chroma samples of their own.
        let y = [128; 9];
        let red_at = |chroma, u_count: usize, marked: usize| {
            let mut v = vec![128; u_count];
            v[marked] = 240;
            let frame = [&y[..], &vec![128; u_count], &v].concat();
            let rgb = from_yuv(&Format { width: 3, height: 3, chroma }, &frame);
            let red = |pixel: &[u8; 3]| pixel[0] > pixel[1];
            rgb.as_chunks::<3>().0.iter().map(red).collect::<Vec<_>>()
        };
        let at = |places: &[usize]| (0..9).map(|place| places.contains(&place)).collect::<Vec<_>>();
        assert_eq!(red_at(Chroma::C420, 4, 0), at(&[0, 1, 3, 4]));
        assert_eq!(red_at(Chroma::C420, 4, 3), at(&[8]));
        assert_eq!(red_at(Chroma::C422, 6, 3), at(&[5]));
        assert_eq!(red_at(Chroma::C444, 9, 4), at(&[4]));
    }
}
