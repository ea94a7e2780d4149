//! Evaluation and training do not allocate.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use monomorph::data::Dataset;
use monomorph::prelude::*;
use monomorph::watch::Watch;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is forwarded to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller fulfils the system allocator's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller fulfils the system allocator's conditions.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

network! {
    pub Everything: [12, 12, 2] -> [4] {
        Conv2d(8, kernel = 3, padding = same), BatchNorm, Relu, MaxPool2d(2),
        residual { Conv2d(8, kernel = 3, padding = same), GroupNorm(2), Silu },
        DepthwiseConv2d(3, stride = 2, padding = same), Gelu,
        Flatten, Dropout(0.2), Dense(16), LayerNorm, Tanh, Dense(4),
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1]))), 1);
}

#[test]
fn evaluating_allocates_nothing() {
    let net = Everything::boxed(&mut ChaCha8Rng::seed_from_u64(1));
    let input = [[[0.5; 2]; 12]; 12];
    let mut alone = [0.0; 4];
    assert_eq!(allocations(|| alone = net.evaluate(&input)), 0);
    let (mut workspace, mut output) = (monomorph::memory::boxed(), [[0.0; 4]; 3]);
    assert_eq!(allocations(|| net.evaluate_in(&[input; 3], &mut output, &mut workspace)), 0);
    // For a batch, sums are rounded in a different order than for one sample.
    for (a, b) in output[2].iter().zip(alone) {
        assert!((a - b).abs() < 1e-5, "{a} is not {b}");
    }
}

#[test]
fn a_training_step_allocates_nothing() {
    let mut net = Everything::boxed(&mut ChaCha8Rng::seed_from_u64(1));
    let mut trainer = Trainer::<Everything, _, 8>::new(AdamW::default(), CrossEntropy).clip(1.0);
    let (x, y) = ([[[[0.5; 2]; 12]; 12]; 8], [0_u8, 1, 2, 3, 0, 1, 2, 3]);
    for _ in 0..3 {
        let mut step = None;
        assert_eq!(allocations(|| step = trainer.step(&mut net, &x, &y).ok()), 0);
        assert!(step.is_some());
    }
    assert_eq!(trainer.steps(), 3);
}

#[test]
fn no_step_of_a_whole_training_allocates() {
    let train = Dataset::from_fn(24, |index, x: &mut [[[f32; 2]; 12]; 12], y: &mut u8| {
        x[0][0] = [index as f32; 2];
        *y = index as u8 % 4;
    });
    let (train, test) = train.split(8);
    let mut net = Everything::boxed(&mut ChaCha8Rng::seed_from_u64(1));
    let mut watch = Watch::new(&*net);
    let (mut counts, mut seen) = ([0; 6], 0);
    let done = fit(&mut *net, &train)
        .validate(&test)
        .epochs(3)
        .stop_early(3)
        .batch_size::<8>()
        .clip(1.0)
        .on_step(|step| {
            watch.layers(step.network, step.gradient, |norms| {
                assert!(norms.weights.is_finite() && norms.update.is_finite());
            });
            counts[seen] = ALLOCATIONS.with(Cell::get);
            seen += 1;
        })
        .on_epoch(|epoch| assert!(epoch.train.accuracy.is_some()))
        .run();
    assert!(done.is_ok());
    assert_eq!((counts, seen), ([counts[0]; 6], 6));
}

#[test]
fn a_line_search_allocates_nothing() {
    let mut net = Everything::boxed(&mut ChaCha8Rng::seed_from_u64(1));
    let mut trainer = Trainer::<Everything, _, 8>::new(GradientDescent::default(), CrossEntropy).clip(1.0);
    let (x, y) = ([[[[0.5; 2]; 12]; 12]; 8], [0_u8, 1, 2, 3, 0, 1, 2, 3]);
    for _ in 0..3 {
        let mut step = None;
        assert_eq!(allocations(|| step = trainer.step(&mut net, &x, &y).ok()), 0);
        assert!(step.is_some());
    }
    assert!(trainer.moments().evaluations >= 3);
}

network! {
    #[streaming]
    pub Signal: [32, 2] -> [32, 3] {
        Conv1d(4, kernel = 3, dilation = 4, padding = causal), LayerNorm, Silu, Lstm(5), Gru(5, initial = learned), Rnn(4),
        Positions, SelfAttention(heads = 2, causal, rotary = half), Dense(3), Softmax,
    }
}

#[test]
fn streaming_allocates_nothing() {
    let net = Signal::boxed(&mut ChaCha8Rng::seed_from_u64(1));
    let mut state = monomorph::memory::boxed();
    let (mut first, mut outputs) = ([0.0; 3], [[0.0; 3]; 8]);
    let count = allocations(|| {
        net.reset(&mut state);
        first = net.step(&mut state, &[0.5; 2]);
        outputs = net.steps(&mut state, &[[0.5; 2]; 8]);
        net.prewarm(&mut state);
    });
    assert_eq!(count, 0);
    for scores in [first, outputs[7]] {
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}

#[test]
fn fitting_allocates_nothing() {
    let (x, y) = ([1.0, 2.0, 3.0, 5.0, 7.0, 10.0], [109.0, 149.0, 149.0, 191.0, 213.0, 224.0]);
    let mut fit = None;
    let model = |x: f64, [a, b]: [monomorph::Dual<f64, 2>; 2]| a * (1.0 - (-b * x).exp());
    let method = monomorph::fit::LevenbergMarquardt::default();
    assert_eq!(allocations(|| fit = method.fit(model, &x, &y, [100.0, 0.75]).ok()), 0);
    assert!(fit.is_some_and(|fit| (fit.parameters[0] - 213.80940889).abs() < 1e-6));
}
