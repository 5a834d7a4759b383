//! `--bbox xmin,ymin,xmax,ymax`.

use seg_gdal::Bounds;

/// Reads a box such as `12.4,48.8,12.7,48.9`.
pub(crate) fn bbox(text: &str) -> Result<Bounds, String> {
    let numbers: Option<Vec<f64>> =
        text.split(',').map(|number| number.trim().parse().ok().filter(|n: &f64| n.is_finite())).collect();
    let Some(&[x_min, y_min, x_max, y_max]) = numbers.as_deref() else {
        return Err("a box is four numbers, xmin,ymin,xmax,ymax, such as 12.4,48.8,12.7,48.9".to_owned());
    };
    if x_min >= x_max || y_min >= y_max {
        return Err(
            "a box is xmin,ymin,xmax,ymax: the smaller x and y come first, and x comes before y".to_owned()
        );
    }
    Ok(Bounds { x_min, y_min, x_max, y_max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_corner_comes_first() {
        let expected = Bounds { x_min: -1.5, y_min: 2.0, x_max: 3e5, y_max: 4.0 };
        assert_eq!(bbox("-1.5, 2,3e5,4"), Ok(expected));
        for wrong in ["", "1,2,3", "1,2,3,4,5", "1,2,1,4", "3,2,1,4", "1,2,3,nan", "1;2;3;4"] {
            assert!(bbox(wrong).unwrap_err().contains("xmin,ymin,xmax,ymax"), "{wrong}");
        }
    }
}
