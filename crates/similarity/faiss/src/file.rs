//! The files of a saved index: `slots`, a [`SlotMap`]; `rows`, the vectors that no index of FAISS holds as they are;
//! `index`, what FAISS writes, where one was built; and `state`, which says what the others are.
//!
//! `state` is the 8 bytes `NDFAISS\n`, the format version (32 bits), the number of rows in `index`, the number that it was
//! trained for and the length of the file (64 bits each), its BLAKE3 digest (32 bytes), whether `rows` begins with the vectors
//! of `index` (8 bits), and two texts, each after its length in bytes (32 bits): the choice of the user and what was made.
//! `rows` is rows one after the other in the order of the slots: floats of 32 bits, or packed bits. All little endian.
//!
//! FAISS believes its files. It gets to see one only if the digest is the one in `state`: that stands against damage, not
//! against malice.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use nodupe_core::{ElementType, Embeddings, IndexError, Rows, SlotMap, check_rows};

use crate::native::{Buffer, Native};
use crate::plan::{Choice, Kind};
use crate::store::{Linked, Store, failed, longest};

const MAGIC: &[u8; 8] = b"NDFAISS\n";
const VERSION: u32 = 1;
/// Rows that are copied at a time.
const CHUNK: usize = 1_024;

/// What `state` says.
struct State {
    linked: usize,
    trained: usize,
    length: u64,
    digest: [u8; 32],
    kept: bool,
    choice: String,
    made: String,
}

/// Writes all files.
pub(crate) fn write(dir: &Path, slots: &SlotMap, store: &Store) -> Result<(), IndexError> {
    slots.write(&dir.join("slots"))?;
    let mut state = State {
        linked: 0,
        trained: 0,
        length: 0,
        digest: [0; 32],
        kept: false,
        choice: store.choice.text().to_owned(),
        made: String::new(),
    };
    if let Some(linked) = &store.linked {
        let path = dir.join("index");
        linked.native.write(&path).map_err(failed)?;
        (state.length, state.digest) = digest(&path)?;
        (state.linked, state.trained) = (linked.native.len(), linked.trained);
        (state.kept, state.made) = (linked.kept.is_some(), linked.description.text.clone());
    }
    let first = if state.kept { 0 } else { state.linked };
    let path = dir.join("rows");
    let mut file = BufWriter::new(fs::File::create(&path).map_err(IndexError::io(&path))?);
    for start in (first..store.len()).step_by(CHUNK) {
        let rows = store.rows(start as u32..store.len().min(start + CHUNK) as u32)?;
        let written = match rows.view().rows() {
            Rows::F32 { data, .. } => data.iter().try_for_each(|number| file.write_all(&number.to_le_bytes())),
            Rows::Bits { data, .. } => file.write_all(data),
            _ => Ok(()),
        };
        written.map_err(IndexError::io(&path))?;
    }
    file.flush().map_err(IndexError::io(&path))?;
    let path = dir.join("state");
    fs::write(&path, state.bytes()).map_err(IndexError::io(&path))
}

/// Reads them into an empty store. Nothing in them is trusted but what FAISS itself reads: nothing is allocated that their
/// sizes do not cover.
pub(crate) fn read(dir: &Path, store: &mut Store) -> Result<SlotMap, IndexError> {
    let slots = SlotMap::read(&dir.join("slots"))?;
    let path = dir.join("state");
    let corrupt = |detail: String| IndexError::corrupt(&path, detail);
    let state = State::read(&path, &fs::read(&path).map_err(IndexError::io(&path))?)?;
    if state.linked > slots.capacity() {
        return Err(corrupt("there are fewer slots than rows".to_owned()));
    }
    let saved = Choice::parse(&state.choice, &store.space).map_err(corrupt)?;
    if store.parameters.choice.is_none() {
        store.choice = saved;
    }
    let first = if state.kept { 0 } else { state.linked };
    let rows = read_rows(&dir.join("rows"), store, slots.capacity() - first)?;
    let (kept, tail) = rows
        .view()
        .slice(0..state.linked - first)
        .zip(rows.view().slice(state.linked - first..rows.len()))
        .ok_or_else(|| corrupt("there are fewer rows than it says".to_owned()))?;
    store.add(tail)?;
    if state.made.is_empty() {
        return if state.linked == 0 { Ok(slots) } else { Err(corrupt("it names no index".to_owned())) };
    }
    let Choice::Given(made) = Choice::parse(&state.made, &store.space).map_err(corrupt)? else {
        return Err(corrupt("it names no index".to_owned()));
    };
    if made.kind == Kind::Flat || (state.kept && made.kind != Kind::Quantised) {
        return Err(corrupt(format!("{} is not what is saved so", made.text)));
    }
    let path = dir.join("index");
    if digest(&path)? != (state.length, state.digest) {
        return Err(IndexError::corrupt(&path, "it is not the file that was saved"));
    }
    let native = Native::read(&store.space, &path).map_err(|why| IndexError::corrupt(&path, why.to_string()))?;
    if native.len() != state.linked {
        return Err(IndexError::corrupt(&path, "it has not as many rows as were saved"));
    }
    store.longest = store.longest.max(longest(kept));
    let mut linked = Linked::open(native, made, state.trained, state.kept.then(|| kept.to_owned()), &store.parameters);
    let mut buffer = Buffer::new(&store.space);
    linked.find_equal(&mut buffer).map_err(|why| IndexError::corrupt(&path, why.to_string()))?;
    #[cfg(feature = "gpu")]
    linked.copy_to_gpu(store.parameters.gpu);
    store.linked = Some(linked);
    Ok(slots)
}

fn read_rows(path: &Path, store: &Store, count: usize) -> Result<Embeddings, IndexError> {
    let bytes = fs::read(path).map_err(IndexError::io(path))?;
    if count.checked_mul(store.space.row_bytes()) != Some(bytes.len()) {
        return Err(IndexError::corrupt(path, "its length is not that of its slots"));
    }
    let rows = if store.space.element_type() == ElementType::Bit {
        Embeddings::from_bits(store.space.clone(), bytes)
    } else {
        let (numbers, _) = bytes.as_chunks::<4>();
        Embeddings::from_f32(store.space.clone(), numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }?;
    check_rows(&store.space, rows.view()).map_err(|error| IndexError::corrupt(path, error.to_string()))?;
    Ok(rows)
}

/// The length of a file and its digest.
fn digest(path: &Path) -> Result<(u64, [u8; 32]), IndexError> {
    let file = fs::File::open(path).map_err(IndexError::io(path))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).map_err(IndexError::io(path))?;
    Ok((hasher.count(), *hasher.finalize().as_bytes()))
}

impl State {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        for number in [self.linked as u64, self.trained as u64, self.length] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.digest);
        bytes.push(u8::from(self.kept));
        for text in [&self.choice, &self.made] {
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes
    }

    fn read(path: &Path, bytes: &[u8]) -> Result<Self, IndexError> {
        let corrupt = || IndexError::corrupt(path, "the file is no state of an index");
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(corrupt)?;
        let (version, mut rest) = rest.split_first_chunk().ok_or_else(corrupt)?;
        let found = u32::from_le_bytes(*version);
        if found != VERSION {
            return Err(IndexError::Version { path: path.to_owned(), found, supported: VERSION });
        }
        let mut numbers = [0; 3];
        for number in &mut numbers {
            let (bytes, after) = rest.split_first_chunk().ok_or_else(corrupt)?;
            (*number, rest) = (u64::from_le_bytes(*bytes), after);
        }
        let (digest, after) = rest.split_first_chunk().ok_or_else(corrupt)?;
        let (&kept, after) = after.split_first().ok_or_else(corrupt)?;
        let mut rest = after;
        let mut text = || {
            let (length, after) = rest.split_first_chunk().ok_or_else(corrupt)?;
            let (text, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(corrupt)?;
            rest = after;
            std::str::from_utf8(text).map(str::to_owned).map_err(|_| corrupt())
        };
        let (choice, made) = (text()?, text()?);
        let [linked, trained, length] = numbers;
        let (Ok(linked), Ok(trained), true, 0..=1) = (linked.try_into(), trained.try_into(), rest.is_empty(), kept)
        else {
            return Err(corrupt());
        };
        Ok(Self { linked, trained, length, digest: *digest, kept: kept == 1, choice, made })
    }
}
