//! The plot of the example.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use super::LENGTH;

// Colours that colour-blind people can tell apart.
const COLORS: [RGBColor; 3] = [BLACK, RGBColor(213, 94, 0), RGBColor(0, 114, 178)];

/// Draws the angles of a pendulum and of estimates as an SVG file.
pub fn swing(path: &Path, series: &[(&str, &[[f64; 2]; LENGTH]); 3]) -> Result<(), Box<dyn Error>> {
    let angles = series.iter().flat_map(|(_, states)| states.iter().map(|state| state[0]));
    let (low, high) = angles.fold((0.0_f64, 0.0_f64), |(low, high), angle| (low.min(angle), high.max(angle)));
    let root = SVGBackend::new(path, (960, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("The swing in which the extended filter was furthest off", ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(0..LENGTH, low - 0.2..high + 0.2)?;
    chart.configure_mesh().x_desc("step").y_desc("angle in radians").light_line_style(WHITE).draw()?;
    for ((label, states), color) in series.iter().zip(COLORS) {
        let line = LineSeries::new(states.iter().map(|state| state[0]).enumerate(), color.stroke_width(2));
        let legend = move |(x, y): (i32, i32)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2));
        chart.draw_series(line)?.label(*label).legend(legend);
    }
    chart.configure_series_labels().border_style(BLACK.mix(0.3)).background_style(WHITE).draw()?;
    root.present()?;
    Ok(())
}
