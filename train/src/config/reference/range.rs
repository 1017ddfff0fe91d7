//! The range of a number, as its schema states it.

use serde_json::Value;

/// The numbers that a setting accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least, which is accepted.
    pub least: Option<f64>,
    /// The greatest, which is accepted.
    pub greatest: Option<f64>,
    /// A lower end that is not accepted itself.
    pub above: Option<f64>,
    /// An upper end that is not accepted itself.
    pub below: Option<f64>,
    /// Whether numbers are whole.
    pub is_whole: bool,
    /// Whether `inf` is accepted besides.
    pub has_infinity: bool,
}

impl Range {
    /// That of a number, or of the numbers in a list; `None` if the schema is of something else, or states no end.
    pub(super) fn of(schema: &Value) -> Option<Self> {
        let items = schema.get("items").unwrap_or(&Value::Null);
        let end = |key: &str| schema.get(key).or_else(|| items.get(key)).and_then(Value::as_f64);
        let [least, greatest] = ["minimum", "maximum"].map(end);
        let [above, below] = ["exclusiveMinimum", "exclusiveMaximum"].map(end);
        let kinds = format!("{schema}");
        let is_whole = !kinds.contains("\"number\"");
        let has_infinity = schema.get("x-infinite").is_some();
        let range = Self { least, greatest, above, below, is_whole, has_infinity };
        [least, greatest, above, below].iter().any(Option::is_some).then_some(range)
    }

    /// Whether a number is accepted; NaN never is.
    pub fn contains(&self, number: f64) -> bool {
        let is_inside = self.least.is_none_or(|least| number >= least)
            && self.greatest.is_none_or(|greatest| number <= greatest)
            && self.above.is_none_or(|above| number > above)
            && self.below.is_none_or(|below| number < below);
        !number.is_nan() && is_inside && (number.is_finite() || self.has_infinity)
    }

    /// What a number should have been, for a message.
    pub fn expected(&self, got: f64) -> String {
        match (self.is_whole, self.least, self.greatest) {
            (true, Some(least), _) if got < least => format!("at least {}", number(least, true)),
            (true, _, Some(greatest)) if got > greatest => format!("at most {}", number(greatest, true)),
            _ => self.words(),
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        let end = |value: f64| number(value, self.is_whole).trim_end_matches(".0").to_string();
        let lower = match (self.above, self.least) {
            (Some(above), _) => Some(format!("above {}", end(above))),
            (None, least) => least.map(|least| format!("from {}", end(least))),
        };
        let upper = match (self.below, self.greatest) {
            (Some(below), _) => Some(format!("below {}", end(below))),
            (None, greatest) => greatest.map(|greatest| format!("to {}", end(greatest))),
        };
        let infinity = if self.has_infinity { ", or inf" } else { "" };
        match (lower, upper) {
            (Some(lower), Some(upper)) => {
                let joined = if upper.starts_with("below") { " and " } else { " " };
                format!("{lower}{joined}{upper}{infinity}")
            }
            (Some(lower), None) => format!("{}{infinity}", lower.replacen("from", "at least", 1)),
            (None, Some(upper)) => format!("{}{infinity}", upper.replacen("to", "at most", 1)),
            (None, None) => "any".into(),
        }
    }
}

/// A number to be read: whole ones with separators, others as short as they are exact.
pub fn number(value: f64, is_whole: bool) -> String {
    if is_whole {
        let digits = format!("{value:.0}");
        let grouped = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect::<Vec<_>>();
        return grouped.join(",");
    }
    let single = value as f32;
    // A number that single precision holds is written with its digits.
    if f64::from(single) == value && value.is_finite() { format!("{single:?}") } else { format!("{value:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ends_belong_to_a_range_or_not() {
        let range = |schema| Range::of(&schema).expect("a range");
        let half_open = range(json!({"type": "number", "minimum": 0.0, "exclusiveMaximum": 1.0}));
        assert_eq!([-1e-9, 0.0, 0.999, 1.0, f64::NAN].map(|x| half_open.contains(x)), [false, true, true, false, false]);
        assert_eq!(half_open.words(), "from 0 and below 1");
        let open = range(json!({"type": "number", "exclusiveMinimum": 0.0, "exclusiveMaximum": 1.0}));
        assert_eq!((open.contains(0.0), open.words()), (false, "above 0 and below 1".into()));
        let clip = range(json!({"type": "number", "minimum": 1e-30, "x-infinite": true}));
        assert_eq!([f64::INFINITY, f64::NEG_INFINITY, 1e-31].map(|x| clip.contains(x)), [true, false, false]);
        assert_eq!(clip.words(), "at least 1e-30, or inf");
    }

    #[test]
    fn lists_have_the_range_of_their_numbers() {
        let schema = json!({"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 1_000_000_000}});
        let range = Range::of(&schema).expect("a range");
        assert_eq!(range.words(), "from 1 to 1,000,000,000");
        assert_eq!([range.expected(0.0), range.expected(2e9)], ["at least 1", "at most 1,000,000,000"]);
        assert_eq!(Range::of(&json!({"type": "array", "items": {"type": "string"}})), None);
    }

    #[test]
    fn numbers_are_as_short_as_they_are_exact() {
        assert_eq!([f64::from(1e-5f32), 1e-8, 0.999, 0.5].map(|x| number(x, false)), ["1e-5", "1e-8", "0.999", "0.5"]);
    }
}
