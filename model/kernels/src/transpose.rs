//! Panels with pixels and features exchanged.

use super::InstructionSet;
use super::microkernel::PANEL;
use super::packing::padded;

/// The features of panels with pixels and features exchanged: `[block of PANEL features, panel, pixel, PANEL]`.
pub(super) fn transpose(set: InstructionSet, features: usize, input: &[f32], out: &mut [f32], pixels: usize) {
    let (panels, rows) = (pixels.div_ceil(PANEL), padded(features));
    for (block, out) in out.chunks_mut(panels * PANEL * PANEL).take(features.div_ceil(PANEL)).enumerate() {
        let there = PANEL.min(rows - block * PANEL);
        for (panel, out) in out.as_chunks_mut::<PANEL>().0.chunks_exact_mut(PANEL).enumerate() {
            let input = input[(panel * rows + block * PANEL) * PANEL..].as_chunks::<PANEL>().0;
            square(set, &input[..there], out);
        }
    }
}

/// The length of what [`transpose`] writes.
pub(super) fn transposed_len(features: usize, panels: usize) -> usize {
    features.div_ceil(PANEL) * panels * PANEL * PANEL
}

/// `out[x][row] = input[row][x]` for at most `PANEL` rows.
fn square(set: InstructionSet, input: &[[f32; PANEL]], out: &mut [[f32; PANEL]]) {
    // As many rows as go in eights.
    let done = match set {
        InstructionSet::Portable => 0,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 | InstructionSet::Avx512 => {
            let (eights, _) = input.as_chunks::<8>();
            // SAFETY: both instruction sets have AVX2, and were found.
            eights.iter().enumerate().for_each(|(i, rows)| unsafe { x86::eight_rows(rows, out, 8 * i) });
            8 * eights.len()
        }
    };
    for (row, values) in input.iter().enumerate().skip(done) {
        out.iter_mut().zip(values).for_each(|(out, value)| out[row] = *value);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::PANEL;
    use std::arch::x86_64::*;

    /// `out[x][column + r] = rows[r][x]`.
    #[target_feature(enable = "avx2")]
    pub fn eight_rows(rows: &[[f32; PANEL]; 8], out: &mut [[f32; PANEL]], column: usize) {
        for (i, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            // SAFETY: the ranges are checked.
            let rows = rows.each_ref().map(|row| unsafe { _mm256_loadu_ps(row[8 * i..][..8].as_ptr()) });
            for (out, values) in out.iter_mut().zip(eight_by_eight(rows)) {
                // SAFETY: as above.
                unsafe { _mm256_storeu_ps(out[column..][..8].as_mut_ptr(), values) }
            }
        }
    }

    /// Pairs of rows are interleaved, then pairs of pairs, then halves are exchanged.
    #[target_feature(enable = "avx2")]
    fn eight_by_eight([a, b, c, d, e, f, g, h]: [__m256; 8]) -> [__m256; 8] {
        let low = [_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d), _mm256_unpacklo_ps(e, f), _mm256_unpacklo_ps(g, h)];
        let high = [_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d), _mm256_unpackhi_ps(e, f), _mm256_unpackhi_ps(g, h)];
        let quads = |[ab, cd, ef, gh]: [__m256; 4]| {
            let first = [_mm256_shuffle_ps::<0x44>(ab, cd), _mm256_shuffle_ps::<0x44>(ef, gh)];
            let second = [_mm256_shuffle_ps::<0xee>(ab, cd), _mm256_shuffle_ps::<0xee>(ef, gh)];
            [first, second]
        };
        let [[x0, y0], [x1, y1]] = quads(low);
        let [[x2, y2], [x3, y3]] = quads(high);
        let lower = |x, y| _mm256_permute2f128_ps::<0x20>(x, y);
        let upper = |x, y| _mm256_permute2f128_ps::<0x31>(x, y);
        [lower(x0, y0), lower(x1, y1), lower(x2, y2), lower(x3, y3), upper(x0, y0), upper(x1, y1), upper(x2, y2), upper(x3, y3)]
    }
}
