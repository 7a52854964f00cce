//! The sets of an evaluation: made, or there already.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use nodupe::dedup::{WalkOptions, walk};
use nodupe::eval::{EvalError, Labels, Made, Recipe, TransformSet, generate};
use serde::Serialize;

use crate::eval::args::EvalArgs;
use crate::failure::Failure;
use crate::interrupt;
use crate::path::shown;
use crate::progress::Bar;

/// All sets, and the folder that they are in where they are not kept.
#[derive(Debug)]
pub(super) struct Sets {
    pub(super) labels: Vec<Set>,
    pub(super) made: Vec<MadeJson>,
    /// Removed with all that is in it when this goes.
    pub(super) work: tempfile::TempDir,
}

/// Labels and where they are.
#[derive(Debug)]
pub(super) struct Set(PathBuf, Labels);

impl Set {
    fn open(file: &Path) -> Result<Self, EvalError> {
        Ok(Self(file.to_owned(), Labels::open(file)?))
    }

    pub(super) fn file(&self) -> &Path {
        &self.0
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.1
    }
}

/// What a set was made of.
#[derive(Debug, Serialize)]
pub(super) struct MadeJson {
    set: &'static str,
    seed: u64,
    photographs: usize,
    backgrounds: usize,
    passed_over: usize,
}

impl fmt::Display for MadeJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, seed, photographs, backgrounds, passed_over } = self;
        write!(f, "{set}, seed {seed}, was made of {photographs} photographs")?;
        if *backgrounds > 0 {
            write!(f, " and {backgrounds} more that are only behind or beside them")?;
        }
        if *passed_over > 0 { write!(f, "; {passed_over} files were passed over") } else { Ok(()) }
    }
}

impl Sets {
    pub(super) fn make(args: &EvalArgs, bar: &Bar) -> Result<Self, Failure> {
        let mut sets = Self { labels: Vec::new(), made: Vec::new(), work: tempfile::tempdir()? };
        interrupt::remove_when_leaving(sets.work.path());
        for file in &args.labels {
            sets.labels.push(Set::open(file)?);
        }
        if args.photos.is_empty() {
            return Ok(sets);
        }
        let (files, skipped) = walk(&args.photos, WalkOptions::default(), || !interrupt::is_asked());
        if let Some(skipped) = skipped.iter().find(|skipped| args.photos.contains(&skipped.path)) {
            return Err(Failure::Failed(format!("{}: {}", shown(&skipped.path), skipped.message).into()));
        }
        let photographs: Vec<PathBuf> = files.into_iter().map(|file| file.path).collect();
        for kind in once_each(&args.sets) {
            for seed in once_each(&args.seeds) {
                let recipe = Recipe::new(kind, seed)
                    .with_photographs(args.photographs as usize)
                    .with_longest_side(args.longest_side);
                sets.add(args, kind, &recipe, &photographs, bar)?;
            }
        }
        Ok(sets)
    }

    fn add(
        &mut self,
        args: &EvalArgs,
        kind: TransformSet,
        recipe: &Recipe,
        photographs: &[PathBuf],
        bar: &Bar,
    ) -> Result<(), Failure> {
        let folder = args.keep.as_deref().unwrap_or(self.work.path()).join(format!("{kind}-{}", recipe.seed));
        if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
            let labels = folder.join("labels.json");
            return Err(Failure::usage(format!(
                "{} is there already: remove it, or evaluate it as it is by --labels {}",
                shown(&folder),
                shown(&labels)
            )));
        }
        let groups = (photographs.len() / (1 + kind.backgrounds())).min(recipe.photographs);
        bar.begin_making(&format!("making {kind}"), groups);
        let made = generate(photographs, recipe, &folder, &|count| {
            bar.advance_making(count);
            !interrupt::is_asked()
        })?;
        let Made { labels, photographs, backgrounds, passed_over, .. } = made;
        self.labels.push(Set::open(&labels)?);
        let (set, seed) = (kind.name(), recipe.seed);
        self.made.push(MadeJson { set, seed, photographs, backgrounds, passed_over });
        Ok(())
    }
}

/// Each of what was given, in the order in which it was given first.
fn once_each<T: Copy + PartialEq>(given: &[T]) -> impl Iterator<Item = T> {
    given.iter().enumerate().filter(|&(place, one)| !given[..place].contains(one)).map(|(_, one)| *one)
}
