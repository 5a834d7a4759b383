use super::Verdict;
use crate::weights::cache_folder;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// What checks have found so far, in a file of the folder for downloads.
#[derive(Debug)]
pub(crate) struct Verdicts {
    path: PathBuf,
    all: BTreeMap<String, Verdict>,
}

impl Verdicts {
    /// Reads them; a file that is not there or is damaged holds none.
    pub(crate) fn open() -> anyhow::Result<Self> {
        Ok(Self::of(cache_folder()?.join("precision-checks.json")))
    }

    fn of(path: PathBuf) -> Self {
        let text = fs::read(&path).unwrap_or_default();
        Self { all: serde_json::from_slice(&text).unwrap_or_default(), path }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Verdict> {
        self.all.get(key).cloned()
    }

    /// Remembers one.
    pub(crate) fn put(&mut self, key: String, verdict: Verdict) -> anyhow::Result<()> {
        self.all.insert(key, verdict);
        // Two checks at once may each write; a file is whole either way.
        let temporary = self.path.with_extension(format!("{}.part", std::process::id()));
        fs::write(&temporary, serde_json::to_vec_pretty(&self.all)?)
            .and_then(|()| fs::rename(&temporary, &self.path))
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_remembered_and_a_damaged_file_holds_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checks.json");
        let verdict = Verdict { equal: 0.9995, pixels: 10, seconds: [0.5, 0.25] };
        let mut verdicts = Verdicts::of(path.clone());
        assert_eq!(verdicts.get("a"), None);
        verdicts.put("a".to_owned(), verdict.clone()).unwrap();
        assert_eq!(Verdicts::of(path.clone()).get("a"), Some(verdict));
        fs::write(&path, b"{\"a\": ").unwrap();
        assert_eq!(Verdicts::of(path).get("a"), None);
    }
}
