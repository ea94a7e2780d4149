use std::boxed::Box;
use std::vec::Vec;

use super::*;
use crate::init::Init;
use crate::network;
use crate::noise::Noise;
use crate::optim::{Adam, Lbfgs, LevenbergMarquardt, Sgd};
use crate::parameters::Parameters;

network! { Two<T>: [2] -> [2] { Dense(5), Tanh, Dense(3), Sigmoid, Dense(2) } }
network! { One<T>: [2] -> [1] { Dense(6), Tanh, Dense(1) } }
network! { Cube<T>: [3] -> [1] { Dense(4), Softplus, Dense(1) } }

fn random<N: Network<Scalar = f64>>(seed: u64) -> Box<N> {
    let mut net: Box<N> = memory::boxed();
    net.initialize(Init::default(), &mut Noise::new(seed));
    let mut noise = Noise::new(seed + 1);
    net.as_mut_slice().iter_mut().for_each(|number| *number += noise.uniform() - 0.5);
    net
}

fn points<const D: usize>(count: usize) -> Vec<[f64; D]> {
    let mut noise = Noise::new(9);
    (0..count).map(|_| core::array::from_fn(|_| 2.0 * noise.uniform() - 1.0)).collect()
}

/// The gradient against differences, and against the rows.
fn check_gradient<N, J, const D: usize, const M: usize>(second: [f64; D], terms: &[Term<'_, N::Input, f64, D, M>])
where
    N: Network<Scalar = f64, Input: Tensor<Element = f64>> + Trainable,
    J: Network<Scalar = Jet<f64, D>, Input: Tensor<Element = Jet<f64, D>>>,
{
    let mut net = random::<N>(3);
    let mut physics = Physics::<N, J, Sgd>::new(Sgd::default(), second);
    let mut gradient: Box<N> = memory::boxed();
    let loss = physics.differentiate(&net, terms).expect("a loss");
    gradient.as_mut_slice().copy_from_slice(physics.gradient().as_slice());
    assert!(loss > 1e-3);

    let mut sum: Box<N> = memory::boxed();
    let mut squares = 0.0;
    let mut objective = Points { workshop: &mut physics.workshop, terms };
    let outcome = objective.rows(&net, &mut |row, b| {
        squares += 0.5 * b * b;
        sum.as_mut_slice().iter_mut().zip(row.as_slice()).for_each(|(sum, row)| *sum -= b * row);
    });
    assert!(outcome.is_ok());
    assert!((squares - loss).abs() < 1e-12 * loss);
    // The rows leave the gradient as it was.
    assert_eq!(objective.gradient().as_slice(), gradient.as_slice());

    for index in 0..N::COUNT {
        let mut at = |by: f64| {
            let number = net.as_slice()[index];
            net.as_mut_slice()[index] = number + by;
            let loss = Points { workshop: &mut physics.workshop, terms }.loss_at(&net);
            net.as_mut_slice()[index] = number;
            loss
        };
        let slope = |step: f64, at: &mut dyn FnMut(f64) -> f64| (at(step) - at(-step)) / (2.0 * step);
        let difference = (4.0 * slope(5e-4, &mut at) - slope(1e-3, &mut at)) / 3.0;
        let (found, rows) = (gradient.as_slice()[index], sum.as_slice()[index]);
        assert!((found - difference).abs() < 1e-8 * (1.0 + found.abs()), "{index}: {found}, not {difference}");
        assert!((found - rows).abs() < 1e-11 * (1.0 + found.abs()), "{index}: {found}, not {rows}");
    }
}

#[test]
fn gradients_are_those_of_differences() {
    for count in [1, 3, 17, 33] {
        let (inside, other) = (points::<2>(count), points::<2>(5));
        // Two functions that depend on each other, in every derivative there is.
        let terms = [
            Term {
                points: &inside,
                weight: 1.0,
                residual: &|n, [u, v]: &[Field<f64, 2>; 2]| {
                    u.slopes[1] + u.value * v.slopes[0] - 0.1 * u.second * v.second
                        + v.slopes[1].squared() * inside[n][0]
                },
            },
            Term {
                points: &other,
                weight: 3.0,
                residual: &|n, [u, v]: &[Field<f64, 2>; 2]| u.value * v.value - other[n][1],
            },
        ];
        check_gradient::<Two<f64>, Two<Jet<f64, 2>>, 2, 2>([1.0, 0.0], &terms);
        check_gradient::<Two<f64>, Two<Jet<f64, 2>>, 2, 2>([0.5, 2.0], &terms);
    }
    let inside = points::<3>(7);
    let terms = [Term {
        points: &inside,
        weight: 1.0,
        residual: &|_, [u]: &[Field<f64, 3>; 1]| u.second + u.value.exp() - u.slopes[2],
    }];
    check_gradient::<Cube<f64>, Cube<Jet<f64, 3>>, 3, 1>([1.0, 0.0, 1.0], &terms);
}

#[test]
fn fields_are_the_derivatives_of_the_network() {
    let net = random::<One<f64>>(5);
    let at = [[0.3, -0.4]];
    let found = core::cell::Cell::new([0.0; 4]);
    let terms = [Term {
        points: &at,
        weight: 1.0,
        residual: &|_, [u]: &[Field<f64, 2>; 1]| {
            found.set([u.value, u.slopes[0], u.slopes[1], u.second].map(|number| number.value));
            u.value
        },
    }];
    let mut physics = Physics::<One<f64>, One<Jet<f64, 2>>, _>::new(Sgd::default(), [1.0, 0.0]);
    physics.differentiate(&net, &terms).expect("a loss");
    let u = |x: f64, t: f64| net.evaluate(&[0.3 + x, -0.4 + t])[0];
    let h = 1e-4;
    let expected = [
        u(0.0, 0.0),
        (u(h, 0.0) - u(-h, 0.0)) / (2.0 * h),
        (u(0.0, h) - u(0.0, -h)) / (2.0 * h),
        (u(h, 0.0) + u(-h, 0.0) - 2.0 * u(0.0, 0.0)) / (h * h),
    ];
    for ((found, expected), precision) in found.get().into_iter().zip(expected).zip([1e-15, 1e-8, 1e-8, 1e-6]) {
        assert!((found - expected).abs() < precision, "{found}, not {expected}");
    }
}

#[test]
fn trains_with_every_kind_of_optimizer() {
    // u_x + 2 u_t = 1 with u(x, 0) = x, of which u = x is the solution.
    let (inside, mut start) = (points::<2>(50), points::<2>(20));
    start.iter_mut().for_each(|point| point[1] = 0.0);
    let terms = [
        Term { points: &inside, weight: 1.0, residual: &|_, [u]| u.slopes[0] + 2.0 * u.slopes[1] - 1.0 },
        Term { points: &start, weight: 1.0, residual: &|n, [u]| u.value - start[n][0] },
    ];
    let mut net = random::<One<f64>>(1);
    let adam = Adam { learning_rate: 0.01, ..Adam::default() };
    let mut physics = Physics::<One<f64>, One<Jet<f64, 2>>, _>::new(adam, [0.0; 2]);
    let first = physics.step(&mut net, &terms).expect("a step").loss;
    for _ in 0..200 {
        physics.step(&mut net, &terms).expect("a step");
    }
    assert!(physics.differentiate(&net, &terms).expect("a loss") < 0.1 * first && physics.steps() == 201);
    let mut physics = Physics::<One<f64>, One<Jet<f64, 2>>, _>::new(Lbfgs::<10>::default(), [0.0; 2]);
    for _ in 0..100 {
        physics.step(&mut net, &terms).expect("a step");
    }
    assert!(physics.differentiate(&net, &terms).expect("a loss") < 1e-4);

    let mut net = random::<One<f64>>(1);
    let method = LevenbergMarquardt::<{ One::<f64>::COUNT }>::default();
    let mut physics = Physics::<One<f64>, One<Jet<f64, 2>>, _>::new(method, [0.0; 2]);
    for _ in 0..40 {
        physics.step(&mut net, &terms).expect("a step");
    }
    assert!(physics.differentiate(&net, &terms).expect("a loss") < 1e-6);
}

#[test]
fn what_is_out_of_range_is_refused() {
    let at = points::<2>(3);
    let mut net = random::<One<f64>>(1);
    let mut physics = Physics::<One<f64>, One<Jet<f64, 2>>, _>::new(Sgd::default(), [1.0, -1.0]);
    let terms = [Term { points: &at, weight: 1.0, residual: &|_, [u]: &[Field<f64, 2>; 1]| u.value }];
    assert!(matches!(physics.step(&mut net, &terms), Err(TrainError::OutOfRange(_))));
    let mut physics = Physics::<One<f64>, One<Jet<f64, 2>>, _>::new(Sgd::default(), [1.0, 0.0]);
    let terms = [Term { points: &at, weight: -1.0, residual: &|_, [u]: &[Field<f64, 2>; 1]| u.value }];
    assert!(matches!(physics.step(&mut net, &terms), Err(TrainError::OutOfRange(_))));
    let terms = [Term { points: &at, weight: 1.0, residual: &|_, [u]: &[Field<f64, 2>; 1]| u.value / 0.0 }];
    assert!(matches!(physics.step(&mut net, &terms), Err(TrainError::NotFinite { what: "loss", step: 1 })));
    assert_eq!(random::<One<f64>>(1).as_slice(), net.as_slice());
}
