use crate::ClassEntry;
use crate::xml::escape;
use std::fmt::Write as _;

/// A style of QGIS 3.22 and later for a class raster: the classes with their names and colors, and nothing where
/// there is no data.
///
/// QGIS shows `classes.tif` with the style in `classes.qml` beside it. Without one it takes the raster's color
/// table, whose 256 entries have no names.
///
/// ```
/// use seg_gdal::{ClassEntry, qml_style};
/// let style = qml_style(&[ClassEntry { id: 4, name: "water", color: [0, 0, 255] }]);
/// assert!(style.contains(r##"value="4" color="#0000ff" alpha="255" label="water""##));
/// ```
pub fn qml_style(classes: &[ClassEntry<'_>]) -> String {
    let mut entries = String::new();
    for ClassEntry { id, name, color: [r, g, b] } in classes {
        let label = escape(name);
        // Writing to a string cannot fail.
        let _ = writeln!(
            entries,
            "        <paletteEntry value=\"{id}\" color=\"#{r:02x}{g:02x}{b:02x}\" alpha=\"255\" label=\"{label}\"/>"
        );
    }
    format!(
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n\
         <qgis version=\"3.22.0\" styleCategories=\"Symbology\">\n  \
           <pipe>\n    \
             <rasterrenderer type=\"paletted\" band=\"1\" opacity=\"1\" alphaBand=\"-1\" nodataColor=\"\">\n      \
               <rasterTransparency/>\n      \
               <colorPalette>\n{entries}      </colorPalette>\n    \
             </rasterrenderer>\n    \
             <brightnesscontrast brightness=\"0\" contrast=\"0\" gamma=\"1\"/>\n    \
             <huesaturation colorizeOn=\"0\" grayscaleMode=\"0\" saturation=\"0\"/>\n    \
             <rasterresampler maxOversampling=\"2\"/>\n  \
           </pipe>\n  \
           <blendMode>0</blendMode>\n\
         </qgis>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_legend_s_classes_are_listed_and_names_are_escaped() {
        let style = qml_style(&[
            ClassEntry { id: 0, name: "trees & <shrubs> \"x\"", color: [0, 128, 0] },
            ClassEntry { id: 254, name: "Straße", color: [255, 255, 9] },
        ]);
        assert_eq!(style.matches("<paletteEntry ").count(), 2);
        assert!(style.contains("label=\"trees &amp; &lt;shrubs&gt; &quot;x&quot;\""), "{style}");
        assert!(style.contains("value=\"254\" color=\"#ffff09\" alpha=\"255\" label=\"Straße\""), "{style}");
        assert!(!style.contains("\"255\" color"), "nodata is the raster's to tell");
    }
}
