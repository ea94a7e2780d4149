//! Every kind of layer that computes something (`Flatten` does not): one evaluation, and forward and backward of a
//! batch of 32, at the best SIMD level. Also losses with their gradients, for the same batch size.
//!
//! ```text
//! cargo bench --bench layers                       # all, in about three minutes
//! cargo bench --bench layers -- Conv2d             # one kind
//! cargo bench --bench layers -- 'Activations.*evaluate'
//! ```
//!
//! In groups whose name ends in `FLOP`, an element is a floating-point operation, two for each
//! multiply-accumulate, so `Gelem/s` means GFLOP/s. Forward and backward together count three times as
//! many as an evaluation: the output, the gradient of the parameters, the gradient of the input. In the
//! other groups, an element is an output number of the layer (or an input number, if there are more).

mod random;
mod settings;

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use monomorph::Tensor;
use monomorph::layer::{Inputs, Layer, Pass, numbers_of};
use monomorph::loss::{BceWithLogits, CrossEntropy, Huber, KlDivergence, Loss, Mae, Mse, SmoothCrossEntropy};
use monomorph::memory;
use monomorph::network::{Workspace, evaluate_in};
use monomorph::prelude::*;
use monomorph::simd::{Simd, Task, dispatch, level};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use random::random;
use settings::settings;

const BATCH: usize = 32;

/// What a measurement counts.
#[derive(Clone, Copy)]
enum Count {
    Flop,
    Numbers,
}

/// A function that measures a group of networks of one layer.
macro_rules! group {
    ($function:ident, $title:literal, $count:ident: $($name:literal $input:tt -> $output:tt { $($layer:tt)* })*) => {
        fn $function(criterion: &mut Criterion) {
            let mut group = criterion.benchmark_group($title);
            $({
                network! { One: $input -> $output { $($layer)* } }
                measure::<One>(&mut group, $name, Count::$count);
            })*
        }
    };
}

group! { dense, "Dense, FLOP", Flop:
    "22 to 64" [22] -> [64] { Dense(64) }
    "128 to 128" [128] -> [128] { Dense(128) }
    "784 to 128" [784] -> [128] { Dense(128) }
    "1024 to 1024" [1024] -> [1024] { Dense(1024) }
    "84 to 10" [84] -> [10] { Dense(10) }
}
group! { conv1d, "Conv1d, FLOP", Flop:
    "kernel 5, 128x16 to 32" [128, 16] -> [124, 32] { Conv1d(32, kernel = 5) }
    "kernel 3, dilation 4, 256x32 to 32" [256, 32] -> [256, 32] { Conv1d(32, kernel = 3, dilation = 4, padding = same) }
}
group! { conv2d, "Conv2d, FLOP", Flop:
    "3x3, 32x32x16 to 16" [32, 32, 16] -> [32, 32, 16] { Conv2d(16, kernel = 3, padding = same) }
    "3x3, 16x16x32 to 32" [16, 16, 32] -> [16, 16, 32] { Conv2d(32, kernel = 3, padding = same) }
    "3x3, 8x8x64 to 64" [8, 8, 64] -> [8, 8, 64] { Conv2d(64, kernel = 3, padding = same) }
    "3x3, stride 2, 96x96x3 to 8" [96, 96, 3] -> [48, 48, 8] { Conv2d(8, kernel = 3, stride = 2, padding = same) }
    "5x5, 28x28x1 to 6" [28, 28, 1] -> [28, 28, 6] { Conv2d(6, kernel = 5, padding = same) }
    "5x5, 14x14x6 to 16" [14, 14, 6] -> [10, 10, 16] { Conv2d(16, kernel = 5) }
    "1x1, 6x6x128 to 128" [6, 6, 128] -> [6, 6, 128] { Conv2d(128, kernel = 1) }
    "3x3, 4 groups, 16x16x32 to 32" [16, 16, 32] -> [16, 16, 32] { Conv2d(32, kernel = 3, groups = 4, padding = same) }
}
group! { depthwise, "Depthwise, FLOP", Flop:
    "1d, kernel 9, 128x32" [128, 32] -> [128, 32] { DepthwiseConv1d(9, padding = same) }
    "2d, 3x3, 48x48x8" [48, 48, 8] -> [48, 48, 8] { DepthwiseConv2d(3, padding = same) }
    "2d, 3x3, 6x6x128" [6, 6, 128] -> [6, 6, 128] { DepthwiseConv2d(3, padding = same) }
    "2d, 3x3, stride 2, 24x24x32" [24, 24, 32] -> [12, 12, 32] { DepthwiseConv2d(3, stride = 2, padding = same) }
}
group! { pools, "Pools, numbers", Numbers:
    "MaxPool1d 2, 128x16" [128, 16] -> [64, 16] { MaxPool1d(2) }
    "AvgPool1d 2, 128x16" [128, 16] -> [64, 16] { AvgPool1d(2) }
    "GlobalMaxPool1d 128x16" [128, 16] -> [16] { GlobalMaxPool1d }
    "GlobalAvgPool1d 128x16" [128, 16] -> [16] { GlobalAvgPool1d }
    "MaxPool2d 2, 28x28x6" [28, 28, 6] -> [14, 14, 6] { MaxPool2d(2) }
    "MaxPool2d 2, 32x32x32" [32, 32, 32] -> [16, 16, 32] { MaxPool2d(2) }
    "MaxPool2d 3, stride 2, 33x33x16" [33, 33, 16] -> [16, 16, 16] { MaxPool2d(3, stride = 2) }
    "AvgPool2d 2, 32x32x32" [32, 32, 32] -> [16, 16, 32] { AvgPool2d(2) }
    "GlobalMaxPool2d 8x8x64" [8, 8, 64] -> [64] { GlobalMaxPool2d }
    "GlobalAvgPool2d 8x8x64" [8, 8, 64] -> [64] { GlobalAvgPool2d }
}
group! { shapes, "Shapes and dropout, numbers", Numbers:
    "Upsample2d 2, 16x16x16" [16, 16, 16] -> [32, 32, 16] { Upsample2d(2) }
    "Dropout 4096" [4096] -> [4096] { Dropout(0.5) }
    "ActivityRegularization 4096" [4096] -> [4096] { ActivityRegularization(l1 = 1e-4, l2 = 1e-4) }
}
group! { embeddings, "Embeddings, numbers", Numbers:
    "Embedding 256 to 64, 128 tokens" [u8; 128] -> [128, 64] { Embedding(256, 64) }
}
group! { norms, "Norms, numbers", Numbers:
    "BatchNorm 128" [128] -> [128] { BatchNorm }
    "BatchNorm 16x16x32" [16, 16, 32] -> [16, 16, 32] { BatchNorm }
    "LayerNorm 128" [128] -> [128] { LayerNorm }
    "LayerNorm 64x96" [64, 96] -> [64, 96] { LayerNorm }
    "RmsNorm 128" [128] -> [128] { RmsNorm }
    "RmsNorm 64x96" [64, 96] -> [64, 96] { RmsNorm }
    "GroupNorm 4, 16x16x32" [16, 16, 32] -> [16, 16, 32] { GroupNorm(4) }
}
group! { softmax, "Softmax, numbers", Numbers:
    "Softmax 10" [10] -> [10] { Softmax }
    "Softmax 1000" [1000] -> [1000] { Softmax }
    "Softmax 64x64" [64, 64] -> [64, 64] { Softmax }
    "LogSoftmax 1000" [1000] -> [1000] { LogSoftmax }
}
group! { activations, "Activations of 4096, numbers", Numbers:
    "Identity" [4096] -> [4096] { Identity }
    "Relu" [4096] -> [4096] { Relu }
    "Relu6" [4096] -> [4096] { Relu6 }
    "LeakyRelu" [4096] -> [4096] { LeakyRelu }
    "Elu" [4096] -> [4096] { Elu }
    "Selu" [4096] -> [4096] { Selu }
    "Gelu" [4096] -> [4096] { Gelu }
    "GeluTanh" [4096] -> [4096] { GeluTanh }
    "Silu" [4096] -> [4096] { Silu }
    "Sigmoid" [4096] -> [4096] { Sigmoid }
    "Tanh" [4096] -> [4096] { Tanh }
    "HardSigmoid" [4096] -> [4096] { HardSigmoid }
    "HardSwish" [4096] -> [4096] { HardSwish }
    "HardTanh" [4096] -> [4096] { HardTanh }
    "LeakyHardTanh" [4096] -> [4096] { LeakyHardTanh }
    "FastTanh" [4096] -> [4096] { FastTanh }
    "Mish" [4096] -> [4096] { Mish }
    "Softplus" [4096] -> [4096] { Softplus }
    "Softsign" [4096] -> [4096] { Softsign }
}

fn measure<N>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, count: Count)
where
    N: Network<Scalar = f32, Input: Tensor>,
{
    let net = N::boxed(&mut ChaCha8Rng::seed_from_u64(1));
    let (once, with_backward) = match count {
        Count::Flop => (2 * N::MACS, 3 * 2 * N::MACS * BATCH),
        Count::Numbers => {
            let numbers = N::Output::LEN.max(N::Input::LEN);
            (numbers, numbers * BATCH)
        }
    };

    let input = inputs::<N::Input, 1>();
    let mut output = memory::boxed::<[N::Output; 1]>();
    let mut workspace = memory::boxed::<Workspace<N, 1>>();
    group.throughput(Throughput::Elements(once as u64));
    group.bench_function(format!("{name}/evaluate 1"), |bencher| {
        bencher.iter(|| {
            evaluate_in(black_box(&*net), black_box(&input), &mut output, &mut workspace);
            black_box(&output);
        });
    });

    let mut training = Training {
        input: inputs::<N::Input, BATCH>(),
        output: memory::boxed(),
        saved: memory::boxed(),
        grad_output: random::<N::Output, BATCH>(3),
        grad_input: memory::boxed(),
        gradient: memory::boxed(),
        pass: Pass::new(Noise::new(4), 0.0),
        net: &*net,
    };
    group.throughput(Throughput::Elements(with_backward as u64));
    group.bench_function(format!("{name}/forward and backward {BATCH}"), |bencher| {
        bencher.iter(|| {
            dispatch(level(), black_box(&mut training));
            black_box(&training.grad_input);
        });
    });
    // A layer may overwrite it; its numbers would then shrink until they are denormal, which is slow.
    let before = random::<N::Output, BATCH>(3);
    let unchanged = training.grad_output.iter().zip(&*before).all(|(now, before)| now.numbers() == before.numbers());
    assert!(unchanged, "{name} changes the gradient of its output");
}

/// A batch of random numbers, or of tokens.
fn inputs<X: Tensor, const B: usize>() -> Box<[X; B]> {
    let mut noise = Noise::new(2);
    let mut batch = memory::boxed::<[X; B]>();
    if let Some(numbers) = numbers_of::<f32, X>(&mut *batch) {
        numbers.fill_with(|| noise.normal() as f32);
    }
    if let Some(tokens) = numbers_of::<u8, X>(&mut *batch) {
        tokens.fill_with(|| noise.below(256) as u8);
    }
    batch
}

/// Both passes for a batch, with the gradient of the input.
struct Training<'a, N: Network> {
    input: Box<[N::Input; BATCH]>,
    output: Box<[N::Output; BATCH]>,
    saved: Box<<N as Layer>::Saved<BATCH>>,
    grad_output: Box<[N::Output; BATCH]>,
    grad_input: Box<<N::Input as Inputs>::Owned<BATCH>>,
    gradient: Box<N>,
    pass: Pass<N::Scalar>,
    net: &'a N,
}

impl<N: Network> Task for &mut Training<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Training { input, output, saved, grad_output, grad_input, gradient, pass, net } = self;
        net.forward(simd, N::batch(input), output, saved, pass);
        net.backward(simd, N::batch(input), output, saved, grad_output, N::Input::gradient(grad_input), gradient, pass);
    }
}

fn losses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("Losses, numbers");
    let numbers = random::<[f32; 784], BATCH>(5);
    measure_loss(&mut group, "Mse 784", &Mse, &numbers);
    measure_loss(&mut group, "Mae 784", &Mae, &numbers);
    measure_loss(&mut group, "Huber 784", &Huber::default(), &numbers);
    measure_loss(&mut group, "BceWithLogits 784", &BceWithLogits, &numbers);
    let classes: [u16; BATCH] = std::array::from_fn(|sample| (sample % 10) as u16);
    measure_loss::<_, _, 10>(&mut group, "CrossEntropy 10", &CrossEntropy, &classes);
    measure_loss::<_, _, 1000>(&mut group, "CrossEntropy 1000", &CrossEntropy, &classes);
    measure_loss::<_, _, 10>(&mut group, "SmoothCrossEntropy 10", &SmoothCrossEntropy::default(), &classes);
    measure_loss(&mut group, "KlDivergence 10", &KlDivergence, &[[0.1; 10]; BATCH]);
}

fn measure_loss<L: Loss<f32, [f32; C], Y>, Y, const C: usize>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    loss: &L,
    target: &[Y; BATCH],
) {
    let (output, mut gradient) = (random::<[f32; C], BATCH>(6), random::<[f32; C], BATCH>(7));
    group.throughput(Throughput::Elements((C * BATCH) as u64));
    group.bench_function(format!("{name}/with gradient {BATCH}"), |bencher| {
        bencher.iter(|| {
            dispatch(level(), Compared { loss, output: black_box(&*output), target, gradient: &mut gradient });
            black_box(&gradient);
        });
    });
}

/// A loss and its gradient.
struct Compared<'a, L, Y, const C: usize> {
    loss: &'a L,
    output: &'a [[f32; C]; BATCH],
    target: &'a [Y; BATCH],
    gradient: &'a mut [[f32; C]; BATCH],
}

impl<L: Loss<f32, [f32; C], Y>, Y, const C: usize> Task for Compared<'_, L, Y, C> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> f32 {
        self.loss.loss(simd, self.output, self.target, self.gradient).expect("classes in range")
    }
}

criterion_group! {
    name = layers;
    config = settings();
    targets = dense, conv1d, conv2d, depthwise, pools, shapes, embeddings, norms, softmax, activations, losses
}
criterion_main!(layers);
