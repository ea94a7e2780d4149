//! A car in a valley: A. Moore, *Efficient memory-based learning for robot control* (1990); step for step Gymnasium's
//! `MountainCar-v0`.

use crate::noise::Noise;
use crate::plain::Plain;
use crate::rl::environment::{clip, uniform};
use crate::rl::{Discrete, Environment, Number, Outcome, Persist, Word};

/// A car in a valley whose motor is too weak for the hill: it has to gain speed on the other side.
///
/// `v ← v + 0.001 (a − 1) − 0.0025 cos 3x`, clipped to ±0.07, where `a` is 0, 1 or 2: backward, nothing, forward. `x ←
/// x + v`, from −1.2, where a wall stops it, to 0.6.
///
/// Seen are position and velocity. Every step costs 1, until the car is at 0.5. An episode takes 200 steps at most.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct MountainCar<T: Number = f32> {
    /// Position and velocity.
    pub state: [T; 2],
    noise: Noise,
}

/// The state after a step in which the motor accelerates the car by `motor`.
#[inline(always)]
pub(super) fn drive<T: Number>([x, velocity]: [T; 2], motor: T) -> [T; 2] {
    let number = T::from_f64;
    let (_, cos) = (number(3.0) * x).sin_cos();
    let velocity = clip(velocity + motor - number(0.0025) * cos, 0.07);
    let x = (x + velocity).max(number(-1.2)).min(number(0.6));
    // The wall.
    [x, if x <= number(-1.2) && velocity < T::ZERO { T::ZERO } else { velocity }]
}

impl<T: Number> Environment for MountainCar<T> {
    type Number = T;
    type Observation = [T; 2];
    type Action = usize;
    const STEPS: u32 = 200;

    fn seeded(seed: u64) -> Self {
        Self { state: [T::ZERO; 2], noise: Noise::new(seed) }
    }

    fn reset(&mut self) {
        self.state = [uniform(&mut self.noise, -0.6, -0.4), T::ZERO];
    }

    #[inline]
    fn observe(&self) -> [T; 2] {
        self.state
    }

    #[inline]
    fn step(&mut self, action: &usize) -> Outcome<T> {
        self.state = drive(self.state, T::from_f64((*action as f64 - 1.0) * 0.001));
        let [x, velocity] = self.state;
        Outcome { reward: -T::ONE, terminated: x >= T::from_f64(0.5) && velocity >= T::ZERO }
    }

    fn persist(&mut self, word: &mut Word<'_>) {
        self.state.persist(word);
        self.noise.persist(word);
    }
}

impl<T: Number> Discrete for MountainCar<T> {
    const ACTIONS: usize = 3;
}
