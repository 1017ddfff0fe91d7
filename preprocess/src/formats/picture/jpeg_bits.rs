//! Huffman codes in the entropy-coded data of a JPEG.

use anyhow::{Context, Result, bail, ensure};

/// Codes up to this length are found at once.
const QUICK: u32 = 9;
/// The longest code.
const LONGEST: u32 = 16;

/// A table of codes.
pub struct Huffman {
    /// Length and symbol of the code that begins so; length 0: it is longer.
    quick: Vec<(u8, u8)>,
    /// For each length the first code that is too large for it, with its bits at the upper end of 16.
    ends: [u32; LONGEST as usize + 1],
    /// What to add to a code of a length to get its symbol's place.
    starts: [i32; LONGEST as usize + 1],
    symbols: Vec<u8>,
}

impl Huffman {
    /// The table at the beginning of `bytes`, and the bytes after it.
    ///
    /// # Errors
    /// If it is cut short, or no prefix code.
    pub fn new(bytes: &[u8]) -> Result<(Self, &[u8])> {
        let (counts, rest) = bytes.split_first_chunk::<16>().context("ends within a Huffman table")?;
        let n: usize = counts.iter().map(|&n| usize::from(n)).sum();
        ensure!(n <= 256, "has a Huffman table of {n} symbols");
        let (symbols, rest) = rest.split_at_checked(n).context("ends within a Huffman table")?;
        let mut table = Huffman { quick: vec![(0, 0); 1 << QUICK], ends: [0; 17], starts: [0; 17], symbols: symbols.to_vec() };
        let (mut code, mut place) = (0u32, 0usize);
        for len in 1..=LONGEST {
            let count = u32::from(counts[len as usize - 1]);
            table.starts[len as usize] = place as i32 - code as i32;
            for _ in 0..count {
                ensure!(code < 1 << len, "has a Huffman table with too many codes");
                if len <= QUICK {
                    let first = (code << (QUICK - len)) as usize;
                    table.quick[first..first + (1 << (QUICK - len))].fill((len as u8, symbols[place]));
                }
                code += 1;
                place += 1;
            }
            table.ends[len as usize] = code << (LONGEST - len);
            code <<= 1;
        }
        Ok((table, rest))
    }
}

/// Reads bits up to the next mark.
pub struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    buffer: u64,
    n: u32,
}

impl<'a> Bits<'a> {
    /// Begins at position `at`.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Bits { bytes, at, buffer: 0, n: 0 }
    }

    fn fill(&mut self) {
        while self.n <= 48 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            if byte == 0xff {
                // A byte of the data is followed by 0; anything else is a mark.
                if self.bytes.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1;
            }
            self.at += 1;
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.n += 8;
        }
    }

    /// The next 16 bits, with zeros behind the end.
    fn peek(&mut self) -> u32 {
        if self.n < LONGEST {
            self.fill();
        }
        let bits = if self.n >= LONGEST { self.buffer >> (self.n - LONGEST) } else { self.buffer << (LONGEST - self.n) };
        bits as u32 & 0xffff
    }

    /// Leaves out as many bits, 16 at most.
    ///
    /// # Errors
    /// If there are not as many before the next mark.
    pub fn skip(&mut self, n: u32) -> Result<()> {
        self.take(n).map(drop)
    }

    /// The next bits, 16 at most.
    ///
    /// # Errors
    /// If there are not as many before the next mark.
    pub fn take(&mut self, n: u32) -> Result<u32> {
        if n == 0 {
            return Ok(0);
        }
        let bits = self.peek() >> (LONGEST - n);
        let Some(rest) = self.n.checked_sub(n) else { bail!("then its data end") };
        self.n = rest;
        Ok(bits)
    }

    /// The next symbol.
    ///
    /// # Errors
    /// If there is none before the next mark, or none has this code.
    pub fn symbol(&mut self, table: &Huffman) -> Result<u8> {
        let code = self.peek();
        let (len, symbol) = table.quick[(code >> (LONGEST - QUICK)) as usize];
        if len > 0 {
            self.skip(len.into())?;
            return Ok(symbol);
        }
        let len = (QUICK + 1..=LONGEST).find(|&len| code < table.ends[len as usize]);
        let Some(len) = len else {
            ensure!(self.n >= LONGEST, "then its data end");
            bail!("then there is no Huffman code");
        };
        self.skip(len)?;
        let place = (code >> (LONGEST - len)) as i32 + table.starts[len as usize];
        usize::try_from(place).ok().and_then(|i| table.symbols.get(i)).copied().context("then there is no Huffman code")
    }

    /// Goes on behind the next mark, and gives its number if it is a restart mark.
    pub fn restart(&mut self) -> Option<u8> {
        let (at, _) = self.finish();
        let mut at = at;
        while self.bytes.get(at..at + 2) == Some(&[0xff, 0xff]) {
            at += 1;
        }
        let number = self.bytes.get(at + 1).copied()?.checked_sub(0xd0).filter(|&n| n < 8)?;
        (self.at, self.buffer, self.n) = (at + 2, 0, 0);
        Some(number)
    }

    /// Where the next mark is, and how many whole bytes before it were not read, but for fillers.
    pub fn finish(&self) -> (usize, usize) {
        let mut left_over = self.n as usize / 8;
        let mut at = self.at;
        while let Some(&byte) = self.bytes.get(at) {
            let next = self.bytes.get(at + 1).copied();
            if byte == 0xff && next.is_some_and(|next| next != 0) {
                break;
            }
            left_over += usize::from(byte != 0xff);
            at += 1;
        }
        (at, left_over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_every_length_are_read() {
        // One code of each length: 0, 10, 110, …
        let counts = [1; 16];
        let symbols: Vec<u8> = (100..116).collect();
        let bytes = [&counts[..], &symbols, b"rest"].concat();
        let (table, rest) = Huffman::new(&bytes).unwrap();
        assert_eq!(rest, b"rest");
        // 16 ones but for the last bit is the longest code, then 0, then padding.
        let data = [0xff, 0, 0xfe, 0b0101_1011, 0xff, 0xd9];
        let mut bits = Bits::new(&data, 0);
        assert_eq!(bits.symbol(&table).unwrap(), 115);
        assert_eq!([0; 3].map(|_| bits.symbol(&table).unwrap()), [100, 101, 102]);
        let error = bits.symbol(&table).unwrap_err();
        assert_eq!(error.to_string(), "then its data end");
        assert_eq!(bits.finish(), (4, 0));
    }

    #[test]
    fn tables_that_are_no_prefix_code_are_refused() {
        let mut counts = [0u8; 16];
        counts[0] = 3;
        assert!(Huffman::new(&[&counts[..], &[1, 2, 3]].concat()).is_err());
        assert!(Huffman::new(&counts).is_err());
    }
}
