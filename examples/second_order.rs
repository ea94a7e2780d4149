//! Seconds to the same loss: methods of the second order beside Adam and L-BFGS.
//!
//! ```text
//! cargo run --release --example second_order
//! cargo run --release --example second_order -- --quick
//! ```
//!
//! On one core of an AMD EPYC (Zen 4), with `--limit 3`, while another program was running:
//!
//! ```text
//! curve, to a loss of 1e-10
//! method                       reached      seconds    steps  Adam ÷ this
//! Adam                          0 of 3    >  3.0000   510567          1.0
//! L-BFGS                        3 of 3       0.1124     5422         26.7
//! Newton-CG, Hessian            3 of 3       0.6484     1450          4.6
//! Newton-CG, Gauss-Newton       2 of 3       2.1857     3377          1.4
//! trust region, Hessian         3 of 3       0.1518      893         19.8
//! trust region, Gauss-Newton    3 of 3       0.1437      715         20.9
//! natural gradient, drawn       2 of 3       1.7482    12669          1.7
//! Levenberg-Marquardt, QR       3 of 3       0.0376      261         79.8
//!
//! autoencoder, to a loss of 2e-5
//! method                       reached      seconds    steps  Adam ÷ this
//! Adam                          3 of 3       0.6164    25431          1.0
//! L-BFGS                        3 of 3       0.3436     8329          1.8
//! Newton-CG, Gauss-Newton       3 of 3       0.3780      118          1.6
//! trust region, Hessian         3 of 3       0.5790      189          1.1
//! trust region, Gauss-Newton    3 of 3       0.4634      127          1.3
//! K-FAC                         3 of 3       0.1711      349          3.6
//! ```
//!
//! Where Adam does not arrive, the last column is the least that the ratio can be.
//!
//! The first problem is a curve, fitted by a network of 1-10-1 to a mean square of 1e-10. The second is an autoencoder with
//! two numbers in its middle, on images of a spot that moves: its loss is a narrow valley. All methods see all samples at
//! each step. Adam has the best of three learning rates. Each is given the same seconds at most; what it does not reach
//! by then is marked with `>`. Times are medians over seeds; plots of the first seed are in `--out`.

#[path = "support/curves.rs"]
mod curves;

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use monomorph::Dual;
use monomorph::memory::boxed;
use monomorph::network::Trainable;
use monomorph::prelude::*;
use monomorph::train::{SecondOrder, TrainError};

network! { pub Curve<T>: [1] -> [1] { Dense(10), Tanh, Dense(1) } }
network! { pub Spots<T>: [16] -> [16] { Dense(12), Tanh, Dense(2), Dense(12), Tanh, Dense(16) } }

/// Compares methods of the second order.
#[derive(Parser)]
struct Options {
    /// The most seconds of a run.
    #[arg(long, default_value_t = 2.0)]
    limit: f64,
    /// How many seeds, from 1 on.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// One seed and a tenth of a second, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// Where the plots go.
    #[arg(long, default_value = "target")]
    out: PathBuf,
}

/// How a training went: the seconds and the loss after some of its steps.
#[derive(Default)]
struct Run {
    steps: u32,
    points: Vec<(f64, f64)>,
}

impl Run {
    fn seconds(&self) -> f64 {
        self.points.last().map_or(f64::INFINITY, |point| point.0)
    }

    fn loss(&self) -> f64 {
        self.points.last().map_or(f64::INFINITY, |point| point.1)
    }
}

/// Trains until the loss is reached, the time is over, or nothing makes the loss smaller.
fn train<N: Trainable + Network<Scalar = f64>>(
    seed: u64,
    (target, limit): (f64, f64),
    mut step: impl FnMut(&mut N) -> Result<f64, TrainError>,
) -> Result<Run, TrainError> {
    let mut net = boxed::<N>();
    net.initialize(Init::default(), &mut Noise::new(seed));
    let (mut run, start) = (Run::default(), Instant::now());
    loop {
        let loss = match step(&mut net) {
            Ok(loss) => loss,
            Err(TrainError::Refused(OptimizerError::NoDecrease { .. })) => return Ok(run),
            Err(error) => return Err(error),
        };
        let seconds = start.elapsed().as_secs_f64();
        run.steps += 1;
        let is_over = loss <= target || seconds >= limit;
        // As many points as a curve needs.
        if is_over || run.points.last().is_none_or(|last| seconds > 1.02 * last.0) {
            run.points.push((seconds, loss));
        }
        if is_over {
            return Ok(run);
        }
    }
}

/// A training with a seed, to a loss or for some seconds.
type Training<'a> = dyn FnMut(u64, (f64, f64)) -> Result<Run, TrainError> + 'a;

/// Prints the table of a problem and draws its plot; `methods` are names, and what trains with a seed.
fn compare(
    options: &Options,
    (name, target): (&str, f64),
    methods: &mut [(&str, &mut Training<'_>)],
) -> Result<(), Box<dyn Error>> {
    let (seeds, limit) = if options.quick { (1, 0.1) } else { (options.seeds, options.limit) };
    println!("{name}, to a loss of {target:e}");
    println!("{:<28} {:>7} {:>13} {:>8} {:>12} {:>9}", "method", "reached", "seconds", "steps", "Adam ÷ this", "loss");
    let (mut plotted, mut adam) = (vec![], 0.0);
    for (method, train) in methods {
        let mut runs = (1..=seeds).map(|seed| train(seed, (target, limit))).collect::<Result<Vec<_>, _>>()?;
        let log = |(seconds, loss): &(f64, f64)| (seconds.max(1e-6).log10(), loss.max(1e-16).log10());
        plotted.push((*method, runs[0].points.iter().map(log).collect::<Vec<_>>()));
        let reached = runs.iter().filter(|run| run.loss() <= target).count();
        // What was not reached took longer than all else.
        let time = |run: &Run| if run.loss() <= target { run.seconds() } else { limit };
        runs.sort_by(|a, b| time(a).total_cmp(&time(b)));
        let median = &runs[runs.len() / 2];
        let seconds = time(median);
        if *method == "Adam" {
            adam = seconds;
        }
        let mark = if median.loss() <= target { ' ' } else { '>' };
        println!(
            "{method:<28} {reached:>2} of {seeds} {mark:>4}{seconds:>9.4} {:>8} {:>12.1} {:>9.1e}",
            median.steps,
            adam / seconds,
            median.loss()
        );
    }
    println!();
    let path = options.out.join(format!("second_order_{}.svg", name.replace(' ', "_")));
    let labels = ["seconds, power of ten", "loss, power of ten"];
    curves::draw(&path, &format!("{name}: loss against seconds"), labels, &plotted)
}

/// A method that needs no second derivatives.
macro_rules! first {
    ($Net:ty, $samples:expr, $optimizer:expr) => {
        &mut |seed, bounds| {
            let (x, y) = $samples;
            let mut trainer = Trainer::<$Net, _, { SAMPLES }>::new($optimizer, Mse);
            train::<$Net>(seed, bounds, |net| Ok(trainer.step(net, x, y)?.loss))
        }
    };
}

/// A method that does.
macro_rules! second {
    ($Net:ty, $Dual:ty, $samples:expr, $optimizer:expr) => {
        &mut |seed, bounds| {
            let (x, y) = $samples;
            let mut trainer = SecondOrder::<$Net, $Dual, _, { SAMPLES }>::new($optimizer, Mse).seed(seed);
            train::<$Net>(seed, bounds, |net| Ok(trainer.step(net, x, y)?.loss))
        }
    };
}

/// Adam with the learning rate that is fastest.
fn best(
    seed: u64,
    bounds: (f64, f64),
    mut train: impl FnMut(f64, u64, (f64, f64)) -> Result<Run, TrainError>,
) -> Result<Run, TrainError> {
    let mut best = Run::default();
    for rate in [1e-2, 3e-3, 1e-3] {
        let run = train(rate, seed, bounds)?;
        let reached = run.loss() <= bounds.0;
        if (reached && run.seconds() < best.seconds()) || (!reached && run.loss() < best.loss()) {
            best = run;
        }
    }
    Ok(best)
}

const SAMPLES: usize = 100;

fn curve(options: &Options) -> Result<(), Box<dyn Error>> {
    let x: [[f64; 1]; SAMPLES] = std::array::from_fn(|n| [n as f64 / 50.0 - 1.0]);
    let y = x.map(|[x]| [(3.0 * x).sin() * (-x).exp()]);
    let samples = (&x, &y);
    type Net = Curve<f64>;
    type Exact = Curve<Dual<f64>>;
    let newton = |matrix| NewtonCg { matrix, ..NewtonCg::default() };
    let region = |matrix| TrustRegion { matrix, ..TrustRegion::default() };
    compare(
        options,
        ("curve", 1e-10),
        &mut [
            ("Adam", &mut |seed, bounds| {
                best(seed, bounds, |learning_rate, seed, bounds| {
                    let mut trainer = Trainer::<Net, _, SAMPLES>::new(Adam { learning_rate, ..Adam::default() }, Mse);
                    train::<Net>(seed, bounds, |net| Ok(trainer.step(net, &x, &y)?.loss))
                })
            }),
            ("L-BFGS", first!(Net, samples, Lbfgs::<20>::default())),
            ("Newton-CG, Hessian", second!(Net, Exact, samples, newton(Matrix::Hessian))),
            ("Newton-CG, Gauss-Newton", second!(Net, Exact, samples, newton(Matrix::GaussNewton))),
            ("trust region, Hessian", second!(Net, Exact, samples, region(Matrix::Hessian))),
            ("trust region, Gauss-Newton", second!(Net, Exact, samples, region(Matrix::GaussNewton))),
            ("natural gradient, drawn", second!(Net, Exact, samples, region(Matrix::Fisher))),
            ("Levenberg-Marquardt, QR", second!(Net, Exact, samples, LevenbergMarquardt::<{ Net::COUNT }>::default())),
        ],
    )
}

fn spots(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut noise = Noise::new(5);
    let mut x = boxed::<[[f64; 16]; SAMPLES]>();
    for image in x.iter_mut() {
        let (row, column) = (3.0 * noise.uniform(), 3.0 * noise.uniform());
        for (at, pixel) in image.iter_mut().enumerate() {
            let (down, across) = ((at / 4) as f64 - row, (at % 4) as f64 - column);
            *pixel = (-(down * down + across * across) / 3.0).exp();
        }
    }
    let samples = (&*x, &*x);
    type Net = Spots<f64>;
    type Exact = Spots<Dual<f64>>;
    let region = |matrix| TrustRegion { matrix, ..TrustRegion::default() };
    compare(
        options,
        ("autoencoder", 2e-5),
        &mut [
            ("Adam", &mut |seed, bounds| {
                best(seed, bounds, |learning_rate, seed, bounds| {
                    let mut trainer = Trainer::<Net, _, SAMPLES>::new(Adam { learning_rate, ..Adam::default() }, Mse);
                    train::<Net>(seed, bounds, |net| Ok(trainer.step(net, &x, &x)?.loss))
                })
            }),
            ("L-BFGS", first!(Net, samples, Lbfgs::<20>::default())),
            (
                "Newton-CG, Gauss-Newton",
                second!(Net, Exact, samples, NewtonCg { damping: 1e-6, ..NewtonCg::default() }),
            ),
            ("trust region, Hessian", second!(Net, Exact, samples, region(Matrix::Hessian))),
            ("trust region, Gauss-Newton", second!(Net, Exact, samples, region(Matrix::GaussNewton))),
            ("K-FAC", second!(Net, Exact, samples, Kfac::<{ kfac_numbers(Net::ENTRIES) }>::default())),
        ],
    )
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    curve(&options)?;
    spots(&options)
}
