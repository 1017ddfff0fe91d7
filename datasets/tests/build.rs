//! Data sets with attributes, and what the parallel builder promises.

use datasets::shards::build::{BuildConfig, ImageSource, Progress, Sink, build};
use datasets::shards::synthetic;
use datasets::{CodecKind, DatasetError, ImageDataset, ImageShape, Manifest, Provenance, Split};
use process_group::{ProcessGroup, threaded_group};
use std::ops::Range;
use std::path::Path;

const SHAPE: ImageShape = ImageShape { channels: 3, height: 4, width: 5 };

/// Synthetic images; those numbered in `faulty` cannot be read.
struct Source {
    split: Split,
    count: usize,
    n_attributes: usize,
    faulty: Vec<usize>,
}

impl Source {
    fn new(split: Split, count: usize, n_attributes: usize) -> Self {
        Source { split, count, n_attributes, faulty: Vec::new() }
    }
}

fn attributes(i: usize, n: usize) -> Vec<i8> {
    (0..n).map(|k| (i * 3 + k) as i8).collect()
}

impl ImageSource<DatasetError> for Source {
    fn split(&self) -> Split {
        self.split
    }

    fn count(&self) -> usize {
        self.count
    }

    fn labelled(&self) -> bool {
        true
    }

    fn n_attributes(&self) -> usize {
        self.n_attributes
    }

    fn read(&self, range: Range<usize>, sink: &mut Sink<'_>) -> Result<(), DatasetError> {
        for i in range {
            if self.faulty.contains(&i) {
                return Err(DatasetError::ImageIndex { index: i, split: self.split, len: self.count });
            }
            sink.push(&synthetic::image(SHAPE, 256, i), Some(synthetic::label(i)), &attributes(i, self.n_attributes))?;
        }
        Ok(())
    }
}

fn config(codec: CodecKind, jobs: usize) -> BuildConfig {
    BuildConfig {
        name: "some".into(),
        shape: SHAPE,
        levels: 256,
        codec,
        provenance: Provenance::default(),
        images_per_shard: Some(7),
        overwrite: false,
        jobs,
        inputs: "these".into(),
    }
}

fn make(dir: &Path, config: &BuildConfig, sources: &[Source]) -> Result<Vec<Manifest>, DatasetError> {
    let sources: Vec<_> = sources.iter().map(|s| s as &dyn ImageSource<DatasetError>).collect();
    build(dir, config, &sources, &ProcessGroup::alone(), &|_| {})
}

fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap())
        .map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn attributes_come_back() {
    for codec in CodecKind::ALL {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), &config(codec, 2), &[Source::new(Split::Train, 23, 5), Source::new(Split::Test, 3, 0)]).unwrap();
        let train = ImageDataset::open(dir.path(), Split::Train).unwrap();
        for i in 0..23 {
            assert_eq!(train.image(i).unwrap(), synthetic::image(SHAPE, 256, i));
            assert_eq!((train.label(i), train.attributes(i)), (Some(synthetic::label(i)), Some(attributes(i, 5))));
        }
        assert_eq!(train.attributes(23), None);
        assert_eq!(train.manifest().attributes, 5);
        let test = ImageDataset::open(dir.path(), Split::Test).unwrap();
        assert_eq!(test.attributes(0), Some(Vec::new()));
        assert!(!std::fs::read_to_string(dir.path().join("test.json")).unwrap().contains("attributes"));
    }
}

#[test]
fn attributes_are_a_tensor_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &config(CodecKind::Raw, 1), &[Source::new(Split::Train, 2, 3)]).unwrap();
    let bytes = std::fs::read(dir.path().join("train-00000-of-00001.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor("attributes").unwrap();
    assert_eq!((tensor.dtype(), tensor.shape(), tensor.data()), (safetensors::Dtype::I8, &[2, 3][..], &[0u8, 1, 2, 3, 4, 5][..]));
}

#[test]
fn a_changed_version_or_number_of_attributes_is_refused() {
    for (from, to) in [("\"version\": 3", "\"version\": 2"), ("\"attributes\": 5", "\"attributes\": 4")] {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), &config(CodecKind::Raw, 1), &[Source::new(Split::Train, 2, 5)]).unwrap();
        let path = dir.path().join("train.json");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        std::fs::write(&path, text.replace(from, to)).unwrap();
        assert!(matches!(ImageDataset::open(dir.path(), Split::Train), Err(DatasetError::Mismatch { .. })), "{to}");
    }
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let dirs = [1, 2, 5].map(|jobs| {
        let dir = tempfile::tempdir().unwrap();
        make(
            dir.path(),
            &config(CodecKind::MedZstd1, jobs),
            &[Source::new(Split::Train, 100, 2), Source::new(Split::Test, 30, 2)],
        )
        .unwrap();
        dir
    });
    let [one, two, five] = dirs.each_ref().map(|dir| contents(dir.path()));
    assert_eq!(one.len(), 15 + 5 + 2);
    assert!(one == two && one == five);
}

#[test]
fn the_first_fault_is_reported_with_any_number_of_threads() {
    for jobs in [1, 2, 4, 8] {
        let dir = tempfile::tempdir().unwrap();
        let mut source = Source::new(Split::Train, 300, 0);
        source.faulty = vec![40, 41, 60, 299];
        let error = make(dir.path(), &config(CodecKind::Raw, jobs), &[source]).unwrap_err();
        assert!(matches!(error, DatasetError::ImageIndex { index: 40, .. }), "{jobs}: {error}");
        assert!(matches!(ImageDataset::open(dir.path(), Split::Train), Err(DatasetError::NotFound { .. })));
        // What was whole is kept for a run that succeeds.
        let kept = std::sync::atomic::AtomicUsize::new(0);
        let source = Source::new(Split::Train, 300, 0);
        build(
            dir.path(),
            &config(CodecKind::Raw, jobs),
            &[&source as &dyn ImageSource<DatasetError>],
            &ProcessGroup::alone(),
            &|progress| {
                if let Progress::Kept(n) = progress {
                    kept.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
                }
            },
        )
        .unwrap();
        assert!(kept.into_inner() >= 35);
        assert_eq!(ImageDataset::open(dir.path(), Split::Train).unwrap().len(), 300);
    }
}

/// Builds with `size` processes, which are threads here; `source` gives those of each rank.
fn make_together(
    size: usize,
    dir: &Path,
    source: impl Fn(usize) -> Vec<Source> + Sync,
) -> Vec<Result<Vec<Manifest>, DatasetError>> {
    let work = |group: ProcessGroup| {
        let sources = source(group.rank());
        let sources: Vec<_> = sources.iter().map(|s| s as &dyn ImageSource<DatasetError>).collect();
        build(dir, &config(CodecKind::MedZstd1, 2), &sources, &group, &|_| {})
    };
    let work = &work;
    std::thread::scope(|scope| {
        let members: Vec<_> =
            threaded_group(size).expect("a thread").into_iter().map(|group| scope.spawn(move || work(group))).collect();
        members.into_iter().map(|member| member.join().unwrap()).collect()
    })
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_processes() {
    let sources = |_| vec![Source::new(Split::Train, 100, 2), Source::new(Split::Test, 30, 2)];
    let alone = tempfile::tempdir().unwrap();
    let manifests = make(alone.path(), &config(CodecKind::MedZstd1, 1), &sources(0)).unwrap();
    // The last with fewer shards than processes.
    for size in [2, 3, 25] {
        let dir = tempfile::tempdir().unwrap();
        for result in make_together(size, dir.path(), sources) {
            assert_eq!(result.unwrap(), manifests);
        }
        assert!(contents(dir.path()) == contents(alone.path()), "{size}");
    }
}

#[test]
fn the_first_fault_of_all_processes_is_reported_and_their_shards_are_taken_over() {
    let sources = |faulty: &[usize]| vec![Source { faulty: faulty.to_vec(), ..Source::new(Split::Train, 300, 0) }];
    let dir = tempfile::tempdir().unwrap();
    // In the shards 5 and 8 (both of process 2 of 3) and 42.
    let results = make_together(3, dir.path(), |_| sources(&[40, 60, 299]));
    assert!(matches!(results[2], Err(DatasetError::ImageIndex { index: 40, .. })), "{results:?}");
    assert!(results[..2].iter().all(|result| matches!(result, Err(DatasetError::ProcessGroup(_)))), "{results:?}");
    assert!(matches!(ImageDataset::open(dir.path(), Split::Train), Err(DatasetError::NotFound { .. })));
    // Those before it are not made again: reading their images would be a fault.
    for result in make_together(2, dir.path(), |_| sources(&[0, 10, 20, 30])) {
        result.unwrap();
    }
    let alone = tempfile::tempdir().unwrap();
    make(alone.path(), &config(CodecKind::MedZstd1, 1), &sources(&[])).unwrap();
    assert!(contents(dir.path()) == contents(alone.path()));
}

#[test]
fn processes_with_other_inputs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let results = make_together(2, dir.path(), |rank| vec![Source::new(Split::Train, 100 + rank, 0)]);
    assert!(matches!(results[1], Err(DatasetError::OtherInputs { .. })), "{results:?}");
    assert!(!dir.path().join("train.json").exists());
}
