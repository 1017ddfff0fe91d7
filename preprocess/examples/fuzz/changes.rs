//! Changes of the kinds that files suffer, and worse ones.

/// A sequence of numbers that depends on its start only.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}

/// Numbers at their limits.
const LIMITS: [u64; 10] = [0, 1, 127, 255, 256, 65_535, u32::MAX as u64, 1 << 31, i64::MAX as u64, u64::MAX];

/// One to four changes at random places; `tokens` are pieces of the format that are put in. In half of the cases what follows
/// keeps its place.
pub fn change(bytes: &mut Vec<u8>, tokens: &[&[u8]], random: &mut Random) {
    let in_place = random.below(2) == 0;
    let kinds: &[usize] = if in_place { &[0, 1, 5, 8] } else { &[0, 1, 2, 3, 4, 5, 6, 7, 8] };
    for _ in 0..=random.below(4) {
        // Headers are where decisions are made.
        let reach = if random.below(2) == 0 { bytes.len().min(256) } else { bytes.len() };
        let at = random.below(reach);
        match kinds[random.below(kinds.len())] {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..(at + random.below(16)).min(bytes.len()))),
            4 => drop(bytes.splice(at..at, (0..random.below(16)).map(|i| i as u8).collect::<Vec<_>>())),
            5 if at + 8 <= bytes.len() => {
                let width = [1, 2, 4, 8][random.below(4)];
                bytes[at..at + width].copy_from_slice(&LIMITS[random.below(LIMITS.len())].to_le_bytes()[..width]);
            }
            // A token, over other bytes or between them.
            6 if !tokens.is_empty() => {
                let token = tokens[random.below(tokens.len())];
                let end = if random.below(2) == 0 { at } else { (at + token.len()).min(bytes.len()) };
                bytes.splice(at..end, token.iter().copied());
            }
            7 if at < bytes.len() => {
                let piece = bytes[at..(at + 1 + random.below(64)).min(bytes.len())].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ if at + 4 <= bytes.len() => {
                let from = random.below(bytes.len() - 3);
                bytes.copy_within(from..from + 4, at);
            }
            _ => {}
        }
    }
}
