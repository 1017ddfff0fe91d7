//! A table while it is read: values row by row, and a count of those that are no finite numbers.

use super::columns::Chosen;
use super::error;
use super::excerpt::{count, excerpt, excerpt_bytes, list};
use super::options::Missing;
use super::summary::{LeftOut, Reason};
use crate::error::DatasetError;
use std::path::Path;

/// Places that are kept of the values of one kind in one column.
const KEPT: usize = 3;

/// Columns that a message tells of.
const TOLD: usize = 4;

/// One value of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    /// A finite number.
    Number {
        /// The nearest number of 64 bits.
        value: f64,
        /// Whether a whole number lost digits.
        rounded: bool,
    },
    /// Nothing, or something that stands for it.
    Missing(&'a [u8]),
    /// Infinity as text.
    Infinite(&'a [u8]),
    /// Anything else.
    Text(&'a [u8]),
}

impl Cell<'_> {
    /// A number that may be none.
    pub(super) fn of(value: f64) -> Self {
        match value {
            value if value.is_nan() => Self::Missing(b"NaN"),
            f64::INFINITY => Self::Infinite(b"inf"),
            f64::NEG_INFINITY => Self::Infinite(b"-inf"),
            value => Self::Number { value, rounded: false },
        }
    }

    /// A whole number.
    pub(super) fn whole(value: i128) -> Self {
        Self::Number { value: value as f64, rounded: value as f64 as i128 != value }
    }
}

/// How rows are found again for a message.
pub(super) trait Places {
    /// The place of the row at `at`, such as "line 3".
    ///
    /// # Errors
    /// If the file cannot be read again.
    fn row(&self, at: u64) -> Result<String, DatasetError>;

    /// The fault of a text that is no number, with advice.
    fn explain(&self, text: &str) -> &'static str;
}

/// A table that has been read.
pub(super) struct Finished {
    /// Row by row.
    pub(super) values: Vec<f64>,
    /// Rows that are not among them, from 0 on.
    pub(super) dropped: Vec<u64>,
    /// Rows that were left out.
    pub(super) left_out: Vec<LeftOut>,
    /// Names of columns in which whole numbers lost digits.
    pub(super) rounded: Vec<String>,
    /// Columns that hold 0, 1, 2, … or 1, 2, 3, …, a step for each row.
    pub(super) counting: Vec<usize>,
}

/// A table that is being read.
pub(super) struct Table<'a> {
    path: &'a Path,
    chosen: &'a Chosen,
    missing: Missing,
    rows: u64,
    values: Vec<f64>,
    columns: Vec<Column>,
    /// Rows left out for the first of their flaws: missing and infinite values by column.
    left_out: Vec<[u64; 2]>,
    /// Their numbers, from 0 on, where rows may be left out.
    dropped: Vec<u64>,
}

/// The findings in a column.
#[derive(Clone, Default)]
struct Column {
    missing: Tally,
    infinite: Tally,
    text: Tally,
    rounded: bool,
    /// Rows since the first that continue its count.
    counted: u64,
    /// The value that the first row has.
    first: f64,
}

/// Values of a kind.
#[derive(Clone, Default)]
struct Tally {
    n: u64,
    /// The places of the first of them.
    places: Vec<u64>,
    /// The first of them.
    example: String,
}

impl Tally {
    fn add(&mut self, at: u64, text: &[u8]) {
        if self.n == 0 {
            self.example = String::from_utf8_lossy(&text[..text.len().min(256)]).into_owned();
        }
        if self.places.len() < KEPT {
            self.places.push(at);
        }
        self.n += 1;
    }
}

impl<'a> Table<'a> {
    pub(super) fn new(path: &'a Path, chosen: &'a Chosen, missing: Missing) -> Self {
        let d = chosen.names.len();
        Self {
            path,
            chosen,
            missing,
            rows: 0,
            values: Vec::new(),
            columns: vec![Column::default(); d],
            left_out: vec![[0; 2]; d],
            dropped: Vec::new(),
        }
    }

    /// Adds a row that is at `at`: the values of the chosen columns, in their order.
    pub(super) fn row<'c>(&mut self, at: u64, cells: impl Iterator<Item = Cell<'c>>) {
        let start = self.values.len();
        let mut flaw = None;
        for (c, (cell, column)) in cells.zip(&mut self.columns).enumerate() {
            match cell {
                Cell::Number { value, rounded } => {
                    column.count(self.rows, value);
                    column.rounded |= rounded;
                    self.values.push(value);
                }
                Cell::Missing(text) => {
                    column.missing.add(at, text);
                    flaw = flaw.or(Some((c, 0)));
                }
                Cell::Infinite(text) => {
                    column.infinite.add(at, text);
                    flaw = flaw.or(Some((c, 1)));
                }
                Cell::Text(text) => {
                    column.text.add(at, text);
                    flaw = flaw.or(Some((c, 0)));
                }
            }
        }
        if let Some((c, kind)) = flaw {
            self.values.truncate(start);
            self.left_out[c][kind] += 1;
            if self.missing == Missing::Drop {
                self.dropped.push(self.rows);
            }
        }
        self.rows += 1;
    }

    /// The table, if it is one of finite numbers, or may be made one.
    ///
    /// # Errors
    /// For text, for missing and infinite values unless their rows may be left out, and if no row is left.
    pub(super) fn finish(self, places: &impl Places) -> Result<Finished, DatasetError> {
        if let Some(c) = self.first(|column| &column.text) {
            return Err(self.text(c, places)?);
        }
        if self.rows == 0 {
            return Err(error(self.path, "the file", "there are no points in it".into()));
        }
        let n_flawed: u64 = self.left_out.iter().flatten().sum();
        if n_flawed > 0 && self.missing == Missing::Error {
            return Err(self.flawed(n_flawed, places)?);
        }
        if self.values.is_empty() {
            let (rows, columns) = (count(self.rows, "row"), self.flaws());
            let reason =
                format!("no point is left: each of {rows} has a missing or infinite value: {columns}; leave such columns out");
            return Err(error(self.path, "the file", reason + &self.exclude_hint()));
        }
        let names = &self.chosen.names;
        let left_out = self.left_out.iter().zip(names).flat_map(|(counts, name)| {
            let reasons = counts.iter().zip([Reason::Missing, Reason::Infinite]);
            reasons.filter(|(n, _)| **n > 0).map(|(n, reason)| LeftOut { rows: *n, column: name.clone(), reason })
        });
        let columns = self.columns.iter().zip(names);
        Ok(Finished {
            left_out: left_out.collect(),
            rounded: columns.filter(|(column, _)| column.rounded).map(|(_, name)| name.clone()).collect(),
            counting: (0..names.len()).filter(|&c| self.columns[c].counted == self.rows).collect(),
            values: self.values,
            dropped: self.dropped,
        })
    }

    /// The column with the first value of a kind.
    fn first(&self, kind: impl Fn(&Column) -> &Tally) -> Option<usize> {
        let place = |c: &usize| kind(&self.columns[*c]).places.first().map_or(u64::MAX, |&at| at);
        (0..self.columns.len()).min_by_key(place).filter(|c| place(c) < u64::MAX)
    }

    fn place(&self, at: u64, c: usize, places: &impl Places) -> Result<String, DatasetError> {
        Ok(format!("{}, column {}", places.row(at)?, self.chosen.positions[c] + 1))
    }

    fn text(&self, c: usize, places: &impl Places) -> Result<DatasetError, DatasetError> {
        let tally = &self.columns[c].text;
        let (name, shown) = (excerpt(&self.chosen.names[c]), excerpt_bytes(tally.example.as_bytes()));
        let place = self.place(tally.places[0], c, places)?;
        let explanation = places.explain(&tally.example);
        let mut reason = format!("{shown} is not a number{explanation}");
        if tally.n == self.rows && self.rows > 1 {
            reason += &format!("; the whole column {name} is text");
        } else if tally.n > 1 {
            reason += &format!("; column {name} has {} like it in {}", tally.n - 1, count(self.rows, "row"));
        }
        let others: Vec<&String> = (0..self.columns.len())
            .filter(|&other| other != c && self.columns[other].text.n > 0)
            .map(|other| &self.chosen.names[other])
            .collect();
        if !others.is_empty() {
            reason += &format!("; {} has text as well", list(others));
        }
        Ok(error(self.path, &place, format!("{reason}; correct the file or leave the column out{}", self.exclude_hint())))
    }

    fn flawed(&self, n_flawed: u64, places: &impl Places) -> Result<DatasetError, DatasetError> {
        let missing = self.first(|column| &column.missing).map(|c| (self.columns[c].missing.places[0], c, "missing"));
        let infinite = self.first(|column| &column.infinite).map(|c| (self.columns[c].infinite.places[0], c, "infinite"));
        let (at, c, kind) = missing.into_iter().chain(infinite).min().expect("a flaw");
        let tally = if kind == "missing" { &self.columns[c].missing } else { &self.columns[c].infinite };
        let shown = if tally.example.is_empty() { "it".into() } else { excerpt_bytes(tally.example.as_bytes()) };
        let more: Vec<u64> = tally.places[1..].to_vec();
        let more = more.into_iter().map(|at| places.row(at)).collect::<Result<Vec<_>, _>>()?;
        let more = if more.is_empty() { String::new() } else { format!(" (also {})", more.join(", ")) };
        let reason = format!(
            "{shown} is {kind}{more}; {n_flawed} of {} cannot be used: {}; correct the file, or leave such rows out with data.missing = \"drop\"",
            count(self.rows, "row"),
            self.flaws()
        );
        Ok(error(self.path, &self.place(at, c, places)?, reason))
    }

    /// Missing and infinite values by column.
    fn flaws(&self) -> String {
        let flaws: Vec<String> = self
            .columns
            .iter()
            .zip(&self.chosen.names)
            .flat_map(|(column, name)| {
                let tallies =
                    [(&column.missing, "missing"), (&column.infinite, "infinite")].into_iter().filter(|(tally, _)| tally.n > 0);
                tallies.map(move |(tally, kind)| format!("{} {kind} in {}", tally.n, excerpt(name)))
            })
            .collect();
        let more = flaws.len().saturating_sub(TOLD);
        let told = flaws[..flaws.len() - more].join(", ");
        if more == 0 { told } else { format!("{told} and {more} more columns") }
    }

    /// How to leave columns out.
    fn exclude_hint(&self) -> String {
        let is_flawed = |column: &&Column| column.text.n + column.missing.n + column.infinite.n > 0;
        let flawed: Vec<String> = self
            .columns
            .iter()
            .zip(&self.chosen.names)
            .filter(|(column, _)| {
                is_flawed(column) && (column.text.n > 0 || self.columns.iter().all(|column| column.text.n == 0))
            })
            .map(|(_, name)| format!("{name:?}"))
            .collect();
        match &flawed[..] {
            [name] if name.len() <= 60 => format!(" (data.exclude = [{name}])"),
            _ => " (data.exclude, or data.columns for those to read)".into(),
        }
    }
}

impl Column {
    /// Whether the values so far are 0, 1, 2, … or 1, 2, 3, ….
    fn count(&mut self, row: u64, value: f64) {
        if row == 0 {
            self.first = value;
        }
        if self.counted == row && (self.first == 0.0 || self.first == 1.0) && value == self.first + row as f64 {
            self.counted += 1;
        }
    }
}
