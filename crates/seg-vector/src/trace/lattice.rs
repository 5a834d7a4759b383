use super::Vertices;
use super::band::{Band, Changes};
use crate::Corner;
use crate::corner::Heading;
use std::ops::Range;

/// Set where an arc went through a corner; at nodes, headings that were taken are kept instead.
const SEEN: u8 = 1 << 4;
/// Edges that go straight on from row to row.
const DOWN: u8 = Heading::North.bit() | Heading::South.bit();
/// Edges around the upper left corner of an area.
const TOP_LEFT: u8 = Heading::East.bit() | Heading::South.bit();

/// Which edges between different classes meet at the corners of a band.
///
/// Where two edges go straight on nothing is noted; so a walk along an edge only has to look where something is.
#[derive(Debug)]
pub(crate) struct Lattice {
    rows: Range<usize>,
    stride: usize,
    /// For each corner the headings of the edges that leave it, and above them what was walked already.
    marks: Vec<u8>,
    /// Where three or four edges meet, row by row.
    pub nodes: Vec<Corner>,
    /// Where two edges leave to the east and to the south, row by row: each ring without a node has one.
    pub ring_starts: Vec<Corner>,
    /// Columns at which the class changes along the row above the band.
    pub top: Vec<u32>,
    /// Columns at which the class changes along the band's last row, unless the raster ends there.
    pub bottom: Vec<u32>,
    /// Where a border turns or ends, if that was asked for.
    pub vertices: Option<CornerBits>,
}

/// A set of corners: one bit for each corner of some rows.
#[derive(Debug)]
pub(crate) struct CornerBits {
    /// Words of 64 corners in a row.
    pub stride: usize,
    pub words: Vec<u64>,
}

impl CornerBits {
    /// Words that a row takes in a raster so many pixels wide.
    pub(crate) const fn words_in(width: usize) -> usize {
        (width + 1).div_ceil(64)
    }

    fn set(&mut self, row: usize, column: usize) {
        self.words[row * self.stride + column / 64] |= 1 << (column % 64);
    }
}

impl Lattice {
    /// Looks at all corners of a band.
    pub(crate) fn of(band: &Band, changes: &Changes, vertices: Vertices) -> Self {
        let rows = band.corner_rows();
        let stride = band.width + 1;
        let mut lattice = Self {
            marks: vec![0; stride * rows.len()],
            rows: rows.clone(),
            stride,
            nodes: Vec::new(),
            ring_starts: Vec::new(),
            top: changes.row(0).to_vec(),
            bottom: Vec::new(),
            vertices: (vertices == Vertices::Keep).then(|| {
                let stride = CornerBits::words_in(band.width);
                CornerBits { stride, words: vec![0; stride * rows.len()] }
            }),
        };
        for (row, y) in rows.clone().enumerate() {
            merged(changes.row(row), changes.row(row + 1), |x| lattice.look(band, row, y, x));
        }
        if rows.end == band.rows.end {
            lattice.bottom = changes.row(rows.len()).to_vec();
        }
        lattice
    }

    /// Looks at one corner.
    fn look(&mut self, band: &Band, row: usize, y: usize, x: u32) {
        let column = x as usize;
        let (nw, ne) = (band.cell(row, column), band.cell(row, column + 1));
        let (sw, se) = (band.cell(row + 1, column), band.cell(row + 1, column + 1));
        let edge = |a: u8, b: u8, heading: Heading| if a == b { 0 } else { heading.bit() };
        let edges = edge(nw, ne, Heading::North)
            | edge(sw, se, Heading::South)
            | edge(nw, sw, Heading::West)
            | edge(ne, se, Heading::East);
        if edges == DOWN {
            return;
        }
        self.marks[row * self.stride + column] = edges;
        if let Some(vertices) = &mut self.vertices {
            vertices.set(row, column);
        }
        let corner = Corner { y: y as u32, x };
        if edges.count_ones() > 2 {
            self.nodes.push(corner);
        } else if edges == TOP_LEFT {
            self.ring_starts.push(corner);
        }
    }

    /// Whether the band settles what happens at a row of corners.
    pub(crate) fn settles(&self, y: usize) -> bool {
        self.rows.contains(&y)
    }

    fn index(&self, corner: Corner) -> usize {
        (corner.y as usize - self.rows.start) * self.stride + corner.x as usize
    }

    /// The headings of the edges that leave a corner; none where an edge goes straight on.
    pub(crate) fn edges(&self, corner: Corner) -> u8 {
        self.marks[self.index(corner)] & 0xf
    }

    /// Notes that an arc took a heading from a node; true if it was free.
    pub(crate) fn take(&mut self, node: Corner, heading: Heading) -> bool {
        let index = self.index(node);
        let bit = heading.bit() << 4;
        let free = self.marks[index] & bit == 0;
        self.marks[index] |= bit;
        free
    }

    /// Notes that an arc went through a corner of two edges.
    pub(crate) fn see(&mut self, corner: Corner) {
        let index = self.index(corner);
        self.marks[index] |= SEEN;
    }

    /// Whether an arc went through a corner of two edges.
    pub(crate) fn is_seen(&self, corner: Corner) -> bool {
        self.marks[self.index(corner)] & SEEN != 0
    }
}

/// Calls `each` with the members of two sorted lists, once for those in both.
fn merged(a: &[u32], b: &[u32], mut each: impl FnMut(u32)) {
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        let (left, right) = (a.get(i).copied().unwrap_or(u32::MAX), b.get(j).copied().unwrap_or(u32::MAX));
        each(left.min(right));
        i += usize::from(left <= right);
        j += usize::from(right <= left);
    }
}
