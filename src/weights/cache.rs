//! Where downloaded files are kept.

use crate::diagnostic::Advice;
use std::env;
use std::fs;
use std::path::PathBuf;

/// The folder of downloaded files, made if it is not there.
pub(crate) fn cache_folder() -> anyhow::Result<PathBuf> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = variable("RS_SEG_CACHE");
    let shared = || variable("XDG_CACHE_HOME").map(|folder| folder.join("rs-seg"));
    let home = || variable("HOME").map(|folder| folder.join(".cache").join("rs-seg"));
    let folder = own.or_else(shared).or_else(home).ok_or_else(|| {
        Advice::new("there is no folder for downloads: HOME is not set", "set RS_SEG_CACHE, or give --out")
    })?;
    fs::create_dir_all(&folder).map_err(|source| {
        let what = format!("cannot make the folder {}: {source}", folder.display());
        Advice::new(what, "set RS_SEG_CACHE to a folder that can be written, or give --out")
    })?;
    Ok(folder)
}

/// What a file is called where it is kept: the last part of its address that is fit for a name.
pub(crate) fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let name = path.split('/').skip(1).filter(|part| !part.is_empty()).last().unwrap_or("weights");
    let fit = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' };
    name.trim_start_matches('.').chars().map(fit).collect()
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_are_the_end_of_an_address() {
        assert_eq!(file_name("https://example.org/a/RN50.pt?x=1/2#y"), "RN50.pt");
        assert_eq!(file_name("http://127.0.0.1:80/%2e%2e"), "_2e_2e");
        assert_eq!(file_name("http://example.org"), "weights");
    }
}
