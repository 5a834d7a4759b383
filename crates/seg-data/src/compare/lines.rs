/// Where the tiles met that a prediction was computed in, in its own pixels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TileLines {
    /// Columns before which a tile begins or ends, in order.
    pub columns: Vec<usize>,
    /// Rows before which a tile begins or ends, in order.
    pub rows: Vec<usize>,
    /// Pixels on either side that are called near.
    pub near: usize,
}

impl TileLines {
    /// Which of so many columns, from `start` on, are near a line; the same for rows.
    pub(crate) fn near_columns(&self, start: usize, count: usize) -> Vec<bool> {
        near(&self.columns, self.near, start, count)
    }

    /// Which of so many rows, from `start` on, are near a line.
    pub(crate) fn near_rows(&self, start: usize, count: usize) -> Vec<bool> {
        near(&self.rows, self.near, start, count)
    }
}

fn near(lines: &[usize], reach: usize, start: usize, count: usize) -> Vec<bool> {
    let mut near = vec![false; count];
    for &line in lines {
        // A line lies before a pixel: as many pixels on either side.
        let (from, to) = (line.saturating_sub(reach).max(start), (line + reach).min(start + count));
        if from < to {
            near[from - start..to - start].fill(true);
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_pixels_on_either_side_of_a_line_are_near() {
        let lines = TileLines { columns: vec![1, 10, 40], rows: vec![], near: 2 };
        let found: Vec<_> = (5..20).zip(lines.near_columns(5, 15)).filter(|(_, near)| *near).collect();
        assert_eq!(found.iter().map(|(x, _)| *x).collect::<Vec<_>>(), [8, 9, 10, 11]);
        assert_eq!(lines.near_columns(0, 3), [true, true, true]);
        assert!(lines.near_rows(0, 3).iter().all(|near| !near));
    }
}
