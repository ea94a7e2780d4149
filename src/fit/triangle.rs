//! The triangular factor of a least-squares problem, to which rows are added one by one.

/// `x²`.
pub(super) fn squared(x: f64) -> f64 {
    x * x
}

/// `min ‖R h − b‖²` with an upper triangle `R`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Triangle<const P: usize> {
    /// `R`, by rows.
    factor: [[f64; P]; P],
    /// `b`.
    right: [f64; P],
}

impl<const P: usize> Triangle<P> {
    /// A problem without rows.
    pub(super) fn new() -> Self {
        Self { factor: [[0.0; P]; P], right: [0.0; P] }
    }

    /// Adds the row `row · h = right`, by rotations of Givens.
    #[inline]
    pub(super) fn add(&mut self, mut row: [f64; P], mut right: f64) {
        for (index, (factor, b)) in self.factor.iter_mut().zip(&mut self.right).enumerate() {
            if row[index] == 0.0 {
                continue;
            }
            let length = libm::hypot(factor[index], row[index]);
            let (c, s) = (factor[index] / length, row[index] / length);
            for (upper, lower) in factor.iter_mut().zip(&mut row).skip(index) {
                (*upper, *lower) = (c * *upper + s * *lower, c * *lower - s * *upper);
            }
            (*b, right) = (c * *b + s * right, c * right - s * *b);
        }
    }

    /// The same problem with a row `diagonal[i] · h[i] = 0` for each unknown.
    pub(super) fn damped(&self, diagonal: &[f64; P]) -> Self {
        let mut damped = *self;
        for (index, entry) in diagonal.iter().enumerate() {
            let mut row = [0.0; P];
            row[index] = *entry;
            damped.add(row, 0.0);
        }
        damped
    }

    /// The solution; unknowns that no row determines are 0.
    pub(super) fn solve(&self) -> [f64; P] {
        let mut h = [0.0; P];
        for index in (0..P).rev() {
            let known: f64 = (index + 1..P).map(|other| self.factor[index][other] * h[other]).sum();
            let pivot = self.factor[index][index];
            h[index] = if pivot == 0.0 { 0.0 } else { (self.right[index] - known) / pivot };
        }
        h
    }

    /// `R h`.
    pub(super) fn times(&self, h: &[f64; P]) -> [f64; P] {
        core::array::from_fn(|row| (row..P).map(|column| self.factor[row][column] * h[column]).sum())
    }

    /// The norms of the columns, which are those of all rows that were added.
    pub(super) fn columns(&self) -> [f64; P] {
        core::array::from_fn(|column| libm::sqrt((0..=column).map(|row| squared(self.factor[row][column])).sum()))
    }

    /// `R⁻¹`; infinite where there is none.
    pub(super) fn inverse(&self) -> [[f64; P]; P] {
        let mut inverse = [[0.0; P]; P];
        for column in 0..P {
            let mut unit = Self { right: [0.0; P], ..*self };
            unit.right[column] = 1.0;
            for row in (0..P).rev() {
                let known: f64 = (row + 1..P).map(|other| self.factor[row][other] * inverse[other][column]).sum();
                inverse[row][column] = (unit.right[row] - known) / self.factor[row][row];
            }
        }
        inverse
    }
}
