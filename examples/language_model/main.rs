//! Learns to write, character by character, from a text: a transformer, or an LSTM.
//!
//! ```text
//! cargo run --release --example language_model -- --text FILE --minutes 10
//! cargo run --release --example language_model -- --lstm
//! ```
//!
//! Expected output on Shakespeare's plays (github.com/karpathy/char-rnn, 1.1 million characters), after ten minutes on
//! two cores; without `--text` it learns a few poems by heart, and does not write well:
//!
//! ```text
//! All want my fear, when I shall not in my sea,
//! And with the winter's heir darkened a barne. [..]
//! wrote out/language_model/loss.svg
//! validation loss: 1.48 nats
//! ```
//!
//! The last tenth of the text is not learned from but predicted: each character from the 64 to 127 characters before
//! it.

mod networks;
mod plot;

use std::error::Error;
use std::io::Read;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use monomorph::init::Init;
use monomorph::network::Trainable;
use monomorph::parallel::{ParallelEvaluator, ParallelTrainer};
use monomorph::prelude::*;
use monomorph::sampling::Sampling;
use monomorph::{Streaming, memory, streaming};
use networks::{CHARACTERS, LENGTH, Lstm, Transformer};

/// A part of the text, and what is to be predicted at each of its characters.
type Window = [u8; LENGTH];
type Scores = [[f32; CHARACTERS]; LENGTH];

/// Samples that one thread computes at a time, and how many such shards a step has.
const SHARD: usize = 8;
const SHARDS: usize = 2;

/// Learns to write from a text.
#[derive(Parser)]
struct Options {
    /// The text, gzipped or not.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/text/poems.txt"))]
    text: PathBuf,
    /// How long to learn.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// An LSTM instead of a transformer.
    #[arg(long)]
    lstm: bool,
    /// The largest learning rate.
    #[arg(long, default_value_t = 2e-3)]
    learning_rate: f64,
    /// The random seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for the plot.
    #[arg(long, default_value = "out/language_model")]
    out: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let text = read(&options.text)?;
    if options.lstm { learn::<Lstm>(&options, &text) } else { learn::<Transformer>(&options, &text) }
}

/// The characters of a text; those that are not ASCII become question marks.
fn read(path: &PathBuf) -> Result<Vec<u8>, Box<dyn Error>> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text)?;
    } else {
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    let text: Vec<u8> = text.chars().map(|letter| if letter.is_ascii() { letter as u8 } else { b'?' }).collect();
    if text.len() < 20 * LENGTH {
        return Err(format!("{}: a text of at least {} characters is needed", path.display(), 20 * LENGTH).into());
    }
    Ok(text)
}

fn learn<N>(options: &Options, text: &[u8]) -> Result<(), Box<dyn Error>>
where
    N: Network<Scalar = f32, Input = Window, Output = Scores> + Trainable,
    N: Streaming<StepInput = u8, StepOutput = [f32; CHARACTERS]>,
{
    println!("{}", N::summary());
    let (train, validation) = text.split_at(text.len() / 10 * 9);
    println!("{} characters to learn from, {} to predict", train.len(), validation.len());
    let mut noise = Noise::new(options.seed);
    let mut net = memory::boxed::<N>();
    net.initialize(Init::Normal(0.04), &mut noise);
    let adam = AdamW { learning_rate: options.learning_rate, beta2: 0.99, weight_decay: 0.05, ..AdamW::default() };
    let mut trainer = ParallelTrainer::new(Trainer::<N, _, SHARD>::new(adam, CrossEntropy).clip(1.0));

    let limit = 60.0 * options.minutes;
    let bar = ProgressBar::new(1000).with_style(ProgressStyle::with_template("[{bar:40}] {msg} {eta} left")?);
    let (mut x, mut y) = (vec![[0; LENGTH]; SHARD * SHARDS], vec![[0; LENGTH]; SHARD * SHARDS]);
    let (mut losses, mut checks) = (Vec::new(), Vec::new());
    let (begin, mut next) = (Instant::now(), 0.0);
    loop {
        let part = begin.elapsed().as_secs_f64() / limit;
        if part >= 1.0 {
            break;
        }
        trainer.trainer.optimizer.learning_rate = options.learning_rate * rate(part);
        for (x, y) in x.iter_mut().zip(&mut y) {
            let start = (noise.uniform() * (train.len() - LENGTH) as f64) as usize;
            x.copy_from_slice(&train[start..start + LENGTH]);
            y.copy_from_slice(&train[start + 1..=start + LENGTH]);
        }
        let loss = trainer.step(&mut net, &x, &y)?.loss;
        losses.push((options.minutes * part, f64::from(loss)));
        // A check of some of the text, twenty times.
        if part >= next {
            next += 0.05;
            checks.push((options.minutes * part, predict(&*net, &validation[..validation.len().min(8192)])));
        }
        bar.set_position((1000.0 * part) as u64);
        let (steps, check) = (losses.len(), checks.last().map_or(f64::NAN, |(_, loss)| *loss));
        bar.set_message(format!("step {steps}  loss {loss:.3}  validation {check:.3}"));
    }
    bar.finish_and_clear();
    println!("{} steps of {} characters\n", losses.len(), LENGTH * SHARD * SHARDS);
    write(&*net, "\n", 600, &mut noise);
    let loss = predict(&*net, validation);
    checks.push((options.minutes, loss));
    let plot = options.out.join("loss.svg");
    std::fs::create_dir_all(&options.out)?;
    plot::losses(&plot, &losses, &checks)?;
    println!("wrote {}", plot.display());
    println!("validation loss: {loss:.2} nats");
    Ok(())
}

/// The learning rate after a part of the time: it rises for a fiftieth of it, and falls along a cosine to a thirtieth.
fn rate(part: f64) -> f64 {
    if part < 0.02 {
        return (part / 0.02).max(0.01);
    }
    let cosine = (std::f64::consts::PI * (part - 0.02) / 0.98).cos();
    0.03 + 0.97 * (1.0 + cosine) / 2.0
}

/// The mean of -ln p of the characters of a text, each predicted from at least half a window before it.
fn predict<N: Network<Scalar = f32, Input = Window, Output = Scores>>(net: &N, text: &[u8]) -> f64 {
    const HALF: usize = LENGTH / 2;
    let mut evaluator = ParallelEvaluator::<N, 4>::new();
    let starts: Vec<usize> = (0..text.len() - LENGTH).step_by(HALF).collect();
    let (mut sum, mut count) = (0.0, 0);
    for starts in starts.chunks(64) {
        let windows: Vec<Window> =
            starts.iter().map(|start| std::array::from_fn(|index| text[start + index])).collect();
        let mut scores = vec![[[0.0; CHARACTERS]; LENGTH]; windows.len()];
        evaluator.evaluate(net, &windows, &mut scores).expect("as many outputs as inputs");
        for (start, scores) in starts.iter().zip(&scores) {
            for index in if *start == 0 { 0 } else { HALF }..LENGTH {
                let scores = &scores[index];
                let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let total: f64 = scores.iter().map(|score| f64::from(score - max).exp()).sum();
                let score = scores[usize::from(text[start + index + 1])];
                sum += total.ln() - f64::from(score - max);
                count += 1;
            }
        }
    }
    sum / f64::from(count)
}

/// Writes a text, one character after the other.
fn write<N: Streaming<StepInput = u8, StepOutput = [f32; CHARACTERS]>>(
    net: &N,
    begin: &str,
    length: usize,
    noise: &mut Noise,
) where
    N::Scalar: monomorph::Real,
{
    let sampling = Sampling { temperature: 0.8, top_p: 0.95, ..Sampling::default() };
    let mut state = memory::boxed::<N::State>();
    let (mut text, mut letter) = (String::new(), 0);
    for index in 0..length {
        letter = begin.as_bytes().get(index).copied().unwrap_or(letter);
        let mut scores = streaming::step(net, &mut state, &letter);
        letter = sampling.draw(&mut scores, noise) as u8;
        text.push(char::from(letter));
    }
    println!("{text}\n");
}
