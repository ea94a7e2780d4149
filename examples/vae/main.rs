//! Variational autoencoders (Kingma and Welling, 2014): digits made from two numbers, and pictures taken apart into what
//! varies in them.
//!
//! ```text
//! cargo run --release --example vae
//! cargo run --release --example vae -- --quick
//! ```
//!
//! The first learns MNIST through a code of two numbers, so that there is a map of it. The second sees squares of 6 sizes at
//! 12 × 12 places and has a code of six numbers. With β above 1 the code costs more than it needs to (Higgins et al., *β-VAE*,
//! 2017): numbers then share less, which their total correlation shows, and each has a factor of its own, which the mutual
//! information gap shows (Chen et al., 2018): 1 if every factor is told by one number alone. Output, means over seeds 1 to 5
//! with the deviation of the gap, in nats for a picture:
//!
//! ```text
//! digits: 154.6 nats for a test image: 148.8 for the pixels, 5.81 for the code
//! squares, in nats:
//! beta  pixels   code  I(z; x)  total correlation  each number   gap
//! 1      11.43   7.86     6.19              1.569         0.10  0.13 ± 0.12
//! 4      17.99   4.10     3.96              0.121         0.02  0.27 ± 0.16
//! 8      28.41   2.26     2.24              0.018         0.00  0.28 ± 0.08
//! ```
//!
//! From β = 1 to 4 the numbers nearly stop sharing what they tell, and the gap doubles; with 8 they tell less of everything.
//!
//! In `--out`: `samples.png` of random codes, `manifold.png` of a grid of codes, `map.svg` of the codes of test images,
//! `squares.png`, in whose rows one number of the code goes from −2 to 2: six rows with β = 1, then six with the largest β.

mod squares;

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use monomorph::data::idx::{Image, Mnist};
use monomorph::distributions::Normal;
use monomorph::memory;
use monomorph::network::{evaluate, sample};
use monomorph::prelude::*;
use plotters::prelude::*;

/// The numbers of a picture.
const PIXELS: usize = 28 * 28;

network! { pub Digits: [PIXELS] -> [PIXELS] {
    inward: Dense(400), Relu, code: Dense(4), Bottleneck(beta = 1.0, scale = log_variance),
    outward: Dense(400), Relu, last: Dense(PIXELS)
} }
network! { pub Encoder: [PIXELS] -> [4] { inward: Dense(400), Relu, code: Dense(4) } }
network! { pub Decoder: [2] -> [PIXELS] { outward: Dense(400), Relu, last: Dense(PIXELS) } }

const BATCH: usize = 100;

/// Trains variational autoencoders.
#[derive(Parser)]
struct Options {
    /// The passes over the training images of digits.
    #[arg(long, default_value_t = 20)]
    epochs: u64,
    /// The steps of each training on squares.
    #[arg(long, default_value_t = 10_000)]
    steps: u64,
    /// How many seeds, from 1 on, learn squares.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// The weights of the code's information; the largest last.
    #[arg(long, value_delimiter = ',', default_value = "1,4,8")]
    betas: Vec<f64>,
    /// A few steps, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// A folder with MNIST's files.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))]
    mnist: PathBuf,
    /// Where the pictures go.
    #[arg(long, default_value = "target/vae")]
    out: PathBuf,
}

/// A code as distributions: means, and logarithms of variances.
fn distributions<const N: usize>(code: &[f32]) -> [Normal<f64>; N] {
    core::array::from_fn(|index| Normal {
        mean: f64::from(code[index]),
        deviation: (0.5 * f64::from(code[N + index])).exp(),
    })
}

/// What a code tells, at most: its divergence from the prior.
fn divergence(code: &[Normal<f64>]) -> f64 {
    code.iter().map(|normal| normal.divergence(&Normal { mean: 0.0, deviation: 1.0 })).sum()
}

/// The cross-entropy of pixels, given logits.
fn cross_entropy(logits: &[f32], pixels: &[f32]) -> f64 {
    let of = |(logit, pixel): (&f32, &f32)| {
        let logit = f64::from(*logit);
        logit.max(0.0) - logit * f64::from(*pixel) + (-logit.abs()).exp().ln_1p()
    };
    logits.iter().zip(pixels).map(of).sum()
}

/// Logits as ink.
fn ink(logits: &[f32]) -> Vec<f32> {
    logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect()
}

fn flat(image: &Image<28, 28>) -> [f32; PIXELS] {
    core::array::from_fn(|index| image[index / 28][index % 28][0])
}

fn digits(options: &Options) -> Result<(), Box<dyn Error>> {
    let Mnist { train, test } = Mnist::open(&options.mnist)?;
    let mut images: Vec<[f32; PIXELS]> = train.inputs().iter().map(flat).collect();
    images.truncate(if options.quick { 20 * BATCH } else { images.len() });
    let mut noise = Noise::new(1);
    let mut net = memory::boxed::<Digits>();
    net.initialize(Init::KaimingNormal, &mut noise);
    let steps = options.epochs * (images.len() / BATCH) as u64;
    // The loss is a mean over pixels, so the divergence is shared by them.
    let mut trainer = Trainer::<Digits, _, BATCH>::new(Adam::default(), BceWithLogits)
        .schedule(Schedule::Cosine { warmup: 0, total: steps, floor: 0.01 })
        .term_weight(1.0 / PIXELS as f64)
        .seed(noise.next_u64());
    for _ in 0..options.epochs {
        noise.shuffle(&mut images);
        for batch in images.as_chunks::<BATCH>().0 {
            trainer.step(&mut net, batch, batch)?;
        }
    }
    let mut encoder = memory::boxed::<Encoder>();
    (encoder.inward, encoder.code) = (net.inward.clone(), net.code.clone());
    let mut decoder = memory::boxed::<Decoder>();
    (decoder.outward, decoder.last) = (net.outward.clone(), net.last.clone());

    let (mut pixels, mut code) = (0.0, 0.0);
    let mut map = Vec::new();
    for (image, class) in test.inputs().iter().zip(test.targets()) {
        let image = flat(image);
        let of = distributions::<2>(&evaluate(&*encoder, &image));
        pixels += cross_entropy(&sample(&*net, &image, &mut noise), &image) / test.len() as f64;
        code += divergence(&of) / test.len() as f64;
        map.push((of.map(|normal| normal.mean), *class));
    }
    println!("digits: {:.1} nats for a test image: {pixels:.1} for the pixels, {code:.2} for the code", pixels + code);
    let decoded = |code: [f64; 2]| ink(&evaluate(&*decoder, &code.map(|x| x as f32)));
    let drawn: Vec<Vec<f32>> = (0..100).map(|_| decoded([noise.normal(), noise.normal()])).collect();
    picture::sheet(&options.out.join("samples.png"), &drawn, 28, 10, 1)?;
    let at = |index: usize| -2.2 + 4.4 * index as f64 / 19.0;
    let grid: Vec<Vec<f32>> = (0..400).map(|index| decoded([at(index % 20), -at(index / 20)])).collect();
    picture::sheet(&options.out.join("manifold.png"), &grid, 28, 20, 1)?;

    let path = options.out.join("map.svg");
    let root = SVGBackend::new(&path, (640, 640)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("The codes of 2,000 test images", ("sans-serif", 20))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(30)
        .build_cartesian_2d(-3.5..3.5, -3.5..3.5)?;
    chart.configure_mesh().light_line_style(WHITE).draw()?;
    for digit in 0..10 {
        let color = HSLColor(digit as f64 / 10.0, 0.8, if digit % 2 == 0 { 0.35 } else { 0.6 });
        let dots = map.iter().take(2000).filter(|(_, class)| *class == digit);
        chart
            .draw_series(dots.map(|([x, y], _)| Circle::new((*x, *y), 2, color.filled())))?
            .label(digit.to_string())
            .legend(move |at| Circle::new(at, 4, color.filled()));
    }
    chart.configure_series_labels().border_style(BLACK.mix(0.3)).background_style(WHITE).draw()?;
    root.present()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::parse();
    if options.quick {
        (options.epochs, options.steps, options.seeds, options.betas) = (1, 100, 1, vec![1.0, 8.0]);
    }
    std::fs::create_dir_all(&options.out)?;
    digits(&options)?;
    squares::learn(&options)
}

#[path = "../support/picture.rs"]
mod picture;
