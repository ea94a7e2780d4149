//! Two rods that hang in a chain: R. Sutton, *Generalization in reinforcement learning: successful examples using
//! sparse coarse coding* (1996), with the equations of Sutton and Barto's book; step for step Gymnasium's `Acrobot-v1`.

use core::f64::consts::{PI, TAU};

use crate::noise::Noise;
use crate::plain::Plain;
use crate::rl::environment::{clip, uniform};
use crate::rl::{Discrete, Environment, Number, Outcome, Persist, Word};

/// Two rods, the second one hanging from the first, with a motor between them: its end is to swing above the line that
/// is one rod's length above the pivot.
///
/// Both rods have 1 kg and 1 m, the center of mass in the middle and the moment of inertia 1. The motor turns by −1, 0
/// or 1 Nm (actions 0, 1, 2), one Runge–Kutta step of 0.2 s.
///
/// Seen are `cos θ₁`, `sin θ₁`, `cos θ₂`, `sin θ₂` and both angular velocities, where 0 hangs straight down and `θ₂`
/// counts from the first rod. Every step costs 1, except the last one. An episode takes 500 steps at most.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct Acrobot<T: Number = f32> {
    /// `θ₁`, `θ₂` and their velocities.
    pub state: [T; 4],
    noise: Noise,
}

/// The derivative of the state by the time.
#[inline(always)]
fn motion<T: Number>([first, second, turn1, turn2]: [T; 4], torque: T) -> [T; 4] {
    let number = T::from_f64;
    let (sin2, cos2) = second.sin_cos();
    let d1 = number(0.25) + (number(1.25) + cos2) + number(2.0);
    let d2 = number(0.25) + number(0.5) * cos2 + T::ONE;
    // cos(x − π/2) = sin x
    let (sin_both, _) = (first + second).sin_cos();
    let (sin1, _) = first.sin_cos();
    let phi2 = number(0.5 * 9.8) * sin_both;
    let phi1 = -number(0.5) * turn2 * turn2 * sin2 - turn2 * turn1 * sin2 + number(1.5 * 9.8) * sin1 + phi2;
    let turning2 =
        (torque + d2 / d1 * phi1 - number(0.5) * turn1 * turn1 * sin2 - phi2) / (number(1.25) - d2 * d2 / d1);
    let turning1 = -(d2 * turning2 + phi1) / d1;
    [turn1, turn2, turning1, turning2]
}

/// `x + factor·y`.
#[inline(always)]
fn along<T: Number>(x: [T; 4], factor: f64, y: [T; 4]) -> [T; 4] {
    let factor = T::from_f64(factor);
    let [[a, b, c, d], [e, f, g, h]] = [x, y];
    [a + factor * e, b + factor * f, c + factor * g, d + factor * h]
}

/// An angle between −π and π.
#[inline(always)]
fn wrap<T: Number>(angle: T) -> T {
    let round = T::from_f64(TAU);
    if angle.abs() > T::from_f64(PI) { angle - round * (angle / round).round() } else { angle }
}

impl<T: Number> Environment for Acrobot<T> {
    type Number = T;
    type Observation = [T; 6];
    type Action = usize;
    const STEPS: u32 = 500;

    fn seeded(seed: u64) -> Self {
        Self { state: [T::ZERO; 4], noise: Noise::new(seed) }
    }

    fn reset(&mut self) {
        self.state = [(); 4].map(|()| uniform(&mut self.noise, -0.1, 0.1));
    }

    #[inline]
    fn observe(&self) -> [T; 6] {
        let [first, second, turn1, turn2] = self.state;
        let ((sin1, cos1), (sin2, cos2)) = (first.sin_cos(), second.sin_cos());
        [cos1, sin1, cos2, sin2, turn1, turn2]
    }

    #[inline]
    fn step(&mut self, action: &usize) -> Outcome<T> {
        let torque = T::from_f64(*action as f64 - 1.0);
        let start = self.state;
        let k1 = motion(start, torque);
        let k2 = motion(along(start, 0.1, k1), torque);
        let k3 = motion(along(start, 0.1, k2), torque);
        let k4 = motion(along(start, 0.2, k3), torque);
        let sum = along(along(along(k1, 2.0, k2), 2.0, k3), 1.0, k4);
        let [first, second, turn1, turn2] = along(start, 0.2 / 6.0, sum);
        let (first, second) = (wrap(first), wrap(second));
        self.state = [first, second, clip(turn1, 4.0 * PI), clip(turn2, 9.0 * PI)];
        let ((_, cos1), (_, cos_both)) = (first.sin_cos(), (first + second).sin_cos());
        let terminated = -cos1 - cos_both > T::ONE;
        Outcome { reward: if terminated { T::ZERO } else { -T::ONE }, terminated }
    }

    fn persist(&mut self, word: &mut Word<'_>) {
        self.state.persist(word);
        self.noise.persist(word);
    }
}

impl<T: Number> Discrete for Acrobot<T> {
    const ACTIONS: usize = 3;
}
