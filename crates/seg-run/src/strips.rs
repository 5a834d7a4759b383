//! Where the strips of a result lie: in one work folder, or in those of several parts.

use crate::journal;
use crate::strip::{self, StripId};
use crate::{Error, Plan, WorkFolder};
use seg_grid::{Block, Layer, Size, Window};
use std::ops::Range;
use std::path::PathBuf;

/// A part of a result, and the folder of its strips.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The folder.
    pub folder: PathBuf,
    /// The part of the result that it holds; it begins with a multiple of the strips' rows.
    pub window: Window,
    /// The column strips that the part was divided into, left to right.
    pub columns: Vec<Range<usize>>,
}

/// All strips of a result.
#[derive(Debug, Clone)]
pub struct Strips {
    result: Size,
    pieces: Vec<Piece>,
}

impl Strips {
    /// Those of one run.
    pub fn of_run(work: &WorkFolder, plan: &Plan) -> Self {
        let piece =
            Piece { folder: work.path().to_path_buf(), window: plan.part, columns: plan.columns.clone() };
        Self { result: plan.result, pieces: vec![piece] }
    }

    /// Those of several parts, which must cover the result once.
    ///
    /// # Errors
    /// If a pixel of the result lies in no part, or in two.
    pub fn of_parts(result: Size, mut pieces: Vec<Piece>) -> Result<Self, Error> {
        pieces.retain(|piece| piece.window.area() > 0);
        pieces.sort_by_key(|piece| piece.window.x);
        let strips = Self { result, pieces };
        for row in strips.rows() {
            let mut next = 0;
            for (_, columns) in strips.in_row(row) {
                if columns.start != next {
                    return Err(Error::Gap { row: row.y, column: columns.start.min(next) });
                }
                next = columns.end;
            }
            if next != result.width {
                return Err(Error::Gap { row: row.y, column: next });
            }
        }
        Ok(strips)
    }

    /// The windows of whole rows of strips, top to bottom.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Window> + use<> {
        let whole = Window::whole(self.result);
        journal::strips(&whole.columns(), &whole.rows())
    }

    /// The pieces and column strips of a row of strips, left to right.
    pub(crate) fn in_row(&self, row: Window) -> impl Iterator<Item = (&Piece, Range<usize>)> {
        let there = self.pieces.iter().filter(move |piece| piece.window.rows().contains(&row.y));
        there.flat_map(|piece| piece.columns.iter().map(move |columns| (piece, columns.clone())))
    }
}

impl Piece {
    /// Reads one strip.
    pub(crate) fn read(&self, layer: Layer, window: Window) -> Result<Block, Error> {
        strip::read(&self.folder, &StripId { layer, window })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(x: usize, y: usize, width: usize, height: usize) -> Piece {
        let window = Window { x, y, width, height };
        Piece { folder: PathBuf::new(), window, columns: vec![window.columns()] }
    }

    #[test]
    fn parts_cover_a_result_once_or_are_refused() {
        let result = Size { width: 1100, height: 1300 };
        let parts = [piece(512, 0, 588, 1024), piece(0, 0, 512, 1024), piece(0, 1024, 1100, 276)];
        let strips = Strips::of_parts(result, parts.to_vec()).unwrap();
        let first = strips.rows().next().unwrap();
        let columns: Vec<_> = strips.in_row(first).map(|(_, columns)| columns).collect();
        assert_eq!(columns, [0..512, 512..1100]);
        // In any order, and with parts that hold nothing.
        let mut other = parts.to_vec();
        other.reverse();
        other.push(piece(0, 0, 0, 0));
        assert!(Strips::of_parts(result, other).is_ok());
        for missing in 0..parts.len() {
            let mut rest = parts.to_vec();
            rest.remove(missing);
            assert!(matches!(Strips::of_parts(result, rest), Err(Error::Gap { .. })), "{missing}");
        }
        let twice = [parts.to_vec(), vec![piece(0, 1024, 512, 276)]].concat();
        assert!(matches!(Strips::of_parts(result, twice), Err(Error::Gap { row: 1024, .. })));
    }
}
