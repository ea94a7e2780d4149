//! The networks, for the programs here and for those that train them.

use monomorph::prelude::*;

network! {
    /// A policy for a control loop.
    pub Policy: [22] -> [4] { Dense(64), Relu, Dense(64), Relu, Dense(4) }
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
