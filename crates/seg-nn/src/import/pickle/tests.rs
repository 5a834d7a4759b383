//! Pickles by hand, and pickles that nobody wrote.

use std::path::Path;

use proptest::prelude::*;

use super::{Node, Pickle, Value};
use crate::import::archive::Archive;
use crate::import::flatten::flatten;

fn problem(bytes: &[u8]) -> String {
    Pickle::parse(bytes).unwrap_err().to_string()
}

/// The description in a file that PyTorch wrote.
fn description(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/import");
    Archive::open(&folder.join(name)).unwrap().description().unwrap()
}

#[test]
fn plain_values_are_read() {
    // {'a': 300, 'b': -1, 'c': [None, True]} in protocol 2.
    let bytes = b"\x80\x02}q\0(X\x01\0\0\0aM\x2c\x01X\x01\0\0\0bJ\xff\xff\xff\xffX\x01\0\0\0c](N\x88eu.";
    let pickle = Pickle::parse(bytes).unwrap();
    let entries = pickle.entries(&pickle.root).unwrap();
    let numbers = entries.iter().filter_map(|(_, value)| match value {
        Value::Int(number) => Some(*number),
        _ => None,
    });
    assert_eq!(numbers.collect::<Vec<_>>(), [300, -1]);
    let Value::Container(list) = entries[2].1 else { panic!("no list: {entries:?}") };
    assert!(matches!(pickle.node(list), Node::List(items) if items.len() == 2));
}

#[test]
fn long_numbers_keep_their_sign_or_are_left_out() {
    let number = |bytes: &[u8]| Pickle::parse(&[b"\x80\x02\x8a", bytes, b"."].concat()).unwrap().root;
    assert!(matches!(number(b"\0"), Value::Int(0)));
    assert!(matches!(number(b"\x01\xff"), Value::Int(-1)));
    assert!(matches!(number(b"\x02\xff\0"), Value::Int(255)));
    assert!(matches!(number(b"\x09\0\0\0\0\0\0\0\x80\0"), Value::Other));
    assert!(matches!(number(b"\x09\0\0\0\0\0\0\0\x80\xff"), Value::Int(i64::MIN)));
}

#[test]
fn no_function_is_called() {
    let pickle = Pickle::parse(b"\x80\x02cposix\nsystem\nX\x02\0\0\0ls\x85R.").unwrap();
    assert_eq!(pickle.class(&pickle.root), Some("posix.system"));
    assert!(flatten(&pickle).unwrap().tensors.is_empty());
}

#[test]
fn tensors_that_are_not_read_are_told() {
    // {'a.b': torch._utils._rebuild_meta_tensor_no_storage()} in protocol 2.
    let pickle =
        Pickle::parse(b"\x80\x02}X\x03\0\0\0a.bctorch._utils\n_rebuild_meta_tensor_no_storage\n)Rs.")
            .unwrap();
    let found = flatten(&pickle).unwrap();
    assert_eq!((found.unread, found.tensors.len()), (vec!["a.b".to_owned()], 0));
}

#[test]
fn a_score_beside_a_state_dict_is_no_weight() {
    // {'state_dict': {KEY: tensor}, 'best': tensor}, KEY with a part or two.
    let tensor = |name: &[u8]| {
        let mut bytes = vec![b'X', name.len() as u8, 0, 0, 0];
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(
            b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0\x30X\x03\0\0\0cpuK\x01tQK\0K\x01\x85K\x01\x85\x89NtRs",
        );
        bytes
    };
    let wrapped = |beside: &[u8]| {
        let bytes =
            [&b"\x80\x02}X\x0a\0\0\0state_dict}"[..], &tensor(b"conv.weight"), b"s", &tensor(beside), b"."];
        flatten(&Pickle::parse(&bytes.concat()).unwrap()).unwrap()
    };
    let found = wrapped(b"best_acc1");
    assert_eq!(found.tensors.keys().collect::<Vec<_>>(), ["conv.weight"]);
    assert_eq!(found.beside, ["best_acc1"]);
    // A weight beside it means that it is a part like others.
    let found = wrapped(b"a.b");
    assert_eq!(found.tensors.keys().collect::<Vec<_>>(), ["a.b", "state_dict.conv.weight"]);
}

#[test]
fn nonsense_is_told_with_its_place() {
    assert!(problem(b"").contains("at byte 0: it ends within a value"));
    assert!(problem(b"\x80\x01.").contains("protocol 1 is not read"));
    assert!(problem(b"\x80\x02(.").contains("at byte 3: the stack is empty"));
    assert!(problem(b"\x80\x02h\x05.").contains("what was not there before"));
    assert!(problem(b"\x80\x02X\xff\xff\xff\xffa").contains("it ends within a value"));
    assert!(problem(b"\x80\x02i.").contains("opcode 0x69"));
    assert!(problem(b"\x80\x02}(Nu.").contains("a key has no value"));
    assert!(problem(&vec![b'N'; super::LONGEST + 1]).contains("bytes long"));
}

#[test]
fn what_holds_itself_is_told() {
    // d = {}; d['a'] = d
    let itself = Pickle::parse(b"\x80\x02}q\0X\x01\0\0\0ah\0s.").unwrap();
    assert!(flatten(&itself).unwrap_err().to_string().contains("nested without end"));
    // Forty dictionaries, each of which holds the one before it twice.
    let mut bytes = b"\x80\x02}q\0".to_vec();
    for level in 0..40_u8 {
        bytes.extend([b'}', b'q', level + 1, b'(', b'K', 0, b'h', level, b'K', 1, b'h', level, b'u']);
    }
    bytes.push(b'.');
    let doubled = Pickle::parse(&bytes).unwrap();
    assert!(flatten(&doubled).unwrap_err().to_string().contains("nested without end"));
    // A million tuples within each other.
    let mut bytes = vec![0x80, 2, b')'];
    bytes.resize(1_000_000, 0x85);
    bytes.push(b'.');
    assert!(flatten(&Pickle::parse(&bytes).unwrap()).unwrap().tensors.is_empty());
}

/// Changes of bytes at places.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
}

proptest! {
    #[test]
    fn any_bytes_end_with_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _outcome = Pickle::parse(&bytes).map(|pickle| flatten(&pickle));
        let _outcome = Pickle::parse(&[b"\x80\x02", bytes.as_slice()].concat()).map(|pickle| flatten(&pickle));
    }

    #[test]
    fn damaged_descriptions_end_with_a_value_or_an_error(
        name in prop::sample::select(&["views.pt", "protocol-4.pt", "clip-script.pt"][..]),
        changes in changes(),
    ) {
        let mut bytes = description(name);
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let _outcome = Pickle::parse(&bytes).map(|pickle| flatten(&pickle));
    }

    #[test]
    fn damaged_files_end_with_tensors_or_an_error(changes in changes(), kept in 0_usize..8192) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/import");
        let mut bytes = std::fs::read(folder.join("views.pt")).unwrap();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes.truncate(kept);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let _outcome = crate::import::StateDict::read(file.path());
    }

    #[test]
    fn tensors_stay_within_their_storage(offset in 0_i64..1 << 62, size in 0_i64..1 << 62, stride in 0_i64..1 << 62) {
        // What a description says of places is looked at before libtorch is asked for it.
        let number = |value: i64| [&b"\x8a\x08"[..], &value.to_le_bytes()].concat();
        let bytes = [
            &b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0\x30Xz\0\0\0"[..],
            &[b'c'; 0x7a],
            b"K\x02tQ",
            &number(offset), &number(size), b"\x85", &number(stride), b"\x85\x89NtR.",
        ]
        .concat();
        let pickle = Pickle::parse(&bytes).unwrap();
        let Value::Tensor(slice) = &pickle.root else { panic!("no tensor: {pickle:?}") };
        prop_assert_eq!((slice.offset as i64, slice.size[0], slice.stride[0]), (offset, size, stride));
        let within = crate::import::state_dict::end(slice);
        let exact = i128::from(offset) + (i128::from(size) - 1) * i128::from(stride) + 1;
        prop_assert_eq!(within.map(i128::from), (size > 0 && exact <= i128::from(u64::MAX)).then_some(exact));
    }
}
