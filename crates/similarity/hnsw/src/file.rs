//! The three files of a saved index: `slots`, a [`SlotMap`]; `rows` ([`write_rows`]), those of empty slots included; and
//! `graph`. Digests are in the manifest of the bundle.
//!
//! `graph` is the 8 bytes `NDHNSW\n\0`; then, of 32 bits each and little endian: the format version, `m`, the number of slots in the graph, of
//! lists above level 0, and the node where walks start (`u32::MAX`: none); then a byte for the level of each slot;
//! then, of 32 bits each, the lists of level 0, `2 * m` links for each slot, and the lists above, `m` links for each level
//! of each slot. `u32::MAX` fills up a list.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use nodupe_core::{EmbeddingSpace, Embeddings, IndexError, SlotMap, read_rows, write_rows};

use crate::graph::{Graph, NONE};
use crate::options::{MAX_M, MIN_M};

const MAGIC: &[u8; 8] = b"NDHNSW\n\0";
const VERSION: u32 = 1;

/// What the files hold.
pub(crate) struct Saved {
    pub(crate) slots: SlotMap,
    pub(crate) rows: Embeddings,
    pub(crate) graph: Graph,
}

/// Writes the files; `read` gives the rows of slots.
pub(crate) fn write(
    dir: &Path,
    slots: &SlotMap,
    graph: &Graph,
    read: impl Fn(std::ops::Range<u32>) -> Result<Embeddings, IndexError>,
) -> Result<(), IndexError> {
    slots.write(&dir.join("slots"))?;
    write_rows(&dir.join("rows"), slots.capacity() as u32, read)?;
    let path = dir.join("graph");
    write_graph(&path, graph).map_err(IndexError::io(&path))
}

fn write_graph(path: &Path, graph: &Graph) -> std::io::Result<()> {
    let mut file = BufWriter::new(fs::File::create(path)?);
    let lists = graph.levels().iter().map(|&level| u32::from(level)).sum();
    let header = [VERSION, graph.m() as u32, graph.len() as u32, lists, graph.entry().unwrap_or(NONE)];
    put(&mut file, MAGIC, header)?;
    file.write_all(graph.levels())?;
    for link in graph.all_links() {
        file.write_all(&link.to_le_bytes())?;
    }
    file.flush()
}

fn put(file: &mut impl Write, magic: &[u8], numbers: impl IntoIterator<Item = u32>) -> std::io::Result<()> {
    file.write_all(magic)?;
    numbers.into_iter().try_for_each(|number| file.write_all(&number.to_le_bytes()))
}

/// Reads the files. Nothing in them is trusted: nothing is allocated that their own sizes do not cover.
pub(crate) fn read(dir: &Path, space: &EmbeddingSpace) -> Result<Saved, IndexError> {
    let slots = SlotMap::read(&dir.join("slots"))?;
    let rows = read_rows(&dir.join("rows"), space, slots.capacity())?;
    let graph = read_graph(&dir.join("graph"), slots.capacity())?;
    Ok(Saved { slots, rows, graph })
}

fn read_graph(path: &Path, slots: usize) -> Result<Graph, IndexError> {
    let bytes = fs::read(path).map_err(IndexError::io(path))?;
    let ([m, nodes, lists, entry], rest) = header(path, &bytes, MAGIC)?;
    let [m, nodes, lists] = [m, nodes, lists].map(|number| number as usize);
    let corrupt = |detail: &str| IndexError::corrupt(path, detail);
    if !(MIN_M..=MAX_M).contains(&m) {
        return Err(corrupt("no graph has so many links"));
    }
    if nodes > slots {
        return Err(corrupt("there are more nodes than slots"));
    }
    let wrong_length = || corrupt("its length is not that of its nodes");
    let (levels, links) = rest.split_at_checked(nodes).ok_or_else(wrong_length)?;
    let base = nodes.checked_mul(2 * m).ok_or_else(wrong_length)?;
    let all = lists.checked_mul(m).and_then(|upper| upper.checked_add(base)).ok_or_else(wrong_length)?;
    if all.checked_mul(size_of::<u32>()) != Some(links.len()) {
        return Err(wrong_length());
    }
    let mut links = links.as_chunks().0.iter().map(|&bytes| u32::from_le_bytes(bytes));
    let base = links.by_ref().take(base).collect();
    let entry = Some(entry).filter(|&entry| entry != NONE);
    Graph::from_parts(m, levels.to_vec(), base, links.collect(), entry).map_err(corrupt)
}

/// The numbers after the magic and the version, and what follows them.
fn header<'a, const N: usize>(path: &Path, bytes: &'a [u8], magic: &[u8]) -> Result<([u32; N], &'a [u8]), IndexError> {
    let short = || IndexError::corrupt(path, "the file ends too early");
    let mut rest = bytes.strip_prefix(magic).ok_or_else(|| IndexError::corrupt(path, "the file is of another kind"))?;
    let mut number = || -> Result<u32, IndexError> {
        let (bytes, after) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        rest = after;
        Ok(u32::from_le_bytes(*bytes))
    };
    let found = number()?;
    if found != VERSION {
        return Err(IndexError::Version { path: path.to_owned(), found, supported: VERSION });
    }
    let mut numbers = [0; N];
    for place in &mut numbers {
        *place = number()?;
    }
    Ok((numbers, rest))
}
