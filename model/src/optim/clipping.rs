//! The norm of all gradients together is kept under a bound.

/// What gradients of this norm are multiplied by, so that it is at most `clip`: `min(1, clip / (norm + 1e-6))`, as in torch's
/// `clip_grad_norm_`. Burn's `GradientClipping` clips each tensor by itself, which changes the gradient's direction.
pub fn clip_factor(norm: f64, clip: f64) -> f64 {
    (clip / (norm + 1e-6)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_shortens_long_gradients_only() {
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert_eq!(clip_factor(0.0, 1.0), 1.0);
        assert!((4.0 * clip_factor(4.0, 1.0) - 1.0).abs() < 1e-6);
        assert!((4.0 * clip_factor(4.0, 0.1) - 0.1).abs() < 1e-6);
    }
}
