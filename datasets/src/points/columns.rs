//! Which columns of a file are read, and how those of a table are found by name.

use super::excerpt::{excerpt, list};
use super::{Points, TableOptions, error};
use crate::error::DatasetError;
use std::path::Path;

/// The name that pandas gives, in reading, to an index that it wrote.
const INDEX_NAMES: [&str; 3] = ["", "Unnamed: 0", "__index_level_0__"];

/// Columns that are read, in the order in which they are used.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Their names.
    pub(super) names: Vec<String>,
    /// Their positions in the file, counted from 0.
    pub(super) positions: Vec<usize>,
    /// Names of the others.
    pub(super) ignored: Vec<String>,
    /// Whether they were chosen one by one.
    pub(super) is_stated: bool,
}

/// Chooses among the columns of a file.
///
/// # Errors
/// If a name is wanted that is not there, or is there twice, if a column has no name, and if one looks like the index that
/// pandas and R write.
pub(super) fn choose(path: &Path, all: &[String], options: &TableOptions) -> Result<Chosen, DatasetError> {
    let fail = |reason: String| error(path, "the columns", reason);
    for name in options.columns.iter().flatten().chain(&options.exclude) {
        if !all.contains(name) {
            return Err(fail(format!("there is no column {}; there are {}", excerpt(name), list(all))));
        }
    }
    let is_excluded = |name: &String| options.exclude.contains(name);
    let positions: Vec<usize> = match &options.columns {
        Some(columns) => {
            let wanted = columns.iter().filter(|name| !is_excluded(name));
            wanted.map(|name| all.iter().position(|other| other == name).expect("a known name")).collect()
        }
        None => (0..all.len()).filter(|&c| !is_excluded(&all[c])).collect(),
    };
    if positions.is_empty() {
        return Err(fail(format!("no column of {} is left; correct data.columns and data.exclude", list(all))));
    }
    if options.columns.is_none() {
        refuse_index_and_nameless(&positions, all).map_err(fail)?;
    }
    for (n, &c) in positions.iter().enumerate() {
        if positions[..n].contains(&c) {
            return Err(fail(format!("data.columns names {} twice", excerpt(&all[c]))));
        }
        if let Some(other) = (0..all.len()).find(|&other| other != c && all[other] == all[c]) {
            let (first, second) = (c.min(other) + 1, c.max(other) + 1);
            return Err(fail(format!(
                "columns {first} and {second} are both called {}; give them different names",
                excerpt(&all[c])
            )));
        }
    }
    Ok(Chosen {
        names: positions.iter().map(|&c| all[c].clone()).collect(),
        ignored: (0..all.len()).filter(|c| !positions.contains(c)).map(|c| all[c].clone()).collect(),
        is_stated: options.columns.is_some(),
        positions,
    })
}

fn refuse_index_and_nameless(positions: &[usize], all: &[String]) -> Result<(), String> {
    for &c in positions {
        let name = &all[c];
        if c == 0 && all.len() > 1 && name.is_empty() || INDEX_NAMES[1..].contains(&name.as_str()) {
            let called = if name.is_empty() {
                "column 1 has no name".into()
            } else {
                format!("column {} is called {}", c + 1, excerpt(name))
            };
            return Err(format!(
                "{called}: it is the index that pandas or R wrote beside the data; leave it out with data.exclude = [{name:?}], \
                 or write the file without it (index=False in pandas, row.names=FALSE in R)"
            ));
        }
        if name.is_empty() {
            return Err(format!(
                "column {} of {} has no name; name it, leave nameless columns out with data.exclude = [\"\"], \
                 or remove the delimiter at the end of the lines",
                c + 1,
                all.len()
            ));
        }
    }
    Ok(())
}

impl Points {
    /// The points with these columns, in this order, found by name; columns without names of their own are taken by their
    /// place.
    ///
    /// # Errors
    /// If a column is missing, or there is another one, or, without names, if there are not as many.
    pub fn select(&self, names: &[String]) -> Result<Self, DatasetError> {
        let fail = |reason: String| Err(error(&self.path, "the columns", reason));
        if !self.named {
            if names.len() != self.dimensions() {
                let (got, expected) = (self.dimensions(), names.len());
                return fail(format!("there are {got} columns without names, expected {expected}: {}", list(names)));
            }
            return Ok(Self { names: names.to_vec(), ..self.clone() });
        }
        let missing: Vec<&String> = names.iter().filter(|name| !self.names.contains(name)).collect();
        let extra: Vec<&String> = self.names.iter().filter(|name| !names.contains(name)).collect();
        if !missing.is_empty() || !extra.is_empty() {
            let part = |what: &str, names: Vec<&String>| (!names.is_empty()).then(|| format!("{what}: {}", list(names)));
            let parts = [part("missing", missing), part("not expected", extra)];
            let parts = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
            return fail(format!("{parts}; expected the columns {}, in any order", list(names)));
        }
        let order: Vec<usize> =
            names.iter().map(|name| self.names.iter().position(|other| other == name).expect("a known name")).collect();
        let values = self.rows().flat_map(|row| order.iter().map(|&c| row[c])).collect();
        Ok(Self { names: names.to_vec(), values, numbers: self.numbers.clone(), ..self.like() })
    }
}
