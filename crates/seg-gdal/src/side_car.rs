use crate::raster_spec::ClassEntry;
use crate::xml::escape;
use crate::{ControlPoint, Crs, GridReference};
use std::fmt::Write as _;

/// How often each value came, by value.
pub(crate) type Counts = [u64; 256];

/// The text of a `.aux.xml` file, which GDAL and QGIS read beside a raster.
///
/// GDAL's safe calls cannot write category names or attribute tables, so the text is made here, once GDAL
/// has closed the file.
#[derive(Debug, Default)]
pub(crate) struct SideCar {
    georeference: String,
    band: String,
}

impl SideCar {
    /// Whether there is nothing to tell.
    pub(crate) const fn is_empty(&self) -> bool {
        self.georeference.is_empty() && self.band.is_empty()
    }

    /// Adds a georeference that the raster file itself could not hold.
    #[must_use]
    pub(crate) fn with_reference(mut self, reference: &GridReference) -> Self {
        let text = &mut self.georeference;
        if let Some(crs) = &reference.crs {
            text.push_str(&srs("SRS", crs));
        }
        if let Some(transform) = reference.transform {
            let terms: Vec<String> = transform.to_gdal().iter().map(|term| format!("{term:.16e}")).collect();
            let _ = writeln!(text, "  <GeoTransform>{}</GeoTransform>", terms.join(", "));
        }
        if !reference.gcps.is_empty() {
            let crs = reference.gcp_crs.as_ref();
            let projection = crs
                .map_or_else(String::new, |crs| format!(" Projection=\"{}\"", escape(crs.faithful_text())));
            let _ = writeln!(text, "  <GCPList{projection}>");
            reference.gcps.iter().for_each(|gcp| text.push_str(&control_point(gcp)));
            text.push_str("  </GCPList>\n");
        }
        self
    }

    /// Adds the names and colors of classes, and how many pixels each has.
    #[must_use]
    pub(crate) fn with_classes(mut self, classes: &[ClassEntry<'_>], counts: &Counts) -> Self {
        self.band.push_str(&category_names(classes));
        self.band.push_str(&attribute_table(classes, counts));
        self.band.push_str(&statistics(counts));
        self
    }

    /// The file's content.
    pub(crate) fn to_xml(&self) -> String {
        let band = if self.band.is_empty() {
            String::new()
        } else {
            format!("  <PAMRasterBand band=\"1\">\n{}  </PAMRasterBand>\n", self.band)
        };
        format!("<PAMDataset>\n{}{band}</PAMDataset>\n", self.georeference)
    }
}

fn srs(tag: &str, crs: &Crs) -> String {
    let epoch = crs.epoch().map_or_else(String::new, |epoch| format!(" coordinateEpoch=\"{epoch}\""));
    // The mapping says that x comes first whatever the CRS has as its first axis.
    let mapping = if crs.is_geographic() { " dataAxisToSRSAxisMapping=\"2,1\"" } else { "" };
    format!("  <{tag}{mapping}{epoch}>{}</{tag}>\n", escape(crs.faithful_text()))
}

fn control_point(gcp: &ControlPoint) -> String {
    let ControlPoint { id, info, column, row, x, y, z } = gcp;
    format!(
        "    <GCP Id=\"{}\" Info=\"{}\" Pixel=\"{column:?}\" Line=\"{row:?}\" X=\"{x:?}\" Y=\"{y:?}\" Z=\"{z:?}\" />\n",
        escape(id),
        escape(info)
    )
}

fn category_names(classes: &[ClassEntry<'_>]) -> String {
    let mut text = "    <CategoryNames>\n".to_owned();
    let last = classes.iter().map(|class| class.id).max().unwrap_or(0);
    for id in 0..=last {
        let name = classes.iter().find(|class| class.id == id).map_or("", |class| class.name);
        let _ = writeln!(text, "      <Category>{}</Category>", escape(name));
    }
    text.push_str("    </CategoryNames>\n");
    text
}

fn attribute_table(classes: &[ClassEntry<'_>], counts: &Counts) -> String {
    // (name, GDAL's type, GDAL's usage): integers are 0, text is 2.
    let columns = [
        ("Value", 0, 5),
        ("Class", 2, 2),
        ("Red", 0, 6),
        ("Green", 0, 7),
        ("Blue", 0, 8),
        ("Alpha", 0, 9),
        ("Count", 1, 1),
    ];
    let mut text = "    <GDALRasterAttributeTable tableType=\"thematic\">\n".to_owned();
    for (index, (name, kind, usage)) in columns.into_iter().enumerate() {
        let _ = writeln!(
            text,
            "      <FieldDefn index=\"{index}\"><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage></FieldDefn>"
        );
    }
    for (row, ClassEntry { id, name, color: [r, g, b] }) in classes.iter().enumerate() {
        let count = counts[usize::from(*id)];
        let _ = writeln!(
            text,
            "      <Row index=\"{row}\"><F>{id}</F><F>{}</F><F>{r}</F><F>{g}</F><F>{b}</F><F>255</F><F>{count}</F></Row>",
            escape(name)
        );
    }
    text.push_str("    </GDALRasterAttributeTable>\n");
    text
}

/// Statistics of valid pixels, so that no reader has to compute and store them.
fn statistics(counts: &Counts) -> String {
    let valid = &counts[..255];
    let (pixels, all): (u64, u64) = (valid.iter().sum(), counts.iter().sum());
    let met = |value: &usize| valid[*value] > 0;
    let (Some(low), Some(high)) = ((0..255).find(met), (0..255).rfind(met)) else { return String::new() };
    let moment = |power: i32| -> f64 {
        valid.iter().enumerate().map(|(value, &n)| (value as f64).powi(power) * n as f64).sum::<f64>()
            / pixels as f64
    };
    let mean = moment(1);
    let deviation = (moment(2) - mean * mean).max(0.0).sqrt();
    let percent = 100.0 * pixels as f64 / all as f64;
    let mut text = "    <Metadata>\n".to_owned();
    for (key, value) in [
        ("STATISTICS_MAXIMUM", format!("{high}")),
        ("STATISTICS_MEAN", format!("{mean}")),
        ("STATISTICS_MINIMUM", format!("{low}")),
        ("STATISTICS_STDDEV", format!("{deviation}")),
        ("STATISTICS_VALID_PERCENT", format!("{percent:.4}")),
    ] {
        let _ = writeln!(text, "      <MDI key=\"{key}\">{value}</MDI>");
    }
    text.push_str("    </Metadata>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_gaps_kept() {
        let classes = [
            ClassEntry { id: 0, name: "trees & <shrubs>", color: [0, 128, 0] },
            ClassEntry { id: 2, name: "car", color: [255, 255, 0] },
        ];
        let mut counts = [0; 256];
        (counts[0], counts[2], counts[255]) = (30, 10, 60);
        let xml = SideCar::default().with_classes(&classes, &counts).to_xml();
        assert!(xml.contains("<Category>trees &amp; &lt;shrubs&gt;</Category>"));
        assert!(xml.contains("<Category></Category>"), "id 1 has no class");
        assert!(xml.contains("<MDI key=\"STATISTICS_MEAN\">0.5</MDI>"));
        assert!(xml.contains("<MDI key=\"STATISTICS_VALID_PERCENT\">40.0000</MDI>"));
    }
}
