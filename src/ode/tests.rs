//! Solvers against exact and golden numbers, and their gradients against finite differences.

use crate::layer::{InputError, evaluate};
use crate::layers::Ode;
use crate::memory::{boxed, zeroed};
use crate::network;
use crate::noise::Noise;
use crate::ode::{Adjoint, Crossing, Dopri5, Euler, EventError, Events, Midpoint, Problem, Rk4, Rosenbrock, Trapezoid};
use crate::parameters::Parameters;
use crate::prelude::*;
use crate::tensor::Tensor;
use crate::testing::golden::{Case, assert_close, random};
use crate::testing::{check_gradients, passes};
use crate::train::TrainError;
use std::vec::Vec;

/// `tanh(y w1 + b1) w2 + b2`, solved in different ways.
macro_rules! field {
    ($name:ident, $solver:ty, $times:expr) => {
        network! { $name<f64>: [2] -> [2] { Dense(6), Tanh, Dense(2) } }
        impl Problem for $name {
            type Point = [f64; 2];
            type Solver = $solver;
            const TIMES: &'static [f64] = $times;
            const RTOL: f64 = 1e-10;
            const ATOL: f64 = 1e-10;
        }
    };
}

const TENTHS: &[f64] = &{
    let (mut times, mut index) = ([0.0; 20], 0);
    while index < 20 {
        times[index] = (index + 1) as f64 / 10.0;
        index += 1;
    }
    times
};

field!(Exact, Dopri5, &[0.5, 1.3, 2.0]);
field!(Classic, Rk4, TENTHS);
field!(Half, Rk4, &[1.0, 2.0]);
field!(Slow, Euler, &[1.0]);
field!(Middle, Midpoint, &[1.0]);
field!(Stiff, Trapezoid<2>, &[0.5, 1.0]);
field!(Damped, Rosenbrock<2>, &[0.5, 1.0]);
field!(Continuous, Adjoint<Rk4>, &[1.0, 2.0]);
field!(Reverse, Adjoint<Rk4>, &[0.5, 1.3, 2.0]);
field!(Backward, Rk4, &[-0.5, -1.0]);

fn set<F: Parameters<Scalar = f64>>(field: &mut F, case: &Case) {
    for (name, tensor) in
        [("dense1.weight", "w1"), ("dense1.bias", "b1"), ("dense2.weight", "w2"), ("dense2.bias", "b2")]
    {
        let numbers = case.numbers(&std::format!("p.{tensor}"));
        field.tensor_mut(name).expect(name).copy_from_slice(&numbers);
    }
}

fn start(case: &Case) -> [[f64; 2]; 2] {
    let y = case.numbers("y0");
    [[y[0], y[1]], [y[2], y[3]]]
}

/// The states at all times: `[times, samples, 2]`, as they are in the file.
fn by_time<const K: usize>(y: &[[[f64; 2]; K]; 2]) -> Vec<f64> {
    (0..K).flat_map(|time| y.iter().flat_map(move |sample| sample[time])).collect()
}

fn golden<F: Problem<Scalar = f64, Output = [f64; 2]>, const STATES: usize>(tolerance: f64) {
    let case = Case::open("ode_neural");
    assert_eq!(case.numbers("times"), [0.0, 0.5, 1.3, 2.0]);
    let mut ode = boxed::<Ode<F, [[f64; 2]; 3], 120, STATES>>();
    set(&mut ode.field, &case);
    let dy = case.numbers("dy");
    let mut grad = [[[0.0; 2]; 3]; 2];
    // The first of its times is that of the initial state, whose gradient goes there directly.
    for (index, dy) in dy[4..].iter().enumerate() {
        grad[index / 2 % 2][index / 4][index % 2] = *dy;
    }
    let result = passes(&*ode, &start(&case), &grad).expect("passes that agree");
    assert_close("y", &by_time(&result.evaluated), &case.numbers("y")[4..], 1e-8);
    let grad_input: Vec<f64> = result.grad_input.iter().flatten().zip(&dy).map(|(a, b)| a + b).collect();
    assert_close("dy0", &grad_input, &case.numbers("dy0"), tolerance);
    for (name, tensor) in
        [("dense1.weight", "w1"), ("dense1.bias", "b1"), ("dense2.weight", "w2"), ("dense2.bias", "b2")]
    {
        let found = result.gradient.field.tensor(name).expect(name);
        assert_close(tensor, found, &case.numbers(&std::format!("g.{tensor}")), tolerance);
    }
}

#[test]
fn adaptive_steps_agree_with_the_reference() {
    golden::<Exact, 120>(1e-8);
    // Every 16th state, and 4 for the spans between.
    golden::<Exact, 12>(1e-8);
}

#[test]
fn the_adjoint_agrees_with_the_reference() {
    golden::<Reverse, 0>(1e-8);
}

#[test]
fn rk4_is_that_of_the_reference() {
    let case = Case::open("ode_neural");
    let mut ode: Ode<Classic, [[f64; 2]; 20], 20, 20> = zeroed();
    set(&mut ode.field, &case);
    let y = evaluate(&ode, &start(&case));
    assert_close("rk4", &by_time(&y), &case.numbers("rk4"), 1e-13);
}

/// The gradients of a layer with random parameters.
fn check<F: Problem<Scalar = f64, Output = [f64; 2]>, Y, const STEPS: usize, const STATES: usize>()
where
    Y: Tensor<Element = f64>,
{
    let mut ode = boxed::<Ode<F, Y, STEPS, STATES>>();
    let numbers = random::<f64, 32>(3);
    ode.as_mut_slice().copy_from_slice(&numbers[..]);
    check_gradients(&mut *ode, &[[0.3, -0.7], [1.1, 0.2], [-0.4, 0.9]], 1e-7).expect("a right gradient");
}

#[test]
fn gradients_of_all_solvers_are_those_of_finite_differences() {
    check::<Slow, [f64; 2], 7, 7>();
    check::<Middle, [f64; 2], 5, 5>();
    check::<Half, [[f64; 2]; 2], 6, 6>();
    check::<Backward, [[f64; 2]; 2], 6, 4>();
    check::<Stiff, [[f64; 2]; 2], 4, 4>();
    check::<Damped, [[f64; 2]; 2], 4, 4>();
}

#[test]
fn few_checkpoints_give_the_same_gradient() {
    check::<Half, [[f64; 2]; 2], 34, 34>();
    check::<Half, [[f64; 2]; 2], 34, 20>();
    check::<Half, [[f64; 2]; 2], 34, 7>();
}

#[test]
fn the_adjoint_is_close_to_the_discrete_gradient() {
    let numbers = random::<f64, 32>(3);
    let mut discrete: Ode<Half, [[f64; 2]; 2], 80, 80> = zeroed();
    let mut continuous: Ode<Continuous, [[f64; 2]; 2], 80, 0> = zeroed();
    discrete.as_mut_slice().copy_from_slice(&numbers[..]);
    continuous.as_mut_slice().copy_from_slice(&numbers[..]);
    let (x, dy) = ([[0.3, -0.7]], [[[1.0, -0.5], [0.25, 2.0]]]);
    let a = passes(&discrete, &x, &dy).expect("passes that agree");
    let b = passes(&continuous, &x, &dy).expect("passes that agree");
    assert_eq!(a.output, b.output);
    assert_close("dy0", &b.grad_input[0], &a.grad_input[0], 1e-7);
    assert_close("gradient", b.gradient.as_slice(), a.gradient.as_slice(), 1e-7);
    // It is another one.
    assert_ne!(a.gradient.as_slice(), b.gradient.as_slice());
}

/// How fast errors fall as steps are halved, of `y′ = −5 y + tanh(..)` and the like.
fn order<F: Problem<Scalar = f64, Output = [f64; 2]>>() -> f64 {
    fn end<F: Problem<Scalar = f64, Output = [f64; 2]>, const STEPS: usize>() -> f64 {
        let mut ode = boxed::<Ode<F, [[f64; 2]; 2], STEPS, STEPS>>();
        ode.as_mut_slice().copy_from_slice(&random::<f64, 32>(3)[..]);
        evaluate(&*ode, &[[0.3, -0.7]])[0][1][0]
    }
    let exact = end::<F, 2560>();
    ((end::<F, 40>() - exact) / (end::<F, 80>() - exact)).log2()
}

#[test]
fn solvers_have_their_order() {
    let orders = [order::<Half>(), order::<Stiff>(), order::<Damped>()];
    for (order, expected) in orders.into_iter().zip([4.0, 2.0, 2.0]) {
        assert!((order - expected).abs() < 0.15, "{orders:?}");
    }
}

/// `y₁′ = −1000 (y₁ − y₂)`, `y₂′ = −y₂`.
macro_rules! stiff {
    ($name:ident, $solver:ty) => {
        network! { $name<f64>: [2] -> [2] { Dense(2) } }
        impl Problem for $name {
            type Point = [f64; 2];
            type Solver = $solver;
            const TIMES: &'static [f64] = &[1.0];
        }
    };
}
stiff!(StiffTrapezoid, Trapezoid<2>);
stiff!(StiffRosenbrock, Rosenbrock<2>);
stiff!(StiffRk4, Rk4);

#[test]
fn implicit_solvers_solve_stiff_equations() {
    fn end<F: Problem<Scalar = f64, Output = [f64; 2]>>() -> [f64; 2] {
        let mut ode = boxed::<Ode<F, [f64; 2], 50, 50>>();
        ode.as_mut_slice()[..4].copy_from_slice(&[-1000.0, 0.0, 1000.0, -1.0]);
        evaluate(&*ode, &[[1.0, 1.0]])[0]
    }
    let exact = (-1.0_f64).exp();
    for y in [end::<StiffTrapezoid>(), end::<StiffRosenbrock>()] {
        assert!((y[1] - exact).abs() < 1e-4 && (y[0] - exact).abs() < 2e-3, "{y:?}");
    }
    let explicit = end::<StiffRk4>()[0].abs();
    assert!(explicit >= 1e6 || explicit.is_nan(), "steps of this size are unstable");
}

#[test]
fn the_time_is_a_number_of_the_point() {
    network! { Clock<f64>: [2] -> [1] { Dense(1) } }
    impl Problem for Clock {
        type Point = [f64; 2];
        type Solver = Rk4;
        const FROM: f64 = 1.0;
        const TIMES: &'static [f64] = &[3.0];
    }
    // y′ = t from 1 to 3.
    let mut ode: Ode<Clock, [f64; 1], 4, 4> = zeroed();
    ode.field.dense1.weight = [[0.0], [1.0]];
    assert!((evaluate(&ode, &[[2.0]])[0][0] - 6.0).abs() < 1e-14);
    ode.field.dense1.weight = [[0.5], [1.0]];
    check_gradients(&mut ode, &[[2.0], [-1.0]], 1e-8).expect("a right gradient");
}

#[test]
fn samples_do_not_depend_on_each_other() {
    let case = Case::open("ode_neural");
    let mut ode = boxed::<Ode<Exact, [[f64; 2]; 3], 120, 120>>();
    set(&mut ode.field, &case);
    let many = evaluate(&*ode, &[[0.1, 0.2], [3.0, -4.0], [100.0, 50.0]]);
    for (x, y) in [[0.1, 0.2], [3.0, -4.0], [100.0, 50.0]].into_iter().zip(many) {
        assert_close("y", evaluate(&*ode, &[x])[0].as_flattened(), y.as_flattened(), 1e-12);
    }
}

#[test]
fn a_solution_that_takes_too_many_steps_is_the_error_of_the_step() {
    network! { Hurry: [2] -> [2] { ode(to = 10.0, steps = 3, rtol = 1e-6) { Dense(6), Tanh, Dense(2) } } }
    let mut net = Hurry::zeroed();
    net.initialize(Init::default(), &mut Noise::new(1));
    let before = net.as_slice().to_vec();
    let mut trainer = Trainer::<Hurry, _, 2>::new(Sgd::default(), Mse);
    let error = trainer.step(&mut net, &[[0.0, 0.0], [1.0, 50.0]], &[[0.0; 2]; 2]).expect_err("a refusal");
    assert_eq!(
        std::format!("{error}"),
        "the equation of sample 0 is not solved within the 3 steps that it may take, or leaves the numbers; the network \
         was left as it was: correct the input"
    );
    assert_eq!(net.as_slice(), before);
    assert!(net.evaluate(&[1.0, 50.0]).iter().all(|y| y.is_nan()));
}

#[test]
fn an_equation_that_leaves_the_numbers_is_refused() {
    network! { Burst<f64>: [1] -> [1] { ode(to = 1.0, solver = Rk4, steps = 500) { Dense(1) } } }
    let mut net = Burst::zeroed();
    net.ode1.field.dense1.weight = [[1e9]];
    assert!(net.evaluate(&[1.0])[0].is_nan());
    let mut trainer = Trainer::<Burst, _, 1>::new(Sgd::default(), Mse);
    let error = trainer.step(&mut net, &[[1.0]], &[[0.0]]).expect_err("a refusal");
    assert_eq!(error, TrainError::Input(InputError::Unsolved { sample: 0, steps: 500 }));
}

network! { Fall<f64>: [2] -> [2] { Dense(2) } }
impl Problem for Fall {
    type Point = [f64; 2];
    type Solver = Dopri5;
    const TIMES: &'static [f64] = &[3.0];
    const RTOL: f64 = 1e-11;
    const ATOL: f64 = 1e-11;
}

#[test]
fn events_have_their_gradient() {
    let ground = |_: f64, y: &[f64; 2]| Crossing { value: y[0], by_time: 0.0, by_state: [1.0, 0.0] };
    let mut events = boxed::<Events<Fall, 100, 10>>();
    let mut fall = Fall::zeroed();
    // A fall with drag.
    (fall.dense1.weight, fall.dense1.bias) = ([[0.0, 0.0], [1.0, -0.3]], [0.0, -9.81]);
    let mut landing = |fall: &Fall, start: &[f64; 2]| events.find(fall, start, ground).expect("a landing");
    let start = [10.0, 1.0];
    let found = landing(&fall, &start);
    assert!(found.state[0].abs() < 1e-13);

    let loss = |event: crate::ode::Event<f64, [f64; 2]>| 2.0 * event.time - 0.5 * event.state[1];
    let mut differences = Vec::new();
    for index in 0..8 {
        let mut at = |step: f64| {
            let (mut fall, mut start) = (fall.clone_of(), start);
            if index < 2 {
                start[index] += step
            } else {
                fall.as_mut_slice()[index - 2] += step
            }
            loss(landing(&fall, &start))
        };
        differences.push((at(1e-5) - at(-1e-5)) / 2e-5);
    }
    landing(&fall, &start);
    let (mut by_start, mut gradient) = ([0.0; 2], Fall::zeroed());
    events.backward(&fall, 2.0, &[0.0, -0.5], &mut by_start, &mut gradient);
    let found: Vec<f64> = by_start.iter().chain(gradient.as_slice()).copied().collect();
    assert_close("gradient", &found[..8], &differences, 2e-6);

    let never = |_: f64, y: &[f64; 2]| Crossing { value: y[0] + 1e6, by_time: 0.0, by_state: [1.0, 0.0] };
    assert_eq!(events.find(&fall, &start, never), Err(EventError::None));
}

impl Fall {
    fn clone_of(&self) -> Self {
        let mut copy = Self::zeroed();
        copy.as_mut_slice().copy_from_slice(self.as_slice());
        copy
    }
}

#[test]
fn an_equation_is_declared_in_a_network() {
    network! {
        Mixed<f64>: [3] -> [1] {
            Dense(2), ode(times = [0.5, 1.0], solver = Rk4, steps = 8, checkpoints = 5, time) { Dense(6), Tanh, Dense(2) },
            Flatten, last: ode(to = -1.0, solver = Trapezoid, steps = 3) { Dense(4) }, Dense(1),
        }
    }
    assert_eq!(Mixed::PARAMS, 8 + (3 * 6 + 6 + 14) + 20 + 5);
    let mut net = Mixed::zeroed();
    net.initialize(Init::default(), &mut Noise::new(4));
    check_gradients(&mut net, &random::<[f64; 3], 3>(7), 1e-6).expect("a right gradient");
    passes(&net, &random::<[f64; 3], 3>(7), &random::<[f64; 1], 3>(8)).expect("passes that agree");
}
