//! Looks at all pictures before anything is written.

use crate::formats::picture::{Size, Traits, Upright, kind::Kind};
use crate::messages::fault;
use crate::messages::progress::{self};
use crate::messages::text::thousands;
use crate::sources::pictures::Pictures;
use anyhow::{Context, Result};
use datasets::io::console;
use indicatif::ProgressBar;
use process_group::ProcessGroup;
use rayon::prelude::*;
use std::fmt::Write as _;

/// Damaged pictures that are told by name.
pub const TOLD: usize = 20;
/// Characters of the reason that is told of each.
const REASON: usize = 300;

/// The properties of a picture that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// A hash of the pixels.
    pub fingerprint: u128,
    kind: Kind,
    traits: Traits,
    enlarged: bool,
}

/// Numbers by which processes tell each other of a picture.
const NUMBERS: usize = 5;

impl Checked {
    fn to_numbers(self) -> [f64; NUMBERS] {
        let Traits { deep, inks, animated } = self.traits;
        let kind = Kind::ALL.iter().position(|&kind| kind == self.kind).unwrap_or(0) as u32;
        let flags =
            [true, self.enlarged, deep, inks, animated].iter().enumerate().map(|(i, &flag)| u32::from(flag) << i).sum::<u32>();
        let word = |i: u32| f64::from((self.fingerprint >> (32 * i)) as u32);
        [f64::from(flags | kind << 8), word(0), word(1), word(2), word(3)]
    }

    /// `None`: it cannot be used.
    fn from_numbers(numbers: &[f64; NUMBERS]) -> Option<Self> {
        let state = numbers[0] as u32;
        let flag = |i: u32| state >> i & 1 == 1;
        let fingerprint = numbers[1..].iter().enumerate().map(|(i, &word)| u128::from(word as u32) << (32 * i)).sum();
        let traits = Traits { deep: flag(2), inks: flag(3), animated: flag(4) };
        let kind = *Kind::ALL.get((state >> 8) as usize)?;
        flag(0).then_some(Checked { fingerprint, kind, traits, enlarged: flag(1) })
    }
}

/// Decodes all pictures, each process of a group its part; `None` for those that cannot be used.
///
/// # Errors
/// If a file cannot be read, for a reason that lies in the machine.
pub fn check(pictures: &Pictures, size: Size, jobs: usize, group: &ProcessGroup) -> Result<Vec<Option<Checked>>> {
    let n = pictures.len();
    let mine: Vec<_> = (0..n).skip(group.rank()).step_by(group.size()).collect();
    let bar = if group.is_root() { progress::bar(mine.len(), "checking") } else { ProgressBar::hidden() };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.min(mine.len())).build().context("cannot start threads")?;
    let checked: Result<Vec<_>> = pool.install(|| {
        let one = |file: &mut Vec<u8>, &i: &usize| {
            let checked = match look(pictures, i, size, file) {
                Ok(checked) => Some(checked),
                Err(error) if fault::is_machine(&error) => return Err(error),
                Err(_) => None,
            };
            bar.inc(1);
            Ok((i, checked))
        };
        mine.par_iter().with_max_len(1).map_init(Vec::new, one).collect()
    });
    bar.finish_and_clear();
    let mut numbers = vec![0.0; NUMBERS * n];
    for (i, checked) in checked? {
        if let Some(checked) = checked {
            numbers[NUMBERS * i..NUMBERS * (i + 1)].copy_from_slice(&checked.to_numbers());
        }
    }
    let numbers = group.all_reduce(numbers)?;
    Ok(numbers.as_chunks().0.iter().map(Checked::from_numbers).collect())
}

fn look(pictures: &Pictures, i: usize, size: Size, file: &mut Vec<u8>) -> Result<Checked> {
    pictures.read(i, file)?;
    let picture = Upright::decode(file, size)?;
    let enlarged = picture.is_smaller_than(size);
    Ok(Checked { fingerprint: picture.fingerprint(), kind: picture.kind, traits: picture.traits, enlarged })
}

/// How many pictures cannot be used, the first of them by name, and why.
pub fn report(pictures: &Pictures, damaged: &[usize], size: Size) -> String {
    let mut text = format!(
        "{} of {} pictures cannot be used; mend or remove them, or leave them out with --skip-damaged:",
        thousands(damaged.len()),
        thousands(pictures.len())
    );
    let mut file = Vec::new();
    for &i in damaged.iter().take(TOLD) {
        let reason = match look(pictures, i, size, &mut file) {
            Err(error) => fault::describe(&error),
            Ok(_) => "it could not be used, but now it can: it was changed meanwhile".into(),
        };
        let reason: String = reason.chars().filter(|c| !c.is_control()).take(REASON).collect();
        let _ = write!(text, "\n  {}: {reason}", pictures.place(i));
    }
    if damaged.len() > TOLD {
        let _ = write!(text, "\n  and {} more", thousands(damaged.len() - TOLD));
    }
    text
}

/// Says what the pictures are like.
///
/// # Errors
/// If standard output cannot be written.
pub fn tell(checked: &[Checked], size: Size) -> Result<()> {
    let count = |of: &dyn Fn(&Checked) -> bool| checked.iter().filter(|checked| of(checked)).count();
    let kinds = Kind::ALL.iter().map(|&kind| (count(&|checked| checked.kind == kind), kind)).filter(|(n, _)| *n > 0);
    let kinds: Vec<_> = kinds.map(|(n, kind)| format!("{} {kind}", thousands(n))).collect();
    console::print(format_args!("taken: {} pictures ({})", thousands(checked.len()), kinds.join(", ")))?;
    for (n, what) in [
        (count(&|checked| checked.enlarged), format!("are smaller than {size} and are enlarged")),
        (count(&|checked| checked.traits.deep), "have 16 bits a value, which are rounded to 8".into()),
        (count(&|checked| checked.traits.inks), "are of four inks (CMYK), which are mixed without a colour profile".into()),
        (count(&|checked| checked.traits.animated), "are animations, whose first frame is taken".into()),
    ] {
        if n > 0 {
            console::print(format_args!("note: {} pictures {what}", thousands(n)))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_processes_tell_each_other_comes_back() {
        for (i, kind) in Kind::ALL.into_iter().enumerate() {
            for flags in 0..16 {
                let flag = |bit: u32| flags >> bit & 1 == 1;
                let traits = Traits { deep: flag(0), inks: flag(1), animated: flag(2) };
                let fingerprint = u128::MAX - (i as u128) * 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
                let checked = Checked { fingerprint, kind, traits, enlarged: flag(3) };
                assert_eq!(Checked::from_numbers(&checked.to_numbers()), Some(checked));
            }
        }
        assert_eq!(Checked::from_numbers(&[0.0; NUMBERS]), None);
    }
}
