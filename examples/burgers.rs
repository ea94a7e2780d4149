//! Burgers' equation by a network that is told the equation and nothing of its solution: `u_t + u u_x = (0.01/π) u_xx`
//! with `u(x, 0) = −sin πx` and `u(±1, t) = 0`, which steepens until it is a front at `x = 0`.
//!
//! ```text
//! cargo run --release --example burgers
//! cargo run --release --example burgers -- --method lbfgs      # Adam, then L-BFGS
//! cargo run --release --example burgers -- --quick             # seconds, for CI
//! ```
//!
//! The conditions are built in: `u = t (1 − x²) n(x, t) − sin πx`, where `n` is the network (I. Lagaris, A. Likas and
//! D. Fotiadis, *Artificial neural networks for solving ordinary and partial differential equations*, 1998). Training
//! begins with ten times the viscosity, which falls to the real one in the first part of the steps. The points where the
//! equation is to hold are drawn again now and then, half of them where the residual is large.
//!
//! Output, after 35 seconds on one core (means over seeds 1, 2 and 3: 1.7e-4, each between 0.8e-4 and 2.5e-4; M. Raissi,
//! P. Perdikaris and G. Karniadakis, *Physics-informed neural networks*, 2019, report 6.7e-4):
//!
//! ```text
//! relative L2 error: 1.9e-4
//! ```
//!
//! The picture is `burgers.svg` in `--out`.

#[path = "support/burgers.rs"]
mod exact;

use std::cell::Cell;
use std::error::Error;
use std::f64::consts::PI;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Parser, ValueEnum};
use monomorph::optim::{Lbfgs, Optimizer};
use monomorph::prelude::*;
use monomorph::train::{Field, Physics, Term, TrainError};
use monomorph::{Dual, Jet};
use plotters::prelude::*;

use exact::{VISCOSITY, solution};

network! { pub Net<T>: [2] -> [1] { Dense(16), Tanh, Dense(16), Tanh, Dense(16), Tanh, Dense(1) } }

type Real = Net<f64>;
type Jets = Net<Jet<f64, 2>>;

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Method {
    /// Levenberg–Marquardt.
    Lm,
    /// Adam, then L-BFGS.
    Lbfgs,
}

/// Solves Burgers' equation.
#[derive(Parser)]
struct Options {
    /// How to train.
    #[arg(long, value_enum, default_value = "lm")]
    method: Method,
    /// How many steps; by default 300 of Levenberg–Marquardt, or 2,000 of Adam and 10,000 of L-BFGS.
    #[arg(long)]
    steps: Option<u64>,
    /// The number of points; by default 2,000.
    #[arg(long)]
    points: Option<usize>,
    /// The random seed; the same seed gives the same network.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A few steps with few points.
    #[arg(long)]
    quick: bool,
    /// The folder for the picture.
    #[arg(long, default_value = "out/burgers")]
    out: PathBuf,
}

/// The function that fulfils the conditions, whatever the network `n` is, with its derivatives.
fn function([x, t]: [f64; 2], n: &Field<f64, 2>) -> Field<f64, 2> {
    let (sine, cosine) = (PI * x).sin_cos();
    let (b, b_x, b_t) = (t * (1.0 - x * x), -2.0 * t * x, 1.0 - x * x);
    Field {
        value: b * n.value - sine,
        slopes: [b * n.slopes[0] + b_x * n.value - PI * cosine, b * n.slopes[1] + b_t * n.value],
        second: b * n.second + 2.0 * b_x * n.slopes[0] - 2.0 * t * n.value + PI * PI * sine,
    }
}

/// `u_t + u u_x − ν u_xx`.
fn residual(viscosity: f64, at: [f64; 2], n: &Field<f64, 2>) -> Dual<f64> {
    let u = function(at, n);
    u.slopes[1] + u.value * u.slopes[0] - viscosity * u.second
}

fn value(net: &Real, [x, t]: [f64; 2]) -> f64 {
    t * (1.0 - x * x) * net.evaluate(&[x, t])[0] - (PI * x).sin()
}

fn random(count: usize, noise: &mut Noise) -> Vec<[f64; 2]> {
    (0..count).map(|_| [2.0 * noise.uniform() - 1.0, noise.uniform()]).collect()
}

/// Half of the points anywhere, half in proportion to the residual: C. Wu et al., *A comprehensive study of non-adaptive
/// and residual-based adaptive sampling for physics-informed neural networks* (2023).
fn draw(count: usize, viscosity: f64, net: &Real, noise: &mut Noise) -> Result<Vec<[f64; 2]>, TrainError> {
    let candidates = random(5 * count, noise);
    let residuals = vec![Cell::new(0.0); candidates.len()];
    let keep = |n: usize, [u]: &[Field<f64, 2>; 1]| {
        let r = residual(viscosity, candidates[n], u);
        residuals[n].set(r.value.abs());
        r
    };
    let mut physics = Physics::<Real, Jets, _>::new(Sgd::default(), [1.0, 0.0]);
    physics.differentiate(net, &[Term { points: &candidates, weight: 1.0, residual: &keep }])?;
    let mean = residuals.iter().map(Cell::get).sum::<f64>() / residuals.len() as f64;
    let (mut sum, mut next) = (0.0, noise.uniform());
    let mut points = Vec::with_capacity(count);
    for (point, residual) in candidates.iter().zip(&residuals) {
        sum += 0.1 * (1.0 + residual.get() / mean);
        if sum > next {
            points.push(*point);
            next += 1.0;
        }
    }
    Ok(points)
}

/// Trains for this many steps; the viscosity falls to the real one in the part `ramp` of them.
fn train<O: Optimizer<f64>>(
    net: &mut Real,
    optimizer: O,
    (steps, ramp, every): (u64, f64, u64),
    count: usize,
    noise: &mut Noise,
    begin: Instant,
) -> Result<(), TrainError> {
    let mut physics = Physics::<Real, Jets, O>::new(optimizer, [1.0, 0.0]);
    let (mut points, mut refused) = (Vec::new(), 0);
    for step in 0..steps {
        let left = 1.0 - step as f64 / (ramp * steps as f64);
        let viscosity = VISCOSITY * 10_f64.powf(left.max(0.0));
        // The last points stay.
        if (step % every == 0 && (step < steps - steps / 6 || step == 0)) || refused > 0 {
            points = draw(count, viscosity, net, noise)?;
        }
        let equation = |n: usize, [u]: &[Field<f64, 2>; 1]| residual(viscosity, points[n], u);
        match physics.step(net, &[Term { points: &points, weight: 1.0, residual: &equation }]) {
            Ok(done) => {
                refused = 0;
                if (step + 1) % (steps / 10).max(1) == 0 {
                    let seconds = begin.elapsed().as_secs_f64();
                    let (step, error) = (step + 1, error(net));
                    println!(
                        "{seconds:5.1} s  step {step:5}  ν {viscosity:.4}  loss {:.1e}  error {error:.1e}",
                        done.loss
                    );
                }
            }
            // At a minimum for these points, others are drawn.
            Err(TrainError::Refused(_)) if refused < 10 => refused += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// `‖u − exact‖ / ‖exact‖` on a grid of 256 × 100 points, or of fewer.
fn error(net: &Real) -> f64 {
    let (mut off, mut all) = (0.0, 0.0);
    GRID.with(|grid| {
        for (at, exact) in grid {
            off += (value(net, *at) - exact).powi(2);
            all += exact.powi(2);
        }
    });
    (off / all).sqrt()
}

thread_local! {
    static GRID: Vec<([f64; 2], f64)> = (0..25_600)
        .map(|n| [2.0 * f64::from(n % 256) / 255.0 - 1.0, f64::from(n / 256) / 100.0])
        .map(|at| (at, solution(at)))
        .collect();
}

/// The function as colors, and at three times beside the exact one.
fn plot(path: &Path, net: &Real) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (960, 400)).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(480);
    let mut map = ChartBuilder::on(&left)
        .caption("u(x, t)", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..1.0, -1.0..1.0)?;
    map.configure_mesh().disable_mesh().x_desc("t").y_desc("x").draw()?;
    let (columns, rows) = (50, 80);
    map.draw_series((0..columns * rows).map(|n| {
        let [t, x] =
            [f64::from(n % columns) / f64::from(columns), 2.0 * f64::from(n / columns) / f64::from(rows) - 1.0];
        let (width, height) = (1.0 / f64::from(columns), 2.0 / f64::from(rows));
        let u = value(net, [x + height / 2.0, t + width / 2.0]).clamp(-1.0, 1.0);
        // From blue over white to orange.
        let fade = |color: u8| (255.0 - u.abs() * (255.0 - f64::from(color))) as u8;
        let color = if u < 0.0 { [0, 114, 178] } else { [213, 94, 0] }.map(fade);
        Rectangle::new([(t, x), (t + width, x + height)], RGBColor(color[0], color[1], color[2]).filled())
    }))?;
    let mut cuts = ChartBuilder::on(&right)
        .caption("network (lines), exact (dots)", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(-1.0..1.0, -1.1..1.1)?;
    cuts.configure_mesh().x_desc("x").y_desc("u").light_line_style(WHITE).draw()?;
    let colors = [RGBColor(0, 114, 178), RGBColor(0, 158, 115), RGBColor(213, 94, 0)];
    for (t, color) in [0.25, 0.5, 0.75].into_iter().zip(colors) {
        let at = |n: i32, of: i32| [2.0 * f64::from(n) / f64::from(of) - 1.0, t];
        cuts.draw_series(LineSeries::new(
            (0..=400).map(|n| (at(n, 400)[0], value(net, at(n, 400)))),
            color.stroke_width(2),
        ))?
        .label(format!("t = {t}"))
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
        cuts.draw_series((0..=40).map(|n| Circle::new((at(n, 40)[0], solution(at(n, 40))), 3, color)))?;
    }
    cuts.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    fs::create_dir_all(&options.out)?;
    let mut noise = Noise::new(options.seed);
    let mut net = Real::zeroed();
    net.initialize(Init::default(), &mut noise);
    let begin = Instant::now();
    match options.method {
        Method::Lm => {
            let steps = options.steps.unwrap_or(if options.quick { 40 } else { 300 });
            let count = options.points.unwrap_or(if options.quick { 300 } else { 2000 });
            let method = LevenbergMarquardt::<{ Real::COUNT }>::default();
            train(&mut net, method, (steps, 0.3, 20), count, &mut noise, begin)?;
        }
        Method::Lbfgs => {
            let (first, steps) = if options.quick { (50, 50) } else { (2000, options.steps.unwrap_or(10_000)) };
            let count = options.points.unwrap_or(2000);
            let adam = Adam { learning_rate: 5e-3, ..Adam::default() };
            train(&mut net, adam, (first, 0.8, 200), count, &mut noise, begin)?;
            train(&mut net, Lbfgs::<100>::default(), (steps, 1e-9, 500), count, &mut noise, begin)?;
        }
    }
    println!("trained in {:.0} s", begin.elapsed().as_secs_f64());
    let picture = options.out.join("burgers.svg");
    plot(&picture, &net)?;
    println!("wrote {}", picture.display());
    println!("relative L2 error: {:.1e}", error(&net));
    Ok(())
}
