//! Several processes with one index. Each is this test program again, told to run one test as a child.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests")]

use std::env;
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nodupe_annoy::Annoy;
use nodupe_conformance::data;
use nodupe_core::{EmbeddingSpace, Embeddings, IndexSpec, ItemId, Options, SimilarityBackend as _};
use tempfile::tempdir;

/// Set in child processes: the folder of the index, and who they are.
const CHILD: &str = "NODUPE_TEST_CHILD";
const NAME: &str = "NODUPE_TEST_NAME";
/// Vectors in one call of `add`.
const BATCH: usize = 50;
const BATCHES: usize = 12;

fn child(test: &str, name: &str, folder: &Path) -> Child {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", test, "--nocapture"]).env(CHILD, folder).env(NAME, name);
    child.stdout(Stdio::piped()).spawn().unwrap()
}

fn in_child() -> Option<(PathBuf, String)> {
    Some((env::var_os(CHILD)?.into(), env::var(NAME).unwrap()))
}

fn space() -> EmbeddingSpace {
    EmbeddingSpace::cosine("toy", 32).unwrap()
}

fn batch(name: &str, number: usize) -> (Vec<ItemId>, Embeddings) {
    let ids = (0..BATCH).map(|row| format!("{name}-{number}-{row}").into()).collect();
    (ids, data::clusters(&space(), BATCH, number as u64).unwrap())
}

fn made(folder: &Path) -> Annoy {
    Annoy::new(&IndexSpec::new(&space()).with_dir(folder), &options()).unwrap()
}

/// Few candidates, so that the trees are asked.
fn options() -> Options {
    Options::new().with("annoy.search-k", "100").with("annoy.trees", "5")
}

fn open(folder: &Path) -> Annoy {
    Annoy::open(&space(), folder, &options()).unwrap()
}

fn build(index: &mut Annoy) {
    index.build(&mut |_, _| ControlFlow::Continue(())).unwrap();
}

/// Waits until a child says that it is ready. What it says later has to go somewhere, too.
fn wait_for(child: &mut Child) -> impl Sized + use<> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|said| said.unwrap().contains("ready")), "the child was never ready");
    lines
}

#[test]
fn two_processes_read_while_one_writes() {
    if let Some((folder, _)) = in_child() {
        let index = open(&folder);
        let queries = batch("a", 0).1;
        println!("ready");
        let (deadline, mut last) = (Instant::now() + Duration::from_mins(1), 0);
        while last < BATCH * BATCHES {
            assert!(Instant::now() < deadline, "{last} vectors after a minute");
            let len = index.len().unwrap();
            assert!(len >= last && len.is_multiple_of(BATCH), "{len} vectors after {last}");
            let found = index.search(queries.view(), 10).unwrap();
            if len > 0 {
                for (query, neighbors) in found.iter().enumerate() {
                    let near = &neighbors[0];
                    assert!(near.distance <= 1e-6, "query {query} is {} away", near.distance);
                    assert!(index.vectors(std::slice::from_ref(&near.id)).unwrap().is_some());
                }
            }
            last = len;
        }
        return;
    }
    let dir = tempdir().unwrap();
    let mut index = made(dir.path());
    let mut children = ["b", "c"].map(|name| child("two_processes_read_while_one_writes", name, dir.path()));
    let _said = children.each_mut().map(wait_for);
    for number in 0..BATCHES {
        let (ids, rows) = batch("a", number);
        index.add(&ids, rows.view()).unwrap();
        if number % 4 == 2 {
            build(&mut index);
        }
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn writers_wait_for_each_other() {
    if let Some((folder, name)) = in_child() {
        let mut index = open(&folder);
        for number in 0..BATCHES {
            let (ids, rows) = batch(&name, number);
            index.add(&ids, rows.view()).unwrap();
            if number == BATCHES / 2 {
                build(&mut index);
            }
        }
        return;
    }
    let dir = tempdir().unwrap();
    let index = made(dir.path());
    let children = ["a", "b"].map(|name| child("writers_wait_for_each_other", name, dir.path()));
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!(index.len().unwrap(), 2 * BATCHES * BATCH);
    for (name, number) in [("a", 0), ("b", BATCHES - 1)] {
        let (ids, rows) = batch(name, number);
        assert_eq!(index.vectors(&ids).unwrap().unwrap(), rows);
    }
}

#[test]
fn a_process_that_is_killed_while_it_writes_leaves_whole_batches() {
    if let Some((folder, name)) = in_child() {
        let mut index = open(&folder);
        println!("ready");
        for number in 0..10_000 {
            let (ids, rows) = batch(&name, number);
            index.add(&ids, rows.view()).unwrap();
            if number % 5 == 4 {
                build(&mut index);
            }
        }
        panic!("it was not killed");
    }
    let dir = tempdir().unwrap();
    // Open in this process all the while, so that locks and readers of the dead are met.
    let mut index = made(dir.path());
    let mut before = 0;
    for (turn, wait) in [3u64, 40, 111, 200].into_iter().enumerate() {
        let name = format!("turn{turn}");
        let mut child = child("a_process_that_is_killed_while_it_writes_leaves_whole_batches", &name, dir.path());
        let _said = wait_for(&mut child);
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        let len = index.len().unwrap();
        assert!(len >= before && len.is_multiple_of(BATCH), "{len} vectors");
        let written = (len - before) / BATCH;
        if let Some(last) = written.checked_sub(1) {
            let (ids, rows) = batch(&name, last);
            assert_eq!(index.vectors(&ids).unwrap().unwrap(), rows);
        }
        let (ids, rows) = batch("parent", turn);
        index.add(&ids, rows.view()).unwrap();
        build(&mut index);
        assert_eq!(index.search(rows.view(), 1).unwrap().len(), BATCH);
        before = index.len().unwrap();
    }
    drop(index);
    assert_eq!(open(dir.path()).len().unwrap(), before);
}
