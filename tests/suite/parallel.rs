//! Batches give the same results on several threads as on one.

use monomorph::parallel::{LengthMismatch, ParallelEvaluator, ParallelTrainer, evaluate_batch};
use monomorph::prelude::*;
use monomorph::simd::levels;
use monomorph::train::TrainError;
use monomorph::weights::WeightsError;
use monomorph::{Parameters, Real};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::{ThreadPool, ThreadPoolBuilder};

network! {
    /// More parameters than a thread adds up at a time, in several tensors.
    pub Plain: [8, 8, 1] -> [3] {
        Conv2d(6, kernel = 3), Relu, MaxPool2d(2), Flatten, Dense(90), Tanh, Dense(50), LayerNorm, Relu, Dense(3),
    }
}

network! {
    /// With the two layers that depend on how a batch is split.
    pub Noisy: [8, 8, 1] -> [3] {
        Conv2d(4, kernel = 3), BatchNorm, Relu, MaxPool2d(2), Flatten, Dropout(0.3), Dense(16), Tanh, Dense(3),
    }
}

type Image = [[[f32; 1]; 8]; 8];

fn data<const SAMPLES: usize>(seed: u64) -> (Vec<Image>, Vec<u8>) {
    let mut noise = Noise::new(seed);
    let images = (0..SAMPLES).map(|_| [[[0.0; 1]; 8]; 8].map(|row| row.map(|_| [noise.normal() as f32]))).collect();
    (images, (0..SAMPLES).map(|_| noise.below(3) as u8).collect())
}

fn threads(count: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(count).build().expect("a pool")
}

fn bits<N: Network<Scalar = f32>>(net: &N) -> Vec<u32> {
    net.as_slice().iter().map(|parameter| parameter.to_bits()).collect()
}

fn trainer<N: Network<Scalar: Real> + Trainable, const B: usize>() -> ParallelTrainer<N, (Adam, CrossEntropy), B> {
    ParallelTrainer::new(Trainer::new(Adam::default(), CrossEntropy).clip(0.5).seed(3))
}

fn start<N: Network + Trainable>() -> N {
    N::init(&mut ChaCha8Rng::seed_from_u64(5))
}

#[test]
fn a_step_is_the_plain_trainers() {
    const { assert!(Plain::PARAMS > 2 * 4096 && !Plain::PARAMS.is_multiple_of(4096)) };
    let (x, y) = data::<24>(1);
    for level in levels() {
        let (mut plain, mut net): (Plain, Plain) = (start(), start());
        let mut whole =
            Trainer::<Plain, _, 24>::new(Sgd { learning_rate: 0.1, ..Sgd::default() }, CrossEntropy).clip(0.5);
        let shards = Trainer::<Plain, _, 4>::new(Sgd { learning_rate: 0.1, ..Sgd::default() }, CrossEntropy).clip(0.5);
        let mut shards = ParallelTrainer::new(shards);
        for _ in 0..10 {
            let expected = whole
                .step_at(level, &mut plain, x.first_chunk().expect("24 images"), y.first_chunk().expect("24 labels"))
                .expect("a step");
            let step = shards.step_at(level, &mut net, &x, &y).expect("a step");
            assert!((step.loss - expected.loss).abs() < 1e-5, "{level:?}: {step:?}, {expected:?}");
            assert_eq!(step.correct, expected.correct);
        }
        let (largest, step) = plain
            .as_slice()
            .iter()
            .zip(net.as_slice())
            .zip(start::<Plain>().as_slice())
            .fold((0.0_f32, 0.0_f32), |(error, step), ((a, b), before)| {
                (error.max((a - b).abs()), step.max((a - before).abs()))
            });
        assert!(step > 1e-2 && largest < 1e-5, "{level:?}: {largest} off after moving by {step}");
    }
}

/// Steps of several lengths, back and forth.
fn trained<N: Network<Input = Image, Output = [f32; 3], Scalar = f32> + Trainable>(
    count: usize,
) -> (Vec<u32>, Vec<u32>) {
    threads(count).install(|| {
        let mut net: N = start();
        let mut trainer = trainer::<N, 4>();
        let mut losses = Vec::new();
        for (seed, samples) in (0..).zip([32, 4, 20, 32]) {
            let (x, y) = data::<32>(seed);
            losses.push(trainer.step(&mut net, &x[..samples], &y[..samples]).expect("a step").loss.to_bits());
        }
        assert_eq!(trainer.trainer.steps(), 4);
        (bits(&net), losses)
    })
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (plain, noisy) = (trained::<Plain>(1), trained::<Noisy>(1));
    for count in [2, 3, 8] {
        assert_eq!(trained::<Plain>(count), plain, "{count} threads");
        assert_eq!(trained::<Noisy>(count), noisy, "{count} threads");
    }
}

#[test]
fn shards_differ_in_their_noise() {
    let (x, y) = data::<4>(1);
    let gradient = |x: &[Image], y: &[u8]| {
        let (mut net, mut trainer): (Noisy, _) = (start(), trainer::<Noisy, 4>());
        trainer.step(&mut net, x, y).expect("a step");
        bits(trainer.trainer.gradient())
    };
    let once = gradient(&x, &y);
    // The mean of two equal gradients would be bit-identical to that gradient.
    assert_ne!(gradient(&[&x[..], &x].concat(), &[&y[..], &y].concat()), once);
    assert_eq!(gradient(&x, &y), once);
}

#[test]
fn an_error_leaves_the_network_as_it_was() {
    let (mut x, mut y) = data::<12>(1);
    let (mut net, mut trainer): (Plain, _) = (start(), trainer::<Plain, 4>());
    let before = bits(&net);
    let mut fails = |x: &[Image], y: &[u8]| {
        let error = trainer.step(&mut net, x, y).expect_err("no step");
        assert_eq!((bits(&net), trainer.trainer.steps()), (before.clone(), 0), "{error}");
        error
    };
    for (inputs, targets) in [(0, 0), (10, 10), (8, 12), (8, 7)] {
        assert_eq!(fails(&x[..inputs], &y[..targets]), TrainError::Batch { inputs, targets, shard: 4 });
    }
    y[9] = 3;
    let error = fails(&x, &y).to_string();
    assert!(error.starts_with("the target of sample 9 is class 3, but the output has 3 classes"), "{error}");
    y[9] = 0;
    x[5][0][0][0] = f32::NAN;
    assert_eq!(fails(&x, &y), TrainError::NotFinite { what: "loss", step: 1 });
    x[5][0][0][0] = 0.0;
    trainer.step(&mut net, &x, &y).expect("a step");
    assert_ne!(bits(&net), before);
}

#[test]
fn a_checkpoint_goes_on_bit_by_bit() -> Result<(), WeightsError> {
    let path = std::env::temp_dir().join(format!("monomorph-parallel-{}.safetensors", std::process::id()));
    let (x, y) = data::<16>(1);
    let (mut net, mut first): (Noisy, _) = (start(), trainer::<Noisy, 4>());
    first.step(&mut net, &x, &y).expect("a step");
    first.trainer.save(&path, &net)?;
    first.step(&mut net, &x, &y).expect("a step");

    let (mut resumed, mut second) = (Noisy::zeroed(), trainer::<Noisy, 4>());
    second.trainer.resume(&path, &mut resumed)?;
    second.step(&mut resumed, &x, &y).expect("a step");
    assert_eq!(bits(&resumed), bits(&net));
    std::fs::remove_file(path).expect("it was written");
    Ok(())
}

#[test]
fn a_batch_is_evaluated_as_its_samples_are() {
    let (net, (x, _)): (Noisy, _) = (start(), data::<203>(2));
    let expected: Vec<[f32; 3]> = x.iter().map(|image| net.evaluate(image)).collect();
    let mut kept = ParallelEvaluator::<Noisy, 4>::new();
    let mut of_one = None;
    for count in [1, 2, 3] {
        let pool = threads(count);
        for samples in [0, 1, 3, 4, 5, 64, 203] {
            let mut outputs = vec![[f32::NAN; 3]; samples];
            pool.install(|| kept.evaluate(&net, &x[..samples], &mut outputs)).expect("equal lengths");
            for (output, expected) in outputs.as_flattened().iter().zip(expected.as_flattened()) {
                assert!((output - expected).abs() < 1e-5, "{samples} samples on {count} threads");
            }
        }
        let mut outputs = vec![[f32::NAN; 3]; 203];
        pool.install(|| evaluate_batch::<_, 8>(&net, &x, &mut outputs)).expect("equal lengths");
        let outputs: Vec<u32> = outputs.as_flattened().iter().map(|number| number.to_bits()).collect();
        assert_eq!(*of_one.get_or_insert_with(|| outputs.clone()), outputs, "{count} threads");
    }
    let mut outputs = [[7.0; 3]; 2];
    let error = evaluate_batch::<_, 8>(&net, &x, &mut outputs).expect_err("lengths differ");
    assert_eq!((error, outputs), (LengthMismatch { inputs: 203, outputs: 2 }, [[7.0; 3]; 2]));
    assert_eq!(error.to_string(), "203 inputs, but room for 2 outputs: give as many outputs as inputs");
}
