//! `add` and `upsert`: all or nothing.

use nodupe_core::{
    ElementType, EmbeddingSpace, Embeddings, EmbeddingsRef, IndexError, ItemId, Metric, Row, SimilarityBackend,
};

use super::subject::{State, Subject, go_on, of_metric, one};
use super::{Entry, Scope};
use crate::data;
use crate::report::{Check, Seen, Verdict, ensure, failed};

pub(super) const CHECKS: &[Entry] = &[
    (
        Scope::Metric,
        Check {
            name: "add-another-space",
            promise: "`add` and `upsert` refuse vectors of another space with `SpaceMismatch` and change nothing",
            run: another_space,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "add-lengths",
            promise: "`add` and `upsert` refuse as many ids as not rows with `LengthMismatch` and change nothing",
            run: lengths,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "add-not-finite",
            promise: "`add` and `upsert` refuse NaN and infinities with `NotFinite` and the row, and change nothing",
            run: not_finite,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "add-not-unit",
            promise: "a cosine index refuses vectors that are not of unit length with `NotUnit` and the row, changes nothing, \
                      and takes those that are within the tolerance",
            run: not_unit,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "add-duplicate-id",
            promise: "`add` and `upsert` refuse an id that stands twice in the call with `DuplicateId` and change nothing",
            run: duplicate_id,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "add-present-id",
            promise: "`add` refuses an id that is there already with `AlreadyPresent` and changes nothing",
            run: present_id,
        },
    ),
    (
        Scope::Metric,
        Check { name: "add-nothing", promise: "no ids and no rows are fine, and change nothing", run: nothing },
    ),
    (
        Scope::Metric,
        Check {
            name: "add-found-at-once",
            promise: "a vector that was added is found by the next search, before `build` and after",
            run: found_at_once,
        },
    ),
];

const PRESENT: usize = 40;
const NEW: usize = 9;

/// What `add` is given: new ids and their rows.
struct Batch {
    ids: Vec<ItemId>,
    rows: Embeddings,
}

impl Batch {
    fn new(space: &EmbeddingSpace) -> Result<Self, String> {
        Ok(Self {
            ids: data::ids(PRESENT + NEW).split_off(PRESENT),
            rows: data::clusters(space, NEW, 5).map_err(failed("making test vectors"))?,
        })
    }

    /// The same with one row of floats changed.
    fn with_row(mut self, at: usize, change: impl Fn(&mut [f32])) -> Result<Self, String> {
        let space = self.rows.space().clone();
        let mut data = Vec::new();
        for (row, vector) in self.rows.view().iter().enumerate() {
            let Row::F32(vector) = vector else { continue };
            let mut vector = vector.to_vec();
            if row == at {
                change(&mut vector);
            }
            data.extend(vector);
        }
        self.rows = Embeddings::from_f32(space, data).map_err(failed("making test vectors"))?;
        Ok(self)
    }
}

/// What a wrong batch must be refused with.
type Refusal<'a> = &'a dyn Fn(&IndexError) -> bool;

/// Sees that `add` (and `upsert`) refuse the batches, as they should, and change nothing; before `build` and after.
fn refuses(subject: &Subject, batches: &[Batch], upsert: bool, wanted: &str, right: Refusal<'_>) -> Result<(), String> {
    let data = subject.clusters(PRESENT)?;
    let (mut index, _) = subject.filled(&data)?;
    for built in ["before build", "after build"] {
        let before = State::of(&*index, data.queries.view())?;
        for batch in batches {
            for (call, used) in [("add", true), ("upsert", upsert)] {
                if !used {
                    continue;
                }
                let given = match call {
                    "add" => index.add(&batch.ids, batch.rows.view()),
                    _ => index.upsert(&batch.ids, batch.rows.view()),
                };
                match given {
                    Err(why) if right(&why) => {}
                    Err(why) => return Err(format!("{built}: {call} refuses it, not with {wanted}: {why}")),
                    Ok(()) => return Err(format!("{built}: {call} takes it")),
                }
                let after = State::of(&*index, data.queries.view())?;
                before.unchanged(&after, &format!("{built}: {call}, which refused,"))?;
            }
        }
        index.build(&mut go_on).map_err(failed("build"))?;
    }
    Ok(())
}

/// The spaces next to one: each differs in one part.
pub(super) fn other_spaces(space: &EmbeddingSpace) -> Vec<EmbeddingSpace> {
    let dim = space.dim();
    let metric = match space.metric() {
        Metric::Cosine => EmbeddingSpace::squared_euclidean(space.model(), dim),
        _ => EmbeddingSpace::cosine(space.model(), dim),
    };
    let others = [of_metric(space, "another-model", dim), of_metric(space, space.model(), dim + 8), metric];
    let mut others: Vec<EmbeddingSpace> = others.into_iter().flatten().collect();
    others.push(space.clone().with_revision("another"));
    others.push(space.clone().with_preprocessing("another"));
    others.push(space.clone().with_precision("another"));
    others
}

fn another_space(subject: &Subject) -> Seen {
    let space = subject.space();
    for other in other_spaces(space) {
        let mut batch = Batch::new(&other)?;
        let empty = Batch { ids: Vec::new(), rows: Embeddings::new(other.clone()) };
        // Those that are there, so that `upsert` would have something to remove.
        batch.ids.splice(..2, data::ids(2));
        let right = |why: &IndexError| matches!(why, IndexError::SpaceMismatch { expected, given } if **expected == *space && **given == other);
        refuses(subject, &[batch, empty], true, "SpaceMismatch of the two spaces", &right)
            .map_err(|seen| format!("vectors of {other}, {seen}"))?;
    }
    Ok(Verdict::Kept)
}

fn lengths(subject: &Subject) -> Seen {
    let mut batches = Vec::new();
    for (ids, rows) in [(NEW - 1, NEW), (NEW, NEW - 1), (0, NEW), (NEW, 0), (1, 0)] {
        let mut batch = Batch::new(subject.space())?;
        batch.ids.truncate(ids);
        batch.rows = batch.rows.view().slice(0..rows).map_or(batch.rows.clone(), |rows| rows.to_owned());
        batches.push(batch);
    }
    let right = |why: &IndexError| matches!(why, IndexError::LengthMismatch { ids, rows } if ids != rows);
    refuses(subject, &batches, true, "LengthMismatch", &right)?;
    Ok(Verdict::Kept)
}

/// The first, the middle and the last place of a batch.
const PLACES: [usize; 3] = [0, NEW / 2, NEW - 1];

fn not_finite(subject: &Subject) -> Seen {
    if subject.space().element_type() != ElementType::F32 {
        return Ok(Verdict::Kept);
    }
    for place in PLACES {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let last = subject.space().dim() - 1;
            let batch = Batch::new(subject.space())?.with_row(place, |row| row[last] = value)?;
            let right = |why: &IndexError| matches!(why, IndexError::NotFinite { row } if *row == place);
            refuses(subject, &[batch], true, "NotFinite of the row", &right)
                .map_err(|seen| format!("row {place} with {value}, {seen}"))?;
        }
    }
    Ok(Verdict::Kept)
}

fn not_unit(subject: &Subject) -> Seen {
    if subject.space().metric() != Metric::Cosine {
        return Ok(Verdict::Kept);
    }
    let scaled = |place, factor: f32| {
        Batch::new(subject.space())?.with_row(place, |row| row.iter_mut().for_each(|x| *x *= factor))
    };
    for place in PLACES {
        for factor in [0.0, 0.5, 0.9999, 1.0001, 2.0, 1e20] {
            let right = |why: &IndexError| matches!(why, IndexError::NotUnit { row, .. } if *row == place);
            refuses(subject, &[scaled(place, factor)?], true, "NotUnit of the row", &right)
                .map_err(|seen| format!("row {place} of length {factor}, {seen}"))?;
        }
    }
    for factor in [1.0 - 5e-6, 1.0 + 5e-6] {
        let batch = scaled(0, factor)?;
        let mut index = subject.create()?;
        index.add(&batch.ids, batch.rows.view()).map_err(failed(&format!("add of a vector of length {factor}")))?;
    }
    Ok(Verdict::Kept)
}

fn duplicate_id(subject: &Subject) -> Seen {
    for (first, second) in [(0, 1), (0, NEW - 1), (NEW / 2, NEW - 1)] {
        let mut batch = Batch::new(subject.space())?;
        batch.ids[second] = batch.ids[first].clone();
        // And one that is there, which `upsert` would have removed.
        let mut with_present = Batch::new(subject.space())?;
        let present = data::ids(1);
        with_present.ids[first] = present[0].clone();
        with_present.ids[second] = present[0].clone();
        let id = batch.ids[first].clone();
        let right = |why: &IndexError| matches!(why, IndexError::DuplicateId { id: twice } if *twice == id);
        refuses(subject, &[batch], true, "DuplicateId of the id", &right)?;
        let right = |why: &IndexError| match why {
            IndexError::DuplicateId { id } | IndexError::AlreadyPresent { id } => *id == present[0],
            _ => false,
        };
        refuses(subject, &[with_present], true, "DuplicateId of the id", &right)?;
    }
    Ok(Verdict::Kept)
}

fn present_id(subject: &Subject) -> Seen {
    for place in PLACES {
        for present in [0, PRESENT - 1] {
            let mut batch = Batch::new(subject.space())?;
            let id = data::ids(PRESENT)[present].clone();
            batch.ids[place] = id.clone();
            let right = |why: &IndexError| matches!(why, IndexError::AlreadyPresent { id: there } if *there == id);
            refuses(subject, &[batch], false, "AlreadyPresent of the id", &right)
                .map_err(|seen| format!("id {place} of {NEW} is there already, {seen}"))?;
        }
    }
    Ok(Verdict::Kept)
}

fn nothing(subject: &Subject) -> Seen {
    let data = subject.clusters(PRESENT)?;
    let (mut index, _) = subject.filled(&data)?;
    let before = State::of(&*index, data.queries.view())?;
    let none = Embeddings::new(subject.space().clone());
    index.add(&[], none.view()).map_err(failed("add of nothing"))?;
    match index.upsert(&[], none.view()) {
        Ok(()) | Err(IndexError::Unsupported { .. }) => {}
        Err(why) => return Err(failed("upsert of nothing")(why)),
    }
    before.unchanged(&State::of(&*index, data.queries.view())?, "adding nothing")?;
    Ok(Verdict::Kept)
}

fn found_at_once(subject: &Subject) -> Seen {
    let data = subject.clusters(60)?;
    let mut index = subject.create()?;
    let mut added = 0;
    for size in [1, 2, 17, 40] {
        let ids = &data.ids[added..added + size];
        let rows = data.rows.view().slice(added..added + size);
        let rows = rows.ok_or("the suite has too few test vectors")?;
        index.add(ids, rows).map_err(failed("add"))?;
        added += size;
        finds(&*index, &data.rows, &data.ids[..added])
            .map_err(|seen| format!("after {size} more, {added} in all: {seen}"))?;
        if size == 2 {
            index.build(&mut go_on).map_err(failed("build"))?;
        }
    }
    ensure!(index.len().map_err(failed("len"))? == added, "it does not count the {added} vectors");
    Ok(Verdict::Kept)
}

/// Sees that a search for each vector finds it: one at no distance, and itself among all at none.
fn finds(index: &dyn SimilarityBackend, rows: &Embeddings, ids: &[ItemId]) -> Result<(), String> {
    for (row, id) in ids.iter().enumerate() {
        let query: EmbeddingsRef<'_> = one(rows, row)?;
        let found = index.search(query, ids.len()).map_err(failed("search"))?;
        ensure!(
            found.of(0).iter().any(|neighbor| neighbor.id == *id),
            "a search for the vector of {id:?} does not find it"
        );
    }
    Ok(())
}
