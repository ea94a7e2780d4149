//! Error bars that widen where there are no data: Bayes by backprop, dropout, an ensemble, Langevin dynamics and the Laplace
//! approximation, side by side.
//!
//! ```text
//! cargo run --release --example error_bars
//! cargo run --release --example error_bars -- --quick
//! ```
//!
//! 80 noisy samples of `sin 3x` lie in `[−1, −0.3]` and `[0.4, 1]`; each model predicts from −1.6 to 1.6. The table has the
//! model's deviation, without the noise of the data, as a mean over regions and over seeds 1 to 5: where there are data, in
//! the gap between them, and beyond them; and how often the truth is within two deviations, or 0.1.
//! The plot is `error_bars.svg` in `--out`.
//!
//! ```text
//! model            data    gap  beyond  gap / data  truth within 2 deviations
//! Bayes, tanh     0.097  0.476   0.095         4.9               44.2 %
//! Bayes, ReLU     0.103  0.070   0.290         0.7               71.2 %
//! dropout         0.057  0.102   0.073         1.8               56.3 %
//! ensemble        0.011  0.300   0.227        27.4               79.8 %
//! Langevin        0.031  0.188   0.227         6.0               92.2 %
//! Laplace         0.054  0.158   0.277         2.9               99.3 %
//! Laplace, last   0.024  0.077   0.111         3.2               85.6 %
//! ```
//!
//! Distributions that are independent for each weight cannot widen everywhere: with saturating units they do between
//! data, with rectified ones beyond them (Foong et al., *On the expressiveness of approximate inference in Bayesian
//! neural networks*, 2020). All that keep the weights' correlations widen in both places: the ensemble; networks on the way of
//! Langevin dynamics (Welling and Teh, 2011); the Laplace approximation, by Kronecker products for all layers and of the last
//! layer alone, with the prior of the largest evidence.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Parser;
use monomorph::distributions::{Distribution, Normal};
use monomorph::linalg::{Laplace, Likelihood, Linearized, Structure};
use monomorph::memory;
use monomorph::metrics::Moments;
use monomorph::network::{Trainable, evaluate};
use monomorph::prelude::*;
use monomorph::uncertainty::{Draws, Ensemble, Predict};
use plotters::prelude::*;

network! { pub BayesTanh: [1] -> [1] {
    BayesDense(64, prior = 1.5), Tanh, BayesDense(64, prior = 0.3), Tanh, BayesDense(1, prior = 0.5)
} }
network! { pub BayesRelu: [1] -> [1] {
    BayesDense(64, prior = 2.0), Relu, BayesDense(64, prior = 0.2), Relu, BayesDense(1, prior = 0.2)
} }
network! { pub Dropped: [1] -> [1] { Dense(64), Relu, Dropout(0.1), Dense(64), Relu, Dropout(0.1), Dense(1) } }
network! { pub Member: [1] -> [1] { Dense(64), Tanh, Dense(64), Tanh, last: Dense(1) } }

/// The samples there are to learn from, all in one batch.
const SAMPLES: usize = 80;
/// The deviation of the noise in them.
const NOISE: f64 = 0.1;
/// The negative log-likelihood of a sample is its square / (2 σ²), so the divergence of a Bayesian network counts 2 σ² per sample,
/// as do a standard normal prior, and the temperature of a posterior.
const TEMPERATURE: f64 = 2.0 * NOISE * NOISE / SAMPLES as f64;
/// The places of the predictions.
const PLACES: usize = 161;
/// The members of the ensemble.
const MEMBERS: u64 = 10;
/// The draws of the other models.
const DRAWS: usize = 200;

/// Compares error bars.
#[derive(Parser)]
struct Options {
    /// The steps of each training.
    #[arg(long, default_value_t = 8000)]
    steps: u64,
    /// How many seeds, from 1 on.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// One seed of a few steps, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// Where the plot goes.
    #[arg(long, default_value = "target")]
    out: PathBuf,
}

type Curve = [Moments<1>; PLACES];

fn truth(x: f64) -> f64 {
    (3.0 * x).sin()
}

/// Where a prediction is.
fn place(index: usize) -> f32 {
    -1.6 + 3.2 * index as f32 / (PLACES - 1) as f32
}

fn data(seed: u64) -> ([[f32; 1]; SAMPLES], [[f32; 1]; SAMPLES]) {
    let mut noise = Noise::new(seed);
    let x = core::array::from_fn(|index| {
        let (low, width) = if index % 2 == 0 { (-1.0, 0.7) } else { (0.4, 0.6) };
        [(low + width * noise.uniform()) as f32]
    });
    let y = x.map(|[x]| [(truth(f64::from(x)) + NOISE * noise.normal()) as f32]);
    (x, y)
}

/// Trains a model; also gives the noise that its draws begin with.
fn train<N>(steps: u64, seed: u64, member: u64, decay: f64) -> Result<(Box<N>, Noise), Box<dyn Error>>
where
    N: Trainable + Network<Scalar = f32, Input = [f32; 1], Output = [f32; 1]>,
{
    let (x, y) = data(seed);
    let mut noise = Noise::new(1000 * seed + member);
    let mut net = memory::boxed::<N>();
    net.initialize(Init::XavierNormal, &mut noise);
    let adam = Adam { learning_rate: 5e-3, weight_decay: decay, ..Adam::default() };
    let mut trainer =
        Trainer::<N, _, SAMPLES>::new(adam, Mse).schedule(Schedule::one_cycle(steps)).seed(noise.next_u64());
    trainer.term_weight = TEMPERATURE;
    for _ in 0..steps {
        trainer.step(&mut net, &x, &y)?;
    }
    Ok((net, noise))
}

/// Mean and variance at every place.
fn curve<P>(mut predict: P) -> Curve
where
    P: Predict<Network: Network<Scalar = f32, Input = [f32; 1], Output = [f32; 1]>>,
{
    core::array::from_fn(|index| predict.numbers::<1>(&[place(index)]))
}

/// A model that draws.
fn drawn<N>(steps: u64, seed: u64) -> Result<Curve, Box<dyn Error>>
where
    N: Trainable + Network<Scalar = f32, Input = [f32; 1], Output = [f32; 1]>,
{
    let (net, noise) = train::<N>(steps, seed, 0, 0.0)?;
    Ok(curve(Draws { network: &*net, count: DRAWS, noise }))
}

/// The Laplace approximation, with the prior of the largest evidence.
fn laplace(steps: u64, seed: u64, structure: Structure, pattern: &str) -> Result<Curve, Box<dyn Error>> {
    let (net, noise) = train::<Member>(steps, seed, 0, TEMPERATURE)?;
    let (x, y) = data(seed);
    let mut laplace = Laplace::<Member>::new(structure, pattern);
    laplace.observe(&net, Likelihood::Normal { deviation: NOISE }, &x);
    let log_likelihood: f64 = x
        .iter()
        .zip(&y)
        .map(|(x, [y])| {
            let [mean] = evaluate(&*net, x);
            Normal { mean: f64::from(mean), deviation: NOISE }.log_prob(f64::from(*y))
        })
        .sum();
    let priors = (-4..=8).map(|index| 10_f64.powf(0.5 * f64::from(index)));
    let mut posteriors = priors.filter_map(|prior| laplace.posterior(prior)).collect::<Vec<_>>();
    posteriors.sort_by(|a, b| b.log_evidence(&net, log_likelihood).total_cmp(&a.log_evidence(&net, log_likelihood)));
    let posterior = posteriors.first_mut().ok_or("the curvature is not finite")?;
    Ok(curve(Linearized { network: &*net, posterior, count: DRAWS, noise }))
}

/// Networks on the way of Langevin dynamics, from a trained one on.
fn langevin(steps: u64, seed: u64) -> Result<Curve, Box<dyn Error>> {
    let (x, y) = data(seed);
    let (mut net, mut noise) = train::<Member>(steps, seed, 0, TEMPERATURE)?;
    let (temperature, weight_decay) = (TEMPERATURE, TEMPERATURE);
    let sgld = Sgld { learning_rate: 5e-3, temperature, weight_decay, seed: noise.next_u64() };
    let mut trainer = Trainer::<Member, _, SAMPLES>::new(sgld, Mse);
    let mut members = Vec::new();
    for step in 0..10 * steps {
        trainer.step(&mut net, &x, &y)?;
        if step >= 2 * steps && step % (8 * steps / DRAWS as u64).max(1) == 0 {
            let mut member = memory::boxed::<Member>();
            member.as_mut_slice().copy_from_slice(net.as_slice());
            members.push(member);
        }
    }
    Ok(curve(Ensemble(&members)))
}

/// Mean deviations where there are data, in the gap, and beyond; and the share of truths within two deviations.
fn judge(curve: &Curve) -> [f64; 4] {
    let deviation = |index: usize| curve[index].variance()[0].sqrt();
    let mean = |of: &dyn Fn(f32) -> bool| {
        let inside: Vec<f64> = (0..PLACES).filter(|index| of(place(*index))).map(deviation).collect();
        inside.iter().sum::<f64>() / inside.len() as f64
    };
    let within = (0..PLACES).filter(|index| {
        let away = curve[*index].mean()[0] - truth(f64::from(place(*index)));
        away.abs() < 2.0 * deviation(*index).max(NOISE / 2.0)
    });
    let near = |x: f32| (-1.0..=-0.3).contains(&x) || (0.4..=1.0).contains(&x);
    [mean(&near), mean(&|x| (-0.1..=0.2).contains(&x)), mean(&|x| x.abs() > 1.3), within.count() as f64 / PLACES as f64]
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::parse();
    if options.quick {
        (options.steps, options.seeds) = (300, 1);
    }
    let steps = options.steps;
    println!("model            data    gap  beyond  gap / data  truth within 2 deviations");
    let mut first = Vec::new();
    let names = ["Bayes, tanh", "Bayes, ReLU", "dropout", "ensemble", "Langevin", "Laplace", "Laplace, last"];
    for (kind, name) in names.into_iter().enumerate() {
        let mut sums = [0.0; 4];
        for seed in 1..=options.seeds {
            let curve = match kind {
                0 => drawn::<BayesTanh>(steps, seed)?,
                1 => drawn::<BayesRelu>(steps, seed)?,
                2 => drawn::<Dropped>(steps, seed)?,
                3 => {
                    let members: Result<Vec<_>, Box<dyn Error>> =
                        (0..MEMBERS).map(|member| Ok(train::<Member>(steps, seed, member, 0.0)?.0)).collect();
                    curve(Ensemble(&members?))
                }
                4 => langevin(steps, seed)?,
                5 => laplace(steps, seed, Structure::Kronecker, "*")?,
                _ => laplace(steps, seed, Structure::Full, "last")?,
            };
            for (sum, value) in sums.iter_mut().zip(judge(&curve)) {
                *sum += value / options.seeds as f64;
            }
            if seed == 1 {
                first.push((name, curve));
            }
        }
        let [near, gap, beyond, within] = sums;
        println!("{name:13} {near:7.3} {gap:6.3} {beyond:7.3} {:11.1} {:18.1} %", gap / near, 100.0 * within);
    }
    plot(&options.out.join("error_bars.svg"), &first)
}

fn plot(path: &Path, curves: &[(&str, Curve)]) -> Result<(), Box<dyn Error>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let root = SVGBackend::new(path, (2450, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let (x, y) = data(1);
    for (area, (name, curve)) in root.split_evenly((1, curves.len())).iter().zip(curves) {
        let mut chart = ChartBuilder::on(area)
            .caption(*name, ("sans-serif", 20))
            .margin(10)
            .x_label_area_size(30)
            .y_label_area_size(40)
            .build_cartesian_2d(-1.6_f64..1.6, -2.5_f64..2.5)?;
        chart.configure_mesh().light_line_style(WHITE).draw()?;
        let at = |index: usize, deviations: f64| {
            let moments = &curve[index];
            (f64::from(place(index)), moments.mean()[0] + deviations * moments.variance()[0].sqrt())
        };
        let blue = RGBColor(0, 114, 178);
        let outline = (0..PLACES).map(|index| at(index, 2.0)).chain((0..PLACES).rev().map(|index| at(index, -2.0)));
        chart.draw_series([Polygon::new(outline.collect::<Vec<_>>(), blue.mix(0.2).filled())])?;
        chart.draw_series(LineSeries::new((0..PLACES).map(|index| at(index, 0.0)), blue.stroke_width(2)))?;
        let exact = (0..PLACES).map(|index| (f64::from(place(index)), truth(f64::from(place(index)))));
        chart.draw_series(LineSeries::new(exact, BLACK.mix(0.5)))?;
        let dots = x.iter().zip(&y).map(|([x], [y])| Circle::new((f64::from(*x), f64::from(*y)), 2, BLACK.filled()));
        chart.draw_series(dots)?;
    }
    root.present()?;
    Ok(())
}
