use super::build::Ledger;
use super::graph::Graph;
use crate::trace::{Band, Changes, Components, Run};

/// Which pixels of a raster get another class.
#[derive(Debug)]
pub struct Recode {
    bands: Vec<BandRecode>,
    band_rows: usize,
    merged: usize,
    filled: usize,
}

/// What changes in one band.
#[derive(Debug)]
struct BandRecode {
    /// The class of each part, or nothing where none changes.
    classes: Vec<u8>,
    /// Runs of the row above that change.
    above: Vec<Run>,
}

impl Recode {
    pub(crate) fn of(
        graph: &mut Graph,
        ledger: &Ledger,
        band_rows: usize,
        merged: usize,
        filled: usize,
    ) -> Self {
        let mut bands: Vec<BandRecode> = Vec::new();
        let mut above = Vec::new();
        for (band, last_row) in ledger.last_rows.iter().enumerate() {
            let parts = ledger.starts[band]..ledger.starts[band + 1];
            let mut classes: Vec<u8> = Vec::with_capacity(parts.len());
            for part in parts.clone() {
                let area = graph.find(ledger.areas[part]);
                classes.push(graph.areas[area as usize].class);
            }
            let below = last_row
                .iter()
                .map(|run| Run { class: classes[run.part as usize], ..run.run })
                .zip(last_row)
                .filter(|(new, old)| new.class != old.run.class)
                .map(|(new, _)| new)
                .collect();
            if classes == ledger.classes[parts] {
                classes = Vec::new();
            }
            bands.push(BandRecode { classes, above: std::mem::replace(&mut above, below) });
        }
        Self { bands, band_rows, merged, filled }
    }

    /// How many areas were merged into a neighbor for being small.
    pub const fn merged(&self) -> usize {
        self.merged
    }

    /// How many holes were filled.
    pub const fn filled(&self) -> usize {
        self.filled
    }

    /// The rows of the bands that the raster was looked at in; parts are known by them.
    pub(crate) const fn band_rows(&self) -> usize {
        self.band_rows
    }

    /// Gives the pixels of a band their classes.
    pub(crate) fn apply(&self, band: &mut Band, height: usize) {
        let Some(recode) = self.bands.get(band.rows.start / self.band_rows) else { return };
        if !recode.classes.is_empty() {
            let components = Components::of(band, &Changes::of(band), height, None);
            for row in 0..components.rows() {
                for each in components.row(row) {
                    let class = recode.classes[each.part as usize];
                    if class != each.run.class {
                        band.recode(row + 1, each.run.start as usize..each.run.end as usize, class);
                    }
                }
            }
        }
        for run in &recode.above {
            band.recode(0, run.start as usize..run.end as usize, run.class);
        }
    }
}
