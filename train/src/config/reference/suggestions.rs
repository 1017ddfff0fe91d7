//! Keys that are near to what somebody typed.

/// The names that are nearest to a word, the nearest first: those within a third of its letters.
pub(super) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let last = |name: &'a str| name.rsplit('.').next().unwrap_or(name);
    let wanted = word.rsplit('.').next().unwrap_or(word);
    let most = wanted.chars().count().div_ceil(3);
    let mut near: Vec<(usize, usize, &str)> = names
        .map(|name| (distance(wanted, last(name)), distance(word, name), name))
        .filter(|&(of_last, of_all, name)| of_last.min(of_all) <= most || wanted.len() > 2 && last(name).contains(wanted))
        .collect();
    near.sort();
    near.into_iter().take(MOST).map(|(_, _, name)| name).collect()
}

/// Suggestions at most.
const MOST: usize = 5;

/// Letters to insert, remove or replace to make one word of another (Levenshtein 1966).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        let pairs =
            [("", ""), ("seed", "seed"), ("sed", "seed"), ("batchsize", "batch_size"), ("kitten", "sitting"), ("", "abc")];
        assert_eq!(pairs.map(|(a, b)| distance(a, b)), [0, 0, 1, 1, 3, 3]);
    }

    #[test]
    fn the_nearest_comes_first() {
        let names = ["optim.batch_size", "run.eval_batch_size", "run.seed", "data.split_seed", "model.blocks"];
        let near = |word| nearest(word, names.into_iter());
        assert_eq!(near("optim.batchsize"), ["optim.batch_size"]);
        assert_eq!(near("seed"), ["run.seed", "data.split_seed"]);
        assert_eq!(near("modle.blocks"), ["model.blocks"]);
        assert!(near("xyzzy").is_empty());
    }
}
