use crate::{Error, Manifest};
use std::fs;
use std::path::{Path, PathBuf};

/// What happens to chips that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// They are kept, and the job is refused.
    #[default]
    Refuse,
    /// They are replaced once the new ones are whole.
    Replace,
}

/// The folder that chips go to: all is written beside its final place and moved there when whole.
///
/// Dropped before [`OutFolder::publish`], it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct OutFolder {
    folder: PathBuf,
    work: PathBuf,
    /// The first folder that had to be made, if any.
    made: Option<PathBuf>,
    published: bool,
}

/// The folders of a set of chips.
pub(crate) const IMAGES: &str = "images";
/// See [`IMAGES`].
pub(crate) const LABELS: &str = "labels";
const WORK: &str = ".rs-seg-tile";
/// Everything that a set of chips consists of; the manifest comes last, so that it stands for a whole set.
const PARTS: [&str; 5] = [IMAGES, LABELS, Manifest::LEGEND, "statistics.json", Manifest::NAME];

impl OutFolder {
    /// Makes room for chips.
    ///
    /// # Errors
    /// If there are chips already and they are not to be replaced, or the folder holds something else.
    pub(crate) fn create(folder: &Path, existing: Existing) -> Result<Self, Error> {
        let made =
            folder.ancestors().take_while(|part| !part.as_os_str().is_empty() && !part.exists()).last();
        let made = made.map(Path::to_path_buf);
        if folder.join(Manifest::NAME).exists() {
            if existing == Existing::Refuse {
                return Err(Error::Exists { path: folder.to_path_buf() });
            }
            // What another program calls a manifest is not ours to replace.
            if Manifest::read(folder)?.chips.is_empty() {
                return Err(Error::NotOurs { path: folder.to_path_buf() });
            }
        } else if made.is_none() && !is_empty(folder)? {
            return Err(Error::NotOurs { path: folder.to_path_buf() });
        }
        let work = folder.join(WORK);
        if work.exists() {
            // Left by a run that was killed.
            fs::remove_dir_all(&work).map_err(file("remove", &work))?;
        }
        let out = Self { folder: folder.to_path_buf(), work, made, published: false };
        for part in [IMAGES, LABELS] {
            let path = out.work.join(part);
            fs::create_dir_all(&path).map_err(file("create the folder", &path))?;
        }
        Ok(out)
    }

    /// Where a part is written before it is whole.
    pub(crate) fn part(&self, relative: &str) -> PathBuf {
        self.work.join(relative)
    }

    /// Writes a small text.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.part(name);
        fs::write(&path, text).map_err(file("write", &path))
    }

    /// Replaces what was there.
    ///
    /// # Errors
    /// If a file cannot be moved; what is in place by then has no manifest.
    pub(crate) fn publish(mut self) -> Result<(), Error> {
        let labels = self.work.join(LABELS);
        if is_empty(&labels)? {
            fs::remove_dir(&labels).map_err(file("remove", &labels))?;
        }
        // The manifest goes first and comes last: chips without one are no set.
        for part in PARTS.iter().rev() {
            remove(&self.folder.join(part))?;
        }
        for part in PARTS {
            let (from, to) = (self.work.join(part), self.folder.join(part));
            if from.exists() {
                fs::rename(&from, &to).map_err(file("move to its place", &to))?;
            }
        }
        fs::remove_dir(&self.work).map_err(file("remove", &self.work))?;
        self.published = true;
        Ok(())
    }
}

impl Drop for OutFolder {
    fn drop(&mut self) {
        if !self.published {
            // Nothing better can be done about a folder that cannot be removed.
            let _ = fs::remove_dir_all(&self.work);
            if let Some(made) = &self.made {
                let _ = remove_empty(made);
            }
        }
    }
}

/// Removes a folder that holds nothing but such folders.
fn remove_empty(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        remove_empty(&entry?.path())?;
    }
    fs::remove_dir(folder)
}

fn remove(path: &Path) -> Result<(), Error> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file("remove", path)(error)),
        _ => Ok(()),
    }
}

fn is_empty(folder: &Path) -> Result<bool, Error> {
    let mut entries = fs::read_dir(folder).map_err(file("search the folder", folder))?;
    // A work folder that was left behind is nothing of the user's.
    Ok(entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == WORK)))
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::File { action, path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHIP: &str = "{\"image\":\"images/a.tif\",\"source\":\"a.tif\",\"split\":\"train\",\"valid\":1.0,\
        \"window\":{\"x\":0,\"y\":0,\"width\":8,\"height\":8}}\n";

    #[test]
    fn nothing_is_left_of_an_abandoned_set() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("new/chips");
        let out = OutFolder::create(&folder, Existing::Refuse).expect("room");
        fs::write(out.part("images/a.tif"), "").expect("a file");
        drop(out);
        assert!(!root.path().join("new").exists());
    }

    #[test]
    fn a_whole_set_replaces_an_older_one_only_when_asked() {
        let root = tempfile::tempdir().expect("a folder");
        let make = |existing, image: &str| {
            let out = OutFolder::create(root.path(), existing)?;
            fs::write(out.part(image), "").expect("a file");
            out.write(Manifest::NAME, CHIP)?;
            out.publish()
        };
        make(Existing::Refuse, "images/a.tif").expect("the folder was empty");
        assert!(!root.path().join("labels").exists());
        assert!(matches!(make(Existing::Refuse, "images/b.tif"), Err(Error::Exists { .. })));
        assert!(root.path().join("images/a.tif").exists());
        make(Existing::Replace, "images/b.tif").expect("replaced");
        assert!(!root.path().join("images/a.tif").exists() && root.path().join("images/b.tif").exists());
        assert!(!root.path().join(WORK).exists());
    }

    #[test]
    fn a_folder_with_something_else_is_left_alone() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir(root.path().join("images")).expect("a folder");
        for existing in [Existing::Refuse, Existing::Replace] {
            assert!(matches!(OutFolder::create(root.path(), existing), Err(Error::NotOurs { .. })));
        }
        // What another program calls a manifest.
        fs::write(root.path().join(Manifest::NAME), "").expect("a file");
        assert!(matches!(OutFolder::create(root.path(), Existing::Replace), Err(Error::NotOurs { .. })));
        assert!(root.path().join("images").exists());
    }
}
