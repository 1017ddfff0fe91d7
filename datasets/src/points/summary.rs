//! What was read from a file, for the first lines of a program's log.

use super::Points;
use super::excerpt::{count, excerpt, plain};
use super::options::{Decimal, Delimiter};
use std::fmt;

/// Points that are looked at for values that occur again and again.
const LOOKED_AT: usize = 100_000;

/// Fewer points say nothing about ties.
const FEW: usize = 20;

/// A value that occurs less often may do so by chance.
const OFTEN: usize = 5;

/// Columns that are listed by name; of more, the first ones and the last.
const LISTED: usize = 8;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Between the fields of a line, if there are several fields.
    pub delimiter: Delimiter,
    /// Before the decimals of a number.
    pub decimal: Decimal,
    /// Whether the first line names the columns.
    pub header: bool,
}

/// Why a row cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A value is missing.
    Missing,
    /// A value is infinite.
    Infinite,
}

/// Rows that were left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// How many; a row counts for the first of its columns that has a flaw.
    pub rows: u64,
    /// The column.
    pub column: String,
    /// The reason, with the first value.
    pub reason: Reason,
}

/// What the reader of a file did; nothing of points that were not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// The dialect of a text file.
    pub(super) dialect: Option<Dialect>,
    pub(super) left_out: Vec<LeftOut>,
    /// Lines with nothing in them, between others.
    pub(super) blank_lines: u64,
    /// Names of columns that were not chosen.
    pub(super) ignored: Vec<String>,
    /// Names of columns whose whole numbers lost digits.
    pub(super) rounded: Vec<String>,
    /// Names of columns that count the rows.
    pub(super) counting: Vec<String>,
}

/// What a table holds and how it was read. Its text is one line, without the warnings:
/// ``297 points, columns a, b (delimiter `;`, decimal comma, names in the first line), 3 rows left out: 3 with missing values in b``.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Number of points.
    pub points: usize,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Whether the names are the file's own.
    pub has_names: bool,
    /// How the text was written; none if the points come from no text.
    pub dialect: Option<Dialect>,
    /// Rows that were left out, by reason.
    pub left_out: Vec<LeftOut>,
    /// Lines with nothing in them, between others.
    pub blank_lines: u64,
    /// Columns that were left out, as the options say.
    pub ignored: Vec<String>,
    /// Unusual properties of the columns, a sentence each.
    pub warnings: Vec<String>,
}

impl Points {
    /// What was read, with warnings of columns that no density describes well: constant ones, whole numbers, and values that
    /// occur again and again (of which at most 100,000 points, evenly spaced, are looked at).
    pub fn summary(&self) -> Summary {
        let reading = &self.reading;
        let mut warnings: Vec<String> = (0..self.dimensions()).filter_map(|c| self.warning(c)).collect();
        for name in reading.counting.iter().filter(|&name| *name != self.names[0]) {
            warnings.push(format!("column {} counts the rows: leave it out if it is no part of the data", excerpt(name)));
        }
        for name in &reading.rounded {
            warnings.push(format!("column {} has whole numbers beyond 2^53: their last digits are rounded", excerpt(name)));
        }
        Summary {
            points: self.len(),
            columns: self.names.clone(),
            has_names: self.named,
            dialect: reading.dialect,
            left_out: reading.left_out.clone(),
            blank_lines: reading.blank_lines,
            ignored: reading.ignored.clone(),
            warnings,
        }
    }

    fn warning(&self, column: usize) -> Option<String> {
        let name = excerpt(&self.names[column]);
        let n = self.len();
        let first = self.column(column).next()?;
        if self.column(column).all(|value| value == first) {
            return (n > 1).then(|| format!("column {name} is {first:?} everywhere: a constant has no density; leave it out"));
        }
        let step = n.div_ceil(LOOKED_AT);
        let mut values: Vec<f64> = self.column(column).step_by(step).collect();
        values.sort_unstable_by(f64::total_cmp);
        let runs: Vec<usize> = values.chunk_by(|a, b| a == b).map(<[f64]>::len).collect();
        let (n_distinct, longest) = (runs.len(), runs.iter().copied().max()?);
        let remedy =
            "such a column has no density, and the loss falls without end; spread it with data.dequantize, or leave it out";
        if self.column(column).all(|value| value.fract() == 0.0) && n_distinct < values.len() {
            return Some(format!("column {name} holds whole numbers, {n_distinct} different ones: {remedy}"));
        }
        if values.len() < FEW {
            return None;
        }
        if column == 0 && n_distinct == values.len() && values.iter().all(|value| value.fract() == 0.0) {
            return Some(format!("column {name} holds whole numbers, all different: leave it out if it is an index"));
        }
        let share = longest as f64 / values.len() as f64;
        if share >= 0.05 && longest >= OFTEN {
            let mut start = 0;
            let most = runs.iter().find_map(|&run| {
                if run == longest {
                    Some(values[start])
                } else {
                    start += run;
                    None
                }
            })?;
            return Some(format!("column {name} is {most:?} in {:.0} % of the points: {remedy}", 100.0 * share));
        }
        (2 * n_distinct < values.len())
            .then(|| format!("column {name} has only {n_distinct} different values in {} points: {remedy}", values.len()))
    }
}

impl Dialect {
    fn describe(&self, is_single: bool) -> String {
        let delimiter = (!is_single).then(|| format!("delimiter {}", self.delimiter));
        let decimal = (self.decimal == Decimal::Comma).then(|| "decimal comma".to_string());
        let names = if self.header { "names in the first line" } else { "no line of names" };
        delimiter.into_iter().chain(decimal).chain([names.into()]).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let d = self.columns.len();
        let shown = |name: &String| plain(name);
        let names: Vec<String> = if d <= LISTED {
            self.columns.iter().map(shown).collect()
        } else {
            let first = self.columns[..LISTED - 2].iter().map(shown);
            first.chain([format!("… {} (in all {d})", shown(&self.columns[d - 1]))]).collect()
        };
        let noun = if d == 1 { "column" } else { "columns" };
        write!(f, "{}, {noun} {}", count(self.points as u64, "point"), names.join(", "))?;
        if let Some(dialect) = &self.dialect {
            write!(f, " ({})", dialect.describe(d + self.ignored.len() == 1))?;
        }
        if !self.ignored.is_empty() {
            write!(f, ", {} not read", count(self.ignored.len() as u64, "other column"))?;
        }
        let n: u64 = self.left_out.iter().map(|left_out| left_out.rows).sum();
        if n > 0 {
            let verb = if n == 1 { "row" } else { "rows" };
            let reasons: Vec<String> = self.left_out.iter().map(LeftOut::to_string).collect();
            let more = reasons.len().saturating_sub(LISTED);
            write!(f, ", {n} {verb} left out: {}", reasons[..reasons.len() - more].join(", "))?;
            if more > 0 {
                write!(f, " and {more} more reasons")?;
            }
        }
        if self.blank_lines > 0 {
            write!(f, ", {} skipped", count(self.blank_lines, "blank line"))?;
        }
        Ok(())
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.reason {
            Reason::Missing => "missing",
            Reason::Infinite => "infinite",
        };
        write!(f, "{} with {reason} values in {}", self.rows, plain(&self.column))
    }
}
