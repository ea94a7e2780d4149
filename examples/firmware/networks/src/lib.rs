//! The networks, for the programs of the firmware and for the one that trains them.
#![no_std]

use monomorph::Scalar;
use monomorph::fixed::Fixed;
use monomorph::prelude::*;

network! {
    /// Recognizes a digit in an image of 28×28 grey pixels.
    #[packed(DigitsHalf: f16, DigitsSmall: i8)]
    pub Digits: [28, 28, 1] -> [10] {
        Conv2d(8, kernel = 5, stride = 2), Relu,
        Conv2d(16, kernel = 3, stride = 2), Relu,
        Flatten,
        Dense(10),
    }
}

network! {
    /// The same network with other numbers, such as [`Number`]s.
    pub DigitsOf<T: Scalar>: [28, 28, 1] -> [10] {
        Conv2d(8, kernel = 5, stride = 2), Relu,
        Conv2d(16, kernel = 3, stride = 2), Relu,
        Flatten,
        Dense(10),
    }
}

/// What the digits are computed with where there is no floating-point unit: from −32 to 32, in steps of 0.001.
pub type Number = Fixed<10>;

/// The number of test images in flash.
pub const IMAGES: usize = 5;

network! {
    /// Balances a pole: maps position, velocity, angle and angular velocity, each divided by
    /// [`balance::SCALE`], to the force in newtons divided by [`balance::FORCE`].
    #[budget(flash = "2 KiB", ram = "256 B")]
    pub Balance: [4] -> [1] { Dense(16), Tanh, Dense(16), Tanh, Dense(1) }
}

pub mod balance {
    //! A pole on a cart (Barto, Sutton and Anderson 1983), and the network's teacher.

    /// Metres, metres per second, radians, radians per second.
    pub const SCALE: [f32; 4] = [1.0, 2.0, 0.3, 2.0];
    /// The largest force, in newtons.
    pub const FORCE: f32 = 20.0;

    /// The teacher: a linear controller within the limits of the motor. State and force are scaled
    /// as for the network.
    pub fn linear(state: &[f32; 4]) -> f32 {
        const GAIN: [f32; 4] = [3.0, 5.0, 55.0, 11.0];
        let mut force = 0.0;
        for index in 0..4 {
            force += GAIN[index] * SCALE[index] * state[index];
        }
        (force / FORCE).clamp(-1.0, 1.0)
    }

    /// The state `seconds` later, in SI units, without friction.
    pub fn step([x, v, angle, spin]: [f32; 4], force: f32, seconds: f32) -> [f32; 4] {
        const GRAVITY: f32 = 9.81;
        const CART: f32 = 1.0;
        const POLE: f32 = 0.1;
        /// From the joint to the middle of the pole.
        const LENGTH: f32 = 0.5;
        // Accurate to 0.2 % up to 0.5 rad; the pole never leans further.
        let (sine, cosine) = (angle - angle * angle * angle / 6.0, 1.0 - angle * angle / 2.0);
        let push = (force + POLE * LENGTH * spin * spin * sine) / (CART + POLE);
        let turn = (GRAVITY * sine - cosine * push) / (LENGTH * (4.0 / 3.0 - POLE * cosine * cosine / (CART + POLE)));
        let pull = push - POLE * LENGTH * turn * cosine / (CART + POLE);
        let (v, spin) = (v + pull * seconds, spin + turn * seconds);
        [x + v * seconds, v, angle + spin * seconds, spin]
    }
}

network! {
    /// A policy of a size that robots use, for measurements.
    pub Policy: [22] -> [4] { Dense(64), Relu, Dense(64), Relu, Dense(4) }
}

network! {
    /// Recognizes gestures in the samples of an accelerometer, as they come: what each sample belongs to, of
    /// [`gestures::NAMES`].
    #[streaming]
    #[budget(flash = "12 KiB")]
    pub Gestures: [128, 3] -> [128, 5] { Conv1d(12, kernel = 5, padding = causal), Relu, Gru(20), Dense(5) }
}

pub mod gestures {
    //! From scores to gestures.

    /// What a sample can belong to.
    pub const NAMES: [&str; 5] = ["nothing", "left", "right", "circle", "shake"];

    /// Samples per second.
    pub const RATE: u32 = 50;

    /// How many samples in a row must agree.
    const AGREE: u8 = 4;

    /// Says once what a gesture was, as soon as some samples in a row agree.
    #[derive(Clone, Copy, Default)]
    pub struct Detector {
        last: usize,
        times: u8,
        told: bool,
    }

    impl Detector {
        /// Takes the scores of a sample; the number of the gesture's name if one has been recognized.
        pub fn next(&mut self, scores: &[f32; 5]) -> Option<usize> {
            let mut best = 0;
            for (class, score) in scores.iter().enumerate() {
                if *score > scores[best] {
                    best = class;
                }
            }
            self.times = if best == self.last { self.times.saturating_add(1) } else { 1 };
            self.last = best;
            if self.times < AGREE {
                return None;
            }
            let new = best != 0 && !self.told;
            self.told = best != 0;
            new.then_some(best)
        }
    }
}

/// A matrix of numbers between −bound and bound that look random.
pub const fn noise<const ROWS: usize, const COLUMNS: usize>(seed: u32, bound: f32) -> [[f32; COLUMNS]; ROWS] {
    let mut matrix = [[0.0; COLUMNS]; ROWS];
    let (mut state, mut index) = (seed, 0);
    while index < ROWS * COLUMNS {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        matrix[index / COLUMNS][index % COLUMNS] = bound * ((state >> 8) as f32 / 8_388_608.0 - 1.0);
        index += 1;
    }
    matrix
}
