//! Random tables, written in every dialect by the csv crate and by hand: they are read exactly as they were written, or refused.

use super::{Files, checked, found, options};
use crate::random::config;
use csv::{QuoteStyle, Terminator, WriterBuilder};
use datasets::io::output::Existing;
use datasets::points::{Decimal, Delimiter, FileKind, Missing, Points, Standardization, TableOptions};
use proptest::prelude::*;
use proptest::sample::select;

/// A table as somebody writes it.
#[derive(Clone, Debug)]
struct Written {
    names: Option<Vec<String>>,
    rows: Vec<Vec<f64>>,
    delimiter: Delimiter,
    decimal: Decimal,
    format: Format,
    by_hand: bool,
    always_quoted: bool,
    end: &'static str,
    mark: bool,
    last_end: bool,
    blank_lines: bool,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Shortest,
    WithPoint,
    Scientific,
}

impl Written {
    fn number(&self, x: f64) -> String {
        let text = match self.format {
            Format::Shortest => format!("{x}"),
            Format::WithPoint => format!("{x:?}"),
            Format::Scientific => format!("{x:.17e}"),
        };
        if self.decimal == Decimal::Comma { text.replace('.', ",") } else { text }
    }

    fn lines(&self) -> Vec<Vec<String>> {
        let numbers = self.rows.iter().map(|row| row.iter().map(|&x| self.number(x)).collect());
        self.names.iter().cloned().chain(numbers).collect()
    }

    /// The bytes, of lines that may have other fields than numbers.
    fn bytes(&self, lines: &[Vec<String>]) -> Vec<u8> {
        let delimiter = match self.delimiter {
            Delimiter::Comma => b',',
            Delimiter::Semicolon => b';',
            Delimiter::Tab => b'\t',
            Delimiter::Blanks => b' ',
        };
        let mut text = if self.mark { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
        let is_plain = |field: &String| !field.is_empty() && !field.contains([',', ';', '\t', ' ', '"', '\n', '\r']);
        let hand_can = lines.iter().flatten().all(is_plain);
        if self.by_hand && hand_can {
            let between = if self.delimiter == Delimiter::Blanks { "   ".to_string() } else { char::from(delimiter).to_string() };
            for line in lines {
                text.extend((line.join(&between) + self.end).into_bytes());
                if self.blank_lines {
                    text.extend(self.end.bytes());
                }
            }
        } else {
            let terminator = match self.end {
                "\r\n" => Terminator::CRLF,
                end => Terminator::Any(end.as_bytes()[0]),
            };
            let style = if self.always_quoted { QuoteStyle::Always } else { QuoteStyle::Necessary };
            let mut writer =
                WriterBuilder::new().delimiter(delimiter).terminator(terminator).quote_style(style).from_writer(Vec::new());
            for line in lines {
                writer.write_record(line).expect("memory");
            }
            text.extend(writer.into_inner().expect("memory"));
        }
        if !self.last_end {
            text.truncate(text.len() - self.end.len());
        }
        text
    }

    /// Everything that can be said about it.
    fn stated(&self) -> TableOptions {
        options(|o| {
            (o.delimiter, o.decimal, o.header) = (Some(self.delimiter), Some(self.decimal), Some(self.names.is_some()));
            o.columns = Some(self.names.clone().unwrap_or_else(|| numbered(self.rows[0].len())));
        })
    }

    /// Whether nobody can tell the names from a point, other than names that count.
    fn has_numbers_as_names(&self) -> bool {
        let number = |name: &String| name.replace(',', ".").parse::<f64>().ok();
        let Some(values) = self.names.as_ref().and_then(|names| names.iter().map(number).collect::<Option<Vec<f64>>>()) else {
            return false;
        };
        let counts = |from: f64| values.iter().enumerate().all(|(n, value)| *value == from + n as f64);
        !counts(0.0) && (values.len() == 1 || !counts(1.0))
    }

    /// Whether its text is also that of another table.
    fn has_one_name_like_several(&self) -> bool {
        self.names.as_ref().is_some_and(|names| names.len() == 1 && names[0].contains([',', ';', '\t']))
    }

    fn assert_is(&self, points: &Points) -> Result<(), TestCaseError> {
        let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(points.len(), self.rows.len());
        prop_assert_eq!(bits(points.values()), bits(&self.rows.concat()));
        prop_assert_eq!(points.has_names(), self.names.is_some());
        prop_assert_eq!(points.names(), self.names.clone().unwrap_or_else(|| numbered(self.rows[0].len())));
        Ok(())
    }
}

fn write(points: &Points, path: &std::path::Path) -> Result<(), datasets::DatasetError> {
    points.write(path, FileKind::of(path)?, Existing::Replace)
}

fn numbered(d: usize) -> Vec<String> {
    (1..=d).map(|n| format!("x{n}")).collect()
}

fn numbers() -> BoxedStrategy<f64> {
    let finite = any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |x| x.is_finite());
    let special = select(&[0.0, -0.0, 1.0, 2.0, 1.5, 1.234, 12.345, 5e-324, f64::MAX, f64::MIN_POSITIVE, 1.7e9, -1.0][..]);
    prop_oneof![
        3 => finite,
        2 => -1000.0..1000.0f64,
        1 => (-9_999_999..9_999_999i32).prop_map(|n| f64::from(n) / 1000.0),
        1 => (0..5u8).prop_map(f64::from),
        1 => special,
    ]
    .boxed()
}

/// Names as no one should give them, without blanks around them.
fn odd_name() -> BoxedStrategy<String> {
    let known = select(
        &[
            "a",
            "b",
            "x1",
            "x2",
            "0",
            "1",
            "2",
            "2020",
            "1.5",
            "NA",
            "#id",
            "a b",
            "a,b",
            "a;b",
            "\"q\"",
            "größe",
            "Unnamed: 0",
            "inf",
            "-",
            "1,5",
        ][..],
    );
    prop_oneof![3 => known.prop_map(str::to_string), 1 => "[a-z]{1,4}", 1 => "\\PC{1,6}", 1 => "[ -~\n\t]{1,5}"]
        .prop_map(|name| String::from_utf8_lossy(name.as_bytes().trim_ascii()).into_owned())
        .prop_filter("a name", |name| !name.is_empty())
        .boxed()
}

fn names(d: usize, name: BoxedStrategy<String>) -> BoxedStrategy<Vec<String>> {
    let is_distinct = |names: &Vec<String>| (1..names.len()).all(|n| !names[..n].contains(&names[n]));
    prop::collection::vec(name, d).prop_filter("different names", is_distinct).boxed()
}

fn written(
    name: fn() -> BoxedStrategy<String>,
    number: fn() -> BoxedStrategy<f64>,
    rows: std::ops::Range<usize>,
) -> BoxedStrategy<Written> {
    let style = (
        select(&[Delimiter::Comma, Delimiter::Semicolon, Delimiter::Tab, Delimiter::Blanks][..]),
        select(&[Decimal::Point, Decimal::Comma][..]),
        select(&[Format::Shortest, Format::WithPoint, Format::Scientific][..]),
        select(&["\n", "\r\n", "\r"][..]),
        any::<[bool; 5]>(),
    );
    let table = (1..=8usize, rows).prop_flat_map(move |(d, n)| {
        (prop::option::of(names(d, name())), prop::collection::vec(prop::collection::vec(number(), d), n))
    });
    (table, style)
        .prop_map(|((names, rows), (delimiter, decimal, format, end, [by_hand, always_quoted, mark, last_end, blank_lines]))| {
            Written { names, rows, delimiter, decimal, format, by_hand, always_quoted, end, mark, last_end, blank_lines }
        })
        .prop_filter("a comma cannot be two things by hand", |w| {
            !(w.by_hand && w.delimiter == Delimiter::Comma && w.decimal == Decimal::Comma)
        })
        // Blanks and tabs separate, in quotation marks too where there are tabs.
        .prop_filter("a tab in a name is a delimiter", |w| {
            w.delimiter != Delimiter::Blanks || !w.names.iter().flatten().any(|name| name.contains('\t'))
        })
        .boxed()
}

fn ordinary_name() -> BoxedStrategy<String> {
    "[a-z]{2,8}(_[a-z]{1,3})?"
        .prop_filter("a word", |name| {
            !["na", "nan", "inf", "null", "none", "nil", "nat"].contains(&&name[..])
                && !name.starts_with("infinity")
                && name != "missing"
        })
        .boxed()
}

fn ordinary_number() -> BoxedStrategy<f64> {
    (-10.0..10.0f64).boxed()
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn what_is_written_is_read_or_refused(w in written(odd_name, numbers, 1..12)) {
        let files = Files::new();
        let bytes = w.bytes(&w.lines());
        match files.read(&bytes, &found()) {
            Ok(_) if w.has_numbers_as_names() || w.has_one_name_like_several() => {}
            Ok(points) => w.assert_is(&points)?,
            Err(error) => prop_assert!(!checked(error).is_empty()),
        }
        let stated = files.read(&bytes, &w.stated()).map_err(|error| TestCaseError::fail(error.to_string()))?;
        w.assert_is(&stated)?;
    }

    #[test]
    fn ordinary_tables_are_never_refused(w in written(ordinary_name, ordinary_number, 12..20)) {
        let refused_by_rule = w.names.is_none() && w.rows[0].len() == 1 && w.decimal == Decimal::Comma;
        match Files::new().read(w.bytes(&w.lines()), &found()) {
            Ok(points) => w.assert_is(&points)?,
            Err(error) => prop_assert!(refused_by_rule, "{}", error),
        }
    }

    #[test]
    fn rows_with_missing_values_are_refused_or_left_out(
        w in written(ordinary_name, ordinary_number, 12..20),
        flaws in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), select(&["", "NA", "#N/A", "nan", "null", "-", "?", "inf", "-Infinity"][..])), 1..5),
    ) {
        let files = Files::new();
        let mut lines = w.lines();
        let start = lines.len() - w.rows.len();
        let mut kept = vec![true; w.rows.len()];
        let d = w.rows[0].len();
        for (row, column, word) in flaws {
            let word = if word.is_empty() && w.delimiter == Delimiter::Blanks { "NA" } else { word };
            let row = row.index(kept.len());
            kept[row] = false;
            lines[start + row][column.index(d)] = word.to_string();
        }
        let w = Written { blank_lines: false, ..w };
        let bytes = w.bytes(&lines);
        let message = checked(files.read(&bytes, &w.stated()).expect_err("missing values"));
        prop_assert!(message.contains("data.missing"), "{}", message);
        let drop = TableOptions { missing: Missing::Drop, ..w.stated() };
        let points = files.read(&bytes, &drop).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let left: Vec<f64> = w.rows.iter().zip(&kept).filter(|(_, kept)| **kept).flat_map(|(row, _)| row.clone()).collect();
        prop_assert_eq!(points.values(), left);
        let n_left_out: u64 = points.summary().left_out.iter().map(|left_out| left_out.rows).sum();
        prop_assert_eq!(n_left_out, kept.iter().filter(|kept| !**kept).count() as u64);
    }

    #[test]
    fn standardisations_survive_json_to_the_last_bit(bits in prop::collection::vec(any::<[u64; 2]>(), 1..9)) {
        let finite = |bits: u64| Some(f64::from_bits(bits)).filter(|x| x.is_finite()).unwrap_or(0.1);
        let (mean, std) = bits.iter().map(|&[mean, std]| (finite(mean), finite(std).abs())).unzip();
        let written = Standardization { mean, std };
        let text = serde_json::to_string(&written).expect("JSON");
        let read: Standardization = serde_json::from_str(&text).expect("JSON");
        prop_assert!(read.mean.iter().chain(&read.std).zip(written.mean.iter().chain(&written.std)).all(|(a, b)| a.to_bits() == b.to_bits()), "{}", text);
    }

    #[test]
    fn hostile_texts_are_refused_shortly_or_read(
        text in prop_oneof![
            "[0-9,;.\t \"\n\r#eE+-]{0,80}".prop_map(String::into_bytes),
            "\\PC{0,40}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..60),
        ],
        damage in prop::option::of((written(odd_name, numbers, 1..6), any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let bytes = match damage {
            Some((w, at, byte)) => {
                let mut bytes = w.bytes(&w.lines());
                let at = at.index(bytes.len());
                bytes[at] = byte;
                bytes
            }
            None => text,
        };
        match Files::new().read(&bytes, &options(|o| o.missing = Missing::Drop)) {
            Ok(points) => {
                prop_assert!(!points.is_empty() && points.values().iter().all(|x| x.is_finite()));
                prop_assert!(!points.summary().to_string().contains(char::is_control));
            }
            Err(error) => prop_assert!(!checked(error).is_empty()),
        }
    }
}

proptest! {
    // Each file is synced.
    #![proptest_config(config(40))]

    #[test]
    fn our_own_files_are_read_back_to_the_last_bit(
        (names, rows) in (1..=8usize).prop_flat_map(|d| (names(d, odd_name()), prop::collection::vec(prop::collection::vec(numbers(), d), 1..12))),
    ) {
        let files = Files::new();
        let points = Points::new(names.len(), rows.concat()).named(names.clone());
        for (file, delimiter) in [("points.csv", Delimiter::Comma), ("points.tsv", Delimiter::Tab)] {
            let path = files.write(file, "");
            write(&points, &path).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let stated = options(|o| (o.delimiter, o.decimal, o.header, o.columns) = (Some(delimiter), Some(Decimal::Point), Some(true), Some(names.clone())));
            let back = Points::read_with(&path, &stated).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert!(back.values().iter().zip(points.values()).all(|(a, b)| a.to_bits() == b.to_bits()));
            prop_assert_eq!(back.names(), points.names());
        }
        let path = files.write("points.npy", "");
        write(&points, &path).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let stated = options(|o| o.columns = Some(numbered(names.len())));
        let back = Points::read_with(&path, &stated).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(back.values().iter().zip(points.values()).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}
