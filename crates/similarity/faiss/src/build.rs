//! Training and linking.

use std::ops::ControlFlow;

use nodupe_core::{BuildPhase, IndexError, SlotMap};

use crate::native::with_threads;
use crate::plan::{Description, Kind};
use crate::store::{Linked, Store, TAME, failed, flat};

pub(crate) type Progress<'a> = &'a mut dyn FnMut(BuildPhase, f32) -> ControlFlow<()>;

/// Rows that are added between two words about the progress.
const CHUNK: usize = 4_096;
/// An index is trained anew once it holds so many times the vectors that it was trained for: as FAISS's guidelines have it,
/// the number of lists grows with the root of the number of vectors, so that the second doubling asks for new ones.
const OUTGROWN: usize = 4;

impl Store {
    /// Brings all vectors into an index of the kind that is wanted.
    ///
    /// The work is done on a new index, or on a copy: if it is stopped or fails, that goes and all is as it was.
    pub(crate) fn build(&mut self, slots: &mut SlotMap, progress: Progress<'_>) -> Result<(), IndexError> {
        let wanted = self.wanted(slots.len());
        let loose = is_loose(slots);
        match (&self.linked, &wanted) {
            (None, None) if slots.len() == slots.capacity() => told(progress, BuildPhase::Linking, 1.0),
            (Some(linked), wanted) if !linked.keeps() => {
                if wanted.as_ref().is_none_or(|wanted| *wanted != linked.description) {
                    tracing::warn!("the vectors were not kept: the index stays {}", linked.description.text);
                }
                self.extend(progress)
            }
            (Some(linked), Some(wanted)) if !loose && linked.description == *wanted && !self.is_outgrown(linked) => {
                match self.extend(progress) {
                    // Of a kind that cannot be copied or added to.
                    Err(IndexError::Backend { source, .. }) => {
                        tracing::debug!("made anew: {source}");
                        self.rebuild(slots, wanted, progress)
                    }
                    done => done,
                }
            }
            (_, Some(wanted)) => self.rebuild(slots, wanted, progress),
            (_, None) => self.lay_flat(slots, progress),
        }
    }

    /// What to make of so many vectors; `None` where everything is to be looked at.
    fn wanted(&self, live: usize) -> Option<Description> {
        let wanted = self.choice.for_len(live, &self.space);
        if wanted.kind == Kind::Flat || live == 0 {
            return None;
        }
        if live < wanted.needed {
            tracing::debug!("{live} vectors are too few for {}, which needs {}", wanted.text, wanted.needed);
            return None;
        }
        if self.longest > TAME {
            tracing::debug!("a vector is too long for the arithmetic of f32");
            return None;
        }
        Some(wanted)
    }

    fn is_outgrown(&self, linked: &Linked) -> bool {
        linked.trained > 0 && self.len() / OUTGROWN >= linked.trained
    }

    /// Moves all vectors into the tail.
    fn lay_flat(&mut self, slots: &mut SlotMap, progress: Progress<'_>) -> Result<(), IndexError> {
        told(progress, BuildPhase::Compacting, 0.0)?;
        let live: Vec<u32> = slots.iter().map(|(slot, _)| slot).collect();
        let tail = self.flat_of(&live)?;
        told(progress, BuildPhase::Compacting, 1.0)?;
        slots.compact();
        (self.tail, self.linked) = (tail, None);
        Ok(())
    }

    /// Adds what waits in the tail to a copy of the index.
    fn extend(&mut self, progress: Progress<'_>) -> Result<(), IndexError> {
        let Some(linked) = self.linked.as_ref().filter(|_| self.tail.len() > 0) else {
            return told(progress, BuildPhase::Linking, 1.0);
        };
        told(progress, BuildPhase::Linking, 0.0)?;
        let mut copy = Linked {
            native: linked.native.copy().map_err(failed)?,
            description: linked.description.clone(),
            trained: linked.trained,
            kept: linked.kept.clone(),
            equal: linked.equal.clone(),
            #[cfg(feature = "gpu")]
            gpu: None,
        };
        let waiting: Vec<u32> = (self.linked_len() as u32..self.len() as u32).collect();
        self.link(&mut copy, &waiting, progress)?;
        self.tail = flat(&self.space).map_err(failed)?;
        self.linked = Some(copy);
        Ok(())
    }

    /// Makes an index of the vectors that are not removed.
    fn rebuild(&mut self, slots: &mut SlotMap, what: &Description, progress: Progress<'_>) -> Result<(), IndexError> {
        let live: Vec<u32> = slots.iter().map(|(slot, _)| slot).collect();
        let mut linked = Linked::new(&self.space, &self.parameters, what).map_err(failed)?;
        if !linked.native.is_trained() {
            told(progress, BuildPhase::Training, 0.0)?;
            let most = what.centroids.max(self.space.dim()).saturating_mul(self.parameters.train_points);
            let sample = self.rows(spread(&live, most))?;
            with_threads(self.threads, || linked.native.train(sample.view().rows())).map_err(failed)?;
            linked.trained = live.len();
            told(progress, BuildPhase::Training, 1.0)?;
        }
        if what.kind == Kind::Lists {
            linked.native.note_places().map_err(failed)?;
        }
        self.link(&mut linked, &live, progress)?;
        self.tail = flat(&self.space).map_err(failed)?;
        self.linked = Some(linked);
        slots.compact();
        Ok(())
    }

    /// Adds the vectors in some slots to an index.
    fn link(&self, linked: &mut Linked, slots: &[u32], progress: Progress<'_>) -> Result<(), IndexError> {
        for (chunk, some) in slots.chunks(CHUNK).enumerate() {
            told(progress, BuildPhase::Linking, (chunk * CHUNK) as f32 / slots.len() as f32)?;
            let rows = self.rows(some.iter().copied())?;
            with_threads(self.threads, || linked.add(rows.view()))?;
        }
        #[cfg(feature = "gpu")]
        linked.copy_to_gpu(self.parameters.gpu);
        told(progress, BuildPhase::Linking, 1.0)
    }
}

/// Whether so many are removed that a search has too much to pass over: a third.
fn is_loose(slots: &SlotMap) -> bool {
    slots.capacity() - slots.len() > slots.capacity() / 3
}

/// At most so many of the slots, evenly spread.
fn spread(slots: &[u32], most: usize) -> impl Iterator<Item = u32> {
    let count = slots.len().min(most.max(1));
    (0..count).map(move |place| slots[(place as u128 * slots.len() as u128 / count as u128) as usize])
}

fn told(progress: Progress<'_>, phase: BuildPhase, done: f32) -> Result<(), IndexError> {
    if progress(phase, done).is_break() { Err(IndexError::Cancelled) } else { Ok(()) }
}
