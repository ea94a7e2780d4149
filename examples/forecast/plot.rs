//! The plot of the example.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

/// How many values are drawn.
const SHOWN: usize = 300;
// Colours that colour-blind people can tell apart.
const COLORS: [RGBColor; 3] = [RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(0, 114, 178)];

/// Draws a series and forecasts of it as an SVG file.
pub fn forecasts(path: &Path, exact: &[f32], forecasts: &[(&str, &[f32])]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (960, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("A chaotic series, forecast 12 steps ahead", ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(0..SHOWN, -3.0_f32..2.5)?;
    chart.configure_mesh().x_desc("step").y_desc("standard deviations").light_line_style(WHITE).draw()?;
    let series = [("what came", exact)].into_iter().chain(forecasts.iter().copied());
    let styles = [BLACK.stroke_width(3)].into_iter().chain(COLORS.map(|color| color.stroke_width(2)));
    for ((label, values), style) in series.zip(styles) {
        let line = LineSeries::new(values.iter().copied().enumerate().take(SHOWN), style);
        let legend = move |(x, y): (i32, i32)| PathElement::new([(x, y), (x + 20, y)], style);
        chart.draw_series(line)?.label(label).legend(legend);
    }
    chart.configure_series_labels().border_style(BLACK.mix(0.3)).background_style(WHITE).draw()?;
    root.present()?;
    Ok(())
}
