use crate::ClassCounts;
use serde::Serialize;
use std::ops::Range;

/// How a map is cut into cells, the least parts of which counts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellGrid {
    width: usize,
    height: usize,
    side: usize,
}

/// The counts of a map's cells, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellCounts {
    grid: CellGrid,
    counts: Vec<ClassCounts>,
}

/// Blocks for a bootstrap, which should be larger than errors hang together, and still many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockPlan {
    /// About how long a side of a block is, in pixels.
    pub side: usize,
    /// The counts of each block in which anything was counted.
    pub blocks: Vec<ClassCounts>,
    /// The same for blocks of half the side; empty where there are no smaller cells.
    pub halves: Vec<ClassCounts>,
}

/// Why there are no blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[error(
    "the truth covers {blocks} blocks of {side} x {side} pixels, and fewer than {needed} say too little about the spread"
)]
pub struct TooFewBlocks {
    /// Blocks in which anything was counted.
    pub blocks: usize,
    /// About how long a side of them is, in pixels.
    pub side: usize,
    /// How many there should be.
    pub needed: usize,
}

/// Cells that all maps of an evaluation are cut into together, about.
const CELLS: u64 = 4096;
/// The least side of a cell in pixels.
const LEAST_SIDE: usize = 16;
/// Blocks are made as large as leaves so many of them: more would be smaller, and hang together with their neighbors.
const WANTED: usize = 16;
/// Fewer blocks say too little about the spread between them.
const NEEDED: usize = 10;

impl CellGrid {
    /// The side of cells for maps of so many pixels in all: the number of cells does not grow with the maps.
    pub fn side_for(pixels: u64) -> usize {
        (pixels.div_ceil(CELLS).isqrt() as usize + 1).max(LEAST_SIDE)
    }

    /// Of a map of so many columns and rows.
    pub const fn new(width: usize, height: usize, side: usize) -> Self {
        Self { width, height, side: if side == 0 { 1 } else { side } }
    }

    /// Cells along a row.
    pub const fn columns(&self) -> usize {
        self.width.div_ceil(self.side)
    }

    /// Cells along a column.
    pub const fn rows(&self) -> usize {
        self.height.div_ceil(self.side)
    }

    /// Pixels along a side of a cell.
    pub const fn side(&self) -> usize {
        self.side
    }

    /// The cells that a rectangle touches, each with the rows and columns of it that are inside.
    pub fn touching(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> impl Iterator<Item = (usize, Range<usize>, Range<usize>)> + use<> {
        let grid = *self;
        let across = columns.start / grid.side..columns.end.div_ceil(grid.side);
        (rows.start / grid.side..rows.end.div_ceil(grid.side)).flat_map(move |row| {
            let (rows, columns) = (rows.clone(), columns.clone());
            across.clone().map(move |column| {
                let clip = |cell: usize, range: &Range<usize>| {
                    (cell * grid.side).max(range.start)..((cell + 1) * grid.side).min(range.end)
                };
                (row * grid.columns() + column, clip(row, &rows), clip(column, &columns))
            })
        })
    }

    /// How many blocks of about this side fit along both axes: columns, rows.
    fn blocks(&self, side: usize) -> [usize; 2] {
        [self.width, self.height].map(|length| ((length + side / 2) / side).max(1))
    }

    /// The block that each cell is in, blocks being as equal as cells allow.
    fn block_of(&self, cell: usize, [columns, rows]: [usize; 2]) -> usize {
        let (row, column) = (cell / self.columns(), cell % self.columns());
        row * rows / self.rows() * columns + column * columns / self.columns()
    }
}

impl CellCounts {
    /// Without a pixel yet.
    pub fn new(grid: CellGrid, classes: usize) -> Self {
        Self { grid, counts: vec![ClassCounts::new(classes); grid.columns() * grid.rows()] }
    }

    /// How the map is cut.
    pub const fn grid(&self) -> CellGrid {
        self.grid
    }

    /// The counts of a cell, to be added to.
    ///
    /// # Panics
    /// If there are not so many cells.
    pub fn cell(&mut self, cell: usize) -> &mut ClassCounts {
        &mut self.counts[cell]
    }

    /// All cells, row by row.
    pub fn cells(&self) -> &[ClassCounts] {
        &self.counts
    }

    /// The counts of the whole map.
    pub fn total(&self) -> ClassCounts {
        let mut total = ClassCounts::new(self.counts.first().map_or(0, ClassCounts::classes));
        self.counts.iter().for_each(|cell| total.merge(cell));
        total
    }

    /// Counts of blocks of about this side, with the block's middle in pixels from the upper left corner: x, then y.
    pub fn blocks(&self, side: usize) -> Vec<([usize; 2], ClassCounts)> {
        self.counts_of(self.grid.blocks(side))
    }

    /// The same for quarters of these blocks, as far as cells allow.
    fn quarters(&self, side: usize) -> Vec<([usize; 2], ClassCounts)> {
        let [columns, rows] = self.grid.blocks(side).map(|blocks| 2 * blocks);
        self.counts_of([columns.min(self.grid.columns()), rows.min(self.grid.rows())])
    }

    fn counts_of(&self, blocks: [usize; 2]) -> Vec<([usize; 2], ClassCounts)> {
        let classes = self.counts.first().map_or(0, ClassCounts::classes);
        let middle = |block: usize| {
            let (x, y) = (block % blocks[0], block / blocks[0]);
            [
                (2 * x + 1) * self.grid.width / (2 * blocks[0]),
                (2 * y + 1) * self.grid.height / (2 * blocks[1]),
            ]
        };
        let mut counts: Vec<_> =
            (0..blocks[0] * blocks[1]).map(|block| (middle(block), ClassCounts::new(classes))).collect();
        for (cell, cell_counts) in self.counts.iter().enumerate() {
            counts[self.grid.block_of(cell, blocks)].1.merge(cell_counts);
        }
        counts
    }
}

impl BlockPlan {
    /// Blocks over all maps: the largest that are 16 or more, or else the smallest that are 10 or more.
    ///
    /// Errors hang together over some distance, and blocks that are not larger than that would make intervals too
    /// narrow; fewer than a dozen say too little about the spread between blocks. A block never reaches from one
    /// map into another.
    ///
    /// # Errors
    /// If there are fewer than 10.
    pub fn choose(maps: &[&CellCounts]) -> Result<Self, TooFewBlocks> {
        type Blocks = Vec<([usize; 2], ClassCounts)>;
        let counted = |blocks: fn(&CellCounts, usize) -> Blocks, side: usize| -> Vec<ClassCounts> {
            let all = maps.iter().flat_map(|map| blocks(map, side)).map(|(_, counts)| counts);
            all.filter(|counts| counts.pixels() > 0).collect()
        };
        let counts_at = |side| counted(CellCounts::blocks, side);
        let cell = maps.iter().map(|map| map.grid.side).max().unwrap_or(1);
        let mut side = maps.iter().map(|map| map.grid.width.max(map.grid.height)).max().unwrap_or(1);
        while side > 2 * cell {
            let blocks = counts_at(side);
            if blocks.len() >= WANTED {
                return Ok(Self { side, halves: counted(CellCounts::quarters, side), blocks });
            }
            side = (side * 9 / 10).max(2 * cell);
        }
        // A block of less than two cells has no quarters.
        let blocks = counts_at(2 * cell);
        if blocks.len() >= NEEDED {
            return Ok(Self { side: 2 * cell, halves: counted(CellCounts::quarters, 2 * cell), blocks });
        }
        let blocks = counts_at(cell);
        if blocks.len() >= NEEDED {
            return Ok(Self { side: cell, halves: Vec::new(), blocks });
        }
        Err(TooFewBlocks { blocks: counts_at(cell).len(), side: cell, needed: NEEDED })
    }

    /// How many blocks there must be.
    pub const fn needed() -> usize {
        NEEDED
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConfusionMatrix, Legend};
    use proptest::prelude::*;

    /// A map on which each pixel of a cell was counted, all right.
    fn map(width: usize, height: usize, side: usize) -> CellCounts {
        let legend = Legend::builtin("dubai").expect("known");
        let grid = CellGrid::new(width, height, side);
        let mut counts = CellCounts::new(grid, 5);
        for (cell, rows, columns) in grid.touching(0..height, 0..width) {
            let mut matrix = ConfusionMatrix::new(&legend);
            (0..rows.len() * columns.len()).for_each(|_| matrix.add(0, 0));
            counts.cell(cell).add(&matrix);
        }
        counts
    }

    #[test]
    fn blocks_are_large_and_many() {
        let plan = BlockPlan::choose(&[&map(512, 512, 16)]).expect("blocks");
        assert_eq!((plan.blocks.len(), plan.halves.len()), (16, 64));
        assert!((110..=150).contains(&plan.side), "{}", plan.side);
        let sizes: Vec<_> = plan.blocks.iter().map(ClassCounts::pixels).collect();
        assert!(sizes.iter().max() < sizes.iter().min().map(|least| least * 2).as_ref(), "{sizes:?}");
    }

    #[test]
    fn each_of_many_maps_is_a_block() {
        let maps: Vec<_> = (0..40).map(|_| map(64, 64, 16)).collect();
        let plan = BlockPlan::choose(&maps.iter().collect::<Vec<_>>()).expect("blocks");
        assert_eq!((plan.blocks.len(), plan.side), (40, 64));
    }

    #[test]
    fn too_few_blocks_are_told() {
        let error = BlockPlan::choose(&[&map(40, 40, 16)]).expect_err("nine cells");
        assert_eq!(error, TooFewBlocks { blocks: 9, side: 16, needed: 10 });
        let plan = BlockPlan::choose(&[&map(64, 48, 16)]).expect("twelve cells");
        assert_eq!((plan.blocks.len(), plan.halves.len()), (12, 0));
    }

    #[test]
    fn cells_do_not_grow_in_number_with_the_map() {
        for pixels in [1, 1000, 100_000_000, 10_u64.pow(12)] {
            let side = CellGrid::side_for(pixels);
            let across = (pixels as f64).sqrt() as usize;
            let grid = CellGrid::new(across, across, side);
            assert!(grid.columns() * grid.rows() <= 4200, "{pixels}: {grid:?}");
        }
    }

    proptest! {
        #[test]
        fn every_pixel_is_in_one_cell_and_one_block(
            (width, height) in (1_usize..200, 1_usize..200), side in 1_usize..50, block in 1_usize..300,
        ) {
            let map = map(width, height, side);
            prop_assert_eq!(map.total().pixels(), (width * height) as u64);
            let blocks = map.blocks(block.max(side));
            prop_assert_eq!(blocks.iter().map(|(_, counts)| counts.pixels()).sum::<u64>(), (width * height) as u64);
            prop_assert!(blocks.iter().all(|([x, y], _)| *x < width && *y < height));
        }
    }
}
