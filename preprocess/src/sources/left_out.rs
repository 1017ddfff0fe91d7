//! Files found beside the pictures, and why they are not among them.

use crate::formats::picture::kind::ending;
use crate::messages::text::{shown, thousands};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Names that are told of each reason.
const NAMES: usize = 3;
/// Endings that are told of each reason.
const ENDINGS: usize = 5;

/// Why something is not among the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its name, or that of a folder around it, says that it is not for people.
    Hidden,
    /// It lies in a folder of small copies.
    Thumbnail,
    /// A picture of a format that is not read.
    OtherPicture,
    /// No picture by its name.
    Other,
    /// Nothing is in it.
    Empty,
    /// A link that leads nowhere.
    DeadLink,
    /// The same file, or the same folder, was reached before.
    Again,
    /// A pipe, a device, a socket.
    Special,
    /// It is in none of the folders of the splits.
    NoSplit,
    /// It is in no folder that could be its class.
    NoClass,
    /// It was drawn from a data set.
    Sheet,
    /// It cannot be read.
    Damaged,
}

impl Reason {
    fn told(self) -> &'static str {
        match self {
            Reason::Hidden => "hidden files and folders",
            Reason::Thumbnail => "in folders of thumbnails",
            Reason::OtherPicture => "pictures of formats that are not read",
            Reason::Other => "other files, by their names",
            Reason::Empty => "empty files",
            Reason::DeadLink => "links that lead nowhere",
            Reason::Again => "reached a second time, by a link",
            Reason::Special => "neither files nor folders",
            Reason::NoSplit => "in no folder of a split",
            Reason::NoClass => "in no folder of a class",
            Reason::Sheet => "contact sheets of data sets",
            Reason::Damaged => "damaged pictures, or ones that cannot be used",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Group {
    count: usize,
    /// Pictures in hidden folders.
    within: usize,
    names: Vec<String>,
    endings: BTreeMap<String, usize>,
}

/// The files that were left out, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeMap<Reason, Group>);

impl LeftOut {
    /// Adds a file, or a folder with all that is in it.
    pub fn add(&mut self, reason: Reason, name: &str) {
        let group = self.0.entry(reason).or_default();
        group.count += 1;
        if group.names.len() < NAMES {
            group.names.push(shown(name));
        }
        if matches!(reason, Reason::OtherPicture | Reason::Other) {
            *group.endings.entry(ending(name).unwrap_or_default()).or_default() += 1;
        }
    }

    /// Adds pictures that are within a folder that was added.
    pub fn add_within(&mut self, reason: Reason, pictures: usize) {
        self.0.entry(reason).or_default().within += pictures;
    }

    /// How many files and folders were left out for a reason.
    pub fn count(&self, reason: Reason) -> usize {
        self.0.get(&reason).map_or(0, |group| group.count)
    }

    /// One line for each reason: the number, the reason, the first names.
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().map(|(reason, group)| group.line(*reason)).collect()
    }
}

impl Group {
    fn line(&self, reason: Reason) -> String {
        let mut line = format!("{} {}", thousands(self.count), reason.told());
        if self.within > 0 {
            let _ = write!(line, ", with {} pictures in them", thousands(self.within));
        }
        if !self.endings.is_empty() {
            let mut endings: Vec<_> = self.endings.iter().collect();
            endings.sort_by_key(|&(ending, &n)| (std::cmp::Reverse(n), ending));
            let told = |&(ending, n): &(&String, &usize)| match ending.as_str() {
                "" => format!("{} without an ending", thousands(*n)),
                ending => format!("{} .{}", thousands(*n), shown(ending)),
            };
            let told: Vec<_> = endings.iter().take(ENDINGS).map(told).collect();
            let _ = write!(line, " ({}{})", told.join(", "), if endings.len() > ENDINGS { ", …" } else { "" });
        }
        let _ = write!(line, ": {}", self.names.join(", "));
        if self.count > self.names.len() {
            line.push_str(", …");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_with_counts() {
        let mut left_out = LeftOut::default();
        for name in ["a.txt", "b.txt", "c.json", "d.txt", "LICENSE"] {
            left_out.add(Reason::Other, name);
        }
        left_out.add(Reason::Hidden, ".git");
        left_out.add_within(Reason::Hidden, 2);
        assert_eq!(
            left_out.lines(),
            [
                "1 hidden files and folders, with 2 pictures in them: .git",
                "5 other files, by their names (3 .txt, 1 without an ending, 1 .json): a.txt, b.txt, c.json, …"
            ]
        );
    }
}
