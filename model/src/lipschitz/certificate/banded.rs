//! A sharper bound of a convolution's spectral norm, by a proof that `s² I - TᵀT` is positive definite.

use super::matrix::{Matrix, gamma, row_gram};
use super::weight::ConvolutionWeight;

/// Multiply-adds of one factorisation at the most: half a minute or so.
const MAX_WORK: f64 = 5e10;
/// Numbers in memory at the most, 1 GiB.
const MAX_NUMBERS: usize = 1 << 27;
/// How far above an estimate the norm is looked for, relatively.
const MARGINS: [f64; 6] = [2e-4, 1e-3, 3e-3, 1e-2, 2e-2, 5e-2];

/// A symmetric matrix whose entries further than `width` from the diagonal are 0: rows from the diagonal on.
struct Banded {
    width: usize,
    rows: Vec<Vec<f64>>,
}

/// At least the norm, and at most a little above `estimate` if that is close to it from below; `None` if the norm is
/// not proved to be below `ceiling`, or that would take too long.
///
/// `T` is the convolution on zero-padded images. If the Cholesky factorisation of `A = s² I - TᵀT` succeeds in floating
/// point, then `A`'s least eigenvalue is at least `-γ_{n+1}/(1 - γ_{n+1}) trace(A)` (Rump 2006, Verification of positive
/// definiteness, <https://doi.org/10.1007/s10543-006-0056-1>). With pixels in raster order, `TᵀT` has few diagonals, and the
/// factorisation is cheap. The narrow side is taken: `TTᵀ` if there are fewer output channels.
pub(super) fn norm_bound(weight: &ConvolutionWeight, estimate: f64, ceiling: f64) -> Option<f64> {
    let channels = weight.channels_in.min(weight.channels_out);
    let [height, width] = weight.image;
    let n = channels * height * width;
    let reach = weight.kernel - 1;
    let band = ((reach * width + reach + 1) * channels).min(n);
    if n as f64 * (band as f64).powi(2) > MAX_WORK || n * band > MAX_NUMBERS {
        return None;
    }
    let (patch, error) = patch_gram(weight, channels);
    let mut below = MARGINS.iter().map(|margin| estimate * (1.0 + margin)).take_while(|candidate| *candidate < ceiling);
    below.find_map(|candidate| {
        let shift = candidate * candidate;
        let matrix = shifted(weight, &patch, channels, band, shift)?;
        // Of the factorisation, and of the sums on the diagonal, which begin with the shift.
        let slack = gamma(n + 2) / (1.0 - gamma(n + 2)) * n as f64 * shift + gamma(weight.kernel * weight.kernel + 1) * shift;
        matrix.factorizes().then(|| (shift + slack + error).sqrt() * (1.0 + 4.0 * f64::EPSILON))
    })
}

/// `C[(t, a), (t', b)] = Σ w[a, t] w[b, t']` over the wide side's channels, for taps `t` and narrow channels `a`; and a
/// bound of what rounding does to the norm of `TᵀT`, whose entries are sums of at most `k²` of these.
fn patch_gram(weight: &ConvolutionWeight, channels: usize) -> (Matrix, f64) {
    let taps = weight.kernel * weight.kernel;
    let narrow_is_input = channels == weight.channels_in;
    let wide = weight.channels_out.max(weight.channels_in);
    let mut rows = Matrix { rows: taps * channels, columns: wide, values: vec![0.0; taps * channels * wide] };
    for (index, &value) in weight.values.iter().enumerate() {
        let (tap, channel) = (index % taps, index / taps);
        let (o, i) = (channel / weight.channels_in, channel % weight.channels_in);
        let (a, along) = if narrow_is_input { (i, o) } else { (o, i) };
        rows.values[(tap * channels + a) * wide + along] = value.into();
    }
    let squares = rows.values.iter().map(|x| x * x).sum::<f64>() * (1.0 + gamma(rows.values.len()));
    let error = taps as f64 * (gamma(wide) + gamma(taps + 1)) * squares;
    (row_gram(&rows), error * (1.0 + 1e-12))
}

/// `shift I - TᵀT`, or with `TTᵀ`; `None` if a number is not finite.
fn shifted(weight: &ConvolutionWeight, patch: &Matrix, channels: usize, band: usize, shift: f64) -> Option<Banded> {
    let (k, [height, width]) = (weight.kernel, weight.image);
    let sign = if channels == weight.channels_in { 1 } else { -1 };
    let n = channels * height * width;
    let mut rows: Vec<Vec<f64>> = (0..n).map(|row| vec![0.0; band.min(n - row)]).collect();
    rows.iter_mut().for_each(|row| row[0] = shift);
    let radius = (k / 2) as isize;
    let moved = |y: usize, x: usize, tap: usize| {
        let (dy, dx) = ((tap / k) as isize - radius, (tap % k) as isize - radius);
        let (y, x) = (y as isize + sign * dy, x as isize + sign * dx);
        let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
        inside.then(|| (y as usize * width + x as usize) * channels)
    };
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let places: Vec<(usize, usize)> = (0..k * k).filter_map(|tap| Some((tap, moved(y, x, tap)?))).collect();
        for &(tap, first) in &places {
            for &(other_tap, second) in places.iter().filter(|(_, second)| *second >= first) {
                for a in 0..channels {
                    let row = (tap * channels + a) * patch.columns + other_tap * channels;
                    let products = &patch.values[row..row + channels];
                    for (b, product) in products.iter().enumerate().skip(if first == second { a } else { 0 }) {
                        rows[first + a][second + b - first - a] -= product;
                    }
                }
            }
        }
    }
    rows.iter().flatten().all(|value| value.is_finite()).then_some(Banded { width: band, rows })
}

impl Banded {
    /// Whether the Cholesky factorisation succeeds.
    fn factorizes(mut self) -> bool {
        for index in 0..self.rows.len() {
            let mut pivot_row = std::mem::take(&mut self.rows[index]);
            if pivot_row[0] <= 0.0 || !pivot_row[0].is_finite() {
                return false;
            }
            let root = pivot_row[0].sqrt();
            pivot_row.iter_mut().for_each(|value| *value /= root);
            for distance in 1..self.width.min(pivot_row.len()) {
                let factor = pivot_row[distance];
                if factor != 0.0 {
                    let row = &mut self.rows[index + distance];
                    row.iter_mut().zip(&pivot_row[distance..]).for_each(|(value, pivot)| *value -= factor * pivot);
                }
            }
        }
        true
    }
}
