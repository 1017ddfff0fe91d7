//! Random data sets, and random changes of their files: images come back as they were written, or not at all.

use crate::random::config;
use datasets::shards::codec::Codec;
use datasets::{CodecKind, DatasetError, ImageDataset, ImageShape, Manifest, Provenance, ShardWriter, ShardWriterConfig, Split};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::path::{Path, PathBuf};

/// A split as somebody may write it.
#[derive(Clone, Debug)]
struct Written {
    shape: ImageShape,
    levels: u32,
    codec: CodecKind,
    images_per_shard: usize,
    images: Vec<Vec<u8>>,
    labels: Option<Vec<u32>>,
}

impl Written {
    fn write(&self, dir: &Path) -> Manifest {
        let config = ShardWriterConfig {
            name: "random".into(),
            split: Split::Train,
            shape: self.shape,
            levels: self.levels,
            codec: self.codec,
            provenance: Provenance::default(),
            images_per_shard: Some(self.images_per_shard),
            overwrite: false,
        };
        let mut writer = ShardWriter::create(dir, config).expect("settings within the format");
        for (i, image) in self.images.iter().enumerate() {
            writer.push(image, self.labels.as_ref().map(|labels| labels[i])).expect("an image that fits");
        }
        writer.finish().expect("the temporary directory can be written")
    }

    /// Reads everything: each image and label is the written one, or an error.
    fn read(&self, dir: &Path) -> Result<(), DatasetError> {
        let dataset = ImageDataset::open(dir, Split::Train)?;
        assert_eq!((dataset.len(), dataset.shape(), dataset.levels()), (self.images.len(), self.shape, self.levels));
        let mut result = Ok(());
        for (i, image) in self.images.iter().enumerate() {
            match dataset.image(i) {
                Ok(read) => assert_eq!(read, *image, "a wrong image was returned"),
                Err(error) => result = Err(error),
            }
            assert_eq!(dataset.label(i), self.labels.as_ref().map(|labels| labels[i]), "a wrong label was returned");
        }
        result
    }
}

fn shape() -> impl Strategy<Value = ImageShape> {
    let side = 1usize..7;
    (1usize..5, side.clone(), side).prop_map(|(channels, height, width)| ImageShape { channels, height, width })
}

fn written() -> impl Strategy<Value = Written> {
    let sizes = (shape(), 2u32..=256, select(&CodecKind::ALL[..]), 1usize..5, 1usize..9);
    sizes.prop_flat_map(|(shape, levels, codec, images_per_shard, n)| {
        let pixel = (0..levels).prop_map(|value| value as u8);
        // Flat images, which compress, and noise, which does not.
        let flat = pixel.clone().prop_map(move |value| vec![value; shape.len()]);
        let image = prop_oneof![flat, prop::collection::vec(pixel, shape.len())];
        let labels = prop::option::of(prop::collection::vec(any::<u32>(), n));
        (prop::collection::vec(image, n), labels).prop_map(move |(images, labels)| Written {
            shape,
            levels,
            codec,
            images_per_shard,
            images,
            labels,
        })
    })
}

/// A change of a file.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Change::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Change::Repeat(from, to) => {
                let last = bytes.len() - 8;
                let (from, to) = (from.index(last + 1), to.index(last + 1));
                bytes.copy_within(from..from + 8, to);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (any::<Index>(), 1u8..=255).prop_map(|(at, bits)| Change::Flip(at, bits)),
        1 => any::<Index>().prop_map(Change::Cut),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, more)| Change::Insert(at, more)),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
    ]
}

fn apply(changes: &[Change], bytes: &mut Vec<u8>) {
    for change in changes {
        if bytes.len() >= 8 {
            change.apply(bytes);
        }
    }
}

fn shards(dir: &Path, manifest: &Manifest) -> Vec<PathBuf> {
    manifest.shards.iter().map(|entry| dir.join(&entry.file)).collect()
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn what_is_written_is_read(written in written()) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let manifest = written.write(dir.path());
        prop_assert_eq!(manifest.count, written.images.len());
        prop_assert_eq!(manifest.shards.len(), written.images.len().div_ceil(written.images_per_shard));
        written.read(dir.path()).expect("a whole data set");
        prop_assert_eq!(Manifest::read(dir.path(), Split::Train).expect("a manifest"), manifest);
    }

    /// Shards are covered by checksums: a changed one gives errors or the images that were written.
    #[test]
    fn changed_shards_never_give_other_images(written in written(), which: Index, changes in prop::collection::vec(change(), 1..4)) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let shards = shards(dir.path(), &written.write(dir.path()));
        let path = which.get(&shards);
        let good = std::fs::read(path).expect("a shard");
        let mut bad = good.clone();
        apply(&changes, &mut bad);
        std::fs::write(path, &bad).expect("the temporary directory can be written");
        if let Err(error) = written.read(dir.path()) {
            prop_assert!(error.to_string().contains(&path.display().to_string()), "{}", error);
        } else if bad.len() != good.len() {
            prop_assert!(false, "a shard of another length was accepted");
        }
    }

    /// Manifests are read by people and have no checksum: a changed one gives an error, or a data set that can be read without
    /// a panic.
    #[test]
    fn changed_manifests_are_errors_or_data_sets(written in written(), changes in prop::collection::vec(change(), 1..4)) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        written.write(dir.path());
        let path = dir.path().join("train.json");
        let mut json = std::fs::read(&path).expect("a manifest");
        apply(&changes, &mut json);
        std::fs::write(&path, &json).expect("the temporary directory can be written");
        if let Ok(dataset) = ImageDataset::open(dir.path(), Split::Train) {
            for i in 0..dataset.len() {
                if let Ok(image) = dataset.image(i) {
                    prop_assert!(image.len() == dataset.shape().len());
                }
            }
        }
    }

    /// A decoder that is given any bytes returns an error or fills the image; it does not panic.
    #[test]
    fn decoders_take_any_bytes(kind in select(&CodecKind::ALL[..]), shape in shape(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut codec = Codec::new(kind, shape).expect("a codec");
        let mut image = vec![0; shape.len()];
        let decoded = codec.decode(&bytes, &mut image);
        if kind == CodecKind::Raw {
            prop_assert_eq!(decoded.is_ok(), bytes.len() == shape.len());
        }
    }
}
