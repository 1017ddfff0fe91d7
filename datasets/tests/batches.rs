//! Batches are pure functions of data set, settings and number, image by image.

use datasets::shards::synthetic;
use datasets::{
    Batch, BatchConfig, BatchSource, Batcher, CodecKind, DatasetError, Dequantization, HeldOut, ImageDataset, ImageShape,
    Outside, Part, Prefetch, RandomCrop, Split, permutation,
};
use std::collections::HashMap;
use std::sync::Arc;
use tempfile::TempDir;

const SHAPE: ImageShape = ImageShape { channels: 3, height: 4, width: 5 };
const COUNT: usize = 23;

fn dataset(levels: u32) -> (TempDir, Arc<ImageDataset>) {
    let dir = tempfile::tempdir().unwrap();
    synthetic::write_dataset(dir.path(), Split::Train, SHAPE, levels, COUNT, CodecKind::MedZstd1).unwrap();
    let dataset = Arc::new(ImageDataset::open(dir.path(), Split::Train).unwrap());
    (dir, dataset)
}

fn config(batch_size: usize) -> BatchConfig {
    BatchConfig { batch_size, seed: 11, horizontal_flip: true, drop_last: false, ..BatchConfig::default() }
}

fn batcher(config: BatchConfig) -> (TempDir, Batcher) {
    let (dir, dataset) = dataset(256);
    (dir, Batcher::new(dataset, config).unwrap())
}

/// Pixels by image index.
fn images(batches: impl IntoIterator<Item = Batch>) -> HashMap<usize, Vec<f32>> {
    let mut images = HashMap::new();
    for batch in batches {
        assert_eq!(batch.shape, [batch.indices.len(), 3, 4, 5]);
        assert_eq!(batch.pixels.len(), batch.indices.len() * SHAPE.len());
        let labels = batch.labels.unwrap();
        for (n, &index) in batch.indices.iter().enumerate() {
            assert_eq!(labels[n], synthetic::label(index));
            let pixels = batch.pixels[n * SHAPE.len()..][..SHAPE.len()].to_vec();
            assert!(images.insert(index, pixels).is_none(), "image {index} twice");
        }
    }
    images
}

fn epoch(batcher: &Batcher, epoch: u64) -> HashMap<usize, Vec<f32>> {
    images((0..batcher.batches_per_epoch()).map(|i| batcher.train_batch(epoch, i).unwrap()))
}

/// Whole-number pixels, and whether the image is mirrored.
fn undo(index: usize, pixels: &[f32], levels: u32) -> (Vec<u8>, bool) {
    let values: Vec<u8> = pixels.iter().map(|x| (x * levels as f32).floor() as u8).collect();
    let original = synthetic::image(SHAPE, levels, index);
    let mirrored: Vec<u8> = original.chunks(5).flat_map(|row| row.iter().rev().copied()).collect();
    assert!(values == original || values == mirrored, "image {index} is neither itself nor its mirror image");
    (values.clone(), values == mirrored)
}

#[test]
fn images_do_not_depend_on_the_batch_size() {
    let (_dir, one) = batcher(config(1));
    for batch_size in [2, 5, 23, 100] {
        let (_dir, other) = batcher(config(batch_size));
        assert_eq!(other.batches_per_epoch(), COUNT.div_ceil(batch_size));
        for e in [0, 3] {
            assert_eq!(epoch(&one, e), epoch(&other, e));
        }
    }
}

#[test]
fn an_epoch_is_the_permutation_with_fresh_noise() {
    let (_dir, batcher) = batcher(config(4));
    for e in [0, 1] {
        let batches = (0..6).map(|i| batcher.train_batch(e, i).unwrap().indices);
        assert_eq!(batches.collect::<Vec<_>>().concat(), permutation(COUNT, 11, e));
    }
    let (first, second) = (epoch(&batcher, 0), epoch(&batcher, 1));
    assert!((0..COUNT).all(|i| first[&i] != second[&i]));
    let (_dir, other_seed) = self::batcher(BatchConfig { seed: 12, ..config(4) });
    let other = epoch(&other_seed, 0);
    assert!((0..COUNT).all(|i| first[&i] != other[&i]));
}

#[test]
fn half_of_the_images_are_mirrored_and_only_in_training() {
    let (_dir, batcher) = batcher(config(8));
    let mut mirrored = 0;
    for e in 0..40 {
        mirrored += epoch(&batcher, e).iter().filter(|(i, pixels)| undo(**i, pixels, 256).1).count();
    }
    // 920 fair coins: mean 460, standard deviation 15.
    assert!((400..520).contains(&mirrored), "{mirrored}");
    let eval = images((0..3).map(|i| batcher.eval_batch(i).unwrap()));
    assert!(eval.iter().all(|(i, pixels)| !undo(*i, pixels, 256).1));
    let (_dir, straight) = self::batcher(BatchConfig { horizontal_flip: false, ..config(8) });
    assert!(epoch(&straight, 0).iter().all(|(i, pixels)| !undo(*i, pixels, 256).1));
}

#[test]
fn crops_shift_training_images_only_and_leave_the_noise() {
    let crop = RandomCrop { padding: 1, outside: Outside::Constant };
    let (_dir, straight) = batcher(BatchConfig { horizontal_flip: false, ..config(8) });
    let (_dir, cropped) = batcher(BatchConfig { horizontal_flip: false, crop: Some(crop), ..config(8) });
    let (straight_pixels, cropped_pixels) = (epoch(&straight, 3), epoch(&cropped, 3));
    let mut shifts = HashMap::<_, usize>::new();
    for (index, pixels) in &cropped_pixels {
        let noise = |pixels: &[f32]| pixels.iter().map(|x| (x * 256.0).fract()).collect::<Vec<f32>>();
        assert_eq!(noise(pixels), noise(&straight_pixels[index]));
        let original = synthetic::image(SHAPE, 256, *index);
        let at = |c: usize, y: i32, x: i32| {
            let inside = (0..4).contains(&y) && (0..5).contains(&x);
            if inside { original[c * 20 + y as usize * 5 + x as usize] } else { 0 }
        };
        let shifted = |down: i32, right: i32| -> Vec<u8> {
            let places = (0..3).flat_map(|c| (0..4).flat_map(move |y| (0..5).map(move |x| (c, y, x))));
            places.map(|(c, y, x)| at(c, y + down, x + right)).collect()
        };
        let values: Vec<u8> = pixels.iter().map(|x| (x * 256.0).floor() as u8).collect();
        let all = (-1..=1).flat_map(|down| (-1..=1).map(move |right| (down, right)));
        let found = all.into_iter().find(|&(down, right)| shifted(down, right) == values);
        *shifts.entry(found.expect("a shifted image")).or_default() += 1;
    }
    assert!(shifts.len() > 4, "{shifts:?}");
    assert_eq!(straight.eval_batch(0).unwrap(), cropped.eval_batch(0).unwrap());
    let too_large = BatchConfig { crop: Some(RandomCrop { padding: 4, outside: Outside::Reflect }), ..config(8) };
    let error = Batcher::new(straight.dataset().clone(), too_large).err().unwrap().to_string();
    assert!(error.contains("crop.padding") && error.contains("at most 3"), "{error}");
}

#[test]
fn evaluation_is_in_order_and_repeatable() {
    let (_dir, batcher) = batcher(BatchConfig { drop_last: true, ..config(5) });
    assert_eq!((batcher.eval_batches(), batcher.batches_per_epoch()), (5, 4));
    let batches: Vec<_> = (0..5).map(|i| batcher.eval_batch(i).unwrap()).collect();
    assert_eq!(batches.iter().flat_map(|b| b.indices.clone()).collect::<Vec<_>>(), (0..COUNT).collect::<Vec<_>>());
    for i in [4, 0, 2] {
        assert_eq!(batcher.eval_batch(i).unwrap(), batches[i]);
    }
    let (_dir, other_size) = self::batcher(config(23));
    assert_eq!(images(batches), images([other_size.eval_batch(0).unwrap()]));
    assert!(matches!(batcher.eval_batch(5), Err(DatasetError::BatchIndex { index: 5, batches: 5, .. })));
}

#[test]
fn no_two_images_share_their_noise() {
    let (_dir, batcher) = batcher(BatchConfig { horizontal_flip: false, ..config(COUNT) });
    let noise = |batch: Batch| -> Vec<Vec<u32>> {
        let bits = |x: &f32| (x * 256.0).fract().to_bits();
        batch.pixels.chunks(SHAPE.len()).map(|image| image.iter().map(bits).collect()).collect()
    };
    let mut all = noise(batcher.train_batch(0, 0).unwrap());
    all.extend(noise(batcher.train_batch(1, 0).unwrap()));
    all.extend(noise(batcher.eval_batch(0).unwrap()));
    let n = all.len();
    all.sort();
    all.dedup();
    assert_eq!((n, all.len()), (3 * COUNT, 3 * COUNT));
}

#[test]
fn levels_are_reduced_by_rounding_down() {
    for (from, to) in [(256, 32), (256, 2), (17, 5), (32, 32)] {
        let (_dir, dataset) = dataset(from);
        let config = BatchConfig { levels: Some(to), horizontal_flip: false, ..config(7) };
        let batcher = Batcher::new(dataset, config).unwrap();
        assert_eq!(batcher.levels(), to);
        for (index, pixels) in epoch(&batcher, 0) {
            for (k, x) in synthetic::image(SHAPE, from, index).into_iter().zip(pixels) {
                assert_eq!((x * to as f32).floor() as u32, u32::from(k) * to / from, "{from} to {to}");
            }
        }
    }
}

#[test]
fn overlapping_bins_are_available() {
    let (_dir, dataset) = dataset(256);
    let config = BatchConfig { levels: Some(32), dequantization: Dequantization::Overlapping, ..config(23) };
    let overlapping = Batcher::new(dataset.clone(), config.clone()).unwrap().eval_batch(0).unwrap();
    let config = BatchConfig { dequantization: Dequantization::Uniform, ..config };
    let uniform = Batcher::new(dataset, config).unwrap().eval_batch(0).unwrap();
    for (x, y) in overlapping.pixels.iter().zip(&uniform.pixels) {
        let k = (y * 32.0).floor();
        assert!((x - (y - k / 32.0 / 32.0)).abs() < 1e-6);
    }
    assert_ne!(overlapping.pixels, uniform.pixels);
}

#[test]
fn impossible_settings_are_refused() {
    let (_dir, dataset) = dataset(32);
    for (batch_size, levels) in [(0, None), (1, Some(33)), (1, Some(1)), (1, Some(0))] {
        let config = BatchConfig { batch_size, levels, ..BatchConfig::default() };
        assert!(matches!(Batcher::new(dataset.clone(), config), Err(DatasetError::Setting { .. })));
    }
}

#[test]
fn small_sets_give_partial_batches_or_a_clear_error() {
    let (_dir, partial) = batcher(config(100));
    assert_eq!(partial.batches_per_epoch(), 1);
    assert_eq!(partial.train_batch(0, 0).unwrap().indices.len(), COUNT);
    let (_dir, full) = batcher(BatchConfig { drop_last: true, ..config(100) });
    assert_eq!(full.batches_per_epoch(), 0);
    let message = full.train_batch(0, 0).unwrap_err().to_string();
    assert!(message.contains("drop_last"), "{message}");
    let mut prefetch = Prefetch::train(full, 0, 0, 2);
    assert!(matches!(prefetch.next(), Some(Err(DatasetError::BatchIndex { .. }))));
    assert!(prefetch.next().is_none());
}

#[test]
fn prefetched_batches_are_the_direct_ones() {
    for drop_last in [false, true] {
        let (_dir, batcher) = batcher(BatchConfig { drop_last, ..config(4) });
        let n = batcher.batches_per_epoch();
        for depth in [0, 1, 3, 50] {
            let direct = (0..20).map(|i| batcher.train_batch(5 + (2 + i) / n as u64, (2 + i as usize) % n).unwrap());
            let prefetched = Prefetch::train(batcher.clone(), 5, 2, depth).take(20).map(Result::unwrap);
            assert!(direct.eq(prefetched));
            let direct = (0..6).map(|i| batcher.eval_batch(i).unwrap());
            assert!(direct.eq(Prefetch::eval(batcher.clone(), depth).map(Result::unwrap)));
        }
        let first = Prefetch::train(batcher.clone(), 5, n, 2).next().unwrap().unwrap();
        assert_eq!(first, batcher.train_batch(6, 0).unwrap());
    }
}

#[test]
fn dropping_a_prefetch_ends_its_thread() {
    let (_dir, batcher) = batcher(config(4));
    let dataset = Arc::downgrade(batcher.dataset());
    let mut prefetch = Prefetch::train(batcher, 0, 0, 2);
    prefetch.next().unwrap().unwrap();
    assert!(dataset.upgrade().is_some());
    drop(prefetch);
    assert!(dataset.upgrade().is_none(), "the thread still holds the data set");
}

#[test]
fn the_parts_of_a_batch_are_the_batch() {
    let (_dir, batcher) = batcher(config(10));
    for index in 0..batcher.batches_per_epoch() {
        let whole = batcher.train_batch(2, index).unwrap();
        let parts = [0, 1, 2].map(|part| batcher.train_part(2, index, Part { index: part, of: 3 }).unwrap());
        let join = |of: fn(&Batch) -> Vec<f32>| parts.iter().flat_map(of).collect::<Vec<_>>();
        assert_eq!(join(|part| part.pixels.clone()), whole.pixels);
        assert_eq!(parts.iter().flat_map(|part| part.indices.clone()).collect::<Vec<_>>(), whole.indices);
        assert!(parts.iter().all(|part| part.indices.len().abs_diff(whole.indices.len() / 3) <= 1));
    }
    let part = Part { index: 1, of: 2 };
    let mut parts = Prefetch::train_parts(batcher.clone(), part, 0, 2, 1);
    assert_eq!(parts.next().unwrap().unwrap(), batcher.train_part(0, 2, part).unwrap());
    assert_eq!(parts.next().unwrap().unwrap(), batcher.train_part(1, 0, part).unwrap());
}

#[test]
fn images_that_are_held_out_are_in_no_training_batch() {
    let (_dir, all) = batcher(config(4));
    let [train, validation] = HeldOut { fraction: 0.3, most: 100, seed: 5 }.divide(COUNT);
    assert_eq!((train.len(), validation.len()), (16, 7));
    let parts = [&train, &validation].map(|indices| all.clone().only(indices.clone()));
    for (part, indices) in parts.iter().zip([&train, &validation]) {
        assert_eq!((part.len(), part.batches_per_epoch()), (indices.len(), indices.len().div_ceil(4)));
        let seen = images((0..part.batches_per_epoch()).map(|index| part.train_batch(3, index).unwrap()));
        let mut seen: Vec<usize> = seen.into_keys().collect();
        seen.sort();
        assert_eq!(&seen, indices);
        // An image looks as it does among all.
        let everywhere = images((0..all.eval_batches()).map(|index| all.eval_batch(index).unwrap()));
        let here = images((0..part.eval_batches()).map(|index| part.eval_batch(index).unwrap()));
        assert!(here.iter().all(|(index, pixels)| everywhere[index] == *pixels));
    }
    let fingerprints: Vec<String> = [&all, &parts[0], &parts[1]].map(|part| part.fingerprint()).to_vec();
    assert!(fingerprints[0] != fingerprints[1] && fingerprints[1] != fingerprints[2], "{fingerprints:?}");
    let [_, other] = HeldOut { fraction: 0.3, most: 100, seed: 6 }.divide(COUNT);
    assert_ne!(other, validation);
}

#[test]
fn a_set_may_have_validation_images_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    for (split, count) in [(Split::Train, 9), (Split::Validation, 5), (Split::Test, 3)] {
        synthetic::write_dataset(dir.path(), split, SHAPE, 256, count, CodecKind::Raw).unwrap();
    }
    assert_eq!(Split::POSSIBLE.map(|split| ImageDataset::open(dir.path(), split).unwrap().len()), [9, 5, 3]);
}
