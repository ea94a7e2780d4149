//! The speedup from more threads for batches of 256 samples: the minimum of many times.
//!
//! ```text
//! cargo bench --bench parallel
//! ```

mod random;
mod workloads;

use std::time::{Duration, Instant};

use monomorph::parallel::{ParallelEvaluator, ParallelTrainer};
use monomorph::prelude::*;
use monomorph::{Real, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::{ThreadPool, ThreadPoolBuilder};

use random::random;
use workloads::{Digits512, LeNet5};

const BATCH: usize = 256;
/// Samples per shard in training, and per group in evaluation.
const SHARD: usize = 64;
const GROUP: usize = 16;
/// Measuring time of each line.
const TIME: Duration = Duration::from_secs(4);

fn main() {
    measure::<LeNet5>();
    measure::<Digits512>();
}

fn measure<N>()
where
    N: Network<Scalar: Real, Input: Tensor<Element = N::Scalar>> + Trainable,
    CrossEntropy: Loss<N::Scalar, N::Output, u8>,
{
    let mut net = N::boxed(&mut ChaCha8Rng::seed_from_u64(1));
    let inputs = random::<N::Input, BATCH>(2);
    let mut noise = Noise::new(3);
    let targets = [(); BATCH].map(|()| noise.below(10) as u8);
    let mut outputs = monomorph::memory::boxed::<[N::Output; BATCH]>();

    println!("{}, batch {BATCH}", N::NAME);
    let mut evaluator = ParallelEvaluator::<N, GROUP>::new();
    compare("evaluate", || evaluator.evaluate(&net, &*inputs, &mut *outputs).expect("as many outputs as inputs"));
    let mut trainer = ParallelTrainer::new(Trainer::<N, _, SHARD>::new(Adam::default(), CrossEntropy));
    compare("step of Adam", || {
        trainer.step(&mut net, &*inputs, &targets).expect("a step");
    });
    let mut plain = Trainer::<N, _, BATCH>::new(Adam::default(), CrossEntropy);
    compare("the plain trainer's", || {
        plain.step(&mut net, &inputs, &targets).expect("a step");
    });
}

/// Runs `work` on one thread and on as many as there are cores, alternating, so that both see the same
/// disturbances.
fn compare(name: &str, mut work: impl FnMut() + Send) {
    let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    let (one, all) = (pool(1), pool(0));
    let mut least = [Duration::MAX; 2];
    let start = Instant::now();
    while start.elapsed() < TIME {
        for (pool, least) in [&one, &all].into_iter().zip(&mut least) {
            *least = time(pool, &mut work).min(*least);
        }
    }
    let [alone, together] = least.map(|time| time.as_secs_f64() * 1e6);
    println!(
        "  {name:20} {alone:6.0} µs on one thread, {together:6.0} µs on {}: {:.2} times as fast",
        all.current_num_threads(),
        alone / together
    );
}

fn time(pool: &ThreadPool, work: &mut (impl FnMut() + Send)) -> Duration {
    pool.install(|| {
        let start = Instant::now();
        work();
        start.elapsed()
    })
}
