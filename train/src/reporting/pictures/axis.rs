//! Axes of panels: round numbers at even distances.

/// An axis with its ends, in the units that are shown.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What is measured along it.
    pub label: String,
    /// Its lower end.
    pub least: f64,
    /// Its upper end.
    pub most: f64,
}

impl Axis {
    /// Between these ends; where they are equal, with some room around.
    pub fn new(label: impl Into<String>, least: f64, most: f64) -> Self {
        let room = if most > least { 0.0 } else { least.abs().max(1.0) * 1e-3 };
        Self { label: label.into(), least: least - room, most: most + room }
    }

    /// Where a number lies, 0 at the lower end and 1 at the upper one.
    pub fn place(&self, value: f64) -> f64 {
        (value - self.least) / (self.most - self.least)
    }

    /// At most this many round numbers between the ends, each with its text.
    pub fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        let span = self.most - self.least;
        if !span.is_finite() || span <= 0.0 {
            return Vec::new();
        }
        let rough = span / most as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|&step| step >= rough).unwrap_or(rough);
        let first = (self.least / step).ceil() as i64;
        let last = (self.most / step).floor() as i64;
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let text = |value: f64| match decimals > 4 || value.abs() >= 1e6 {
            true => format!("{value:.1e}"),
            // Without the sign of a negative zero.
            false => format!("{:.decimals$}", value + 0.0),
        };
        (first..=last).map(|n| n as f64 * step).map(|value| (value, text(value))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let texts =
            |least, most| -> Vec<String> { Axis::new("x", least, most).ticks(5).into_iter().map(|tick| tick.1).collect() };
        assert_eq!(texts(-4.0, 4.0), ["-4", "-2", "0", "2", "4"]);
        assert_eq!(texts(0.013, 0.021), ["0.014", "0.016", "0.018", "0.020"]);
        assert_eq!(texts(1200.0, 4900.0), ["2000", "3000", "4000"]);
        assert_eq!(texts(0.0, 3e7), ["0", "1.0e7", "2.0e7", "3.0e7"]);
        assert!(!texts(7.0, 7.0).is_empty() && texts(f64::NAN, 1.0).is_empty());
    }

    #[test]
    fn places_are_parts_of_the_axis() {
        let axis = Axis::new("x", 10.0, 20.0);
        assert_eq!([10.0, 15.0, 20.0].map(|value| axis.place(value)), [0.0, 0.5, 1.0]);
    }
}
