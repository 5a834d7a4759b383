//! Checksums of files.

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io;
use std::path::Path;

/// A file's size and SHA-256, in hexadecimal digits.
pub(crate) fn sha256_of(path: &Path) -> anyhow::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let bytes = File::open(path)
        .and_then(|mut file| io::copy(&mut file, &mut hasher))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok((bytes, digits(hasher)))
}

/// What a hasher has come to, in hexadecimal digits.
pub(crate) fn digits(hasher: Sha256) -> String {
    format!("{:x}", hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn sums_are_those_of_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs::write(&path, "abc").unwrap();
        let (bytes, sum) = sha256_of(&path).unwrap();
        assert_eq!(bytes, 3);
        assert_eq!(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
