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

network! { pub Detector(x: [4]) -> (class: [3], place: [2], sure: [1]) {
    let hidden = x |> Dense(8) |> Tanh;
    let class = hidden |> Dense(3);
    let place = hidden |> Dense(2);
    let sure = hidden |> Dense(1);
} }

fn detector() -> Detector {
    let mut net = Detector::zeroed();
    net.initialize(Init::default(), &mut Noise::new(3));
    net
}

type Found = (u8, [f32; 2], [f32; 1]);

fn found() -> ([[f32; 4]; 8], [Found; 8]) {
    let mut noise = Noise::new(5);
    let x = [[0.0; 4]; 8].map(|x| x.map(|_: f32| noise.uniform() as f32));
    (x, x.map(|x| ((x[0] * 3.0) as u8, [x[1], -x[2]], [(x[3] > 0.5) as u8 as f32])))
}

/// The weighted sum of the losses of the outputs, each by itself, and the same of their gradients.
#[test]
fn several_losses_on_several_outputs() {
    let (x, y) = found();
    let net = detector();
    let output = x.map(|x| net.evaluate(&x));
    let loss = ((1.0, CrossEntropy), (0.25, Mse), (3.0, BceWithLogits));
    let (value, gradient) = loss.loss_and_gradient(&output, &y).expect("targets that fit");
    let class = CrossEntropy.loss_and_gradient(&output.map(|o| o.class), &y.map(|y| y.0)).expect("classes");
    let place = Mse.loss_and_gradient(&output.map(|o| o.place), &y.map(|y| y.1)).expect("places");
    let sure = BceWithLogits.loss_and_gradient(&output.map(|o| o.sure), &y.map(|y| y.2)).expect("labels");
    assert!((value - (class.0 + 0.25 * place.0 + 3.0 * sure.0)).abs() < 1e-6);
    for (index, gradient) in gradient.iter().enumerate() {
        let near = |a: &[f32], b: &[f32], w: f32| a.iter().zip(b).for_each(|(a, b)| assert!((a - w * b).abs() < 1e-7));
        near(&gradient.class, &class.1[index], 1.0);
        near(&gradient.place, &place.1[index], 0.25);
        near(&gradient.sure, &sure.1[index], 3.0);
    }

    // The trainer, shards of a batch and the evaluator agree.
    let score = Evaluator::<Detector, 3>::new().score(&net, &loss, &x, &y).expect("a score");
    assert!((score.loss as f32 - value).abs() < 1e-6);
    let (mut one, mut two) = (detector(), detector());
    let mut whole = Trainer::<Detector, _, 8>::new(Sgd::default(), loss);
    let mut pairs = ParallelTrainer::new(Trainer::<Detector, _, 2>::new(Sgd::default(), loss));
    let step = whole.step(&mut one, &x, &y).expect("a step");
    assert!((step.loss - value).abs() < 1e-6);
    assert!((pairs.step(&mut two, &x, &y).expect("a step").loss - value).abs() < 1e-6);
    let gradients = pairs.trainer.gradient().as_slice().iter().zip(whole.gradient().as_slice());
    gradients.for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{a} is not {b}"));

    // A bad target of one loss is an error of all.
    let mut bad = y;
    bad[5].0 = 3;
    let error = whole.step(&mut one, &x, &bad).expect_err("class 3 of 3");
    assert_eq!(error.to_string().split(',').next(), Some("the target of sample 5 is class 3"));
}

/// Sums and weighted means count as by themselves.
#[test]
fn weighted_and_summed_losses_of_several_outputs() {
    let (x, y) = found();
    let net = detector();
    let output = x.map(|x| net.evaluate(&x));
    let weighted = Weighted::new(CrossEntropy, [1.0, 0.25, 3.0]);
    let loss = ((2.0, weighted), (0.5, Sum(Mse)), (0.0, BceWithLogits));
    let (value, gradient) = loss.loss_and_gradient(&output, &y).expect("targets that fit");
    let class = weighted.loss_and_gradient(&output.map(|o| o.class), &y.map(|y| y.0)).expect("classes");
    let place = Sum(Mse).loss_and_gradient(&output.map(|o| o.place), &y.map(|y| y.1)).expect("places");
    assert!((value - (2.0 * class.0 + 0.5 * place.0)).abs() < 1e-5);
    for (gradient, (class, place)) in gradient.iter().zip(class.1.iter().zip(&place.1)) {
        gradient.class.iter().zip(class).for_each(|(a, b)| assert!((a - 2.0 * b).abs() < 1e-6));
        gradient.place.iter().zip(place).for_each(|(a, b)| assert!((a - 0.5 * b).abs() < 1e-6));
        assert_eq!(gradient.sure, [0.0]);
    }
    let sums = ((1.0, Sum(CrossEntropy)), (1.0, Sum(Mse)), (1.0, Sum(BceWithLogits)));
    let mut pairs = ParallelTrainer::new(Trainer::<Detector, _, 2>::new(Sgd::default(), sums));
    let mut whole = Trainer::<Detector, _, 8>::new(Sgd::default(), sums);
    let (mut one, mut two) = (detector(), detector());
    let [a, b] = [whole.step(&mut one, &x, &y), pairs.step(&mut two, &x, &y)].map(|step| step.expect("a step").loss);
    assert!((a - b).abs() < 1e-4, "{a} is not {b}");
}

network! { pub Pairs(x: [6]) -> (query: [4], key: [4]) {
    let query = x |> Dense(4);
    let key = x |> Dense(8) |> Tanh |> Dense(4);
} }

/// Two encoders learn to find each other's outputs among those of the batch.
#[test]
fn info_nce_learns_in_a_trainer() {
    use monomorph::loss::InfoNce;
    let mut noise = Noise::new(7);
    let x = [[0.0; 6]; 16].map(|x| x.map(|_: f32| noise.normal() as f32));
    let mut net = Pairs::zeroed();
    net.initialize(Init::default(), &mut noise);
    let adam = Adam { learning_rate: 0.02, ..Adam::default() };
    let mut trainer = Trainer::<Pairs, _, 16>::new(adam, InfoNce::default());
    let mut step = || trainer.step(&mut net, &x, &[(); 16]).expect("a step").loss;
    let first = step();
    let last = (0..300).map(|_| step()).last().expect("steps");
    assert!(first > 2.0 && last < 0.1, "from {first} to {last}");
}
