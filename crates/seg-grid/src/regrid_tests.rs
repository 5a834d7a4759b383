use super::*;
use proptest::prelude::*;

/// Scores that tell their place, and some pixels that are not valid.
fn field(size: Size, classes: usize) -> (Array3<f32>, Array2<bool>) {
    let scores = Array3::from_shape_fn((classes, size.height, size.width), |(k, y, x)| {
        ((x * 31 + y * 17 + k * 7) % 23) as f32 / 22.0
    });
    let valid = Array2::from_shape_fn((size.height, size.width), |(y, x)| (x * 5 + y * 3) % 11 != 0);
    (scores, valid)
}

/// The definition, pixel by pixel.
fn expected(regrid: &Regrid, scores: &Array3<f32>, valid: &Array2<bool>) -> Array3<f32> {
    let (k, h, w) = scores.dim();
    let place = |i: usize, ratio: f64, length: usize| {
        ((i as f64 + 0.5) * ratio - 0.5).clamp(0.0, (length - 1) as f64)
    };
    Array3::from_shape_fn((k, regrid.to.height, regrid.to.width), |(class, y, x)| {
        let (py, px) = (place(y, regrid.down, h), place(x, regrid.across, w));
        let (mut sum, mut weight) = (0.0, 0.0);
        for row in 0..h {
            for column in 0..w {
                let near =
                    (1.0 - (row as f64 - py).abs()).max(0.0) * (1.0 - (column as f64 - px).abs()).max(0.0);
                if valid[[row, column]] {
                    sum += near * f64::from(scores[[class, row, column]]);
                    weight += near;
                }
            }
        }
        if weight > 1e-7 { (sum / weight) as f32 } else { f32::NAN }
    })
}

/// As a pipeline does it: rows of tiles come in pieces, strips of the result go out.
fn run(
    regrid: Regrid,
    (scores, valid): &(Array3<f32>, Array2<bool>),
    result: Range<usize>,
    first_row: usize,
    tile_rows: usize,
    most: usize,
) -> Array3<f32> {
    let classes = scores.dim().0;
    let mut out = Array3::from_elem((classes, regrid.to.height, regrid.to.width), -1.0);
    let mut rows = Regridder::new(regrid, classes, result.clone(), first_row, tile_rows);
    let columns = rows.columns();
    for y in (0..regrid.from.height).step_by(tile_rows) {
        let height = tile_rows.min(regrid.from.height - y);
        for x in columns.clone().step_by(5) {
            let window = Window { x, y, width: 5.min(columns.end - x), height };
            let (r, c) = window.ranges();
            rows.put(window, &scores.slice(s![.., r.clone(), c.clone()]), &valid.slice(s![r, c]));
        }
        loop {
            let ready = rows.ready(most);
            if ready.is_empty() {
                break;
            }
            for x in result.clone().step_by(7) {
                let width = 7.min(result.end - x);
                let window = Window { x, y: ready.start, width, height: ready.len() };
                let (r, c) = window.ranges();
                out.slice_mut(s![.., r, c]).assign(&rows.scores(window));
            }
            rows.release(ready.end);
        }
    }
    out
}

fn bits(values: &ArrayView3<'_, f32>) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn rows_in_pieces_give_the_definition(
        w in 1_usize..20, h in 1_usize..30, across in 0.05..4.0_f64, down in 0.05..4.0_f64,
        tile_rows in 1_usize..9, most in 1_usize..12,
    ) {
        let from = Size { width: w, height: h };
        let to = Size {
            width: ((w as f64 / across) as usize).clamp(1, 60),
            height: ((h as f64 / down) as usize).clamp(1, 90),
        };
        let regrid = Regrid::new(from, to, across, down);
        let field = field(from, 2);
        let whole = run(regrid, &field, 0..to.width, 0, tile_rows, most);
        for (found, wanted) in whole.iter().zip(&expected(&regrid, &field.0, &field.1)) {
            // Weights below what f32 holds beside 1 can make a pixel count or not.
            prop_assert!((found - wanted).abs() < 1e-4 || found.is_nan() || wanted.is_nan(), "{found} {wanted}");
        }
        let nothing = |values: &Array3<f32>| values.iter().filter(|v| v.is_nan()).count();
        prop_assert!(nothing(&whole).abs_diff(nothing(&expected(&regrid, &field.0, &field.1))) <= 4);

        // A strip of columns, taken up at a later row: the same bits.
        let cut = to.width / 2;
        let row = to.height / 3;
        for strip in [0..cut, cut..to.width] {
            if !strip.is_empty() {
                let part = run(regrid, &field, strip.clone(), row, tile_rows, most);
                let at = s![.., row.., strip];
                prop_assert_eq!(bits(&part.slice(at)), bits(&whole.slice(at)));
            }
        }
    }
}

#[test]
fn the_same_grid_changes_nothing() {
    let size = Size { width: 13, height: 9 };
    let (scores, _) = field(size, 3);
    let valid = Array2::from_elem((9, 13), true);
    let out = run(Regrid::new(size, size, 1.0, 1.0), &(scores.clone(), valid), 0..13, 0, 4, 2);
    assert_eq!(bits(&out.view()), bits(&scores.view()));
}

#[test]
fn a_plane_stays_a_plane_between_centers() {
    // Twice as many pixels: a slope in the world is the same slope, but for the outermost half pixel.
    let (from, to) = (Size { width: 8, height: 8 }, Size { width: 16, height: 16 });
    let slope = |x: f64, y: f64| (3.0 * x + 5.0 * y) as f32;
    let scores =
        Array3::from_shape_fn((1, 8, 8), |(_, y, x)| slope(2.0 * x as f64 + 1.0, 2.0 * y as f64 + 1.0));
    let out =
        run(Regrid::new(from, to, 0.5, 0.5), &(scores, Array2::from_elem((8, 8), true)), 0..16, 0, 3, 4);
    for y in 1..15 {
        for x in 1..15 {
            let wanted = slope(x as f64 + 0.5, y as f64 + 0.5);
            assert!((out[[0, y, x]] - wanted).abs() < 1e-4, "{x} {y}");
        }
    }
}

#[test]
fn memory_depends_on_the_tile_and_the_width_only() {
    let regrid = |height| {
        let from = Size { width: 500, height };
        Regrid::new(from, Size { width: 1000, height: 2 * height }, 0.5, 0.5)
    };
    let bytes = |height| Regridder::bytes(&regrid(height), 6, 0..1000, 128);
    assert_eq!(bytes(1000), bytes(1_000_000));
    assert_eq!(bytes(1000), 130 * 500 * 25);
}
