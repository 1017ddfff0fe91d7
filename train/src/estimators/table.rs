//! What was measured as a table.

use super::Measurement;
use std::fmt::Write;

/// A Markdown table, one estimator a line.
pub fn table(measurements: &[Measurement]) -> String {
    let mut text = String::from(
        "| expected terms | of them exact | sum | traces | passes | bias, nats | | standard deviation, nats | milliseconds |\n\
         | ---: | ---: | --- | --- | ---: | ---: | --- | ---: | ---: |\n",
    );
    for m in measurements {
        let (estimator, exact) = (&m.estimator, m.estimator.config().n_exact_terms);
        let (terms, sum, traces) = (estimator.terms, estimator.sum.name(), estimator.traces.name());
        let verdict = if m.is_unbiased() { "" } else { "biased" };
        let (bias, error, deviation, time) = (m.bias, m.standard_error, m.deviation, 1e3 * m.seconds);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {terms} | {exact} | {sum} | {traces} | {:.1} | {bias:+.5} ± {error:.5} | {verdict} | {deviation:.4} | {time:.2} |",
            m.passes
        );
    }
    text
}
