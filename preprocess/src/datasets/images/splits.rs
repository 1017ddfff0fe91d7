//! Which pictures are for testing.

use super::check::Checked;
use super::folders::Folders;
use crate::messages::text::shown;
use crate::messages::text::thousands;
use crate::sources::pictures::Pictures;
use datasets::io::console;
use std::collections::HashMap;

/// Names of classes that are told.
const TOLD: usize = 10;

/// Whether each picture is for testing: the last of each `every` pictures in order, or of each `every` of a class. Pictures with
/// the same pixels are in the split of the first of them, unless no picture would be for testing then.
pub fn every(every: usize, checked: &[Checked], labels: Option<&[u32]>) -> Vec<bool> {
    let together = count(every, checked.iter().map(|checked| Some(checked.fingerprint)), labels);
    if together.contains(&true) { together } else { count(every, checked.iter().map(|_| None), labels) }
}

/// Whether each picture is the last of `every`. A fingerprint of `None` belongs to a picture without copies.
fn count(every: usize, fingerprints: impl Iterator<Item = Option<u128>>, labels: Option<&[u32]>) -> Vec<bool> {
    let mut first: HashMap<u128, bool> = HashMap::new();
    let mut counts: HashMap<Option<u32>, usize> = HashMap::new();
    let is_test = |(i, fingerprint): (usize, Option<u128>)| {
        let mut is_next = || {
            let count = counts.entry(labels.map(|labels| labels[i])).or_default();
            *count += 1;
            count.is_multiple_of(every)
        };
        match fingerprint {
            Some(fingerprint) => *first.entry(fingerprint).or_insert_with(is_next),
            None => is_next(),
        }
    };
    fingerprints.enumerate().map(is_test).collect()
}

/// Says which pictures have the same pixels, and which classes are missing from a split.
pub fn tell(pictures: &Pictures, checked: &[Checked], is_test: &[bool], folders: &Folders) {
    let mut first: HashMap<u128, usize> = HashMap::new();
    let copies = checked.iter().enumerate().filter_map(|(i, checked)| {
        let original = *first.entry(checked.fingerprint).or_insert(i);
        (original != i).then_some((i, original))
    });
    let (beside, across): (Vec<_>, Vec<_>) = copies.partition(|&(copy, original)| is_test[copy] == is_test[original]);
    let class = |i: usize| folders.labels.as_ref().map(|labels| labels[i]);
    let both = beside.iter().chain(&across).copied();
    let others: Vec<_> = both.filter(|&(copy, original)| class(copy) != class(original)).collect();
    for (copies, told, more) in [
        (beside, "note", "another of their split"),
        (across, "warning", "one of the other split, so the test is not fair"),
        (others, "warning", "one of another class"),
    ] {
        if let Some(&(copy, original)) = copies.first() {
            let [copy, original] = [copy, original].map(|i| shown(&pictures.within(i).to_string_lossy()));
            console::note(format_args!(
                "{told}: {} pictures have the same pixels as {more}; the first: {copy} = {original}",
                thousands(copies.len())
            ));
        }
    }
    if let (Some(names), Some(labels)) = (&folders.names, &folders.labels) {
        tell_missing(names, labels, is_test);
    }
}

fn tell_missing(names: &[String], labels: &[u32], is_test: &[bool]) {
    for (split, test) in [("training", false), ("testing", true)] {
        let mut is_there = vec![false; names.len()];
        labels
            .iter()
            .zip(is_test)
            .filter(|&(_, is_test)| *is_test == test)
            .for_each(|(&label, _)| is_there[label as usize] = true);
        let missing: Vec<_> = names.iter().zip(is_there).filter(|(_, is_there)| !is_there).map(|(name, _)| shown(name)).collect();
        if !missing.is_empty() {
            let told = missing[..missing.len().min(TOLD)].join(", ");
            let more = if missing.len() > TOLD { ", …" } else { "" };
            let (n, of) = (missing.len(), names.len());
            console::note(format_args!("warning: {n} of {of} classes have no picture for {split}: {told}{more}"));
        }
    }
}
