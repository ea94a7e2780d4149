//! Single steps compared with Gymnasium's.

use super::*;
use crate::rl::{Environment, Number};
use crate::tensor::Tensor;
use crate::testing::golden::{Case, assert_close};
use std::{format, vec::Vec};

/// Steps from the states of a case; `place` sets a state, `state` reads it, `action` makes one of a number.
fn check<E: Environment, const N: usize>(
    name: &str,
    tolerance: f64,
    state: fn(&mut E) -> &mut [E::Number; N],
    action: fn(f64) -> E::Action,
) {
    let case = Case::open(name);
    let [states, actions, nexts, rewards, terminated, observations] =
        ["state", "action", "next_state", "reward", "terminated", "observation"].map(|tensor| case.numbers(tensor));
    let mut environment = E::seeded(1);
    for index in 0..actions.len() {
        let row = |numbers: &[f64]| -> Vec<f64> { numbers[index * N..][..N].to_vec() };
        for (to, from) in state(&mut environment).iter_mut().zip(row(&states)) {
            *to = crate::Scalar::from_f64(from);
        }
        let outcome = environment.step(&action(actions[index]));
        let what = |part: &str| format!("{name}, step {index}: {part}");
        assert_close(&what("state"), &state(&mut environment)[..], &row(&nexts), tolerance);
        assert_close(&what("reward"), &[outcome.reward], &[rewards[index]], tolerance);
        assert_eq!(outcome.terminated, terminated[index] == 1.0, "{}", what("terminated"));
        let seen = environment.observe();
        let len = E::Observation::LEN;
        // Gymnasium's are `f32`.
        let expected = &observations[index * len..][..len];
        assert_close(&what("observation"), seen.numbers(), expected, tolerance.max(1e-6));
    }
}

fn number<T: Number>(x: f64) -> [T; 1] {
    [T::from_f64(x)]
}

macro_rules! check {
    ($name:literal, $environment:ident, $n:literal, $tolerance:literal, $action:expr, $action32:expr) => {
        check::<$environment<f64>, $n>($name, $tolerance, |e| &mut e.state, $action);
        check::<$environment<f32>, $n>($name, 1e-6, |e| &mut e.state, $action32);
    };
}

#[test]
fn steps_are_those_of_gymnasium() {
    check!("rl_env_cart_pole", CartPole, 4, 1e-12, |a| a as usize, |a| a as usize);
    check!("rl_env_pendulum", Pendulum, 2, 1e-12, number, number);
    check!("rl_env_mountain_car", MountainCar, 2, 1e-12, |a| a as usize, |a| a as usize);
    // Gymnasium's state of this one is `f32`.
    check!("rl_env_mountain_car_continuous", MountainCarContinuous, 2, 1e-6, number, number);
    check!("rl_env_acrobot", Acrobot, 4, 1e-12, |a| a as usize, |a| a as usize);
}
