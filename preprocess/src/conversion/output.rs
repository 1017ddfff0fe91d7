//! The output of all converters: options, writing, and the closing line.

use crate::conversion::files::check_dir;
use crate::messages::fault;
use crate::messages::progress;
use crate::messages::text;
use crate::sources::part::Part;
use anyhow::{Context, Result, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use datasets::io::console::{note, print};
use datasets::shards::build::{self, BuildConfig, ImageSource, Progress};
use datasets::shards::{format, staging};
use datasets::{CodecKind, HeldOut, ImageShape, Manifest, Provenance, Split};
use indicatif::ProgressBar;
use process_group::ProcessGroup;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of bytes by which a manifest is recognised.
const MANIFEST_START: u64 = 1 << 12;
/// Threads at most: more of them only wait for each other.
const MAX_JOBS: u64 = 1024;

/// Options of every converter that say how its results are written.
#[derive(clap::Args, Clone, Debug)]
pub struct OutputArgs {
    /// Directory to write to [default: where the configurations look, such as data/cifar10].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How to store images.
    #[arg(long, value_parser = codec_parser(), default_value = CodecKind::default().name())]
    codec: CodecKind,
    /// Replace a complete data set.
    #[arg(long)]
    force: bool,
    /// Take only the first N images of each split.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Shards to make at the same time, by each process [default: one for each processor].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_JOBS))]
    jobs: Option<u64>,
    /// Images in a shard [default: 64 MB of pixels, at most 10,000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    images_per_shard: Option<u64>,
    /// Hold N of the training images out as a split `validation` of their own.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    validation: Option<u64>,
    /// Decides which images are held out.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "validation")]
    validation_seed: u64,
    /// Look at the input and say what would be written, but write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// The codecs by their names in files.
fn codec_parser() -> impl TypedValueParser<Value = CodecKind> {
    let names = CodecKind::ALL.map(|codec| PossibleValue::new(codec.name()).help(codec.description()));
    PossibleValuesParser::new(names).try_map(|name| CodecKind::from_name(&name).ok_or("no such codec"))
}

impl OutputArgs {
    /// How many of `available` images to take.
    pub fn limit(&self, available: usize) -> usize {
        self.limit.and_then(|n| usize::try_from(n).ok()).map_or(available, |n| n.min(available))
    }

    /// Threads to work with; 0: one for each processor.
    pub fn jobs(&self) -> usize {
        self.jobs.and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }

    /// Whether `--force` was given.
    pub fn force(&self) -> bool {
        self.force
    }
}

/// A description of the inputs: names, sizes and dates of the files.
#[derive(Default)]
pub struct Inputs(String);

impl Inputs {
    /// Adds a file or directory.
    ///
    /// # Errors
    /// If it cannot be inspected.
    pub fn add(&mut self, path: &Path) -> Result<()> {
        let metadata = std::fs::metadata(path).with_context(|| format!("cannot inspect {}", path.display()))?;
        let time = metadata.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        // A whole path: the same names elsewhere may be other files.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
        let _ = writeln!(self.0, "{path:?} {} {:?}", metadata.len(), time.map(|t| t.as_nanos()));
        Ok(())
    }
}

/// A data set about to be written.
pub struct Output {
    dir: PathBuf,
    made_dir: bool,
    name: String,
    provenance: Provenance,
    args: OutputArgs,
}

impl Output {
    /// Decides where to write and refuses at once if a data set is there already.
    ///
    /// # Errors
    /// If there is one and `--force` was not given.
    pub fn new(args: &OutputArgs, name: impl Into<String>, mut provenance: Provenance) -> Result<Self> {
        let name = name.into();
        let dir = args.out.clone().unwrap_or_else(|| Path::new("data").join(&name));
        provenance.tool = concat!("preprocess ", env!("CARGO_PKG_VERSION")).into();
        if let Some(limit) = args.limit {
            let note = format!("Only the first {limit} images of each split.");
            provenance.notes = format!("{} {note}", provenance.notes).trim().into();
        }
        check_dir(&dir)?;
        refuse_foreign(&dir)?;
        build::refuse_existing(&dir, args.force).context("nothing was written (--force overwrites)")?;
        Ok(Output { made_dir: !dir.exists(), dir, name, provenance, args: args.clone() })
    }

    /// Adds a sentence to the notes of the manifests.
    pub fn note(&mut self, sentence: &str) {
        self.provenance.notes = format!("{} {sentence}", self.provenance.notes).trim().into();
    }

    /// Writes all splits, each process of a group its part. An interrupted run is continued by the next one that has the same
    /// inputs and options.
    ///
    /// # Errors
    /// If the input is faulty: nothing is left then. If the machine fails: finished shards are kept.
    pub fn write(
        mut self,
        group: &ProcessGroup,
        shape: ImageShape,
        levels: u32,
        inputs: Inputs,
        sources: &[&dyn ImageSource<anyhow::Error>],
    ) -> Result<()> {
        let parts = self.held_out(sources)?;
        let whole = sources.iter().copied().filter(|source| parts.is_empty() || source.split() != Split::Train);
        let sources: Vec<&dyn ImageSource<anyhow::Error>> = parts.iter().map(|part| part as _).chain(whole).collect();
        let sources = sources.as_slice();
        let config = self.config(shape, levels, inputs);
        if self.args.dry_run {
            if group.is_root() {
                self.announce(&config, sources)?;
            }
            return Ok(());
        }
        if group.is_root() {
            on_interrupt(&self.dir);
        }
        let bar = self.bar(group, sources);
        let kept = AtomicUsize::new(0);
        let result = build::build(&self.dir, &config, sources, group, &|progress| match progress {
            Progress::Image => bar.inc(1),
            Progress::Kept(n) => {
                kept.fetch_add(n, Ordering::Relaxed);
                bar.inc(n as u64);
            }
        });
        bar.finish_and_clear();
        let manifests = result.map_err(|error| self.clean_up(error))?;
        let kept: f64 = group.all_reduce(vec![kept.into_inner() as f64])?.into_iter().sum();
        if group.is_root() {
            if kept > 0.0 {
                note(format_args!("{} images were kept from an interrupted run", text::thousands(kept as usize)));
            }
            self.report(&manifests)?;
        }
        Ok(())
    }

    /// The training images without those that are held out, and these, if any are to be.
    fn held_out<'a>(&mut self, sources: &[&'a dyn ImageSource<anyhow::Error>]) -> Result<Vec<Part<'a>>> {
        let Some(n) = self.args.validation.map(|n| usize::try_from(n).unwrap_or(usize::MAX)) else { return Ok(Vec::new()) };
        let of_split = |split| sources.iter().copied().find(|source| source.split() == split);
        ensure!(of_split(Split::Validation).is_none(), "--validation: the input has validation images of its own; leave it out");
        let train = of_split(Split::Train).context("--validation: the input has no training images to hold out from")?;
        let (count, seed) = (train.count(), self.args.validation_seed);
        let [held, all] = [n, count].map(text::thousands);
        ensure!(n < count, "--validation: {held} images cannot be held out of {all} training images; give a smaller number");
        self.note(&format!(
            "Validation: {held} of {all} training images, chosen at random with the seed {seed}, are a split of their own."
        ));
        let [training, validation] = HeldOut { fraction: 1.0, most: n, seed }.divide(count);
        Ok(vec![Part::new(train, Split::Train, training), Part::new(train, Split::Validation, validation)])
    }

    fn config(&self, shape: ImageShape, levels: u32, inputs: Inputs) -> BuildConfig {
        let number = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok());
        BuildConfig {
            name: self.name.clone(),
            shape,
            levels,
            codec: self.args.codec,
            provenance: self.provenance.clone(),
            images_per_shard: number(self.args.images_per_shard),
            overwrite: self.args.force,
            jobs: self.args.jobs(),
            inputs: inputs.0,
        }
    }

    /// The progress of rank 0, which has about as many images as the others.
    fn bar(&self, group: &ProcessGroup, sources: &[&dyn ImageSource<anyhow::Error>]) -> ProgressBar {
        if !group.is_root() {
            return ProgressBar::hidden();
        }
        let images: usize = sources.iter().map(|source| source.count()).sum();
        progress::bar(images.div_ceil(group.size()), self.name.clone())
    }

    /// Removes unusable files, and says which shards were kept.
    fn clean_up(&self, error: anyhow::Error) -> anyhow::Error {
        if matches!(error.downcast_ref(), Some(datasets::DatasetError::Busy { .. })) {
            return error;
        }
        let unfinished = format::unfinished_dir(&self.dir);
        if fault::is_machine(&error) && unfinished.exists() {
            let dir = unfinished.display();
            return error.context(format!("not finished; {dir} keeps finished shards for when you give the same command again"));
        }
        // There is nothing to add to the error if this fails as well.
        let _ = staging::discard(&self.dir);
        if self.made_dir {
            // Only if it is empty.
            let _ = std::fs::remove_dir(&self.dir);
        }
        error
    }

    fn announce(&self, config: &BuildConfig, sources: &[&dyn ImageSource<anyhow::Error>]) -> Result<()> {
        let counts: Vec<_> = sources.iter().map(|s| format!("{} {}", text::thousands(s.count()), s.split())).collect();
        let images: usize = sources.iter().map(|s| s.count()).sum();
        let bytes = text::size(images as u64 * config.shape.len() as u64);
        Ok(print(format_args!(
            "would write {}: {} images of {}, {} levels, {bytes} before compression ({}), to {}",
            self.name,
            counts.join(" + "),
            config.shape,
            config.levels,
            config.codec,
            self.dir.display()
        ))?)
    }

    fn report(&self, manifests: &[Manifest]) -> Result<()> {
        let counts = manifests.iter().map(|m| format!("{} {}", text::thousands(m.count), m.split));
        let bytes = manifests.iter().map(Manifest::bytes).sum();
        Ok(print(format_args!(
            "{}: {} images, {} in {} shards, {} of raw, in {}",
            self.name,
            counts.collect::<Vec<_>>().join(" + "),
            text::size(bytes),
            manifests.iter().map(|m| m.shards.len()).sum::<usize>(),
            text::percent(bytes, manifests.iter().map(Manifest::raw_bytes).sum()),
            self.dir.display()
        ))?)
    }
}

/// Refuses a directory with a file of somebody else's that has the name of a manifest, such as annotations in `train.json`:
/// not even `--force` replaces it.
fn refuse_foreign(dir: &Path) -> Result<()> {
    for path in Split::POSSIBLE.map(|split| format::manifest_path(dir, split)) {
        if !path.is_file() {
            continue;
        }
        let mut start = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(MANIFEST_START).read_to_end(&mut start));
        read.with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(
            start.is_empty() || String::from_utf8_lossy(&start).contains("image-shards"),
            "{} is there and is no manifest of shards; it stays, also with --force: choose another directory with --out",
            path.display()
        );
    }
    Ok(())
}

/// On Ctrl-C, says how to go on. Nothing needs to be cleaned up: a stopped run is like a killed one.
fn on_interrupt(dir: &Path) {
    let dir = dir.to_path_buf();
    // Without a handler the process ends as well, only silently.
    let _ = ctrlc::set_handler(move || {
        note(format_args!("\ninterrupted; {} is incomplete, the same command continues it", dir.display()));
        std::process::exit(130);
    });
}
