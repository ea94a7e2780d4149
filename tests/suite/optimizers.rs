//! Optimizers that keep anything, and that evaluate the loss several times a step.

use std::path::PathBuf;

use monomorph::memory::Plain;
use monomorph::parallel::ParallelTrainer;
use monomorph::prelude::*;
use monomorph::simd::Simd;
use monomorph::train::TrainError;
use monomorph::weights::{Checkpoint, CheckpointWriter, WeightsError};
use monomorph::{Parameters, Scalar};

network! { pub Smooth: [4] -> [2] { Dense(16), Tanh, Dense(8), Silu, Dense(2) } }
network! { pub Noisy: [4] -> [2] { Dense(16), BatchNorm, Relu, Dropout(0.4), Dense(2) } }

/// Points in the plane of the first two numbers, inside and outside a circle.
fn samples<const B: usize>(seed: u64) -> ([[f32; 4]; B], [u8; B]) {
    let mut noise = Noise::new(seed);
    let x = [[0.0; 4]; B].map(|x| x.map(|_| noise.uniform() as f32 * 2.0 - 1.0));
    (x, x.map(|x| u8::from(x[0] * x[0] + x[1] * x[1] < 0.6)))
}

fn start<N: Network<Scalar = f32>>(seed: u64) -> Box<N> {
    let mut net = monomorph::memory::boxed::<N>();
    net.initialize(Init::default(), &mut Noise::new(seed));
    net
}

fn bits<N: Parameters<Scalar = f32>>(network: &N) -> Vec<u32> {
    network.as_slice().iter().map(|number| number.to_bits()).collect()
}

fn path(name: &str) -> PathBuf {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("optimizers");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder.join(name)
}

/// Descends, and compares what the objective says with what it said before.
struct Suspicious(Sgd);

/// A part of every kind.
#[derive(Plain)]
struct State<N: Parameters> {
    first: N,
    mean: N::Scalar,
    history: [N; 3],
    losses: [N::Scalar; 5],
    seen: u64,
    scratch: N,
}

impl<N: Parameters> Memory<N> for State<N> {
    const PARTS: &'static [Part<Self, N>] =
        memory_parts! { first: network, mean: numbers, history: networks, losses: numbers, seen: counter };
}

impl<T: Scalar> Optimizer<T> for Suspicious {
    type Memory<N: Parameters<Scalar = T>> = State<N>;

    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut State<N>,
    ) {
        // What it keeps has an effect, so that a part that is lost shows.
        let kept = memory.mean + memory.losses[(step % 5) as usize] + T::from_f64(memory.seen as f64);
        for ((p, m), h) in
            parameters.as_mut_slice().iter_mut().zip(memory.first.as_slice()).zip(memory.history[1].as_slice())
        {
            *p += (*m + *h + kept) * T::from_f64(1e-4);
        }
        self.0.update(simd, step, rate, gradient_scale, parameters, gradient, &mut []);
    }

    fn step<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        objective: &mut impl Objective<N>,
        memory: &mut State<N>,
    ) -> Result<(), OptimizerError> {
        let (loss, here) = (objective.loss(), &*parameters);
        memory.scratch.as_mut_slice().copy_from_slice(objective.gradient().as_slice());
        assert!(objective.loss_at(here) == loss, "the loss is that of the same function");
        assert!(objective.gradient().as_slice() == memory.scratch.as_slice() && objective.loss() == loss);
        let nowhere = monomorph::memory::zeroed::<N>();
        assert!(
            objective.gradient_at(&nowhere) != loss && objective.gradient().as_slice() != memory.scratch.as_slice()
        );
        assert!(objective.loss() != loss, "the loss is that at the gradient");
        assert!(objective.gradient_at(here) == loss && objective.loss() == loss);
        assert!(
            objective.gradient().as_slice() == memory.scratch.as_slice(),
            "the gradient is that of the same function"
        );

        self.update(simd, step, rate, gradient_scale, parameters, objective.gradient(), memory);
        for (to, index) in [(&mut memory.first, 0), (&mut memory.history[(step % 3) as usize], 1)] {
            for (to, from) in to.as_mut_slice().iter_mut().zip(objective.gradient().as_slice().iter().skip(index)) {
                *to = *from;
            }
        }
        memory.losses[(step % 5) as usize] = loss;
        memory.mean = memory.mean * T::from_f64(0.9) + loss;
        memory.seen += 1;
        Ok(())
    }
}

#[test]
fn a_step_evaluates_one_function() {
    let (x, y) = samples::<32>(1);
    let (mut net, mut trainer) =
        (start::<Noisy>(1), Trainer::<Noisy, _, 32>::new(Suspicious(Sgd::default()), CrossEntropy));
    let before = bits(&*net);
    for _ in 0..3 {
        trainer.step(&mut net, &x, &y).expect("a step");
    }
    assert_ne!(bits(&*net), before);
    let mut parallel =
        ParallelTrainer::new(Trainer::<Noisy, _, 8>::new(Suspicious(Sgd::default()), CrossEntropy).seed(4));
    for _ in 0..3 {
        parallel.step(&mut net, &x, &y).expect("a step");
    }
    assert_eq!(parallel.trainer.moments().seen, 3);
}

/// Stopping and resuming gives exactly the same network as training without a stop.
fn resumes<O: Optimizer<f32>>(name: &str, optimizer: impl Fn() -> O, names: &[&str]) -> Result<(), WeightsError> {
    let (x, y) = samples::<16>(2);
    let trainer = || Trainer::<Noisy, _, 16>::new(optimizer(), CrossEntropy).seed(9);
    let (mut net, mut first) = (start::<Noisy>(2), trainer());
    for _ in 0..7 {
        first.step(&mut net, &x, &y).expect("a step");
    }
    first.save(path(name), &net)?;
    let of_file = Checkpoint::open(path(name))?.names();
    for name in names {
        assert!(of_file.iter().any(|tensor| tensor == name), "{name} is not among {of_file:?}");
    }
    let (mut again, mut second) = (start::<Noisy>(3), trainer());
    second.resume(path(name), &mut again)?;
    assert_eq!((bits(&*again), second.steps()), (bits(&*net), 7));
    for _ in 0..7 {
        first.step(&mut net, &x, &y).expect("a step");
        second.step(&mut again, &x, &y).expect("a step");
        assert_eq!(bits(&*again), bits(&*net));
    }
    first.save(path(name), &net)?;
    let bytes = std::fs::read(path(name)).expect("a file");
    second.save(path(name), &again)?;
    assert!(bytes == std::fs::read(path(name)).expect("a file"), "the memory is the same");
    Ok(())
}

#[test]
fn every_kind_of_memory_goes_on_bit_by_bit() -> Result<(), WeightsError> {
    resumes("adam", Adam::default, &["optimizer.m.dense1.weight", "optimizer.v.dense2.bias"])?;
    resumes("sgd", Sgd::default, &[])?;
    resumes("descent", GradientDescent::default, &["optimizer.step"])?;
    let names =
        ["optimizer.first.dense1.bias", "optimizer.history.2.dense1.bias", "optimizer.mean", "optimizer.losses"];
    resumes("suspicious", || Suspicious(Sgd::default()), &names)?;
    let checkpoint = Checkpoint::open(path("suspicious"))?;
    assert_eq!(checkpoint.number("optimizer.seen")?, 14);
    assert!(!checkpoint.names().iter().any(|name| name.contains("scratch")));
    assert_eq!(Checkpoint::open(path("descent"))?.number("optimizer.failures")?, 0);
    Ok(())
}

/// Files have the names that they had when all memory had the form of the network.
#[test]
fn older_checkpoints_are_read() -> Result<(), WeightsError> {
    let (x, y) = samples::<16>(2);
    let (mut net, mut trainer) = (start::<Noisy>(2), Trainer::<Noisy, _, 16>::new(Adam::default(), CrossEntropy));
    trainer.step(&mut net, &x, &y).expect("a step");
    trainer.save(path("new"), &net)?;
    let checkpoint = Checkpoint::open(path("new"))?;
    let [m, v] = trainer.moments();
    let writer = CheckpointWriter::new()
        .tensors("", &*net)
        .tensors("optimizer.m.", m)
        .tensors("optimizer.v.", v)
        .number("step", 1)
        .number("noise", checkpoint.number("noise")?);
    assert!(writer.to_bytes()? == std::fs::read(path("new")).expect("a file"));
    Ok(())
}

/// An optimizer that counts its steps, and keeps nothing else.
struct Counts;

#[derive(Plain)]
struct Count {
    steps: u64,
}

impl<N: Parameters> Memory<N> for Count {
    const PARTS: &'static [Part<Self, N>] = memory_parts! { steps: counter };
}

impl<T: Scalar> Optimizer<T> for Counts {
    type Memory<N: Parameters<Scalar = T>> = Count;

    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut Count,
    ) {
        memory.steps += 1;
        Sgd::default().update(simd, step, rate, gradient_scale, parameters, gradient, &mut []);
    }
}

fn saved<O: Optimizer<f32>>(name: &str, optimizer: O) -> PathBuf {
    let (x, y) = samples::<16>(2);
    let (mut net, mut trainer) = (start::<Smooth>(2), Trainer::<Smooth, _, 16>::new(optimizer, CrossEntropy));
    trainer.step(&mut net, &x, &y).expect("a step");
    trainer.save(path(name), &net).expect("saved");
    path(name)
}

/// What resuming says, which must not have changed anything.
fn refused<O: Optimizer<f32>>(path: &PathBuf, optimizer: O) -> String {
    let (x, y) = samples::<16>(3);
    let (mut net, mut trainer) = (start::<Smooth>(3), Trainer::<Smooth, _, 16>::new(optimizer, CrossEntropy));
    trainer.step(&mut net, &x, &y).expect("a step");
    let file = path.with_extension("before");
    trainer.save(&file, &net).expect("saved");
    let before = std::fs::read(&file).expect("a file");
    let error = trainer.resume(path, &mut net).expect_err("another optimizer").problem.to_string();
    trainer.save(&file, &net).expect("saved");
    assert!(before == std::fs::read(&file).expect("a file"), "{error}");
    error
}

#[test]
fn a_checkpoint_of_another_optimizer_is_refused() {
    let (adam, sgd) = (saved("other-adam", Adam::default()), saved("other-sgd", Sgd::default()));
    let (descent, counts) = (saved("other-descent", GradientDescent::default()), saved("other-counts", Counts));
    let advice = "continue with the optimizer of the checkpoint, or read the network alone: \
                  `Checkpoint::open(path)?.read_into(\"\", &mut net)`";
    let unknown = format!("the file has a tensor `optimizer.m.dense1.weight`, but the network has not; {advice}");
    assert_eq!(refused(&adam, Sgd::default()), unknown);
    assert_eq!(refused(&adam, Counts), unknown);
    assert_eq!(refused(&sgd, Adam::default()), "the file has no tensor `optimizer.m.dense1.weight`");
    assert_eq!(refused(&adam, GradientDescent::default()), "the file has no tensor `optimizer.step`");
    let unknown = format!("the file has a tensor `optimizer.step`, but the network has not; {advice}");
    assert_eq!(refused(&descent, Sgd::default()), unknown);
    assert_eq!(refused(&sgd, Counts), "the file has no number `optimizer.steps`; is it a checkpoint?");
    assert_eq!(refused(&counts, Sgd::default()), "the file has a number `optimizer.steps`, but the optimizer has not");
}

/// All samples at once: every step makes the loss smaller.
#[test]
fn descent_is_monotone() {
    let (x, y) = samples::<64>(5);
    let (mut net, mut trainer) =
        (start::<Smooth>(5), Trainer::<Smooth, _, 64>::new(GradientDescent::default(), CrossEntropy));
    let (mut last, mut first) = (f32::INFINITY, None);
    for _ in 0..400 {
        let loss = trainer.step(&mut net, &x, &y).expect("a step").loss;
        assert!(loss < last, "{loss} after {last}");
        (last, first) = (loss, first.or(Some(loss)));
    }
    assert!(last < 0.1 * first.expect("a loss"), "{last}");
    let memory = trainer.moments();
    assert!(memory.step > 0.0 && (400..1200).contains(&memory.evaluations), "{}", memory.evaluations);
}

#[test]
fn a_search_without_success_is_an_error_in_words() {
    let (x, y) = samples::<16>(6);
    // The only step that it may try is far too long.
    let descent =
        GradientDescent { initial_step: 1e6, max_step: 1e6, max_evaluations: 1, ..GradientDescent::default() };
    let (mut net, mut trainer) = (start::<Noisy>(6), Trainer::<Noisy, _, 16>::new(descent, CrossEntropy));
    let before = bits(&*net);
    let error = trainer.step(&mut net, &x, &y).expect_err("no step");
    assert!(matches!(error, TrainError::Refused(OptimizerError::NoDecrease { evaluations: 1, .. })), "{error}");
    assert!(error.to_string().ends_with("; the network was left as it was"), "{error}");
    assert_eq!((bits(&*net), trainer.steps(), trainer.moments().failures), (before.clone(), 0, 1));

    trainer.optimizer = GradientDescent { shrink: 1.0, ..GradientDescent::default() };
    let error = trainer.step(&mut net, &x, &y).expect_err("out of range").to_string();
    assert_eq!(
        error,
        "`shrink` of `GradientDescent` is 1, but must be above 0 and below 1; the network was left as it was"
    );
    assert_eq!((bits(&*net), trainer.steps(), trainer.moments().evaluations), (before, 0, 1));

    // What failed left no trace in the noise.
    trainer.optimizer = GradientDescent::default();
    trainer.step(&mut net, &x, &y).expect("a step");
    let (mut other, mut fresh) =
        (start::<Noisy>(6), Trainer::<Noisy, _, 16>::new(GradientDescent::default(), CrossEntropy));
    fresh.step(&mut other, &x, &y).expect("a step");
    assert_eq!(bits(&*net), bits(&*other));
}

#[test]
fn a_parallel_search_does_not_depend_on_the_threads() {
    let (x, y) = samples::<64>(7);
    let trained = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(|| {
            let trainer = Trainer::<Noisy, _, 8>::new(GradientDescent::default(), CrossEntropy).clip(1.0).seed(3);
            let (mut net, mut trainer) = (start::<Noisy>(7), ParallelTrainer::new(trainer));
            for _ in 0..5 {
                trainer.step(&mut net, &x, &y).expect("a step");
            }
            (bits(&*net), trainer.trainer.moments().evaluations)
        })
    };
    let alone = trained(1);
    assert!(alone.1 >= 5);
    for threads in [2, 3] {
        assert_eq!(trained(threads), alone, "{threads} threads");
    }

    // One shard is what the plain trainer computes.
    let (mut net, mut plain) =
        (start::<Smooth>(7), Trainer::<Smooth, _, 64>::new(GradientDescent::default(), CrossEntropy));
    let mut other = start::<Smooth>(7);
    let mut parallel = ParallelTrainer::new(Trainer::<Smooth, _, 64>::new(GradientDescent::default(), CrossEntropy));
    for _ in 0..5 {
        plain.step(&mut net, &x, &y).expect("a step");
        parallel.step(&mut other, &x, &y).expect("a step");
    }
    assert_eq!(bits(&*net), bits(&*other));

    // An error leaves the network and the noise as they were.
    parallel.trainer.optimizer.growth = 0.5;
    let before = bits(&*other);
    let error = parallel.step(&mut other, &x, &y).expect_err("out of range").to_string();
    assert!(error.starts_with("`growth` of `GradientDescent` is 0.5"), "{error}");
    assert_eq!((bits(&*other), parallel.trainer.steps()), (before, 5));
}
