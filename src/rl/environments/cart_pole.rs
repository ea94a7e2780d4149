//! A pole on a cart: Barto, Sutton and Anderson, *Neuronlike adaptive elements that can solve difficult learning
//! control problems* (1983); step for step Gymnasium's `CartPole-v1`.

use crate::noise::Noise;
use crate::plain::Plain;
use crate::rl::environment::uniform;
use crate::rl::{Discrete, Environment, Number, Outcome, Persist, Word};

/// A pole that stands on a cart, which is pushed to the left (0) or to the right (1), 50 times a second.
///
/// `a = (F + m l ω² sin θ)/M`, `ω̇ = (g sin θ − a cos θ)/(l (4/3 − m cos² θ/M))`, `ẍ = a − m l ω̇ cos θ/M`, by explicit
/// Euler steps of 0.02 s; `F = ±10` N, `m = 0.1` kg, `M = 1.1` kg with the cart, `l = 0.5` m is half of the pole.
///
/// Seen are position, velocity, angle and angular velocity, in m, s and rad. Every step is worth 1. The task ends where
/// the cart has left ±2.4 m, or the pole ±12°. An episode takes 500 steps at most.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct CartPole<T: Number = f32> {
    /// Position, velocity, angle, angular velocity.
    pub state: [T; 4],
    noise: Noise,
}

impl<T: Number> Environment for CartPole<T> {
    type Number = T;
    type Observation = [T; 4];
    type Action = usize;
    const STEPS: u32 = 500;

    fn seeded(seed: u64) -> Self {
        Self { state: [T::ZERO; 4], noise: Noise::new(seed) }
    }

    fn reset(&mut self) {
        self.state = [(); 4].map(|()| uniform(&mut self.noise, -0.05, 0.05));
    }

    #[inline]
    fn observe(&self) -> [T; 4] {
        self.state
    }

    #[inline]
    fn step(&mut self, action: &usize) -> Outcome<T> {
        let number = T::from_f64;
        let [x, velocity, angle, turn] = self.state;
        let force = number(if *action == 1 { 10.0 } else { -10.0 });
        let (sin, cos) = angle.sin_cos();
        let push = (force + number(0.05) * turn * turn * sin) * number(1.0 / 1.1);
        let turning =
            (number(9.8) * sin - cos * push) / (number(0.5) * (number(4.0 / 3.0) - number(0.1 / 1.1) * cos * cos));
        let acceleration = push - number(0.05 / 1.1) * turning * cos;
        let step = number(0.02);
        let [x, angle] = [x + step * velocity, angle + step * turn];
        self.state = [x, velocity + step * acceleration, angle, turn + step * turning];
        let fallen = x.abs() > number(2.4) || angle.abs() > number(12.0 * core::f64::consts::PI / 180.0);
        Outcome { reward: T::ONE, terminated: fallen }
    }

    fn persist(&mut self, word: &mut Word<'_>) {
        self.state.persist(word);
        self.noise.persist(word);
    }
}

impl<T: Number> Discrete for CartPole<T> {
    const ACTIONS: usize = 2;
}
