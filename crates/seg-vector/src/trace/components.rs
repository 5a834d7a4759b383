use super::band::{Band, Changes, Run, runs};
use crate::disjoint::DisjointSets;
use crate::{Confidence, Sureness};
use ndarray::Array2;

/// A run and the part that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartRun {
    pub run: Run,
    pub part: u32,
}

/// Pixels of one class that hang together by their edges, as far as one band sees.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub class: u8,
    pub pixels: u64,
    /// The first pixel row by row: its row and column.
    pub first: (u32, u32),
    pub last_row: u32,
    pub touches_edge: bool,
    pub confidence: Option<Box<Confidence>>,
}

/// What the pixels of one band belong to.
#[derive(Debug)]
pub(crate) struct Components {
    /// The raster's row that the band begins with.
    pub start: u32,
    /// Numbered in the order of their first pixels.
    pub parts: Vec<Part>,
    /// Pairs of parts of one class that touch at corners only.
    pub diagonals: Vec<(u32, u32)>,
    /// Runs of all rows of the band, one row after the other.
    runs: Vec<PartRun>,
    /// Where each row's runs begin, and the end of the last.
    row_starts: Vec<usize>,
    /// Runs of the row above, in whose numbering the band before gave them parts.
    pub above: Vec<Run>,
}

impl Components {
    /// Labels the pixels of a band; `height` is the raster's.
    pub(crate) fn of(
        band: &Band,
        changes: &Changes,
        height: usize,
        confidence: Option<&Array2<Sureness>>,
    ) -> Self {
        let above: Vec<Run> = runs(band.line(0), changes.row(0)).collect();
        let (mut found, mut row_starts) = (Vec::new(), vec![0]);
        let mut sets = DisjointSets::default();
        let mut diagonal_runs = Vec::new();
        let mut previous = 0..0;
        for row in 1..=band.rows.len() {
            let start = found.len();
            found.extend(runs(band.line(row), changes.row(row)).map(|run| PartRun { run, part: sets.add() }));
            let (before, now) = found.split_at(start);
            for (a, b, contact) in contacts(&before[previous.clone()], now) {
                match contact {
                    _ if a.run.class != b.run.class => {}
                    Contact::Edge(_) => sets.unite(a.part, b.part),
                    Contact::Corner => diagonal_runs.push((a.part, b.part)),
                }
            }
            previous = start..found.len();
            row_starts.push(found.len());
        }
        let mut components = Self {
            start: band.rows.start as u32,
            parts: Vec::new(),
            diagonals: Vec::new(),
            runs: found,
            row_starts,
            above,
        };
        let names = components.gather(band, &mut sets, height, confidence);
        let mut name = |id| names[sets.find(id) as usize];
        components.diagonals =
            diagonal_runs.into_iter().map(|(a, b)| (name(a), name(b))).filter(|(a, b)| a != b).collect();
        components.diagonals.sort_unstable();
        components.diagonals.dedup();
        components
    }

    /// The runs of one of the band's rows.
    pub(crate) fn row(&self, row: usize) -> &[PartRun] {
        &self.runs[self.row_starts[row]..self.row_starts[row + 1]]
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.row_starts.len() - 1
    }

    /// The part at a column of a row; `None` where there is no class.
    pub(crate) fn part_at(&self, row: usize, column: u32) -> Option<u32> {
        let runs = self.row(row);
        let index = runs.partition_point(|run| run.run.end <= column);
        runs.get(index).filter(|run| run.run.start <= column).map(|run| run.part)
    }

    /// Gives the sets numbers in the order of their first pixels, by their first runs, and sums up what they are made
    /// of.
    fn gather(
        &mut self,
        band: &Band,
        sets: &mut DisjointSets,
        height: usize,
        confidence: Option<&Array2<Sureness>>,
    ) -> Vec<u32> {
        let mut names = vec![u32::MAX; sets.len()];
        for row in 0..self.rows() {
            let y = band.rows.start + row;
            for index in self.row_starts[row]..self.row_starts[row + 1] {
                let PartRun { run, part } = self.runs[index];
                let root = sets.find(part) as usize;
                if names[root] == u32::MAX {
                    names[root] = self.parts.len() as u32;
                    self.parts.push(Part {
                        class: run.class,
                        pixels: 0,
                        first: (y as u32, run.start),
                        last_row: y as u32,
                        touches_edge: false,
                        confidence: confidence.map(|_| Box::default()),
                    });
                }
                self.runs[index].part = names[root];
                let part = &mut self.parts[names[root] as usize];
                part.pixels += u64::from(run.end - run.start);
                part.last_row = y as u32;
                part.touches_edge |=
                    y == 0 || y + 1 == height || run.start == 0 || run.end as usize == band.width;
                if let (Some(known), Some(values)) = (&mut part.confidence, confidence) {
                    known.extend((run.start..run.end).map(|x| values[[row, x as usize]]));
                }
            }
        }
        names
    }
}

/// How two runs of neighboring rows meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contact {
    /// They share an edge, so many pixels long.
    Edge(u32),
    /// They share no more than a corner.
    Corner,
}

/// All pairs of runs of two neighboring rows that touch.
pub(crate) fn contacts<'a>(
    upper: &'a [PartRun],
    lower: &'a [PartRun],
) -> impl Iterator<Item = (&'a PartRun, &'a PartRun, Contact)> + 'a {
    let mut first = 0;
    lower.iter().flat_map(move |below| {
        let Run { start, end, .. } = below.run;
        while upper.get(first).is_some_and(|above| above.run.end < start) {
            first += 1;
        }
        let touching = upper[first..].iter().take_while(move |above| above.run.start <= end);
        touching.map(move |above| {
            let length = above.run.end.min(end).saturating_sub(above.run.start.max(start));
            let contact = if length > 0 { Contact::Edge(length) } else { Contact::Corner };
            (above, below, contact)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn parts_hang_together_by_edges_and_are_numbered_by_their_first_pixels() {
        let classes = array![[1, 0, 1, 255], [1, 1, 1, 0], [0, 0, 0, 1]];
        let band = Band::new(&classes, 0..3, 3);
        let found = Components::of(&band, &Changes::of(&band), 3, None);
        let parts: Vec<_> =
            found.parts.iter().map(|p| (p.class, p.pixels, p.first, p.last_row, p.touches_edge)).collect();
        assert_eq!(
            parts,
            [
                (1, 5, (0, 0), 1, true),
                (0, 1, (0, 1), 0, true),
                (0, 1, (1, 3), 1, true),
                (0, 3, (2, 0), 2, true),
                (1, 1, (2, 3), 2, true)
            ]
        );
        assert_eq!(found.diagonals, [(0, 4), (2, 3)], "all but the second and third touch at a corner");
        assert_eq!(found.part_at(0, 3), None);
        assert_eq!(found.part_at(1, 2), Some(0));
    }
}
