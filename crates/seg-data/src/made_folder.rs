use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A folder that was made for what is to come; dropped while it is empty, it is gone again, with those above it that
/// were made for it.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let (wanted, above) = (folder.path().join("a/b"), folder.path().join("a"));
/// let made = seg_data::MadeFolder::create(&wanted)?;
/// assert!(wanted.is_dir());
/// drop(made);
/// assert!(!above.exists());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct MadeFolder {
    /// What was not there, the deepest first.
    made: Vec<PathBuf>,
}

impl MadeFolder {
    /// Makes a folder and those above it, as far as they are not there.
    ///
    /// # Errors
    /// If it cannot be made; what was made so far is gone again.
    pub fn create(folder: &Path) -> io::Result<Self> {
        let missing = folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists());
        let made = Self { made: missing.map(Path::to_path_buf).collect() };
        fs::create_dir_all(folder)?;
        Ok(made)
    }
}

impl Drop for MadeFolder {
    fn drop(&mut self) {
        // One with files stays, and those above it.
        let _gone = self.made.iter().all(|folder| fs::remove_dir(folder).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_or_has_files_stays() {
        let root = tempfile::tempdir().expect("a folder");
        let [there, used, empty] =
            ["there", "there/used/deep", "there/empty"].map(|name| root.path().join(name));
        fs::create_dir(&there).expect("makes");
        let made = MadeFolder::create(&used).expect("makes");
        fs::write(used.join("file"), "").expect("writes");
        drop((
            made,
            MadeFolder::create(&empty).expect("makes"),
            MadeFolder::create(&there).expect("is there"),
        ));
        assert!(there.is_dir() && used.join("file").is_file() && !empty.exists());
        // A file is in the way.
        MadeFolder::create(&used.join("file/deeper")).expect_err("no folder");
    }
}
