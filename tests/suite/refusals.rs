//! Steps that are refused: data that overflows, hyperparameters out of range. They change nothing, so that the same step
//! can be tried again.

use monomorph::hyperparameters::OutOfRange;
use monomorph::parallel::ParallelTrainer;
use monomorph::parameters::Parameters;
use monomorph::prelude::*;
use monomorph::simd::Simd;
use monomorph::train::{ScoreError, TrainError};

network! { pub Two: [1] -> [1] { Dense(1), Dense(1) } }
network! { pub Line: [1] -> [1] { Dense(1) } }
network! { pub Normal: [3] -> [2] { Dense(4), BatchNorm, Relu, Dropout(0.5), Dense(2) } }
network! { pub Penalty: [1] -> [1] { ActivityRegularization(l2 = 1.0), Dense(1) } }

fn bits<N: Parameters<Scalar = f32>>(network: &N) -> Vec<u32> {
    network.as_slice().iter().map(|number| number.to_bits()).collect()
}

/// Everything that an optimizer keeps.
fn kept<N: Parameters<Scalar = f32>, O: Optimizer<f32>>(memory: &O::Memory<N>) -> Vec<u32> {
    let mut kept = Vec::new();
    for_each_part::<N, O>(memory, &mut |_, part| match part {
        PartRef::Tensors(network) => kept.extend(bits(network)),
        PartRef::Numbers(_, numbers) => kept.extend(numbers.iter().map(|number| number.to_bits())),
        PartRef::Counter(_) => {}
    });
    kept
}

/// The error of the plain trainer and of the parallel one, which is the same, after a step that changes nothing.
fn refused<N, O, L, Y>(
    net: &mut N,
    trainer: impl Fn() -> Trainer<N, (O, L), 2>,
    x: &[N::Input; 2],
    y: &[Y; 2],
) -> TrainError
where
    N: Trainable<Scalar = f32>,
    O: Optimizer<f32>,
    L: Loss<f32, N::Output, Y> + Sync,
    Y: Sync,
{
    let before = bits(net);
    let (mut plain, mut parallel) = (trainer(), ParallelTrainer::new(trainer()));
    let error = plain.step(net, x, y).expect_err("no step");
    // As text, because NaN is not equal to itself.
    assert_eq!(parallel.step(net, x, y).expect_err("no step").to_string(), error.to_string());
    for trainer in [&plain, &parallel.trainer] {
        assert_eq!((bits(net), trainer.steps()), (before.clone(), 0), "{error}");
        assert!(kept::<N, O>(trainer.moments()).iter().all(|number| *number == 0), "{error}");
    }
    error
}

/// What steps of all optimizers say to a gradient that is not finite, or whose square is not.
fn each_optimizer(net: fn() -> Two, x: f32, y: f32) {
    fn one<O: Optimizer<f32> + Copy>(net: fn() -> Two, optimizer: O, x: f32, y: f32) {
        let new = || Trainer::<Two, _, 2>::new(optimizer, Mse);
        for trainer in [&new as &dyn Fn() -> _, &|| new().clip(1.0)] {
            let error = refused(&mut net(), trainer, &[[x]; 2], &[[y]; 2]);
            assert_eq!(error, TrainError::NotFinite { what: "norm of the gradient", step: 1 });
        }
    }
    one(net, Sgd::default(), x, y);
    one(net, Momentum::default(), x, y);
    one(net, Adagrad::default(), x, y);
    one(net, RmsProp::default(), x, y);
    one(net, Adam::default(), x, y);
    one(net, AdamW::default(), x, y);
    one(net, GradientDescent::default(), x, y);
}

#[test]
fn a_gradient_that_overflows_is_not_applied() {
    // y = 1e19; the loss is 2.5e37, and the gradient of the first weight 1e68.
    let infinite = || {
        let mut net = Two::zeroed();
        (net.dense1.weight, net.dense2.weight) = ([[1e-30]], [[1e30]]);
        net
    };
    each_optimizer(infinite, 1e19, 0.5e19);
    // Gradients of 1e20, whose square would make Adam stand still for ever.
    let large = || {
        let mut net = Two::zeroed();
        (net.dense1.weight, net.dense2.weight) = ([[1.0]], [[1.0]]);
        net
    };
    each_optimizer(large, 1e5, 1e15);
}

#[test]
fn an_objective_knows_gradients_that_overflow() {
    /// Looks where the gradient overflows, and takes no step.
    struct Looks;

    impl Optimizer<f32> for Looks {
        type Memory<N: Parameters<Scalar = f32>> = [N; 0];

        fn update<N: Parameters<Scalar = f32>, S: Simd>(
            &self,
            _: S,
            _: u64,
            _: f64,
            _: f32,
            _: &mut N,
            _: &N,
            _: &mut [N; 0],
        ) {
        }

        fn step<N: Parameters<Scalar = f32>, S: Simd>(
            &self,
            _: S,
            _: u64,
            _: f64,
            _: f32,
            parameters: &mut N,
            objective: &mut impl Objective<N>,
            _: &mut [N; 0],
        ) -> Result<(), OptimizerError> {
            assert!(objective.gradient_at(parameters).is_finite());
            let mut elsewhere = monomorph::memory::zeroed::<N>();
            elsewhere.as_mut_slice()[0] = 1e-30;
            elsewhere.as_mut_slice()[2] = 1e30;
            assert!(objective.loss_at(&elsewhere).is_finite());
            assert!(objective.gradient_at(&elsewhere).is_nan() && objective.loss().is_nan());
            Ok(())
        }
    }

    let (mut net, x, y) = (Two::zeroed(), [[1e19]; 2], [[0.5e19]; 2]);
    Trainer::<Two, _, 2>::new(Looks, Mse).step(&mut net, &x, &y).expect("a step");
    ParallelTrainer::new(Trainer::<Two, _, 1>::new(Looks, Mse)).step(&mut net, &x, &y).expect("a step");
}

#[test]
fn adagrad_goes_on_when_its_sum_would_overflow() {
    let (mut net, mut trainer) = (Line::zeroed(), Trainer::<Line, _, 1>::new(Adagrad::default(), Mse));
    for _ in 0..100 {
        let before = net.dense1.bias;
        trainer.step(&mut net, &[[0.0]], &[[8e18]]).expect("a step");
        assert!(net.dense1.bias > before && net.dense1.bias[0].is_finite(), "{before:?}");
    }
}

#[test]
fn statistics_that_overflow_are_refused() {
    let mut net = Normal::zeroed();
    net.initialize(Init::default(), &mut Noise::new(1));
    let (mut x, y) = ([[0.5, -1.0, 2.0], [1.0, 0.25, -3.0]], [0_u8, 1]);
    let trainer = || Trainer::<Normal, _, 2>::new(Adam::default(), CrossEntropy).seed(7);
    x[1][2] = 1e30;
    let error = refused(&mut net, trainer, &x, &y);
    assert_eq!(error, TrainError::NotFinite { what: "change of a running statistic", step: 1 });
    let text = "the change of a running statistic is not a finite number at step 1; the network was left as it was: lower \
                the learning rate, clip the gradient, or look for inputs that are infinite or huge";
    assert_eq!(error.to_string(), text);
    assert!(matches!(
        refused(&mut net, || trainer().clip(1.0), &x, &y),
        TrainError::NotFinite { what: "change of a running statistic", step: 1 }
    ));

    // A term of the loss is part of it.
    let trainer = || Trainer::<Penalty, _, 2>::new(Sgd::default(), Mse);
    let error = refused(&mut Penalty::zeroed(), trainer, &[[1e20], [0.0]], &[[0.0]; 2]);
    assert_eq!(error, TrainError::NotFinite { what: "loss", step: 1 });
}

/// After a failed step everything is as before it: dropout drops the same numbers.
#[test]
fn a_failed_step_can_be_taken_again() {
    let start = || {
        let mut net = Normal::zeroed();
        net.initialize(Init::default(), &mut Noise::new(1));
        net
    };
    let (good, wrong) = ([[0.5, -1.0, 2.0], [1.0, 0.25, -3.0]], [[0.5, -1.0, 2.0], [1.0, f32::NAN, -3.0]]);
    let huge = [[0.5, -1.0, 2.0], [1.0, 0.25, 1e30]];
    let trainer = || Trainer::<Normal, _, 2>::new(Adam::default(), CrossEntropy).seed(7);
    let (mut net, mut expected, mut once) = (start(), start(), trainer());
    let (mut twice, mut parallel, mut parallel_once) =
        (trainer(), ParallelTrainer::new(trainer()), ParallelTrainer::new(trainer()));
    for _ in 0..3 {
        once.step(&mut expected, &good, &[0_u8, 1]).expect("a step");
        twice.step(&mut net, &wrong, &[0_u8, 1]).expect_err("not a number");
        twice.step(&mut net, &huge, &[0_u8, 1]).expect_err("infinite");
        twice.step(&mut net, &good, &[0_u8, 2]).expect_err("no class");
        twice.clip = Some(f64::NAN);
        twice.step(&mut net, &good, &[0_u8, 1]).expect_err("no norm");
        twice.clip = None;
        twice.step(&mut net, &good, &[0_u8, 1]).expect("a step");
        assert_eq!(bits(&net), bits(&expected));
    }
    let (mut net, mut expected) = (start(), start());
    for _ in 0..3 {
        parallel_once.step(&mut expected, &good, &[0_u8, 1]).expect("a step");
        parallel.step(&mut net, &wrong, &[0_u8, 1]).expect_err("not a number");
        parallel.step(&mut net, &good, &[0_u8, 2]).expect_err("no class");
        parallel.step(&mut net, &good, &[0_u8, 1]).expect("a step");
        assert_eq!(bits(&net), bits(&expected));
    }
}

#[test]
fn hyperparameters_out_of_range_are_refused() {
    fn words<O: Optimizer<f32>, L: Loss<f32, [f32; 1], [f32; 1]> + Sync>(
        trainer: impl Fn() -> Trainer<Line, (O, L), 2>,
    ) -> String {
        let error = refused(&mut Line::zeroed(), trainer, &[[1.0], [2.0]], &[[1.0]; 2]).to_string();
        error.split("; the network was left as it was").next().expect("a text").to_string()
    }
    fn optimizer<O: Optimizer<f32> + Copy>(optimizer: O) -> String {
        words(|| Trainer::new(optimizer, Mse))
    }
    let sgd = || Trainer::<Line, _, 2>::new(Sgd::default(), Mse);

    assert_eq!(words(|| sgd().clip(-1.0)), "`clip` of `Trainer` is -1, but must be above 0 and finite");
    assert_eq!(words(|| sgd().clip(f64::NAN)), "`clip` of `Trainer` is NaN, but must be above 0 and finite");
    assert_eq!(words(|| sgd().clip(0.0)), "`clip` of `Trainer` is 0, but must be above 0 and finite");
    let weight = || sgd().term_weight(f64::INFINITY);
    assert_eq!(words(weight), "`term_weight` of `Trainer` is inf, but must be finite");
    let schedule = || sgd().schedule(Schedule::Cosine { warmup: 0, total: 9, floor: f64::NAN });
    assert_eq!(words(schedule), "`floor` of `Schedule::Cosine` is NaN, but must be at least 0 and finite");

    let rate = "but must be at least 0 and at most 1e9";
    for wrong in [-1e-3, f64::NAN, f64::INFINITY, 1e10] {
        let of = |name: &str| format!("`learning_rate` of `{name}` is {wrong}, {rate}");
        assert_eq!(optimizer(Sgd { learning_rate: wrong, ..Sgd::default() }), of("Sgd"));
        assert_eq!(optimizer(Momentum { learning_rate: wrong, ..Momentum::default() }), of("Momentum"));
        assert_eq!(optimizer(Adagrad { learning_rate: wrong, ..Adagrad::default() }), of("Adagrad"));
        assert_eq!(optimizer(RmsProp { learning_rate: wrong, ..RmsProp::default() }), of("RmsProp"));
        assert_eq!(optimizer(Adam { learning_rate: wrong, ..Adam::default() }), of("Adam"));
        assert_eq!(optimizer(AdamW { learning_rate: wrong, ..AdamW::default() }), of("AdamW"));
    }
    // A schedule that grows.
    let mut trainer = sgd().schedule(Schedule::Step { every: 1, factor: 1e13 });
    let mut net = Line::zeroed();
    trainer.step(&mut net, &[[0.0]; 2], &[[0.0]; 2]).expect("a rate of 1e-3");
    let error = trainer.step(&mut net, &[[0.0]; 2], &[[0.0]; 2]).expect_err("a rate of 1e10").to_string();
    assert!(
        error.starts_with("`learning_rate times the rate of the schedule` of `Sgd` is 10000000000, but"),
        "{error}"
    );

    let decay = "but must be at least 0 and below 1";
    assert_eq!(
        optimizer(Momentum { momentum: 1.0, ..Momentum::default() }),
        format!("`momentum` of `Momentum` is 1, {decay}")
    );
    assert_eq!(
        optimizer(RmsProp { alpha: 1.5, ..RmsProp::default() }),
        format!("`alpha` of `RmsProp` is 1.5, {decay}")
    );
    assert_eq!(optimizer(Adam { beta1: 1.0, ..Adam::default() }), format!("`beta1` of `Adam` is 1, {decay}"));
    assert_eq!(optimizer(AdamW { beta2: -0.1, ..AdamW::default() }), format!("`beta2` of `AdamW` is -0.1, {decay}"));
    // In `f32` it is 0.
    let epsilon = "but must be above 0 and finite";
    assert_eq!(
        optimizer(Adam { epsilon: 1e-60, ..Adam::default() }),
        format!("`epsilon` of `Adam` is {}, {epsilon}", 1e-60)
    );
    assert_eq!(
        optimizer(Adagrad { epsilon: 0.0, ..Adagrad::default() }),
        format!("`epsilon` of `Adagrad` is 0, {epsilon}")
    );
    let weight = "but must be at least 0 and finite";
    assert_eq!(
        optimizer(Sgd { weight_decay: -1.0, ..Sgd::default() }),
        format!("`weight_decay` of `Sgd` is -1, {weight}")
    );
    let decay = Adagrad { learning_rate_decay: f64::NAN, ..Adagrad::default() };
    assert_eq!(optimizer(decay), format!("`learning_rate_decay` of `Adagrad` is NaN, {weight}"));
    let all = AdamW { learning_rate: 1.0, weight_decay: 1.5, ..AdamW::default() };
    let share = "`learning_rate times weight_decay` of `AdamW` is 1.5, but must be at least 0 and at most 1";
    assert_eq!(optimizer(all), share);
    let descent = GradientDescent { max_evaluations: 0, ..GradientDescent::default() };
    assert_eq!(optimizer(descent), "`max_evaluations` of `GradientDescent` is 0, but must be at least 1 and finite");

    let huber = || Trainer::new(Sgd::default(), Huber { delta: 0.0 });
    assert_eq!(words(huber), "`delta` of `Huber` is 0, but must be above 0 and finite");
    let smooth = SmoothCrossEntropy { smoothing: 2.0 };
    let range =
        OutOfRange { of: "SmoothCrossEntropy", name: "smoothing", value: 2.0, must_be: "at least 0 and at most 1" };
    let mut net = Normal::zeroed();
    let trainer = || Trainer::<Normal, _, 2>::new(Sgd::default(), smooth);
    assert_eq!(refused(&mut net, trainer, &[[1.0; 3]; 2], &[0_u8, 1]), TrainError::Loss(LossError::OutOfRange(range)));
    let score = Evaluator::<Normal, 2>::new().score(&net, &smooth, &[[1.0; 3]; 2], &[0_u8, 1]);
    assert_eq!(score, Err(ScoreError::Loss(LossError::OutOfRange(range))));
}

#[test]
fn a_score_names_what_is_wrong() {
    let (net, x) = (Normal::zeroed(), [[0.5; 3]; 7]);
    let mut evaluator = Evaluator::<Normal, 3>::new();
    for wrong in 0..7 {
        let mut classes = [1_u8; 7];
        classes[wrong..].fill(2);
        let error = evaluator.score(&net, &CrossEntropy, &x, &classes).expect_err("no class");
        let class = LossError::ClassOutOfRange { sample: wrong, class: 2, classes: 2 };
        assert_eq!(error, ScoreError::Loss(class));
        assert!(error.to_string().starts_with(&format!("the target of sample {wrong} is class 2")), "{error}");
    }
    for (inputs, targets) in [(0, 0), (7, 6), (3, 7)] {
        let error = evaluator.score(&net, &CrossEntropy, &x[..inputs], &[1_u8; 7][..targets]).expect_err("no score");
        assert_eq!(error, ScoreError::Samples { inputs, targets });
        let text = format!(
            "{inputs} inputs and {targets} targets have no score: give at least one input, and one target for each"
        );
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn stopping_waits_for_a_loss_that_is_not_better() {
    for patience in [0, 1] {
        let (mut net, mut stopping) = (Line::zeroed(), EarlyStopping::<Line>::new(patience));
        for (loss, stop) in [(3.0, false), (2.0, false), (1.0, false), (1.5, true)] {
            net.dense1.bias = [loss as f32];
            assert_eq!(stopping.observe(loss, &net), stop, "{loss}");
        }
        for loss in [f64::NAN, f64::NEG_INFINITY, f64::INFINITY] {
            assert!(stopping.observe(loss, &net), "{loss}");
        }
        stopping.restore(&mut net);
        assert_eq!((net.dense1.bias, stopping.best()), ([1.0], 1.0));
    }
}
