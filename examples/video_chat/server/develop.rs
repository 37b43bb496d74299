//! The steps from a captured frame to the encoder's picture: scale it down, and convert it to RGB.
//!
//! All clients send the same format, so they share one `Developer`. Only the pictures have their own buffers.

use super::picture::Format;
use super::rgb;
use super::scale::{FrameScaler, Scaler};

/// The maximum size of a picture for the encoder.
const MAX_WIDTH: usize = 480;
const MAX_HEIGHT: usize = 270;

/// The way from frames of one format to pictures.
pub(super) struct Developer {
    from: Format,
    /// The size of the pictures.
    pub(super) to: Format,
    order: Order,
}

enum Order {
    /// The frame is small enough, and is only converted.
    Convert,
    ScaleThenConvert(FrameScaler),
    ConvertThenScale(Scaler<3>),
}

impl Developer {
    pub(super) fn new(from: Format, full_rgb: bool) -> Self {
        let to = from.within(MAX_WIDTH, MAX_HEIGHT);
        let order = if from == to {
            Order::Convert
        } else if full_rgb {
            Order::ConvertThenScale(Scaler::new((from.width, from.height), (to.width, to.height)))
        } else {
            Order::ScaleThenConvert(FrameScaler::new(from, to))
        };
        Self { from, to, order }
    }

    /// Returns the frame's picture, three bytes a pixel. Each buffer lives only as long as the next step
    /// needs it.
    pub(super) fn develop(&self, frame: Vec<u8>) -> Vec<u8> {
        match &self.order {
            Order::Convert => rgb::from_yuv(&self.from, &frame),
            Order::ScaleThenConvert(scaler) => {
                let small = scaler.scale(&frame);
                drop(frame);
                rgb::from_yuv(&self.to, &small)
            }
            Order::ConvertThenScale(scaler) => {
                let full = rgb::from_yuv(&self.from, &frame);
                drop(frame);
                let mut small = Vec::with_capacity(3 * self.to.width * self.to.height);
                scaler.scale(&full, &mut small);
                small
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::picture::Chroma;
    use super::*;

    #[test]
    fn both_orders_make_a_picture_of_the_same_size_and_nearly_the_same_colours() {
        let from = Format { width: 641, height: 271, chroma: Chroma::C420 };
        let frame: Vec<u8> = (0..from.frame_bytes()).map(|place| (64 + place / 700 % 128) as u8).collect();
        let [first, second] =
            [false, true].map(|full_rgb| Developer::new(from, full_rgb).develop(frame.clone()));
        assert_eq!((first.len(), second.len()), (3 * 480 * 202, 3 * 480 * 202));
        let difference: usize = first.iter().zip(&second).map(|(a, b)| usize::from(a.abs_diff(*b))).sum();
        assert!(difference < 4 * first.len(), "{difference} over {} samples", first.len());
    }

    #[test]
    fn a_small_frame_keeps_its_size() {
        let from = Format { width: 176, height: 144, chroma: Chroma::C420 };
        assert_eq!(Developer::new(from, true).develop(vec![128; from.frame_bytes()]).len(), 3 * 176 * 144);
    }
}
