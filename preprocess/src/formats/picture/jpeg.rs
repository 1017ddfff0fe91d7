//! Whether the pixels of a JPEG are all there. Decoders fill missing pixels with grey, so the entropy-coded data is
//! read here as ITU-T T.81 says, block by block, without making pixels of it.

use super::jpeg_bits::{Bits, Huffman};
use anyhow::{Context, Result, bail, ensure};

/// Coefficients of a block.
const BLOCK: usize = 64;
/// Scans of a picture at most: each of them reads all blocks.
const MAX_SCANS: usize = 500;
/// Bytes between the last block of a scan and the next mark that are taken for padding.
const MAX_PADDING: usize = 32;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DHT: u8 = 0xc4;
const DRI: u8 = 0xdd;
const APP14: u8 = 0xee;

/// What the headers of a whole JPEG say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jpeg {
    /// Colour components: 1, 3 or 4.
    pub components: usize,
    /// Whether a decoder keeps all coefficients in memory: several scans, each of which adds to them.
    pub keeps_coefficients: bool,
}

/// Reads everything up to the end mark. What is behind it, such as the trailers of phones, is not looked at.
///
/// # Errors
/// If blocks are missing or cannot be read, refinements of a progressive picture are missing, or there is no end mark.
pub fn check(bytes: &[u8]) -> Result<Jpeg> {
    Reader { bytes, at: 0, tables: Default::default(), restart_interval: 0, frame: None, scans: 0, adobe: false }.read()
}

struct Component {
    id: u8,
    /// Blocks across and down in an interleaved unit.
    across: usize,
    down: usize,
    /// Blocks of the component by itself.
    width: usize,
    height: usize,
    /// Blocks in a row of whole units.
    stride: usize,
    /// The lowest bit that was read of each coefficient; `None`: nothing yet.
    lowest_bit: [Option<u8>; BLOCK],
    /// Which coefficients of a block are not 0, as bits; of progressive pictures only.
    nonzero: Vec<u64>,
}

struct Frame {
    progressive: bool,
    units: [usize; 2],
    components: Vec<Component>,
}

struct Scan {
    /// Component, DC table, AC table.
    parts: Vec<[usize; 3]>,
    first: usize,
    last: usize,
    high: u8,
    low: u8,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// DC tables, AC tables.
    tables: [[Option<Huffman>; 4]; 2],
    restart_interval: usize,
    frame: Option<Frame>,
    scans: usize,
    adobe: bool,
}

impl<'a> Reader<'a> {
    fn read(mut self) -> Result<Jpeg> {
        ensure!(self.mark()? == SOI, "it does not begin as a JPEG does");
        loop {
            let mark = self.mark()?;
            match mark {
                EOI => break,
                // Marks without contents.
                0x01 | 0xd0..=0xd7 => {}
                _ => {
                    let segment = self.segment(mark)?;
                    self.take(mark, segment).with_context(|| format!("its segment {mark:02X}"))?;
                    if mark == SOS {
                        self.scan(segment)?;
                    }
                }
            }
        }
        let adobe = self.adobe;
        let scans = self.scans;
        let frame = self.frame.context("the JPEG has no frame")?;
        ensure!(scans > 0, "the JPEG has no pixels before its end mark: it is cut short");
        frame.check_complete()?;
        // Told by comparing with libjpeg.
        let sampled = frame.components.iter().any(|c| (c.across, c.down) != (1, 1));
        ensure!(
            frame.progressive || scans == 1 || !(sampled || self.restart_interval > 0),
            "a JPEG whose colours come one after the other, which the decoder gets wrong; `jpegtran` makes an ordinary one of it"
        );
        let components = frame.components.len();
        ensure!(components != 4 || adobe, "a JPEG of four inks (CMYK) without Adobe's mark, which says how they are meant");
        Ok(Jpeg { components, keeps_coefficients: scans > 1 || frame.progressive })
    }

    /// The next mark; bytes before it are skipped, as every decoder does.
    fn mark(&mut self) -> Result<u8> {
        loop {
            let pair = self.bytes.get(self.at..self.at + 2);
            let Some(&[first, second]) = pair.and_then(|pair| pair.first_chunk()) else {
                bail!("the JPEG has no end mark after its pixels: it is cut short");
            };
            match (first, second) {
                (0xff, 0xff) => self.at += 1,
                (0xff, 1..) => {
                    self.at += 2;
                    return Ok(second);
                }
                _ => self.at += 1,
            }
        }
    }

    fn segment(&mut self, mark: u8) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let segment = rest.first_chunk().map(|&len| usize::from(u16::from_be_bytes(len))).and_then(|len| rest.get(2..len));
        let segment = segment.with_context(|| {
            format!("its segment {mark:02X} at byte {} is longer than the file: it is cut short", self.at - 2)
        })?;
        self.at += segment.len() + 2;
        Ok(segment)
    }

    fn take(&mut self, mark: u8, segment: &[u8]) -> Result<()> {
        match mark {
            DHT => self.huffman_tables(segment),
            DRI => {
                let interval = *segment.first_chunk().context("is too short")?;
                self.restart_interval = usize::from(u16::from_be_bytes(interval));
                Ok(())
            }
            APP14 => {
                self.adobe |= segment.starts_with(b"Adobe");
                Ok(())
            }
            0xc0..=0xc2 => {
                ensure!(self.frame.is_none(), "is a second frame");
                self.frame = Some(Frame::new(segment, mark == 0xc2)?);
                Ok(())
            }
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                bail!("says that it is lossless, hierarchical or arithmetic: not read")
            }
            _ => Ok(()),
        }
    }

    fn huffman_tables(&mut self, mut segment: &[u8]) -> Result<()> {
        while let Some((&kind, rest)) = segment.split_first() {
            let (table, rest) = Huffman::new(rest)?;
            let (class, number) = (usize::from(kind >> 4), usize::from(kind & 15));
            ensure!(class < 2 && number < 4, "has a Huffman table number {kind:02x}");
            self.tables[class][number] = Some(table);
            segment = rest;
        }
        Ok(())
    }

    fn scan(&mut self, header: &[u8]) -> Result<()> {
        self.scans += 1;
        ensure!(self.scans <= MAX_SCANS, "more than {MAX_SCANS} scans");
        let frame = self.frame.as_mut().context("pixels without a frame before them")?;
        let scan = frame.scan(header).context("the header of a scan")?;
        let mut bits = Bits::new(self.bytes, self.at);
        let units = frame.units_of(&scan);
        let total = units[0] * units[1];
        let mut run = 0;
        let mut restarts = 0;
        for unit in 0..total {
            if self.restart_interval > 0 && unit > 0 && unit % self.restart_interval == 0 {
                let found = bits.restart();
                ensure!(
                    found == Some(restarts),
                    "the JPEG is cut short or damaged: after {unit} of {total} units of a scan, restart mark {restarts} is missing"
                );
                restarts = (restarts + 1) % 8;
                run = 0;
            }
            let read = frame.unit(&scan, &self.tables, units[0], unit, &mut bits, &mut run);
            read.with_context(|| {
                format!("the JPEG is cut short or damaged: {unit} of {total} units of scan {} are there", self.scans)
            })?;
        }
        let (at, left_over) = bits.finish();
        ensure!(left_over <= MAX_PADDING, "the JPEG is damaged: {left_over} bytes are left over after all units of a scan");
        self.at = at;
        Ok(())
    }
}

impl Frame {
    fn new(segment: &[u8], progressive: bool) -> Result<Self> {
        let (&[bits, h1, h0, w1, w0, n], list) = segment.split_first_chunk().context("is too short")?;
        ensure!(bits == 8, "says that samples have {bits} bits, of which 8 are read");
        let (width, height) = (usize::from(u16::from_be_bytes([w1, w0])), usize::from(u16::from_be_bytes([h1, h0])));
        ensure!(width > 0 && height > 0, "says that the picture is {width}x{height}");
        let pixels = width as u64 * height as u64;
        ensure!(
            pixels <= super::MAX_PIXELS,
            "says that the picture has {width}x{height} pixels, at most {} are read",
            super::MAX_PIXELS
        );
        let list = list.as_chunks::<3>().0;
        ensure!(
            list.len() == usize::from(n) && [1, 3, 4].contains(&n),
            "lists {} of {n} components, of which 1, 3 or 4 are read",
            list.len()
        );
        let factors: Vec<[usize; 2]> = list.iter().map(|[_, f, _]| [usize::from(f >> 4), usize::from(f & 15)]).collect();
        ensure!(factors.iter().flatten().all(|f| (1..=4).contains(f)), "has sampling factors outside 1 to 4");
        let most = |i: usize| factors.iter().map(|f| f[i]).max().unwrap_or(1);
        let most = [most(0), most(1)];
        ensure!(
            factors.first() == Some(&most),
            "says that another component has more samples than the first, which the decoder gets wrong; make a PNG of it"
        );
        let units = [width.div_ceil(8 * most[0]), height.div_ceil(8 * most[1])];
        let component = |(&[id, ..], &[across, down]): (&[u8; 3], &[usize; 2])| Component {
            id,
            across,
            down,
            width: (width * across).div_ceil(most[0]).div_ceil(8),
            height: (height * down).div_ceil(most[1]).div_ceil(8),
            stride: units[0] * across,
            lowest_bit: [None; BLOCK],
            nonzero: Vec::new(),
        };
        Ok(Frame { progressive, units, components: list.iter().zip(&factors).map(component).collect() })
    }

    fn scan(&mut self, header: &[u8]) -> Result<Scan> {
        let (&n, rest) = header.split_first().context("is too short")?;
        let n = usize::from(n);
        ensure!((1..=4).contains(&n) && rest.len() >= 2 * n + 3, "is too short");
        let mut parts = Vec::new();
        for [id, tables] in rest[..2 * n].as_chunks::<2>().0 {
            let component =
                self.components.iter().position(|c| c.id == *id).with_context(|| format!("names an unknown component {id}"))?;
            parts.push([component, usize::from(tables >> 4) & 3, usize::from(tables & 15) & 3]);
        }
        let [first, last, bits] = [rest[2 * n], rest[2 * n + 1], rest[2 * n + 2]];
        let scan = match self.progressive {
            false => Scan { parts, first: 0, last: BLOCK - 1, high: 0, low: 0 },
            true => Scan { parts, first: first.into(), last: last.into(), high: bits >> 4, low: bits & 15 },
        };
        let dc = scan.first == 0;
        ensure!(
            scan.last < BLOCK && scan.first <= scan.last && scan.low < 14,
            "names coefficients {first} to {last}, bits from {}",
            scan.low
        );
        ensure!(
            !self.progressive || (dc && last == 0) || (!dc && n == 1),
            "mixes coefficients {first} to {last} of {n} components"
        );
        let before = if scan.high == 0 { None } else { Some(scan.high) };
        for &[component, ..] in &scan.parts {
            let in_order = self.components[component].lowest_bit[scan.first..=scan.last].iter().all(|&bit| bit == before);
            ensure!(in_order, "goes on with coefficients whose upper bits are missing, or are there already");
            self.components[component].lowest_bit[scan.first..=scan.last].fill(Some(scan.low));
        }
        if self.progressive && !dc {
            let component = &mut self.components[scan.parts[0][0]];
            component.nonzero.resize(component.stride * self.units[1] * component.down, 0);
        }
        Ok(scan)
    }

    /// Units of a scan across and down: blocks if it has one component only.
    fn units_of(&self, scan: &Scan) -> [usize; 2] {
        match scan.parts.as_slice() {
            &[[only, ..]] => [self.components[only].width, self.components[only].height],
            _ => self.units,
        }
    }

    fn unit(
        &mut self,
        scan: &Scan,
        tables: &[[Option<Huffman>; 4]; 2],
        across: usize,
        unit: usize,
        bits: &mut Bits<'_>,
        run: &mut u32,
    ) -> Result<()> {
        let table = |class: usize, number: usize| tables[class][number].as_ref().context("a Huffman table is missing");
        let single = scan.parts.len() == 1;
        for &[component, dc, ac] in &scan.parts {
            let component = &mut self.components[component];
            let blocks = if single { 1 } else { component.across * component.down };
            for _ in 0..blocks {
                match (self.progressive, scan.first, scan.high) {
                    (false, ..) => sequential(bits, table(0, dc)?, table(1, ac)?)?,
                    (true, 0, 0) => first_dc(bits, table(0, dc)?)?,
                    (true, 0, _) => bits.skip(1)?,
                    (true, _, high) => {
                        let nonzero = &mut component.nonzero[unit / across * component.stride + unit % across];
                        let band = Band { table: table(1, ac)?, first: scan.first, last: scan.last };
                        if high == 0 { band.first_pass(bits, nonzero, run)? } else { band.refine(bits, nonzero, run)? }
                    }
                }
            }
        }
        Ok(())
    }

    fn check_complete(&self) -> Result<()> {
        for (i, component) in self.components.iter().enumerate() {
            let missing = component.lowest_bit.iter().filter(|&&bit| bit != Some(0)).count();
            ensure!(
                missing == 0,
                "the JPEG is cut short: it ends before the last bits of {missing} of the {BLOCK} coefficients of component {}",
                i + 1
            );
        }
        Ok(())
    }
}

/// The difference of a block's mean from the last one's.
fn first_dc(bits: &mut Bits<'_>, table: &Huffman) -> Result<()> {
    let size = bits.symbol(table)?;
    ensure!(size <= 16, "a coefficient of {size} bits");
    bits.skip(size.into())
}

/// All coefficients of a block.
fn sequential(bits: &mut Bits<'_>, dc: &Huffman, ac: &Huffman) -> Result<()> {
    first_dc(bits, dc)?;
    let mut at = 1;
    while at < BLOCK {
        let symbol = bits.symbol(ac)?;
        let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        match (zeros, size) {
            (15, 0) => at += 16,
            (_, 0) => break,
            _ => {
                at += zeros + 1;
                ensure!(at <= BLOCK, "a block of more than {BLOCK} coefficients");
                bits.skip(size)?;
            }
        }
    }
    Ok(())
}

/// Some coefficients of a block in a progressive scan.
struct Band<'a> {
    table: &'a Huffman,
    first: usize,
    last: usize,
}

impl Band<'_> {
    /// The upper bits; `run` blocks to come have none.
    fn first_pass(&self, bits: &mut Bits<'_>, nonzero: &mut u64, run: &mut u32) -> Result<()> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let mut at = self.first;
        while at <= self.last {
            let symbol = bits.symbol(self.table)?;
            let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            match (zeros, size) {
                (15, 0) => at += 16,
                (_, 0) => {
                    *run = (1 << zeros) - 1 + bits.take(zeros)?;
                    break;
                }
                _ => {
                    at += zeros as usize;
                    ensure!(at <= self.last, "a block of more than {BLOCK} coefficients");
                    bits.skip(size)?;
                    *nonzero |= 1 << at;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// One more bit: of the coefficients that are not 0 always, of others if they become so.
    fn refine(&self, bits: &mut Bits<'_>, nonzero: &mut u64, run: &mut u32) -> Result<()> {
        let mut at = self.first;
        while *run == 0 && at <= self.last {
            let symbol = bits.symbol(self.table)?;
            let (mut zeros, size) = (u32::from(symbol >> 4), symbol & 15);
            match (zeros, size) {
                (15, 0) => {}
                (_, 0) => {
                    *run = (1 << zeros) + bits.take(zeros)?;
                    break;
                }
                // The sign.
                _ => bits.skip(1)?,
            }
            while at <= self.last {
                if *nonzero >> at & 1 == 1 {
                    bits.skip(1)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                at += 1;
            }
            if size != 0 && at <= self.last {
                *nonzero |= 1 << at;
            }
            at += 1;
        }
        if *run > 0 {
            let later = (at..=self.last).filter(|&i| *nonzero >> i & 1 == 1).count();
            for _ in 0..later {
                bits.skip(1)?;
            }
            *run -= 1;
        }
        Ok(())
    }
}
