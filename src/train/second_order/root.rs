//! Roots of the Hessian of a loss by the output of one sample.

use alloc::boxed::Box;

use crate::dual::Dual;
use crate::loss::{Loss, LossError};
use crate::memory;
use crate::network::Network;
use crate::noise::Noise;
use crate::scalar::{Real, Scalar};
use crate::simd::{Simd, Task, dispatch, level};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// `C` with `C·Cᵀ = H_L`, and the gradient of the loss by the output.
pub(super) struct Root<D: Network, T> {
    /// The output, whose derivatives are those along one of its numbers.
    output: Box<[D::Output; 1]>,
    slopes: Box<[D::Output; 1]>,
    /// By rows; what is right of the diagonal means nothing.
    root: Box<[T]>,
}

impl<T: Real, D: Network<Scalar = Dual<T, 1>>> Root<D, T> {
    pub(super) fn new() -> Self {
        let root = memory::boxed_slice(D::Output::LEN * D::Output::LEN);
        Self { output: memory::boxed(), slopes: memory::boxed(), root }
    }

    /// The root at an output, where the loss of the sample counts for this share of the batch's.
    pub(super) fn compute<L: Loss<Dual<T, 1>, D::Output, Y>, Y>(
        &mut self,
        loss: &L,
        output: impl Iterator<Item = T>,
        target: &Y,
        share: T,
    ) -> Result<(), LossError> {
        let Self { output: at, slopes, root } = self;
        for (to, from) in batch_slice_mut(&mut **at).iter_mut().zip(output) {
            *to = Dual::constant(from);
        }
        let target = core::array::from_ref(target);
        for (index, row) in root.chunks_exact_mut(D::Output::LEN).enumerate() {
            for (other, number) in batch_slice_mut(&mut **at).iter_mut().enumerate() {
                number.derivatives = [if other == index { T::ONE } else { T::ZERO }];
            }
            dispatch(level(), Slopes { loss, output: at, target, slopes })?;
            for (to, from) in row.iter_mut().zip(batch_slice(&**slopes)) {
                let [second] = from.derivatives;
                *to = second * share;
            }
        }
        for slope in batch_slice_mut(&mut **slopes) {
            slope.value *= share;
        }
        factor(root, D::Output::LEN);
        Ok(())
    }

    /// A column of the root, unless it is 0.
    pub(super) fn column(&self, column: usize) -> Option<impl Iterator<Item = T>> {
        let row = move |row: usize| self.root.get(row * D::Output::LEN + column).copied();
        let is_zero = row(column).is_none_or(|pivot| pivot == T::ZERO);
        let entry = move |index| if index < column { T::ZERO } else { row(index).unwrap_or(T::ZERO) };
        (!is_zero).then(|| (0..D::Output::LEN).map(entry))
    }

    /// Writes `C·z`, where `z` is normal: a gradient of the mean 0 and the covariance `H_L`.
    pub(super) fn draw(&self, noise: &mut Noise, to: &mut [T]) {
        to.fill(T::ZERO);
        for column in 0..D::Output::LEN {
            let z = T::from_f64(noise.normal());
            let Some(entries) = self.column(column) else { continue };
            for (to, entry) in to.iter_mut().zip(entries) {
                *to += entry * z;
            }
        }
    }

    /// Solves `C·x = g` for the gradient `g`, in whose place the solution is left.
    pub(super) fn solve(&mut self) {
        let Self { slopes, root, .. } = self;
        let numbers = batch_slice_mut(&mut **slopes);
        for (index, row) in root.chunks_exact(D::Output::LEN).enumerate() {
            let (known, rest) = numbers.split_at_mut(index);
            let (Some(number), Some(pivot)) = (rest.first_mut(), row.get(index)) else { continue };
            let sum = row.iter().zip(known).fold(number.value, |sum, (entry, known)| sum - *entry * known.value);
            number.value = if *pivot == T::ZERO { T::ZERO } else { sum / *pivot };
        }
    }

    /// The solution.
    pub(super) fn solution(&self) -> impl Iterator<Item = T> {
        batch_slice(&*self.slopes).iter().map(|number| number.value)
    }
}

/// The factorization of Cholesky in place; pivots that rounding hides are 0, and so are their columns.
fn factor<T: Real>(matrix: &mut [T], size: usize) {
    let largest =
        (0..size).filter_map(|index| matrix.get(index * size + index)).fold(0.0, |a: f64, b| a.max(b.to_f64()));
    let entry = |matrix: &[T], row: usize, column: usize| matrix.get(row * size + column).map_or(0.0, |x| x.to_f64());
    for column in 0..size {
        let mut pivot = 0.0;
        for row in column..size {
            let known: f64 = (0..column).map(|k| entry(matrix, row, k) * entry(matrix, column, k)).sum();
            let rest = entry(matrix, row, column) - known;
            if row == column {
                let least = 16.0 * T::EPSILON.to_f64() * largest;
                pivot = if rest > least { libm::sqrt(rest) } else { 0.0 };
            }
            let value = match () {
                () if pivot == 0.0 => 0.0,
                () if row == column => pivot,
                () => rest / pivot,
            };
            if let Some(to) = matrix.get_mut(row * size + column) {
                *to = T::from_f64(value);
            }
        }
    }
}

/// The gradient of the loss by the output.
struct Slopes<'a, X: Tensor, L, Y> {
    loss: &'a L,
    output: &'a [X; 1],
    target: &'a [Y; 1],
    slopes: &'a mut [X; 1],
}

impl<T: Scalar, X: Tensor<Element = T>, L: Loss<T, X, Y>, Y> Task for Slopes<'_, X, L, Y> {
    type Output = Result<(), LossError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let Self { loss, output, target, slopes } = self;
        loss.loss(simd, output, target, slopes).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_of_matrices_that_lack_directions_are_roots() {
        // Of softmax at (½, ¼, ¼): no change along (1, 1, 1).
        let p = [0.5, 0.25, 0.25];
        let matrix: [f64; 9] =
            core::array::from_fn(|at| if at / 3 == at % 3 { p[at / 3] } else { 0.0 } - p[at / 3] * p[at % 3]);
        let mut root = matrix;
        factor(&mut root, 3);
        assert_eq!(root[8], 0.0);
        for row in 0..3 {
            for column in 0..3 {
                let product: f64 = (0..=row.min(column)).map(|k| root[3 * row + k] * root[3 * column + k]).sum();
                assert!((product - matrix[3 * row + column]).abs() < 1e-15);
            }
        }
    }
}
