//! A task for memory: the T-maze of B. Bakker, *Reinforcement learning with long short-term memory* (2002), without the
//! corridor's other actions.

use crate::noise::Noise;
use crate::plain::Plain;
use crate::rl::{Discrete, Environment, Number, Outcome, Persist, Word};

/// A hint, and `DELAY` steps later the question what it was.
///
/// Seen are the hint, 1 or −1 at the first step and 0 later; and 1 at the last step, when the answer counts, 0 before.
/// The right answer, 1 for a hint of 1 and 0 for one of −1, is worth 1, the other −1. Whoever acts by what is seen now
/// gets 0 on average.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct Recall<T: Number = f32, const DELAY: u32 = 5> {
    hint: T,
    step: u32,
    noise: Noise,
}

impl<T: Number, const DELAY: u32> Environment for Recall<T, DELAY> {
    type Number = T;
    type Observation = [T; 2];
    type Action = usize;
    const STEPS: u32 = DELAY + 1;

    fn seeded(seed: u64) -> Self {
        Self { hint: T::ONE, step: 0, noise: Noise::new(seed) }
    }

    fn reset(&mut self) {
        self.step = 0;
        self.hint = if self.noise.uniform() < 0.5 { T::ONE } else { -T::ONE };
    }

    fn observe(&self) -> [T; 2] {
        let hint = if self.step == 0 { self.hint } else { T::ZERO };
        [hint, if self.step == DELAY { T::ONE } else { T::ZERO }]
    }

    fn step(&mut self, action: &usize) -> Outcome<T> {
        let terminated = self.step >= DELAY;
        self.step += 1;
        let right = (*action == 1) == (self.hint > T::ZERO);
        let worth = if right { T::ONE } else { -T::ONE };
        Outcome { reward: if terminated { worth } else { T::ZERO }, terminated }
    }

    fn persist(&mut self, word: &mut Word<'_>) {
        self.hint.persist(word);
        self.step.persist(word);
        self.noise.persist(word);
    }
}

impl<T: Number, const DELAY: u32> Discrete for Recall<T, DELAY> {
    const ACTIONS: usize = 2;
}
