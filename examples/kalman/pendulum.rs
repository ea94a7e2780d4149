//! A pendulum, of which the sine of the angle is measured.

use std::array::from_fn;
use std::error::Error;

use monomorph::filters::{Gaussian, Spread};
use monomorph::prelude::*;
use monomorph::{Dual, memory, streaming};
use nalgebra::{Matrix1, Matrix2, Vector1, Vector2};

use super::{BATCH, LENGTH, Options, bar, plot, schedule};

/// Seconds between two measurements.
const STEP: f64 = 0.1;
/// Gravity over the length.
const PULL: f64 = 9.81;
/// The deviations of a push in a step, and of a measurement.
const PUSH: f64 = 0.3;
const OFF: f64 = 0.3;
/// The deviations of the first angle and speed.
const START: [f64; 2] = [1.0, 2.0];

network! { #[streaming] pub Gain: [64, 6] -> [64, 2] { Gru(32), Dense(2) } }
network! {
    /// By how much each surprise moves the estimate.
    pub Correction(seen: [64, 6], surprise: [64, 1]) -> [64, 2] {
        let gain = seen |> gain: Gain;
        multiply(gain, surprise)
    }
}

/// What the two models are written with.
trait Angle: Copy {
    fn sine(self) -> Self;
    fn plus(self, other: Self, factor: f64) -> Self;
}

impl Angle for f64 {
    fn sine(self) -> Self {
        self.sin()
    }
    fn plus(self, other: Self, factor: f64) -> Self {
        self + other * factor
    }
}

impl Angle for Dual<f64, 2> {
    fn sine(self) -> Self {
        self.sin()
    }
    fn plus(self, other: Self, factor: f64) -> Self {
        self + other * factor
    }
}

/// Ten small steps of the semi-implicit method of Euler.
fn moved<T: Angle>([mut angle, mut speed]: [T; 2]) -> [T; 2] {
    for _ in 0..10 {
        speed = speed.plus(angle.sine(), -PULL * STEP / 10.0);
        angle = angle.plus(speed, STEP / 10.0);
    }
    [angle, speed]
}

fn measured<T: Angle>([angle, _]: [T; 2]) -> [T; 1] {
    [angle.sine()]
}

type Sequence = ([f64; LENGTH], [[f64; 2]; LENGTH]);

fn sequence(noise: &mut Noise) -> Sequence {
    let (mut seen, mut states) = ([0.0; LENGTH], [[0.0; 2]; LENGTH]);
    let mut x = START.map(|deviation| deviation * noise.normal());
    for (seen, state) in seen.iter_mut().zip(&mut states) {
        x = moved(x);
        x[1] += PUSH * noise.normal();
        *state = x;
        *seen = measured(x)[0] + OFF * noise.normal();
    }
    (seen, states)
}

/// What the GRU sees, the surprises, the predictions and the estimates.
struct Run {
    seen: [[f32; 6]; LENGTH],
    surprise: [[f32; 1]; LENGTH],
    predicted: [[f64; 2]; LENGTH],
    estimates: [[f64; 2]; LENGTH],
}

fn run(net: &Correction, measurements: &[f64; LENGTH]) -> Run {
    let mut run = Run {
        seen: [[0.0; 6]; LENGTH],
        surprise: [[0.0; 1]; LENGTH],
        predicted: [[0.0; 2]; LENGTH],
        estimates: [[0.0; 2]; LENGTH],
    };
    let (mut state, mut x, mut last) = (memory::zeroed(), [0.0; 2], [0.0; 2]);
    net.gain.start(&mut state);
    for (step, z) in measurements.iter().enumerate() {
        x = moved(x);
        let surprise = z - measured(x)[0];
        let (sin, cos) = x[0].sin_cos();
        run.predicted[step] = x;
        run.surprise[step] = [surprise as f32];
        run.seen[step] = [surprise, sin, cos, x[1] / 3.0, last[0], last[1]].map(|number| number as f32);
        let gain = streaming::step(&net.gain, &mut state, &run.seen[step]);
        last = gain.map(|gain| f64::from(gain) * surprise);
        x = from_fn(|k| x[k] + last[k]);
        run.estimates[step] = x;
    }
    run
}

fn learn(options: &Options) -> Result<Box<Correction>, Box<dyn Error>> {
    let (mut net, mut noise) = (memory::boxed::<Correction>(), Noise::new(options.seed));
    net.initialize(Init::default(), &mut noise);
    let (optimizer, schedule) = schedule(options.rounds);
    let mut trainer = Trainer::<Correction, _, BATCH>::new(optimizer, Mse).schedule(schedule).clip(1.0);
    let mut inputs: Box<[CorrectionInput; BATCH]> = memory::boxed();
    let mut targets = [[[0.0; 2]; LENGTH]; BATCH];
    for _ in bar("learned filter", options.rounds)?.wrap_iter(0..options.rounds) {
        for (input, target) in inputs.iter_mut().zip(&mut targets) {
            let (seen, states) = sequence(&mut noise);
            let run = run(&net, &seen);
            (input.seen, input.surprise) = (run.seen, run.surprise);
            *target = from_fn(|step| from_fn(|k| (states[step][k] - run.predicted[step][k]) as f32));
        }
        trainer.step(&mut net, &inputs, &targets)?;
    }
    Ok(net)
}

/// A filter's angles and speeds.
fn filter(
    measurements: &[f64; LENGTH],
    mut step: impl FnMut(&mut Gaussian<f64, 2>, &Matrix2<f64>, &Vector1<f64>, &Matrix1<f64>) -> Result<(), Box<dyn Error>>,
) -> Result<[[f64; 2]; LENGTH], Box<dyn Error>> {
    let (q, r) = (Matrix2::new(0.0, 0.0, 0.0, PUSH * PUSH), Matrix1::new(OFF * OFF));
    let covariance = Matrix2::from_diagonal(&Vector2::from(START.map(|deviation| deviation * deviation)));
    let (mut track, mut estimates) = (Gaussian { mean: Vector2::zeros(), covariance }, [[0.0; 2]; LENGTH]);
    for (z, estimate) in measurements.iter().zip(&mut estimates) {
        step(&mut track, &q, &Vector1::new(*z), &r)?;
        *estimate = track.mean.into();
    }
    Ok(estimates)
}

/// Prints the errors of the angle, and draws one swing.
pub fn compare(options: &Options) -> Result<(), Box<dyn Error>> {
    let net = learn(options)?;
    let mut noise = Noise::new(options.seed + 1);
    let (mut errors, mut shown) = ([0.0; 3], None);
    // No weight is negative, so that strong curvature does not make the covariance so.
    let spread = Spread { alpha: 1.0, beta: 0.0, kappa: 0.0 };
    for _ in 0..options.tests {
        let (seen, states) = sequence(&mut noise);
        let extended = filter(&seen, |track, q, z, r| {
            track.predict_extended(moved, q);
            track.update_extended(measured, z, r)?;
            Ok(())
        })?;
        let unscented = filter(&seen, |track, q, z, r| {
            track.predict_unscented(spread, moved, q)?;
            track.update_unscented(spread, measured, z, r)?;
            Ok(())
        })?;
        let learned = run(&net, &seen).estimates;
        for (error, estimates) in errors.iter_mut().zip([extended, unscented, learned]) {
            *error += states.iter().zip(estimates).map(|(x, guess)| (x[0] - guess[0]).powi(2)).sum::<f64>();
        }
        shown.get_or_insert((states, extended, learned));
    }
    let [extended, unscented, learned] = errors.map(|sum| (sum / (options.tests * LENGTH) as f64).sqrt());
    println!("a pendulum: root mean square errors of the angle");
    println!("  extended filter                 {extended:.4}");
    println!("  unscented filter                {unscented:.4}");
    println!(
        "  learned filter, {} parameters {learned:.4}  {:+.1} %",
        Correction::COUNT,
        100.0 * (learned / extended - 1.0)
    );
    if let Some((states, extended, learned)) = shown {
        plot::swing(
            &options.plot,
            &[("angle", &states), ("extended filter", &extended), ("learned filter", &learned)],
        )?;
    }
    Ok(())
}
