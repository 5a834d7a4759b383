//! What programs that build dialogs of the description need besides: a title, a place, and what to show at once.

use super::files::Files;
use serde::Serialize;

/// Where a list of commands has a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Group {
    /// It makes classes, or works on them.
    Classes,
    /// It makes networks of rasters and truth, or tells how good they are.
    Training,
    /// It looks at files of networks, or changes them.
    Networks,
    /// It tells about rs-seg itself, or about a run before there is one.
    Program,
}

/// Where a command belongs, by its name.
pub(crate) fn group(command: &str) -> Group {
    match command {
        "doctor" | "describe" | "completions" | "man" | "plan" => Group::Program,
        "tile" | "train" | "eval" => Group::Training,
        _ if command.starts_with("model ") => Group::Networks,
        _ => Group::Classes,
    }
}

/// What a command does in a few words: the first of its help's first line.
pub(crate) fn title(about: &str) -> String {
    let first = about.lines().next().unwrap_or_default();
    let end = [":", ";", ",", " ("].iter().filter_map(|mark| first.find(mark)).min();
    first[..end.unwrap_or(first.len())].trim_end().to_owned()
}

/// Whether a dialog has room for a parameter that is not advanced.
///
/// All flags of `infer` at once would be too many: there it is files, and what of them the network is shown.
pub(crate) fn has_room(command: &str, name: &str, file: Option<Files>) -> bool {
    command != "infer" || file.is_some() || matches!(name, "bbox" | "bbox-crs" | "bands")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_ends_where_the_first_part_of_the_help_does() {
        for (about, expected) in [
            ("Segment rasters of any size", "Segment rasters of any size"),
            ("Cut rasters, and with labels their truth, into chips", "Cut rasters"),
            ("Compare rasters with their truth: scores\n\nMore.", "Compare rasters with their truth"),
            ("", ""),
        ] {
            assert_eq!(title(about), expected);
        }
    }
}
