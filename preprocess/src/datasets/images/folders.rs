//! Splits and classes by the folders that pictures lie in.

use crate::messages::text::shown;
use crate::sources::left_out::Reason;
use crate::sources::pictures::Pictures;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::path::Component;

/// The purpose of a folder at the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Train,
    Test,
    Validation,
}

fn named(folder: &str) -> Option<Named> {
    match folder.to_ascii_lowercase().as_str() {
        "train" | "training" => Some(Named::Train),
        "test" | "testing" => Some(Named::Test),
        "val" | "valid" | "validation" | "dev" => Some(Named::Validation),
        _ => None,
    }
}

/// The folders around a picture, the outermost first.
fn folders(pictures: &Pictures, i: usize) -> Vec<String> {
    let parts = pictures.within(i).parent().into_iter().flat_map(|path| path.components());
    parts
        .filter(|part| matches!(part, Component::Normal(_)))
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect()
}

fn split_of(pictures: &Pictures, i: usize) -> Option<Named> {
    folders(pictures, i).first().and_then(|folder| named(folder))
}

/// Leaves out pictures that are in no split, or in no class, if these are told by folders. Otherwise says whether there are
/// folders of splits.
///
/// # Errors
/// If no picture is left.
pub fn leave_out(pictures: &mut Pictures, splits: bool, classes: bool) -> Result<bool> {
    let has = |pictures: &Pictures, split| (0..pictures.len()).any(|i| split_of(pictures, i) == Some(split));
    let tests = has(pictures, Named::Test);
    if !splits {
        let mixed = has(pictures, Named::Train) && (tests || has(pictures, Named::Validation));
        if classes {
            pictures.leave_out(|pictures, i| folders(pictures, i).is_empty().then_some(Reason::NoClass));
            pictures.check_some().context("no picture lies in a folder that could be its class")?;
        }
        return Ok(mixed);
    }
    pictures.leave_out(|pictures, i| match split_of(pictures, i) {
        Some(Named::Train | Named::Test) => None,
        Some(Named::Validation) if !tests => None,
        _ => Some(Reason::NoSplit),
    });
    if classes {
        pictures.leave_out(|pictures, i| (folders(pictures, i).len() < 2).then_some(Reason::NoClass));
    }
    let trains = has(pictures, Named::Train);
    let n_train = (0..pictures.len()).filter(|&i| split_of(pictures, i) == Some(Named::Train)).count();
    ensure!(
        trains && n_train < pictures.len(),
        "--splits folders: pictures are needed in the folders train and test (or val); {n_train} are in train, {} in test",
        pictures.len() - n_train
    );
    Ok(false)
}

/// The split and class of each picture, by its folders.
pub struct Folders {
    /// Whether it is for testing, if folders tell the splits.
    pub is_test: Vec<bool>,
    /// Its class, if folders tell the classes.
    pub labels: Option<Vec<u32>>,
    /// The classes' names, in order.
    pub names: Option<Vec<String>>,
}

impl Folders {
    /// Reads the folders of pictures for which [`leave_out`] has left none without.
    ///
    /// # Errors
    /// If there is only one class, or the names of two differ only in bytes that are not UTF-8.
    pub fn find(pictures: &Pictures, splits: bool, classes: bool) -> Result<Self> {
        let all: Vec<_> = (0..pictures.len()).map(|i| folders(pictures, i)).collect();
        let is_test = all.iter().map(|folders| splits && folders.first().and_then(|f| named(f)) != Some(Named::Train)).collect();
        if !classes {
            return Ok(Folders { is_test, labels: None, names: None });
        }
        let at = usize::from(splits);
        let class = |folders: &Vec<String>| folders.get(at).cloned().unwrap_or_default();
        let names: Vec<_> = all.iter().map(class).collect::<BTreeSet<_>>().into_iter().collect();
        let unreadable = names.iter().find(|name| name.contains(char::REPLACEMENT_CHARACTER));
        ensure!(
            unreadable.is_none(),
            "the name of a class's folder is not UTF-8: {}; rename it",
            shown(unreadable.map_or("", |n| n))
        );
        ensure!(
            names.len() > 1,
            "all pictures lie in one folder, {}: one class; give the folder that holds the folders of the classes",
            shown(names.first().map_or("", |name| name))
        );
        let label = |folders: &Vec<String>| names.binary_search(&class(folders)).unwrap_or(0) as u32;
        let labels = all.iter().map(label).collect();
        Ok(Folders { is_test, labels: Some(labels), names: Some(names) })
    }
}
