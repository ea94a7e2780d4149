//! Whole networks: evaluation of one sample and of 64 at each SIMD level, training steps with batches of 64.
//!
//! ```text
//! cargo bench --bench networks                     # all, in about three minutes
//! cargo bench --bench networks -- LeNet5           # those whose name contains this
//! cargo bench --bench networks -- 'evaluate 1,'    # one sample, all networks
//! ```
//!
//! An element is a floating-point operation, two for each multiply-accumulate, as in `layers.rs`: `Gelem/s` means
//! GFLOP/s. A step counts three times as many as an evaluation, minus the gradient of the input, which is not computed.

mod random;
mod settings;
mod workloads;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use monomorph::network::{Workspace, evaluate_at};
use monomorph::prelude::*;
use monomorph::simd::{Level, levels};
use monomorph::{Real, Scalar, Tensor, memory};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use random::random;
use settings::settings;
use workloads::*;

const BATCH: usize = 64;

network! { /// A block of a transformer, over 32 tokens.
pub Transformer: [32, 64] -> [32, 64] { TransformerBlock(heads = 4, ffn = 256) } }

fn measure<N>(criterion: &mut Criterion)
where
    N: Network<Scalar: Real, Input: Tensor<Element = N::Scalar>> + Trainable,
    Mse: Loss<N::Scalar, N::Output, N::Output>,
    Sgd: Optimizer<N::Scalar>,
    Adam: Optimizer<N::Scalar>,
{
    let net = N::boxed(&mut ChaCha8Rng::seed_from_u64(1));
    evaluate::<N, 1>(criterion, &net);
    evaluate::<N, BATCH>(criterion, &net);
    // The learning rate is so small that nothing is learned, and numbers stay in the same range.
    train::<N, _>(criterion, "Sgd", &net, Sgd { learning_rate: 1e-9, ..Sgd::default() });
    train::<N, _>(criterion, "Adam", &net, Adam { learning_rate: 1e-9, ..Adam::default() });
}

fn evaluate<N, const B: usize>(criterion: &mut Criterion, net: &N)
where
    N: Network<Input: Tensor<Element: Scalar>>,
{
    let input = random::<N::Input, B>(2);
    let mut output = memory::boxed::<[N::Output; B]>();
    let mut workspace = memory::boxed::<Workspace<N, B>>();
    let mut group = criterion.benchmark_group(format!("{}/evaluate {B}, FLOP", N::NAME));
    group.throughput(Throughput::Elements(2 * (B * N::MACS) as u64));
    for level in levels() {
        group.bench_function(name(level), |bencher| {
            bencher.iter(|| {
                evaluate_at(level, black_box(net), black_box(&input), &mut output, &mut workspace);
                black_box(&output);
            });
        });
    }
}

fn train<N, O: Optimizer<N::Scalar>>(criterion: &mut Criterion, optimizer_name: &str, start: &N, optimizer: O)
where
    N: Network<Scalar: Real, Input: Tensor<Element = N::Scalar>> + Trainable,
    Mse: Loss<N::Scalar, N::Output, N::Output>,
{
    let mut net = memory::boxed::<N>();
    net.as_mut_slice().copy_from_slice(start.as_slice());
    let (input, target) = (random::<N::Input, BATCH>(2), random::<N::Output, BATCH>(3));
    let mut trainer = Trainer::<N, _, BATCH>::new(optimizer, Mse);
    let mut group = criterion.benchmark_group(format!("{}/step {BATCH}, FLOP", N::NAME));
    // The node after the input is the first layer; none of these networks begins with two.
    let operations = BATCH * (3 * N::MACS - N::GRAPH[1].macs);
    group.throughput(Throughput::Elements(2 * operations as u64)).sampling_mode(SamplingMode::Flat);
    group.bench_function(BenchmarkId::from_parameter(optimizer_name), |bencher| {
        bencher.iter(|| trainer.step(&mut net, black_box(&input), black_box(&target)));
    });
}

/// `Avx512` from `Avx512(..)`.
fn name(level: Level) -> String {
    format!("{level:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

criterion_group! {
    name = networks;
    config = settings();
    targets =
        measure::<PolicyTanh>, measure::<PolicyRelu>, measure::<Tiny16>, measure::<Tiny8>, measure::<Wide128>,
        measure::<Digits128>, measure::<Digits512>, measure::<LeNet5>, measure::<Anomaly>, measure::<Keywords>,
        measure::<ResNet8>, measure::<MobileNet>, measure::<Transformer>,
}
criterion_main!(networks);
