//! What becomes of the losses of single samples: their mean or their sum.

use super::{Loss, LossError, Reduction};
use crate::kernels::elementwise::scale;
use crate::scalar::Scalar;
use crate::simd::{Simd, outline};
use crate::tensor::{Tensor, batch_slice_mut};

/// A loss that is summed where `L` takes the mean: over all numbers for [`Mse`](super::Mse), over all rows for
/// [`CrossEntropy`](super::CrossEntropy), weighted for [`Weighted`](super::Weighted).
///
/// Its gradient grows with the batch, so learning rates are smaller than those for means. Trainers and evaluators that
/// compute a batch in parts add the parts up.
///
/// ```
/// use monomorph::loss::{Loss, Mse, Sum};
/// use monomorph::simd::{Simd, Task, dispatch, level};
///
/// struct Compare;
/// impl Task for Compare {
///     type Output = f32;
///     fn run<S: Simd>(&mut self, simd: S) -> f32 {
///         Sum(Mse).value(simd, &[[1.0, 5.0]], &[[1.0, 2.0]]).unwrap()
///     }
/// }
/// assert_eq!(dispatch(level(), Compare), 9.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum<L>(pub L);

// The notes of the trait say it in words.
#[diagnostic::do_not_recommend]
impl<T: Scalar, X: Tensor<Element = T>, Y, L: Loss<T, X, Y>> Loss<T, X, Y> for Sum<L> {
    const REDUCTION: Reduction = Reduction::Sum;

    #[inline(always)]
    fn loss<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[X; B],
        target: &[Y; B],
        gradient: &mut [X; B],
    ) -> Result<T, LossError> {
        let loss = self.0.loss(simd, output, target, gradient)?;
        let summands = T::from_f64(self.summands(target));
        outline(
            simd,
            #[inline(always)]
            move || scale(simd, batch_slice_mut(gradient), summands),
        );
        Ok(loss * summands)
    }

    #[inline(always)]
    fn value<S: Simd, const B: usize>(&self, simd: S, output: &[X; B], target: &[Y; B]) -> Result<T, LossError> {
        Ok(self.0.value(simd, output, target)? * T::from_f64(self.summands(target)))
    }

    #[inline(always)]
    fn divisor<const B: usize>(&self, target: &[Y; B]) -> f64 {
        // What counts in no mean counts in no sum.
        if self.0.divisor(target) == 0.0 { 0.0 } else { 1.0 }
    }

    #[inline]
    fn correct<const B: usize>(&self, output: &[X; B], target: &[Y; B]) -> Option<usize> {
        self.0.correct(output, target)
    }

    #[inline]
    fn counted<const B: usize>(&self, target: &[Y; B]) -> usize {
        self.0.counted(target)
    }
}

impl<L> Sum<L> {
    /// By how much the sum is larger than what the loss gives.
    #[inline(always)]
    fn summands<T: Scalar, X: Tensor<Element = T>, Y, const B: usize>(&self, target: &[Y; B]) -> f64
    where
        L: Loss<T, X, Y>,
    {
        const { L::REDUCTION.assert_of_parts() };
        match L::REDUCTION {
            Reduction::Mean | Reduction::WeightedMean => self.0.divisor(target),
            Reduction::Sum | Reduction::Batch => 1.0,
        }
    }
}
