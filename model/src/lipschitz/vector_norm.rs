//! Norms of vectors, and the vectors at which their duals are attained.

use super::norm_order::NormOrder;

/// `‖x‖_p`, computed in double precision.
pub(super) fn norm(x: &[impl Copy + Into<f64>], order: NormOrder) -> f64 {
    let magnitudes = || x.iter().map(|&value| value.into().abs());
    let largest = magnitudes().fold(0.0, f64::max);
    match order.get() {
        1.0 => magnitudes().sum(),
        2.0 => magnitudes().map(|m| m * m).sum::<f64>().sqrt(),
        f64::INFINITY => largest,
        _ if largest == 0.0 => 0.0,
        p => largest * magnitudes().map(|m| (m / largest).powf(p)).sum::<f64>().powf(1.0 / p),
    }
}

/// The `x` with `‖x‖_p = 1` for which `⟨x, z⟩` is largest, namely `‖z‖_{p*}`.
///
/// `x_i ∝ sign(z_i) |z_i|^{1/(p-1)}`; for `p = 1` the coordinate of the largest `|z_i|`, for `p = ∞` the signs.
/// Zero stays zero where no `x` is better than another and `1 < p < ∞`.
pub(super) fn aligned(z: &[impl Copy + Into<f64>], order: NormOrder) -> Vec<f64> {
    let z: Vec<f64> = z.iter().map(|&value| value.into()).collect();
    match order.get() {
        1.0 => {
            let mut x = vec![0.0; z.len()];
            if let Some(place) = (0..z.len()).max_by(|&i, &j| z[i].abs().total_cmp(&z[j].abs())) {
                x[place] = z[place].signum();
            }
            x
        }
        f64::INFINITY => z.iter().map(|value| value.signum()).collect(),
        p => {
            let largest = z.iter().fold(f64::MIN_POSITIVE, |max, value| max.max(value.abs()));
            let power = |value: &f64| (value.abs() / largest).powf(1.0 / (p - 1.0)).copysign(*value);
            scaled(&z.iter().map(power).collect::<Vec<_>>(), order)
        }
    }
}

/// `x / ‖x‖_p`; zero stays zero.
pub(super) fn scaled(x: &[impl Copy + Into<f64>], order: NormOrder) -> Vec<f64> {
    let norm = norm(x, order).max(f64::MIN_POSITIVE);
    x.iter().map(|&value| value.into() / norm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_are_those_of_the_definition() {
        let x = [3.0f32, -4.0, 0.0, 1.0];
        let of = |p: f64| norm(&x, NormOrder::new(p).unwrap());
        assert_eq!((of(1.0), of(2.0), of(f64::INFINITY)), (8.0, 26f64.sqrt(), 4.0));
        assert!((of(3.0) - 92f64.powf(1.0 / 3.0)).abs() < 1e-12);
        assert!((of(1.5) - (27f64.sqrt() + 8.0 + 1.0).powf(2.0 / 3.0)).abs() < 1e-12);
        assert_eq!(norm(&[0.0; 3], NormOrder::new(3.0).unwrap()), 0.0);
    }

    /// Hölder's inequality holds with equality.
    #[test]
    fn aligned_vectors_attain_the_dual_norm() {
        let z = [0.3f32, -2.0, 1e-3, 0.9, -0.4];
        for p in [1.0, 1.2, 2.0, 3.5, f64::INFINITY] {
            let order = NormOrder::new(p).unwrap();
            let x = aligned(&z, order);
            let product: f64 = x.iter().zip(&z).map(|(a, b)| a * f64::from(*b)).sum();
            assert!((norm(&x, order) - 1.0).abs() < 1e-6, "p = {p}");
            assert!((product - norm(&z, order.dual())).abs() < 1e-6, "p = {p}: {product}");
        }
    }
}
