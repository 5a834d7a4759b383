use super::Split;
use super::place::{Footprint, Place, each_near_pair};
use crate::{ChipRecord, Manifest};
use seg_grid::{GeoTransform, Window};
use std::collections::BTreeMap;
use std::fmt;

/// Two chips of different splits that lie too close to each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Leak {
    /// One chip's image, and its split.
    pub one: (String, Split),
    /// The other's.
    pub other: (String, Split),
    /// Pixels between them; negative where they overlap.
    pub gap: f64,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { one, other, gap } = self;
        let (a, b) = ((&one.0, one.1), (&other.0, other.1));
        write!(f, "{} ({}) lies {gap} pixels from {} ({})", a.0, a.1, b.0, b.1)
    }
}

impl std::error::Error for Leak {}

/// What chips that are measured against each other share: the CRS, or else the file.
type PlaneKey<'a> = (Option<&'a str>, Option<usize>);

/// Checks that no training chip lies within `buffer` pixels of a chip of another split, and that validation
/// and test chips do not overlap.
///
/// It reads the manifest alone: chips of one file are compared in its pixels, chips of different files in
/// the world, as far as their geotransforms tell.
///
/// # Errors
/// The first two chips that lie too close.
pub fn check_no_leak(manifest: &Manifest, buffer: usize) -> Result<(), Leak> {
    let mut sources: BTreeMap<&str, usize> = BTreeMap::new();
    let mut planes: BTreeMap<PlaneKey<'_>, Vec<(usize, Footprint)>> = BTreeMap::new();
    for (i, chip) in manifest.chips.iter().enumerate() {
        let next = sources.len();
        let source = *sources.entry(&chip.source).or_insert(next);
        let place = Place { crs: chip.crs.clone(), transform: chip.transform.map(GeoTransform::from_gdal) };
        let key = if place.placed().is_some() { (chip.crs.as_deref(), None) } else { (None, Some(source)) };
        planes.entry(key).or_default().push((i, footprint(chip, &place, source)));
    }
    for chips in planes.values() {
        let footprints: Vec<_> = chips.iter().map(|(_, footprint)| *footprint).collect();
        let mut leak = None;
        each_near_pair(&footprints, buffer, |a, b| {
            let (one, other) = (&manifest.chips[chips[a].0], &manifest.chips[chips[b].0]);
            let gap = footprints[a].gap(&footprints[b]);
            let training = one.split == Split::Train || other.split == Split::Train;
            if leak.is_none() && one.split != other.split && (training || gap < 0.0) {
                let name = |chip: &ChipRecord| (chip.image.clone(), chip.split);
                leak = Some(Leak { one: name(one), other: name(other), gap });
            }
        });
        if let Some(leak) = leak {
            return Err(leak);
        }
    }
    Ok(())
}

/// The world rectangle comes from the chip's own geotransform, the window from the file it was cut from.
fn footprint(chip: &ChipRecord, place: &Place, source: usize) -> Footprint {
    if place.placed().is_none() {
        return place.footprint(source, chip.window);
    }
    let own = Window { x: 0, y: 0, ..chip.window };
    Footprint { window: chip.window, ..place.footprint(source, own) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::record;
    use proptest::prelude::*;

    fn unplaced(source: &str, x: usize, split: Split) -> ChipRecord {
        ChipRecord { crs: None, transform: None, ..record(source, x, 0, split) }
    }

    fn placed(source: &str, x: usize, east: f64, split: Split) -> ChipRecord {
        let transform = Some([east, 0.5, 0.0, 100.0, 0.0, -0.5]);
        ChipRecord { transform, ..record(source, x, 0, split) }
    }

    fn check(chips: &[ChipRecord], buffer: usize) -> Result<(), f64> {
        check_no_leak(&Manifest { chips: chips.to_vec() }, buffer).map_err(|leak| leak.gap)
    }

    #[test]
    fn in_one_file_pixels_count() {
        let chips = [unplaced("a", 0, Split::Train), unplaced("a", 80, Split::Test)];
        assert_eq!(check(&chips, 16), Ok(()));
        assert_eq!(check(&chips, 17), Err(16.0));
        let elsewhere = [unplaced("a", 0, Split::Train), unplaced("b", 0, Split::Test)];
        assert_eq!(check(&elsewhere, 1000), Ok(()), "it is not known where they lie");
    }

    #[test]
    fn between_files_the_world_counts() {
        let chips = [placed("a", 0, 0.0, Split::Val), placed("b", 0, 40.0, Split::Train)];
        assert_eq!(check(&chips, 16), Ok(()));
        assert_eq!(check(&chips, 17), Err(16.0));
        let elsewhere = ChipRecord { crs: Some("EPSG:2056".to_owned()), ..chips[1].clone() };
        assert_eq!(check(&[chips[0].clone(), elsewhere], 17), Ok(()));
    }

    #[test]
    fn validation_and_test_may_touch_but_not_overlap() {
        let at = |x, split| unplaced("a", x, split);
        assert_eq!(check(&[at(0, Split::Val), at(64, Split::Test)], 32), Ok(()));
        assert_eq!(check(&[at(0, Split::Val), at(63, Split::Test)], 32), Err(-1.0));
        assert_eq!(check(&[at(0, Split::Val), at(10, Split::Val)], 32), Ok(()));
    }

    proptest! {
        /// It finds a leak exactly where looking at every pair does.
        #[test]
        fn it_agrees_with_looking_at_every_pair(
            chips in proptest::collection::vec((0_usize..2, 0_i64..400, 0_i64..400, 0_usize..3), 2..14),
            buffer in 0_i64..80, apart in -300_i64..300,
        ) {
            let records: Vec<_> = chips
                .iter()
                .map(|&(file, x, y, split)| {
                    let (east, north) = ((x + apart * file as i64) as f64 * 0.5, -(y as f64) * 0.5);
                    ChipRecord {
                        transform: Some([east, 0.5, 0.0, north, 0.0, -0.5]),
                        ..record(["a", "b"][file], x as usize, y as usize, Split::ALL[split])
                    }
                })
                .collect();
            let leaks = |&(f, x, y, s): &(usize, i64, i64, usize), &(g, u, v, t): &(usize, i64, i64, usize)| {
                let (x, u) = (x + apart * f as i64, u + apart * g as i64);
                let gap = ((x - u).abs() - 64).max((y - v).abs() - 64);
                s != t && (gap < 0 || ((s == 0 || t == 0) && gap < buffer))
            };
            let expected = chips.iter().any(|a| chips.iter().any(|b| leaks(a, b)));
            prop_assert_eq!(check(&records, buffer as usize).is_err(), expected);
        }
    }

    #[test]
    fn a_leak_names_both_chips() {
        let chips = vec![unplaced("a", 0, Split::Train), unplaced("a", 10, Split::Test)];
        let leak = check_no_leak(&Manifest { chips }, 5).expect_err("a leak");
        assert_eq!(
            leak.to_string(),
            "images/a_x0_y0.tif (train) lies -54 pixels from images/a_x10_y0.tif (test)"
        );
    }
}
