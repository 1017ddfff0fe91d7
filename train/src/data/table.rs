//! Tables of points as an experiment, or a model, takes them.

use crate::config::{DataConfig, Source, Validation};
use crate::data::kind::PointKind;
use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use datasets::points::{Decimal, Delimiter, Division, Missing, Points, Standardization, TableOptions};
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use std::path::{Path, PathBuf};

/// How far numbers may lie apart that are the same but for writing and reading, in units of the last place.
const ULPS: f64 = 8.0;

/// The tables of an experiment.
pub struct Tables {
    /// Points to train on.
    pub train: Points,
    /// Points to choose checkpoints by.
    pub validation: Option<Points>,
    /// Points to test on.
    pub test: Points,
    /// What a model of them knows.
    pub kind: PointKind,
    /// What was read, a line each.
    pub notes: Vec<String>,
}

impl Tables {
    /// Reads the file that the settings name, and those for validation and testing, or divides it. A model that is known
    /// keeps its standardisation; the table must be the one that it comes from.
    ///
    /// # Errors
    /// If a file cannot be read, a split is empty, the columns do not fit, or the table is another one.
    pub fn read(file: &Path, data: &DataConfig, source: &Source, known: Option<&PointKind>) -> Result<Self> {
        let place = || source.place("data.file");
        let table = Points::read_with(file, &data.table_options()).with_context(place)?;
        let mut notes = read_lines(&table, Some(data));
        let all = match known {
            Some(known) => fitting(table, known, &mut notes).with_context(place)?,
            None => table,
        };
        let columns = all.has_names().then(|| all.names().to_vec());
        let of_training =
            PointKind { columns: columns.clone(), ..PointKind::unnamed(Standardization::identity(all.dimensions())) };
        let mut own_points = |key: &str, file: &Option<PathBuf>| -> Result<Option<Points>> {
            let Some(file) = file else { return Ok(None) };
            let mut read = || {
                let table = read_like(file, &data.dialect(), &of_training, data)?;
                notes.extend(read_lines(&table, None));
                fitting(table, &of_training, &mut notes)
            };
            read().with_context(|| source.place(key)).map(Some)
        };
        let own_test = own_points("data.test_file", &data.test_file)?;
        let own_validation = own_points("data.validation_file", &data.validation_file)?;
        let test_fraction = own_test.is_none().then(|| data.test_fraction());
        let held_out = if let Validation::HeldOut(held_out) = data.validation() { Some(held_out) } else { None };
        let division = all.divide(test_fraction, held_out.as_ref(), data.split_seed()).with_context(place)?;
        let Division { train, validation, test } = division;
        let test = own_test.or(test).context("no points are for testing")?;
        let validation = own_validation.or(validation);
        let own = Standardization::of(&train).with_context(place)?;
        let kind = match known {
            Some(known) => {
                ensure_same(&own, &known.standardization).with_context(|| file.display().to_string())?;
                // A checkpoint of an earlier version has no names.
                PointKind { columns: known.columns.clone().or(columns), ..known.clone() }
            }
            None => {
                let noise = if data.dequantize { train_noise(&train) } else { vec![0.0; train.dimensions()] };
                ensure!(
                    !data.dequantize || noise.iter().any(|width| *width > 0.0),
                    "{}: `data.dequantize` is true, but no column of {} holds only whole numbers; leave it out",
                    source.place("data.dequantize"),
                    file.display()
                );
                PointKind { standardization: own, columns, noise }
            }
        };
        notes.extend(kind.noise_note(train.names()));
        let of_validation = validation.as_ref().map_or_else(String::new, |points| format!("{} for validation, ", points.len()));
        notes.push(format!("{} points for training, {of_validation}{} for testing", train.len(), test.len()));
        Ok(Self { train, validation, test, kind, notes })
    }
}

/// The points of a file for a model, its columns in the model's order: by name where both have names, else by place. Also what
/// was read, a line each.
///
/// # Errors
/// If the file cannot be read, or a column is missing or too many.
pub fn read_for(model: &PointKind, data: &DataConfig, file: &Path, options: &TableOptions) -> Result<(Points, Vec<String>)> {
    let read = || {
        let table = read_like(file, options, model, data)?;
        let mut notes = read_lines(&table, None);
        let points = fitting(table, model, &mut notes)?;
        Ok((points, notes))
    };
    read().map_err(|error: anyhow::Error| anyhow!(of_command(&format!("{error:#}"))))
}

/// What was read of a file, a line each; of columns that no density describes well only where a model is to learn them.
fn read_lines(table: &Points, data: Option<&DataConfig>) -> Vec<String> {
    let (path, summary) = (table.path().display().to_string(), table.summary());
    let warnings = summary.warnings.iter().filter(|_| data.is_some());
    // What is advised has been done.
    let warnings = warnings.filter(|warning| !(data.is_some_and(|data| data.dequantize) && warning.contains("data.dequantize")));
    let warnings = warnings.map(|warning| format!("warning: {path}: {warning}"));
    [format!("{path}: {summary}")].into_iter().chain(warnings).collect()
}

/// Reads a table for a model, but for the columns that its training left out.
fn read_like(file: &Path, options: &TableOptions, model: &PointKind, data: &DataConfig) -> Result<Points> {
    let columns = data.columns.as_ref().and(model.columns.clone());
    let exclude = data.left_out().iter().chain(&options.exclude).cloned().collect();
    let chosen = TableOptions { columns, exclude, ..options.clone() };
    if options.header.is_none()
        && let Some(table) = under_the_names_of(model, file, [&chosen, options])
    {
        return Ok(table);
    }
    if chosen != *options
        && let Ok(table) = Points::read_with(file, &chosen)
    {
        return Ok(table);
    }
    // They need not be there.
    Ok(Points::read_with(file, options)?)
}

/// A table whose first line has the names of the model's columns, although they are numbers: points of a file that begins so
/// could not be told from them.
fn under_the_names_of(model: &PointKind, file: &Path, options: [&TableOptions; 2]) -> Option<Points> {
    let names = model.columns.as_ref().filter(|names| names.iter().all(|name| name.parse::<f64>().is_ok()))?;
    let named = |options: &TableOptions| Points::read_with(file, &TableOptions { header: Some(true), ..options.clone() }).ok();
    options.into_iter().filter_map(named).find(|table| table.has_names() && names.iter().all(|name| table.names().contains(name)))
}

/// How the table is read that a model is applied to. The file of its training is read as then, but for missing values, which are an
/// error unless something else is said here: rows of results are those of the file.
#[derive(Args, Clone, Debug, Default)]
pub struct TableChoice {
    /// What becomes of a table's rows with missing values: error or drop [default: error]
    #[arg(long, value_name = "WHAT", value_parser = named::<Missing>)]
    missing: Option<Missing>,
    /// Between the columns of a table: "," ";" tab or blanks [default: found]
    #[arg(long, value_name = "NAME", value_parser = named::<Delimiter>)]
    delimiter: Option<Delimiter>,
    /// The decimal mark of a table, "." or "," [default: found]
    #[arg(long, value_name = "MARK", value_parser = named::<Decimal>)]
    decimal: Option<Decimal>,
    /// The character that comment lines of a table begin with [default: there are none]
    #[arg(long, value_name = "CHARACTER")]
    comment: Option<char>,
    /// Whether the first line of a table has the names of its columns [default: found]
    #[arg(long, value_name = "true|false")]
    header: Option<bool>,
    /// A column of a table to leave out, by its name; may be repeated
    #[arg(long, value_name = "COLUMN")]
    exclude: Vec<String>,
}

impl TableChoice {
    /// Refuses options for tables where there is none; `instead` says what there is.
    ///
    /// # Errors
    /// Names the first that was given.
    pub fn ensure_unused(&self, instead: &str) -> Result<()> {
        let Self { missing, delimiter, decimal, comment, header, exclude } = self;
        let options = [
            ("--missing", missing.is_some()),
            ("--delimiter", delimiter.is_some()),
            ("--decimal", decimal.is_some()),
            ("--comment", comment.is_some()),
            ("--header", header.is_some()),
            ("--exclude", !exclude.is_empty()),
        ];
        match options.into_iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => bail!("{option} says how a table is read, but {instead}; leave it out"),
            None => Ok(()),
        }
    }

    /// The options for a table that training knows nothing of.
    pub fn of_any(&self) -> TableOptions {
        let &Self { missing, delimiter, decimal, comment, header, ref exclude } = self;
        let (missing, exclude) = (missing.unwrap_or_default(), exclude.clone());
        TableOptions { missing, delimiter, decimal, comment, header, exclude, columns: None }
    }

    /// The options for a file, given the settings of the training data.
    pub fn options(&self, data: &DataConfig, file: &Path) -> TableOptions {
        let is_same = |other: &Option<PathBuf>| {
            let full = |path: &Path| std::fs::canonicalize(path).ok();
            other.as_deref().and_then(full).is_some_and(|other| Some(other) == full(file))
        };
        let base = if [&data.file, &data.test_file, &data.validation_file].into_iter().any(is_same) {
            data.dialect()
        } else {
            TableOptions::default()
        };
        let own = self.of_any();
        TableOptions {
            delimiter: own.delimiter.or(base.delimiter),
            decimal: own.decimal.or(base.decimal),
            comment: own.comment.or(base.comment),
            header: own.header.or(base.header),
            ..own
        }
    }
}

/// Advice in terms of settings, as commands have it: `data.exclude = ["a"]` is `--exclude "a"` there.
fn of_command(message: &str) -> String {
    let mut text = String::new();
    let mut rest = message;
    while let Some((before, after)) = rest.split_once("data.") {
        text += before;
        rest = after;
        match Advice::at(after) {
            Some(advice) => {
                text += &advice.option;
                rest = &after[advice.length..];
            }
            None => text += "data.",
        }
    }
    text + rest
}

/// A setting that is advised, behind its `data.`.
struct Advice {
    option: String,
    length: usize,
}

impl Advice {
    fn at(text: &str) -> Option<Self> {
        const KEYS: [&str; 6] = ["missing", "delimiter", "decimal", "comment", "header", "exclude"];
        let key = KEYS.into_iter().find(|key| text.starts_with(key))?;
        let Some(value) = text[key.len()..].strip_prefix(" = ") else {
            return Some(Self { option: format!("--{key}"), length: key.len() });
        };
        let mut values = serde_json::Deserializer::from_str(value).into_iter::<serde_json::Value>();
        let options = match values.next()?.ok()? {
            serde_json::Value::Array(names) => names.iter().map(|name| format!("--{key} {name}")).collect::<Vec<_>>().join(" "),
            serde_json::Value::String(word) if word.chars().all(char::is_alphabetic) => format!("--{key} {word}"),
            value => format!("--{key} {value}"),
        };
        Some(Self { option: options, length: key.len() + " = ".len() + values.byte_offset() })
    }
}

/// For clap: a value as it is written in configurations.
fn named<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text: StrDeserializer<ValueError> = text.into_deserializer();
    T::deserialize(text).map_err(|error| error.to_string())
}

/// The columns that a model is a density of, in its order.
fn fitting(table: Points, model: &PointKind, notes: &mut Vec<String>) -> Result<Points> {
    let path = table.path().display().to_string();
    let Some(names) = &model.columns else {
        let (found, expected) = (table.dimensions(), model.standardization.dimensions());
        ensure!(
            found == expected,
            "{path} has {found} columns, but the model is a density of {expected} dimensions; leave out the others"
        );
        if table.has_names() {
            notes.push(format!("the model knows no names of columns; those of {path} are taken by place"));
        }
        return Ok(table);
    };
    if !table.has_names() {
        notes.push(format!("{path} has no names of columns; they are taken by place"));
    } else if table.names() != names {
        notes.push(format!("{path}: columns are taken by name, in the model's order"));
    }
    Ok(table.select(names)?)
}

/// Refuses a table whose statistics are others than those that a model was trained with.
fn ensure_same(found: &Standardization, stored: &Standardization) -> Result<()> {
    let pairs = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (*a, *b)).collect::<Vec<_>>();
    let [means, stds] = [pairs(&found.mean, &stored.mean), pairs(&found.std, &stored.std)];
    for (column, ((mean, stored_mean), (std, stored_std))) in means.into_iter().zip(stds).enumerate() {
        ensure!(
            is_same(mean, stored_mean) && is_same(std, stored_std),
            "in training, column {} had the mean {stored_mean} and the standard deviation {stored_std}, here {mean} and {std}; \
             use the same data set",
            column + 1
        );
    }
    Ok(())
}

fn is_same(a: f64, b: f64) -> bool {
    (a - b).abs() <= ULPS * f64::EPSILON * a.abs().max(b.abs())
}

/// The step of each column of whole numbers, the width of the noise that dequantises it; 0 for others.
fn train_noise(points: &Points) -> Vec<f64> {
    (0..points.dimensions()).map(|column| step(points.column(column)).unwrap_or(0.0)).collect()
}

/// The greatest common divisor of all differences, of whole numbers that doubles tell apart.
fn step(values: impl Iterator<Item = f64>) -> Option<f64> {
    const MOST: f64 = (1u64 << 53) as f64;
    let (mut first, mut divisor) = (None, 0u64);
    for value in values {
        if value.fract() != 0.0 || value.abs() > MOST {
            return None;
        }
        let difference = (value as i64 - *first.get_or_insert(value as i64)).unsigned_abs();
        divisor = greatest_common_divisor(divisor, difference);
    }
    (divisor > 0).then_some(divisor as f64)
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl PointKind {
    /// Refuses points that are infinite in the model's coordinates, which are single precision.
    ///
    /// # Errors
    /// Names the first ones.
    pub fn ensure_reachable(&self, points: &Points) -> Result<()> {
        let standardized = self.standardization.apply(points.values());
        let rows = standardized.chunks_exact(points.dimensions());
        let beyond: Vec<usize> =
            (0..).zip(rows).filter(|(_, row)| !row.iter().all(|x| x.is_finite())).map(|(row, _)| row).collect();
        if beyond.is_empty() {
            return Ok(());
        }
        let shown: Vec<String> = beyond.iter().take(5).map(usize::to_string).collect();
        let more = if beyond.len() > shown.len() { ", …" } else { "" };
        bail!(
            "{}: {} of {} points are so far from the others that single precision does not reach them: rows {}{more} (counted from \
             0); remove or correct them",
            points.path().display(),
            beyond.len(),
            points.len(),
            shown.join(", ")
        )
    }

    /// That columns which training dequantises are taken as they are.
    pub fn undisturbed_note(&self) -> Option<String> {
        let names = self.columns.as_deref().unwrap_or_default();
        let columns: Vec<String> = self
            .noise
            .iter()
            .enumerate()
            .filter(|(_, width)| **width > 0.0)
            .map(|(column, _)| {
                names.get(column).map_or_else(|| format!("column {}", column + 1), |name| format!("`{}`", name.escape_debug()))
            })
            .collect();
        let text = "training added noise to columns of whole numbers";
        (!columns.is_empty()).then(|| format!("{text} ({}); here they are taken without", columns.join(", ")))
    }

    /// Which columns are dequantised, if any are.
    fn noise_note(&self, names: &[String]) -> Option<String> {
        let columns = names.iter().zip(&self.noise).filter(|(_, width)| **width > 0.0);
        let columns: Vec<String> = columns.map(|(name, width)| format!("`{}` ({width} wide)", name.escape_debug())).collect();
        let text = "dequantised by uniform noise, so that densities are per unit of the column:";
        (!columns.is_empty()).then(|| format!("{text} {}", columns.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(names: &[&str]) -> Points {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        Points::new(names.len(), (0..2 * names.len()).map(|i| i as f64).collect()).named(names)
    }

    fn model(names: &[&str]) -> PointKind {
        let columns = names.iter().map(|name| name.to_string()).collect();
        PointKind { columns: Some(columns), ..PointKind::unnamed(Standardization::identity(names.len())) }
    }

    #[test]
    fn columns_are_matched_by_name() {
        let mut notes = Vec::new();
        let found = fitting(table(&["c", "a", "b"]), &model(&["a", "b", "c"]), &mut notes).expect("all there");
        assert_eq!(
            (found.names(), found.values()),
            (&["a", "b", "c"].map(String::from)[..], &[1.0, 2.0, 0.0, 4.0, 5.0, 3.0][..])
        );
        let message = fitting(table(&["a", "d", "c"]), &model(&["a", "b", "c"]), &mut notes).unwrap_err().to_string();
        assert!(message.contains("missing: `b`") && message.contains("not expected: `d`"), "{message}");
        // By place, where there are no names on one side.
        let unnamed = PointKind::unnamed(Standardization::identity(2));
        assert_eq!(fitting(table(&["b", "a"]), &unnamed, &mut notes).expect("two").values(), [0.0, 1.0, 2.0, 3.0]);
        assert!(notes.last().is_some_and(|note| note.contains("by place")), "{notes:?}");
        assert!(fitting(table(&["b"]), &unnamed, &mut notes).is_err());
    }

    #[test]
    fn a_lost_last_bit_is_forgiven_and_no_more() {
        let stored = Standardization { mean: vec![1.7e9, -0.1], std: vec![100.3, 1e-9] };
        let mut found = stored.clone();
        found.mean[0] = f64::from_bits(found.mean[0].to_bits() + 2);
        found.std[1] = f64::from_bits(found.std[1].to_bits() - 1);
        assert!(ensure_same(&found, &stored).is_ok());
        found.mean[1] *= 1.0 + 1e-13;
        let message = ensure_same(&found, &stored).unwrap_err().to_string();
        assert!(message.contains("column 2") && message.contains("use the same data set"), "{message}");
    }

    #[test]
    fn advice_is_what_the_command_accepts() {
        for (setting, option) in [
            ("data.missing = \"drop\"", "--missing drop"),
            (
                "say data.header = true (names) or data.header = false (a point)",
                "say --header true (names) or --header false (a point)",
            ),
            ("(data.exclude = [\"a b\"])", "(--exclude \"a b\")"),
            ("data.exclude = [\"\"], or", "--exclude \"\", or"),
            ("data.exclude = [\"a\", \"b\"]", "--exclude \"a\" --exclude \"b\""),
            ("data.decimal = \",\"", "--decimal \",\""),
            ("(data.exclude, or", "(--exclude, or"),
            ("data.csv, data.exclude = [", "data.csv, data.exclude = ["),
        ] {
            assert_eq!(of_command(setting), option);
        }
    }

    #[test]
    fn the_step_of_whole_numbers_is_their_common_divisor() {
        for (values, want) in [
            (&[0.0, 5.0, -10.0, 25.0][..], Some(5.0)),
            (&[3.0, 1.0, 2.0], Some(1.0)),
            (&[1.7e9, 1.7e9 + 60.0, 1.7e9 + 180.0], Some(60.0)),
            (&[0.5, 1.0], None),
            (&[7.0, 7.0], None),
            (&[1e300, 2.0], None),
            (&[-9e15, 9e15], Some(1.8e16)),
        ] {
            assert_eq!(step(values.iter().copied()), want, "{values:?}");
        }
    }
}
