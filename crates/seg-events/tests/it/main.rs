//! What is written is read back, and what is damaged is noticed.

use proptest::prelude::*;
use seg_events::{Error, EventFile, Value, read_events};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(seg_events::file_name(std::time::SystemTime::now()));
    (folder, path)
}

/// A gray PNG of one pixel.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\
    \0\0\0\nIDATx\x9cch\0\0\0\x82\0\x81w\xcdr\xb6\0\0\0\0IEND\xaeB`\x82";

/// A file with `records` scalars, and where each record ends.
fn scalars(path: &Path, records: u64) -> Vec<u64> {
    let mut file = EventFile::create(path).expect("creates");
    let mut ends = vec![file.len()];
    for step in 0..records {
        file.scalar(step, "loss", 1.0 / (step + 1) as f32).expect("writes");
        ends.push(file.flush().expect("writes"));
    }
    ends
}

#[test]
fn what_was_written_is_read_back() {
    let (_folder, path) = place();
    let mut file = EventFile::create(&path).expect("creates");
    file.scalars(7, &[("loss/train", 0.25), ("loss/val", f32::INFINITY)]).expect("scalars");
    file.scalars(8, &[]).expect("nothing");
    file.image_png(9, "sample", 1, 1, PIXEL).expect("a picture");
    file.text(u64::MAX, "configuration", "**Größe** 水").expect("a text");
    let length = file.flush().expect("writes");
    assert_eq!((length, file.len()), (fs::metadata(&path).expect("a file").len(), length));

    let events = read_events(&path).expect("reads");
    assert_eq!(events.iter().map(|event| event.step).collect::<Vec<_>>(), [7, 9, i64::MAX as u64]);
    assert_eq!(events[0].values[1], ("loss/val".to_owned(), Value::Scalar(f32::INFINITY)));
    let image = Value::Image { width: 1, height: 1, png: PIXEL.to_vec() };
    assert_eq!(events[1].values, [("sample".to_owned(), image)]);
    assert_eq!(events[2].values, [("configuration".to_owned(), Value::Text("**Größe** 水".to_owned()))]);
    assert!(events.iter().all(|event| event.wall_time > 1.7e9));
}

#[test]
fn dropping_writes_what_is_in_memory() {
    let (_folder, path) = place();
    EventFile::create(&path).expect("creates").scalar(1, "loss", 0.5).expect("in memory");
    assert_eq!(read_events(&path).expect("reads").len(), 1);
}

#[test]
fn many_records_are_written_without_a_flush() {
    let (_folder, path) = place();
    let mut file = EventFile::create(&path).expect("creates");
    for step in 0..3000 {
        file.text(step, "log", "a line of some length, so that memory is used up").expect("writes");
    }
    let on_disk = fs::metadata(&path).expect("a file").len();
    assert!(on_disk < file.len() && on_disk + 65_536 > file.len(), "{on_disk} of {}", file.len());
    drop(file);
    assert_eq!(read_events(&path).expect("reads").len(), 3000);
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let (_folder, path) = place();
    fs::write(&path, "precious").expect("writes");
    assert!(matches!(EventFile::create(&path), Err(Error::File { action: "create", .. })));
    assert_eq!(fs::read(&path).expect("reads"), b"precious");
}

#[test]
fn a_file_is_cut_back_to_a_boundary_and_goes_on() {
    let (_folder, path) = place();
    let ends = scalars(&path, 5);
    let mut file = EventFile::resume(&path, ends[2]).expect("a boundary");
    assert_eq!((file.len(), fs::metadata(&path).expect("a file").len()), (ends[2], ends[2]));
    file.scalar(2, "loss", 9.0).expect("writes");
    file.flush().expect("writes");
    let events = read_events(&path).expect("reads");
    assert_eq!(events.iter().map(|event| event.step).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(events[2].values[0].1, Value::Scalar(9.0));
}

#[test]
fn a_length_within_a_record_is_refused_and_nothing_is_cut() {
    let (_folder, path) = place();
    let ends = scalars(&path, 3);
    for length in (1..ends[3]).filter(|length| !ends.contains(length)) {
        let record = ends.iter().rev().find(|&&end| end < length).copied().unwrap_or(0);
        match EventFile::resume(&path, length) {
            Err(Error::NotABoundary { length: l, record: r, .. }) => assert_eq!((l, r), (length, record)),
            other => panic!("{length}: {other:?}"),
        }
    }
    assert_eq!(fs::metadata(&path).expect("a file").len(), ends[3]);
    assert!(
        matches!(EventFile::resume(&path, ends[3] + 1), Err(Error::TooShort { got, .. }) if got == ends[3])
    );
    assert!(matches!(EventFile::resume(&path, 0), Err(Error::NoEventFile { .. })));
    assert_eq!(read_events(&path).expect("untouched").len(), 3);
}

#[test]
fn a_torn_file_goes_on_at_an_earlier_boundary() {
    let (_folder, path) = place();
    let ends = scalars(&path, 3);
    let whole = fs::read(&path).expect("reads");
    fs::write(&path, &whole[..whole.len() - 5]).expect("writes");
    assert!(matches!(read_events(&path), Err(Error::Torn { offset, .. }) if offset == ends[2]));
    let mut file = EventFile::resume(&path, ends[2]).expect("a boundary");
    file.scalar(2, "loss", 0.1).expect("writes");
    file.flush().expect("writes");
    assert_eq!(read_events(&path).expect("whole again").len(), 3);
}

#[test]
fn another_file_is_no_event_file() {
    let (_folder, path) = place();
    fs::write(&path, "").expect("writes");
    assert!(matches!(read_events(&path), Err(Error::NoEventFile { .. })));
    fs::write(&path, "something else altogether").expect("writes");
    assert!(matches!(read_events(&path), Err(Error::Damaged { offset: 0, .. })));
    // Records, but without the version at the beginning.
    let ends = scalars(&path.with_extension("other"), 1);
    let other = fs::read(path.with_extension("other")).expect("reads");
    fs::write(&path, &other[ends[0] as usize..]).expect("writes");
    assert!(matches!(read_events(&path), Err(Error::NoEventFile { .. })));
    assert!(matches!(read_events(&path.with_extension("none")), Err(Error::File { action: "read", .. })));
}

#[test]
fn every_damaged_byte_is_noticed() {
    let (_folder, path) = place();
    let ends = scalars(&path, 2);
    let whole = fs::read(&path).expect("reads");
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, &damaged).expect("writes");
        let begin = ends.iter().rev().find(|&&end| end <= at as u64).copied().unwrap_or(0);
        match read_events(&path) {
            Err(Error::Damaged { offset, .. }) => assert_eq!(offset, begin, "byte {at}"),
            other => panic!("byte {at}: {other:?}"),
        }
        assert!(EventFile::resume(&path, ends[2]).is_err(), "byte {at}");
        // What comes before the damage can still be gone on with.
        assert!(begin == 0 || EventFile::resume(&path, begin).is_ok(), "byte {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_scalars_come_back(
        values in proptest::collection::vec((0..=i64::MAX as u64, ".{0,20}", any::<u32>()), 0..20),
    ) {
        let (_folder, path) = place();
        let mut file = EventFile::create(&path).expect("creates");
        for (step, tag, bits) in &values {
            file.scalar(*step, tag, f32::from_bits(*bits)).expect("writes");
        }
        drop(file);
        let events = read_events(&path).expect("reads");
        prop_assert_eq!(events.len(), values.len());
        for (event, (step, tag, bits)) in events.iter().zip(&values) {
            prop_assert_eq!((event.step, &event.values[0].0), (*step, tag));
            let Value::Scalar(number) = event.values[0].1 else { panic!("no scalar") };
            prop_assert_eq!(number.to_bits(), *bits);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (_folder, path) = place();
        fs::write(&path, &bytes).expect("writes");
        prop_assert!(read_events(&path).is_err());
        prop_assert!(EventFile::resume(&path, bytes.len() as u64).is_err());
    }
}
