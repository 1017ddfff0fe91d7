//! Points: the distributions, files, splits and batches.

use datasets::points::{Distribution, Division, Jitter, Missing, PointBatcher, Points, Standardization, TableOptions};
use datasets::{BatchSource, DatasetError, HeldOut};

/// Means of `x, y, x², y², xy, x⁴, y⁴, x³y` over a million points of the reference implementation's generators (with numpy's seed 0).
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
fn distributions_have_the_moments_of_the_reference_implementation() {
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
fn parts_are_disjoint_complete_and_decided_by_the_seed() -> Result<(), DatasetError> {
    let points = Points::new(1, (0..50).map(f64::from).collect());
    let held_out = HeldOut { fraction: 0.2, most: 100, seed: 3 };
    let Division { train, validation, test } = points.divide(Some(0.1), Some(&held_out), 3)?;
    let (validation, test) = (validation.expect("some"), test.expect("some"));
    assert_eq!((train.len(), validation.len(), test.len()), (36, 9, 5));
    let mut all = [train.values(), validation.values(), test.values()].concat();
    all.sort_by(f64::total_cmp);
    assert_eq!(all, points.values());
    assert!((0..9).all(|row| validation.row_number(row) as f64 == validation.values()[row]), "numbers are those of the file");
    // Without validation the test points are the same.
    let without = points.divide(Some(0.1), None, 3)?;
    assert_eq!((without.test.as_ref(), without.validation), (Some(&test), None));
    assert_eq!(without.train.len(), 45);
    let other = points.divide(Some(0.1), Some(&held_out), 4)?;
    assert_ne!(other.test.expect("some").values(), test.values());
    assert_ne!(other.validation.expect("some").values(), validation.values());
    // With test points from elsewhere, and no more than this many for validation.
    let few = points.divide(None, Some(&HeldOut { most: 4, ..held_out }), 3)?;
    assert_eq!((few.train.len(), few.validation.map(|points| points.len()), few.test), (46, Some(4), None));
    for n in [1, 2] {
        let points = Points::new(1, vec![1.0; n]);
        let message = points.divide(Some(0.5), Some(&held_out), 0).unwrap_err().to_string();
        assert!(message.contains("none for training"), "{message}");
    }
    Ok(())
}

#[test]
fn rows_keep_their_numbers_where_others_are_left_out() -> Result<(), DatasetError> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("points.csv");
    std::fs::write(&path, "a,b\n1,2\nNA,3\n4,5\n6,\n7,8\n").expect("written");
    let points = Points::read_with(&path, &TableOptions { missing: Missing::Drop, ..TableOptions::default() })?;
    assert_eq!((0..points.len()).map(|row| points.row_number(row)).collect::<Vec<_>>(), [0, 2, 4]);
    let Division { train, .. } = points.divide(Some(0.3), None, 0)?;
    for (row, values) in train.rows().enumerate() {
        assert_eq!(points.rows().position(|other| other == values).map(|of| points.row_number(of)), Some(train.row_number(row)));
    }
    Ok(())
}

#[test]
fn jitter_moves_training_points_only_and_anew_in_each_epoch() -> Result<(), DatasetError> {
    let points = Points::new(2, (0..4000).map(|i| f64::from(i % 7)).collect());
    let standardization = Standardization::of(&points)?;
    let plain = PointBatcher::stored(&points, &standardization, 2000, 9, false)?;
    let moved = plain.clone().with_jitter(Jitter::Independent(0.25));
    assert_eq!(plain.eval_batch(0)?, moved.eval_batch(0)?);
    assert_eq!(plain.fingerprint(), moved.fingerprint());
    let noise = |epoch| -> Result<Vec<f64>, DatasetError> {
        let pairs = moved.train_batch(epoch, 0)?.pixels.into_iter().zip(plain.train_batch(epoch, 0)?.pixels);
        Ok(pairs.map(|(moved, plain)| f64::from(moved - plain)).collect())
    };
    let (first, second) = (noise(0)?, noise(1)?);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let variance = mean(&first.iter().map(|x| x * x).collect::<Vec<_>>());
    // Of 4000 numbers the mean has a standard error of 0.004, the standard deviation one of 0.0028.
    assert!(mean(&first).abs() < 0.02 && (variance.sqrt() - 0.25).abs() < 0.015, "{} {variance}", mean(&first));
    assert!(first.iter().zip(&second).all(|(a, b)| a != b));
    assert_eq!(first, noise(0)?, "decided by the seed");
    Ok(())
}

#[test]
fn correlated_jitter_has_the_covariance_of_its_matrix() -> Result<(), DatasetError> {
    let points = Points::new(2, (0..8000).map(|i| f64::from(i % 7)).collect());
    let standardization = Standardization::of(&points)?;
    let plain = PointBatcher::stored(&points, &standardization, 4000, 9, false)?;
    let moved = plain.clone().with_jitter(Jitter::Correlated(std::sync::Arc::new(vec![0.5, 0.0, 0.4, 0.1])));
    assert_eq!(plain.eval_batch(0)?, moved.eval_batch(0)?);
    let [before, after] = [plain, moved].map(|batches| batches.train_batch(0, 0).expect("a batch").pixels);
    let noise: Vec<f64> = after.iter().zip(&before).map(|(after, before)| f64::from(after - before)).collect();
    let mean = |of: fn(&[f64]) -> f64| noise.chunks_exact(2).map(of).sum::<f64>() / 4000.0;
    let covariance = [mean(|x| x[0] * x[0]), mean(|x| x[0] * x[1]), mean(|x| x[1] * x[1])];
    // The standard error of a variance from 4000 numbers is 2.2 %.
    for (got, expected) in covariance.into_iter().zip([0.25, 0.2, 0.17]) {
        assert!((got / expected - 1.0).abs() < 0.12, "{covariance:?}");
    }
    Ok(())
}
