use super::place::Footprint;

/// A division of an area into blocks of equal size, numbered row by row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Blocks {
    x: Axis,
    y: Axis,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    start: f64,
    length: f64,
    count: usize,
}

impl Blocks {
    /// Blocks of at least `side` pixels, as many as fit, over all footprints.
    pub(crate) fn over(footprints: &[Footprint], side: f64) -> Self {
        let axis = |ends: &dyn Fn(&Footprint) -> (f64, f64), pixel: &dyn Fn(&Footprint) -> f64| {
            let start = footprints.iter().map(|f| ends(f).0).fold(f64::INFINITY, f64::min);
            let end = footprints.iter().map(|f| ends(f).1).fold(f64::NEG_INFINITY, f64::max);
            let pixel = footprints.iter().map(pixel).fold(0.0, f64::max);
            let length = (end - start).max(0.0);
            // A whisker more, so that an area of exactly n blocks has n of them.
            Axis { start, length, count: ((length / (side * pixel) + 1e-6) as usize).max(1) }
        };
        Self { x: axis(&|f| f.x, &|f| f.pixel.0), y: axis(&|f| f.y, &|f| f.pixel.1) }
    }

    /// The block that holds the middle of a footprint.
    pub(crate) fn of(&self, footprint: &Footprint) -> usize {
        self.y.at(f64::midpoint(footprint.y.0, footprint.y.1)) * self.x.count
            + self.x.at(f64::midpoint(footprint.x.0, footprint.x.1))
    }
}

impl Axis {
    fn at(&self, position: f64) -> usize {
        if self.length <= 0.0 {
            return 0;
        }
        (((position - self.start) / self.length * self.count as f64) as usize).min(self.count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::place::Place;
    use seg_grid::Window;

    #[test]
    fn blocks_are_never_smaller_than_asked_for() {
        let place = Place { crs: None, transform: None };
        let chip = |x, y| place.footprint(0, Window { x, y, width: 10, height: 10 });
        let chips: Vec<_> =
            (0..10).flat_map(|y| (0..10).map(move |x| (x, y))).map(|(x, y)| chip(x * 10, y * 10)).collect();
        let blocks = Blocks::over(&chips, 30.0);
        assert_eq!((blocks.x.count, blocks.y.count), (3, 3));
        assert_eq!(blocks.of(&chip(0, 0)), 0);
        assert_eq!(blocks.of(&chip(90, 90)), 8);
        assert_eq!(Blocks::over(&chips, 50.0).x.count, 2, "exactly two fit");
        assert_eq!(Blocks::over(&chips, 500.0).of(&chip(90, 90)), 0, "at least one");
    }
}
