//! Images that follow each other in streams, and are read from the beginnings of these: arrays in compressed files, most of all.
//! Every thread keeps a place in each stream, so that nothing is held in memory, whatever a file unpacks to.

use crate::formats::large_file::PIECE;
use crate::formats::packed::{self, Packed, Stream};
use crate::messages::fault;
use anyhow::{Context, Result};
use datasets::Split;
use datasets::shards::build::{ImageSource, Sink};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// How the pixels of an image become those of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// They are as they should be: channel by channel, row by row.
    Planes,
    /// Channel by channel, column by column; of this many rows and columns.
    Columns(usize),
}

/// Images of one stream: as many records as there are labels.
pub struct Strip {
    /// The stream.
    pub bytes: Packed,
    /// Where the first record begins.
    pub start: u64,
    /// Bytes of a record.
    pub record: usize,
    /// Where the pixels are in it.
    pub pixels: Range<usize>,
    /// The classes.
    pub labels: Vec<u32>,
}

/// A place in a stream: the number of the record that comes next.
struct Cursor {
    stream: Stream,
    next: usize,
}

/// The images of one split: those of several strips, one after the other.
pub struct Sequence {
    split: Split,
    strips: Vec<Strip>,
    /// Places in the streams where threads have been, and from which they go on.
    idle: Vec<Mutex<Vec<Cursor>>>,
    /// The number of the first image of each strip.
    first: Vec<usize>,
    layout: Layout,
    count: usize,
}

impl Sequence {
    /// All images of some strips.
    pub fn new(split: Split, strips: Vec<Strip>, layout: Layout) -> Self {
        let mut count = 0;
        let first = |strip: &Strip| {
            count += strip.labels.len();
            count - strip.labels.len()
        };
        let first = strips.iter().map(first).collect();
        let idle = strips.iter().map(|_| Mutex::default()).collect();
        Sequence { split, strips, idle, first, layout, count }
    }

    /// Number of images there are.
    pub fn available(&self) -> usize {
        self.strips.iter().map(|strip| strip.labels.len()).sum()
    }

    /// The same, of which only the first `count` are taken.
    pub fn limited(self, count: usize) -> Self {
        Sequence { count, ..self }
    }

    /// A place in a strip at or before a record: the nearest that is not in use, or else its beginning.
    fn cursor(&self, strip: usize, record: usize) -> Result<Cursor> {
        let mut idle = self.idle[strip].lock().unwrap_or_else(PoisonError::into_inner);
        let near = (0..idle.len()).filter(|&i| idle[i].next <= record).max_by_key(|&i| idle[i].next);
        match near {
            Some(i) => Ok(idle.swap_remove(i)),
            None => Ok(Cursor { stream: self.strips[strip].bytes.open_at(self.strips[strip].start)?, next: 0 }),
        }
    }

    /// Hands records of one strip on.
    fn read_strip(&self, number: usize, records: Range<usize>, sink: &mut Sink<'_>) -> Result<()> {
        let strip = &self.strips[number];
        let mut cursor = self.cursor(number, records.start)?;
        let place = |i: usize| format!("{}, image {i}", strip.bytes.place());
        let ahead = (records.start - cursor.next) as u64 * strip.record as u64;
        packed::skip(&mut cursor.stream, ahead).with_context(|| place(records.start))?;
        let per_piece = (PIECE / strip.record).max(1);
        let mut piece = vec![0; per_piece * strip.record];
        let mut image = vec![0; strip.pixels.len()];
        for first in records.clone().step_by(per_piece) {
            let piece = &mut piece[..per_piece.min(records.end - first) * strip.record];
            cursor.stream.read_exact(piece).with_context(|| place(first))?;
            for (i, record) in piece.chunks_exact(strip.record).enumerate() {
                arrange(&record[strip.pixels.clone()], self.layout, &mut image);
                let pushed = sink.push(&image, Some(strip.labels[first + i]), &[]).map_err(anyhow::Error::from);
                fault::in_input(pushed, || place(first + i))?;
            }
        }
        cursor.next = records.end;
        if cursor.next < strip.labels.len() {
            self.idle[number].lock().unwrap_or_else(PoisonError::into_inner).push(cursor);
        }
        Ok(())
    }
}

/// Writes pixels in the order of shards.
fn arrange(pixels: &[u8], layout: Layout, image: &mut [u8]) {
    let Layout::Columns(size) = layout else { return image.copy_from_slice(pixels) };
    for (plane, out) in pixels.chunks_exact(size * size).zip(image.chunks_exact_mut(size * size)) {
        for (p, out) in out.iter_mut().enumerate() {
            *out = plane[p / size + size * (p % size)];
        }
    }
}

impl ImageSource<anyhow::Error> for Sequence {
    fn split(&self) -> Split {
        self.split
    }

    fn count(&self) -> usize {
        self.count
    }

    fn labelled(&self) -> bool {
        true
    }

    fn read(&self, range: Range<usize>, sink: &mut Sink<'_>) -> Result<()> {
        let mut next = range.start;
        while next < range.end {
            let strip = self.first.partition_point(|&first| first <= next) - 1;
            let (first, len) = (self.first[strip], self.strips[strip].labels.len());
            let end = range.end.min(first + len);
            self.read_strip(strip, next - first..end - first, sink)?;
            next = end;
        }
        Ok(())
    }
}
