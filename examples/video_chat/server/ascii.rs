//! The encoder: turns a picture into ASCII art. Each character is the average of the pixels under it, in
//! colour if asked for.

use std::fmt::Write as _;

use super::packet;
use super::picture::Picture;

/// The characters from dark to light.
const RAMP: &[u8] = b" .:-=+*#%@";

/// The maximum number of columns of a frame.
const MAX_COLUMNS: usize = 80;

/// The bytes of a character with its colour. Colours have three digits each, so all cells have the same
/// length.
const COLOURED_BYTES: usize = "\x1b[38;2;000;000;000m ".len();

/// Encodes a picture, and returns its packet.
pub(super) fn encode(picture: &Picture, ansi: bool) -> Vec<u8> {
    let (columns, rows) = cells(picture.width, picture.height);
    let cell_bytes = if ansi { COLOURED_BYTES } else { 1 };
    let mut art = String::with_capacity(rows * (columns * cell_bytes + 1));
    let mut sums = vec![[0; 3]; columns];
    for row in 0..rows {
        let (from, to) = (row * picture.height / rows, (row + 1) * picture.height / rows);
        sums.fill([0; 3]);
        for line in
            picture.rgb[3 * from * picture.width..3 * to * picture.width].chunks_exact(3 * picture.width)
        {
            add(line.as_chunks::<3>().0, &mut sums);
        }
        for (column, sum) in sums.iter().enumerate() {
            let width = (column + 1) * picture.width / columns - column * picture.width / columns;
            let [red, green, blue] = sum.map(|sum| sum / ((to - from) * width) as u32);
            if ansi {
                write!(art, "\x1b[38;2;{red:03};{green:03};{blue:03}m").expect("a string takes anything");
            }
            let light = (77 * red + 150 * green + 29 * blue) >> 8;
            art.push(RAMP[light as usize * RAMP.len() / 256].into());
        }
        art.push('\n');
    }
    packet::pack(picture.client, picture.frame, (columns, rows), art.as_bytes())
}

/// Returns the columns and rows for a picture. A character is twice as high as it is wide, and covers at
/// least one pixel.
fn cells(width: usize, height: usize) -> (usize, usize) {
    let columns = width.min(MAX_COLUMNS);
    (columns, (columns * height / width / 2).clamp(1, height))
}

/// Adds a line of pixels to the sums of the columns that they lie under.
fn add(line: &[[u8; 3]], sums: &mut [[u32; 3]]) {
    let columns = sums.len();
    for (column, sum) in sums.iter_mut().enumerate() {
        for pixel in &line[column * line.len() / columns..(column + 1) * line.len() / columns] {
            for (sum, &value) in sum.iter_mut().zip(pixel) {
                *sum += u32::from(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn art(picture: &Picture, ansi: bool) -> String {
        let bytes = encode(picture, ansi);
        let packet = packet::unpack(&bytes).expect("whole");
        let line = |row| {
            (0..packet.columns).flat_map(|column| packet.cell(column, row)).copied().collect::<Vec<_>>()
        };
        String::from_utf8((0..packet.rows).flat_map(line).collect()).expect("ASCII")
    }

    #[test]
    fn dark_and_light_come_out_as_the_ends_of_the_ramp() {
        let rgb = [[0; 3 * 40], [255; 3 * 40]].concat().repeat(4);
        let picture = Picture { client: 0, frame: 0, width: 80, height: 4, rgb };
        assert_eq!(art(&picture, false), [" ".repeat(40), "@".repeat(40)].concat().repeat(2));
    }

    #[test]
    fn colours_stand_before_their_character() {
        let picture = Picture { client: 0, frame: 0, width: 2, height: 1, rgb: vec![1, 2, 3, 250, 0, 99] };
        assert_eq!(art(&picture, true), "\x1b[38;2;001;002;003m \x1b[38;2;250;000;099m-");
    }

    #[test]
    fn every_shape_has_at_least_a_cell_and_every_cell_a_pixel() {
        for (width, height) in [(1, 1), (480, 1), (1, 270), (480, 270), (151, 270), (79, 3)] {
            let (columns, rows) = cells(width, height);
            assert!((1..=width).contains(&columns) && (1..=height).contains(&rows), "{width} x {height}");
            let picture = Picture { client: 0, frame: 0, width, height, rgb: vec![255; 3 * width * height] };
            assert_eq!(art(&picture, false), "@".repeat(columns * rows));
        }
    }
}
