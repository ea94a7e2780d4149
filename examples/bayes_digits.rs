//! Digits by a Bayesian network: how often it errs, whether its confidence is right, what it says of pictures of clothes,
//! and how many weights it needs.
//!
//! ```text
//! cargo run --release --example bayes_digits
//! cargo run --release --example bayes_digits -- --fashion /usr/share/datasets/fashion-mnist
//! cargo run --release --example bayes_digits -- --quick
//! ```
//!
//! Bayes by backprop (Blundell et al., 2015) with local reparameterization: 784-400-400-10, a normal prior. Predictions
//! are means over draws of the weights. `--fashion` is a folder of Fashion-MNIST's test files (Debian's package
//! `dataset-fashion-mnist`), which the network has never seen: its uncertainty should tell them from digits. Then weights
//! are removed by their ratio of signal to noise, `|μ| / σ`, and what is left of whole units is stored as a smaller
//! network. The plots `reliability.svg` and `pruning.svg` are in `--out`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use monomorph::data::idx::{Idx, Mnist};
use monomorph::memory;
use monomorph::metrics::{Calibration, Predictive, argmax, roc_auc};
use monomorph::network::{Workspace, sample_in};
use monomorph::parallel::{ParallelTrainer, evaluate_batch};
use monomorph::prelude::*;
use monomorph::weights::{load, save};
use plotters::prelude::*;

network! { pub Bayesian: [28, 28, 1] -> [10] {
    Flatten, first: BayesDense(400, prior = 0.1), Relu, second: BayesDense(400, prior = 0.1), Relu, last: BayesDense(10, prior = 0.1)
} }
network! { pub Means: [28, 28, 1] -> [10] { Flatten, first: Dense(400), Relu, second: Dense(400), Relu, last: Dense(10) } }
/// What is left of the units.
const UNITS: usize = 100;
network! { pub Small: [28, 28, 1] -> [10] { Flatten, first: Dense(UNITS), Relu, second: Dense(UNITS), Relu, last: Dense(10) } }

type Image = [[[f32; 1]; 28]; 28];
type Scores = [f32; 10];

/// The samples that a thread computes together; a step has two such parts.
const SHARD: usize = 64;

/// Trains a Bayesian network on MNIST.
#[derive(Parser)]
struct Options {
    /// The passes over the training images.
    #[arg(long, default_value_t = 60)]
    epochs: u64,
    /// The draws of a prediction.
    #[arg(long, default_value_t = 20)]
    draws: usize,
    /// The weight of the divergence; 1 is Bayes' rule.
    #[arg(long, default_value_t = 1.0)]
    lambda: f64,
    /// The random seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One epoch of a few samples, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// A folder with MNIST's files.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))]
    mnist: PathBuf,
    /// A folder with the test images of Fashion-MNIST.
    #[arg(long)]
    fashion: Option<PathBuf>,
    /// Where the plots and the small network go.
    #[arg(long, default_value = "target/bayes_digits")]
    out: PathBuf,
}

/// What the network says of images: a mean over draws.
fn predict(net: &Bayesian, images: &[Image], draws: usize, noise: &mut Noise) -> Vec<Predictive<10>> {
    const GROUP: usize = 50;
    let mut workspace = memory::boxed::<Workspace<Bayesian, GROUP>>();
    let mut scores = memory::boxed::<[Scores; GROUP]>();
    let mut predictions = Vec::with_capacity(images.len());
    for group in images.as_chunks::<GROUP>().0 {
        let mut of: Vec<Predictive<10>> = vec![Predictive::default(); GROUP];
        for _ in 0..draws {
            sample_in(net, group, &mut scores, &mut workspace, noise);
            for (predictive, scores) in of.iter_mut().zip(scores.iter()) {
                predictive.add_logits(scores);
            }
        }
        predictions.append(&mut of);
    }
    predictions
}

/// The share of wrong decisions.
fn error_of<N: Network<Input = Image, Output = Scores>>(net: &N, images: &[Image], classes: &[usize]) -> f64 {
    let mut scores = vec![[0.0; 10]; images.len()];
    evaluate_batch::<_, 32>(net, images, &mut scores).expect("as many outputs as inputs");
    let wrong = scores.iter().zip(classes).filter(|(scores, class)| argmax(&scores[..]) != **class);
    wrong.count() as f64 / images.len() as f64
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::parse();
    let Mnist { mut train, test } = Mnist::open(&options.mnist)?;
    if options.quick {
        (options.epochs, options.draws) = (1, 4);
        let rest = train.len() - 20 * 2 * SHARD;
        (train, _) = train.split(rest);
    }
    let mut noise = Noise::new(options.seed);
    let mut net = memory::boxed::<Bayesian>();
    net.initialize(Init::KaimingNormal, &mut noise);
    let steps = options.epochs * (train.len() / (2 * SHARD)) as u64;
    let trainer = Trainer::<Bayesian, _, SHARD>::new(Adam::default(), CrossEntropy)
        .schedule(Schedule::Cosine { warmup: 0, total: steps, floor: 0.01 })
        .seed(noise.next_u64());
    let mut trainer = ParallelTrainer::new(trainer);
    trainer.trainer.term_weight = options.lambda / train.len() as f64;
    let start = Instant::now();
    let bar = ProgressBar::new(steps).with_style(ProgressStyle::with_template("[{bar:40}] {msg} {eta} left")?);
    for _ in 0..options.epochs {
        train.shuffle(&mut noise);
        for batch in train.batches::<{ 2 * SHARD }>() {
            let loss = trainer.step(&mut net, batch.x, batch.y)?.loss;
            bar.set_message(format!("loss {loss:.3}"));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    println!("{steps} steps in {:.0} s", start.elapsed().as_secs_f64());
    std::fs::create_dir_all(&options.out)?;

    let predictions = predict(&net, test.inputs(), options.draws, &mut noise);
    let mut calibration = Calibration::<15>::default();
    let mut wrong = 0;
    for (predictive, class) in predictions.iter().zip(test.targets()) {
        let probabilities = predictive.mean();
        let decided = argmax(&probabilities);
        wrong += usize::from(decided != *class);
        calibration.add(probabilities[decided], decided == *class);
    }
    let error = wrong as f64 / predictions.len() as f64;
    reliability(&options.out.join("reliability.svg"), &calibration)?;

    if let Some(folder) = &options.fashion {
        let clothes = Idx::open(folder.join("t10k-images-idx3-ubyte.gz"))?.images::<28, 28>()?;
        let others = predict(&net, &clothes, options.draws, &mut noise);
        let auroc = |of: fn(&Predictive<10>) -> f64| {
            let digits = predictions.iter().map(|predictive| (of(predictive), false));
            roc_auc(&mut digits.chain(others.iter().map(|predictive| (of(predictive), true))).collect::<Vec<_>>())
        };
        let [entropy, information] =
            [auroc(Predictive::entropy), auroc(Predictive::mutual_information)].map(Option::unwrap_or_default);
        println!("digits against clothes: AUROC {entropy:.3} by entropy, {information:.3} by mutual information");
    }

    prune(&options, &net, (test.inputs(), test.targets()))?;
    println!("error {:.2} %, ECE {:.2} %", 100.0 * error, 100.0 * calibration.error());
    Ok(())
}

/// The network of the means.
fn means(net: &Bayesian) -> Box<Means> {
    let mut means = memory::boxed::<Means>();
    (means.first, means.second, means.last) = (net.first.mean.clone(), net.second.mean.clone(), net.last.mean.clone());
    means
}

/// `|μ| / σ`.
fn ratio(mean: f32, rho: f32) -> f32 {
    mean.abs() / rho.exp().ln_1p()
}

/// Removes weights by their ratio of signal to noise, then units.
fn prune(options: &Options, net: &Bayesian, (images, classes): (&[Image], &[usize])) -> Result<(), Box<dyn Error>> {
    let tensors = |net: &Means| {
        [net.first.weight.as_flattened(), net.second.weight.as_flattened(), net.last.weight.as_flattened()]
            .map(<[f32]>::to_vec)
    };
    let whole = means(net);
    let rhos = [
        net.first.rho.0.weight.as_flattened(),
        net.second.rho.0.weight.as_flattened(),
        net.last.rho.0.weight.as_flattened(),
    ];
    let ratios: Vec<Vec<f32>> = tensors(&whole)
        .iter()
        .zip(rhos)
        .map(|(means, rhos)| means.iter().zip(rhos).map(|(mean, rho)| ratio(*mean, *rho)).collect())
        .collect();
    let mut sorted: Vec<f32> = ratios.concat();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut curve = Vec::new();
    let full = error_of(&*whole, images, classes);
    for percent in [0, 25, 50, 75, 90, 95, 98] {
        let threshold = sorted[(sorted.len() - 1) * percent / 100];
        let mut pruned = means(net);
        let weights = [
            pruned.first.weight.as_flattened_mut(),
            pruned.second.weight.as_flattened_mut(),
            pruned.last.weight.as_flattened_mut(),
        ];
        for (weights, ratios) in weights.into_iter().zip(&ratios) {
            for (weight, ratio) in weights.iter_mut().zip(ratios) {
                if *ratio < threshold {
                    *weight = 0.0;
                }
            }
        }
        let error = error_of(&*pruned, images, classes);
        println!("without {percent} % of the weights: error {:.2} %, {:+.2}", 100.0 * error, 100.0 * (error - full));
        curve.push((percent as f64, 100.0 * error));
    }
    plot(&options.out.join("pruning.svg"), &curve)?;

    // A unit counts as much as the signal and noise of what comes in and goes out.
    let strongest = |strength: &dyn Fn(usize) -> f32| {
        let mut units: Vec<usize> = (0..400).collect();
        units.sort_by(|a, b| strength(*b).total_cmp(&strength(*a)));
        units.truncate(UNITS);
        units
    };
    let norm = |weights: &mut dyn Iterator<Item = f32>| weights.map(|weight| weight * weight).sum::<f32>();
    let [first, second] = [
        strongest(&|unit| {
            norm(&mut whole.first.weight.iter().map(|row| row[unit]))
                * norm(&mut whole.second.weight[unit].iter().copied())
        }),
        strongest(&|unit| {
            norm(&mut whole.second.weight.iter().map(|row| row[unit]))
                * norm(&mut whole.last.weight[unit].iter().copied())
        }),
    ];
    let mut small = memory::boxed::<Small>();
    small.last.bias = whole.last.bias;
    for (to, unit) in first.iter().enumerate() {
        small.first.bias[to] = whole.first.bias[*unit];
        for (row, from) in small.first.weight.iter_mut().zip(&whole.first.weight) {
            row[to] = from[*unit];
        }
        for (column, from) in second.iter().enumerate() {
            small.second.weight[to][column] = whole.second.weight[*unit][*from];
        }
    }
    for (to, unit) in second.iter().enumerate() {
        small.second.bias[to] = whole.second.bias[*unit];
        small.last.weight[to] = whole.last.weight[*unit];
    }
    let error = error_of(&*small, images, classes);
    let path = options.out.join("small.safetensors");
    save(&path, &*small)?;
    let mut again = memory::boxed::<Small>();
    load(&path, &mut *again)?;
    assert_eq!(again.as_slice(), small.as_slice());
    println!(
        "{UNITS} of 400 units in each layer, {} instead of {} weights: error {:.2} %, {:+.2}; {}",
        Small::PARAMS,
        Means::PARAMS,
        100.0 * error,
        100.0 * (error - full),
        path.display()
    );
    Ok(())
}

fn reliability(path: &Path, calibration: &Calibration<15>) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (480, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("Reliability", ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(45)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    chart.configure_mesh().x_desc("confidence").y_desc("accuracy").light_line_style(WHITE).draw()?;
    let bins = calibration.bins();
    chart.draw_series(bins.iter().enumerate().filter(|(_, bin)| bin.0 > 0.0).map(|(index, (_, _, accuracy))| {
        let (left, right) = (index as f64 / 15.0, (index + 1) as f64 / 15.0);
        Rectangle::new([(left, 0.0), (right, *accuracy)], RGBColor(0, 114, 178).mix(0.6).filled())
    }))?;
    chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], BLACK.mix(0.5)))?;
    root.present()?;
    Ok(())
}

fn plot(path: &Path, curve: &[(f64, f64)]) -> Result<(), Box<dyn Error>> {
    curves::draw(
        path,
        "Pruning by signal to noise",
        ["weights removed, %", "test error, %"],
        &[("means", curve.to_vec())],
    )
}

#[path = "support/curves.rs"]
mod curves;
