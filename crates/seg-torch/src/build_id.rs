//! The identity that the linker gives a library, which is the same where the code is.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The type of a program header that holds notes.
const PT_NOTE: u32 = 4;
/// The type of the note of an identity, whose owner is `GNU`.
const NT_GNU_BUILD_ID: u32 = 3;
/// Notes of libraries are short; a longer part is none that is looked for here.
const LONGEST_NOTES: u64 = 1 << 16;

/// The identity of a library of 64 bits, where it has one.
///
/// Files of the same identity have the same code, though a packager may have changed the names in them.
///
/// # References
/// The layout is that of the System V ABI's ELF-64 object file format.
pub(crate) fn build_id(library: &Path) -> Option<Vec<u8>> {
    let file = File::open(library).ok()?;
    let header = read(&file, 0, 64)?;
    // ELF, 64 bits, little end first.
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (table, entry, count) = (long(&header, 32)?, short(&header, 54)?, short(&header, 56)?);
    (0..u64::from(count)).find_map(|number| {
        let program = read(&file, table.checked_add(number * u64::from(entry))?, 56)?;
        let size = long(&program, 32)?;
        if word(&program, 0)? != PT_NOTE || size > LONGEST_NOTES {
            return None;
        }
        identity(&read(&file, long(&program, 8)?, size as usize)?)
    })
}

/// The identity among notes: each is the sizes of name and content, a type, and both, padded to four bytes.
fn identity(mut notes: &[u8]) -> Option<Vec<u8>> {
    loop {
        let (name, content) = (word(notes, 0)? as usize, word(notes, 4)? as usize);
        let kind = word(notes, 8)?;
        let begin = 12 + name.next_multiple_of(4);
        let owner = notes.get(12..12 + name)?;
        let value = notes.get(begin..begin + content)?;
        if kind == NT_GNU_BUILD_ID && owner == b"GNU\0" {
            return Some(value.to_vec());
        }
        notes = notes.get(begin + content.next_multiple_of(4)..)?;
    }
}

fn read(file: &File, at: u64, bytes: usize) -> Option<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    file.read_exact_at(&mut buffer, at).ok()?;
    Some(buffer)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{build_id, identity};
    use crate::cuda::loaded_library;

    #[test]
    fn libraries_that_run_have_an_identity_of_their_own() {
        let id = |name| build_id(&loaded_library(name).unwrap()).unwrap();
        assert_eq!(id(c"libtorch_cpu.so").len(), 20);
        assert_ne!(id(c"libtorch_cpu.so"), id(c"libc10.so"));
    }

    #[test]
    fn other_files_have_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.so");
        assert_eq!(build_id(&path), None);
        for content in [&b""[..], b"no library", b"\x7fELF\x02\x01", &[0xff; 4096]] {
            fs::write(&path, content).unwrap();
            assert_eq!(build_id(&path), None);
        }
        // A header that promises more than the file holds.
        let mut cut = fs::read(loaded_library(c"libc10.so").unwrap()).unwrap();
        cut.truncate(100);
        fs::write(&path, cut).unwrap();
        assert_eq!(build_id(&path), None);
    }

    #[test]
    fn notes_of_others_are_passed_over() {
        let note = |owner: &[u8], kind: u32, content: &[u8]| {
            let mut bytes = Vec::new();
            for number in [owner.len() as u32, content.len() as u32, kind] {
                bytes.extend(number.to_le_bytes());
            }
            for part in [owner, content] {
                bytes.extend(part);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            bytes
        };
        let notes =
            [note(b"Linux\0", 3, b"abcde"), note(b"GNU\0", 1, b"1234"), note(b"GNU\0", 3, b"id")].concat();
        assert_eq!(identity(&notes).as_deref(), Some(&b"id"[..]));
        assert_eq!(identity(&notes[..notes.len() - 4]), None);
        assert_eq!(identity(&[0xff; 40]), None);
    }
}
