//! Python's pickle, protocol 2, read as data.
//!
//! A pickle is a program for a stack machine that may import and call anything. This machine knows the opcodes and the names
//! that a state dict is written with (Python's `pickletools` describes them) and refuses all others; what would be called
//! becomes a [`Value::Call`], which says what by what, and nothing is. Values are small and copied, texts are borrowed, and
//! what holds others is named by its place in a list: no value is reached through another, so none is nested too deeply.

use std::collections::HashMap;

use super::error::ConvertError;
use super::reader::Reader;

/// The most opcodes that are read: a state dict of a thousand tensors has 30,000. It bounds the memory.
const MAX_OPCODES: usize = 1 << 20;

/// A value that a pickle describes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits: the bytes of its two's complement, the lowest first.
    Long(&'a [u8]),
    Text(&'a str),
    Tuple(Group),
    List(Group),
    /// Keys and values, in turn.
    Dict(Group),
    Global(Global),
    /// What a global would be called with, a tuple.
    Call(Global, Group),
    /// What a persistent id says: a tuple.
    Persistent(Group),
}

/// Some values, in [`Pickle::items`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group(usize);

/// What a state dict may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    /// Storage, offset, shape, strides; what follows is for training.
    RebuildTensor,
    Storage(Elements),
}

/// What a storage is full of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Elements {
    /// What `PyTorch` calls such a storage.
    pub(super) name: &'static str,
    /// Bytes of one.
    pub(super) size: usize,
}

impl Elements {
    pub(super) const F32: Self = Self { name: "FloatStorage", size: 4 };

    const ALL: [Self; 9] = [
        Self::F32,
        Self { name: "DoubleStorage", size: 8 },
        Self { name: "HalfStorage", size: 2 },
        Self { name: "BFloat16Storage", size: 2 },
        Self { name: "LongStorage", size: 8 },
        Self { name: "IntStorage", size: 4 },
        Self { name: "ShortStorage", size: 2 },
        Self { name: "ByteStorage", size: 1 },
        Self { name: "BoolStorage", size: 1 },
    ];
}

impl Global {
    fn named(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Self::RebuildTensor),
            ("torch", name) => Elements::ALL.into_iter().find(|elements| elements.name == name).map(Self::Storage),
            _ => None,
        }
    }
}

/// What a pickle describes.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    pub(super) root: Value<'a>,
    groups: Vec<Vec<Value<'a>>>,
}

impl<'a> Pickle<'a> {
    /// Reads one pickle; the reader is behind it then.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, ConvertError> {
        let mut machine =
            Machine { reader, groups: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
        for _ in 0..MAX_OPCODES {
            if let Some(root) = machine.step()? {
                return Ok(Self { root, groups: machine.groups });
            }
        }
        Err(machine.reader.malformed(format!("a pickle of more than {MAX_OPCODES} opcodes")))
    }

    /// The values of a group.
    pub(super) fn items(&self, group: Group) -> &[Value<'a>] {
        // A group is made where its values are, so there are some.
        self.groups.get(group.0).map_or(&[], Vec::as_slice)
    }

    /// What a dictionary has for a key, where it is one.
    pub(super) fn get(&self, dict: Value<'a>, key: &str) -> Option<Value<'a>> {
        let Value::Dict(group) = dict else { return None };
        let (pairs, _) = self.items(group).as_chunks::<2>();
        pairs.iter().find(|[name, _]| *name == Value::Text(key)).map(|[_, value]| *value)
    }
}

struct Machine<'r, 'a> {
    reader: &'r mut Reader<'a>,
    groups: Vec<Vec<Value<'a>>>,
    stack: Vec<Value<'a>>,
    /// Lengths of the stack where a mark was set.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
}

impl<'a> Machine<'_, 'a> {
    /// Reads one opcode; what the pickle describes where it was the last.
    fn step(&mut self) -> Result<Option<Value<'a>>, ConvertError> {
        let offset = self.reader.offset();
        let value = match self.reader.byte()? {
            // PROTO
            0x80 => {
                let version = self.reader.byte()?;
                return if version == 2 {
                    Ok(None)
                } else {
                    Err(self.reader.malformed(format!("a pickle of protocol {version}, and 2 is what PyTorch writes")))
                };
            }
            b'.' => return self.pop().map(Some),
            b'(' => {
                self.marks.push(self.stack.len());
                return Ok(None);
            }
            // BINPUT, LONG_BINPUT
            b'q' => return self.remember(|reader| reader.byte().map(u32::from)),
            b'r' => return self.remember(|reader| reader.array().map(u32::from_le_bytes)),
            // BINGET, LONG_BINGET
            b'h' => self.recall(|reader| reader.byte().map(u32::from))?,
            b'j' => self.recall(|reader| reader.array().map(u32::from_le_bytes))?,
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            // BININT1, BININT2, BININT
            b'K' => Value::Int(self.reader.byte()?.into()),
            b'M' => Value::Int(u16::from_le_bytes(self.reader.array()?).into()),
            b'J' => Value::Int(i32::from_le_bytes(self.reader.array()?).into()),
            // LONG1
            0x8a => {
                let length = self.reader.byte()?;
                long(self.reader.take(length.into())?)
            }
            // BINUNICODE
            b'X' => {
                let length = u32::from_le_bytes(self.reader.array()?);
                Value::Text(self.text(length as usize)?)
            }
            // EMPTY_LIST, EMPTY_DICT, EMPTY_TUPLE
            b']' => Value::List(self.group(Vec::new())),
            b'}' => Value::Dict(self.group(Vec::new())),
            b')' => Value::Tuple(self.group(Vec::new())),
            // TUPLE1, TUPLE2, TUPLE3, TUPLE
            arity @ 0x85..=0x87 => self.tuple_of(usize::from(arity - 0x84))?,
            b't' => {
                let items = self.pop_to_mark()?;
                Value::Tuple(self.group(items))
            }
            // APPEND, APPENDS, SETITEM, SETITEMS
            b'a' => return self.extend(1, false),
            b'e' => return self.extend_to_mark(false),
            b's' => return self.extend(2, true),
            b'u' => return self.extend_to_mark(true),
            b'c' => {
                let (module, name) = (self.reader.line()?, self.reader.line()?);
                let refused = || ConvertError::Global { module: module.to_owned(), name: name.to_owned(), offset };
                Value::Global(Global::named(module, name).ok_or_else(refused)?)
            }
            // REDUCE, BUILD, BINPERSID
            b'R' => self.call()?,
            b'b' => return self.build(),
            b'Q' => match self.pop()? {
                Value::Tuple(group) => Value::Persistent(group),
                _ => return Err(self.reader.malformed("a persistent id that is no tuple")),
            },
            opcode => return Err(ConvertError::Opcode { opcode, offset }),
        };
        self.stack.push(value);
        Ok(None)
    }

    fn group(&mut self, items: Vec<Value<'a>>) -> Group {
        self.groups.push(items);
        Group(self.groups.len() - 1)
    }

    fn text(&mut self, length: usize) -> Result<&'a str, ConvertError> {
        let bytes = self.reader.take(length)?;
        str::from_utf8(bytes).map_err(|_| self.reader.malformed("a text that is not UTF-8"))
    }

    /// The topmost value, where it lies over the topmost mark.
    fn pop(&mut self) -> Result<Value<'a>, ConvertError> {
        if self.stack.len() > self.marks.last().copied().unwrap_or(0)
            && let Some(value) = self.stack.pop()
        {
            return Ok(value);
        }
        Err(self.reader.malformed("an opcode without the values that it is for"))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>, ConvertError> {
        let mark =
            self.marks.pop().ok_or_else(|| self.reader.malformed("an opcode without the mark that it is for"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn tuple_of(&mut self, arity: usize) -> Result<Value<'a>, ConvertError> {
        let mut items = (0..arity).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        Ok(Value::Tuple(self.group(items)))
    }

    fn remember<T>(
        &mut self,
        key: impl FnOnce(&mut Reader<'a>) -> Result<u32, ConvertError>,
    ) -> Result<Option<T>, ConvertError> {
        let key = key(self.reader)?;
        let value = self.pop()?;
        self.stack.push(value);
        self.memo.insert(key, value);
        Ok(None)
    }

    fn recall(
        &mut self,
        key: impl FnOnce(&mut Reader<'a>) -> Result<u32, ConvertError>,
    ) -> Result<Value<'a>, ConvertError> {
        let key = key(self.reader)?;
        self.memo.get(&key).copied().ok_or_else(|| self.reader.malformed("a value that was never remembered"))
    }

    fn extend<T>(&mut self, count: usize, is_dict: bool) -> Result<Option<T>, ConvertError> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        self.append(items, is_dict)
    }

    fn extend_to_mark<T>(&mut self, is_dict: bool) -> Result<Option<T>, ConvertError> {
        let items = self.pop_to_mark()?;
        self.append(items, is_dict)
    }

    /// Appends to the list or dictionary on top of the stack, which stays there.
    fn append<T>(&mut self, items: Vec<Value<'a>>, is_dict: bool) -> Result<Option<T>, ConvertError> {
        let target = self.pop()?;
        self.stack.push(target);
        let ((Value::List(group), false) | (Value::Dict(group), true)) = (target, is_dict) else {
            return Err(self.reader.malformed("items for what takes none"));
        };
        if is_dict && !items.len().is_multiple_of(2) {
            return Err(self.reader.malformed("a key without a value"));
        }
        if let Some(group) = self.groups.get_mut(group.0) {
            group.extend(items);
        }
        Ok(None)
    }

    fn call(&mut self) -> Result<Value<'a>, ConvertError> {
        match (self.pop()?, self.pop()?) {
            (Value::Tuple(arguments), Value::Global(Global::OrderedDict)) => {
                if self.groups.get(arguments.0).is_some_and(|arguments| !arguments.is_empty()) {
                    return Err(self.reader.malformed("an OrderedDict that is made of something"));
                }
                Ok(Value::Dict(self.group(Vec::new())))
            }
            (Value::Tuple(arguments), Value::Global(global @ Global::RebuildTensor)) => {
                Ok(Value::Call(global, arguments))
            }
            _ => Err(self.reader.malformed("a call of what is not called in a state dict")),
        }
    }

    /// The attributes of a dictionary, which `PyTorch` keeps versions of modules in, are passed over.
    fn build<T>(&mut self) -> Result<Option<T>, ConvertError> {
        let (state, target) = (self.pop()?, self.pop()?);
        let (Value::Dict(_), Value::Dict(_)) = (state, target) else {
            return Err(self.reader.malformed("attributes of what has none"));
        };
        self.stack.push(target);
        Ok(None)
    }
}

fn long(bytes: &[u8]) -> Value<'_> {
    let Some(sign) = bytes.last() else { return Value::Int(0) };
    if bytes.len() > 8 {
        return Value::Long(bytes);
    }
    let mut extended = [if *sign < 0x80 { 0 } else { 0xff }; 8];
    extended[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(extended))
}
