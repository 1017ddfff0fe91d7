//! The arguments of the reference implementation's scripts, which its checkpoints keep.

use anyhow::{Context, Result, bail};
use datasets::io::pickle::Item;

/// No argument of a run that was made is larger.
const MAX_SIZE: usize = 1 << 31;

/// The `args` of a checkpoint, an `argparse.Namespace`. What is not in it has the script's default.
pub struct ScriptArguments<'p, 'a> {
    arguments: Item<'p, 'a>,
}

impl<'p, 'a> ScriptArguments<'p, 'a> {
    /// Of the object that was saved.
    ///
    /// # Errors
    /// If it has none.
    pub fn of(root: Item<'p, 'a>) -> Result<Self> {
        let Some(arguments) = root.get("args") else {
            bail!("it has no `args`, which say what model it is: it was not written by train_img.py or train_toy.py");
        };
        let class = arguments.object().and_then(|object| object.class_name());
        if class.as_deref() != Some("argparse.Namespace") && arguments.entries().is_none() {
            bail!("its `args` are {}, expected an argparse.Namespace", arguments.kind());
        }
        Ok(Self { arguments })
    }

    /// Whether there is an argument of this name.
    pub fn has(&self, name: &str) -> bool {
        self.arguments.get(name).is_some()
    }

    /// A whole number from 0 up.
    pub fn size(&self, name: &str, default: usize) -> Result<usize> {
        self.read(name, "a whole number from 0 to 2^31", size).map(|value| value.unwrap_or(default))
    }

    /// A whole number from 0 up, or `None`.
    pub fn optional_size(&self, name: &str) -> Result<Option<usize>> {
        let read = |item: Item| if item.is_none() { Some(None) } else { size(item).map(Some) };
        self.read(name, "a whole number from 0 to 2^31, or None", read).map(Option::flatten)
    }

    /// A real number.
    pub fn number(&self, name: &str, default: f64) -> Result<f64> {
        self.read(name, "a finite number", |item| item.number().filter(|value| value.is_finite()))
            .map(|value| value.unwrap_or(default))
    }

    /// A real number, or `None`.
    pub fn optional_number(&self, name: &str) -> Result<Option<f64>> {
        let read =
            |item: Item| if item.is_none() { Some(None) } else { item.number().filter(|value| value.is_finite()).map(Some) };
        self.read(name, "a finite number, or None", read).map(Option::flatten)
    }

    /// `True` or `False`.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool> {
        self.read(name, "True or False", |item| item.bool()).map(|value| value.unwrap_or(default))
    }

    /// A string.
    pub fn text(&self, name: &str, default: &str) -> Result<String> {
        self.read(name, "a string", |item| item.text().map(String::from)).map(|value| value.unwrap_or_else(|| default.into()))
    }

    /// Whole numbers in a string, such as `16-16-16`.
    pub fn sizes(&self, name: &str, default: &str) -> Result<Vec<usize>> {
        let text = self.text(name, default)?;
        let sizes: Option<Vec<usize>> = text.split('-').map(|part| part.parse().ok()).collect();
        sizes.with_context(|| format!("its argument `{name}` is {text:?}, expected whole numbers such as \"16-16\""))
    }

    fn read<T>(&self, name: &str, expected: &str, read: impl Fn(Item) -> Option<T>) -> Result<Option<T>> {
        let Some(item) = self.arguments.get(name) else { return Ok(None) };
        let value = read(item).with_context(|| format!("its argument `{name}` is {}, expected {expected}", item.kind()))?;
        Ok(Some(value))
    }
}

fn size(item: Item) -> Option<usize> {
    item.size().filter(|&size| size <= MAX_SIZE)
}
