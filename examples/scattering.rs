//! Handwritten digits by scattering: features that need no training, and a linear classifier behind them (Bruna and
//! Mallat 2013). And how little they change when an image is deformed, beside a plain convolution and the raw pixels.
//!
//! ```text
//! cargo run --release --example scattering                 # 1,000 training images
//! cargo run --release --example scattering -- --all        # all 60,000, too
//! cargo run --release --example scattering -- --quick
//! cargo run --release --example scattering -- --time       # seconds of an image
//! ```
//!
//! Each image has 81 features at 7 × 7 places: two scales, eight directions. They are scaled by what the training
//! images have, and a dense layer with a penalty on its weights does the rest.
//!
//! The picture, `out/scattering/stability.svg`, shows by how much features change with the size of a deformation
//! `x(u - τ(u))`. Mallat's theorem bounds that of scattering by `C·(max |∇τ| + 2^-J max |τ|)·‖x‖`, where the theorem
//! says that there is a `C` and not which; the line in the picture has the least that fits the smallest of the
//! deformations.

#[path = "support/curves.rs"]
mod curves;

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use monomorph::data::idx::Mnist;
use monomorph::memory::boxed;
use monomorph::optim::{Penalty, Regularized};
use monomorph::prelude::*;
use monomorph::scattering::Scattering2d;
use rayon::prelude::*;

const SIDE: usize = 28;
const FEATURES: usize = 7 * 7 * 81;
const BATCH: usize = 100;

type Image = [[[f32; 1]; SIDE]; SIDE];

network! {
    /// What stands behind the scattering.
    pub Linear: [FEATURES] -> [10] { Dense(10) }
}

network! {
    /// A plain convolution with random weights, as it is before any training.
    pub Convolution: [28, 28, 1] -> [7, 7, 81] { Conv2d(81, kernel = 5, padding = 2), Relu, MaxPool2d(4) }
}

/// Classifies digits by scattering.
#[derive(Parser)]
struct Options {
    /// The folder with MNIST's four files.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))]
    data: PathBuf,
    /// Learn from all training images, too.
    #[arg(long)]
    all: bool,
    /// Few images.
    #[arg(long)]
    quick: bool,
    /// The penalty on the weights of the classifier, for 1,000 images.
    #[arg(long, default_value_t = 1e-3)]
    penalty: f64,
    /// What is added to a feature's deviation before it is scaled to 1, so that what hardly changes stays small.
    #[arg(long, default_value_t = 1e-3)]
    floor: f32,
    /// The passes over 1,000 images.
    #[arg(long, default_value_t = 100)]
    passes: u64,
    /// Print the seconds that an image takes on one thread and nothing else, for benches/peers/graphs.sh.
    #[arg(long)]
    time: bool,
    /// The random seed: which images are learned from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for the picture.
    #[arg(long, default_value = "out/scattering")]
    out: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mnist = Mnist::open(&options.data)?;
    let mut train = mnist.train;
    train.shuffle(&mut Noise::new(options.seed));
    let scattering = Scattering2d::<f32>::new([SIDE, SIDE], 2, 8)?;
    let tests = if options.quick { 500 } else { mnist.test.len() };

    if options.time {
        println!("{:.9}", time(scattering, &mnist.test.inputs()[..64]));
        return Ok(());
    }
    let start = Instant::now();
    let mut test = scatter(&scattering, &mnist.test.inputs()[..tests]);
    println!("{:.0} µs an image", 1e6 * start.elapsed().as_secs_f64() / tests as f64);
    stability(&options, &scattering, &mnist.test.inputs()[..if options.quick { 5 } else { 50 }])?;

    if options.all {
        let start = Instant::now();
        let inputs = scatter(&scattering, train.inputs());
        let error = learn(&options, inputs, train.targets(), &mut test.clone(), mnist.test.targets(), (10, 1e-5))?;
        println!("error with all {} images: {error:.2} %, {:.0} s", train.len(), start.elapsed().as_secs_f64());
    }
    let few = if options.quick { 200 } else { 1000 };
    let inputs = scatter(&scattering, &train.inputs()[..few]);
    let passes = if options.quick { 5 } else { options.passes };
    let error =
        learn(&options, inputs, &train.targets()[..few], &mut test, mnist.test.targets(), (passes, options.penalty))?;
    println!("error with {} images: {error:.2} %", if few == 1000 { "1,000".to_owned() } else { few.to_string() });
    Ok(())
}

/// The least seconds of an image, of many passes over some.
fn time(mut scattering: Scattering2d<f32>, images: &[Image]) -> f64 {
    let mut features = vec![0.0; FEATURES];
    let passes = (0..100).map(|_| {
        let start = Instant::now();
        for image in images {
            scattering.scatter(image.as_flattened().as_flattened(), &mut features);
        }
        start.elapsed().as_secs_f64() / images.len() as f64
    });
    passes.fold(f64::INFINITY, f64::min)
}

/// The features of all images.
fn scatter(scattering: &Scattering2d<f32>, images: &[Image]) -> Vec<[f32; FEATURES]> {
    let mut features = vec![[0.0; FEATURES]; images.len()];
    features.par_chunks_mut(64).zip(images.par_chunks(64)).for_each_init(
        || scattering.clone(),
        |scattering, (features, images)| {
            for (features, image) in features.iter_mut().zip(images) {
                scattering.scatter(image.as_flattened().as_flattened(), features);
            }
        },
    );
    features
}

/// Trains the linear classifier; the error of the tests in percent.
fn learn(
    options: &Options,
    mut inputs: Vec<[f32; FEATURES]>,
    targets: &[usize],
    tests: &mut [[f32; FEATURES]],
    test_targets: &[usize],
    (passes, penalty): (u64, f64),
) -> Result<f64, Box<dyn Error>> {
    // What the training images have is scaled to a mean of 0 and a deviation of 1.
    let count = inputs.len() as f64;
    let mut sums = vec![[0.0_f64; 2]; FEATURES];
    for input in &inputs {
        for (sum, x) in sums.iter_mut().zip(input) {
            *sum = [sum[0] + f64::from(*x), sum[1] + f64::from(*x).powi(2)];
        }
    }
    let scales: Vec<[f32; 2]> = sums
        .iter()
        .map(|[sum, squares]| {
            let mean = sum / count;
            [mean as f32, 1.0 / ((squares / count - mean * mean).max(0.0).sqrt() as f32 + options.floor)]
        })
        .collect();
    for input in inputs.iter_mut().chain(tests.iter_mut()) {
        for (x, [mean, scale]) in input.iter_mut().zip(&scales) {
            *x = (*x - mean) * scale;
        }
    }

    let mut net: Box<Linear> = boxed();
    let steps = passes * (inputs.len() / BATCH) as u64;
    let optimizer = Adam { learning_rate: 3e-4, ..Adam::default() };
    let optimizer = Regularized::new(optimizer, [Penalty::L2(penalty).on("*.weight")]);
    let mut trainer = Trainer::<Linear, _, BATCH>::new(optimizer, CrossEntropy)
        .schedule(Schedule::one_cycle(steps))
        .seed(options.seed);
    let (mut noise, mut order) = (Noise::new(options.seed), (0..inputs.len()).collect::<Vec<_>>());
    let (mut x, mut y): (Box<[[f32; FEATURES]; BATCH]>, _) = (boxed(), [0; BATCH]);
    for _ in 0..passes {
        noise.shuffle(&mut order);
        for chosen in order.chunks_exact(BATCH) {
            for ((x, y), index) in x.iter_mut().zip(&mut y).zip(chosen) {
                x.copy_from_slice(&inputs[*index]);
                *y = targets[*index];
            }
            trainer.step(&mut net, &x, &y)?;
        }
    }
    let score = Evaluator::<Linear, BATCH>::new().score(&net, &CrossEntropy, tests, &test_targets[..tests.len()])?;
    Ok(100.0 * (1.0 - score.accuracy.unwrap_or(0.0)))
}

/// A smooth deformation: waves of random directions, of no more than three periods over the image.
struct Deformation([[f64; 4]; 6]);

impl Deformation {
    fn draw(noise: &mut Noise) -> Self {
        Self(core::array::from_fn(|_| {
            [noise.normal(), (noise.uniform() - 0.5) * 0.6, (noise.uniform() - 0.5) * 0.6, noise.uniform() * 6.3]
        }))
    }

    /// `τ` at a place, for an amplitude of 1.
    fn at(&self, row: f64, column: f64) -> [f64; 2] {
        let mut shift = [0.0; 2];
        for (index, [amplitude, down, across, phase]) in self.0.iter().enumerate() {
            shift[index % 2] += amplitude * (down * row + across * column + phase).sin();
        }
        shift
    }

    /// `max |∇τ| + 2^-J max |τ|`, for an amplitude of 1.
    fn size(&self) -> f64 {
        let (mut steepest, mut largest) = (0.0_f64, 0.0_f64);
        for place in 0..SIDE * SIDE {
            let (row, column) = ((place / SIDE) as f64, (place % SIDE) as f64);
            let here = self.at(row, column);
            let (down, across) = (self.at(row + 0.01, column), self.at(row, column + 0.01));
            let slopes = [0, 1].map(|axis| [(down[axis] - here[axis]) / 0.01, (across[axis] - here[axis]) / 0.01]);
            steepest = steepest.max(slopes.as_flattened().iter().map(|slope| slope * slope).sum::<f64>().sqrt());
            largest = largest.max(here[0].hypot(here[1]));
        }
        steepest + largest / 4.0
    }

    /// `x(u - τ(u))`, between pixels by the four around.
    fn apply(&self, image: &Image, amplitude: f64) -> Image {
        let mut deformed = [[[0.0]; SIDE]; SIDE];
        for (row, line) in deformed.iter_mut().enumerate() {
            for (column, pixel) in line.iter_mut().enumerate() {
                let [down, across] = self.at(row as f64, column as f64);
                let (y, x) = (row as f64 - amplitude * down, column as f64 - amplitude * across);
                let (top, left) = (y.floor(), x.floor());
                for (row, share) in [(top, 1.0 - (y - top)), (top + 1.0, y - top)] {
                    for (column, part) in [(left, 1.0 - (x - left)), (left + 1.0, x - left)] {
                        let inside = |at: f64| (at >= 0.0 && at < SIDE as f64).then_some(at as usize);
                        if let (Some(row), Some(column)) = (inside(row), inside(column)) {
                            pixel[0] += (share * part) as f32 * image[row][column][0];
                        }
                    }
                }
            }
        }
        deformed
    }
}

/// Measures how much features change with the size of a deformation, and draws it.
fn stability(options: &Options, scattering: &Scattering2d<f32>, images: &[Image]) -> Result<(), Box<dyn Error>> {
    let mut net: Box<Convolution> = boxed();
    net.initialize(Init::default(), &mut Noise::new(options.seed));
    let (mut scattering, mut evaluator) = (scattering.clone(), Evaluator::<Convolution, 1>::new());
    let mut features = |image: &Image| -> [Vec<f32>; 3] {
        let (mut scattered, mut plain) = (vec![0.0; FEATURES], Vec::new());
        scattering.scatter(image.as_flattened().as_flattened(), &mut scattered);
        evaluator.for_each(&net, std::slice::from_ref(image), |_, y| plain = y.as_flattened().as_flattened().to_vec());
        [scattered, plain, image.as_flattened().as_flattened().to_vec()]
    };
    let change = |a: &[f32], b: &[f32]| -> f64 {
        let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x * x)).sum::<f64>().sqrt();
        norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut a.iter().copied())
    };
    let sizes: Vec<f64> = (1..=10).map(|step| f64::from(step) * 0.06).collect();
    let (mut curves, mut most) = ([const { Vec::new() }; 3], Vec::new());
    for size in &sizes {
        let (mut sums, mut largest, mut noise) = ([0.0; 3], 0.0_f64, Noise::new(options.seed));
        for image in images {
            let deformation = Deformation::draw(&mut noise);
            let (before, after) = (features(image), features(&deformation.apply(image, size / deformation.size())));
            let changes: [f64; 3] = core::array::from_fn(|kind| change(&before[kind], &after[kind]));
            sums = core::array::from_fn(|kind| sums[kind] + changes[kind] / images.len() as f64);
            largest = largest.max(changes[0]);
        }
        curves.iter_mut().zip(sums).for_each(|(curve, mean)| curve.push((*size, mean)));
        most.push((*size, largest));
    }
    let constant = most[0].1 / most[0].0;
    let within = most.iter().filter(|(size, change)| *change <= constant * size * 1.000_001).count();
    println!(
        "deformations: scattering stays within {constant:.2} times their size in {within} of {} sizes",
        most.len()
    );
    let [scattered, plain, pixels] = curves;
    println!(
        "changed by a deformation of {:.2}: scattering {:.1} %, a plain convolution {:.1} %, pixels {:.1} %",
        sizes[4],
        100.0 * scattered[4].1,
        100.0 * plain[4].1,
        100.0 * pixels[4].1
    );
    let bound = sizes.iter().map(|size| (*size, constant * size)).collect();
    let path = options.out.join("stability.svg");
    let labels = ["size of the deformation, max |∇τ| + max |τ| / 4", "relative change of the features"];
    let curves = [
        ("scattering", scattered),
        ("plain convolution", plain),
        ("pixels", pixels),
        ("scattering, the most", most),
        ("bound of scattering", bound),
    ];
    curves::draw(&path, "How much a deformation changes", labels, &curves)?;
    println!("wrote {}", path.display());
    Ok(())
}
