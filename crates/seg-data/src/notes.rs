/// What is to be told about files: notes that differ by the file's name alone are told once.
///
/// Each note comes with the name that it is about.
pub(crate) fn summarized(notes: Vec<(String, String)>) -> Vec<String> {
    let mut groups: Vec<(String, String, usize)> = Vec::new();
    for (name, note) in notes {
        let kind = note.replace(&name, "");
        match groups.iter_mut().find(|(known, ..)| *known == kind) {
            Some((.., files)) => *files += 1,
            None => groups.push((kind, note, 1)),
        }
    }
    let text = |(_, first, files): (String, String, usize)| match files - 1 {
        0 => first,
        more => format!("{first} (and {more} more like it)"),
    };
    groups.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_note_stands_for_all_of_its_kind() {
        let note = |name: &str, what: &str| (name.to_owned(), format!("{name} {what}"));
        let notes = vec![
            note("a.tif", "lacks a CRS"),
            note("b.tif", "is small"),
            note("c.tif", "lacks a CRS"),
            note("d.tif", "lacks a CRS"),
        ];
        assert_eq!(summarized(notes), ["a.tif lacks a CRS (and 2 more like it)", "b.tif is small"]);
    }
}
