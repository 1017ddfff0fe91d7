//! Inner products of long vectors.

use super::InstructionSet;
use super::elementwise::{LANES, fma, lane_sum};
use super::instruction_set::dispatch;

/// `⟨a, b⟩`, in single precision over short runs.
pub fn inner_product(a: &[f32], b: &[f32]) -> f64 {
    dispatch!(InstructionSet::best(), inner_product_body, (a: &[f32], b: &[f32]) -> f64)
}

#[inline(always)]
pub(super) fn inner_product_body<const FMA: bool>(a: &[f32], b: &[f32]) -> f64 {
    const AT_A_TIME: usize = 4 * LANES;
    let mut sum = 0.0;
    for (a, b) in a.chunks(16 * AT_A_TIME).zip(b.chunks(16 * AT_A_TIME)) {
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<AT_A_TIME>(), b.as_chunks::<AT_A_TIME>());
        let mut lanes = [0f32; AT_A_TIME];
        for (a, b) in a.iter().zip(b) {
            for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
                *lane = fma::<FMA>(*a, *b, *lane);
            }
        }
        let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
        sum += f64::from(lane_sum(lanes) + rest);
    }
    sum
}
