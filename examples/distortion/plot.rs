//! The plot of the example.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

// Two colours that colour-blind people can tell apart too.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(213, 94, 0);

/// Draws both waves, and ten times their difference, as an SVG file.
pub fn waves(path: &Path, wet: &[[f32; 1]], learned: &[[f32; 1]], rate: u32) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (900, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let time = |step: usize| step as f32 * 1000.0 / rate as f32;
    let mut chart = ChartBuilder::on(&root)
        .caption("A pedal and what was learned of it", ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..time(wet.len()), -1.1_f32..1.1)?;
    chart.configure_mesh().x_desc("milliseconds").y_desc("sample").light_line_style(WHITE).draw()?;
    let line = |color: RGBColor| move |(x, y): (i32, i32)| PathElement::new([(x, y), (x + 20, y)], color);
    let points = |wave: &[[f32; 1]]| -> Vec<(f32, f32)> {
        wave.iter().enumerate().map(|(step, sample)| (time(step), sample[0])).collect()
    };
    let error: Vec<[f32; 1]> = wet.iter().zip(learned).map(|(wet, learned)| [10.0 * (learned[0] - wet[0])]).collect();
    for (wave, color, width, label) in [
        (points(wet), BLUE, 3, "pedal"),
        (points(learned), ORANGE, 1, "learned"),
        (points(&error), RGBColor(150, 150, 150), 1, "ten times the error"),
    ] {
        chart.draw_series(LineSeries::new(wave, color.stroke_width(width)))?.label(label).legend(line(color));
    }
    chart.configure_series_labels().border_style(BLACK.mix(0.3)).background_style(WHITE).draw()?;
    root.present()?;
    Ok(())
}
