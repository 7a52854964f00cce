use proptest::prelude::*;

use super::super::weights::{Checked, Role, Source};
use super::*;

/// Writes what `PyTorch` writes.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, text: &str) -> Self {
        self.raw(b"X").raw(&(text.len() as u32).to_le_bytes()).raw(text.as_bytes())
    }

    fn long(self, value: i64) -> Self {
        self.raw(b"\x8a\x08").raw(&value.to_le_bytes())
    }

    fn longs(self, values: &[i64]) -> Self {
        values.iter().fold(self.raw(b"("), |writer, value| writer.long(*value)).raw(b"t")
    }

    fn tensor(self, name: &str, (kind, key, count): (&str, &str, i64), view: (i64, &[i64], &[i64])) -> Self {
        let (offset, shape, strides) = view;
        self.text(name)
            .raw(b"ctorch._utils\n_rebuild_tensor_v2\n((")
            .text("storage")
            .raw(format!("ctorch\n{kind}\n").as_bytes())
            .text(key)
            .text("cpu")
            .long(count)
            .raw(b"NtQ")
            .long(offset)
            .longs(shape)
            .longs(strides)
            .raw(b"\x89ccollections\nOrderedDict\n)RtR")
    }
}

/// A file around a pickled state dict.
fn file(dict: &[u8], storages: &[(&str, u64, &[u8])]) -> Vec<u8> {
    let keys = storages.iter().fold(Writer::default().raw(b"\x80\x02]("), |writer, (key, ..)| writer.text(key));
    let head = Writer::default()
        .raw(BEGIN)
        .raw(b".\x80\x02M\xe9\x03.\x80\x02}q\x00(")
        .text("little_endian")
        .raw(b"\x88u.")
        .raw(dict)
        .raw(&keys.raw(b"e.").0);
    storages.iter().fold(head, |file, (_, count, data)| file.raw(&count.to_le_bytes()).raw(data)).0
}

fn dict(items: &Writer) -> Vec<u8> {
    // The attributes that follow are versions of modules.
    let head = Writer::default().raw(b"\x80\x02ccollections\nOrderedDict\n)Rq\x00(").raw(&items.0);
    head.raw(b"u}").text("_metadata").raw(b"ccollections\nOrderedDict\n)Rsb.").0
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

const FLOATS: (&str, &str, i64) = ("FloatStorage", "7", 6);

/// Two views of six numbers, and a count.
fn whole() -> Vec<u8> {
    let items = Writer::default()
        .tensor("rows", FLOATS, (0, &[2, 3], &[3, 1]))
        .tensor("columns", FLOATS, (1, &[2, 2], &[1, 3]))
        .tensor("count", ("LongStorage", "8", 1), (0, &[], &[]));
    file(&dict(&items), &[("7", 6, &floats(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])), ("8", 1, &9_u64.to_le_bytes())])
}

/// A file of one view of six numbers.
fn one(view: (i64, &[i64], &[i64])) -> Vec<u8> {
    file(&dict(&Writer::default().tensor("w", FLOATS, view)), &[("7", 6, &floats(&[0.0; 6]))])
}

fn take(file: &[u8], name: &str, shape: &[usize]) -> Result<Vec<f32>, ConvertError> {
    Checked { weights: read(file)?, architecture: "toy" }.tensor(name, shape, Role::Shift)
}

#[test]
fn tensors_are_read_through_their_strides() {
    let file = whole();
    assert_eq!(take(&file, "rows", &[2, 3]).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(take(&file, "columns", &[2, 2]).unwrap(), [1.0, 4.0, 2.0, 5.0]);
}

#[test]
fn tensors_that_an_architecture_does_not_have_so_are_errors() {
    let file = whole();
    assert!(matches!(take(&file, "none", &[1]), Err(ConvertError::MissingTensor { name, .. }) if name == "none"));
    let shape = take(&file, "rows", &[3, 2]);
    assert!(matches!(shape, Err(ConvertError::Shape { found, .. }) if found == [2, 3]));
    assert!(matches!(take(&file, "count", &[]), Err(ConvertError::Elements { found, .. }) if found == "LongStorage"));
}

#[test]
fn what_a_pickle_would_import_is_named_and_refused() {
    let attack = Writer::default().raw(b"\x80\x02cos\nsystem\n").text("echo owned").raw(b"\x85R.").0;
    let refused = read(&file(&attack, &[])).unwrap_err();
    assert!(matches!(&refused, ConvertError::Global { module, name, .. } if module == "os" && name == "system"));
    assert!(refused.to_string().contains("os.system"));
    // A state dict names these, and nothing else of their modules.
    for global in ["torch\nload", "torch._utils\n_import_dotted_name", "collections\nnamedtuple"] {
        let attack = format!("\x02c{global}\n.");
        let attack = Writer::default().raw(b"\x80").raw(attack.as_bytes()).0;
        assert!(matches!(read(&file(&attack, &[])), Err(ConvertError::Global { .. })), "{global}");
    }
}

#[test]
fn opcodes_that_no_state_dict_needs_are_refused() {
    // INST, OBJ, NEWOBJ, STACK_GLOBAL, EXT1, NEXT_BUFFER, DUP, and one that there is not.
    for opcode in [b'i', b'o', 0x81, 0x93, 0x82, 0x97, b'2', 0xff] {
        let refused = read(&file(&[0x80, 2, opcode], &[])).unwrap_err();
        assert!(matches!(refused, ConvertError::Opcode { opcode: found, .. } if found == opcode), "{refused}");
    }
    assert!(matches!(read(&file(b"\x80\x04N.", &[])), Err(ConvertError::Malformed { .. })));
}

#[test]
fn views_that_leave_their_storage_are_refused() {
    assert!(read(&one((0, &[6], &[1]))).is_ok());
    assert!(read(&one((0, &[0, i64::MAX], &[1, 1]))).is_ok());
    for (offset, shape, strides) in [
        (0, &[7][..], &[1][..]),
        (1, &[6], &[1]),
        (6, &[], &[]),
        (0, &[2, 3], &[4, 1]),
        (0, &[i64::MAX, i64::MAX], &[i64::MAX, i64::MAX]),
        (i64::MAX, &[2], &[i64::MAX]),
        (-1, &[1], &[1]),
        (0, &[-1], &[1]),
        (0, &[2], &[-1]),
        (0, &[2, 3], &[3]),
        (0, &[1; 9], &[1; 9]),
    ] {
        let file = one((offset, shape, strides));
        let refused = read(&file);
        assert!(
            matches!(refused, Err(ConvertError::BrokenTensor { .. })),
            "{offset} {shape:?} {strides:?}: {refused:?}"
        );
    }
}

#[test]
fn a_view_that_repeats_its_storage_is_not_copied() {
    // 2⁶² numbers that are all one: the shape says that they are not what is wanted.
    let file = one((0, &[1 << 31, 1 << 31], &[0, 0]));
    assert!(matches!(take(&file, "w", &[6]), Err(ConvertError::Shape { .. })));
}

#[test]
fn storages_that_are_not_as_their_tensors_say_are_refused() {
    let items = || dict(&Writer::default().tensor("w", FLOATS, (0, &[6], &[1])));
    let data = floats(&[0.0; 6]);
    let broken = |storages: &[(&str, u64, &[u8])]| read(&file(&items(), storages)).is_err();
    assert!(!broken(&[("7", 6, &data)]));
    assert!(broken(&[("7", 5, &data[..20])]));
    assert!(broken(&[("7", 6, &data[..20])]));
    assert!(broken(&[("7", u64::MAX, &data)]));
    assert!(broken(&[("7", 6, &data), ("7", 6, &data)]));
    assert!(broken(&[("7", 6, &data), ("8", 1, &data[..4])]));
    assert!(broken(&[("8", 6, &data)]));
    assert!(broken(&[]));
    let mut longer = file(&items(), &[("7", 6, &data)]);
    longer.push(0);
    assert!(matches!(read(&longer), Err(ConvertError::Malformed { .. })));
    // One storage of two kinds.
    let kinds =
        Writer::default().tensor("a", FLOATS, (0, &[6], &[1])).tensor("b", ("IntStorage", "7", 6), (0, &[6], &[1]));
    assert!(matches!(read(&file(&dict(&kinds), &[("7", 6, &data)])), Err(ConvertError::BrokenTensor { .. })));
}

#[test]
fn two_tensors_of_one_name_are_refused() {
    let items = Writer::default().tensor("w", FLOATS, (0, &[6], &[1])).tensor("w", FLOATS, (0, &[1], &[1]));
    let file = file(&dict(&items), &[("7", 6, &floats(&[0.0; 6]))]);
    let refused = read(&file);
    assert!(matches!(refused, Err(ConvertError::BrokenTensor { name, .. }) if name == "w"));
}

#[test]
fn numbers_that_are_none_are_refused() {
    let items = dict(&Writer::default().tensor("w", FLOATS, (0, &[6], &[1])));
    for number in [f32::NAN, f32::INFINITY] {
        let file = file(&items, &[("7", 6, &floats(&[0.0, 0.0, 0.0, number, 0.0, 0.0]))]);
        assert!(matches!(take(&file, "w", &[6]), Err(ConvertError::BrokenTensor { .. })));
    }
}

#[test]
fn a_pickle_without_an_end_is_refused() {
    // Two million values, each of one byte.
    let endless = [&b"\x80\x02"[..], &vec![b'N'; 2 << 20], b"."].concat();
    assert!(matches!(read(&file(&endless, &[])), Err(ConvertError::Malformed { .. })));
    // A dictionary that holds itself, as a state dict.
    assert!(matches!(read(&file(b"\x80\x02}q\x00h\x00h\x00s.", &[])), Err(ConvertError::Malformed { .. })));
}

#[test]
fn a_file_that_is_cut_short_is_an_error() {
    let file = whole();
    for length in 0..file.len() {
        assert!(read(&file[..length]).is_err(), "{length} of {} bytes", file.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn bytes_that_changed_are_an_error_or_other_weights(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut file = whole();
        for (place, byte) in changes {
            let place = place.index(file.len());
            file[place] = byte;
        }
        let _ = take(&file, "rows", &[2, 3]);
        let _ = take(&file, "columns", &[2, 2]);
    }

    #[test]
    fn any_bytes_after_the_magic_number_are_read_or_refused(rest in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = read(&[BEGIN, b".\x80\x02M\xe9\x03.\x80\x02", &rest].concat());
    }
}
