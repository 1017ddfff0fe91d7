//! What documents say of the code is there: files that they name, and identifiers of the glossary.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The contents of all source files below a directory.
fn sources(dir: &Path, out: &mut String) {
    for entry in fs::read_dir(dir).expect("a directory of the project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target" && name != "fixtures") {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push_str(&fs::read_to_string(path).expect("a source file"));
        }
    }
}

/// Every word of all crates' sources that may be an identifier.
fn identifiers() -> HashSet<String> {
    let mut text = String::new();
    ["model", "datasets", "preprocess", "train"].into_iter().for_each(|folder| sources(&root().join(folder), &mut text));
    text.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_string).collect()
}

/// The parts of a text in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn files_that_contributing_names_are_there() {
    let text = document("CONTRIBUTING.md");
    let paths: Vec<_> = quoted(&text).filter(|text| is_path(text)).collect();
    assert!(paths.len() > 20, "{paths:?}");
    let missing: Vec<_> = paths.into_iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "CONTRIBUTING.md names files that are not there: {missing:?}");
}

/// Whether a quotation is the path of a file or folder of the project.
fn is_path(text: &str) -> bool {
    let folders = ["model/", "train/", "datasets/", "preprocess/", "configs/", "experiments/", ".ci/", ".cargo/"];
    folders.iter().any(|folder| text.starts_with(folder)) && !text.contains(['*', '<', ' ', '…'])
}

#[test]
fn links_of_the_documents_lead_to_files() {
    for name in ["CONTRIBUTING.md", "GLOSSARY.md"] {
        for target in document(name).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            assert!(target.starts_with("http") || root().join(path).exists(), "{name}: {target}");
        }
    }
}

#[test]
fn identifiers_of_the_glossary_are_in_the_sources() {
    let known = identifiers();
    let text = document("GLOSSARY.md");
    let mut checked = 0;
    let mut heading = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        if cells.contains(&"identifier") {
            heading = cells;
            continue;
        }
        let Some(column) = heading.iter().position(|cell| *cell == "identifier") else { continue };
        for identifier in quoted(cells.get(column).unwrap_or(&"")).filter(|text| !text.contains(['/', '.'])) {
            assert!(known.contains(identifier), "GLOSSARY.md: `{identifier}` is in no source file");
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked}");
}

/// With `autotests = false`, a file that no test binary includes is not even compiled.
#[test]
fn every_file_of_tests_belongs_to_a_binary() {
    for folder in ["datasets", "datasets/process-group", "preprocess", "train", "model", "model/kernels"] {
        let manifest = document(&format!("{folder}/Cargo.toml"));
        let Ok(tests) = fs::read_dir(root().join(folder).join("tests")) else { continue };
        if !manifest.contains("autotests = false") {
            continue;
        }
        let files: Vec<_> = tests.map(|entry| entry.expect("an entry").path()).collect();
        let is_source = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "rs");
        let roots: String = files.iter().filter(is_source).map(|path| fs::read_to_string(path).expect("a test")).collect();
        for path in files.iter().filter(is_source) {
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
            let is_binary =
                manifest.contains(&format!("name = \"{name}\"")) || manifest.contains(&format!("path = \"tests/{name}.rs\""));
            assert!(is_binary || roots.contains(&format!("mod {name};")), "{folder}/tests/{name}.rs is in no test binary");
        }
    }
}
