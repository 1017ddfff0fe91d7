//! What was measured as drawings over the expected number of terms.

use crate::reporting::pictures::plot::{Plot, Series};
use crate::scoring::estimators::{Measurement, Sum, Traces};

const X_LABEL: &str = "expected number of terms";

/// Bias of the estimators with Rademacher probes, with bars of 4 standard errors to both sides: truncation is off by what it
/// leaves out, the roulettes' bars contain 0.
pub fn bias_plot(measurements: &[Measurement]) -> Plot {
    let series = Sum::ALL.into_iter().enumerate().map(|(colour, sum)| {
        let of_sum = select(measurements, sum, Traces::Rademacher);
        Series {
            bars: of_sum.iter().map(|m| 4.0 * m.errors.standard_error).collect(),
            ..Series::line(sum.name(), colour, points(&of_sum, |m| m.errors.bias))
        }
    });
    Plot { x_label: X_LABEL, y_label: "bias of the log-determinant, nats".into(), series: series.collect() }
}

/// Standard deviation of a sample's estimates, for every sum and kind of traces.
pub fn deviation_plot(measurements: &[Measurement]) -> Plot {
    let all = Traces::ALL.into_iter().flat_map(|traces| Sum::ALL.map(|sum| (sum, traces)));
    let series = all.enumerate().map(|(colour, (sum, traces))| {
        let label = format!("{}, {}", sum.name(), traces.name());
        Series::line(label, colour, points(&select(measurements, sum, traces), |m| m.errors.deviation))
    });
    Plot { x_label: X_LABEL, y_label: "standard deviation, nats".into(), series: series.collect() }
}

fn select(measurements: &[Measurement], sum: Sum, traces: Traces) -> Vec<&Measurement> {
    measurements.iter().filter(|m| (m.estimator.sum, m.estimator.traces) == (sum, traces)).collect()
}

fn points(measurements: &[&Measurement], of: impl Fn(&Measurement) -> f64) -> Vec<(f64, f64)> {
    measurements.iter().map(|m| (m.estimator.terms as f64, of(m))).collect()
}
