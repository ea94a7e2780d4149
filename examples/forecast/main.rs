//! Forecasts a chaotic series: better than saying that nothing changes, and than a linear forecast.
//!
//! ```text
//! cargo run --release --example forecast
//! ```
//!
//! Expected output (the times are of one core of an AMD EPYC, Zen 4):
//!
//! ```text
//! 5000 values to learn from, 2000 others to forecast, 12 steps ahead
//! the last value                          error 1.410
//! linear            25 parameters    0.1 s  error 0.517
//! convolutions    1921 parameters    1.3 s  error 0.032
//! GRU             1969 parameters    2.2 s  error 0.023
//! plot: target/forecast.svg
//! ```
//!
//! The series is that of Mackey and Glass, *Oscillation and chaos in physiological control systems* (1977):
//! `dx/dt = 0.2·x(t − 17)/(1 + x(t − 17)¹⁰) − 0.1·x(t)`, a value each unit of time, measured with an error of 1 %. Errors
//! are root mean squares, relative to the standard deviation of the series: 1 is no better than its mean. The linear
//! forecast reads 24 values.

mod plot;

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use monomorph::init::Init;
use monomorph::memory;
use monomorph::network::Trainable;
use monomorph::optim::Schedule;
use monomorph::prelude::*;
use monomorph::{Streaming, streaming};

/// How far ahead.
const AHEAD: usize = 12;
/// The values of a window to learn from.
const WINDOW: usize = 128;
/// How many of them stand before the first forecast that counts.
const PAST: usize = 24;
const BATCH: usize = 16;
const LEARN: usize = 5000;
const TEST: usize = 2000;

network! { #[streaming] pub Linear: [128, 1] -> [128, 1] { Conv1d(1, kernel = 24, padding = causal) } }
network! {
    #[streaming]
    pub Convolutions: [128, 1] -> [128, 1] {
        Conv1d(16, kernel = 3, padding = causal), Tanh,
        for d in [2, 4] { residual { Conv1d(16, kernel = 3, dilation = d, padding = causal), Tanh } },
        Conv1d(16, kernel = 1), Relu, Dense(1),
    }
}
network! { #[streaming] pub Recurrent: [128, 1] -> [128, 1] { Gru(24), Dense(1) } }

/// Learns to forecast a chaotic series.
#[derive(Parser)]
struct Options {
    /// How many batches each network learns from.
    #[arg(long, default_value_t = 4000)]
    steps: u32,
    /// The seed of the weights, the error of the measurement and the batches.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to draw the forecasts.
    #[arg(long, default_value = "target/forecast.svg")]
    plot: PathBuf,
}

/// The series, with a mean of 0 and a deviation of 1, as it is and as it is measured.
fn series(noise: &mut Noise) -> (Vec<f32>, Vec<f32>) {
    const DELAY: f64 = 17.0;
    // Steps of the classical Runge-Kutta method in a unit of time; the delayed value between two is the mean.
    const FINE: usize = 10;
    const SKIP: usize = 500;
    let (delay, h) = (DELAY as usize * FINE, 1.0 / FINE as f64);
    let mut fine = vec![1.2_f64; delay + 1];
    let slope = |x: f64, delayed: f64| 0.2 * delayed / (1.0 + delayed.powi(10)) - 0.1 * x;
    for now in delay..delay + (SKIP + LEARN + TEST + AHEAD) * FINE {
        let (x, before, after) = (fine[now], fine[now - delay], fine[now - delay + 1]);
        let middle = (before + after) / 2.0;
        let a = slope(x, before);
        let b = slope(x + h / 2.0 * a, middle);
        let c = slope(x + h / 2.0 * b, middle);
        let d = slope(x + h * c, after);
        fine.push(x + h / 6.0 * (a + 2.0 * b + 2.0 * c + d));
    }
    let values: Vec<f64> = fine[delay..].iter().step_by(FINE).skip(SKIP).copied().collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let deviation = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
    let exact: Vec<f32> = values.iter().map(|x| ((x - mean) / deviation) as f32).collect();
    let measured = exact.iter().map(|x| x + 0.01 * noise.normal() as f32).collect();
    (exact, measured)
}

/// The root mean square of the differences between forecasts and what came.
fn error(forecasts: &[f32], exact: &[f32]) -> f64 {
    let squares = forecasts.iter().zip(&exact[AHEAD..]).map(|(guess, x)| f64::from(guess - x).powi(2));
    (squares.sum::<f64>() / forecasts.len() as f64).sqrt()
}

/// Trains a network on windows; then gives it the values that it has not seen, one by one, and returns its forecasts.
fn learn<N>(name: &str, options: &Options, measured: &[f32], exact: &[f32]) -> Result<Vec<f32>, Box<dyn Error>>
where
    N: Trainable
        + Network<Scalar = f32, Input = [[f32; 1]; WINDOW], Output = [[f32; 1]; WINDOW]>
        + Streaming<StepInput = [f32; 1], StepOutput = [f32; 1]>,
{
    let bar = ProgressBar::new(options.steps.into())
        .with_style(ProgressStyle::with_template("{msg:14} {bar:30} {pos}/{len}, {eta} to go")?)
        .with_message(name.to_owned());
    let (mut net, mut noise) = (memory::boxed::<N>(), Noise::new(options.seed));
    net.initialize(Init::default(), &mut noise);
    let schedule = Schedule::Cosine { warmup: 100, total: options.steps.into(), floor: 0.01 };
    let optimizer = Adam { learning_rate: 3e-3, ..Adam::default() };
    let mut trainer = Trainer::<N, _, BATCH>::new(optimizer, Mse).schedule(schedule).clip(1.0);
    let (mut x, mut y) = ([[[0.0; 1]; WINDOW]; BATCH], [[[0.0; 1]; WINDOW]; BATCH]);
    let start = Instant::now();
    for _ in bar.wrap_iter(0..options.steps) {
        for (x, y) in x.iter_mut().zip(&mut y) {
            let at = (noise.uniform() * (LEARN - WINDOW - AHEAD) as f64) as usize;
            *x = std::array::from_fn(|step| [measured[at + step]]);
            *y = std::array::from_fn(|step| [measured[at + step + AHEAD]]);
        }
        trainer.step(&mut net, &x, &y)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let (mut state, mut forecasts) = (memory::boxed(), Vec::new());
    net.start(&mut state);
    for x in &measured[LEARN - PAST..LEARN + TEST] {
        forecasts.push(streaming::step(&*net, &mut state, &[*x])[0]);
    }
    let forecasts = forecasts.split_off(PAST);
    let error = error(&forecasts, &exact[LEARN..]);
    println!("{name:<14} {:>5} parameters  {seconds:>5.1} s  error {error:.3}", N::COUNT);
    Ok(forecasts)
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let (exact, measured) = series(&mut Noise::new(options.seed));
    println!("{LEARN} values to learn from, {TEST} others to forecast, {AHEAD} steps ahead");
    println!("{:<39} error {:.3}", "the last value", error(&measured[LEARN..LEARN + TEST], &exact[LEARN..]));
    let linear = learn::<Linear>("linear", &options, &measured, &exact)?;
    let convolutions = learn::<Convolutions>("convolutions", &options, &measured, &exact)?;
    let recurrent = learn::<Recurrent>("GRU", &options, &measured, &exact)?;
    plot::forecasts(
        &options.plot,
        &exact[LEARN + AHEAD..],
        &[("linear", &linear), ("convolutions", &convolutions), ("GRU", &recurrent)],
    )?;
    println!("plot: {}", options.plot.display());
    Ok(())
}
