//! The plot of the example.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

// Two colours that colour-blind people can tell apart too.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(213, 94, 0);

/// Draws the loss of the steps, and that of the text that is not learned from, as an SVG file. Points are (minutes,
/// nats a character).
pub fn losses(path: &Path, losses: &[(f64, f64)], checks: &[(f64, f64)]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (800, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let end = losses.iter().chain(checks).map(|point| point.0).fold(1e-3, f64::max);
    let low = losses.iter().chain(checks).map(|point| point.1).fold(f64::INFINITY, f64::min).min(1.0);
    let mut chart = ChartBuilder::on(&root)
        .caption("Nats a character", ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..end, low * 0.95..3.5)?;
    chart.configure_mesh().x_desc("minutes").y_desc("loss").light_line_style(WHITE).draw()?;
    // The mean of neighbors, at most some hundred of them.
    let each = losses.len().div_ceil(400).max(1);
    let mean = |part: &[(f64, f64)]| (part[0].0, part.iter().map(|point| point.1).sum::<f64>() / part.len() as f64);
    let line = |color: RGBColor| move |(x, y): (i32, i32)| PathElement::new([(x, y), (x + 20, y)], color);
    chart.draw_series(LineSeries::new(losses.chunks(each).map(mean), BLUE))?.label("learned").legend(line(BLUE));
    chart
        .draw_series(LineSeries::new(checks.iter().copied(), ORANGE.stroke_width(2)).point_size(3))?
        .label("validation")
        .legend(line(ORANGE));
    chart.configure_series_labels().border_style(BLACK.mix(0.3)).background_style(WHITE).draw()?;
    root.present()?;
    Ok(())
}
