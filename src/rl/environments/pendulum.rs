//! A pendulum that is to be swung up and held; step for step Gymnasium's `Pendulum-v1`.

use crate::noise::Noise;
use crate::plain::Plain;
use crate::rl::environment::{clip, uniform};
use crate::rl::{Continuous, Environment, Number, Outcome, Persist, Word};

/// A rod that hangs from a motor too weak to lift it at once: it has to swing.
///
/// `ω ← ω + (15 sin θ + 3u)·0.05`, clipped to ±8; `θ ← θ + 0.05 ω`, where `θ = 0` is upright. The torque `u` is clipped
/// to ±2. A step is worth `−(θ² + 0.1 ω² + 0.001 u²)` of the state before it, with `θ` from −π to π.
///
/// Seen are `cos θ`, `sin θ` and `ω`. The task never ends; an episode takes 200 steps.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct Pendulum<T: Number = f32> {
    /// The angle from upright, and the angular velocity.
    pub state: [T; 2],
    noise: Noise,
}

impl<T: Number> Environment for Pendulum<T> {
    type Number = T;
    type Observation = [T; 3];
    type Action = [T; 1];
    const STEPS: u32 = 200;

    fn seeded(seed: u64) -> Self {
        Self { state: [T::ZERO; 2], noise: Noise::new(seed) }
    }

    fn reset(&mut self) {
        let angle = uniform(&mut self.noise, -core::f64::consts::PI, core::f64::consts::PI);
        self.state = [angle, uniform(&mut self.noise, -1.0, 1.0)];
    }

    #[inline]
    fn observe(&self) -> [T; 3] {
        let [angle, turn] = self.state;
        let (sin, cos) = angle.sin_cos();
        [cos, sin, turn]
    }

    #[inline]
    fn step(&mut self, [torque]: &[T; 1]) -> Outcome<T> {
        let number = T::from_f64;
        let [angle, turn] = self.state;
        let torque = clip(*torque, 2.0);
        let round = number(core::f64::consts::TAU);
        let from_upright = angle - round * (angle / round).round();
        let cost = from_upright * from_upright + number(0.1) * turn * turn + number(0.001) * torque * torque;
        let (sin, _) = angle.sin_cos();
        let turn = clip(turn + (number(15.0) * sin + number(3.0) * torque) * number(0.05), 8.0);
        self.state = [angle + turn * number(0.05), turn];
        Outcome { reward: -cost, terminated: false }
    }

    fn persist(&mut self, word: &mut Word<'_>) {
        self.state.persist(word);
        self.noise.persist(word);
    }
}

impl<T: Number> Continuous for Pendulum<T> {
    const BOUND: f64 = 2.0;
}
