//! All programs.

mod audio;
mod calls;
mod columns;
mod deflate;
mod frames;
mod json;
mod lz4;
mod matrices;
mod pictures;
mod png;
mod read_buffers;
mod resize;
mod scenes;
mod sparse;
mod spectra;
mod svg;
mod uploads;
mod webp;

/// A program: its name, the crate that it is built around, and what it does.
#[derive(Clone, Copy)]
pub struct Program {
    /// The name on the command line and in tables.
    pub name: &'static str,
    /// The crate that allocates.
    pub of: &'static str,
    /// The program's work, in a few words.
    pub does: &'static str,
    /// The number of threads that work at once, 1 or 2.
    pub threads: usize,
    /// Does the work, and returns a checksum of what it made.
    pub run: fn() -> u32,
}

/// All programs, in the order of the tables.
pub const PROGRAMS: &[Program] = &[
    calls::PROGRAM,
    frames::PROGRAM,
    uploads::PROGRAM,
    scenes::PROGRAM,
    resize::PROGRAM,
    pictures::PROGRAM,
    png::PROGRAM,
    webp::PROGRAM,
    svg::PROGRAM,
    audio::PROGRAM,
    spectra::PROGRAM,
    lz4::PROGRAM,
    deflate::PROGRAM,
    columns::PROGRAM,
    matrices::PROGRAM,
    json::PROGRAM,
    read_buffers::PROGRAM,
    sparse::PROGRAM,
];
