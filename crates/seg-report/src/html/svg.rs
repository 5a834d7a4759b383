//! Charts, drawn by hand: 400 units wide, so that letters can be read on a telephone.

use crate::html::page::Chart;
use seg_label::{CalibrationBin, Interval};
use std::fmt::Write as _;

const WIDTH: f64 = 400.0;

/// A bar with its name, value and interval.
#[derive(Debug)]
pub(crate) struct Bar {
    pub name: String,
    pub value: Option<f64>,
    pub interval: Option<Interval>,
}

/// A curve of a chart.
#[derive(Debug)]
pub(crate) struct Line {
    pub name: String,
    /// In the order of x.
    pub points: Vec<[f64; 2]>,
}

/// Which way values go up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From 0 to 1.
    Unit,
    /// From 0 to the highest.
    FromZero,
}

/// Dashes that tell curves apart without colors.
const DASHES: [&str; 6] = ["", "7 3", "2 3", "9 3 2 3", "14 4", "4 2 1 2 1 2"];

/// Bars from 0 to 1, one below the other.
pub(crate) fn bars(bars: &[Bar], caption: &str) -> Chart {
    const ROW: f64 = 36.0;
    const LEFT: f64 = 2.0;
    let width = WIDTH - 2.0 * LEFT;
    let height = ROW * bars.len() as f64 + 18.0;
    let mut out = begin(height, caption);
    for (i, bar) in bars.iter().enumerate() {
        let y = ROW * i as f64;
        let shown = bar.value.map_or_else(|| "absent".to_owned(), |value| format!("{value:.3}"));
        text(&mut out, LEFT, y + 13.0, "start", "", &bar.name);
        text(&mut out, WIDTH - LEFT, y + 13.0, "end", "", &shown);
        let at = |value: f64| LEFT + width * value.clamp(0.0, 1.0);
        rect(&mut out, "track", [LEFT, y + 18.0, width, 12.0]);
        if let Some(value) = bar.value {
            rect(&mut out, "bar", [LEFT, y + 18.0, width * value.clamp(0.0, 1.0), 12.0]);
        }
        if let Some(Interval { low, high }) = bar.interval {
            let (low, high) = (at(low), at(high));
            let y = y + 24.0;
            let _ = write!(
                out,
                "<path class=\"whisker\" d=\"M{low:.1} {:.1}v10m0 -5H{high:.1}m0 -5v10\"/>",
                y - 5.0
            );
        }
    }
    for (share, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
        text(&mut out, LEFT + width * share, height - 4.0, anchor, "small", &share.to_string());
    }
    end(out, caption)
}

/// How often predictions are right against how sure they are.
pub(crate) fn reliability(bins: &[CalibrationBin], caption: &str) -> Chart {
    let frame = Frame { left: 44.0, top: 8.0, width: 344.0, height: 300.0 };
    let mut out = begin(frame.top + frame.height + 44.0, caption);
    frame.draw(&mut out, [0.0, 1.0], [0.0, 1.0], "probability of the predicted class", "share that is right");
    let [x0, y0] = frame.at([0.0, 0.0]);
    let [x1, y1] = frame.at([1.0, 1.0]);
    let most = bins.iter().map(|bin| bin.pixels).max().unwrap_or(0).max(1) as f64;
    for bin in bins {
        // How many pixels there are, at the foot.
        let [x, _] = frame.at([bin.from, 0.0]);
        let wide = (frame.at([bin.to, 0.0])[0] - x).max(2.0);
        let high = 40.0 * bin.pixels as f64 / most;
        rect(&mut out, "track", [x, y0 - high, wide, high]);
    }
    let _ = write!(out, "<path class=\"axis\" stroke-dasharray=\"5 4\" d=\"M{x0} {y0}L{x1} {y1}\"/>");
    let points: Vec<[f64; 2]> =
        bins.iter().filter_map(|bin| Some(frame.at([bin.confidence?, bin.accuracy?]))).collect();
    let _ = write!(out, "<path class=\"curve\" d=\"{}\"/>", path(&points));
    for [x, y] in points {
        let _ = write!(out, "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>");
    }
    end(out, caption)
}

/// Curves over steps, told apart by dashes and named below.
pub(crate) fn curves(lines: &[Line], scale: Scale, caption: &str) -> Chart {
    const NAMES: f64 = 20.0;
    let frame = Frame { left: 60.0, top: 8.0, width: 328.0, height: 200.0 };
    let below = frame.top + frame.height + 44.0;
    let mut out = begin(below + NAMES * lines.len() as f64, caption);
    let all = || lines.iter().flat_map(|line| line.points.iter().copied());
    let most = |place: usize| all().map(|point| point[place]).filter(|v| v.is_finite()).fold(0.0, f64::max);
    let right = most(0).max(1.0);
    let high = match scale {
        Scale::Unit => 1.0,
        Scale::FromZero => Some(most(1)).filter(|most| *most > 0.0).unwrap_or(1.0),
    };
    frame.draw(&mut out, [0.0, right], [0.0, high], "step", "");
    for (i, line) in lines.iter().enumerate() {
        let dashes = DASHES[i % DASHES.len()];
        let points: Vec<[f64; 2]> = line
            .points
            .iter()
            .filter(|point| point[1].is_finite())
            .map(|[x, y]| frame.at([x / right, (y / high).clamp(0.0, 1.0)]))
            .collect();
        let _ = write!(out, "<path class=\"curve\" stroke-dasharray=\"{dashes}\" d=\"{}\"/>", path(&points));
        let y = below + NAMES * i as f64;
        let _ =
            write!(out, "<path class=\"curve\" stroke-dasharray=\"{dashes}\" d=\"M{} {y}h44\"/>", frame.left);
        if i >= DASHES.len() {
            // Dashes come again: rings make the difference.
            for [x, y] in points.iter().step_by((points.len() / 8).max(1)).chain(&[[frame.left + 22.0, y]]) {
                let _ = write!(out, "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
            }
        }
        text(&mut out, frame.left + 52.0, y + 4.0, "start", "", &line.name);
    }
    end(out, caption)
}

/// Where a chart's values are drawn.
struct Frame {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Frame {
    /// The place of shares of width and height.
    fn at(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [self.left + self.width * x, self.top + self.height * (1.0 - y)]
    }

    /// Lines at quarters, with numbers.
    fn draw(&self, out: &mut String, x: [f64; 2], y: [f64; 2], x_name: &str, y_name: &str) {
        for quarter in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let ([left, at], [right, _]) = (self.at([0.0, quarter]), self.at([1.0, quarter]));
            let _ = write!(out, "<path class=\"grid\" d=\"M{left} {at:.1}H{right}\"/>");
            text(out, left - 5.0, at + 4.0, "end", "small", &short(y[0] + (y[1] - y[0]) * quarter));
            let [at, bottom] = self.at([quarter, 0.0]);
            let anchor = if quarter > 0.9 { "end" } else { "middle" };
            text(out, at, bottom + 15.0, anchor, "small", &short(x[0] + (x[1] - x[0]) * quarter));
        }
        let bottom = self.top + self.height;
        text(out, self.left + self.width / 2.0, bottom + 31.0, "middle", "small", x_name);
        if !y_name.is_empty() {
            let y = self.top + self.height / 2.0;
            let _ = write!(
                out,
                "<text class=\"small\" text-anchor=\"middle\" transform=\"translate(11 {y}) rotate(-90)\">{}</text>",
                escaped(y_name)
            );
        }
    }
}

/// Three digits that say something.
fn short(value: f64) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else if (0.01..10000.0).contains(&value.abs()) {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.1e}")
    }
}

fn path(points: &[[f64; 2]]) -> String {
    let mut path = String::new();
    for (i, [x, y]) in points.iter().enumerate() {
        // Writing to a string cannot fail, here and above.
        let _ = write!(path, "{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
    }
    path
}

fn rect(out: &mut String, class: &str, [x, y, width, height]: [f64; 4]) {
    let _ = write!(
        out,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
    );
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
    let _ = write!(
        out,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
        escaped(text)
    );
}

fn begin(height: f64, caption: &str) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">", escaped(caption))
}

fn end(mut svg: String, caption: &str) -> Chart {
    svg.push_str("</svg>");
    Chart { svg, caption: caption.to_owned() }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_a_chart() {
        let bar = Bar { name: "<b>\"&".to_owned(), value: None, interval: None };
        let svg = bars(&[bar], "x").svg;
        assert!(svg.contains("&lt;b&gt;&quot;&amp;") && svg.contains("absent"), "{svg}");
    }

    #[test]
    fn curves_of_nothing_are_drawn() {
        let line = Line { name: "loss".to_owned(), points: vec![[0.0, f64::NAN], [1.0, f64::INFINITY]] };
        let svg = curves(&[line], Scale::FromZero, "x").svg;
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, 0.25, 1.0, 1500.0, 0.0001].map(short), ["0", "0.25", "1", "1500", "1.0e-4"]);
    }
}
