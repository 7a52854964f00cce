//! `vectors`, `save` and `open`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nodupe_core::{Embeddings, IndexError, IndexSpec, ItemId, Metric, Row, SimilarityBackend, Storage};

use super::judge::{close, in_order};
use super::subject::{Data, Index, State, Subject, go_on, ids_of, of_metric, temp_dir};
use super::{Entry, Scope};
use crate::data::Random;
use crate::report::{Check, Seen, Verdict, ensure, failed, guard};

pub(super) const CHECKS: &[Entry] = &[
    (
        Scope::Space,
        Check {
            name: "vectors",
            promise: "`vectors` gives the vectors of the ids in their order, bit for bit as they were added, or always `None`",
            run: vectors,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "vectors-not-found",
            promise: "`vectors` of an id that is not there is `NotFound` with the id",
            run: vectors_not_found,
        },
    ),
    (
        Scope::Space,
        Check {
            name: "save-open",
            promise: "what was saved is opened as it was: full or empty, built or not, with removals; and can be changed and \
                      saved again",
            run: save_open,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "save-keeps",
            promise: "`save` does not change the index, and the files of a snapshot never change afterwards",
            run: save_keeps,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "open-another-dim",
            promise: "`open` refuses files that were saved for vectors of another dimension",
            run: another_dim,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "open-missing-data",
            promise: "`open` refuses a folder without its files, or with files that were cut, unless it needs nothing of what \
                      is missing",
            run: missing_data,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "open-changed-bytes",
            promise: "`open` refuses files with changed bytes, or gives an index that is one: no panic, every id once, distances \
                      those of its vectors",
            run: changed_bytes,
        },
    ),
];

/// Saves, or says (`false`) that the backend cannot.
fn saved(index: &mut Index, dir: &Path) -> Result<bool, String> {
    match index.save(dir) {
        Ok(()) => Ok(true),
        Err(IndexError::Unsupported { .. }) => Ok(false),
        Err(why) => Err(failed("save")(why)),
    }
}

const CANNOT_SAVE: &str = "it cannot save";
const NOT_KEPT: &str = "it does not keep vectors";

fn bits(row: Option<Row<'_>>) -> Vec<u32> {
    match row {
        Some(Row::F32(row)) => row.iter().map(|x| x.to_bits()).collect(),
        Some(Row::Bits(row)) => row.iter().copied().map(u32::from).collect(),
        _ => Vec::new(),
    }
}

fn vectors(subject: &Subject) -> Seen {
    let mut data = subject.clusters(100)?;
    if subject.space().metric() == Metric::SquaredEuclidean {
        let dim = subject.space().dim();
        let mut odd: Vec<f32> = Vec::new();
        for value in [-0.0, 1e-45, -1e-30, f32::MIN_POSITIVE, 1e30, 0.1] {
            odd.extend(vec![value; dim]);
        }
        let make = failed("making test vectors");
        let mut rows = Embeddings::from_f32(subject.space().clone(), odd).map_err(&make)?;
        let rest = data.rows.view().slice(rows.len()..data.ids.len());
        rows.append(rest.ok_or("the suite has too few test vectors")?).map_err(&make)?;
        data.rows = rows;
    }
    let mut keeps = None;
    subject.each_stage(&data, &mut |stage| {
        let mut wanted: Vec<ItemId> = ids_of(stage.reference)?.into_iter().rev().collect();
        wanted.push(wanted[0].clone());
        let given = stage.index.vectors(&wanted).map_err(failed("vectors"))?;
        for some in [&wanted[..], &wanted[..1], &wanted[..2]] {
            let given = stage.index.vectors(some).map_err(failed("vectors"))?;
            ensure!(
                *keeps.get_or_insert(given.is_some()) == given.is_some(),
                "vectors gives some at one time and `None` at another"
            );
        }
        let Some(given) = given else { return Ok(()) };
        let truth = stage.reference.vectors(&wanted).map_err(failed("the reference"))?;
        let truth = truth.ok_or("the reference has no vectors")?;
        ensure!(given.space() == truth.space(), "the vectors are of {}", given.space());
        ensure!(given.len() == wanted.len(), "{} ids have {} vectors", wanted.len(), given.len());
        for (row, id) in wanted.iter().enumerate() {
            ensure!(
                bits(given.get(row)) == bits(truth.get(row)),
                "the vector of {id:?} is not the one that was added, bit for bit"
            );
        }
        let none = stage.index.vectors(&[]).map_err(failed("vectors of no ids"))?;
        ensure!(none.is_none_or(|none| none.is_empty()), "no ids have vectors");
        Ok(())
    })?;
    Ok(match keeps {
        Some(false) => Verdict::Skipped(NOT_KEPT.to_owned()),
        _ => Verdict::Kept,
    })
}

fn vectors_not_found(subject: &Subject) -> Seen {
    let data = subject.clusters(10)?;
    let nobody = ItemId::from("nobody");
    let mut keeps = true;
    subject.each_stage(&data, &mut |stage| {
        let there = data.ids[1].clone();
        for ids in [vec![nobody.clone()], vec![there.clone(), nobody.clone()], vec![nobody.clone(), there]] {
            match stage.index.vectors(&ids) {
                Err(IndexError::NotFound { id }) if id == nobody => {}
                Err(why) => return Err(failed("vectors of an unknown id")(why)),
                Ok(None) => keeps = false,
                Ok(Some(_)) => return Err("an unknown id has a vector".to_owned()),
            }
        }
        Ok(())
    })?;
    let verdict = Verdict::Skipped(NOT_KEPT.to_owned());
    Ok(if keeps { Verdict::Kept } else { verdict })
}

/// Sees that an index that was opened is the one that was saved.
fn same(before: &State, opened: &Index, exact: bool, data: &Data) -> Result<(), String> {
    let mut after = State::of(&**opened, data.queries.view())?;
    ensure!(opened.is_exact() == exact, "it was exact: {exact}, and is now: {}", opened.is_exact());
    if !exact {
        after.forgive_answers(before);
    }
    before.unchanged(&after, "saving and opening")
}

fn save_open(subject: &Subject) -> Seen {
    let data = subject.clusters(50)?;
    let data_without = Data { ids: Vec::new(), rows: Embeddings::new(subject.space().clone()), ..data.clone() };
    for (what, data, build, remove) in [
        ("an empty index", &data_without, false, false),
        ("an index", &data, false, false),
        ("a built index", &data, true, false),
        ("an index with removals", &data, false, true),
        ("a built index with removals", &data, true, true),
    ] {
        let (mut index, _) = subject.filled(data)?;
        if build {
            index.build(&mut go_on).map_err(failed("build"))?;
        }
        if remove && index.remove(&data.ids[10..30]).is_err() {
            continue;
        }
        let (before, exact) = (State::of(&*index, data.queries.view())?, index.is_exact());
        let dir = temp_dir()?;
        if !saved(&mut index, dir.path())? {
            return Ok(Verdict::Skipped(CANNOT_SAVE.to_owned()));
        }
        drop(index);
        let mut opened = subject.open(dir.path()).map_err(failed(&format!("open of {what}")))?;
        same(&before, &opened, exact, data).map_err(|seen| format!("{what}: {seen}"))?;
        ensure!(
            opened.space() == subject.space() && opened.info().name == subject.registration.name,
            "{what} is opened as {opened} of {}",
            opened.space()
        );
        // It goes on as any other.
        let more = ItemId::from("one more");
        let row = data.queries.view().slice(15..16).ok_or("the suite has too few test vectors")?;
        opened.add(std::slice::from_ref(&more), row).map_err(failed("add to an opened index"))?;
        opened.build(&mut go_on).map_err(failed("build of an opened index"))?;
        let before = State::of(&*opened, data.queries.view())?;
        let exact = opened.is_exact();
        let again = temp_dir()?;
        saved(&mut opened, again.path())?;
        let opened = subject.open(again.path()).map_err(failed("open of an index that was opened and saved"))?;
        same(&before, &opened, exact, data).map_err(|seen| format!("{what}, the second time: {seen}"))?;
        ensure!(
            opened.contains(&more).map_err(failed("contains"))?,
            "{what}: what was added after opening is not there"
        );
    }
    Ok(Verdict::Kept)
}

fn save_keeps(subject: &Subject) -> Seen {
    let data = subject.clusters(50)?;
    let (mut index, _) = subject.filled(&data)?;
    index.build(&mut go_on).map_err(failed("build"))?;
    let before = State::of(&*index, data.queries.view())?;
    let dir = temp_dir()?;
    if !saved(&mut index, dir.path())? {
        return Ok(Verdict::Skipped(CANNOT_SAVE.to_owned()));
    }
    before.unchanged(&State::of(&*index, data.queries.view())?, "save")?;
    let again = temp_dir()?;
    saved(&mut index, again.path()).map_err(|seen| format!("the second time, {seen}"))?;
    if index.storage() != Storage::Snapshot {
        return Ok(Verdict::Kept);
    }
    let files = read_files(dir.path())?;
    let mut opened = subject.open(dir.path()).map_err(failed("open"))?;
    for index in [&mut index, &mut opened] {
        // Where it cannot remove, adding and building is change enough.
        let _ = index.remove(&data.ids[..10]);
        let row = data.queries.view().slice(15..16).ok_or("the suite has too few test vectors")?;
        index.add(&[ItemId::from("one more")], row).map_err(failed("add"))?;
        index.build(&mut go_on).map_err(failed("build"))?;
        index.search(data.queries.view(), 3).map_err(failed("search"))?;
    }
    drop((index, opened));
    ensure!(read_files(dir.path())? == files, "the files of a snapshot changed when the index did");
    Ok(Verdict::Kept)
}

fn another_dim(subject: &Subject) -> Seen {
    let space = subject.space();
    let data = subject.clusters(30)?;
    let (mut index, _) = subject.filled(&data)?;
    let dir = temp_dir()?;
    if !saved(&mut index, dir.path())? {
        return Ok(Verdict::Skipped(CANNOT_SAVE.to_owned()));
    }
    drop(index);
    let (half, double) = (space.dim() / 2 / 8 * 8, space.dim() * 2);
    for dim in [half, double].into_iter().filter(|dim| *dim > 0) {
        let other = of_metric(space, space.model(), dim);
        let other = other.map_err(failed("making a space"))?;
        let opened = guard(|| (subject.registration.open)(&IndexSpec::new(&other), dir.path(), &subject.options))?;
        ensure!(opened.is_err(), "saved for {space}, it is opened for {other}");
    }
    Ok(Verdict::Kept)
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Every file under a folder, by its path in it.
fn read_files(root: &Path) -> Result<Files, String> {
    let read = failed("reading what was saved");
    let mut files = Files::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(&read)? {
            let path = entry.map_err(&read)?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).map_err(&read)?;
                let name = path.strip_prefix(root).unwrap_or(&path).to_owned();
                files.insert(name, bytes);
            }
        }
    }
    Ok(files)
}

fn write_files(root: &Path, files: &Files) -> Result<(), String> {
    let write = failed("writing what was saved");
    for (name, bytes) in files {
        let path = root.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(&write)?;
        }
        fs::write(&path, bytes).map_err(&write)?;
    }
    Ok(())
}

/// The files of a snapshot, its state and the data; `None` (and why) where there is none.
fn snapshot(subject: &Subject) -> Result<Result<(Files, State, Data), String>, String> {
    if let Some(why) = &subject.damage {
        return Ok(Err(why.clone()));
    }
    let data = subject.clusters(40)?;
    let (mut index, _) = subject.filled(&data)?;
    index.build(&mut go_on).map_err(failed("build"))?;
    if index.storage() != Storage::Snapshot {
        return Ok(Err("what it saves is no snapshot".to_owned()));
    }
    let state = State::of(&*index, data.queries.view())?;
    let dir = temp_dir()?;
    if !saved(&mut index, dir.path())? {
        return Ok(Err(CANNOT_SAVE.to_owned()));
    }
    Ok(Ok((read_files(dir.path())?, state, data)))
}

/// Opens changed files: an error is what one expects.
fn open_files(subject: &Subject, files: &Files) -> Result<Option<(tempfile::TempDir, Index)>, String> {
    let dir = temp_dir()?;
    write_files(dir.path(), files)?;
    let opened = guard(|| subject.open(dir.path()))?;
    Ok(opened.ok().map(|index| (dir, index)))
}

fn missing_data(subject: &Subject) -> Seen {
    let (files, state, data) = match snapshot(subject)? {
        Ok(snapshot) => snapshot,
        Err(why) => return Ok(Verdict::Skipped(why)),
    };
    ensure!(!files.is_empty(), "save wrote no file");
    ensure!(open_files(subject, &Files::new())?.is_none(), "an empty folder is opened");
    let nowhere = temp_dir()?.path().join("nowhere");
    ensure!(guard(|| subject.open(&nowhere).is_err())?, "a folder that is not there is opened");
    for (name, bytes) in &files {
        let mut variants = vec![("is missing".to_owned(), None)];
        for length in
            [0, 1, bytes.len() / 3, bytes.len() / 2, bytes.len() - bytes.len().min(1), bytes.len() - bytes.len().min(8)]
        {
            if length < bytes.len() {
                variants
                    .push((format!("ends after {length} of {} bytes", bytes.len()), Some(bytes[..length].to_vec())));
            }
        }
        for (how, changed) in variants {
            let mut damaged = files.clone();
            match changed {
                Some(changed) => damaged.insert(name.clone(), changed),
                None => damaged.remove(name),
            };
            let place = |seen: String| format!("where {} {how}, {seen}", name.display());
            let Some((_dir, index)) = open_files(subject, &damaged).map_err(place)? else {
                continue;
            };
            let opened = guard(|| State::of(&*index, data.queries.view())).and_then(|state| state);
            let opened = opened.map_err(place)?;
            state.unchanged(&opened, "it is opened, and that").map_err(place)?;
        }
    }
    Ok(Verdict::Kept)
}

fn changed_bytes(subject: &Subject) -> Seen {
    let (files, _, data) = match snapshot(subject)? {
        Ok(snapshot) => snapshot,
        Err(why) => return Ok(Verdict::Skipped(why)),
    };
    let mut random = Random::new(4);
    for (name, bytes) in &files {
        // Every byte of the beginning, where lengths and versions are, and some of the rest.
        let rest = (0..64).map(|_| random.below(bytes.len()));
        let places: Vec<usize> = (0..bytes.len().min(64)).chain(rest).filter(|place| *place < bytes.len()).collect();
        for (place, change) in places.into_iter().zip([0x01, 0x80, 0xff].into_iter().cycle()) {
            let mut damaged = files.clone();
            if let Some(byte) = damaged.get_mut(name).and_then(|bytes| bytes.get_mut(place)) {
                *byte ^= change;
            }
            let said = |seen: String| format!("with byte {place} of {} changed, {seen}", name.display());
            if let Some((_dir, index)) = open_files(subject, &damaged).map_err(said)? {
                guard(|| sound(&*index, &data)).and_then(|seen| seen).map_err(said)?;
            }
        }
        let mut longer = files.clone();
        if let Some(bytes) = longer.get_mut(name) {
            bytes.extend_from_slice(&[0xff; 9]);
        }
        let said = |seen: String| format!("with more bytes at the end of {}, {seen}", name.display());
        if let Some((_dir, index)) = open_files(subject, &longer).map_err(said)? {
            guard(|| sound(&*index, &data)).and_then(|seen| seen).map_err(said)?;
        }
    }
    Ok(Verdict::Kept)
}

/// Sees that an index, whatever is in it, is one: its ids, counts, vectors and distances go together.
fn sound(index: &dyn SimilarityBackend, data: &Data) -> Result<(), String> {
    let ids = ids_of(index)?;
    let len = index.len().map_err(failed("len"))?;
    ensure!(len == ids.len(), "it has {} ids and says {len}", ids.len());
    // Whether the vectors that changed can be read is the backend's to say.
    let Ok(found) = index.search(data.queries.view(), 5) else {
        return Ok(());
    };
    for (query, neighbors) in found.iter().enumerate() {
        ensure!(neighbors.len() <= 5, "it gives {} neighbours for k = 5", neighbors.len());
        in_order(neighbors)?;
        for neighbor in neighbors {
            ensure!(ids.contains(&neighbor.id), "it finds {:?}, which it does not hold", neighbor.id);
            let own = index.vectors(std::slice::from_ref(&neighbor.id)).map_err(failed("vectors"))?;
            let rows = own.as_ref().and_then(|own| own.get(0)).zip(data.queries.get(query));
            let truth = rows.and_then(|(a, b)| index.space().metric().distance(a, b));
            ensure!(
                truth.is_none_or(|truth| close(neighbor.distance, truth)),
                "{:?} is at {truth:?} by its vector, and {} is said",
                neighbor.id,
                neighbor.distance
            );
        }
    }
    Ok(())
}
