//! What a network can learn of a filter: on a linear system as much as there is, on a nonlinear one more.
//!
//! ```text
//! cargo run --release --example kalman
//! ```
//!
//! A swing of two numbers, of which one is measured with noise. No one can estimate the state better than the Kalman
//! filter: its estimate is the minimal sufficient statistic of all measurements. An LSTM that only sees measurements
//! and states learns the same: its error comes close, and what it remembers is the filter's state, up to a matrix.
//!
//! A pendulum is not linear, and the extended filter is no longer the best. The learned filter keeps its equations,
//! but a small GRU says by how much a surprise moves the estimate (G. Revach et al., *KalmanNet: neural network aided
//! Kalman filtering for partially known dynamics*, 2022). In each round it runs over new measurements; then it learns
//! the gains that would have been best there, step by step, as Kalman's are. It is better where the extended filter
//! loses track of a swing, and so of all swings; in the median one, which stays small, the extended filter is ahead.
//!
//! After 20 seconds it prints (the times, and on other machines the last digits, differ):
//!
//! ```text
//! a linear system: root mean square errors of the state
//!   bound: no estimate has less     0.5000
//!   Kalman filter                   0.4995
//!   LSTM,  4546 parameters          0.4996  +0.0 %
//!   R² of the filter's state, from the LSTM's: 0.9997   9 s
//! a pendulum: root mean square errors of the angle, of all swings and of the median one
//!   extended filter                 0.2332  0.1267
//!   unscented filter                0.2143  0.1292
//!   learned filter, 3906 parameters 0.1753  0.1344  -24.8 % of all
//!   12 s; plot: target/kalman.svg
//! filter 0.4995, network 0.4996, bound 0.5000
//! ```
//!
//! The bound is the error that the filter expects; that of the measured sequences is below it by chance. The last line
//! is the linear system's. The plot is of the swing in which the extended filter was furthest off.

mod pendulum;
mod plot;

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use monomorph::filters::Gaussian;
use monomorph::memory;
use monomorph::network::evaluate;
use monomorph::optim::Schedule;
use monomorph::prelude::*;
use nalgebra::{Matrix1, Matrix2, RowVector2, SMatrix, SVector, Vector1, Vector2};

/// The length of a sequence.
pub const LENGTH: usize = 64;
/// Sequences of a step.
pub const BATCH: usize = 32;
/// The numbers that the LSTM hands on.
const MEMORY: usize = 32;

network! { pub Memory: [64, 1] -> [64, 32] { Lstm(32) } }
network! { pub Learned: [64, 1] -> [64, 2] { Lstm(32), Dense(2) } }

/// Compares filters with networks.
#[derive(Parser)]
pub struct Options {
    /// How many batches the LSTM learns from.
    #[arg(long, default_value_t = 8000)]
    steps: u32,
    /// How many batches the learned filter of the pendulum learns from.
    #[arg(long, default_value_t = 6000)]
    rounds: u32,
    /// How many sequences the errors are measured on.
    #[arg(long, default_value_t = 4000)]
    tests: usize,
    /// The seed of the weights and the noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to draw the pendulum.
    #[arg(long, default_value = "target/kalman.svg")]
    plot: PathBuf,
}

/// A measurement of each step, and the states.
type Sequence = ([[f32; 1]; LENGTH], [[f32; 2]; LENGTH]);

/// `x′ = F·x + w`, `z = H·x + v`: a swing with friction that is pushed at random.
struct Swing {
    f: Matrix2<f64>,
    q: Matrix2<f64>,
    h: RowVector2<f64>,
    r: Matrix1<f64>,
    /// What is known before the first measurement: the distribution in the long run.
    start: Gaussian<f64, 2>,
}

impl Swing {
    fn new() -> Self {
        let (sin, cos) = 0.3_f64.sin_cos();
        let f = Matrix2::new(cos, sin, -sin, cos) * 0.95;
        let q = Matrix2::new(0.02, 0.0, 0.0, 0.1);
        let mut start = Gaussian { mean: Vector2::zeros(), covariance: Matrix2::identity() };
        for _ in 0..1000 {
            start.predict(&f, &q);
        }
        Self { f, q, h: RowVector2::new(1.0, 0.0), r: Matrix1::new(0.5), start }
    }

    fn sequence(&self, noise: &mut Noise) -> Sequence {
        let mut normal = |covariance: &Matrix2<f64>| {
            let white = Vector2::new(noise.normal(), noise.normal());
            covariance.cholesky().map_or(white, |root| root.l() * white)
        };
        let (mut seen, mut states) = ([[0.0; 1]; LENGTH], [[0.0; 2]; LENGTH]);
        let mut x = normal(&self.start.covariance);
        for (seen, state) in seen.iter_mut().zip(&mut states) {
            x = self.f * x + normal(&self.q);
            let off = normal(&Matrix2::identity())[0] * self.r[0].sqrt();
            *seen = [((self.h * x)[0] + off) as f32];
            *state = [x[0] as f32, x[1] as f32];
        }
        (seen, states)
    }

    /// The filter's estimates, each with its covariance.
    fn filter(&self, seen: &[[f32; 1]; LENGTH]) -> Result<[Gaussian<f64, 2>; LENGTH], Box<dyn Error>> {
        let (mut track, mut estimates) = (self.start, [self.start; LENGTH]);
        for (seen, estimate) in seen.iter().zip(&mut estimates) {
            track.predict(&self.f, &self.q);
            track.update(&self.h, &Vector1::new(seen[0].into()), &self.r)?;
            *estimate = track;
        }
        Ok(estimates)
    }
}

/// A bar that shows how far learning is.
pub fn bar(name: &str, steps: u32) -> Result<ProgressBar, Box<dyn Error>> {
    let style = ProgressStyle::with_template("{msg:16} {bar:30} {pos}/{len}, {eta} to go")?;
    Ok(ProgressBar::new(steps.into()).with_style(style).with_message(name.to_owned()))
}

/// Falls from a hundredth to next to nothing.
pub fn schedule(steps: u32) -> (Adam, Schedule) {
    let schedule = Schedule::Cosine { warmup: 100, total: steps.into(), floor: 0.01 };
    (Adam { learning_rate: 5e-3, ..Adam::default() }, schedule)
}

fn learn(swing: &Swing, options: &Options) -> Result<Box<Learned>, Box<dyn Error>> {
    let (mut net, mut noise) = (memory::boxed::<Learned>(), Noise::new(options.seed));
    net.initialize(Init::default(), &mut noise);
    let (optimizer, schedule) = schedule(options.steps);
    let mut trainer = Trainer::<Learned, _, BATCH>::new(optimizer, Mse).schedule(schedule).clip(1.0);
    let (mut x, mut y) = ([[[0.0; 1]; LENGTH]; BATCH], [[[0.0; 2]; LENGTH]; BATCH]);
    for _ in bar("LSTM", options.steps)?.wrap_iter(0..options.steps) {
        for (x, y) in x.iter_mut().zip(&mut y) {
            (*x, *y) = swing.sequence(&mut noise);
        }
        trainer.step(&mut net, &x, &y)?;
    }
    Ok(net)
}

/// What of the filter's state is a linear function of the LSTM's: R² on other sequences than it was fitted to.
struct Linear {
    squares: SMatrix<f64, { MEMORY + 1 }, { MEMORY + 1 }>,
    products: SMatrix<f64, { MEMORY + 1 }, 2>,
}

impl Linear {
    fn with_one(memory: &[f32; MEMORY]) -> SVector<f64, { MEMORY + 1 }> {
        SVector::from_fn(|row, _| memory.get(row).map_or(1.0, |number| f64::from(*number)))
    }

    fn add(&mut self, memory: &[f32; MEMORY], state: &Vector2<f64>) {
        let memory = Self::with_one(memory);
        self.squares += memory * memory.transpose();
        self.products += memory * state.transpose();
    }

    fn solve(&self) -> Option<SMatrix<f64, { MEMORY + 1 }, 2>> {
        let small = SMatrix::identity() * (1e-9 * self.squares.trace());
        Some((self.squares + small).cholesky()?.solve(&self.products))
    }
}

/// The errors of filter and network and the bound, and R².
fn compare(swing: &Swing, net: &Learned, options: &Options) -> Result<[f64; 4], Box<dyn Error>> {
    let mut noise = Noise::new(options.seed + 1);
    let (mut filter, mut network, mut bound) = (0.0, 0.0, 0.0);
    let mut linear = Linear { squares: SMatrix::zeros(), products: SMatrix::zeros() };
    // What the LSTM hands on is the output of a network that ends with it.
    let mut remembers = memory::boxed::<Memory>();
    remembers.lstm1 = net.lstm1.clone();
    let (mut weights, mut unexplained, mut variance) = (SMatrix::zeros(), 0.0, 0.0);
    for test in 0..options.tests {
        if test == options.tests / 2 {
            weights = linear.solve().ok_or("what the LSTM remembers is not finite")?;
        }
        let (seen, states) = swing.sequence(&mut noise);
        let estimates = swing.filter(&seen)?;
        let (memory, guesses) = (evaluate(&*remembers, &seen), evaluate(net, &seen));
        for step in 0..LENGTH {
            let ([guess, state], estimate) = ([guesses[step], states[step]].map(vector), estimates[step]);
            filter += (estimate.mean - state).norm_squared();
            network += (guess - state).norm_squared();
            bound += estimate.covariance.trace();
            if test < options.tests / 2 {
                linear.add(&memory[step], &estimate.mean);
            } else {
                let by_memory = weights.transpose() * Linear::with_one(&memory[step]);
                unexplained += (by_memory - estimate.mean).norm_squared();
                // Its mean is 0.
                variance += estimate.mean.norm_squared();
            }
        }
    }
    let error = |sum: f64| (sum / (2 * options.tests * LENGTH) as f64).sqrt();
    Ok([error(filter), error(network), error(bound), 1.0 - unexplained / variance])
}

fn vector([x, y]: [f32; 2]) -> Vector2<f64> {
    Vector2::new(x.into(), y.into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (options, swing) = (Options::parse(), Swing::new());
    let start = Instant::now();
    let net = learn(&swing, &options)?;
    let [filter, network, bound, explained] = compare(&swing, &net, &options)?;
    println!("a linear system: root mean square errors of the state");
    println!("  bound: no estimate has less     {bound:.4}");
    println!("  Kalman filter                   {filter:.4}");
    println!(
        "  LSTM, {:>5} parameters          {network:.4}  {:+.1} %",
        Learned::COUNT,
        100.0 * (network / filter - 1.0)
    );
    println!("  R² of the filter's state, from the LSTM's: {explained:.4}   {:.0} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    pendulum::compare(&options)?;
    println!("  {:.0} s; plot: {}", start.elapsed().as_secs_f64(), options.plot.display());
    println!("filter {filter:.4}, network {network:.4}, bound {bound:.4}");
    Ok(())
}
