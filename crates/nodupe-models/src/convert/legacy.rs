//! State dicts as `PyTorch` wrote them before version 1.6, and still does with `_use_new_zipfile_serialization=False`.
//!
//! The file is a row of pickles: a magic number, the version of the protocol, facts about the system, the state dict, the keys
//! of the storages; then for each key the count of its elements, as 8 bytes, and the elements. The state dict maps names to
//! tensors, and a tensor is a view of a storage, which it names by key (`torch.serialization`: `_legacy_save`).

use std::collections::{BTreeMap, HashMap};

use super::error::ConvertError;
use super::pickle::{Elements, Global, Pickle, Value};
use super::reader::Reader;
use super::weights::{Stored, Weights};

/// How such a file begins: protocol 2, and ten bytes of an integer, the magic number.
pub(super) const BEGIN: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

const PROTOCOL: i64 = 1001;
/// The most axes of a tensor.
const MAX_AXES: usize = 8;

/// Reads the tensors. None is copied, whatever the file says of their sizes.
pub(super) fn read(bytes: &[u8]) -> Result<Weights<'_>, ConvertError> {
    let mut reader = Reader::new(bytes);
    let magic = Pickle::read(&mut reader)?.root;
    if magic != Value::Long(&BEGIN[4..]) {
        return Err(reader.malformed("the magic number of PyTorch is missing"));
    }
    if Pickle::read(&mut reader)?.root != Value::Int(PROTOCOL) {
        return Err(reader.malformed(format!("the protocol is not {PROTOCOL}")));
    }
    let system = Pickle::read(&mut reader)?;
    if system.get(system.root, "little_endian") != Some(Value::Bool(true)) {
        return Err(reader.malformed("the numbers are not little-endian"));
    }
    let tensors = views(&Pickle::read(&mut reader)?, &reader)?;
    let storages = storages(&mut reader, &tensors)?;
    tensors.into_iter().map(|(name, view)| Ok((name.to_owned(), view.of(name, &storages)?))).collect()
}

/// A storage as a tensor names it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Storage<'a> {
    key: &'a str,
    elements: Elements,
    count: usize,
}

/// A tensor as the state dict has it.
#[derive(Debug)]
struct View<'a> {
    storage: Storage<'a>,
    /// Elements before the first.
    offset: usize,
    shape: Vec<usize>,
    /// Elements from one to the next, along each axis.
    strides: Vec<usize>,
}

fn views<'a>(pickle: &Pickle<'a>, reader: &Reader<'a>) -> Result<BTreeMap<&'a str, View<'a>>, ConvertError> {
    let Value::Dict(items) = pickle.root else {
        return Err(reader.malformed("a file that is no state dict: save `model.state_dict()`"));
    };
    let mut views = BTreeMap::new();
    let (pairs, _) = pickle.items(items).as_chunks::<2>();
    for [name, value] in pairs {
        let Value::Text(name) = name else {
            return Err(reader.malformed("a tensor without a name"));
        };
        let broken = |detail: &str| ConvertError::BrokenTensor { name: (*name).to_owned(), detail: detail.to_owned() };
        let view = View::read(pickle, *value).map_err(broken)?;
        if views.insert(*name, view).is_some() {
            return Err(broken("there are two of that name"));
        }
    }
    Ok(views)
}

impl<'a> View<'a> {
    fn read(pickle: &Pickle<'a>, value: Value<'a>) -> Result<Self, &'static str> {
        let Value::Call(Global::RebuildTensor, arguments) = value else { return Err("it is no tensor") };
        let [Value::Persistent(storage), offset, shape, strides, ..] = pickle.items(arguments) else {
            return Err("it does not say what it is a view of");
        };
        let (Some(offset), Some(shape), Some(strides)) =
            (size(*offset), sizes(pickle, *shape), sizes(pickle, *strides))
        else {
            return Err("its sizes are none");
        };
        if shape.len() != strides.len() || shape.len() > MAX_AXES {
            return Err("its axes are too many, or have no strides");
        }
        Ok(Self { storage: Storage::read(pickle.items(*storage))?, offset, shape, strides })
    }

    /// The tensor in the bytes of its storage.
    fn of<'b>(self, name: &str, storages: &HashMap<&str, (Storage<'_>, &'b [u8])>) -> Result<Stored<'b>, ConvertError> {
        let broken = |detail: &str| ConvertError::BrokenTensor { name: name.to_owned(), detail: detail.to_owned() };
        let Some((storage, bytes)) = storages.get(self.storage.key) else {
            return Err(broken("its storage is not in the file"));
        };
        if *storage != self.storage {
            return Err(broken("it says something else of its storage than another tensor"));
        }
        Stored::new(storage.elements, bytes, self.offset, self.shape, self.strides)
            .ok_or_else(|| broken("it leaves its storage"))
    }
}

impl<'a> Storage<'a> {
    fn read(id: &[Value<'a>]) -> Result<Self, &'static str> {
        let [
            Value::Text("storage"),
            Value::Global(Global::Storage(elements)),
            Value::Text(key),
            _device,
            count,
            rest @ ..,
        ] = id
        else {
            return Err("its storage is none");
        };
        // PyTorch of 2017 and before could write a part of one storage as another.
        if !matches!(rest, [] | [Value::None]) {
            return Err("its storage is a part of another: load and save it with a newer PyTorch");
        }
        let count = size(*count).ok_or("its storage has no size")?;
        Ok(Self { key, elements: *elements, count })
    }
}

/// The bytes of every storage, by key.
fn storages<'a>(
    reader: &mut Reader<'a>,
    tensors: &BTreeMap<&'a str, View<'a>>,
) -> Result<HashMap<&'a str, (Storage<'a>, &'a [u8])>, ConvertError> {
    let named: HashMap<&str, Storage<'_>> = tensors.values().map(|view| (view.storage.key, view.storage)).collect();
    let pickle = Pickle::read(reader)?;
    let Value::List(keys) = pickle.root else {
        return Err(reader.malformed("the keys of the storages are missing"));
    };
    let mut storages = HashMap::new();
    for key in pickle.items(keys) {
        let Value::Text(key) = key else { return Err(reader.malformed("a key that is no text")) };
        // Without a tensor nobody knows how long its elements are.
        let storage = named.get(key).ok_or_else(|| reader.malformed("a storage that no tensor names"))?;
        let count = usize::try_from(u64::from_le_bytes(reader.array()?)).ok();
        let length = count.and_then(|count| count.checked_mul(storage.elements.size));
        let (Some(length), true) = (length, count == Some(storage.count)) else {
            return Err(reader.malformed("a storage of another size than its tensors say"));
        };
        if storages.insert(*key, (*storage, reader.take(length)?)).is_some() {
            return Err(reader.malformed("a storage that is there twice"));
        }
    }
    if reader.is_at_end() { Ok(storages) } else { Err(reader.malformed("more bytes than the storages have")) }
}

fn size(value: Value<'_>) -> Option<usize> {
    match value {
        Value::Int(size) => usize::try_from(size).ok(),
        _ => None,
    }
}

fn sizes(pickle: &Pickle<'_>, value: Value<'_>) -> Option<Vec<usize>> {
    match value {
        Value::Tuple(sizes) => pickle.items(sizes).iter().map(|value| size(*value)).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
