//! What lower rank, fewer weights and fewer units cost a trained network, on MNIST's digits.
//!
//! ```text
//! cargo run --release --example compression
//! cargo run --release --example compression -- --quick
//! ```
//!
//! The network is 784-128-64-10. `rank`: its two large weights are replaced by the closest ones of that rank, which two
//! declared layers each hold; `pruned`: that share of the weights is 0; `units`: a smaller declared network takes the
//! units of the largest norm. `trained on` is after one more epoch. The plot is `compression.svg` in `--out`.
//!
//! Output, in ten seconds on one core:
//!
//! ```text
//! 60000 digits to learn from; 109386 numbers: 97.98 %
//!
//! weight         outputs × inputs  spectral  Frobenius  condition  rank for 90 %
//! dense1.weight        128 × 784      5.91      25.17      6.0e0             88
//! dense2.weight         64 × 128      4.15      14.65      9.1e0             39
//! dense3.weight          10 × 64      2.53       6.19      2.0e0              8
//!
//! rank  numbers left  error of the weights  test accuracy
//!    4         4.8 %      0.910 and 0.856        38.44 %
//!    8         8.8 %      0.842 and 0.757        74.34 %
//!   12        12.9 %      0.785 and 0.677        85.24 %
//!   16        16.9 %      0.741 and 0.610        92.24 %
//!   24        25.0 %      0.669 and 0.492        95.63 %
//!   32        33.1 %      0.612 and 0.390        97.36 %
//!   64        65.4 %      0.435 and -0.000        97.99 %
//! declared with rank 16, 18506 numbers: 92.24 %, trained on 96.60 %
//!
//! pruned  test accuracy  trained on
//!   50 %        97.95 %     97.63 %
//!   70 %        97.24 %     97.67 %
//!   80 %        95.09 %     97.64 %
//!   90 %        84.00 %     96.98 %
//!   95 %        40.64 %     94.95 %
//!   98 %        10.07 %     88.65 %
//!
//! units     numbers left  test accuracy  trained on
//! 64 and 32       48.1 %        57.20 %     97.32 %
//! 32 and 16       23.6 %        41.28 %     95.59 %
//! ```

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use monomorph::data::{Dataset, Mnist};
use monomorph::layers::Dense;
use monomorph::linalg::{Spectrum, factor, for_each_matrix, truncate};
use monomorph::memory;
use monomorph::network::Trainable;
use monomorph::prelude::*;
use monomorph::prune::{Mask, Units};
use monomorph::watch::Chart;

type Image = [[[f32; 1]; 28]; 28];
type Digits = Dataset<Image, usize>;
type Layer<const IN: usize, const OUT: usize> = Dense<[f32; IN], [[f32; OUT]; IN], [f32; OUT], [f32; OUT]>;

network! { pub Large: [28, 28, 1] -> [10] { Flatten, Dense(128), Relu, Dense(64), Relu, Dense(10) } }
network! { pub Factors: [28, 28, 1] -> [10] {
    Flatten, Dense(16, bias = false), Dense(128), Relu, Dense(16, bias = false), Dense(64), Relu, Dense(10),
} }
network! { pub Half: [28, 28, 1] -> [10] { Flatten, Dense(64), Relu, Dense(32), Relu, Dense(10) } }
network! { pub Quarter: [28, 28, 1] -> [10] { Flatten, Dense(32), Relu, Dense(16), Relu, Dense(10) } }

const BATCH: usize = 50;

/// Compresses a trained network in three ways.
#[derive(Parser)]
struct Options {
    /// A tenth of the data, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// A folder with MNIST's files.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))]
    mnist: PathBuf,
    /// Where the plot goes.
    #[arg(long, default_value = "target")]
    out: PathBuf,
}

/// The share of the test images that are recognized, in percent.
fn accuracy<N>(net: &N, test: &Digits) -> Result<f64, Box<dyn Error>>
where
    N: Network<Scalar = f32, Input = Image, Output = [f32; 10]>,
{
    let score = Evaluator::<N, BATCH>::new().score(net, &CrossEntropy, test.inputs(), test.targets())?;
    Ok(100.0 * score.accuracy.unwrap_or_default())
}

/// One more epoch with a small rate.
fn train_on<N>(net: &mut N, train: &Digits) -> Result<(), Box<dyn Error>>
where
    N: Trainable + Network<Scalar = f32, Input = Image, Output = [f32; 10]>,
{
    let adam = Adam { learning_rate: 5e-4, ..Adam::default() };
    fit(net, train).batch_size::<BATCH>().optimizer(adam).epochs(1).run()?;
    Ok(())
}

/// The same for weights that a mask keeps at 0: a loop by hand.
fn train_masked(net: &mut Large, mask: &Mask<Large>, train: &Digits) -> Result<(), Box<dyn Error>> {
    let mut trainer = Trainer::<Large, _, BATCH>::new(Adam { learning_rate: 5e-4, ..Adam::default() }, CrossEntropy);
    for batch in train.batches::<BATCH>() {
        trainer.step(net, batch.x, batch.y)?;
        mask.apply(net);
    }
    Ok(())
}

fn copy(net: &Large) -> Box<Large> {
    let mut copy = memory::boxed::<Large>();
    copy.as_mut_slice().copy_from_slice(net.as_slice());
    copy
}

/// Fills a smaller network with the units of the largest norm. The layers are those of the smaller network.
fn narrow<const A: usize, const B: usize>(
    large: &Large,
    first: &mut Layer<784, A>,
    second: &mut Layer<A, B>,
    third: &mut Layer<B, 10>,
) {
    let kept = Units::<[f32; 128], A>::largest(&large.dense1.weight);
    let next = Units::<[f32; 64], B>::largest(&large.dense2.weight);
    kept.outputs(&large.dense1.weight, &mut first.weight);
    kept.outputs(&large.dense1.bias, &mut first.bias);
    let mut between = [[0.0; 64]; A];
    kept.inputs(&large.dense2.weight, &mut between);
    next.outputs(&between, &mut second.weight);
    next.outputs(&large.dense2.bias, &mut second.bias);
    next.inputs(&large.dense3.weight, &mut third.weight);
    third.bias = large.dense3.bias;
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let Mnist { mut train, test } = Mnist::open(&options.mnist)?;
    if options.quick {
        train = train.split_fraction(0.1).1;
    }
    let mut large = memory::boxed::<Large>();
    large.initialize(Init::default(), &mut Noise::new(1));
    fit(&mut *large, &train).batch_size::<BATCH>().epochs(8).schedule(Schedule::one_cycle).run()?;
    let whole = accuracy(&*large, &test)?;
    println!("{} digits to learn from; {} numbers: {whole:.2} %", train.len(), Large::PARAMS);

    println!("\nweight         outputs × inputs  spectral  Frobenius  condition  rank for 90 %");
    for_each_matrix(&*large, |name, matrix| {
        let spectrum = Spectrum::of_matrix(matrix);
        println!(
            "{name:<14} {:>16}  {:>8.2}  {:>9.2}  {:>9.1e}  {:>13}",
            format!("{} × {}", matrix.nrows(), matrix.ncols()),
            spectrum.spectral_norm(),
            spectrum.frobenius_norm(),
            spectrum.condition(),
            spectrum.rank_for(0.9),
        );
    });

    let mut chart = Chart::new("Compressed digits", ["numbers left, %", "test accuracy, %"]);
    println!("\nrank  numbers left  error of the weights  test accuracy");
    for rank in [4, 8, 12, 16, 24, 32, 64] {
        let mut net = copy(&large);
        let first = truncate(&mut net.dense1.weight, rank);
        let second = truncate(&mut net.dense2.weight, rank);
        let numbers = rank * (784 + 128 + 128 + 64) + 128 + 64 + 650;
        let (left, right) = (100.0 * numbers as f64 / Large::PARAMS as f64, accuracy(&*net, &test)?);
        println!("{rank:>4}  {left:>10.1} %  {:>9.3} and {:.3}  {right:>11.2} %", first.relative, second.relative);
        chart.add("lower rank", left, right);
    }
    let mut factors = memory::boxed::<Factors>();
    factor(&large.dense1.weight, &mut factors.dense1.weight, &mut factors.dense2.weight);
    factor(&large.dense2.weight, &mut factors.dense3.weight, &mut factors.dense4.weight);
    (factors.dense2.bias, factors.dense4.bias) = (large.dense1.bias, large.dense2.bias);
    factors.dense5 = large.dense3.clone();
    let before = accuracy(&*factors, &test)?;
    train_on(&mut *factors, &train)?;
    let after = accuracy(&*factors, &test)?;
    println!("declared with rank 16, {} numbers: {before:.2} %, trained on {after:.2} %", Factors::PARAMS);

    println!("\npruned  test accuracy  trained on");
    for share in [0.5, 0.7, 0.8, 0.9, 0.95, 0.98] {
        let mut net = copy(&large);
        let mask = Mask::smallest(&*net, share);
        mask.apply(&mut net);
        let before = accuracy(&*net, &test)?;
        train_masked(&mut net, &mask, &train)?;
        let after = accuracy(&*net, &test)?;
        println!("{:>4.0} %  {before:>11.2} %  {after:>8.2} %", 100.0 * share);
        chart.add("pruned", 100.0 * (1.0 - share), before);
        chart.add("pruned, trained on", 100.0 * (1.0 - share), after);
    }

    println!("\nunits     numbers left  test accuracy  trained on");
    let (mut half, mut quarter) = (memory::boxed::<Half>(), memory::boxed::<Quarter>());
    {
        let Half { dense1, dense2, dense3, .. } = &mut *half;
        narrow(&large, dense1, dense2, dense3);
        let Quarter { dense1, dense2, dense3, .. } = &mut *quarter;
        narrow(&large, dense1, dense2, dense3);
    }
    let mut row = |name: &str, numbers: usize, [before, after]: [f64; 2]| {
        let left = 100.0 * numbers as f64 / Large::PARAMS as f64;
        println!("{name:<9} {left:>10.1} %  {before:>11.2} %  {after:>8.2} %");
        chart.add("fewer units", left, before);
        chart.add("fewer units, trained on", left, after);
    };
    let before = accuracy(&*half, &test)?;
    train_on(&mut *half, &train)?;
    row("64 and 32", Half::PARAMS, [before, accuracy(&*half, &test)?]);
    let before = accuracy(&*quarter, &test)?;
    train_on(&mut *quarter, &train)?;
    row("32 and 16", Quarter::PARAMS, [before, accuracy(&*quarter, &test)?]);

    fs::create_dir_all(&options.out)?;
    let path = options.out.join("compression.svg");
    fs::write(&path, chart.svg())?;
    println!("\n{}", path.display());
    Ok(())
}
