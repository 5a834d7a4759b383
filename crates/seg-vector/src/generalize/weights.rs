use crate::Ground;

/// What the largest pixel and the longest edge weigh where they are not all the same.
const FULL: f64 = 1_048_576.0;

/// What pixels and their edges count, in whole numbers, so that sums do not depend on the order of adding.
#[derive(Debug)]
pub(crate) struct Weights {
    area: PerRow,
    /// Edges between a row and the one above.
    across: PerRow,
    /// Edges between the pixels of a row.
    down: PerRow,
    /// What the weight 1 is in the ground's units squared.
    unit: f64,
}

#[derive(Debug)]
enum PerRow {
    All(u64),
    Each(Vec<u32>),
}

impl PerRow {
    /// Rounds values of all rows to shares of the largest possible.
    fn of(values: Vec<f64>, largest: f64) -> Self {
        let weight = |value: f64| ((value / largest * FULL).round() as u32).max(1);
        Self::Each(values.into_iter().map(weight).collect())
    }

    fn at(&self, row: u32) -> u64 {
        match self {
            Self::All(weight) => *weight,
            Self::Each(weights) => {
                weights.get(row as usize).or(weights.last()).map_or(1, |weight| u64::from(*weight))
            }
        }
    }
}

impl Weights {
    /// For a raster of so many rows.
    pub(crate) fn of(ground: &Ground, height: usize) -> Self {
        let rows = 0..height as u32;
        match ground {
            Ground::Plane { .. } => {
                let (width, tall) = (ground.length(1.0, 0.0, 0), ground.length(0.0, 1.0, 0));
                let longest = width.max(tall);
                let weight = |length: f64| PerRow::All(((length / longest * FULL).round() as u64).max(1));
                Self {
                    area: PerRow::All(1),
                    across: weight(width),
                    down: weight(tall),
                    unit: ground.pixel_area(0),
                }
            }
            Ground::Rows(_) => {
                let of = |f: &dyn Fn(u32) -> f64| rows.clone().map(f).collect::<Vec<_>>();
                let areas = of(&|row| ground.pixel_area(row));
                let across = of(&|row| ground.length(1.0, 0.0, row));
                let down = of(&|row| ground.length(0.0, 1.0, row));
                let most = |values: &[f64]| values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
                let (largest, longest) = (most(&areas), most(&across).max(most(&down)));
                Self {
                    area: PerRow::of(areas, largest),
                    across: PerRow::of(across, longest),
                    down: PerRow::of(down, longest),
                    unit: largest / FULL,
                }
            }
        }
    }

    /// A pixel of a row.
    pub(crate) fn pixel(&self, row: u32) -> u64 {
        self.area.at(row)
    }

    /// An edge between a pixel of a row and the one above.
    pub(crate) fn across(&self, row: u32) -> u64 {
        self.across.at(row)
    }

    /// An edge between two pixels of a row.
    pub(crate) fn down(&self, row: u32) -> u64 {
        self.down.at(row)
    }

    /// The smallest weight that is not below an area on the ground.
    pub(crate) fn threshold(&self, area: f64) -> u64 {
        // A pixel of 0.01 m2 is not to be a little more than 0.01 m2.
        let weight = area / self.unit;
        let near = weight.round();
        if (weight - near).abs() <= 1e-9 * near { near as u64 } else { weight.ceil() as u64 }
    }
}
