//! A task that only memory solves: of a hundred numbers, two are marked; what is their sum?
//!
//! ```text
//! cargo run --release --example adding_problem
//! ```
//!
//! Expected output (the times are of one core of an AMD EPYC, Zen 4):
//!
//! ```text
//! Rnn            4417 parameters    3.9 s  mean squared error 0.1659
//! Gru           13121 parameters   16.6 s  mean squared error 0.0003
//! Lstm          17473 parameters   29.2 s  mean squared error 0.0006
//! attention      8737 parameters   34.3 s  mean squared error 0.0000
//! ```
//!
//! The numbers are uniform in 0 to 1. Who always answers 1 has a mean squared error of 1/6 = 0.167. The first mark is in
//! the first half of the sequence and the second in the other, as in Hochreiter and Schmidhuber, *Long short-term memory*
//! (1997). A plain recurrent network does not learn it: its gradients vanish on the way back through a hundred steps.

use std::error::Error;
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use monomorph::init::Init;
use monomorph::memory;
use monomorph::network::{Trainable, evaluate};
use monomorph::optim::Schedule;
use monomorph::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The length of a sequence.
const LENGTH: usize = 100;
/// Sequences of a step.
const BATCH: usize = 32;

/// A number and whether it is marked.
type Sequence = [[f32; 2]; LENGTH];

network! { pub Plain: [100, 2] -> [1] { Rnn(64, init = keras, last), Dense(1) } }
network! { pub Gated: [100, 2] -> [1] { Gru(64, init = keras, last), Dense(1) } }
network! { pub LongShort: [100, 2] -> [1] { Lstm(64, init = keras, last), Dense(1) } }
network! {
    pub Attending: [100, 2] -> [1] {
        Dense(32), TransformerBlock(heads = 4, ffn = 64), LayerNorm, GlobalAvgPool1d, Dense(1)
    }
}

/// Trains networks on the adding problem, side by side.
#[derive(Parser)]
struct Options {
    /// How many batches each of them learns from.
    #[arg(long, default_value_t = 4000)]
    steps: u32,
    /// The seed of the weights and the sequences.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A sequence and the sum of its marked numbers.
fn sequence(random: &mut ChaCha8Rng) -> (Sequence, [f32; 1]) {
    let mut x = [[0.0; 2]; LENGTH];
    for step in &mut x {
        step[0] = random.random();
    }
    let half = LENGTH as f64 / 2.0;
    let mut sum = 0.0;
    for begin in [0.0, half] {
        let marked = &mut x[(begin + random.random::<f64>() * half) as usize];
        marked[1] = 1.0;
        sum += marked[0];
    }
    (x, [sum])
}

/// Trains a network, and prints its error on sequences that it has not seen.
fn learn<N>(name: &str, options: &Options) -> Result<(), Box<dyn Error>>
where
    N: Trainable + Network<Scalar = f32, Input = Sequence, Output = [f32; 1]>,
{
    let bar = ProgressBar::new(options.steps.into())
        .with_style(ProgressStyle::with_template("{msg:12} {bar:30} {pos}/{len}, {eta} to go")?)
        .with_message(name.to_owned());
    let (mut net, mut random) = (memory::boxed::<N>(), ChaCha8Rng::seed_from_u64(options.seed));
    net.initialize(Init::KaimingUniform, &mut Noise::new(options.seed));
    let schedule = Schedule::Cosine { warmup: 100, total: options.steps.into(), floor: 0.01 };
    let optimizer = Adam { learning_rate: 3e-3, ..Adam::default() };
    let mut trainer = Trainer::<N, _, BATCH>::new(optimizer, Mse).schedule(schedule).clip(1.0);
    let (mut x, mut y) = ([[[0.0; 2]; LENGTH]; BATCH], [[0.0; 1]; BATCH]);
    let start = Instant::now();
    for _ in bar.wrap_iter(0..options.steps) {
        for (x, y) in x.iter_mut().zip(&mut y) {
            (*x, *y) = sequence(&mut random);
        }
        trainer.step(&mut net, &x, &y)?;
    }
    let (seconds, tests) = (start.elapsed().as_secs_f64(), 1000);
    let error = (0..tests).map(|_| {
        let (x, [y]) = sequence(&mut random);
        let [guess] = evaluate(&*net, &x);
        f64::from(guess - y).powi(2)
    });
    let error = error.sum::<f64>() / f64::from(tests);
    println!("{name:<12} {:>6} parameters  {seconds:>5.1} s  mean squared error {error:.4}", N::COUNT);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    learn::<Plain>("Rnn", &options)?;
    learn::<Gated>("Gru", &options)?;
    learn::<LongShort>("Lstm", &options)?;
    learn::<Attending>("attention", &options)
}
