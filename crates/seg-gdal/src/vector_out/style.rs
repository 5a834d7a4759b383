use crate::ClassEntry;
use crate::xml::escape;
use std::fmt::Write as _;

/// The table that QGIS keeps styles in.
pub(super) const STYLE_TABLE: &str = "layer_styles";

/// A style of QGIS 3.22 and later for polygons: each class in its color, by the attribute `class_id`.
pub(crate) fn polygon_style(classes: &[ClassEntry<'_>]) -> String {
    let (mut categories, mut symbols) = (String::new(), String::new());
    for (place, ClassEntry { id, name, color: [r, g, b] }) in classes.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(
            categories,
            "      <category value=\"{id}\" label=\"{}\" symbol=\"{place}\" render=\"true\" type=\"integer\"/>",
            escape(name)
        );
        let option = |key: &str, value: &str| {
            format!("            <Option name=\"{key}\" type=\"QString\" value=\"{value}\"/>\n")
        };
        let options = [
            option("color", &format!("{r},{g},{b},255")),
            option("style", "solid"),
            // No outline: a class's color reaches to its border, as in the raster.
            option("outline_style", "no"),
        ];
        let _ = writeln!(
            symbols,
            "      <symbol name=\"{place}\" type=\"fill\" alpha=\"1\" clip_to_extent=\"1\" force_rhr=\"0\">\n        \
               <layer class=\"SimpleFill\" enabled=\"1\" locked=\"0\" pass=\"0\">\n          \
                 <Option type=\"Map\">\n{}          </Option>\n        </layer>\n      </symbol>",
            options.concat()
        );
    }
    format!(
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n\
         <qgis version=\"3.22.0\" styleCategories=\"Symbology\">\n  \
           <renderer-v2 type=\"categorizedSymbol\" attr=\"class_id\" forceraster=\"0\" symbollevels=\"0\" \
             enableorderby=\"0\">\n    \
             <categories>\n{categories}    </categories>\n    \
             <symbols>\n{symbols}    </symbols>\n  \
           </renderer-v2>\n\
         </qgis>\n"
    )
}

/// The statements that put styles into a GeoPackage, one for each layer.
///
/// QGIS passes over a row whose catalog or schema is NULL, or whose geometry column is not the layer's.
pub(crate) fn style_statements(layers: &[String], geometry_column: &str, style: &str) -> Vec<String> {
    let mut statements = vec![
        "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), \
         f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), \
         styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), \
         update_time DATETIME)"
            .to_owned(),
        format!(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, last_change) \
             VALUES ('layer_styles', 'attributes', 'layer_styles', '{NO_DATE}')"
        ),
    ];
    statements.extend(layers.iter().map(|layer| {
        format!(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, \
             styleQML, styleSLD, useAsDefault, description, owner, ui, update_time) VALUES ('', '', {}, {}, \
             'classes', {}, '', 1, 'classes by rs-seg', '', '', '{NO_DATE}')",
            quoted(layer),
            quoted(geometry_column),
            quoted(style)
        )
    }));
    statements
}

/// Files carry no time stamps, so that the same input gives the same bytes; this is what stands in their place.
pub(crate) const NO_DATE: &str = "1970-01-01T00:00:00.000Z";

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_for_xml_and_sql() {
        let style = polygon_style(&[ClassEntry { id: 7, name: "d'eau & \"x\"", color: [1, 2, 3] }]);
        assert!(style.contains("value=\"7\" label=\"d&apos;eau &amp; &quot;x&quot;\""), "{style}");
        assert!(style.contains("value=\"1,2,3,255\""));
        let statements = style_statements(&["l'eau".to_owned()], "geom", "<a b='c'/>");
        assert!(statements[2].contains("'l''eau', 'geom'") && statements[2].contains("'<a b=''c''/>'"));
    }
}
