use super::balance::deal;
use super::blocks::Blocks;
use super::place::{Footprint, Place, each_near_pair};
use super::{Shares, Split};
use crate::Error;
use regex::Regex;
use seg_grid::Window;
use std::collections::BTreeMap;

/// How chips are dealt out to the splits.
#[derive(Debug, Clone)]
pub struct SplitPlan {
    /// How much each split gets.
    pub shares: Shares,
    /// What is kept together.
    pub by: SplitBy,
    /// No training chip lies within this many pixels of a chip of another split.
    pub buffer: usize,
    /// Another seed deals otherwise.
    pub seed: u64,
}

/// What is kept together in one split.
#[derive(Debug, Clone)]
pub enum SplitBy {
    /// Blocks of ground, several chips wide.
    Block,
    /// Whole files.
    File,
    /// All files with the same text in the first group of the pattern, or in the whole match.
    ///
    /// Groups that are named after splits decide themselves: `(?<test>scene5)|(?<val>scene2)|(?<train>scene)`.
    Pattern(Regex),
    /// Each file has its split already; nothing is dealt out and no buffer is kept.
    Given(Vec<Split>),
}

/// A raster that chips are cut from.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitSource {
    /// Its name, which [`SplitBy::Pattern`] searches.
    pub name: String,
    /// Where it lies.
    pub place: Place,
}

/// A chip that is to be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChipPlace {
    /// Which raster.
    pub source: usize,
    /// Which pixels.
    pub window: Window,
    /// How much it counts for the shares: its valid pixels, as far as they are known.
    pub weight: u64,
}

/// What each chip is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// By chip; `None` for one that is dropped because it lies too close to another split.
    pub splits: Vec<Option<Split>>,
    /// Side of the blocks in pixels, where blocks were dealt out.
    pub block: Option<usize>,
}

/// Blocks are at least this many chips wide.
const LEAST_BLOCK: usize = 2;
/// Blocks are at most this many chips wide.
const LARGEST_BLOCK: usize = 8;

/// Deals chips of `size` pixels out to the splits.
///
/// Training chips within the buffer of a chip of another split are dropped, and so are validation chips that
/// overlap a test chip. Rasters in one CRS are measured in the world, so chips of neighboring or overlapping
/// files keep their distance too.
///
/// ```
/// use seg_data::{ChipPlace, Place, Shares, SplitBy, SplitPlan, SplitSource, assign_splits};
/// use seg_grid::Window;
/// let source = SplitSource { name: "a".to_owned(), place: Place { crs: None, transform: None } };
/// let chips: Vec<_> = (0..40)
///     .map(|i| ChipPlace { source: 0, window: Window { x: i * 64, y: 0, width: 64, height: 64 }, weight: 1 })
///     .collect();
/// let plan = SplitPlan { shares: Shares::default(), by: SplitBy::Block, buffer: 32, seed: 0 };
/// let assignment = assign_splits(&[source], &chips, &plan, 64)?;
/// assert!(assignment.splits.iter().any(Option::is_none), "neighbors of other splits are dropped");
/// # Ok::<(), seg_data::Error>(())
/// ```
///
/// # Errors
/// If a file's name does not match the pattern.
pub fn assign_splits(
    sources: &[SplitSource],
    chips: &[ChipPlace],
    plan: &SplitPlan,
    size: usize,
) -> Result<Assignment, Error> {
    let planes = planes(sources, chips, plan.buffer);
    let mut block = None;
    let groups = match &plan.by {
        SplitBy::Given(given) => {
            return Ok(Assignment {
                splits: chips.iter().map(|chip| Some(given[chip.source])).collect(),
                block,
            });
        }
        SplitBy::Block => {
            let (side, groups) = block_groups(&planes, chips.len(), plan.shares, size);
            block = Some(side);
            groups
        }
        SplitBy::File => chips.iter().map(|chip| chip.source).collect(),
        SplitBy::Pattern(pattern) if names_splits(pattern) => {
            let of_source = named_splits(sources, pattern)?;
            let mut splits: Vec<_> = chips.iter().map(|chip| Some(of_source[chip.source])).collect();
            for plane in &planes {
                drop_conflicts(plane, &mut splits, plan.buffer);
            }
            return Ok(Assignment { splits, block });
        }
        SplitBy::Pattern(pattern) => {
            let of_source = pattern_groups(sources, pattern)?;
            chips.iter().map(|chip| of_source[chip.source]).collect()
        }
    };
    let mut weights = vec![0; groups.iter().max().map_or(0, |last| last + 1)];
    for (chip, &group) in chips.iter().zip(&groups) {
        weights[group] += chip.weight;
    }
    let dealt = deal(&weights, plan.shares, plan.seed);
    let mut splits: Vec<_> = groups.iter().map(|&group| Some(dealt[group])).collect();
    for plane in &planes {
        drop_conflicts(plane, &mut splits, plan.buffer);
    }
    Ok(Assignment { splits, block })
}

/// The chips of rasters that lie close enough to be measured against each other.
struct Plane {
    chips: Vec<usize>,
    footprints: Vec<Footprint>,
}

/// Rasters in one CRS that touch or come within the buffer of each other share a plane; others have their own.
fn planes(sources: &[SplitSource], chips: &[ChipPlace], buffer: usize) -> Vec<Plane> {
    let mut hulls: Vec<Option<Window>> = vec![None; sources.len()];
    for chip in chips {
        let hull = &mut hulls[chip.source];
        *hull = Some(hull.map_or(chip.window, |hull| union(hull, chip.window)));
    }
    let mut by_crs: BTreeMap<Option<&str>, Vec<Footprint>> = BTreeMap::new();
    for (i, (source, hull)) in sources.iter().zip(&hulls).enumerate() {
        if let (Some(hull), Some(_)) = (hull, source.place.placed()) {
            by_crs.entry(source.place.crs.as_deref()).or_default().push(source.place.footprint(i, *hull));
        }
    }
    let mut leader: Vec<usize> = (0..sources.len()).collect();
    for footprints in by_crs.values() {
        each_near_pair(footprints, buffer, |a, b| {
            join(&mut leader, footprints[a].source, footprints[b].source);
        });
    }
    let mut planes: BTreeMap<usize, Plane> = BTreeMap::new();
    for (i, chip) in chips.iter().enumerate() {
        let plane = planes
            .entry(find(&mut leader, chip.source))
            .or_insert_with(|| Plane { chips: Vec::new(), footprints: Vec::new() });
        plane.chips.push(i);
        plane.footprints.push(sources[chip.source].place.footprint(chip.source, chip.window));
    }
    planes.into_values().collect()
}

fn union(a: Window, b: Window) -> Window {
    let (x, y) = (a.x.min(b.x), a.y.min(b.y));
    Window { x, y, width: a.right().max(b.right()) - x, height: a.bottom().max(b.bottom()) - y }
}

/// The representative of a set of joined rasters.
fn find(leader: &mut [usize], mut i: usize) -> usize {
    while leader[i] != i {
        leader[i] = leader[leader[i]];
        i = leader[i];
    }
    i
}

fn join(leader: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(leader, a), find(leader, b));
    leader[a.max(b)] = a.min(b);
}

/// The block of every chip. The side is the largest that still gives enough blocks to meet the shares.
fn block_groups(planes: &[Plane], chips: usize, shares: Shares, size: usize) -> (usize, Vec<usize>) {
    let enough = (2.0 / shares.smallest()).ceil() as usize;
    let halves = (2 * LEAST_BLOCK..=2 * LARGEST_BLOCK).rev();
    let mut sides = halves.map(|halves| (halves * size).div_ceil(2));
    loop {
        let side = sides.next();
        let used = side.unwrap_or(LEAST_BLOCK * size);
        let (count, groups) = divide(planes, chips, used);
        if count >= enough || side.is_none() {
            return (used, groups);
        }
    }
}

/// The number of blocks with a chip, and the block of every chip.
fn divide(planes: &[Plane], chips: usize, side: usize) -> (usize, Vec<usize>) {
    let mut groups = vec![0; chips];
    let mut numbers = BTreeMap::new();
    for (p, plane) in planes.iter().enumerate() {
        let blocks = Blocks::over(&plane.footprints, side as f64);
        for (&chip, footprint) in plane.chips.iter().zip(&plane.footprints) {
            let next = numbers.len();
            groups[chip] = *numbers.entry((p, blocks.of(footprint))).or_insert(next);
        }
    }
    (numbers.len(), groups)
}

/// The group of every raster, by what the pattern finds in its name.
fn pattern_groups(sources: &[SplitSource], pattern: &Regex) -> Result<Vec<usize>, Error> {
    let mut numbers = BTreeMap::new();
    sources
        .iter()
        .map(|source| {
            let found =
                pattern.captures(&source.name).and_then(|found| found.get(1).or_else(|| found.get(0)));
            let key = found.ok_or_else(|| Error::PatternWithoutMatch {
                pattern: pattern.to_string(),
                name: source.name.clone(),
            })?;
            let next = numbers.len();
            Ok(*numbers.entry(key.as_str().to_owned()).or_insert(next))
        })
        .collect()
}

/// Whether the groups of a pattern are named after splits.
fn names_splits(pattern: &Regex) -> bool {
    pattern.capture_names().flatten().any(|name| Split::ALL.iter().any(|split| split.name() == name))
}

/// The split of every raster, by which of the pattern's groups its name matches.
fn named_splits(sources: &[SplitSource], pattern: &Regex) -> Result<Vec<Split>, Error> {
    let split = |source: &SplitSource| {
        let found = pattern.captures(&source.name);
        let found =
            found.and_then(|found| Split::ALL.into_iter().find(|split| found.name(split.name()).is_some()));
        found.ok_or_else(|| Error::PatternWithoutMatch {
            pattern: pattern.to_string(),
            name: source.name.clone(),
        })
    };
    sources.iter().map(split).collect()
}

/// Drops validation chips that overlap test chips, then training chips too close to either.
fn drop_conflicts(plane: &Plane, splits: &mut [Option<Split>], buffer: usize) {
    let mut evaluation = Vec::new();
    let mut training = Vec::new();
    each_near_pair(&plane.footprints, buffer, |i, j| {
        let (a, b) = (plane.chips[i], plane.chips[j]);
        match (splits[a], splits[b]) {
            (Some(x), Some(y)) if x == y => {}
            (Some(Split::Train), _) => training.push((a, b)),
            (_, Some(Split::Train)) => training.push((b, a)),
            _ if plane.footprints[i].gap(&plane.footprints[j]) < 0.0 => {
                evaluation.push(if splits[a] == Some(Split::Val) { a } else { b });
            }
            _ => {}
        }
    });
    for chip in evaluation {
        splits[chip] = None;
    }
    for (train, other) in training {
        if splits[other].is_some() {
            splits[train] = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use seg_grid::{EdgePolicy, GeoTransform, Size, TileGrid};

    /// Chips of a raster of `size`, all of weight 1.
    fn chips(source: usize, size: Size, tile: usize, overlap: usize) -> Vec<ChipPlace> {
        let grid = TileGrid::new(size, Size::square(tile), overlap, EdgePolicy::Shift).expect("valid");
        grid.iter().map(|tile| ChipPlace { source, window: tile.read, weight: 1 }).collect()
    }

    fn source(name: &str, corner: Option<(f64, f64)>) -> SplitSource {
        let transform = corner.map(|(x, y)| GeoTransform::from_gdal([x, 0.5, 0.0, y, 0.0, -0.5]));
        let place = Place { crs: corner.map(|_| "EPSG:32633".to_owned()), transform };
        SplitSource { name: name.to_owned(), place }
    }

    fn plan(by: SplitBy, buffer: usize, seed: u64) -> SplitPlan {
        SplitPlan { shares: Shares::default(), by, buffer, seed }
    }

    /// The rule itself, pixel arithmetic written out: every pair is looked at.
    fn leaks(chips: &[ChipPlace], splits: &[Option<Split>], origin: &[(i64, i64)], buffer: i64) -> usize {
        let mut leaks = 0;
        for (a, sa) in chips.iter().zip(splits) {
            for (b, sb) in chips.iter().zip(splits) {
                let (Some(sa), Some(sb)) = (sa, sb) else { continue };
                let corner = |c: &ChipPlace| {
                    (c.window.x as i64 + origin[c.source].0, c.window.y as i64 + origin[c.source].1)
                };
                let (ca, cb) = (corner(a), corner(b));
                let side = a.window.width as i64;
                let gap = ((ca.0 - cb.0).abs() - side).max((ca.1 - cb.1).abs() - side);
                let close = match (sa, sb) {
                    (a, b) if a == b => false,
                    (Split::Train, _) => gap < buffer.max(0) || gap < 0,
                    (_, Split::Train) => false,
                    _ => gap < 0,
                };
                leaks += usize::from(close);
            }
        }
        leaks
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Whatever the size, overlap and buffer, in one raster or in several that overlap or touch.
        #[test]
        fn no_training_chip_is_near_another_split(
            tile in 4_usize..20, overlap in 0_usize..19, width in 20_usize..220, height in 20_usize..220,
            buffer in 0_usize..30, seed: u64, dx in -60_i64..60, dy in -60_i64..60, by_file: bool, placed: bool,
        ) {
            let overlap = overlap % tile.max(2) / 2;
            let size = Size { width: width.max(tile), height: height.max(tile) };
            let corner = |x: i64, y: i64| placed.then_some((300.0 + x as f64 * 0.5, 900.0 - y as f64 * 0.5));
            let origins = [(0, 0), (dx + size.width as i64, dy)];
            let sources = [source("a", corner(0, 0)), source("b", corner(origins[1].0, origins[1].1))];
            let mut all = chips(0, size, tile, overlap);
            all.extend(chips(1, size, tile, overlap));
            let by = if by_file { SplitBy::File } else { SplitBy::Block };
            let got = assign_splits(&sources, &all, &plan(by, buffer, seed), tile).expect("assigned");
            // Without a place, the two rasters are taken to be far apart.
            let origins = if placed { origins } else { [(0, 0), (1_000_000, 0)] };
            prop_assert_eq!(leaks(&all, &got.splits, &origins, buffer as i64), 0);
            prop_assert!(got.splits.iter().any(Option::is_some));
        }
    }

    #[test]
    fn a_large_raster_meets_the_shares_and_keeps_most_chips() {
        let all = chips(0, Size::square(6000), 256, 32);
        let got =
            assign_splits(&[source("a", None)], &all, &plan(SplitBy::Block, 32, 0), 256).expect("assigned");
        let count = |split| got.splits.iter().filter(|&&s| s == split).count();
        let (train, val, test) =
            (count(Some(Split::Train)), count(Some(Split::Val)), count(Some(Split::Test)));
        assert!(got.block.is_some_and(|side| side >= 512), "{:?}", got.block);
        let of_all = |n: usize| n as f64 / all.len() as f64;
        assert!((0.08..0.22).contains(&of_all(val)) && (0.08..0.22).contains(&of_all(test)), "{val} {test}");
        assert!(of_all(train) > 0.45, "{train} of {}", all.len());
    }

    #[test]
    fn files_are_kept_whole_and_patterns_group_them() {
        let names = ["tile1_a", "tile2_a", "tile3_a", "tile1_b", "tile2_b", "tile3_b"];
        let sources: Vec<_> = names.iter().map(|name| source(name, None)).collect();
        let all: Vec<_> = (0..6).flat_map(|i| chips(i, Size::square(40), 10, 0)).collect();
        let split_of = |by| {
            let got = assign_splits(&sources, &all, &plan(by, 5, 3), 10).expect("assigned");
            (0..6)
                .map(|i| {
                    let mut of_file: Vec<_> =
                        all.iter().zip(&got.splits).filter(|(c, _)| c.source == i).map(|(_, s)| *s).collect();
                    of_file.dedup();
                    assert_eq!(of_file.len(), 1, "a file is in one split");
                    of_file[0].expect("not dropped")
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(split_of(SplitBy::File).len(), 6);
        let by_scene = split_of(SplitBy::Pattern(Regex::new(r"^(tile\d+)_").expect("a pattern")));
        assert_eq!(by_scene[..3], by_scene[3..]);
        let mut three = by_scene[..3].to_vec();
        three.sort_unstable();
        assert_eq!(three, Split::ALL);
    }

    #[test]
    fn groups_named_after_splits_decide() {
        let pattern = "(?<test>scene5)|(?<val>scene2)|(?<train>scene)";
        let by = SplitBy::Pattern(Regex::new(pattern).expect("a pattern"));
        let sources = ["a/scene1.tif", "a/scene2.tif", "a/scene5.tif"].map(|name| source(name, None));
        let all: Vec<_> = (0..3).flat_map(|i| chips(i, Size::square(20), 10, 0)).collect();
        let got = assign_splits(&sources, &all, &plan(by.clone(), 0, 0), 10).expect("assigned");
        let expected = [Split::Train, Split::Val, Split::Test];
        assert!(all.iter().zip(&got.splits).all(|(chip, split)| *split == Some(expected[chip.source])));
        let error = assign_splits(&[source("b.tif", None)], &all[..4], &plan(by, 0, 0), 10);
        assert!(
            matches!(error.expect_err("no match"), Error::PatternWithoutMatch { name, .. } if name == "b.tif")
        );
    }

    #[test]
    fn a_name_that_the_pattern_does_not_match_is_an_error() {
        let by = SplitBy::Pattern(Regex::new("scene").expect("a pattern"));
        let all = chips(0, Size::square(10), 10, 0);
        let error = assign_splits(&[source("tile1", None)], &all, &plan(by, 0, 0), 10).expect_err("no match");
        assert!(matches!(error, Error::PatternWithoutMatch { name, .. } if name == "tile1"));
    }

    #[test]
    fn given_splits_are_taken_as_they_are() {
        let all = chips(0, Size::square(20), 10, 0);
        let by = SplitBy::Given(vec![Split::Test]);
        let got = assign_splits(&[source("a", None)], &all, &plan(by, 50, 0), 10).expect("assigned");
        assert_eq!(got.splits, [Some(Split::Test); 4]);
    }
}
