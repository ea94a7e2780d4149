//! Learns to recognize handwritten digits: all of MNIST, from the declaration to saved weights.
//!
//! ```text
//! cargo run --release --example digits                # trains, reports, saves
//! cargo run --release --example digits -- --evaluate  # runs the saved network without allocating
//! cargo run --release --example digits -- --pack      # packs its weights and compares the results
//! cargo run --release --example digits -- --help
//! ```

mod plots;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use monomorph::data::Dataset;
use monomorph::data::idx::Mnist;
use monomorph::prelude::*;
use monomorph::weights;
use monomorph::weights::blob::{load_blob, to_blob};
use plots::{Confusion, Mistake};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

network! {
    /// Recognizes a digit in an image of 28×28 grey pixels, modelled on LeNet-5.
    #[packed(DigitsBf16: bf16, DigitsF16: f16, DigitsI8: i8)]
    pub Digits: [28, 28, 1] -> [10] {
        Conv2d(8, kernel = 5, padding = 2), Relu, MaxPool2d(2),
        Conv2d(16, kernel = 5), Relu, MaxPool2d(2),
        Flatten,
        Dense(120), Relu, Dropout(0.2),
        Dense(84), Relu,
        Dense(10),
    }
}

/// Samples in a mini-batch.
const BATCH: usize = 64;

type Image = [[[f32; 1]; 28]; 28];

/// Trains a small convolutional network on MNIST, or runs a trained one.
#[derive(Parser)]
struct Options {
    /// The number of passes over the training images.
    #[arg(long, default_value_t = 6)]
    epochs: u64,
    /// The random seed; the same seed gives the same network.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The largest learning rate of the one-cycle schedule.
    #[arg(long, default_value_t = 4e-3)]
    learning_rate: f64,
    /// Train on only this many images, for a shorter run.
    #[arg(long)]
    samples: Option<usize>,
    /// The folder with MNIST's four files.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))]
    data: PathBuf,
    /// The folder for weights and plots.
    #[arg(long, default_value = "out/digits")]
    out: PathBuf,
    /// Do not train: run the saved network on the 10,000 test images.
    #[arg(long)]
    evaluate: bool,
    /// Do not train: pack the saved network's weights into files that can be read in place, and compare.
    #[arg(long)]
    pack: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mnist = Mnist::open(&options.data)?;
    let weights = options.out.join("digits.safetensors");
    if options.evaluate {
        return evaluate(&weights, &mnist.test);
    }
    if options.pack {
        return pack(&options.out, &weights, &mnist.test);
    }
    fs::create_dir_all(&options.out)?;

    let mut train = mnist.train;
    if let Some(samples) = options.samples {
        let all = train.len();
        (train, _) = train.split(all.saturating_sub(samples));
    }
    let steps = options.epochs * (train.len() / BATCH) as u64;
    println!("{}", Digits::summary());
    println!("{} training images, {steps} steps of {BATCH}", train.len());

    let start = Instant::now();
    let mut net = Digits::boxed(&mut ChaCha8Rng::seed_from_u64(options.seed));
    let mut trainer = Trainer::<Digits, _, BATCH>::new(
        AdamW { learning_rate: options.learning_rate, ..AdamW::default() },
        CrossEntropy,
    )
    .schedule(Schedule::one_cycle(steps))
    .seed(options.seed);
    let mut evaluator = Evaluator::<Digits, BATCH>::new();
    let mut noise = Noise::new(options.seed);
    let (mut losses, mut accuracies) = (Vec::new(), Vec::new());
    for epoch in 1..=options.epochs {
        train.shuffle(&mut noise);
        let bar = progress_bar((train.len() / BATCH) as u64, epoch, options.epochs);
        let (mut seen, mut correct) = (0, 0);
        for batch in train.batches::<BATCH>() {
            let step = trainer.step(&mut net, batch.x, batch.y)?;
            seen += BATCH;
            correct += step.correct.unwrap_or(0);
            losses.push((trainer.steps() as f64 / (train.len() / BATCH) as f64, f64::from(step.loss)));
            bar.inc(1);
            if bar.position().is_multiple_of(16) {
                let accuracy = 100.0 * correct as f64 / seen as f64;
                bar.set_message(format!("loss {:.4}  accuracy {accuracy:.2} %", step.loss));
            }
        }
        bar.finish_and_clear();
        let score = evaluator.score(&net, &CrossEntropy, mnist.test.inputs(), mnist.test.targets())?;
        let accuracy = score.accuracy.unwrap_or(0.0);
        accuracies.push((epoch as f64, accuracy));
        println!(
            "epoch {epoch}/{}  training accuracy {:.2} %  test loss {:.4}  test accuracy {:.2} %  {:.1} s",
            options.epochs,
            100.0 * correct as f64 / seen.max(1) as f64,
            score.loss,
            100.0 * accuracy,
            start.elapsed().as_secs_f64()
        );
    }
    let seconds = start.elapsed().as_secs_f64();
    weights::save(&weights, &*net)?;

    let (confusion, mistakes) = examine(&mut evaluator, &net, &mnist.test);
    println!("\n{confusion}");
    let curves = options.out.join("learning.svg");
    plots::learning_curves(&curves, "Digits on MNIST", &losses, &accuracies)?;
    let sheet = options.out.join("mistakes.svg");
    plots::contact_sheet(&sheet, "The worst mistakes", &mistakes[..mistakes.len().min(24)], 8)?;
    println!("wrote {}, {} and {}", weights.display(), curves.display(), sheet.display());
    println!("trained in {seconds:.1} s");
    println!("test accuracy: {:.2} %", 100.0 * confusion.accuracy());
    Ok(())
}

fn progress_bar(steps: u64, epoch: u64, epochs: u64) -> ProgressBar {
    let template = "epoch {prefix} [{bar:40}] {pos}/{len} {per_sec} {msg} {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps).with_style(style.progress_chars("=> ")).with_prefix(format!("{epoch}/{epochs}"))
}

/// The network's answers for the test images, and its mistakes, most confident first.
fn examine<'a>(
    evaluator: &mut Evaluator<Digits, BATCH>,
    net: &Digits,
    test: &'a Dataset<Image, usize>,
) -> (Confusion, Vec<Mistake<'a>>) {
    let (mut confusion, mut mistakes) = (Confusion::default(), Vec::new());
    evaluator.for_each(net, test.inputs(), |index, scores| {
        let (label, predicted) = (test.targets()[index], largest(scores));
        confusion.add(label, predicted);
        if predicted != label {
            let sum: f32 = scores.iter().map(|score| (score - scores[predicted]).exp()).sum();
            let probability = f64::from(1.0 / sum);
            mistakes.push(Mistake { image: &test.inputs()[index], label, predicted, probability });
        }
    });
    mistakes.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    (confusion, mistakes)
}

/// The index of the largest score.
fn largest(scores: &[f32; 10]) -> usize {
    (0..10).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap_or(0)
}

/// Runs the saved network on all test images: no allocation, one image at a time and in batches.
fn evaluate(path: &Path, test: &Dataset<Image, usize>) -> Result<(), Box<dyn Error>> {
    let mut net = monomorph::memory::boxed::<Digits>();
    weights::load(path, &mut *net)?;

    let mut workspace = monomorph::memory::boxed();
    let mut scores = [[0.0; 10]; 1];
    let start = Instant::now();
    let mut correct = 0;
    for (image, label) in test.iter() {
        net.evaluate_in(std::array::from_ref(image), &mut scores, &mut workspace);
        correct += usize::from(largest(&scores[0]) == *label);
    }
    let single = start.elapsed().as_secs_f64();

    let mut evaluator = Evaluator::<Digits, BATCH>::new();
    let start = Instant::now();
    let mut again = 0;
    evaluator.for_each(&net, test.inputs(), |index, scores| {
        again += usize::from(largest(scores) == test.targets()[index]);
    });
    let batched = start.elapsed().as_secs_f64();

    let images = test.len() as f64;
    println!("one at a time: {:.0} images/s ({:.2} µs per image)", images / single, 1e6 * single / images);
    println!("{BATCH} at a time: {:.0} images/s", images / batched);
    println!("memory: {} bytes of weights, {} bytes of workspace", Digits::PARAM_BYTES, Digits::EVALUATE_BYTES);
    println!("test accuracy: {:.2} %", 100.0 * correct as f64 / images);
    if again != correct {
        println!("in batches: {:.2} %", 100.0 * again as f64 / images);
    }
    Ok(())
}

/// Packs the saved network in every format, reads it back in place, and prints the accuracy of each.
fn pack(out: &Path, weights: &Path, test: &Dataset<Image, usize>) -> Result<(), Box<dyn Error>> {
    let mut net = monomorph::memory::boxed::<Digits>();
    weights::load(weights, &mut *net)?;
    println!("format    bytes  test accuracy   µs / image  file");
    measure("f32", &*net, out, test)?;
    measure("bf16", &*DigitsBf16::boxed_from(&net), out, test)?;
    measure("f16", &*DigitsF16::boxed_from(&net), out, test)?;
    measure("i8", &*DigitsI8::boxed_from(&net), out, test)
}

/// A row of the table: the network as read from its file.
fn measure<N>(format: &str, net: &N, out: &Path, test: &Dataset<Image, usize>) -> Result<(), Box<dyn Error>>
where
    N: Network<Scalar = f32, Input = Image, Output = [f32; 10]>,
{
    let path = out.join(format!("digits-{format}.blob"));
    fs::write(&path, to_blob(net))?;
    // A program that embeds the file needs no copy: `&Aligned(*include_bytes!("digits-i8.blob"))`.
    let mut read = monomorph::memory::boxed::<N>();
    load_blob(&fs::read(&path)?, &mut *read)?;

    let mut workspace = monomorph::memory::boxed();
    let mut scores = [[0.0; 10]; 1];
    let (start, mut correct) = (Instant::now(), 0);
    for (image, label) in test.iter() {
        monomorph::network::evaluate_in(&*read, std::array::from_ref(image), &mut scores, &mut workspace);
        correct += usize::from(largest(&scores[0]) == *label);
    }
    let (time, images) = (start.elapsed().as_secs_f64(), test.len() as f64);
    println!(
        "{format:6} {:8}  {:11.2} %  {:11.2}  {}",
        N::PARAM_BYTES,
        100.0 * correct as f64 / images,
        1e6 * time / images,
        path.display()
    );
    Ok(())
}
