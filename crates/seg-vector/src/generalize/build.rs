use super::graph::{Graph, Node};
use super::neighbors::Neighbors;
use super::weights::Weights;
use crate::Connectedness;
use crate::disjoint::DisjointSets;
use crate::trace::{Band, Changes, Components, Contact, PartRun, contacts};
use std::collections::HashMap;

/// What one band knows of areas and their common borders.
#[derive(Debug)]
pub(crate) struct BandGraph {
    parts: Vec<PartNode>,
    borders: Vec<(u32, u32, u64)>,
    first_row: Vec<PartRun>,
    last_row: Vec<PartRun>,
    start: u32,
}

#[derive(Debug)]
struct PartNode {
    class: u8,
    weight: u64,
    first: (u32, u32),
    is_open: bool,
}

impl BandGraph {
    pub(crate) fn of(band: &Band, height: usize, connectedness: Connectedness, weights: &Weights) -> Self {
        let components = Components::of(band, &Changes::of(band), height, None);
        let start = components.start;
        let mut parts: Vec<_> = components
            .parts
            .iter()
            .map(|part| PartNode {
                class: part.class,
                weight: 0,
                first: part.first,
                is_open: part.touches_edge,
            })
            .collect();
        let mut borders = Borders::default();
        for index in 0..components.rows() {
            let row = components.row(index);
            let y = start + index as u32;
            for PartRun { run, part } in row {
                parts[*part as usize].weight += u64::from(run.end - run.start) * weights.pixel(y);
            }
            for pair in row.windows(2) {
                let [a, b] = [pair[0], pair[1]];
                if a.run.end == b.run.start {
                    borders.add(a.part, b.part, weights.down(y));
                } else {
                    parts[a.part as usize].is_open = true;
                    parts[b.part as usize].is_open = true;
                }
            }
            let mut open = |part: u32| parts[part as usize].is_open = true;
            // Nodata at the ends of a row; the raster's edge is known already.
            row.first().into_iter().filter(|first| first.run.start > 0).for_each(|first| open(first.part));
            row.last()
                .into_iter()
                .filter(|last| (last.run.end as usize) < band.width)
                .for_each(|last| open(last.part));
            if index > 0 {
                between(
                    components.row(index - 1),
                    row,
                    weights.across(y),
                    &mut borders,
                    connectedness,
                    &mut open,
                );
            }
        }
        Self {
            parts,
            borders: borders.list(),
            first_row: components.row(0).to_vec(),
            last_row: components.row(components.rows() - 1).to_vec(),
            start,
        }
    }
}

/// Common borders by pairs.
#[derive(Debug, Default)]
struct Borders {
    lengths: HashMap<(u32, u32), u64>,
}

impl Borders {
    fn add(&mut self, a: u32, b: u32, length: u64) {
        if a != b {
            *self.lengths.entry((a.min(b), a.max(b))).or_default() += length;
        }
    }

    fn list(self) -> Vec<(u32, u32, u64)> {
        let mut list: Vec<_> = self.lengths.into_iter().map(|((a, b), length)| (a, b, length)).collect();
        list.sort_unstable();
        list
    }
}

/// Adds the borders between two rows, and tells what touches nodata there.
fn between(
    upper: &[PartRun],
    lower: &[PartRun],
    weight: u64,
    borders: &mut Borders,
    connectedness: Connectedness,
    open: &mut impl FnMut(u32),
) {
    let mut covered = (vec![0; upper.len()], vec![0; lower.len()]);
    let place =
        |runs: &[PartRun], run: &PartRun| runs.partition_point(|other| other.run.start < run.run.start);
    for (above, below, contact) in contacts(upper, lower) {
        match contact {
            Contact::Edge(length) => {
                covered.0[place(upper, above)] += length;
                covered.1[place(lower, below)] += length;
                borders.add(above.part, below.part, u64::from(length) * weight);
            }
            // Of areas that touch at a corner alone it matters that they do.
            Contact::Corner if connectedness == Connectedness::Eight => {
                borders.add(above.part, below.part, 0);
            }
            Contact::Corner => {}
        }
    }
    for (runs, covered) in [(upper, covered.0), (lower, covered.1)] {
        for (run, covered) in runs.iter().zip(covered) {
            if covered < run.run.end - run.run.start {
                open(run.part);
            }
        }
    }
}

/// Which area each part of each band became.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The area of each part, all bands one after the other.
    pub areas: Vec<u32>,
    /// Each part's class as it is in the raster.
    pub classes: Vec<u8>,
    /// Where the parts of each band begin, and the end of the last.
    pub starts: Vec<usize>,
    /// The last row of each band, its parts counted from the band's first.
    pub last_rows: Vec<Vec<PartRun>>,
}

/// Puts the graph of a raster together.
pub(crate) struct Builder<'a> {
    connectedness: Connectedness,
    weights: &'a Weights,
    parts: Vec<PartNode>,
    borders: Vec<(u32, u32, u64)>,
    starts: Vec<usize>,
    last_rows: Vec<Vec<PartRun>>,
}

impl<'a> Builder<'a> {
    pub(crate) const fn new(connectedness: Connectedness, weights: &'a Weights) -> Self {
        Self {
            connectedness,
            weights,
            parts: Vec::new(),
            borders: Vec::new(),
            starts: Vec::new(),
            last_rows: Vec::new(),
        }
    }

    /// How many parts there are so far.
    pub(crate) const fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Adds the next band.
    pub(crate) fn add(&mut self, band: BandGraph) {
        let base = self.parts.len() as u32;
        let above_base = self.starts.last().map_or(0, |start| *start as u32);
        self.starts.push(self.parts.len());
        self.parts.extend(band.parts);
        self.borders.extend(band.borders.into_iter().map(|(a, b, length)| (a + base, b + base, length)));
        if let Some(above) = self.last_rows.last() {
            let shifted = |runs: &[PartRun], base: u32| -> Vec<PartRun> {
                runs.iter().map(|run| PartRun { part: run.part + base, ..*run }).collect()
            };
            let (above, below) = (shifted(above, above_base), shifted(&band.first_row, base));
            let mut borders = Borders::default();
            let weight = self.weights.across(band.start);
            let parts = &mut self.parts;
            between(&above, &below, weight, &mut borders, self.connectedness, &mut |part| {
                parts[part as usize].is_open = true;
            });
            self.borders.extend(borders.list());
        }
        self.last_rows.push(band.last_row);
    }

    /// The areas of the whole raster, in the order of their first pixels.
    pub(crate) fn finish(mut self) -> (Graph, Ledger) {
        // Parts of one class that touch are one area; in a band only those that touch at corners are still apart.
        let mut sets = DisjointSets::of(self.parts.len());
        for &(a, b, _) in &self.borders {
            if self.parts[a as usize].class == self.parts[b as usize].class {
                sets.unite(a, b);
            }
        }
        let roots: Vec<u32> = (0..self.parts.len() as u32).map(|part| sets.find(part)).collect();
        let mut names = vec![u32::MAX; self.parts.len()];
        let mut areas: Vec<Node> = Vec::new();
        // Bands come in order, and the parts of a band in that of their first pixels.
        for (part, &root) in self.parts.iter().zip(&roots) {
            let name = &mut names[root as usize];
            if *name == u32::MAX {
                *name = areas.len() as u32;
                areas.push(Node {
                    parent: *name,
                    class: part.class,
                    weight: 0,
                    id: *name,
                    is_open: false,
                    neighbors: Neighbors::default(),
                });
            }
            let area = &mut areas[*name as usize];
            area.weight += part.weight;
            area.is_open |= part.is_open;
        }
        debug_assert!(self.parts.windows(2).all(|pair| pair[0].first < pair[1].first));
        let area_of = |part: u32| names[roots[part as usize] as usize];
        for (a, b, length) in std::mem::take(&mut self.borders) {
            let (a, b) = (area_of(a), area_of(b));
            if a != b {
                areas[a as usize].neighbors.add(b, length);
                areas[b as usize].neighbors.add(a, length);
            }
        }
        self.starts.push(self.parts.len());
        let ledger = Ledger {
            areas: (0..self.parts.len() as u32).map(area_of).collect(),
            classes: self.parts.iter().map(|part| part.class).collect(),
            starts: self.starts,
            last_rows: self.last_rows,
        };
        (Graph::new(areas, self.connectedness), ledger)
    }
}
