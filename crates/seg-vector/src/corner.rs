/// A corner of a pixel: (0, 0) is the upper left one of the raster, (width, height) the lower right one.
///
/// Corners are ordered by row, then by column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Corner {
    /// The row of the corner, downward.
    pub y: u32,
    /// The column of the corner.
    pub x: u32,
}

impl Corner {
    /// Twice the area of a triangle in pixels, positive where a, b, c turn left as seen on a map.
    pub(crate) fn turn(a: Self, b: Self, c: Self) -> i64 {
        let (ux, uy) = (i64::from(b.x) - i64::from(a.x), i64::from(b.y) - i64::from(a.y));
        let (vx, vy) = (i64::from(c.x) - i64::from(a.x), i64::from(c.y) - i64::from(a.y));
        // Rows run downward, so the sign is the opposite of that in a plane whose y points up.
        uy * vx - ux * vy
    }
}

/// A direction along the edges of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Heading {
    East,
    South,
    West,
    North,
}

impl Heading {
    pub(crate) const ALL: [Self; 4] = [Self::East, Self::South, Self::West, Self::North];

    /// Its bit in a set of headings.
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The one of a bit.
    pub(crate) const fn of_bit(bit: u8) -> Option<Self> {
        match bit {
            1 => Some(Self::East),
            2 => Some(Self::South),
            4 => Some(Self::West),
            8 => Some(Self::North),
            _ => None,
        }
    }

    pub(crate) const fn opposite(self) -> Self {
        match self {
            Self::East => Self::West,
            Self::South => Self::North,
            Self::West => Self::East,
            Self::North => Self::South,
        }
    }

    /// From one corner to another that lies straight in one direction.
    pub(crate) const fn from_to(from: Corner, to: Corner) -> Self {
        if to.y == from.y {
            if to.x > from.x { Self::East } else { Self::West }
        } else if to.y > from.y {
            Self::South
        } else {
            Self::North
        }
    }

    /// The heading after a turn to the right.
    pub(crate) const fn right(self) -> Self {
        match self {
            Self::East => Self::South,
            Self::South => Self::West,
            Self::West => Self::North,
            Self::North => Self::East,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_to_the_left_on_a_map_is_positive() {
        let at = |x, y| Corner { y, x };
        // East, then north, which is up.
        assert_eq!(Corner::turn(at(0, 9), at(4, 9), at(4, 6)), 12);
        assert_eq!(Corner::turn(at(0, 0), at(4, 0), at(4, 3)), -12);
    }

    #[test]
    fn headings() {
        for heading in Heading::ALL {
            assert_eq!(heading.opposite(), heading.right().right());
            assert_eq!(Heading::of_bit(heading.bit()), Some(heading));
        }
    }
}
