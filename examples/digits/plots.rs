//! The plots of the example: training curves, the worst mistakes, and which digits are confused.

use std::error::Error;
use std::fmt::{self, Write};
use std::fs;
use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// A grey image, 1 for ink.
pub type Image = [[[f32; 1]; 28]; 28];

type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

// Two colours that colour-blind people can tell apart too.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(213, 94, 0);
const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(228, 228, 228);
const FONT: &str = "sans-serif";

/// Draws the loss of every step (and its running mean) and the test accuracy after
/// every epoch, as an SVG file. Points are (epochs, loss) and (epochs, accuracy in 0 to 1).
pub fn learning_curves(path: &Path, title: &str, losses: &[(f64, f64)], accuracies: &[(f64, f64)]) -> Result {
    let size = (1100, 470);
    draw(path, size, |root| {
        let root = root.margin(12, 0, 0, 0).titled(title, text(24, INK))?;
        let (left, right) = root.split_horizontally(size.0 as i32 / 2);
        loss_panel(&left, losses)?;
        accuracy_panel(&right, accuracies)
    })
}

fn loss_panel(panel: &Panel<'_>, losses: &[(f64, f64)]) -> Result {
    let smooth = running_mean(losses, (losses.len() / 60).clamp(1, 500));
    // A logarithmic axis can only show positive numbers.
    let losses: Vec<_> = losses.iter().copied().filter(|(_, loss)| *loss > 0.0 && loss.is_finite()).collect();
    let last = losses.last().map_or(1.0, |(epoch, _)| *epoch).max(f64::MIN_POSITIVE);
    let low = losses.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
    let high = losses.iter().map(|(_, loss)| *loss).fold(0.0, f64::max);
    // Single batches can be arbitrarily good; the plot may cut them off at the bottom.
    let floor = smooth.iter().map(|(_, loss)| *loss / 20.0).filter(|loss| *loss > 0.0).fold(1.0, f64::min);
    let (low, high) = if low <= high { (low.max(floor), high) } else { (0.1, 1.0) };
    // Whole decades, because only those get a label.
    let (low, high) = (10.0_f64.powf(low.log10().floor()) * 0.99, 10.0_f64.powf((high * 1.01).log10().ceil()));

    let mut chart = frame(panel, "Training loss").build_cartesian_2d(0.0..last, (low..high).log_scale())?;
    mesh(&mut chart, "epochs", "cross-entropy (log scale)", &|epoch| short(*epoch), &|loss| short(*loss))?;
    let kept = losses.into_iter().filter(|(_, loss)| *loss >= low);
    chart
        .draw_series(LineSeries::new(kept, BLUE.mix(0.3).stroke_width(1)))?
        .label("one batch")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 22, y)], BLUE.mix(0.3).stroke_width(2)));
    chart
        .draw_series(LineSeries::new(smooth, BLUE.stroke_width(2)))?
        .label("running mean")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 22, y)], BLUE.stroke_width(2)));
    legend(&mut chart, SeriesLabelPosition::UpperRight)
}

fn accuracy_panel(panel: &Panel<'_>, accuracies: &[(f64, f64)]) -> Result {
    let points: Vec<_> = accuracies.iter().map(|(epoch, accuracy)| (*epoch, accuracy * 100.0)).collect();
    let last = points.last().map_or(1.0, |(epoch, _)| *epoch).max(f64::MIN_POSITIVE);
    let low = points.iter().map(|(_, accuracy)| *accuracy).fold(100.0, f64::min);
    let best = points.iter().map(|(_, accuracy)| *accuracy).fold(0.0, f64::max);
    // Zoom in on the differences between epochs.
    let (low, high) = ((low - (100.0 - low) * 0.15).max(0.0), best + (100.0 - low) * 0.15);
    let high = if high > low { high.min(100.0) } else { 100.0 };
    let low = if low < high { low } else { high - 1.0 };

    let mut chart = frame(panel, "Test accuracy").build_cartesian_2d(0.0..last * 1.04, low..high)?;
    mesh(&mut chart, "epochs", "correct", &|epoch| short(*epoch), &|percent| format!("{}%", short(*percent)))?;
    chart
        .draw_series(LineSeries::new(points.clone(), ORANGE.stroke_width(2)))?
        .label(format!("after each epoch (best {best:.2}%)"))
        .legend(|(x, y)| PathElement::new([(x, y), (x + 22, y)], ORANGE.stroke_width(2)));
    chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, ORANGE.filled())))?;
    if let Some(last) = points.last() {
        let style = text(15, ORANGE).pos(Pos::new(HPos::Right, VPos::Bottom));
        let label = EmptyElement::at(*last) + Text::new(format!("{:.2}%", last.1), (0, -8), style);
        chart.draw_series([label])?;
    }
    legend(&mut chart, SeriesLabelPosition::LowerRight)
}

/// A sample that the network got wrong.
#[derive(Clone, Copy)]
pub struct Mistake<'a> {
    /// The image.
    pub image: &'a Image,
    /// The correct digit.
    pub label: usize,
    /// The digit that the network predicted.
    pub predicted: usize,
    /// The network's confidence, 0 to 1.
    pub probability: f64,
}

/// Draws mistakes as a sheet with `columns` images per row, as an SVG file.
pub fn contact_sheet(path: &Path, title: &str, mistakes: &[Mistake<'_>], columns: u32) -> Result {
    const PIXEL: i32 = 4;
    const IMAGE: i32 = 28 * PIXEL;
    const CELL: (i32, i32) = (IMAGE + 28, IMAGE + 64);
    let columns = columns.clamp(1, 100);
    let rows = mistakes.len().div_ceil(columns as usize).max(1) as i32;
    let size = ((columns as i32 * CELL.0 + 28) as u32, (rows * CELL.1 + 64) as u32);
    draw(path, size, |root| {
        let middle = Pos::new(HPos::Center, VPos::Top);
        root.draw(&Text::new(title, (size.0 as i32 / 2, 16), text(22, INK).pos(middle)))?;
        for (index, mistake) in mistakes.iter().enumerate() {
            let (column, row) = (index as i32 % columns as i32, index as i32 / columns as i32);
            let (left, top) = (28 + column * CELL.0, 58 + row * CELL.1);
            for (y, line) in mistake.image.iter().enumerate() {
                // Adjacent pixels of the same shade become one rectangle, which keeps the file small.
                let (y, mut x) = (top + y as i32 * PIXEL, left);
                for stretch in line.chunk_by(|a, b| shade(a[0]) == shade(b[0])) {
                    let end = x + stretch.len() as i32 * PIXEL;
                    let grey = shade(stretch[0][0]);
                    if grey < 255 {
                        root.draw(&Rectangle::new([(x, y), (end, y + PIXEL)], RGBColor(grey, grey, grey).filled()))?;
                    }
                    x = end;
                }
            }
            root.draw(&Rectangle::new([(left, top), (left + IMAGE, top + IMAGE)], GRID.stroke_width(1)))?;
            let x = left + IMAGE / 2;
            let verdict = format!("{}, read as {}", mistake.label, mistake.predicted);
            root.draw(&Text::new(verdict, (x, top + IMAGE + 6), text(16, INK).pos(middle)))?;
            let sure = format!("{:.1}% sure", mistake.probability * 100.0);
            root.draw(&Text::new(sure, (x, top + IMAGE + 26), text(14, ORANGE).pos(middle)))?;
        }
        Ok(())
    })
}

/// The grey level of a pixel on white paper, in 16 steps.
fn shade(ink: f32) -> u8 {
    255 - (ink.clamp(0.0, 1.0) * 15.0).round() as u8 * 17
}

/// The confusion matrix: how often each digit was read as each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    /// `counts[label][predicted]`.
    pub counts: [[usize; 10]; 10],
}

impl Confusion {
    /// Counts one answer; anything that is not a digit is ignored.
    pub fn add(&mut self, label: usize, predicted: usize) {
        if let Some(count) = self.counts.get_mut(label).and_then(|row| row.get_mut(predicted)) {
            *count += 1;
        }
    }

    /// The number of answers counted.
    pub fn total(&self) -> usize {
        self.counts.as_flattened().iter().sum()
    }

    /// The number of correct answers.
    pub fn correct(&self) -> usize {
        (0..10).map(|digit| self.counts[digit][digit]).sum()
    }

    /// The share of correct answers, 0 if none were counted.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.total().max(1) as f64
    }
}

impl fmt::Display for Confusion {
    /// A table: a row for each digit shown, a column for each digit read. `recall` is the correct
    /// share of a row, `precision` that of a column.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.counts.as_flattened().iter().max().map_or(0, |count| count.to_string().len());
        let width = widest.max(6) + 1;
        let share = |part: usize, whole: usize| match whole {
            0 => "-".to_string(),
            _ => format!("{:.1}%", part as f64 * 100.0 / whole as f64),
        };
        write!(f, "{:<10}", "true\\read")?;
        (0..10).try_for_each(|digit| write!(f, "{digit:>width$}"))?;
        writeln!(f, "{:>9}", "recall")?;
        for (digit, row) in self.counts.iter().enumerate() {
            write!(f, "{digit:<10}")?;
            for count in row {
                match count {
                    0 => write!(f, "{:>width$}", ".")?,
                    _ => write!(f, "{count:>width$}")?,
                }
            }
            writeln!(f, "{:>9}", share(row[digit], row.iter().sum()))?;
        }
        write!(f, "{:<10}", "precision")?;
        for digit in 0..10 {
            let column = self.counts.iter().map(|row| row[digit]).sum();
            write!(f, "{:>width$}", share(self.counts[digit][digit], column))?;
        }
        write!(f, "{:>9}", share(self.correct(), self.total()))
    }
}

/// Draws on white and writes the file; creates its folder if necessary.
fn draw(path: &Path, size: (u32, u32), body: impl FnOnce(&Panel<'_>) -> Result) -> Result {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        body(&root)?;
        root.present()?;
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, svg)?;
    Ok(())
}

fn text(size: i32, color: RGBColor) -> TextStyle<'static> {
    (FONT, size).into_font().color(&color)
}

fn frame<'a, 'b>(panel: &'a Panel<'b>, caption: &str) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut chart = ChartBuilder::on(panel);
    chart.caption(caption, text(18, INK)).margin(14).x_label_area_size(46).y_label_area_size(72);
    chart
}

type Chart<'a, 'b, X, Y> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, Y>>;

fn mesh<'b, X, Y>(
    chart: &mut Chart<'_, 'b, X, Y>,
    x: &str,
    y: &str,
    x_label: &dyn Fn(&f64) -> String,
    y_label: &dyn Fn(&f64) -> String,
) -> Result
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_labels(8)
        .y_labels(8)
        .x_label_formatter(x_label)
        .y_label_formatter(y_label)
        .label_style(text(14, INK))
        .axis_desc_style(text(15, INK))
        .axis_style(INK.mix(0.6))
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .draw()?;
    Ok(())
}

fn legend<'b, X, Y>(chart: &mut Chart<'b, 'b, X, Y>, position: SeriesLabelPosition) -> Result
where
    X: Ranged<ValueType = f64>,
    Y: Ranged<ValueType = f64>,
{
    chart
        .configure_series_labels()
        .position(position)
        .margin(12)
        .legend_area_size(30)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font(text(14, INK))
        .draw()?;
    Ok(())
}

/// A number without trailing zeros.
fn short(x: f64) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(text, "{x:.3}");
    if x != 0.0 && x.abs() < 0.01 {
        return format!("{x:.0e}");
    }
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    text
}

/// The mean of up to `width` values ending at each point.
fn running_mean(points: &[(f64, f64)], width: usize) -> Vec<(f64, f64)> {
    let mean = |end: usize| {
        let window = &points[(end + 1).saturating_sub(width)..=end];
        window.iter().map(|(_, y)| y).sum::<f64>() / window.len() as f64
    };
    let means = points.iter().enumerate().map(|(end, (x, _))| (*x, mean(end)));
    means.filter(|(_, y)| *y > 0.0 && y.is_finite()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confusion_table() {
        let mut confusion = Confusion::default();
        for digit in 0..10 {
            (0..100 * digit).for_each(|_| confusion.add(digit, digit));
        }
        (0..100).for_each(|_| confusion.add(9, 4));
        confusion.add(12, 3);
        assert_eq!((confusion.total(), confusion.correct()), (4600, 4500));
        let table = confusion.to_string();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 12);
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{table}");
        assert!(lines[10].starts_with("9") && lines[10].contains(" 100 ") && lines[10].ends_with(" 90.0%"), "{table}");
        assert!(lines[11].contains(" 80.0% ") && lines[11].ends_with(" 97.8%"), "{table}");
        assert!(lines[1].ends_with(" -"), "{table}");
    }

    #[test]
    fn pictures_of_nothing_are_drawn_too() {
        let folder = std::env::temp_dir().join(format!("monomorph-plots-{}", std::process::id()));
        let strange = [(0.0, f64::NAN), (0.5, 0.0), (1.0, f64::INFINITY)];
        learning_curves(&folder.join("none.svg"), "Nothing", &[], &[]).unwrap();
        learning_curves(&folder.join("strange.svg"), "Strange", &strange, &[(1.0, 1.0)]).unwrap();
        contact_sheet(&folder.join("sheet.svg"), "No mistakes", &[], 8).unwrap();
        assert!(fs::read_to_string(folder.join("sheet.svg")).unwrap().contains("No mistakes"));
        fs::remove_dir_all(folder).unwrap();
    }
}
