//! Terms that layers add to the loss, and randomness where a user asks for it.

use monomorph::prelude::*;
use monomorph::testing::check_gradients;

network! { #[derive(Clone)] pub Sparse<f64>: [4] -> [4] { code: Dense(8), Tanh, ActivityRegularization(l1 = 0.2, l2 = 0.3), Dense(4) } }
network! { pub Around<f64>: [4] -> [2] { inner: Sparse, Tanh, ActivityRegularization(l2 = 0.1), Dense(2) } }
network! { pub Last<f64>: [4] -> [2] { Dense(2), ActivityRegularization(l1 = 0.5) } }
network! { pub Dropped: [16] -> [4] { Dense(64), Relu, Dropout(0.5), Dense(4), Dropout(0.1) } }
network! { pub Outer: [16] -> [2] { dropped: Dropped, Dense(2) } }
network! { pub Certain: [16] -> [4] { Dense(4) } }

fn drawn<N: Network>() -> Box<N>
where
    N::Scalar: monomorph::Real,
{
    let mut net: Box<N> = monomorph::memory::boxed();
    net.initialize(Init::KaimingUniform, &mut Noise::new(8));
    net
}

const BATCH: [[f64; 4]; 3] = [[0.4, -0.3, 0.2, 0.9], [0.1, 0.5, -0.6, -0.2], [-0.7, 0.3, 0.2, 0.1]];

#[test]
fn the_gradient_of_the_loss_has_those_of_its_terms() {
    check_gradients(&mut *drawn::<Sparse>(), &BATCH, 1e-7).expect("the gradient");
    check_gradients(&mut *drawn::<Around>(), &BATCH, 1e-7).expect("the gradient");
    check_gradients(&mut *drawn::<Last>(), &BATCH, 1e-7).expect("the gradient");
}

/// The term that one sample adds.
fn penalty(net: &Sparse, x: &[f64; 4]) -> f64 {
    let code = net.code.weight.iter().zip(x).fold(net.code.bias, |mut sum, (row, x)| {
        sum.iter_mut().zip(row).for_each(|(sum, w)| *sum += w * x);
        sum
    });
    code.iter().map(|a| a.tanh()).map(|a| 0.2 * a.abs() + 0.3 * a * a).sum()
}

#[test]
fn the_trainer_weights_the_terms() {
    let net = drawn::<Sparse>();
    let loss = |weight: f64| {
        let mut copy = net.clone();
        let mut trainer = Trainer::<Sparse, _, 3>::new(Sgd::default(), Mse).term_weight(weight);
        trainer.step(&mut copy, &BATCH, &[[0.0; 4]; 3]).expect("a step").loss
    };
    let term = BATCH.iter().map(|x| penalty(&net, x)).sum::<f64>() / 3.0;
    let data = loss(0.0);
    for weight in [1.0, 0.25, 4.0] {
        let (found, expected) = (loss(weight), data + weight * term);
        assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
    }
    assert!(term > 0.1);
}

#[test]
fn a_penalty_makes_activity_small() {
    let activity = |weight: f64| {
        let mut net = drawn::<Sparse>();
        let mut trainer = Trainer::<Sparse, _, 3>::new(Adam::default(), Mse).term_weight(weight);
        let mut loss = 0.0;
        for _ in 0..400 {
            loss = trainer.step(&mut net, &BATCH, &BATCH).expect("a step").loss;
        }
        assert!(loss.is_finite());
        BATCH.iter().map(|x| penalty(&net, x)).sum::<f64>()
    };
    let (free, bound) = (activity(0.0), activity(1.0));
    assert!(bound < 0.5 * free, "{bound} < {free} / 2");
}

#[test]
fn samples_of_a_stochastic_network_differ() {
    let net = drawn::<Dropped>();
    let input: [f32; 16] = std::array::from_fn(|i| i as f32 / 16.0 - 0.3);
    let mut noise = Noise::new(1);
    let first = net.sample(&input, &mut noise);
    assert_ne!(first, net.sample(&input, &mut noise));
    assert_eq!(first, net.sample(&input, &mut Noise::new(1)), "the same noise gives the same sample");
    // The mean of many samples is what `evaluate` gives: dropout keeps the mean, and the rest is linear.
    let (samples, mean) = (20_000, net.evaluate(&input));
    let mut sum = [0.0_f64; 4];
    for _ in 0..samples {
        let y = net.sample(&input, &mut noise);
        sum.iter_mut().zip(y).for_each(|(sum, y)| *sum += f64::from(y));
    }
    for (sum, mean) in sum.into_iter().zip(mean) {
        let found = sum / f64::from(samples);
        assert!((found - f64::from(mean)).abs() < 0.05, "{found} for {mean}");
    }
    // A network inside draws as well.
    let outer = drawn::<Outer>();
    assert_ne!(outer.sample(&input, &mut noise), outer.sample(&input, &mut noise));
    // What is not stochastic evaluates.
    let certain = drawn::<Certain>();
    assert_eq!(monomorph::network::sample(&*certain, &input, &mut noise), certain.evaluate(&input));
}

#[test]
fn samples_need_the_memory_of_evaluate() {
    type Workspace = <Dropped as monomorph::Layer>::Workspace<1>;
    assert_eq!(size_of::<Workspace>(), Dropped::EVALUATE_BYTES);
    const { assert!(Dropped::EVALUATE_BYTES <= 2 * 64 * 4) };
}
