//! Images are read as they were written, whatever the codec, shape, levels and number of threads.

use datasets::shards::synthetic;
use datasets::{CodecKind, DatasetError, ImageDataset, ImageShape, Manifest, Provenance, ShardWriter, ShardWriterConfig, Split};
use std::path::Path;
use std::time::Duration;

fn shape(channels: usize, height: usize, width: usize) -> ImageShape {
    ImageShape { channels, height, width }
}

fn config(shape: ImageShape, levels: u32) -> ShardWriterConfig {
    ShardWriterConfig {
        name: "test".into(),
        split: Split::Train,
        shape,
        levels,
        codec: CodecKind::MedZstd1,
        provenance: Provenance::default(),
        images_per_shard: Some(3),
        overwrite: false,
    }
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn every_codec_shape_and_level_comes_back() {
    for codec in CodecKind::ALL {
        for shape in [shape(1, 1, 1), shape(3, 1, 1), shape(1, 5, 1), shape(3, 7, 5), shape(2, 4, 6), shape(3, 32, 32)] {
            for levels in [2, 17, 32, 256] {
                let dir = tempfile::tempdir().unwrap();
                // 7 images in a shard: the last of three is not full.
                let written = synthetic::write_dataset(dir.path(), Split::Test, shape, levels, 17, codec).unwrap();
                let dataset = ImageDataset::open(dir.path(), Split::Test).unwrap();
                assert_eq!(*dataset.manifest(), written);
                assert_eq!((dataset.len(), dataset.shape(), dataset.levels()), (17, shape, levels));
                assert_eq!(written.shards.iter().map(|s| s.count).collect::<Vec<_>>(), [7, 7, 3]);
                for i in [16, 0, 7, 6, 13, 14, 1] {
                    assert_eq!(dataset.image(i).unwrap(), synthetic::image(shape, levels, i), "{codec} {shape} {i}");
                    assert_eq!(dataset.label(i), Some(synthetic::label(i)));
                }
                assert!(matches!(dataset.image(17), Err(DatasetError::ImageIndex { index: 17, len: 17, .. })));
                assert_eq!(dataset.label(17), None);
                let mut short = vec![0; shape.len() + 1];
                assert!(matches!(dataset.read_into(0, &mut short), Err(DatasetError::ImageLen { .. })));
            }
        }
    }
}

#[test]
fn images_without_labels_have_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = ShardWriter::create(dir.path(), config(shape(1, 1, 2), 4)).unwrap();
    writer.push(&[1, 3], None).unwrap();
    let error = writer.push(&[1, 3], Some(1)).unwrap_err();
    assert!(matches!(error, DatasetError::MixedLabels { index: 1, .. }), "{error}");
    assert!(!writer.finish().unwrap().labelled);
    let dataset = ImageDataset::open(dir.path(), Split::Train).unwrap();
    assert_eq!((dataset.image(0).unwrap(), dataset.label(0)), (vec![1, 3], None));
}

#[test]
fn files_do_not_depend_on_the_number_of_threads() {
    let shape = shape(3, 16, 16);
    let write = |threads| {
        let dir = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let config = ShardWriterConfig { images_per_shard: Some(300), ..config(shape, 256) };
        pool.install(|| {
            let mut writer = ShardWriter::create(dir.path(), config).unwrap();
            (0..700).for_each(|i| writer.push(&synthetic::image(shape, 256, i), Some(1)).unwrap());
            writer.finish().unwrap();
        });
        files(dir.path())
    };
    let (one, three) = (write(1), write(3));
    assert_eq!(one.len(), 4);
    assert!(one == three);
}

#[test]
fn wrong_images_are_refused_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = ShardWriter::create(dir.path(), config(shape(1, 2, 3), 17)).unwrap();
    writer.push(&[16; 6], Some(0)).unwrap();
    let error = writer.push(&[0, 1, 2, 3, 17, 16], Some(0)).unwrap_err();
    let DatasetError::PixelValue { index: 1, position: 4, value: 17, levels: 17, .. } = error else {
        panic!("{error}");
    };
    let error = writer.push(&[0; 5], Some(0)).unwrap_err();
    assert!(matches!(error, DatasetError::ImageLen { index: 1, expected: 6, got: 5 }), "{error}");
    assert_eq!(writer.finish().unwrap().count, 1);
}

#[test]
fn settings_outside_the_format_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let broken = [
        config(shape(1, 2, 3), 1),
        config(shape(1, 2, 3), 257),
        config(shape(0, 2, 3), 256),
        config(shape(usize::MAX, 2, 3), 256),
        ShardWriterConfig { images_per_shard: Some(0), ..config(shape(1, 2, 3), 256) },
    ];
    for config in broken {
        let result = ShardWriter::create(dir.path(), config.clone());
        assert!(matches!(result, Err(DatasetError::Setting { .. })), "{config:?}");
    }
}

#[test]
fn nothing_is_left_of_an_unfinished_split() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = ShardWriter::create(dir.path(), config(shape(1, 1, 1), 256)).unwrap();
    (0..10).for_each(|i| writer.push(&[i], None).unwrap());
    assert_eq!(files(dir.path()).len(), 3, "shards are written while images arrive");
    assert!(matches!(ImageDataset::open(dir.path(), Split::Train), Err(DatasetError::NotFound { .. })));
    drop(writer);
    assert_eq!(files(dir.path()), []);

    let empty = ShardWriter::create(dir.path(), config(shape(1, 1, 1), 256)).unwrap();
    assert!(matches!(empty.finish(), Err(DatasetError::Empty { .. })));
    assert_eq!(files(dir.path()), []);
}

#[test]
fn a_complete_split_is_replaced_only_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let write = |n: u8, overwrite| -> Result<Manifest, DatasetError> {
        let config = ShardWriterConfig { overwrite, ..config(shape(1, 1, 1), 256) };
        let mut writer = ShardWriter::create(dir.path(), config)?;
        (0..n).try_for_each(|i| writer.push(&[i + n], None))?;
        writer.finish()
    };
    write(10, false).unwrap();
    assert!(matches!(write(2, false), Err(DatasetError::Exists { .. })));
    assert_eq!(ImageDataset::open(dir.path(), Split::Train).unwrap().len(), 10);
    let old = ImageDataset::open(dir.path(), Split::Train).unwrap();
    write(2, true).unwrap();
    assert_eq!(files(dir.path()).len(), 2, "shards of the earlier split are gone");
    assert_eq!(ImageDataset::open(dir.path(), Split::Train).unwrap().image(1).unwrap(), [3]);
    if cfg!(unix) {
        assert_eq!(old.image(9).unwrap(), [19], "a reader keeps the files it opened");
    }
}

#[test]
fn one_dataset_serves_many_threads() {
    let dir = tempfile::tempdir().unwrap();
    let shape = shape(3, 8, 8);
    synthetic::write_dataset(dir.path(), Split::Train, shape, 256, 50, CodecKind::MedZstd1).unwrap();
    let dataset = ImageDataset::open(dir.path(), Split::Train).unwrap();
    std::thread::scope(|scope| {
        for offset in 0..4 {
            let dataset = &dataset;
            scope.spawn(move || {
                for i in (0..200).map(|i| (i * 7 + offset) % 50) {
                    assert_eq!(synthetic::index_of(shape, 256, &dataset.image(i).unwrap()), Some(i));
                    if i == 3 {
                        std::thread::sleep(Duration::from_micros(50));
                    }
                }
            });
        }
    });
}
