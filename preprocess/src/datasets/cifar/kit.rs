//! The description of CIFAR-10 or CIFAR-100.

use datasets::ImageShape;

/// Shape of the images.
pub const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };

/// The description of a data set.
pub struct Kit {
    /// Its name, which is that of the directory written to.
    pub name: &'static str,
    /// The name in messages.
    pub title: &'static str,
    /// The prefix of its archives and directories.
    pub prefix: &'static str,
    /// The published archives and the directories unpacked from them: binary, then Python.
    pub names: [&'static str; 4],
    /// Names of the batch files of the Python version; the last is for testing.
    pub stems: &'static [&'static str],
    /// Images in each of them.
    pub counts: &'static [usize],
    /// Bytes before the pixels of an image in the binary version.
    pub label_bytes: usize,
    /// The index of the class among these.
    pub label_byte: usize,
    /// The entry with the classes in the Python version.
    pub label_key: &'static str,
    /// Number of classes.
    pub classes: u8,
    /// The note on the classes in the manifests.
    pub notes: &'static str,
}

impl Kit {
    /// Bytes of a batch file at most: as text, a pickle writes four for each.
    pub fn max_file(&self) -> u64 {
        let images = self.counts.iter().max().copied().unwrap_or(0) as u64;
        4 * images * (SHAPE.len() as u64 + 64)
    }

    /// Number of batch files for training.
    pub fn n_train(&self) -> usize {
        self.stems.len() - 1
    }
}
