//! Points: the distributions, files, splits and batches.

use datasets::points::{Distribution, PointBatcher, Points, Standardization};
use datasets::{BatchSource, DatasetError, Split};
use std::path::PathBuf;
use tempfile::TempDir;

/// Means of `x, y, x², y², xy, x⁴, y⁴, x³y` over a million points of the research code's generators (with numpy's seed 0).
const MOMENTS: [(Distribution, [f64; 8]); 8] = [
    (Distribution::Swissroll, [0.400905, 0.0424337, 1.95917, 1.97258, 0.189681, 7.43495, 7.86253, 0.643449]),
    (Distribution::EightGaussians, [0.00244876, 0.000185037, 4.12461, 4.12887, 0.000436222, 27.0597, 27.1065, 0.00266946]),
    (Distribution::Pinwheel, [3.52158e-05, 0.0004832, 2.19913, 2.20063, 0.000477267, 9.50272, 9.52084, 3.89897e-05]),
    (Distribution::Circles, [-0.000116575, -8.48972e-05, 2.87044, 2.86935, -0.000384312, 17.1185, 17.1155, -0.00264726]),
    (Distribution::Moons, [-9.71459e-05, 0.299929, 3.03994, 1.10618, -0.773185, 19.7282, 2.42874, -2.95793]),
    (Distribution::TwoSpirals, [-1.13436e-05, -4.06713e-05, 2.59112, 2.50988, 0.584825, 14.5203, 12.4785, 3.81625]),
    (Distribution::Checkerboard, [0.00310158, -0.000199186, 5.33411, 5.33786, 1.00822, 51.1917, 51.2688, 14.0401]),
    (Distribution::Rings, [-3.88584e-05, -2.82991e-05, 2.11589, 2.1159, -0.000173669, 10.5823, 10.5829, -0.00206861]),
];

fn monomials(point: &[f64]) -> [f64; 8] {
    let (x, y) = (point[0], point[1]);
    [x, y, x * x, y * y, x * y, x.powi(4), y.powi(4), x.powi(3) * y]
}

#[test]
fn distributions_have_the_moments_of_the_research_code_s() {
    const N: usize = 200_000;
    for (distribution, expected) in MOMENTS {
        let points = Points::sample(distribution, N, 5, 0);
        let values: Vec<[f64; 8]> = points.rows().map(monomials).collect();
        for (k, expected) in expected.into_iter().enumerate() {
            let mean = values.iter().map(|v| v[k]).sum::<f64>() / N as f64;
            let variance = values.iter().map(|v| (v[k] - mean).powi(2)).sum::<f64>() / N as f64;
            // The golden numbers have a standard error of their own, from five times as many points.
            let standard_error = (variance / N as f64 * 1.2).sqrt();
            assert!((mean - expected).abs() < 4.0 * standard_error, "{distribution}, moment {k}: {mean} for {expected}");
        }
    }
}

#[test]
fn fresh_batches_differ_and_repeat() -> Result<(), DatasetError> {
    let batcher = |seed| PointBatcher::fresh(Distribution::Rings, 3, 50, seed);
    let points = |seed, epoch, index| -> Result<Vec<f32>, DatasetError> { Ok(batcher(seed)?.train_batch(epoch, index)?.pixels) };
    assert_eq!(batcher(1)?.train_batch(0, 0)?.shape, [50, 2, 1, 1]);
    assert_eq!(points(1, 2, 1)?, points(1, 2, 1)?);
    for other in [points(2, 2, 1)?, points(1, 3, 1)?, points(1, 2, 2)?] {
        assert!(points(1, 2, 1)?.iter().zip(&other).all(|(a, b)| a != b));
    }
    assert_eq!(batcher(1)?.batches_per_epoch(), 3);
    assert!(matches!(batcher(1)?.train_batch(0, 3), Err(DatasetError::BatchIndex { .. })));
    Ok(())
}

#[test]
fn stored_points_are_standardised_shuffled_and_complete() -> Result<(), DatasetError> {
    let points = Points::new(3, (0..21).map(|i| f64::from(i * i)).collect());
    let standardization = Standardization::of(&points)?;
    let batcher = PointBatcher::stored(&points, &standardization, 2, 9, true)?;
    let gather = |batches: Vec<datasets::Batch>| -> Vec<f32> { batches.into_iter().flat_map(|batch| batch.pixels).collect() };
    let stored = gather((0..4).map(|index| batcher.eval_batch(index)).collect::<Result<_, _>>()?);
    let back = standardization.invert(&stored);
    assert!(back.iter().zip(points.values()).all(|(a, b)| (a - b).abs() < 1e-4), "{back:?}");
    for column in 0..3 {
        let values: Vec<f64> = stored.iter().skip(column).step_by(3).map(|&x| f64::from(x)).collect();
        let mean = values.iter().sum::<f64>() / 7.0;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 7.0;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6, "{mean} {variance}");
    }
    // Three full batches in an epoch, of different points, in another order the next time.
    assert_eq!((batcher.batches_per_epoch(), batcher.eval_batches()), (3, 4));
    let order = |epoch| -> Result<Vec<usize>, DatasetError> {
        let batches = (0..3).map(|index| batcher.train_batch(epoch, index)).collect::<Result<Vec<_>, _>>()?;
        for batch in &batches {
            for (row, &index) in batch.pixels.chunks(3).zip(&batch.indices) {
                assert_eq!(row, &stored[3 * index..][..3]);
            }
        }
        Ok(batches.into_iter().flat_map(|batch| batch.indices).collect())
    };
    let mut first = order(0)?;
    assert_ne!(first, order(1)?);
    first.sort();
    first.dedup();
    assert_eq!(first.len(), 6);
    Ok(())
}

#[test]
fn a_last_batch_that_is_not_full_is_kept_or_left_out() -> Result<(), DatasetError> {
    let points = Points::new(1, (0..7).map(f64::from).collect());
    let standardization = Standardization::of(&points)?;
    let sizes = |batch_size, drop_last| -> Result<Vec<usize>, DatasetError> {
        let batcher = PointBatcher::stored(&points, &standardization, batch_size, 9, drop_last)?;
        let batches = (0..batcher.batches_per_epoch()).map(|index| batcher.train_batch(4, index));
        let batches = batches.collect::<Result<Vec<_>, _>>()?;
        let mut seen: Vec<usize> = batches.iter().flat_map(|batch| batch.indices.clone()).collect();
        seen.sort();
        seen.dedup();
        let sizes: Vec<usize> = batches.iter().map(|batch| batch.shape[0]).collect();
        assert_eq!(seen.len(), sizes.iter().sum::<usize>(), "no point twice");
        Ok(sizes)
    };
    assert_eq!((sizes(3, false)?, sizes(3, true)?), (vec![3, 3, 1], vec![3, 3]));
    assert_eq!((sizes(100, false)?, sizes(100, true)?), (vec![7], vec![]));
    assert_eq!((sizes(7, false)?, sizes(7, true)?), (vec![7], vec![7]));
    Ok(())
}

#[test]
fn splits_are_disjoint_complete_and_decided_by_the_seed() -> Result<(), DatasetError> {
    let points = Points::new(1, (0..50).map(f64::from).collect());
    let values = |split, seed| -> Result<Vec<f64>, DatasetError> { Ok(points.split(split, 0.1, seed)?.values().to_vec()) };
    let (train, test) = (values(Split::Train, 3)?, values(Split::Test, 3)?);
    assert_eq!((train.len(), test.len()), (45, 5));
    let mut all = [train, test.clone()].concat();
    all.sort_by(f64::total_cmp);
    assert_eq!(all, points.values());
    assert_ne!(test, values(Split::Test, 4)?);
    assert!(Points::new(1, vec![1.0]).split(Split::Train, 0.5, 0).is_err());
    Ok(())
}

fn file(dir: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, text).expect("the temporary directory can be written");
    path
}

#[test]
fn tables_with_and_without_names_and_with_other_delimiters() -> Result<(), DatasetError> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let expected = [1.5, -2.0, 3e-4, 4.0];
    for (name, text) in [
        ("plain.csv", "1.5,-2\n3e-4,4\n"),
        ("named.csv", "a, b\n1.5, -2\n3e-4, 4\n"),
        ("windows.csv", "\"a\",\"b\"\r\n1.5,-2\r\n3e-4,4\r\n"),
        ("semicolons.csv", "1.5;-2\n3e-4;4"),
        ("tabs.tsv", "# a comment\t of the file\n1.5\t-2\n\n3e-4\t4\n"),
    ] {
        let points = Points::read(&file(&dir, name, text))?;
        assert_eq!((points.dimensions(), points.values()), (2, &expected[..]), "{name}");
    }
    assert_eq!(Points::read(&dir.path().join("named.csv"))?.names(), ["a", "b"]);
    for name in ["again.csv", "again.npy"] {
        let path = dir.path().join(name);
        Points::new(2, expected.to_vec()).write(&path)?;
        assert_eq!(Points::read(&path)?.values(), expected, "{name}");
    }
    Ok(())
}

#[test]
fn faults_are_named_with_line_and_column() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let message = |name: &str, text: &str| match Points::read(&file(&dir, name, text)) {
        Ok(points) => panic!("{name}: {points:?}"),
        Err(error) => error.to_string(),
    };
    let word = message("word.csv", "x,y\n1,2\n3,four\n");
    assert!(word.contains("word.csv, line 3, column 2: `four`"), "{word}");
    let first = message("first.csv", "1,two\n3,4\n");
    assert!(first.contains("line 1, column 2: `two`"), "{first}");
    let short = message("short.csv", "1,2\n3\n");
    assert!(short.contains("line 2: it has 1 values, the first line has 2"), "{short}");
    assert!(message("nan.csv", "1,2\nnan,1\n").contains("line 2, column 1: `nan` is not a finite number"));
    assert!(message("gap.csv", "1,2\n,1\n").contains("line 2, column 1: `` is not"));
    assert!(message("empty.csv", "").contains("there are no points"));
    assert!(message("names.csv", "a,b\n").contains("there are no points"));
    assert!(message("points.dat", "1,2\n").contains("expected an extension"));
    assert!(message("text.npy", "1,2\n").contains("expected float32 or float64"));
    let constant = Points::read(&file(&dir, "constant.csv", "1,7\n2,7\n3,7\n")).expect("a table");
    let error = Standardization::of(&constant).expect_err("a constant column").to_string();
    assert!(error.contains("column 2: all values are 7"), "{error}");
}
