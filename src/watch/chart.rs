//! Curves and maps as SVG.

use std::fmt::Write as _;
use std::string::String;
use std::vec::Vec;

/// Colours that colour-blind people can tell apart too (Okabe and Ito).
const COLORS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#666666"];
const SIZE: (f64, f64) = (900.0, 480.0);
/// The space left, above, right and below.
const AROUND: [f64; 4] = [70.0, 44.0, 20.0, 50.0];

/// Curves over a common axis.
///
/// ```
/// use monomorph::watch::Chart;
///
/// let mut chart = Chart::new("Training", ["epoch", "loss"]).logarithmic();
/// for epoch in 1..=5 {
///     chart.add("training", f64::from(epoch), 1.0 / f64::from(epoch));
///     chart.add("validation", f64::from(epoch), 1.2 / f64::from(epoch));
/// }
/// let svg = chart.svg();
/// assert!(svg.starts_with("<svg") && svg.matches("<polyline").count() == 2);
/// // std::fs::write("training.svg", svg)?;
/// ```
#[derive(Clone, Debug)]
pub struct Chart {
    title: String,
    labels: [String; 2],
    logarithmic: bool,
    curves: Vec<(String, Vec<(f64, f64)>)>,
}

impl Chart {
    /// No curve yet. The labels are those of the horizontal and of the vertical axis.
    pub fn new(title: &str, labels: [&str; 2]) -> Self {
        Self { title: title.into(), labels: labels.map(Into::into), logarithmic: false, curves: Vec::new() }
    }

    /// The vertical axis shows powers of ten; only numbers above 0 have a place on it.
    pub fn logarithmic(mut self) -> Self {
        self.logarithmic = true;
        self
    }

    /// Adds a point to the curve of this name. A point that is not finite is left out when the chart is drawn.
    pub fn add(&mut self, curve: &str, x: f64, y: f64) {
        let index = self.curves.iter().position(|(name, _)| name == curve).unwrap_or_else(|| {
            self.curves.push((curve.into(), Vec::new()));
            self.curves.len() - 1
        });
        self.curves[index].1.push((x, y));
    }

    /// The chart as an SVG file.
    pub fn svg(&self) -> String {
        let height = |y: f64| if self.logarithmic { libm::log10(y) } else { y };
        let drawn = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            let points = points.iter().map(|(x, y)| (*x, height(*y)));
            points.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
        };
        let curves: Vec<(&str, Vec<(f64, f64)>)> =
            self.curves.iter().map(|(name, points)| (name.as_str(), drawn(points))).collect();
        let all = || curves.iter().flat_map(|(_, points)| points);
        let (left, right) = range(all().map(|point| point.0));
        let (low, high) = range(all().map(|point| point.1));
        let [before, above, after, below] = AROUND;
        let x = |at: f64| before + (at - left) / (right - left) * (SIZE.0 - before - after);
        let y = |at: f64| SIZE.1 - below - (at - low) / (high - low) * (SIZE.1 - above - below);

        let mut svg = open(SIZE, &self.title);
        // Writing to a string does not fail.
        for tick in ticks(low, high) {
            let (at, label) = (y(tick), if self.logarithmic { number(libm::pow(10.0, tick)) } else { number(tick) });
            let end = SIZE.0 - after;
            let _ = write!(svg, r##"<line x1="{before}" y1="{at:.1}" x2="{end}" y2="{at:.1}" stroke="#e4e4e4"/>"##);
            text(&mut svg, (before - 8.0, at + 4.0), "end", 12, &label);
        }
        for tick in ticks(left, right) {
            text(&mut svg, (x(tick), SIZE.1 - below + 18.0), "middle", 12, &number(tick));
        }
        text(&mut svg, ((before + SIZE.0 - after) / 2.0, SIZE.1 - 12.0), "middle", 13, &self.labels[0]);
        text(&mut svg, (before, above - 10.0), "middle", 13, &self.labels[1]);
        for (index, (name, points)) in curves.iter().enumerate() {
            let color = COLORS[index % COLORS.len()];
            let _ = write!(svg, r#"<polyline fill="none" stroke="{color}" stroke-width="2" points=""#);
            for point in points {
                let _ = write!(svg, "{:.1},{:.1} ", x(point.0), y(point.1));
            }
            let line = above + 10.0 + 18.0 * index as f64;
            let _ = write!(
                svg,
                r#""/><rect x="{}" y="{}" width="18" height="3" fill="{color}"/>"#,
                SIZE.0 - 190.0,
                line - 5.0
            );
            text(&mut svg, (SIZE.0 - 166.0, line), "start", 13, name);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// A square of numbers, such as those of a [`Landscape`](super::Landscape), as an SVG file: a colour for each from the
/// smallest (dark) to the largest (light), by their logarithms if all are above 0. Numbers that are not finite are white.
///
/// ```
/// let svg = monomorph::watch::heat_map("Loss", &[[1.0, 10.0], [100.0, f64::INFINITY]]);
/// assert_eq!(svg.matches("<rect").count(), 1 + 4);
/// ```
pub fn heat_map<const G: usize>(title: &str, numbers: &[[f64; G]; G]) -> String {
    let finite = || numbers.as_flattened().iter().copied().filter(|x| x.is_finite());
    let logarithmic = finite().all(|x| x > 0.0);
    let height = |x: f64| if logarithmic { libm::log10(x) } else { x };
    let (low, high) = range(finite().map(height));
    let (side, above) = (480.0 / G.max(1) as f64, 44.0);
    let mut svg = open((500.0, 560.0), title);
    for (i, row) in numbers.iter().enumerate() {
        for (j, value) in row.iter().enumerate() {
            let color = match (height(*value) - low) / (high - low) {
                share if share.is_finite() => shade(share),
                _ => String::from("#ffffff"),
            };
            let (x, y) = (10.0 + side * j as f64, above + side * i as f64);
            // A little larger, so that no gap shows.
            let side = side + 0.5;
            let _ = write!(svg, r#"<rect x="{x:.1}" y="{y:.1}" width="{side:.1}" height="{side:.1}" fill="{color}"/>"#);
        }
    }
    let (least, most) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let label = std::format!("from {} (dark) to {} (light)", number(least), number(most));
    text(&mut svg, (250.0, 546.0), "middle", 13, &label);
    svg.push_str("</svg>\n");
    svg
}

/// Dark blue, green, yellow: between five colours of viridis.
fn shade(share: f64) -> String {
    const STOPS: [[f64; 3]; 5] =
        [[68.0, 1.0, 84.0], [59.0, 82.0, 139.0], [33.0, 145.0, 140.0], [94.0, 201.0, 98.0], [253.0, 231.0, 37.0]];
    let at = share.clamp(0.0, 1.0) * 4.0;
    let index = (at as usize).min(3);
    let [r, g, b]: [u8; 3] = core::array::from_fn(|channel| {
        let (from, to) = (STOPS[index][channel], STOPS[index + 1][channel]);
        (from + (to - from) * (at - index as f64)) as u8
    });
    std::format!("#{r:02x}{g:02x}{b:02x}")
}

/// The smallest and the largest, which are never equal.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    match low < high {
        true => (low, high),
        false if low == high => (low - 0.5, high + 0.5),
        false => (0.0, 1.0),
    }
}

/// Round numbers between these, at most eight.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 7.0;
    let power = libm::pow(10.0, libm::floor(libm::log10(rough)));
    let step = [1.0, 2.0, 5.0, 10.0].map(|of| of * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let first = libm::ceil(low / step);
    (0..8).map(|tick| (first + f64::from(tick)) * step).filter(|tick| *tick <= high).collect()
}

/// A number with few digits.
fn number(x: f64) -> String {
    let size = libm::fabs(x);
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return std::format!("{x:.1e}");
    }
    let text = std::format!("{x:.4}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    String::from(if short == "-0" { "0" } else { short })
}

fn open((width, height): (f64, f64), title: &str) -> String {
    let mut svg = std::format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"><rect width="{width}" height="{height}" fill="#ffffff"/>"##
    );
    text(&mut svg, (width / 2.0, 24.0), "middle", 18, title);
    svg
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, size: u32, words: &str) {
    let _ = write!(svg, r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}" fill="#333333">"##);
    for c in words.chars() {
        match c {
            '<' => svg.push_str("&lt;"),
            '>' => svg.push_str("&gt;"),
            '&' => svg.push_str("&amp;"),
            c => svg.push(c),
        }
    }
    svg.push_str("</text>");
}
