//! What holds for the polygons of any raster.

use geo::{Coord, LineString, Validation};
use ndarray::Array2;
use proptest::prelude::*;
use seg_grid::Silent;
use seg_vector::{
    Area, ClassArray, Connectedness, Corner, Error, Generalize, Ground, Method, NO_CLASS, Outer, Polygon,
    PolygonizeSettings, Recode, Ring, Simplify, Sureness, Work, generalize, polygonize,
};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

fn work(band_rows: usize) -> Work {
    Work { band_rows, workers: 2 }
}

fn areas(classes: &Array2<u8>, settings: &PolygonizeSettings, band_rows: usize) -> Vec<Area> {
    recoded(classes, None, settings, band_rows)
}

fn recoded(
    classes: &Array2<u8>,
    recode: Option<&Recode>,
    settings: &PolygonizeSettings,
    band_rows: usize,
) -> Vec<Area> {
    let source = ClassArray {
        classes: classes.clone(),
        confidence: Some(classes.mapv(|class| Sureness::of_byte(class / 2))),
    };
    let mut areas = Vec::new();
    polygonize(
        &source,
        recode,
        settings,
        work(band_rows),
        &Silent,
        |area| area,
        |area| {
            areas.push(area);
            Ok(())
        },
    )
    .expect("arrays can be read");
    areas
}

/// Pixels of one class that hang together, found by flooding.
fn flooded(classes: &Array2<u8>, connectedness: Connectedness) -> Vec<(u8, u64)> {
    let (height, width) = classes.dim();
    let mut seen = Array2::from_elem((height, width), false);
    let mut found = Vec::new();
    for start in ndarray::indices((height, width)) {
        let class = classes[start];
        if class == NO_CLASS || seen[start] {
            continue;
        }
        seen[start] = true;
        let (mut stack, mut pixels) = (vec![start], 0);
        while let Some((y, x)) = stack.pop() {
            pixels += 1;
            for (dy, dx) in ndarray::indices((3, 3)) {
                let is_corner = dy != 1 && dx != 1;
                let (ny, nx) = ((y + dy).wrapping_sub(1), (x + dx).wrapping_sub(1));
                let near = ny < height && nx < width && !(is_corner && connectedness == Connectedness::Four);
                if near && classes[(ny, nx)] == class && !seen[(ny, nx)] {
                    seen[(ny, nx)] = true;
                    stack.push((ny, nx));
                }
            }
        }
        found.push((class, pixels));
    }
    found.sort_unstable();
    found
}

fn rings(areas: &[Area]) -> impl Iterator<Item = &Ring> {
    areas.iter().flat_map(|area| &area.polygons).flat_map(Polygon::rings)
}

fn edges(ring: &Ring) -> impl Iterator<Item = (Corner, Corner)> + '_ {
    ring.iter().copied().zip(ring.iter().copied().cycle().skip(1))
}

/// Paints polygons by the rule of even and odd, pixel center by pixel center.
fn painted(areas: &[Area], dim: (usize, usize)) -> Array2<u8> {
    let mut classes = Array2::from_elem(dim, NO_CLASS);
    for area in areas {
        for polygon in &area.polygons {
            let mut inside = Array2::from_elem(dim, false);
            for (a, b) in polygon.rings().flat_map(edges) {
                // Vertical edges of raw polygons flip all pixels to their right.
                for y in a.y.min(b.y)..a.y.max(b.y) {
                    for x in a.x as usize..dim.1 {
                        inside[(y as usize, x)] ^= true;
                    }
                }
            }
            for (class, inside) in classes.iter_mut().zip(inside) {
                if inside {
                    assert_eq!(*class, NO_CLASS, "polygons overlap");
                    *class = area.class;
                }
            }
        }
    }
    classes
}

/// Each edge has its counterpart in the neighbor, or borders on nothing.
fn assert_covers(areas: &[Area], classes: &Array2<u8>) {
    let mut directed = BTreeSet::new();
    for (a, b) in rings(areas).flat_map(edges) {
        assert_ne!(a, b);
        assert!(directed.insert((a, b)), "an edge belongs to two polygons on the same side: {a:?} {b:?}");
    }
    let at = |y: u32, x: u32| classes.get((y as usize, x as usize)).copied().unwrap_or(NO_CLASS);
    for &(a, b) in &directed {
        if !directed.contains(&(b, a)) {
            assert!(a.x == b.x || a.y == b.y, "an open edge is not on the outline: {a:?} {b:?}");
            // The pixel to the right of the way, as seen on a map.
            let outside = match (b.x.cmp(&a.x), b.y.cmp(&a.y)) {
                (Ordering::Greater, _) => at(a.y, a.x),
                (Ordering::Less, _) => at(a.y.wrapping_sub(1), b.x),
                (_, Ordering::Greater) => at(a.y, a.x.wrapping_sub(1)),
                (_, _) => at(b.y, a.x),
            };
            assert_eq!(outside, NO_CLASS, "a gap at {a:?} {b:?}");
        }
    }
}

fn assert_valid(areas: &[Area]) {
    for area in areas {
        let line = |ring: &Ring| -> LineString {
            let closed = ring.iter().chain(ring.first());
            closed.map(|corner| Coord { x: f64::from(corner.x), y: -f64::from(corner.y) }).collect()
        };
        let polygons = area.polygons.iter().map(|polygon| {
            geo::Polygon::new(line(&polygon.exterior), polygon.holes.iter().map(line).collect())
        });
        let shape = geo::MultiPolygon::new(polygons.collect());
        shape.check_validation().unwrap_or_else(|error| panic!("{error}: {area:?}"));
        for ring in area.polygons.iter().flat_map(Polygon::rings) {
            assert_eq!(ring.iter().collect::<BTreeSet<_>>().len(), ring.len(), "a ring touches itself");
        }
    }
}

fn doubled(areas: &[Area]) -> i128 {
    areas.iter().map(Area::doubled_area).sum()
}

/// All that holds for traced polygons.
fn assert_traced(classes: &Array2<u8>, connectedness: Connectedness) {
    let settings = PolygonizeSettings { connectedness, simplify: None };
    let areas = areas(classes, &settings, 1000);
    assert_eq!(painted(&areas, classes.dim()), *classes);
    let mut counts: Vec<_> = areas.iter().map(|area| (area.class, area.pixels)).collect();
    counts.sort_unstable();
    assert_eq!(counts, flooded(classes, connectedness));
    for area in &areas {
        assert_eq!(area.doubled_area(), 2 * i128::from(area.pixels), "{area:?}");
        let sure = area.confidence.expect("known").mean;
        assert!((sure - f64::from(area.class / 2) / 254.0).abs() < 1e-12);
    }
    assert_covers(&areas, classes);
    assert_valid(&areas);
    for (a, b, c) in rings(&areas).flat_map(|ring| {
        let n = ring.len();
        (0..n).map(move |i| (ring[i], ring[(i + 1) % n], ring[(i + 2) % n]))
    }) {
        let straight = (a.x == b.x && b.x == c.x) || (a.y == b.y && b.y == c.y);
        assert!(!straight || is_node(classes, b), "{b:?} lies on a straight border");
    }
    for band_rows in [1, 2, 3, 5] {
        assert_eq!(self::areas(classes, &settings, band_rows), areas, "in bands of {band_rows}");
    }
}

fn is_node(classes: &Array2<u8>, at: Corner) -> bool {
    let class = |y: u32, x: u32| classes.get((y as usize, x as usize)).copied().unwrap_or(NO_CLASS);
    let (north, west) = (at.y.wrapping_sub(1), at.x.wrapping_sub(1));
    let (nw, ne, sw, se) = (class(north, west), class(north, at.x), class(at.y, west), class(at.y, at.x));
    [nw != ne, sw != se, nw != sw, ne != se].into_iter().filter(|edge| *edge).count() > 2
}

/// All that holds for simplified polygons.
fn assert_simplified(classes: &Array2<u8>, connectedness: Connectedness, method: Method, tolerance: f64) {
    let raw = areas(classes, &PolygonizeSettings { connectedness, simplify: None }, 1000);
    for outer in [Outer::Fixed, Outer::Free] {
        let simplify = Simplify { method, tolerance, ground: Ground::PIXELS, outer };
        let settings = PolygonizeSettings { connectedness, simplify: Some(simplify) };
        let areas = areas(classes, &settings, 1000);
        assert_valid(&areas);
        if outer == Outer::Fixed {
            assert_covers(&areas, classes);
            assert_eq!(doubled(&areas), doubled(&raw));
        }
        let shape = |areas: &[Area]| -> Vec<Vec<usize>> {
            areas.iter().map(|a| a.polygons.iter().map(|p| p.holes.len()).collect()).collect()
        };
        assert_eq!(shape(&areas), shape(&raw), "a ring is lost");
        assert!(rings(&areas).all(|ring| ring.len() >= 3));
        for band_rows in [1, 2, 3] {
            assert_eq!(self::areas(classes, &settings, band_rows), areas, "in bands of {band_rows}");
        }
    }
}

/// All that holds for what small areas and holes leave.
fn assert_generalized(classes: &Array2<u8>, connectedness: Connectedness, least: u8) {
    let generalized = |min_area, fill_holes, band_rows| {
        let ground = Ground::PIXELS;
        let settings = Generalize { connectedness, min_area, fill_holes, ground, most_areas: 10_000 };
        let source = ClassArray { classes: classes.clone(), confidence: None };
        generalize(&source, &settings, work(band_rows), &Silent).expect("arrays can be read")
    };
    let settings = PolygonizeSettings { connectedness, simplify: None };
    let valid = classes.iter().filter(|class| **class != NO_CLASS).count() as i128;
    let least = f64::from(least);
    for (min_area, fill_holes) in [(Some(least), None), (None, Some(least)), (Some(least), Some(least))] {
        let recode = generalized(min_area, fill_holes, 1000);
        let areas = recoded(classes, Some(&recode), &settings, 1000);
        assert_eq!(doubled(&areas), 2 * valid);
        let merged = painted(&areas, classes.dim());
        for (before, after) in classes.iter().zip(&merged) {
            assert_eq!(*before == NO_CLASS, *after == NO_CLASS, "nodata changed");
        }
        assert_traced(&merged, connectedness);
        if min_area.is_some() {
            let shares_an_edge = neighbors(&areas);
            for area in areas.iter().filter(|area| (area.pixels as f64) < least) {
                assert!(!shares_an_edge.contains(&area.id), "{area:?} is small and has a neighbor");
            }
        }
        // With corners that connect, what lies in a hole of a polygon can go on outside of it.
        if min_area.is_none() && connectedness == Connectedness::Four {
            for hole in areas.iter().flat_map(|area| &area.polygons).flat_map(|polygon| &polygon.holes) {
                let doubled: i64 = shoelace(hole);
                let is_small = (-doubled as f64) < 2.0 * least;
                assert!(!is_small || holds_nodata(hole, classes), "a hole is left: {hole:?}");
            }
        }
        for band_rows in [1, 2, 3] {
            let recode = generalized(min_area, fill_holes, band_rows);
            assert_eq!(recoded(classes, Some(&recode), &settings, 1000), areas, "in bands of {band_rows}");
        }
    }
}

fn shoelace(ring: &Ring) -> i64 {
    edges(ring).map(|(a, b)| i64::from(a.y) * i64::from(b.x) - i64::from(a.x) * i64::from(b.y)).sum()
}

/// Whether any pixel inside of a raw ring is nodata.
fn holds_nodata(ring: &Ring, classes: &Array2<u8>) -> bool {
    let inside = |y: usize, x: usize| {
        let crossed = edges(ring).filter(|(a, b)| {
            a.x == b.x && a.x as usize <= x && (a.y.min(b.y) as usize..a.y.max(b.y) as usize).contains(&y)
        });
        crossed.count() % 2 == 1
    };
    classes.indexed_iter().any(|((y, x), class)| *class == NO_CLASS && inside(y, x))
}

/// The ids of areas that share an edge with another.
fn neighbors(areas: &[Area]) -> BTreeSet<u64> {
    let mut owners = BTreeMap::new();
    for area in areas {
        for (a, b) in area.polygons.iter().flat_map(Polygon::rings).flat_map(edges) {
            owners.insert((a, b), area.id);
        }
    }
    owners.iter().filter(|((a, b), _)| owners.contains_key(&(*b, *a))).map(|(_, id)| *id).collect()
}

fn raster(classes: u8) -> impl Strategy<Value = Array2<u8>> {
    (1..14_usize, 1..14_usize).prop_flat_map(move |(height, width)| {
        let class = prop_oneof![6 => 0..classes, 1 => Just(NO_CLASS)];
        proptest::collection::vec(class, height * width)
            .prop_map(move |values| Array2::from_shape_vec((height, width), values).expect("so many"))
    })
}

/// Larger areas: blocks of pixels, with some noise.
fn blocky() -> impl Strategy<Value = Array2<u8>> {
    (raster(4), 2..5_usize, proptest::collection::vec((0..60_usize, 0..60_usize, 0..4_u8), 0..30)).prop_map(
        |(coarse, scale, spots)| {
            let (height, width) = coarse.dim();
            let mut fine = Array2::from_shape_fn((height * scale, width * scale), |(y, x)| {
                coarse[(y / scale, x / scale)]
            });
            for (y, x, class) in spots {
                if let Some(pixel) = fine.get_mut((y, x)) {
                    *pixel = class;
                }
            }
            fine
        },
    )
}

fn connectedness() -> impl Strategy<Value = Connectedness> {
    prop_oneof![Just(Connectedness::Four), Just(Connectedness::Eight)]
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![Just(Method::Visvalingam), Just(Method::DouglasPeucker)]
}

/// Few cases, unless `PROPTEST_CASES` asks for more: each goes through every height of bands.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { config } else { ProptestConfig { cases: 60, ..config } }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn polygons_of_noise_are_the_raster(classes in raster(3), connectedness in connectedness()) {
        assert_traced(&classes, connectedness);
    }

    #[test]
    fn polygons_of_blocks_are_the_raster(classes in blocky(), connectedness in connectedness()) {
        assert_traced(&classes, connectedness);
    }

    #[test]
    fn simplified_polygons_fit_together(
        classes in prop_oneof![blocky(), raster(3)], connectedness in connectedness(), method in method(),
        tolerance in prop_oneof![Just(0.7), Just(1.0), Just(2.5), Just(10.0), Just(100.0)],
    ) {
        assert_simplified(&classes, connectedness, method, tolerance);
    }

    #[test]
    fn no_area_that_has_a_neighbor_stays_small(
        classes in prop_oneof![blocky(), raster(3)], connectedness in connectedness(), least in 0..30_u8,
    ) {
        assert_generalized(&classes, connectedness, least);
    }
}

/// Shapes that have been trouble to others.
fn shapes() -> Vec<Array2<u8>> {
    let of = |height, width, f: &dyn Fn(usize, usize) -> u8| {
        Array2::from_shape_fn((height, width), |(y, x)| f(y, x))
    };
    let rings = of(21, 21, &|y, x| (y.min(x).min(20 - y).min(20 - x) % 3) as u8);
    let mut spiral = of(23, 23, &|_, _| 0);
    let (mut y, mut x, mut dy, mut dx, mut turns) = (1_i32, 0_i32, 0_i32, 1_i32, 0);
    while turns < 2 {
        spiral[(y as usize, x as usize)] = 1;
        let (ny, nx) = (y + 2 * dy, x + 2 * dx);
        let blocked = spiral.get(((y + dy) as usize, (x + dx) as usize)).is_none()
            || spiral.get((ny as usize, nx as usize)).is_none_or(|pixel| *pixel == 1);
        if blocked {
            (dy, dx) = (dx, -dy);
            turns += 1;
            continue;
        }
        turns = 0;
        (y, x) = (y + dy, x + dx);
    }
    vec![
        // one pixel
        of(1, 1, &|_, _| 4),
        // nodata alone
        of(5, 7, &|_, _| NO_CLASS),
        // one row
        of(1, 9, &|_, x| (x % 2) as u8),
        // one column
        of(9, 1, &|y, _| (y / 2 % 2) as u8),
        // a checkerboard
        of(12, 13, &|y, x| ((y + x) % 2) as u8),
        // a checkerboard with nodata
        of(8, 8, &|y, x| if (y + x) % 2 == 0 { 1 } else { NO_CLASS }),
        // nested rings
        rings,
        // four classes at each corner
        of(8, 8, &|y, x| ((y / 2 % 2) * 2 + x / 2 % 2) as u8),
        // a spiral
        spiral,
        // single pixels
        of(11, 11, &|y, x| u8::from(y % 2 == 1 && x % 2 == 1)),
        // a comb
        of(7, 25, &|y, x| u8::from(y % 4 == 1 || (y % 4 == 2 && x % 2 == 0))),
        // rows with many neighbors
        of(9, 16, &|y, x| if y % 2 == 0 { 0 } else { 1 + (x % 2) as u8 }),
        // a diagonal ring
        of(9, 9, &|y, x| u8::from(y.abs_diff(4) + x.abs_diff(4) == 3)),
    ]
}

#[test]
fn too_many_areas_are_refused() {
    let settings = Generalize {
        connectedness: Connectedness::Four,
        min_area: Some(3.0),
        fill_holes: None,
        ground: Ground::PIXELS,
        most_areas: 30,
    };
    let classes = Array2::from_shape_fn((6, 6), |(y, x)| ((y + x) % 2) as u8);
    let source = ClassArray { classes, confidence: None };
    let error = generalize(&source, &settings, work(2), &Silent).expect_err("36 areas");
    assert!(matches!(error, Error::TooManyAreas { most: 30, .. }), "{error}");
}

#[test]
fn shapes_are_the_raster() {
    for classes in shapes() {
        for connectedness in [Connectedness::Four, Connectedness::Eight] {
            assert_traced(&classes, connectedness);
            for method in [Method::Visvalingam, Method::DouglasPeucker] {
                for tolerance in [0.5, 1.5, 20.0] {
                    assert_simplified(&classes, connectedness, method, tolerance);
                }
            }
            for least in [2, 5, 200] {
                assert_generalized(&classes, connectedness, least);
            }
        }
    }
}
