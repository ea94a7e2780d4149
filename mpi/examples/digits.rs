//! Learns MNIST's digits on several ranks.
//!
//! ```text
//! cargo build --release --example digits
//! mpirun -n 2 target/release/examples/digits --data ../data/mnist
//! ```
//!
//! Rank 0 prints; each rank learns from samples of its own. `--save` writes a checkpoint every `--every` steps, and
//! `--resume` continues from one: with the same samples, and the same bits.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use monomorph::data::Dataset;
use monomorph::data::idx::Mnist;
use monomorph::distributed::{Collective, DistributedTrainer};
use monomorph::prelude::*;
use monomorph::{memory, weights};
use monomorph_mpi::{Mpi, mpi};

network! {
    pub Digits: [28, 28, 1] -> [10] {
        Conv2d(16, kernel = 5, padding = same), Relu, MaxPool2d(2),
        Conv2d(32, kernel = 5), Relu, MaxPool2d(2),
        Flatten, Dense(128), Relu, Dense(10),
    }
}

type Digit = <Digits as monomorph::Layer>::Input;

/// Samples of all ranks together.
const BATCH: usize = 64;

/// Learns digits on several ranks.
#[derive(Parser)]
struct Options {
    /// The folder with MNIST's four files.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/mnist"))]
    data: PathBuf,
    /// How many steps to learn.
    #[arg(long, default_value_t = 500)]
    steps: u64,
    /// A checkpoint to write.
    #[arg(long)]
    save: Option<PathBuf>,
    /// After how many steps each.
    #[arg(long, default_value_t = 100)]
    every: u64,
    /// A checkpoint to continue from.
    #[arg(long)]
    resume: Option<PathBuf>,
    /// A file for the weights at the end.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Ends rank 1 after this many steps, as if its machine had failed.
    #[arg(long)]
    fail: Option<u64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let universe = mpi::initialize().ok_or("MPI was initialized before")?;
    let world = Mpi::new(universe.world());
    // A type for each number of ranks, because the size of a part is known at compile time.
    match Collective::<f32>::ranks(&world) {
        1 => learn::<BATCH, _>(&options, world),
        2 => learn::<{ BATCH / 2 }, _>(&options, world),
        4 => learn::<{ BATCH / 4 }, _>(&options, world),
        8 => learn::<{ BATCH / 8 }, _>(&options, world),
        ranks => Err(format!("{ranks} ranks cannot share batches of {BATCH} samples; start 1, 2, 4 or 8").into()),
    }
}

fn learn<const PART: usize, C: Collective<f32, Error: 'static>>(
    options: &Options,
    world: C,
) -> Result<(), Box<dyn Error>> {
    let (rank, ranks) = (world.rank(), world.ranks());
    let train: Dataset<Digit, usize> = Mnist::open(&options.data)?.train;
    let mut net = memory::boxed::<Digits>();
    net.initialize(Init::default(), &mut Noise::new(1));
    let mut trainer = DistributedTrainer::new(Trainer::<Digits, _, PART>::new(Adam::default(), CrossEntropy), world);
    if let Some(path) = &options.resume {
        trainer.trainer.resume(path, &mut net)?;
    }
    trainer.begin(&mut net)?;
    let (first, begin) = (trainer.trainer.steps(), Instant::now());
    for step in first..options.steps {
        if options.fail == Some(step) && rank == 1 {
            eprintln!("rank 1 fails at step {step}");
            std::process::exit(3);
        }
        // A batch is the same samples, whatever the number of ranks.
        let at = (step as usize * BATCH + rank * PART) % (train.len() - BATCH);
        let (x, y) = (&train.inputs()[at..at + PART], &train.targets()[at..at + PART]);
        let (Some(x), Some(y)) = (x.first_chunk(), y.first_chunk()) else { unreachable!("parts have PART samples") };
        let loss = trainer.step(&mut net, x, y)?.loss;
        if rank == 0 {
            println!("step {step} loss {loss:.6}");
            if let Some(path) = options.save.as_ref().filter(|_| (step + 1) % options.every == 0) {
                trainer.trainer.save(path, &net)?;
            }
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    if rank == 0 {
        let samples = (options.steps - first) as f64 * BATCH as f64;
        println!("{ranks} ranks: {:.0} samples/s", samples / seconds);
        if let Some(path) = &options.weights {
            weights::save(path, &*net)?;
        }
    }
    Ok(())
}
