use crate::Error;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

/// A record's length and the length's checksum.
const HEADER: u64 = 12;
/// The data's checksum.
const FOOTER: u64 = 4;

/// Appends one record: its length, the length's checksum, the data, the data's checksum.
pub(crate) fn append(buffer: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    buffer.extend_from_slice(&length);
    buffer.extend_from_slice(&checksum(&length).to_le_bytes());
    buffer.extend_from_slice(data);
    buffer.extend_from_slice(&checksum(data).to_le_bytes());
}

/// A CRC32C, masked as the format wants it, since records hold checksums themselves.
fn checksum(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The records of a file from its beginning up to a length.
pub(crate) struct Records {
    reader: BufReader<File>,
    path: PathBuf,
    /// Where the record that was read last begins.
    start: u64,
    /// Where the next one does.
    offset: u64,
    end: u64,
    data: Vec<u8>,
}

impl Records {
    /// Of a file that has `end` bytes at least and stands at its beginning.
    pub(crate) fn new(file: File, path: &Path, end: u64) -> Self {
        Self {
            reader: BufReader::new(file),
            path: path.to_path_buf(),
            start: 0,
            offset: 0,
            end,
            data: Vec::new(),
        }
    }

    /// The data of the next record, none at the end.
    ///
    /// # Errors
    /// If a checksum is wrong, a record goes beyond the end, or the file cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        self.start = self.offset;
        let left = self.end - self.start;
        if left == 0 {
            return Ok(None);
        }
        if left < HEADER {
            return Err(self.torn());
        }
        let length_bytes: [u8; 8] = self.array()?;
        self.check(&length_bytes, "the checksum of its length is wrong")?;
        let length = u64::from_le_bytes(length_bytes);
        // Before memory is asked for: the length may be anything.
        if length > left.saturating_sub(HEADER + FOOTER) {
            return Err(self.torn());
        }
        let mut data = std::mem::take(&mut self.data);
        data.resize(length as usize, 0);
        self.fill(&mut data)?;
        self.check(&data, "its checksum is wrong")?;
        self.data = data;
        self.offset += HEADER + length + FOOTER;
        Ok(Some(&self.data))
    }

    /// Something that is wrong with the record read last.
    pub(crate) fn damaged(&self, what: &'static str) -> Error {
        Error::Damaged { path: self.path.clone(), offset: self.start, what }
    }

    fn torn(&self) -> Error {
        Error::Torn { path: self.path.clone(), offset: self.start }
    }

    /// Compares data with the checksum that follows.
    fn check(&mut self, data: &[u8], what: &'static str) -> Result<(), Error> {
        let expected = u32::from_le_bytes(self.array()?);
        if checksum(data) == expected { Ok(()) } else { Err(self.damaged(what)) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        let path = &self.path;
        self.reader.read_exact(bytes).map_err(|source| Error::File {
            action: "read",
            path: path.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc32c() {
        // RFC 3720, B.4, and the check value of the catalog of CRCs.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c::crc32c(&[255; 32]), 0x62a8_ab43);
        assert_eq!(crc32c::crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c::crc32c(&(0..32).rev().collect::<Vec<u8>>()), 0x113f_db5c);
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn checksums_are_masked() {
        // The first eight bytes of every event file with a version record of 24 bytes, and their checksum.
        assert_eq!(checksum(&[24, 0, 0, 0, 0, 0, 0, 0]).to_le_bytes(), [0xa3, 0x7f, 0x4b, 0x22]);
    }

    #[test]
    fn a_record_is_laid_out_as_the_format_says() {
        let mut buffer = vec![9];
        append(&mut buffer, b"data");
        assert_eq!(buffer.len() as u64, 1 + HEADER + 4 + FOOTER);
        assert_eq!(buffer[1..9], [4, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(buffer[9..13], checksum(&buffer[1..9]).to_le_bytes());
        assert_eq!(&buffer[13..17], b"data");
        assert_eq!(buffer[17..], checksum(b"data").to_le_bytes());
    }
}
