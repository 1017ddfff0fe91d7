//! What was measured as a table.

use super::{Measurement, Rounding};
use std::fmt::Write;

/// A Markdown table, one estimator a line.
pub fn table(measurements: &[Measurement]) -> String {
    let mut text = String::from(
        "| expected terms | of them exact | sum | traces | passes | bias, nats | | standard deviation, nats | variance × passes | milliseconds |\n\
         | ---: | ---: | --- | --- | ---: | ---: | --- | ---: | ---: | ---: |\n",
    );
    for m in measurements {
        let (estimator, exact) = (&m.estimator, m.estimator.config().n_exact_terms);
        let (terms, sum, traces) = (estimator.terms, estimator.sum.name(), estimator.traces.name());
        let verdict = if m.errors.is_unbiased() { "" } else { "biased" };
        let (bias, error, deviation, time) = (m.errors.bias, m.errors.standard_error, m.errors.deviation, 1e3 * m.seconds);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {terms} | {exact} | {sum} | {traces} | {:.1} | {bias:+.5} ± {error:.5} | {verdict} | {deviation:.4} | {:.4} | {time:.2} |",
            m.passes, m.work
        );
    }
    text
}

/// A Markdown table, one precision a line.
pub fn rounding_table(measurements: &[Rounding]) -> String {
    let mut text = String::from(
        "| precision | bias, nats | standard deviation, nats | bias of rounding, nats | its standard deviation, nats | milliseconds |\n\
         | --- | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for Rounding { precision, errors, rounding, seconds } in measurements {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {precision} | {:+.5} ± {:.5} | {:.4} | {:+.1e} ± {:.1e} | {:.1e} | {:.2} |",
            errors.bias,
            errors.standard_error,
            errors.deviation,
            rounding.bias,
            rounding.standard_error,
            rounding.deviation,
            1e3 * seconds
        );
    }
    text
}
