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
const PUSH: f64 = 0.1;
const OFF: f64 = 0.3;
/// The deviations of the first angle and speed: few swings go over the top.
const START: [f64; 2] = [0.8, 1.0];

network! { #[streaming] pub Gain: [64, 6] -> [64, 2] { Gru(32), Dense(2) } }
network! {
    /// By how much each surprise moves the estimate.
    pub Correction(seen: [64, 6], surprise: [64, 2]) -> [64, 2] {
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
    /// Each twice: for the angle and for the speed.
    surprise: [[f32; 2]; LENGTH],
    predicted: [[f64; 2]; LENGTH],
    estimates: [[f64; 2]; LENGTH],
}

fn run(net: &Correction, measurements: &[f64; LENGTH]) -> Run {
    let mut run = Run {
        seen: [[0.0; 6]; LENGTH],
        surprise: [[0.0; 2]; LENGTH],
        predicted: [[0.0; 2]; LENGTH],
        estimates: [[0.0; 2]; LENGTH],
    };
    let (mut state, mut x, mut last) = (net.gain.start(), [0.0; 2], [0.0; 2]);
    for (step, z) in measurements.iter().enumerate() {
        x = moved(x);
        let surprise = z - measured(x)[0];
        let (sin, cos) = x[0].sin_cos();
        run.predicted[step] = x;
        run.surprise[step] = [surprise as f32; 2];
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

type Track = Gaussian<f64, 2>;

/// A filter's angles and speeds.
fn filter(
    measurements: &[f64; LENGTH],
    mut step: impl FnMut(&mut Track, &Matrix2<f64>, &Vector1<f64>, &Matrix1<f64>) -> Result<(), Box<dyn Error>>,
) -> Result<[[f64; 2]; LENGTH], Box<dyn Error>> {
    let (q, r) = (Matrix2::new(0.0, 0.0, 0.0, PUSH * PUSH), Matrix1::new(OFF * OFF));
    let covariance = Matrix2::from_diagonal(&Vector2::from(START.map(|deviation| deviation * deviation)));
    let (mut track, mut estimates) = (Track { mean: Vector2::zeros(), covariance }, [[0.0; 2]; LENGTH]);
    for (z, estimate) in measurements.iter().zip(&mut estimates) {
        step(&mut track, &q, &Vector1::new(*z), &r)?;
        *estimate = track.mean.into();
    }
    Ok(estimates)
}

/// The mean square error of the angle in one swing. Whole turns do not count: no measurement tells them apart.
fn error(states: &[[f64; 2]; LENGTH], estimates: &[[f64; 2]; LENGTH]) -> f64 {
    let errors = states.iter().zip(estimates).map(|(x, guess)| {
        let (sin, cos) = (x[0] - guess[0]).sin_cos();
        sin.atan2(cos).powi(2)
    });
    errors.sum::<f64>() / LENGTH as f64
}

/// The root mean square error of all swings, and that of the median one.
fn mean_and_median(mut errors: Vec<f64>) -> Option<[f64; 2]> {
    errors.sort_by(f64::total_cmp);
    let median = *errors.get(errors.len() / 2)?;
    Some([errors.iter().sum::<f64>() / errors.len() as f64, median].map(f64::sqrt))
}

/// Prints the errors of the angle, and draws the swing in which the extended filter was furthest off.
pub fn compare(options: &Options) -> Result<(), Box<dyn Error>> {
    let net = learn(options)?;
    let mut noise = Noise::new(options.seed + 1);
    let mut errors: [Vec<f64>; 3] = from_fn(|_| Vec::new());
    let (mut shown, mut worst) = (None, 0.0);
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
        for (errors, estimates) in errors.iter_mut().zip([&extended, &unscented, &learned]) {
            errors.push(error(&states, estimates));
        }
        let off = error(&states, &extended);
        if off > worst {
            (shown, worst) = (Some((states, extended, learned)), off);
        }
    }
    let [Some(extended), Some(unscented), Some(learned)] = errors.map(mean_and_median) else {
        return Err("there must be at least one test".into());
    };
    println!("a pendulum: root mean square errors of the angle, of all swings and of the median one");
    println!("  extended filter                 {:.4}  {:.4}", extended[0], extended[1]);
    println!("  unscented filter                {:.4}  {:.4}", unscented[0], unscented[1]);
    println!(
        "  learned filter, {} parameters {:.4}  {:.4}  {:+.1} % of all",
        Correction::COUNT,
        learned[0],
        learned[1],
        100.0 * (learned[0] / extended[0] - 1.0)
    );
    if let Some((states, extended, learned)) = shown {
        plot::swing(
            &options.plot,
            &[("angle", &states), ("extended filter", &extended), ("learned filter", &learned)],
        )?;
    }
    Ok(())
}
