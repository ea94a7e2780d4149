//! How much a network has to know of a digit to tell which one it is: the deep variational information bottleneck of
//! Alemi, Fischer, Dillon and Murphy (2017), on MNIST.
//!
//! ```text
//! cargo run --release --example bottleneck
//! cargo run --release --example bottleneck -- --quick
//! ```
//!
//! The images pass through 64 units with noise of a learned strength, which cost β times what they let through. The
//! table has, for each β, bounds of what the code `Z` tells of the image and of the digit, in bits, on training and test
//! images: `I(Z; X) ≤ E KL(q(z | x) ‖ N(0, 1))`, `I(Z; Y) ≥ H(Y) + E ln q(y | z)`; and the error of one draw, and of the
//! mean of 12. Output, 784-512-512-64-10, 20 epochs of images that are
//! shifted by up to a pixel:
//!
//! ```text
//!             training, bits         test, bits             test error, %
//! beta     I(Z; X)   I(Z; Y)   I(Z; X)   I(Z; Y)   one draw   mean of 12
//! 1e-3       31.83     3.311     32.11     3.261       1.25       1.00
//! 1e-2       13.09     3.289     13.04     3.232       1.66       1.04
//! 3e-2        9.20     3.246      9.11     3.183       2.50       1.11
//! 1e-1        6.41     3.124      6.35     3.060       5.16       1.30
//! best error 1.00 % at beta 1e-3
//! ```
//!
//! The plot is `bottleneck.svg` in `--out`.

use std::error::Error;
use std::f64::consts::LN_2;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use monomorph::augment::Images;
use monomorph::data::Dataset;
use monomorph::data::idx::{Image, Mnist};
use monomorph::distributions::Normal;
use monomorph::memory;
use monomorph::metrics::information::entropy;
use monomorph::metrics::{Predictive, argmax, softmax};
use monomorph::network::{Workspace, evaluate_in, sample_in};
use monomorph::parallel::ParallelTrainer;
use monomorph::prelude::*;

/// The units of the code.
const UNITS: usize = 64;
/// The units of a hidden layer.
const WIDE: usize = 512;

// β is the weight of the terms, set by the trainer.
network! { pub Digits: [28, 28, 1] -> [10] {
    Flatten, first: Dense(WIDE), Relu, second: Dense(WIDE), Relu, code: Dense(2 * UNITS), Bottleneck(beta = 1.0), last: Dense(10)
} }
network! { pub Encoder: [28, 28, 1] -> [2 * UNITS] {
    Flatten, first: Dense(WIDE), Relu, second: Dense(WIDE), Relu, code: Dense(2 * UNITS)
} }

/// The samples that a thread computes together; a step has two such parts.
const SHARD: usize = 50;
/// The samples that are evaluated together.
const GROUP: usize = 50;

/// Trains a network for each β.
#[derive(Parser)]
struct Options {
    /// The weights of the information, in nats.
    #[arg(long, value_delimiter = ',', default_value = "1e-3,0.01,0.03,0.1")]
    betas: Vec<f64>,
    /// The learning rate at first.
    #[arg(long, default_value_t = 1e-3)]
    rate: f64,
    /// The passes over the training images.
    #[arg(long, default_value_t = 20)]
    epochs: u64,
    /// The draws of a prediction.
    #[arg(long, default_value_t = 12)]
    draws: usize,
    /// The random seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One epoch of a few samples, for two β, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// A folder with MNIST's files.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))]
    mnist: PathBuf,
    /// Where the plot goes.
    #[arg(long, default_value = "target")]
    out: PathBuf,
}

type Digit = Image<28, 28>;
type Data = Dataset<Digit, usize>;

/// Bounds of `I(Z; X)` and `I(Z; Y)` in bits, the error of one draw, and that of the mean of all.
fn measure(net: &Digits, data: &Data, draws: usize, noise: &mut Noise) -> [f64; 4] {
    let mut encoder = memory::boxed::<Encoder>();
    (encoder.first, encoder.second, encoder.code) = (net.first.clone(), net.second.clone(), net.code.clone());
    let mut codes = memory::boxed::<[[f32; 2 * UNITS]; GROUP]>();
    let mut of_encoder = memory::boxed::<Workspace<Encoder, GROUP>>();
    let mut scores = memory::boxed::<[[f32; 10]; GROUP]>();
    let mut workspace = memory::boxed::<Workspace<Digits, GROUP>>();
    let standard = Normal { mean: 0.0, deviation: 1.0 };
    let (mut of_image, mut of_digit, mut wrong, mut wrong_mean, mut count) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let mut digits = [0.0; 10];
    for batch in data.batches::<GROUP>() {
        evaluate_in(&*encoder, batch.x, &mut codes, &mut of_encoder);
        for code in codes.iter() {
            let (means, raw) = code.split_at(UNITS);
            for (mean, raw) in means.iter().zip(raw) {
                let deviation = (f64::from(*raw) - 5.0).exp().ln_1p();
                of_image += Normal { mean: f64::from(*mean), deviation }.divergence(&standard);
            }
        }
        let mut predictions: Vec<Predictive<10>> = vec![Predictive::default(); GROUP];
        for _ in 0..draws {
            sample_in(net, batch.x, &mut scores, &mut workspace, noise);
            for ((predictive, scores), class) in predictions.iter_mut().zip(scores.iter()).zip(batch.y) {
                predictive.add_logits(scores);
                of_digit += softmax(scores, 1.0)[*class].max(1e-30).ln() / draws as f64;
                wrong += f64::from(u8::from(argmax(&scores[..]) != *class)) / draws as f64;
            }
        }
        for (predictive, class) in predictions.iter().zip(batch.y) {
            wrong_mean += f64::from(u8::from(argmax(&predictive.mean()) != *class));
            digits[*class] += 1.0;
            count += 1.0;
        }
    }
    let of_labels = entropy(&digits.map(|digit: f64| digit / count));
    [of_image / count / LN_2, (of_labels + of_digit / count) / LN_2, wrong / count, wrong_mean / count]
}

fn learn(options: &Options, train: &mut Data, beta: f64) -> Result<Box<Digits>, Box<dyn Error>> {
    let mut noise = Noise::new(options.seed);
    let mut net = memory::boxed::<Digits>();
    net.initialize(Init::KaimingNormal, &mut noise);
    let steps = options.epochs * (train.len() / (2 * SHARD)) as u64;
    let trainer =
        Trainer::<Digits, _, SHARD>::new(Adam { learning_rate: options.rate, ..Adam::default() }, CrossEntropy)
            .schedule(Schedule::Cosine { warmup: 0, total: steps, floor: 0.01 })
            .term_weight(beta)
            .seed(noise.next_u64());
    let mut trainer = ParallelTrainer::new(trainer);
    let shift = Images { shift: 1.0, ..Images::default() };
    let mut images = memory::boxed::<[Digit; 2 * SHARD]>();
    for _ in 0..options.epochs {
        train.shuffle(&mut noise);
        for batch in train.batches::<{ 2 * SHARD }>() {
            batch.x.iter().zip(images.iter_mut()).for_each(|(from, to)| shift.apply(from, to, &mut noise));
            trainer.step(&mut net, &images[..], batch.y)?;
        }
    }
    Ok(net)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::parse();
    let Mnist { mut train, test } = Mnist::open(&options.mnist)?;
    if options.quick {
        (options.epochs, options.draws, options.betas) = (1, 2, vec![1e-3, 0.1]);
        let rest = train.len() - 20 * 2 * SHARD;
        (train, _) = train.split(rest);
    }
    let start = Instant::now();
    println!("            training, bits         test, bits             test error, %");
    println!("beta     I(Z; X)   I(Z; Y)   I(Z; X)   I(Z; Y)   one draw   mean of {}", options.draws);
    let (mut of_training, mut of_test) = (Vec::new(), Vec::new());
    let mut best = (f64::INFINITY, 0.0);
    for beta in &options.betas {
        let net = learn(&options, &mut train, *beta)?;
        let mut noise = Noise::new(options.seed);
        let [x, y, ..] = measure(&net, &train, 1, &mut noise);
        let [test_x, test_y, one, mean] = measure(&net, &test, options.draws, &mut noise);
        println!("{beta:<6e} {x:9.2} {y:9.3} {test_x:9.2} {test_y:9.3} {:10.2} {:10.2}", 100.0 * one, 100.0 * mean);
        of_training.push((x.log10(), y));
        of_test.push((test_x.log10(), test_y));
        if mean < best.0 {
            best = (mean, *beta);
        }
    }
    println!("best error {:.2} % at beta {:e}", 100.0 * best.0, best.1);
    eprintln!("{:.0} s", start.elapsed().as_secs_f64());
    curves::draw(
        &options.out.join("bottleneck.svg"),
        "What the code tells of the image and of the digit, for each β",
        ["log₁₀ I(Z; X), bits", "I(Z; Y), bits"],
        &[("training images", of_training), ("test images", of_test)],
    )
}

#[path = "support/curves.rs"]
mod curves;
