//! Creates, trains and evaluates networks in threads with a stack of 256 KiB.

use monomorph::Real;
use monomorph::parallel::{ParallelTrainer, evaluate_batch};
use monomorph::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

network! {
    /// 12.6 million parameters.
    pub Large: [1024] -> [10] { Dense(4096), Relu, Dense(2048), Tanh, Dense(10) }
}

network! {
    /// Few parameters, many layers and large activations: stack frames must not add up.
    pub Deep: [64, 64, 3] -> [10] {
        Conv2d(16, kernel = 3, padding = same), BatchNorm, Relu,
        residual { Conv2d(16, kernel = 3, padding = same), BatchNorm, Relu, Conv2d(16, kernel = 3, padding = same), BatchNorm }, Relu,
        residual { Conv2d(16, kernel = 3, padding = same), GroupNorm(4), Silu, DepthwiseConv2d(3, padding = same) }, Relu,
        MaxPool2d(2),
        Conv2d(16, kernel = 1), LayerNorm, Gelu,
        AvgPool2d(2), Dropout(0.1),
        Conv2d(32, kernel = 3, stride = 2, padding = same), BatchNorm, Relu,
        GlobalAvgPool2d, Dense(32), Tanh, Dense(10),
    }
}

network! {
    /// A state of some size, and blocks of many steps.
    #[streaming]
    pub Signal: [512, 16] -> [512, 16] {
        for d in [1, 2, 4, 8, 16, 32] { residual { Conv1d(64, kernel = 3, dilation = d, padding = causal), Tanh, Conv1d(16, kernel = 1) } },
        Lstm(64), Gru(64), SelfAttention(heads = 4, causal), Dense(16),
    }
}

/// Step by step, in blocks and as a whole.
fn stream() {
    let net = Signal::boxed(&mut ChaCha8Rng::seed_from_u64(1));
    let (mut state, mut single) = (monomorph::memory::boxed(), monomorph::memory::boxed());
    net.reset(&mut state);
    net.reset(&mut single);
    let xs = [[0.5; 16]; 16];
    for _ in 0..3 {
        let ys = net.steps(&mut state, &xs);
        for (x, y) in xs.iter().zip(&ys) {
            let alone = net.step(&mut single, x);
            assert!(alone.iter().zip(y).all(|(a, b)| (a - b).abs() < 1e-5));
        }
    }
}

const STACK: usize = 256 * 1024;

fn run<N: Network<Scalar: Real> + Trainable>(input: &[N::Input; 2])
where
    CrossEntropy: Loss<N::Scalar, N::Output, u8>,
{
    let mut net = N::boxed(&mut ChaCha8Rng::seed_from_u64(1));
    let mut trainer = Trainer::<N, _, 2>::new(Adam::default(), CrossEntropy);
    let before = trainer.step(&mut net, input, &[3_u8, 5]).expect("a step").loss;
    let after = trainer.step(&mut net, input, &[3_u8, 5]).expect("a step").loss;
    assert!(after < before, "the loss rose from {before} to {after}");
    let score = Evaluator::<N, 2>::new().score(&*net, &CrossEntropy, input, &[3_u8, 5]).expect("a score");
    assert!(score.loss.is_finite());

    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).stack_size(STACK).build().expect("a pool");
    pool.install(|| {
        let mut parallel = ParallelTrainer::new(Trainer::<N, _, 1>::new(Adam::default(), CrossEntropy));
        assert!(parallel.step(&mut net, input, &[3_u8, 5]).expect("a step").loss < before);
        let mut outputs = monomorph::memory::boxed::<[N::Output; 2]>();
        evaluate_batch::<_, 1>(&*net, input, &mut *outputs).expect("as many outputs as inputs");
    });
}

fn main() {
    let work = || {
        const { assert!(Large::PARAM_BYTES > 50_000_000) };
        run::<Large>(&[[0.1; 1024], [-0.1; 1024]]);
        let mut images = monomorph::memory::boxed::<[[[[f32; 3]; 64]; 64]; 2]>();
        images[1].as_flattened_mut().as_flattened_mut().fill(0.5);
        run::<Deep>(&images);
        stream();
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread");
    thread.join().expect("the thread finished");
    println!("50 MB network: initialised, trained and evaluated");
}
