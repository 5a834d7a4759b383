use crate::{DataSet, Error};
use seg_label::{Code, Convention, Legend};
use std::fs;

/// How label files write classes: by a data set, by a built-in legend's name or by a legend file; `None` if
/// neither is given.
///
/// A legend beside a data set gives other names and colors to classes of the same ids.
///
/// ```
/// use seg_data::{DataSet, find_convention};
/// let dubai = find_convention(Some("dubai"), None)?.expect("given");
/// assert_eq!(dubai.legend.len(), 5);
/// assert!(find_convention(None, Some(DataSet::Folder))?.is_none());
/// # Ok::<(), seg_data::Error>(())
/// ```
///
/// # Errors
/// If the legend is neither a built-in name nor a legend file.
pub fn find_convention(legend: Option<&str>, data_set: Option<DataSet>) -> Result<Option<Convention>, Error> {
    let of_set = data_set.and_then(DataSet::convention);
    let Some(name) = legend else { return Ok(of_set) };
    let named = match Convention::of_builtin_legend(name) {
        Some(convention) => convention,
        None => Convention::new(read_legend(name)?),
    };
    let ids = |legend: &Legend| legend.classes().iter().map(|class| class.id).collect::<Vec<_>>();
    Ok(Some(match of_set {
        Some(of_set) if ids(&of_set.legend) == ids(&named.legend) => {
            let colors = named.legend.classes().iter().map(|class| (Code::Color(class.color), class.id));
            let relabel = colors.fold(of_set.relabel, |relabel, (color, id)| relabel.mapping(color, id));
            Convention { legend: named.legend, relabel }
        }
        _ => named,
    }))
}

fn read_legend(name: &str) -> Result<Legend, Error> {
    let text = fs::read_to_string(name).map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound {
            Error::NoSuchLegend { name: name.to_owned() }
        } else {
            Error::File { action: "read the legend", path: name.into(), source }
        }
    })?;
    Legend::from_toml_str(&text).map_err(|source| Error::Legend { name: name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use seg_label::ClassId;

    #[test]
    fn a_file_beside_a_data_set_renames_its_classes() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut text = Legend::builtin("loveda").expect("known").to_toml();
        text = text.replace("agricultural", "fields");
        fs::write(file.path(), text).expect("written");
        let name = file.path().to_string_lossy();
        let alone = find_convention(Some(&name), None).expect("a legend").expect("given");
        assert_eq!(alone.class_of(Code::Id(1)), Some(ClassId(1)));
        let beside = find_convention(Some(&name), Some(DataSet::LoveDa)).expect("a legend").expect("given");
        assert_eq!(beside.class_of(Code::Id(1)), Some(ClassId(0)));
        assert!(beside.legend.by_name("fields").is_some());
    }

    #[test]
    fn what_is_no_legend_says_what_is() {
        let error = find_convention(Some("mars"), None).expect_err("unknown");
        assert_eq!(error.to_string(), "there is no legend mars");
        assert!(error.hint().expect("a hint").contains("potsdam"));
    }
}
