//! Tables in files that are no text: numpy's arrays and Parquet.

use super::{Files, assert_mentions, checked, found, options, strings};
use datasets::DatasetError;
use datasets::io::output::Existing;
use datasets::points::{FileKind, Missing, Points, TableOptions};
use std::path::{Path, PathBuf};

/// A `.npy` file with any header.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}");
    let header = format!("{header:<117}\n");
    [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

#[test]
fn arrays_of_every_kind_of_number_are_read() {
    let files = Files::new();
    let read = |bytes: Vec<u8>, options: &TableOptions| Points::read_with(&files.write("x.npy", bytes), options);
    let values = [1i8, -2, 3, -4, 5, 6];
    macro_rules! bytes {
        ($kind:ty) => {
            values.iter().flat_map(|&x| (x as $kind).to_le_bytes()).collect::<Vec<u8>>()
        };
    }
    for (descr, data) in [
        ("'<f8'", bytes!(f64)),
        ("'<f4'", bytes!(f32)),
        ("'<i8'", bytes!(i64)),
        ("'<i4'", bytes!(i32)),
        ("'<i2'", bytes!(i16)),
        ("'|i1'", bytes!(i8)),
    ] {
        let rows = read(npy(descr, false, "(3, 2)", &data), &found()).expect(descr);
        assert_eq!(
            (rows.values(), rows.names()),
            (&[1.0, -2.0, 3.0, -4.0, 5.0, 6.0][..], &strings(&["x1", "x2"])[..]),
            "{descr}"
        );
        let columns = read(npy(descr, true, "(3, 2)", &data), &found()).expect(descr);
        assert_eq!(columns.values(), [1.0, -4.0, -2.0, 5.0, 3.0, 6.0], "{descr}");
        assert!(!columns.has_names());
    }
    for (descr, data) in [("'<u8'", bytes!(u64)), ("'<u4'", bytes!(u32)), ("'<u2'", bytes!(u16)), ("'|u1'", bytes!(u8))] {
        let points = read(npy(descr, false, "(3, 2)", &data), &found()).expect(descr);
        assert!(points.values()[0] == 1.0 && points.values()[1] > 250.0, "{descr}: {:?}", points.values());
    }
    let last =
        read(npy("'<f8'", false, "(3, 2)", &bytes!(f64)), &options(|o| o.columns = Some(strings(&["x2"])))).expect("a column");
    assert_eq!(last.values(), [-2.0, -4.0, 6.0]);
    let rounded = read(npy("'<i8'", false, "(1, 1)", &(i64::MAX - 1).to_le_bytes()), &found()).expect("a number").summary();
    assert_mentions(&rounded.warnings[0], &["2^53"]);

    let flawed: Vec<u8> = [1.5, f64::NAN, 2.5, 3.5, f64::NEG_INFINITY, 4.5].iter().flat_map(|x| x.to_le_bytes()).collect();
    let flawed = npy("'<f8'", false, "(3, 2)", &flawed);
    let message = checked(read(flawed.clone(), &found()).expect_err("missing values"));
    assert_mentions(
        &message,
        &["row 0 (counted from 0), column 2: `NaN` is missing", "2 of 3 rows", "1 infinite in `x1`, 1 missing in `x2`"],
    );
    assert_eq!(read(flawed, &options(|o| o.missing = Missing::Drop)).expect("a row").values(), [2.5, 3.5]);

    let data = bytes!(f64);
    for (bytes, part) in [
        (npy("'>f8'", false, "(3, 2)", &data), "big-endian"),
        (npy("'<f2'", false, "(3, 2)", &data[..12]), "`<f2`, expected float32 or float64"),
        (npy("'|b1'", false, "(3, 2)", &data[..6]), "astype('<f8')"),
        (npy("'|O'", false, "(3, 2)", &data), "`|O`"),
        (npy("'<U4'", false, "(3, 2)", &data), "`<U4`"),
        (npy("[('a', '<f8'), ('b', '<f8')]", false, "(3,)", &data), "named fields"),
        (npy("'<f8'", false, "(6,)", &data), "reshape(-1, 1)"),
        (npy("'<f8'", false, "(3, 2, 1)", &data), "[3, 2, 1]"),
        (npy("'<f8'", false, "(3, 0)", &[]), "no columns"),
        (npy("'<f8'", false, "(0, 2)", &[]), "no points"),
        (npy("'<f8'", false, "(3, 2)", &data[1..]), "cut short"),
        (npy("'<f8'", false, "(3, 2)", &[&data[..], &[0]].concat()), "damaged"),
        (npy("'<f8'", false, "(300000000, 200000000)", &data), "cut short"),
        (npy("'<f8'", false, "(18446744073709551615, 2)", &data), "damaged"),
        (npy("'\\x1b[31m'", false, "(3, 2)", &data), "expected float32"),
        (b"1,2\n".to_vec(), "expected"),
        (b"\x93NUMPY".to_vec(), "damaged"),
        (Vec::new(), "numpy.save"),
    ] {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).into_owned();
        let message = checked(read(bytes, &found()).expect_err(&shown));
        assert!(message.contains(part) || message.contains("x.npy, the array"), "{part:?} is not in: {message}");
    }
}

fn parquet(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parquet").join(name)
}

#[test]
fn parquet_files_of_pandas_are_read() -> Result<(), DatasetError> {
    for codec in ["snappy", "zstd", "gzip", "plain"] {
        let points = Points::read(&parquet(&format!("{codec}.parquet")))?;
        assert_eq!(points.values(), [1.5, 0.1, -2.0, 0.2, 3e-4, 0.3, 5e-324, 0.4, 1.7e308, 0.5], "{codec}");
        assert_eq!((points.names(), points.has_names()), (&strings(&["a", "größe"])[..], true));
        assert_eq!(points.summary().to_string(), "5 points, columns a, größe");
    }
    for codec in ["lz4", "brotli"] {
        let message = checked(Points::read(&parquet(&format!("{codec}.parquet"))).expect_err("another codec"));
        assert_mentions(&message, &["compression=\"zstd\""]);
    }
    assert_mentions(
        &checked(Points::read(&parquet("index.parquet")).expect_err("an index")),
        &["__index_level_0__", "index=False"],
    );
    let without = Points::read_with(&parquet("index.parquet"), &options(|o| o.exclude = strings(&["__index_level_0__"])))?;
    assert_eq!(without.dimensions(), 2);

    let kinds = |columns: &[&str], missing| {
        Points::read_with(&parquet("kinds.parquet"), &TableOptions { missing, columns: Some(strings(columns)), ..found() })
    };
    let numbers = kinds(&["u32", "f32", "i8"], Missing::Error)?;
    assert_eq!(numbers.values(), [1.0, 0.5, -128.0, 2.0, 1.25, 0.0, 4294967295.0, -3.0, 127.0]);
    let wide = kinds(&["u64", "i64"], Missing::Error)?;
    assert_eq!(wide.values()[4], 18446744073709551616.0);
    assert_eq!(wide.summary().warnings.iter().filter(|warning| warning.contains("2^53")).count(), 2);
    let message = checked(kinds(&["null", "nan", "inf"], Missing::Error).expect_err("missing values"));
    assert_mentions(
        &message,
        &[
            "row 0 (counted from 0)",
            "`inf` is infinite",
            "3 of 3 rows",
            "1 missing in `null`, 1 missing in `nan`, 1 infinite in `inf`",
        ],
    );
    assert_eq!(kinds(&["null", "nan"], Missing::Drop)?.values(), [0.5, 0.5]);
    for (column, part) in [
        ("text", "text"),
        ("day", "dates"),
        ("time", "dates"),
        ("bool", "truth values"),
        ("half", "float16"),
        ("list.list.element", "nested"),
    ] {
        let message = checked(kinds(&["f32", column], Missing::Error).expect_err(column));
        assert_mentions(&message, &[&format!("`{column}` holds"), part, &format!("data.exclude = [\"{column}\"]")]);
    }
    assert_mentions(
        &checked(Points::read(&parquet("kinds.parquet")).expect_err("all kinds")),
        &["`text` holds text", "no numbers either"],
    );
    assert_mentions(&checked(Points::read(&parquet("empty.parquet")).expect_err("no rows")), &["no points"]);
    let files = Files::new();
    for bytes in [&b""[..], b"PAR1", b"a,b\n1.5,2.5\n", b"PAR1\x15\x04\x15\x04PAR1"] {
        let message = checked(Points::read(&files.write("x.parquet", bytes)).expect_err("no Parquet"));
        assert_mentions(&message, &["x.parquet, the file: it is no Parquet file, or damaged"]);
    }
    let refused = Points::new(1, vec![1.0]).write(&files.0.path().join("y.parquet"), FileKind::Parquet, Existing::Keep);
    assert_mentions(&checked(refused.expect_err("read only")), &[".npy"]);
    Ok(())
}

#[test]
fn damaged_files_give_errors_or_tables_but_never_end_the_program() {
    let files = Files::new();
    let mut n_refused = 0;
    for name in ["snappy.parquet", "zstd.parquet", "gzip.parquet", "plain.parquet", "kinds.parquet"] {
        let whole = std::fs::read(parquet(name)).expect("a fixture");
        let options = options(|o| {
            o.missing = Missing::Drop;
            o.columns = (name == "kinds.parquet").then(|| strings(&["f32", "u64", "null"]));
        });
        let step = whole.len().div_ceil(120);
        for at in (0..whole.len()).step_by(step) {
            for change in 0..3u8 {
                let mut bytes = whole.clone();
                match change {
                    0 => bytes.truncate(at),
                    1 => bytes[at] ^= 1 << (at % 8),
                    _ => bytes[at] = [0x00, 0x7f, 0x80, 0xff][at % 4],
                }
                match Points::read_with(&files.write("x.parquet", bytes), &options) {
                    Ok(points) => assert!(points.values().iter().all(|value| value.is_finite())),
                    Err(error) => n_refused += usize::from(!checked(error).is_empty()),
                }
            }
        }
    }
    assert!(n_refused > 600, "{n_refused}");
}
