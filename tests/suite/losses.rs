//! Losses in training: weights, sums and targets for every pixel, over one batch and over shards of it.

use monomorph::parallel::ParallelTrainer;
use monomorph::parameters::Parameters;
use monomorph::prelude::*;
use monomorph::train::{ScoreError, TrainError};

network! { pub Segments: [4, 4, 1] -> [4, 4, 3] { Conv2d(4, kernel = 3, padding = same), Tanh, Conv2d(3, kernel = 1) } }

type Image = [[[f32; 1]; 4]; 4];
type Classes = [[u8; 4]; 4];

/// Random images, and how bright each pixel is; every fifth class is not known, and those of the first two images are
/// not known at all.
fn data() -> ([Image; 8], [Classes; 8]) {
    let mut noise = Noise::new(2);
    let x = [[[[0.0; 1]; 4]; 4]; 8].map(|x| x.map(|row| row.map(|_| [noise.uniform() as f32])));
    let mut y = x.map(|x| x.map(|row| row.map(|[x]| (x * 3.0) as u8)));
    for (index, class) in y.as_flattened_mut().as_flattened_mut().iter_mut().enumerate() {
        if index % 5 == 0 || index < 32 {
            *class = 255;
        }
    }
    (x, y)
}

fn start() -> Segments {
    let mut net = Segments::zeroed();
    net.initialize(Init::default(), &mut Noise::new(3));
    net
}

/// A batch in shards of one or two samples is the whole batch: loss, gradient, and score.
fn shards_are_the_batch<L: Loss<f32, [[[f32; 3]; 4]; 4], Classes> + Copy + Sync>(loss: L) {
    fn near(a: f32, b: f32) {
        assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{a} is not {b}");
    }
    let (x, y) = data();
    let (mut net, mut whole) = (start(), Trainer::<Segments, _, 8>::new(Sgd::default(), loss));
    let expected = whole.step(&mut net, &x, &y).expect("a step");
    let score = Evaluator::<Segments, 3>::new().score(&start(), &loss, &x, &y).expect("a score");
    near(score.loss as f32, expected.loss);
    let known = y.as_flattened().as_flattened().iter().filter(|class| **class != 255).count();
    assert_eq!(score.accuracy, expected.correct.map(|right| right as f64 / known as f64));

    let (mut net, mut pairs) = (start(), ParallelTrainer::new(Trainer::<Segments, _, 2>::new(Sgd::default(), loss)));
    let step = pairs.step(&mut net, &x, &y).expect("a step");
    near(step.loss, expected.loss);
    assert_eq!(step.correct, expected.correct);
    let gradients = pairs.trainer.gradient().as_slice().iter().zip(whole.gradient().as_slice());
    gradients.for_each(|(a, b)| near(*a, *b));
    let (mut net, mut single) = (start(), ParallelTrainer::new(Trainer::<Segments, _, 1>::new(Sgd::default(), loss)));
    near(single.step(&mut net, &x, &y).expect("a step").loss, expected.loss);
    let gradients = single.trainer.gradient().as_slice().iter().zip(whole.gradient().as_slice());
    gradients.for_each(|(a, b)| near(*a, *b));
}

#[test]
fn shards_count_by_their_weight() {
    let weighted = Weighted::new(CrossEntropy, [1.0, 0.25, 3.0]).ignoring(255);
    shards_are_the_batch(weighted);
    shards_are_the_batch(Sum(weighted));
    shards_are_the_batch(Weighted::new(SmoothCrossEntropy { smoothing: 0.2 }, [1.0; 3]).ignoring(255));
}

#[test]
fn a_batch_in_which_nothing_counts_is_refused() {
    let (x, y) = data();
    let loss = Weighted::new(CrossEntropy, [1.0; 3]).ignoring(255);
    let (x, y) = ([x[0], x[1]], [y[0], y[1]]);
    let mut net = start();
    let error = Trainer::<Segments, _, 2>::new(Sgd::default(), loss).step(&mut net, &x, &y).expect_err("no step");
    assert_eq!(error, TrainError::Loss(LossError::NothingCounts));
    assert!(error.to_string().starts_with("no target counts, because all are of the ignored class"), "{error}");
    let sum = || Trainer::<Segments, _, 1>::new(Sgd::default(), Sum(loss));
    assert_eq!(ParallelTrainer::new(sum()).step(&mut net, &x, &y), Err(TrainError::Loss(LossError::NothingCounts)));
    let score = Evaluator::<Segments, 2>::new().score(&net, &loss, &x, &y);
    assert_eq!(score, Err(ScoreError::Loss(LossError::NothingCounts)));
    assert!(net.as_slice() == start().as_slice());
}

#[test]
fn segments_are_learned() {
    let (x, y) = data();
    let loss = Weighted::new(CrossEntropy, [1.0; 3]).ignoring(255);
    let (mut net, mut trainer) =
        (start(), Trainer::<Segments, _, 8>::new(Adam { learning_rate: 0.03, ..Adam::default() }, loss));
    for _ in 0..800 {
        trainer.step(&mut net, &x, &y).expect("a step");
    }
    let score = Evaluator::<Segments, 2>::new().score(&net, &loss, &x, &y).expect("a score");
    assert!(score.accuracy > Some(0.95), "{score:?}");
}
