//! One file of the work folder: a finished window of one layer, compressed, with its checksum.

use crate::Error;
use ndarray::Array3;
use seg_grid::{Block, Layer, Window};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

const MAGIC: &[u8; 8] = b"RSSTRIP1";
/// Fast, and class maps compress well at any level.
const ZSTD_LEVEL: i32 = 1;
const HASH: usize = 32;

/// Where a strip lies; its file's name says it, so that the folder is the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StripId {
    pub(crate) layer: Layer,
    pub(crate) window: Window,
}

impl StripId {
    pub(crate) fn file_name(&self) -> String {
        let layer = match self.layer {
            Layer::Classes => "classes",
            Layer::Probabilities => "probabilities",
            Layer::Confidence => "confidence",
        };
        let Window { x, y, width, height } = self.window;
        format!("{layer}-x{x}-y{y}-{width}x{height}.strip")
    }
}

/// Writes a strip under a temporary name, makes sure it is on disk, and renames it.
pub(crate) fn write(folder: &Path, id: &StripId, block: &Block) -> Result<u64, Error> {
    let path = folder.join(id.file_name());
    let (kind, bands, raw) = match block {
        Block::U8(values) => (1_u8, values.dim().0, values.iter().copied().collect::<Vec<u8>>()),
        Block::F32(values) => (4_u8, values.dim().0, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
    };
    let fail = |source| Error::Work { action: "write", path: path.clone(), source };
    let packed = zstd::bulk::compress(&raw, ZSTD_LEVEL).map_err(fail)?;
    let temporary = path.with_extension("part");
    let mut bytes = Vec::with_capacity(packed.len() + 64);
    bytes.extend_from_slice(MAGIC);
    bytes.push(kind);
    bytes.extend_from_slice(&(bands as u32).to_le_bytes());
    bytes.extend_from_slice(&(raw.len() as u64).to_le_bytes());
    bytes.extend_from_slice(blake3::hash(&raw).as_bytes());
    bytes.extend_from_slice(&packed);
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        fs::rename(&temporary, &path)
    };
    write().map_err(|source| {
        // What was written of it is of no use; if even this fails, the folder is removed or resumed as a whole.
        let _ = fs::remove_file(&temporary);
        fail(source)
    })?;
    Ok(bytes.len() as u64)
}

/// Reads a strip and checks it against its checksum.
pub(crate) fn read(folder: &Path, id: &StripId) -> Result<Block, Error> {
    let path = folder.join(id.file_name());
    let bytes =
        fs::read(&path).map_err(|source| Error::Work { action: "read", path: path.clone(), source })?;
    let damaged = |what| Error::DamagedStrip { path: path.clone(), what };
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it does not begin as a strip"))?;
    let (kind, rest) = rest.split_first().ok_or_else(|| damaged("it is cut short"))?;
    let (bands, rest) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("it is cut short"))?;
    let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(|| damaged("it is cut short"))?;
    let (hash, packed) = rest.split_first_chunk::<HASH>().ok_or_else(|| damaged("it is cut short"))?;
    let shape = (u32::from_le_bytes(*bands) as usize, id.window.height, id.window.width); // (C, H, W)
    let expected = shape.0 as u64 * id.window.area() * u64::from(*kind);
    if u64::from_le_bytes(*length) != expected {
        return Err(damaged("its size is not the window's"));
    }
    let raw =
        zstd::bulk::decompress(packed, expected as usize).map_err(|_| damaged("it does not decompress"))?;
    if blake3::hash(&raw).as_bytes() != hash {
        return Err(damaged("its checksum differs"));
    }
    let misfit = |_| damaged("its size is not the window's");
    match kind {
        1 => Ok(Block::U8(Array3::from_shape_vec(shape, raw).map_err(misfit)?)),
        4 => {
            let floats = raw.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            Ok(Block::F32(Array3::from_shape_vec(shape, floats).map_err(misfit)?))
        }
        _ => Err(damaged("its value type is unknown")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> StripId {
        StripId { layer: Layer::Probabilities, window: Window { x: 512, y: 0, width: 5, height: 3 } }
    }

    #[test]
    fn a_strip_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = Block::U8(Array3::from_shape_fn((2, 3, 5), |(c, y, x)| (c * 100 + y * 10 + x) as u8));
        let floats = Block::F32(Array3::from_shape_fn((2, 3, 5), |(c, y, x)| (c + y + x) as f32 / 3.0));
        for block in [bytes, floats] {
            write(folder.path(), &id(), &block).unwrap();
            assert_eq!(read(folder.path(), &id()).unwrap(), block);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn one_altered_byte_is_found_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &id(), &Block::U8(Array3::from_elem((1, 3, 5), 3))).unwrap();
        let path = folder.path().join(id().file_name());
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut altered = whole.clone();
            altered[at] ^= 0x11;
            fs::write(&path, &altered).unwrap();
            let same =
                read(folder.path(), &id()).is_ok_and(|b| b == Block::U8(Array3::from_elem((1, 3, 5), 3)));
            // A flipped bit in the compressed frame's header can decode to the same content: that is no damage.
            assert!(
                same || matches!(read(folder.path(), &id()), Err(Error::DamagedStrip { .. })),
                "byte {at}"
            );
        }
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(matches!(read(folder.path(), &id()), Err(Error::DamagedStrip { .. })));
    }
}
