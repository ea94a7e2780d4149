//! Whole networks: one evaluation and 64 at each SIMD level, training steps with batches of 64.
//!
//! ```text
//! cargo bench --bench networks                     # all, in about three minutes
//! cargo bench --bench networks -- LeNet5           # those whose name has this in it
//! cargo bench --bench networks -- 'evaluate 1,'    # one sample, all networks
//! ```
//!
//! An element is a floating-point operation, two for each multiply-accumulate, as in `layers.rs`: `Gelem/s` are GFLOP/s.
//! A step counts three times as many as an evaluation, less the gradient of the input, which is not computed.

mod random;
mod settings;
mod workloads;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use monomorph::memory;
use monomorph::network::{Workspace, evaluate_at};
use monomorph::prelude::*;
use monomorph::simd::{Level, levels};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use random::random;
use settings::settings;
use workloads::*;

const BATCH: usize = 64;

fn measure<N: Network + Trainable>(criterion: &mut Criterion)
where
    Mse: Loss<N::Scalar, N::Output, N::Output>,
    Sgd: Optimizer<N::Scalar>,
    Adam: Optimizer<N::Scalar>,
{
    let net = N::boxed(&mut ChaCha8Rng::seed_from_u64(1));
    evaluate::<N, 1>(criterion, &net);
    evaluate::<N, BATCH>(criterion, &net);
    // So slow that nothing is learned, and no number grows into another range.
    train::<N, _>(criterion, "Sgd", &net, Sgd { learning_rate: 1e-9, ..Sgd::default() });
    train::<N, _>(criterion, "Adam", &net, Adam { learning_rate: 1e-9, ..Adam::default() });
}

fn evaluate<N: Network + Trainable, const B: usize>(criterion: &mut Criterion, net: &N) {
    let input = random::<_, N::Input, B>(2);
    let mut output = memory::boxed::<[N::Output; B]>();
    let mut workspace = memory::boxed::<Workspace<N, B>>();
    let mut group = criterion.benchmark_group(format!("{}/evaluate {B}, FLOP", N::NAME));
    group.throughput(Throughput::Elements(2 * (B * N::OPERATIONS) as u64));
    for level in levels() {
        group.bench_function(name(level), |bencher| {
            bencher.iter(|| {
                evaluate_at(level, black_box(net), black_box(&input), &mut output, &mut workspace);
                black_box(&output);
            });
        });
    }
}

fn train<N: Network + Trainable, O: Optimizer<N::Scalar>>(
    criterion: &mut Criterion,
    optimizer_name: &str,
    start: &N,
    optimizer: O,
) where
    Mse: Loss<N::Scalar, N::Output, N::Output>,
{
    let mut net = memory::boxed::<N>();
    net.as_mut_slice().copy_from_slice(start.as_slice());
    let (input, target) = (random::<_, N::Input, BATCH>(2), random::<_, N::Output, BATCH>(3));
    let mut trainer = Trainer::<N, _, BATCH>::new(optimizer, Mse);
    let mut group = criterion.benchmark_group(format!("{}/step {BATCH}, FLOP", N::NAME));
    // The node after the input is the first layer; none of these networks begins with two.
    let operations = BATCH * (3 * N::OPERATIONS - N::GRAPH[1].macs);
    group.throughput(Throughput::Elements(2 * operations as u64)).sampling_mode(SamplingMode::Flat);
    group.bench_function(BenchmarkId::from_parameter(optimizer_name), |bencher| {
        bencher.iter(|| trainer.step(&mut net, black_box(&input), black_box(&target)));
    });
}

/// `Avx512` of `Avx512(..)`.
fn name(level: Level) -> String {
    format!("{level:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

criterion_group! {
    name = networks;
    config = settings();
    targets =
        measure::<PolicyTanh>, measure::<PolicyRelu>, measure::<Tiny16>, measure::<Tiny8>, measure::<Wide128>,
        measure::<Digits128>, measure::<Digits512>, measure::<LeNet5>, measure::<Anomaly>, measure::<Keywords>,
        measure::<ResNet8>, measure::<MobileNet>,
}
criterion_main!(networks);
