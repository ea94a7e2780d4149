//! Five estimates of the mutual information of a pair of normally distributed numbers, beside its exact value
//! `−½ ln(1 − ρ²)`.
//!
//! ```text
//! cargo run --release --example mutual_information
//! cargo run --release --example mutual_information -- --quick
//! ```
//!
//! Two estimators see 4,000 pairs: counts in 20 × 20 boxes, and distances to the fourth neighbors (Kraskov, Stögbauer and
//! Grassberger, 2004). Three are critics that learn: MINE (Belghazi et al., 2018), InfoNCE (van den Oord et al., 2018) of 128
//! pairs, and of 4, which cannot say more than ln 4 = 1.39. A critic's estimate is the mean over its last 500 steps,
//! each of pairs that it has not seen. Output, in nats:
//!
//! ```text
//! correlation  exact  binned  neighbors   MINE  InfoNCE 128  InfoNCE 4
//!           0 -0.000   0.000     -0.017 -0.000       -0.000     -0.001
//!         0.3  0.047   0.046      0.044  0.047        0.046      0.037
//!         0.5  0.144   0.145      0.150  0.144        0.141      0.108
//!         0.7  0.337   0.322      0.361  0.336        0.330      0.240
//!         0.8  0.511   0.478      0.535  0.510        0.501      0.353
//!         0.9  0.830   0.766      0.853  0.829        0.815      0.550
//!        0.95  1.164   1.045      1.179  1.160        1.141      0.727
//!        0.98  1.614   1.353      1.642  1.608        1.575      0.928
//!        0.99  1.959   1.544      1.982  1.957        1.898      1.040
//! ```
//!
//! The plot is `mutual_information.svg` in `--out`.

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use monomorph::memory;
use monomorph::metrics::information::{binned_information, gaussian_information, nearest_neighbor_information};
use monomorph::prelude::*;

network! { pub Critic: [2] -> [1] { Dense(64), Relu, Dense(64), Relu, Dense(1) } }
network! { pub Towers(x: [1], y: [1]) -> (query: [32], key: [32]) {
    let query = x |> Dense(64) |> Relu |> Dense(32);
    let key = y |> Dense(64) |> Relu |> Dense(32);
} }

/// Compares estimates.
#[derive(Parser)]
struct Options {
    /// The correlations.
    #[arg(long, value_delimiter = ',', default_value = "0,0.3,0.5,0.7,0.8,0.9,0.95,0.98,0.99")]
    correlations: Vec<f64>,
    /// The pairs for the estimators that do not learn.
    #[arg(long, default_value_t = 4000)]
    pairs: usize,
    /// The steps of a critic.
    #[arg(long, default_value_t = 4000)]
    steps: u64,
    /// The random seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A few pairs and steps, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// Where the plot goes.
    #[arg(long, default_value = "target")]
    out: PathBuf,
}

/// A pair with this correlation.
fn pair(correlation: f64, noise: &mut Noise) -> [f64; 2] {
    let x = noise.normal();
    [x, correlation * x + (1.0 - correlation * correlation).sqrt() * noise.normal()]
}

/// The steps at the end over which an estimate is averaged.
const LAST: u64 = 500;

/// Adam with a rate that falls.
fn trainer<N: Trainable + Network<Scalar = f32>, L, const B: usize>(
    options: &Options,
    loss: L,
) -> Trainer<N, (Adam, L), B> {
    let adam = Adam { learning_rate: 2e-3, ..Adam::default() };
    let total = options.steps;
    Trainer::new(adam, loss).schedule(Schedule::Cosine { warmup: 0, total, floor: 0.01 })
}

fn mine(options: &Options, correlation: f64) -> Result<f64, Box<dyn Error>> {
    const PAIRS: usize = 256;
    let mut noise = Noise::new(options.seed);
    let mut critic = memory::boxed::<Critic>();
    critic.initialize(Init::default(), &mut noise);
    let mut trainer = trainer::<Critic, _, { 2 * PAIRS }>(options, Mine::default());
    // Half of the pairs as they are drawn, half with the partner of another.
    let together: [bool; 2 * PAIRS] = core::array::from_fn(|index| index < PAIRS);
    let mut sum = 0.0;
    for step in 0..options.steps {
        let drawn: [[f64; 2]; PAIRS] = core::array::from_fn(|_| pair(correlation, &mut noise));
        let batch: [[f32; 2]; 2 * PAIRS] = core::array::from_fn(|index| {
            let (x, y) = (index % PAIRS, (index + index / PAIRS) % PAIRS);
            [drawn[x][0] as f32, drawn[y][1] as f32]
        });
        let loss = trainer.step(&mut critic, &batch, &together)?.loss;
        sum -= if step + LAST >= options.steps { f64::from(loss) } else { 0.0 };
    }
    Ok(sum / LAST.min(options.steps) as f64)
}

fn info_nce<const PAIRS: usize>(options: &Options, correlation: f64) -> Result<f64, Box<dyn Error>> {
    let mut noise = Noise::new(options.seed);
    let mut towers = memory::boxed::<Towers>();
    towers.initialize(Init::default(), &mut noise);
    let loss = InfoNce { temperature: 1.0, normalize: false };
    let mut trainer = trainer::<Towers, _, PAIRS>(options, loss);
    let mut sum = 0.0;
    for step in 0..options.steps {
        let batch: [TowersInput; PAIRS] = core::array::from_fn(|_| {
            let [x, y] = pair(correlation, &mut noise);
            TowersInput { x: [x as f32], y: [y as f32] }
        });
        let loss = f64::from(trainer.step(&mut towers, &batch, &[(); PAIRS])?.loss);
        sum += if step + LAST >= options.steps { InfoNce::information(loss, PAIRS) } else { 0.0 };
    }
    Ok(sum / LAST.min(options.steps) as f64)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::parse();
    if options.quick {
        (options.pairs, options.steps, options.correlations) = (500, 50, vec![0.0, 0.5, 0.9]);
    }
    const NAMES: [&str; 6] = ["exact", "binned", "neighbors", "MINE", "InfoNCE 128", "InfoNCE 4"];
    println!("correlation  exact  binned  neighbors   MINE  InfoNCE 128  InfoNCE 4");
    let mut curves: Vec<(&str, Vec<(f64, f64)>)> = NAMES.iter().map(|name| (*name, Vec::new())).collect();
    for correlation in &options.correlations {
        let mut noise = Noise::new(options.seed);
        let pairs: Vec<[f64; 2]> = (0..options.pairs).map(|_| pair(*correlation, &mut noise)).collect();
        let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().map(|[x, y]| (*x, *y)).unzip();
        let estimates = [
            gaussian_information(*correlation),
            binned_information::<20>(&x, &y).ok_or("no pairs")?,
            nearest_neighbor_information::<4, 1, 1>(x.as_chunks::<1>().0, y.as_chunks::<1>().0).ok_or("no pairs")?,
            mine(&options, *correlation)?,
            info_nce::<128>(&options, *correlation)?,
            info_nce::<4>(&options, *correlation)?,
        ];
        let [exact, binned, neighbors, mine, many, few] = estimates;
        println!("{correlation:11} {exact:6.3} {binned:7.3} {neighbors:10.3} {mine:6.3} {many:12.3} {few:10.3}");
        for ((_, points), estimate) in curves.iter_mut().zip(estimates) {
            points.push((exact, estimate));
        }
    }
    curves::draw(
        &options.out.join("mutual_information.svg"),
        "Estimates of the mutual information of a Gaussian pair",
        ["exact, nats", "estimate, nats"],
        &curves,
    )
}

#[path = "support/curves.rs"]
mod curves;
