//! Tables of points as people have them: some are read, others are refused.

mod binary;
mod fuzz;

use datasets::DatasetError;
use datasets::points::{Decimal, Delimiter, Dialect, Missing, Points, Standardization, TableOptions};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Files in a directory of their own.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("the temporary directory can be written");
        path
    }

    fn read(&self, text: impl AsRef<[u8]>, options: &TableOptions) -> Result<Points, DatasetError> {
        Points::read_with(&self.write("points.csv", text), options)
    }

    /// Reads a text that must be a table.
    #[track_caller]
    fn table(&self, text: impl AsRef<[u8]>, options: &TableOptions) -> Points {
        let shown = String::from_utf8_lossy(text.as_ref()).chars().take(200).collect::<String>();
        self.read(text, options).unwrap_or_else(|error| panic!("{shown:?}: {error}"))
    }

    /// The message about a text that must be refused, which is short whatever the text.
    #[track_caller]
    fn refusal(&self, text: impl AsRef<[u8]>, options: &TableOptions) -> String {
        let shown = String::from_utf8_lossy(text.as_ref()).chars().take(200).collect::<String>();
        match self.read(text, options) {
            Ok(points) => panic!("{shown:?} was read: {} {:?}", points.summary(), points.values()),
            Err(error) => checked(error),
        }
    }
}

fn checked(error: DatasetError) -> String {
    let message = error.to_string();
    assert!(message.chars().count() < 700 && !message.contains(char::is_control), "{message:?}");
    message
}

fn options(edit: impl FnOnce(&mut TableOptions)) -> TableOptions {
    let mut options = TableOptions::default();
    edit(&mut options);
    options
}

fn found() -> TableOptions {
    TableOptions::default()
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

#[track_caller]
fn assert_mentions(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

const EXPECTED: [f64; 6] = [1.5, -2.0, 3e-4, 4.25, -0.5, 1e10];

#[test]
fn every_dialect_is_found() {
    let files = Files::new();
    for (name, text, delimiter, decimal) in [
        ("plain", "1.5,-2\n3e-4,4.25\n-0.5,1e10\n", Delimiter::Comma, Decimal::Point),
        ("blanks after commas", "1.5, -2\n3e-4, 4.25\n-0.5, 1e10\n", Delimiter::Comma, Decimal::Point),
        ("quoted", "\"1.5\",\"-2\"\n\"3e-4\",\"4.25\"\n\"-0.5\",\"1e10\"\n", Delimiter::Comma, Decimal::Point),
        ("quoted after blanks", "1.5, \"-2\"\n3e-4, \"4.25\"\n-0.5, \"1e10\"\n", Delimiter::Comma, Decimal::Point),
        ("quoted decimal commas", "\"1,5\",-2\n\"3e-4\",\"4,25\"\n\"-0,5\",1e10\n", Delimiter::Comma, Decimal::Comma),
        ("semicolons", "1.5;-2\n3e-4;4.25\n-0.5;1e10", Delimiter::Semicolon, Decimal::Point),
        ("German", "1,5;-2\n3e-4;4,25\n-0,5;1e10\n", Delimiter::Semicolon, Decimal::Comma),
        ("tabs", "1.5\t-2\n3e-4\t4.25\n-0.5\t1e10\n", Delimiter::Tab, Decimal::Point),
        ("German tabs", "1,5\t-2\n3e-4\t4,25\n-0,5\t1e10\n", Delimiter::Tab, Decimal::Comma),
        ("blanks", "  1.5  -2\n 3e-4   4.25\n-0.5 1e10  \n", Delimiter::Blanks, Decimal::Point),
        ("blanks and tabs", "1.5 \t -2\n3e-4 4.25\n-0.5\t1e10\n", Delimiter::Blanks, Decimal::Point),
        ("German blanks", "1,5 -2\n3e-4 4,25\n-0,5 1e10\n", Delimiter::Blanks, Decimal::Comma),
    ] {
        let names = match delimiter {
            Delimiter::Comma => "\"a\", b",
            Delimiter::Semicolon => "a;\"b\"",
            Delimiter::Tab => "a\tb",
            Delimiter::Blanks => "   a  b",
        };
        for header in [false, true] {
            let text = if header { format!("{names}\n{text}") } else { text.to_string() };
            for (end, ending) in [("\n", "line feeds"), ("\r\n", "Windows"), ("\r", "carriage returns")] {
                for mark in ["", "\u{feff}"] {
                    for blank_lines in [false, true] {
                        let text =
                            if blank_lines { format!("\n{}\n\n", text.replacen('\n', "\n\n  \n", 1)) } else { text.clone() };
                        let text = format!("{mark}{}", text.replace('\n', end));
                        let points = files.table(&text, &found());
                        assert_eq!((points.dimensions(), points.values()), (2, &EXPECTED[..]), "{name}, {ending}: {text:?}");
                        assert_eq!(points.has_names(), header, "{name}");
                        assert_eq!(points.names(), if header { ["a", "b"] } else { ["x1", "x2"] });
                        assert_eq!(points.summary().dialect, Some(Dialect { delimiter, decimal, header }), "{name}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_stated_is_taken() {
    let files = Files::new();
    let comma = options(|o| o.delimiter = Some(Delimiter::Comma));
    assert_eq!(files.table("1,5\n2,25\n", &comma).values(), [1.0, 5.0, 2.0, 25.0]);
    let decimal = options(|o| o.decimal = Some(Decimal::Comma));
    assert_eq!(files.table("1,5\n2,25\n", &decimal).values(), [1.5, 2.25]);
    assert_eq!(files.table("1;5\n2;25\n", &decimal).dimensions(), 2);
    let point = options(|o| o.decimal = Some(Decimal::Point));
    assert_eq!(files.table("1,5\n2,25\n", &point).dimensions(), 2);
    let quoted = options(|o| (o.delimiter, o.decimal) = (Some(Delimiter::Comma), Some(Decimal::Comma)));
    assert_eq!(files.table("\"1,234\",2\n\"5,678\",3\n", &quoted).values(), [1.234, 2.0, 5.678, 3.0]);
    let header = options(|o| o.header = Some(true));
    let points = files.table("0,1,2\n3,4,5.5\n", &header);
    assert_eq!((points.names(), points.values()), (&strings(&["0", "1", "2"])[..], &[3.0, 4.0, 5.5][..]));
    let none = options(|o| o.header = Some(false));
    assert_eq!(files.table("0,1,2\n3,4,5.5\n", &none).len(), 2);
    let comment = options(|o| o.comment = Some('#'));
    for text in [
        "# of 2026, by me\n1.5\t-2\n#\n\n3e-4\t4\n",
        "#a b\n1.5 -2\n3e-4 4\n# end",
        "# a;b\r\n# c\r\nu;v\r\n1.5;-2\r\n#,\r\n3e-4;4",
    ] {
        assert_eq!(files.table(text, &comment).values(), [1.5, -2.0, 3e-4, 4.0], "{text:?}");
    }
    // numpy.savetxt writes names with such a mark.
    for text in ["# a b\n1.5 2.5\n3.5 4.5\n", "# a,b\n1.5,2.5\n3.5,4.5\n", "#  a;b\n1.5;2.5\n3.5;4.5\n"] {
        assert_eq!(files.table(text, &found()).names(), ["a", "b"], "{text:?}");
        assert!(!files.table(text, &comment).has_names());
    }
    assert_mentions(&files.refusal("# 1.5,2.5\n3.5,4.5\n", &found()), &["line 1", "data.header"]);
    // Excel states the delimiter in a line of its own.
    assert_eq!(files.table("sep=;\r\na;b\r\n1,5;2\r\n2,5;3\r\n", &found()).values(), [1.5, 2.0, 2.5, 3.0]);
}

#[test]
fn a_line_that_begins_like_a_comment_is_data_unless_comments_are_asked_for() {
    let files = Files::new();
    let rows: String = (0..300).map(|n| if n % 3 == 0 { format!("#N/A,{n}.5\n") } else { format!("0.{n},{n}.25\n") }).collect();
    for (text, first) in [(format!("a,b\n{rows}"), "line 2"), (rows.clone(), "line 1")] {
        let message = files.refusal(&text, &found());
        assert_mentions(
            &message,
            &[first, "column 1: `#N/A` is missing", "100 of 300 rows", "100 missing in", "data.missing = \"drop\""],
        );
        let points = files.table(&text, &options(|o| o.missing = Missing::Drop));
        assert_eq!(points.len(), 200);
        assert!(points.summary().to_string().contains("100 rows left out: 100 with missing values in"), "{}", points.summary());
    }
    assert_mentions(
        &files.refusal("# by me\n1.5,2\n2.5,3\n", &found()),
        &["line 1: 1 name (first `by me`)", "2 values", "data.comment"],
    );
}

#[test]
fn missing_and_infinite_values_are_counted_and_left_out_if_wanted() {
    let files = Files::new();
    let drop = options(|o| o.missing = Missing::Drop);
    for word in ["", "NA", "N/A", "#N/A", "#DIV/0!", "NaN", "nan", "null", "None", "-", "?", "<NA>", "\"\"", "\"NA\"", " "] {
        let text = format!("a;b\n1.5;2.5\n{word};3.5\n4.5;{word}\n{word};\n5.5;6.5\n");
        let message = files.refusal(&text, &found());
        assert_mentions(&message, &["line 3, column 1: ", " is missing", "3 of 5 rows", "2 missing in `a`, 2 missing in `b`"]);
        let points = files.table(&text, &drop);
        assert_eq!(points.values(), [1.5, 2.5, 5.5, 6.5], "{word}");
        let line = "2 points, columns a, b (delimiter `;`, names in the first line), 3 rows left out: 2 with missing values in a, 1 with missing values in b";
        assert_eq!(points.summary().to_string(), line);
    }
    for word in ["inf", "-inf", "Infinity", "+INF"] {
        let text = format!("1.5,2.5\n2.5,{word}\n");
        assert_mentions(&files.refusal(&text, &found()), &["line 2, column 2: ", "is infinite", "1 infinite in `x2`"]);
        assert_eq!(files.table(&text, &drop).len(), 1);
    }
    let message = files.refusal("a,b\n1.5,\n2.5,\n", &drop);
    assert_mentions(&message, &["no point is left", "2 rows", "2 missing in `b`", "data.exclude = [\"b\"]"]);
    // The last lines of a spreadsheet, and a delimiter at every line's end.
    assert_mentions(&files.refusal("a,b\n1.5,2.5\n,\n,\n", &found()), &["line 3, column 1: it is missing (also line 4)"]);
    assert_mentions(&files.refusal("a,b,\n1.5,2.5,\n", &found()), &["column 3 of 3 has no name", "delimiter at the end"]);
    assert_mentions(&files.refusal("1.5,2.5,\n3.5,2.5,\n", &found()), &["2 missing in `x3`"]);
}

#[test]
fn one_column_of_decimal_commas_is_never_two_of_whole_numbers() {
    let files = Files::new();
    let numbers = ["0,1257", "0,6404", "-0,5357", "1,3040", "2", "7,0"];
    let lines = |n: usize| numbers[..n].join("\n") + "\n";
    for n in 1..=numbers.len() {
        assert_mentions(&files.refusal(lines(n), &found()), &["line 1", "data.delimiter = \",\"", "data.decimal = \",\""]);
        let expected: Vec<f64> = numbers[..n].iter().map(|text| text.replace(',', ".").parse().expect("a number")).collect();
        let points = files.table(format!("value\n{}", lines(n)), &found());
        assert_eq!((points.values(), points.names()), (&expected[..], &strings(&["value"])[..]));
        assert_eq!(points.summary().dialect.map(|dialect| dialect.decimal), Some(Decimal::Comma));
    }
    assert_mentions(&files.refusal("1,257e-01\n6,404e-01\n", &found()), &["data.decimal"]);
    assert_mentions(&files.refusal("0,5\n1.234,5\n", &found()), &["data.decimal"]);
    assert_mentions(&files.refusal("0,5\nNA\n1,5\n", &found()), &["data.decimal"]);
    // Two names are two columns, one name before numbers that count is R's.
    assert_eq!(files.table("a,b\n3,5\n7,12\n", &found()).values(), [3.0, 5.0, 7.0, 12.0]);
    assert_mentions(&files.refusal("a\n1,5\n2,7\n3,12\n", &found()), &["data.decimal"]);
    // The same with more columns.
    assert_mentions(&files.refusal("0,5,1,25\n-0,25,2,5\n", &found()), &["decimal commas", "another delimiter"]);
    assert_mentions(&files.refusal("a,b\n3,5,1,25\n7,25,2,5\n", &found()), &["decimal commas", "another delimiter"]);
    assert_eq!(files.table("3,5,11,25\n0,25,2,5\n", &found()).dimensions(), 4);
}

#[test]
fn separators_of_thousands_are_refused() {
    let files = Files::new();
    for text in [
        "\"1,234\",2.5\n\"2,345\",3.5\n",
        "\"1,234\",2\n\"2,345\",3\n",
        "1,234\t5,678\n2,345\t6,789\n",
        "1,234 5,678\n2,345 6,789\n",
        "\"1,234.5\",2\n\"2,345.5\",3\n",
        "1.234,5;2\n2.345,5;3\n",
        "1 234,5;2,5\n2 345,5;3,5\n",
        "1'234.5,2\n1'235.5,2\n",
        "1\u{a0}234;2,5\n1\u{a0}235;2,5\n",
        "1_234,2.5\n",
        "v\n\"1,234\"\n\"2,345\"\n",
    ] {
        assert_mentions(&files.refusal(text, &found()), &["thousands"]);
    }
    for text in [
        "a;b\n13.573,02;14.210,50\n15.321,04;7,25\n",
        "1.234;2.5\n13.573;7.25\n1.001;8.5\n17;9.5\n",
        "a,b\n1.234,2.5\n13.573,7.25\n1.001,8.5\n17,9.5\n",
    ] {
        assert_mentions(&files.refusal(text, &found()), &["thousands"]);
    }
    assert_eq!(files.table("1.234;2.5\n13.573;7.25\n1.001;8.5\n17.000;9.5\n", &found()).values()[0], 1.234);
    assert_eq!(files.table("1,234;5,678\n2,345;6,789\n", &found()).values(), [1.234, 5.678, 2.345, 6.789]);
    assert_eq!(files.table("0,234\t5,678\n2,345\t6,789\n", &found()).values()[0], 0.234);
}

#[test]
fn a_first_line_of_numbers_is_neither_lost_nor_invented() {
    let files = Files::new();
    let random =
        "0.1257302210933933,-0.0013210486329130189,0.0006404226504432821\n0.10490011715303971,-0.005356693731611109,0.9\n";
    for names in ["0,1,2", "1,2,3", "0.0,1.0,2.0", "2019,2020,2021", "400,410,420", "10,7,3"] {
        let message = files.refusal(format!("{names}\n{random}"), &found());
        assert_mentions(&message, &["line 1", &format!("`{names}`"), "data.header = true", "data.header = false"]);
    }
    let spectrum: String = (0..20).map(|n| format!("0.{n}1,0.{n}7,0.{n}2,0.{n}3\n")).collect();
    assert_mentions(&files.refusal(format!("400.5,401.0,401.5,402.0\n{spectrum}"), &found()), &["data.header"]);
    assert_mentions(&files.refusal("0\n0.5\n0.25\n", &found()), &["data.header"]);
    assert_mentions(&files.refusal("1,two\n3,4\n", &found()), &["line 1", "numbers and words", "data.header"]);
    // Names for sure: the writer keeps zeros.
    for (text, names) in [
        ("0,1,2\n0.50,1.25,3.00\n1.00,2.00,3.00\n", ["0", "1", "2"]),
        ("2019,2020,2021\n0.5,1.0,3.25\n1.5,2.5,3.5\n", ["2019", "2020", "2021"]),
    ] {
        let points = files.table(text, &found());
        assert_eq!((points.len(), points.names(), points.has_names()), (2, &strings(&names)[..], true));
    }
    // A point for sure.
    for text in
        ["5,7,9.5\n1,2,3\n", "7,7,3\n0.5,0.5,0.5\n", "1.5,2.5,4.5\n3.5,4.5,5.5\n", "-1,-2,-3\n0.5,0.25,0.125\n", "1,2,3\n"]
    {
        let points = files.table(text, &found());
        assert_eq!((points.len(), points.has_names()), (text.lines().count(), false), "{text}");
    }
    assert_eq!(files.table("5.1,3.5,setosa\n4.9,3.0,setosa\n", &options(|o| o.exclude = strings(&["x3"]))).len(), 2);
}

#[test]
fn the_index_of_pandas_and_r_is_refused_with_advice() {
    let files = Files::new();
    let rows = |from: usize| (0..40).map(|n| format!("{},0.{n}1,1.{n}3\n", n + from)).collect::<String>();
    for (header, from, advice) in [
        (",a,b\n", 0, "data.exclude = [\"\"]"),
        ("\"\",\"a\",\"b\"\n", 1, "row.names=FALSE"),
        ("Unnamed: 0,a,b\n", 0, "data.exclude = [\"Unnamed: 0\"]"),
        (",a,b\n", 17, "index=False"),
        (",0,1\n", 0, "index=False"),
        ("", 0, "data.exclude = [\"x1\"]"),
        ("", 1, "data.exclude = [\"x1\"]"),
    ] {
        let text = format!("{header}{}", rows(from));
        assert_mentions(&files.refusal(&text, &found()), &["column", advice]);
        let first = if header.is_empty() { "x1" } else { header.trim_end().split(',').next().expect("a name").trim_matches('"') };
        let points = files.table(&text, &options(|o| o.exclude = strings(&[first])));
        assert_eq!((points.dimensions(), points.len()), (2, 40), "{header}");
        let others = points.names().to_vec();
        assert_eq!(files.table(&text, &options(|o| o.columns = Some(others.clone()))).values(), points.values());
    }
    assert_mentions(
        &files.refusal("a,b\n\"1\",0.5,0.25\n\"2\",0.75,0.5\n", &found()),
        &["line 1: 2 names", "3 values", "row.names=FALSE"],
    );
    let shuffled: String = (0..40).map(|n| format!("{},0.{n}1,1.{n}3\n", n * 7 % 40)).collect();
    assert_mentions(&files.refusal(&shuffled, &found()), &["numbers the rows", "data.exclude = [\"x1\"]"]);
    for (rows, name) in [(rows(0), "id"), (shuffled, "n"), (rows(1000), "frame")] {
        let named = files.table(format!("{name},a,b\n{rows}"), &found());
        assert_mentions(&named.summary().warnings[0], &[name, "whole numbers, all different", "index"]);
        assert_eq!(named.summary().warnings.len(), 1);
    }
    assert_mentions(
        &files
            .table(format!("a,n\n{}", (0..40).map(|n| format!("0.{n}1,{n}\n")).collect::<String>()), &found())
            .summary()
            .warnings[0],
        &["`n` counts the rows"],
    );
}

#[test]
fn columns_are_chosen_and_left_out_by_name() {
    let files = Files::new();
    let text = "id;date;größe;b\nx;2024-01-01;1,5;2\ny;2024-01-02;2,5;3,25\n";
    let message = files.refusal(text, &found());
    assert_mentions(
        &message,
        &["line 2, column 1: `x` is not a number", "whole column `id` is text", "`date` has text as well", "data.exclude"],
    );
    let points = files.table(text, &options(|o| o.exclude = strings(&["date", "id"])));
    assert_eq!((points.names(), points.values()), (&strings(&["größe", "b"])[..], &[1.5, 2.0, 2.5, 3.25][..]));
    assert_eq!(points.summary().ignored, ["id", "date"]);
    let chosen = files.table(text, &options(|o| o.columns = Some(strings(&["b", "größe"]))));
    assert_eq!((chosen.names(), chosen.values()), (&strings(&["b", "größe"])[..], &[2.0, 1.5, 3.25, 2.5][..]));
    assert_mentions(&files.refusal(text, &options(|o| o.columns = Some(strings(&["c"])))), &["no column `c`", "`id`, `date`"]);
    assert_mentions(&files.refusal(text, &options(|o| o.exclude = strings(&["c"]))), &["no column `c`"]);
    assert_mentions(&files.refusal(text, &options(|o| o.columns = Some(strings(&["b", "b"])))), &["twice"]);
    assert_mentions(&files.refusal(text, &options(|o| o.columns = Some(Vec::new()))), &["no column of"]);
    assert_mentions(&files.refusal("a,b,a\n1.5,2.5,3.5\n", &found()), &["columns 1 and 3 are both called `a`"]);
    assert_eq!(files.table("a,b,a\n1.5,2.5,3.5\n", &options(|o| o.exclude = strings(&["a"]))).values(), [2.5]);
    assert_mentions(&files.refusal("a,,c\n1.5,2.5,3.5\n", &found()), &["column 2 of 3 has no name"]);
}

#[test]
fn columns_of_a_table_are_selected_by_name() -> Result<(), DatasetError> {
    let points = Points::new(3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let named = points.clone().named(strings(&["c", "a", "b"]));
    let sorted = named.select(&strings(&["a", "b", "c"]))?;
    assert_eq!((sorted.values(), sorted.names()), (&[2.0, 3.0, 1.0, 5.0, 6.0, 4.0][..], &strings(&["a", "b", "c"])[..]));
    let message = checked(named.select(&strings(&["a", "b", "d"])).expect_err("another name"));
    assert_mentions(&message, &["missing: `d`", "not expected: `c`", "expected the columns `a`, `b`, `d`"]);
    assert_mentions(&checked(named.select(&strings(&["a", "b"])).expect_err("one more")), &["not expected: `c`"]);
    // Without names, by place.
    let taken = points.select(&strings(&["a", "b", "c"]))?;
    assert_eq!((taken.values(), taken.names()), (points.values(), &strings(&["a", "b", "c"])[..]));
    assert_mentions(
        &checked(points.select(&strings(&["a", "b"])).expect_err("two of three")),
        &["3 columns without names, expected 2"],
    );
    Ok(())
}

#[test]
fn faults_are_named_with_line_and_column() {
    let files = Files::new();
    let long = format!("a,b\n{},1\n", "9x".repeat(1 << 20));
    for (text, parts) in [
        ("x,y\n1.5,2\n3.5,four\n", &["line 3, column 2: `four` is not a number", "data.exclude = [\"y\"]"][..]),
        ("1.5,2\n3\n", &["line 2", "1 value ", "expected 2"]),
        ("a,b\r\n1.5,2\r\n\r\n3,4,5\r\n", &["line 4: 3 values"]),
        ("a,b\r1.5,2\r\r3,4,5\r", &["line 4: 3 values"]),
        ("", &["there are no points"]),
        ("\n \n", &["there are no points"]),
        ("a,b\n", &["there are no points"]),
        ("\u{feff}", &["there are no points"]),
        ("a,b\n1e400,2\n", &["line 2, column 1: `1e400`", "too large"]),
        ("a,b\n0x1p3,2\n", &["`0x1p3`", "hexadecimal"]),
        ("a,b\n\u{1b}[31m1,2\n", &["`\\u{1b}[31m1`"]),
        ("a,b\n2024-01-01 10:00,2\n", &["dates and times"]),
        ("a,b\n5%,2\n", &["without units"]),
        ("a,b\n1.5,2.5\n1,5;2.5\n", &["line 3, column 2: `5;2.5`"]),
        ("a;b\n1.5;2.5\n2.5;3.5\n1,5;2.5\n", &["line 4, column 1: `1,5`", "this one has a comma"]),
        ("a;b\n1,5;2,5\n2,5;3,5\n1.5;2,5\n", &["line 4, column 1: `1.5`", "this one has a point"]),
        ("a,b\n1.5,\"2.5\n3.5,4.5\n", &["line 2", "quotation"]),
        ("a;b\n1.5\n2.5\n", &["line 1", "2 fields with the delimiter `;`"]),
        ("a|b\n1.5|2.5\n3.5|4.5\n", &["`|` the delimiter"]),
        ("1.234,5;2.345,5\n1.234,75;2.345,5\n", &["line 1", "thousands"]),
        (&long, &["line 2, column 1: `9x9x9x", "9x…x9x9x"]),
    ] {
        assert_mentions(&files.refusal(text, &found()), parts);
    }
    assert_mentions(&files.refusal(b"a,gr\xf6\xdfe\n1.5,2\n", &found()), &["line 1, column 2", "UTF-8", "Latin-1"]);
    assert_eq!(files.table("a\n5e-324\n-0\n1e-400\n", &found()).values(), [5e-324, 0.0, 0.0]);
    // A mark that is not closed swallows no line of a column that is not read.
    let text = "a,b\n1.5,\"x\n2.5,\"y\n3.5,z\n";
    assert_mentions(&files.refusal(text, &options(|o| o.exclude = strings(&["b"]))), &["line 2", "quotation"]);
}

#[test]
fn files_that_are_no_texts_are_called_what_they_are() {
    let files = Files::new();
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let zip = |name: &str| [&b"PK\x03\x04\x14\0\x06\0\x08\0"[..], &[0; 16], name.as_bytes()].concat();
    for (bytes, part) in [
        ([b"\xff\xfe".to_vec(), wide("a,b\n1,2\n")].concat(), "UTF-16"),
        (wide("a,b\n1,2\n"), "UTF-16"),
        (b"\x1f\x8b\x08\0rest".to_vec(), "gzip"),
        (zip("[Content_Types].xml"), "Excel"),
        (zip("points.csv"), "zip"),
        (zip("arr_0.npy"), ".npz"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0".to_vec(), "Excel"),
        (b"\x93NUMPY\x01\0".to_vec(), ".npy"),
        (b"PAR1\x15".to_vec(), ".parquet"),
        (b"\x89PNG\r\n\x1a\n".to_vec(), "picture"),
        (b"SQLite format 3\0".to_vec(), "SQLite"),
        (b"<!DOCTYPE html><html>".to_vec(), "web page"),
        (b"{\"a\": 1}".to_vec(), "JSON"),
        (b"1,2\n\0\0\0\0".to_vec(), "byte 4"),
    ] {
        assert_mentions(&files.refusal(&bytes, &found()), &[part]);
    }
    let mut late = "1.5,2.5\n".repeat(1 << 18).into_bytes();
    late.push(0);
    assert_mentions(&files.refusal(&late, &found()), &["byte 2097152 is zero"]);
    assert_mentions(&files.refusal(vec![b'1'; 20 << 20], &found()), &["bytes without the end of a line"]);
    let endless = ["a,b\n1.5,2.5\n".repeat(1 << 17), "1.5,\"".into(), "1.5,2.5\n".repeat(5 << 19)].concat();
    assert_mentions(&files.refusal(endless, &found()), &["16777216 bytes", "quotation"]);
    for (name, part) in
        [("points.dat", "expected an extension"), ("points.csv.gz", "unpack"), ("points.xlsx", "save the sheet as CSV")]
    {
        assert_mentions(&checked(Points::read(&files.write(name, "1.5,2\n")).expect_err("another extension")), &[part]);
    }
    assert_eq!(Points::read(&files.write("POINTS.CSV", "1.5,2\n")).expect("an extension in capitals").len(), 1);
}

#[cfg(unix)]
#[test]
fn devices_pipes_and_directories_are_refused() {
    let files = Files::new();
    let dir = files.0.path();
    let refusal = |path: &Path| {
        let error = Points::read(path).expect_err("no regular file");
        format!("{error}: {}", std::error::Error::source(&error).expect("a reason"))
    };
    for (name, target) in [("zero.csv", "/dev/zero"), ("null.npy", "/dev/null")] {
        std::os::unix::fs::symlink(target, dir.join(name)).expect("a link");
        assert_mentions(&refusal(&dir.join(name)), &["device"]);
    }
    let made = std::process::Command::new("mkfifo").arg(dir.join("pipe.csv")).status().expect("mkfifo");
    assert!(made.success());
    assert_mentions(&refusal(&dir.join("pipe.csv")), &["pipe"]);
    std::fs::create_dir(dir.join("folder.csv")).expect("a directory");
    assert_mentions(&refusal(&dir.join("folder.csv")), &["directory"]);
    assert!(matches!(Points::read(&dir.join("absent.csv")), Err(DatasetError::Io { .. })));
    std::os::unix::fs::symlink(files.write("real.csv", "1.5,2\n"), dir.join("link.csv")).expect("a link");
    assert_eq!(Points::read(&dir.join("link.csv")).expect("a link to a file").len(), 1);
}

#[test]
fn options_come_from_configurations() {
    let read = |text: &str| serde_json::from_str::<TableOptions>(text);
    assert_eq!(read("{}").expect("defaults"), found());
    let all =
        r##"{"delimiter":"tab","decimal":",","comment":"#","header":false,"missing":"drop","columns":["a"],"exclude":["b"]}"##;
    let options = read(all).expect("all of them");
    assert_eq!((options.delimiter, options.decimal, options.comment), (Some(Delimiter::Tab), Some(Decimal::Comma), Some('#')));
    assert_eq!(serde_json::to_string(&options).expect("JSON"), all);
    assert_eq!(serde_json::to_string(&found()).expect("JSON"), "{}");
    for text in [r#"{"delimeter":","}"#, r#"{"delimiter":"|"}"#, r#"{"comment":"//"}"#, r#"{"missing":"ignore"}"#] {
        assert!(read(text).is_err(), "{text}");
    }
    let files = Files::new();
    for comment in ['1', '-', '"', ' ', 'é'] {
        assert_mentions(&files.refusal("1.5,2\n", &self::options(|o| o.comment = Some(comment))), &["data.comment"]);
    }
}

#[test]
fn summaries_warn_of_columns_without_a_density() {
    let files = Files::new();
    let row = |n: u32| format!("{}.{n},{},7,{},{n}\n", n % 7, n % 4, if n.is_multiple_of(3) { 0.0 } else { f64::from(n).sqrt() });
    let points = files.table(format!("a,count,same,rain,n\n{}", (1..=300).map(row).collect::<String>()), &found());
    let summary = points.summary();
    assert_eq!(files.table("1.5,2.5\n2.25,3.5\n".repeat(2), &found()).summary().warnings, [""; 0]);
    assert_eq!(summary.to_string(), "300 points, columns a, count, same, rain, n (delimiter `,`, names in the first line)");
    let warnings = &summary.warnings;
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    assert_mentions(&warnings[0], &["`count` holds whole numbers, 4 different ones", "no density", "data.dequantize"]);
    assert_mentions(&warnings[1], &["`same` is 7.0 everywhere", "constant"]);
    assert_mentions(&warnings[2], &["`rain` is 0.0 in 33 % of the points"]);
    assert_mentions(&warnings[3], &["`n` counts the rows"]);
    let nanoseconds = files.table("t\n1700000000000000001\n1700000000000000777\n", &found()).summary();
    assert_mentions(&nanoseconds.warnings[0], &["`t` has whole numbers beyond 2^53"]);
    let one = files.table("v\n1,5\n\n3,5\n", &found()).summary();
    assert_eq!(one.to_string(), "2 points, column v (decimal comma, names in the first line), 1 blank line skipped");
    let many = Points::new(20, (0..40).map(f64::from).collect()).summary();
    assert_eq!(many.to_string(), "2 points, columns x1, x2, x3, x4, x5, x6, … x20 (in all 20)");
    assert_eq!(Points::new(1, vec![0.5, 0.25]).summary().to_string(), "2 points, column x1");
}

#[test]
fn statistics_keep_the_digits_of_time_stamps() -> Result<(), DatasetError> {
    let stamps: Vec<f64> = (0..2000).map(|n| 1.7e9 + 100.0 * (f64::from(n) * 0.7).sin()).collect();
    let standardization = Standardization::of(&Points::new(1, stamps.clone()))?;
    let back: Vec<f64> = standardization
        .apply(&stamps)
        .into_iter()
        .map(f64::from)
        .map(|z| z * standardization.std[0] + standardization.mean[0])
        .collect();
    assert!(stamps.iter().zip(&back).all(|(a, b)| (a - b).abs() < 2e-5), "single precision of 100 s");
    assert!((standardization.std[0] - 100.0 / 2f64.sqrt()).abs() < 0.1);
    // Close values are no constant.
    assert!((Standardization::of(&Points::new(1, vec![1.7e9, 1.7e9 + 1e-4]))?.std[0] - 5e-5).abs() < 1e-6);
    for (values, part) in [
        (vec![7.0, 7.0, 7.0], "all values are 7.0: a constant has no density"),
        (vec![1e300, -1e300], "from -1e300 to 1e300"),
        (vec![f64::MAX, f64::MAX, 1.0], "rescale the column"),
        (vec![1e-300, 2e-300], "too close to each other"),
        (vec![0.0, 5e-324], "too close to each other"),
    ] {
        let points = Points::new(1, values).named(strings(&["a"]));
        assert_mentions(&checked(Standardization::of(&points).expect_err("no statistics")), &["column 1 (`a`)", part]);
    }
    Ok(())
}
