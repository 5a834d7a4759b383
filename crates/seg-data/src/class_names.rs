use seg_gdal::RasterProfile;
use seg_label::{Class, ClassId, IGNORE_INDEX, Legend, Rgb};
use std::fs;

/// The legend that a class raster carries along: GDAL's category names and color table.
///
/// `None` if it names no classes, or its names and colors make no legend.
pub(crate) fn legend_of_raster(profile: &RasterProfile) -> Option<Legend> {
    let palette = profile.bands.first()?.palette.as_ref()?;
    let names = category_names(&fs::read_to_string(format!("{}.aux.xml", profile.name)).ok()?);
    let class = |(id, name): (usize, String)| {
        let [r, g, b, _] = *palette.entries.get(id)?;
        let id = u8::try_from(id).ok().filter(|&id| id != IGNORE_INDEX)?;
        (!name.trim().is_empty()).then(|| Class {
            id: ClassId(id),
            name,
            prompt: None,
            color: Rgb::new(r, g, b),
        })
    };
    Legend::new(names.into_iter().enumerate().filter_map(class).collect()).ok()
}

/// A legend that names classes by their ids, in colors that can be told apart.
pub(crate) fn legend_of_ids(ids: impl IntoIterator<Item = u8>) -> Option<Legend> {
    let class = |id: u8| Class {
        id: ClassId(id),
        name: id.to_string(),
        prompt: None,
        // Steps that meet every byte once, so that no two ids share a color.
        color: Rgb::new(id.wrapping_mul(67), id.wrapping_mul(151), id.wrapping_mul(29)),
    };
    Legend::new(ids.into_iter().filter(|&id| id != IGNORE_INDEX).map(class).collect()).ok()
}

/// The category names of the first band in the text of a `.aux.xml` file.
fn category_names(xml: &str) -> Vec<String> {
    let Some((_, rest)) = xml.split_once("<CategoryNames>") else { return Vec::new() };
    let list = rest.split_once("</CategoryNames>").map_or(rest, |(list, _)| list);
    let mut names = Vec::new();
    for part in list.split("<Category").skip(1) {
        let name = match part.split_once('>') {
            Some((tag, text)) if !tag.ends_with('/') => {
                text.split_once("</Category>").map_or("", |(name, _)| name)
            }
            _ => "",
        };
        names.push(unescaped(name));
    }
    names
}

fn unescaped(text: &str) -> String {
    // The ampersand comes last, so that `&amp;lt;` stays a text.
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        .into_iter()
        .fold(text.to_owned(), |text, (entity, letter)| text.replace(entity, letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_their_place() {
        let xml = "<PAMDataset><PAMRasterBand band=\"1\"><CategoryNames>\n<Category>a &amp; b</Category>\n\
                   <Category />\n<Category>c &lt;d&gt;</Category></CategoryNames></PAMRasterBand></PAMDataset>";
        assert_eq!(category_names(xml), ["a & b", "", "c <d>"]);
        assert!(category_names("<PAMDataset/>").is_empty());
    }

    #[test]
    fn ids_alone_make_a_legend() {
        let legend = legend_of_ids(0..=255).expect("a legend");
        assert_eq!((legend.len(), legend.classes()[7].name.as_str()), (255, "7"));
        assert_eq!(legend_of_ids([255]), None);
    }
}
