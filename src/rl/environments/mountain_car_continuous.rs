//! The [car in a valley](super::MountainCar) with a motor of any power; step for step Gymnasium's
//! `MountainCarContinuous-v0`.

use super::mountain_car::drive;
use crate::noise::Noise;
use crate::plain::Plain;
use crate::rl::environment::{clip, uniform};
use crate::rl::{Continuous, Environment, Number, Outcome, Persist, Word};

/// A car in a valley: `v ← v + 0.0015 a − 0.0025 cos 3x`, with `a` from −1 to 1, and all else as in
/// [`MountainCar`](super::MountainCar).
///
/// Seen are position and velocity. A step costs `0.1 a²`; to reach 0.45 is worth 100. So whoever has never been there
/// learns to do nothing. An episode takes 999 steps at most.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct MountainCarContinuous<T: Number = f32> {
    /// Position and velocity.
    pub state: [T; 2],
    noise: Noise,
}

impl<T: Number> Environment for MountainCarContinuous<T> {
    type Number = T;
    type Observation = [T; 2];
    type Action = [T; 1];
    const STEPS: u32 = 999;

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
    fn step(&mut self, &[action]: &[T; 1]) -> Outcome<T> {
        self.state = drive(self.state, clip(action, 1.0) * T::from_f64(0.0015));
        let [x, velocity] = self.state;
        let terminated = x >= T::from_f64(0.45) && velocity >= T::ZERO;
        let prize = if terminated { T::from_f64(100.0) } else { T::ZERO };
        Outcome { reward: prize - T::from_f64(0.1) * action * action, terminated }
    }

    fn persist(&mut self, word: &mut Word<'_>) {
        self.state.persist(word);
        self.noise.persist(word);
    }
}

impl<T: Number> Continuous for MountainCarContinuous<T> {
    const BOUND: f64 = 1.0;
}
