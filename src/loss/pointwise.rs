//! What losses that compare number by number have in common.

use crate::hyperparameters::OutOfRange;
use crate::scalar::Scalar;
use crate::simd::Simd;

/// A loss of single numbers, whose mean over all numbers of a batch is the loss.
pub(super) trait Pointwise<T: Scalar> {
    /// The loss of an output `x` with the target `t`, and its derivative to `x`.
    fn of<S: Simd>(&self, simd: S, x: T::Vector<S>, t: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>);
    /// Checks the parameters.
    #[inline(always)]
    fn check(&self) -> Result<(), OutOfRange> {
        Ok(())
    }
    /// Whether a number is on the right side of the boundary between two classes, if there is one.
    const RIGHT: Option<fn(T, T) -> bool> = None;
}

/// [`Loss`](super::Loss) for types that are [`Pointwise`] for these numbers.
macro_rules! pointwise {
    ($bound:ident: $($loss:ty),*) => { $(
        // The notes of the trait say it in words.
        #[diagnostic::do_not_recommend]
        impl<T: $bound, X: $crate::tensor::Tensor<Element = T>> $crate::loss::Loss<T, X, X> for $loss {
            #[inline(always)]
            fn loss<S: Simd, const B: usize>(
                &self,
                simd: S,
                output: &[X; B],
                target: &[X; B],
                gradient: &mut [X; B],
            ) -> Result<T, $crate::loss::LossError> {
                $crate::loss::pointwise::mean(self, simd, output, target, Some(gradient))
            }

            #[inline(always)]
            fn value<S: Simd, const B: usize>(
                &self,
                simd: S,
                output: &[X; B],
                target: &[X; B],
            ) -> Result<T, $crate::loss::LossError> {
                $crate::loss::pointwise::mean(self, simd, output, target, None)
            }

            #[inline(always)]
            fn divisor<const B: usize>(&self, _target: &[X; B]) -> f64 {
                (B * X::LEN) as f64
            }

            #[inline]
            fn correct<const B: usize>(&self, output: &[X; B], target: &[X; B]) -> Option<usize> {
                let right = <Self as Pointwise<T>>::RIGHT?;
                let all = |(output, target): &(&X, &X)| {
                    output.numbers().iter().zip(target.numbers()).all(|(x, t)| right(*x, *t))
                };
                Some(output.iter().zip(target).filter(all).count())
            }
        }
    )* };
}
pub(super) use pointwise;

/// The mean over a batch, and its gradient if requested.
#[inline(always)]
pub(super) fn mean<T: Scalar, X: crate::tensor::Tensor<Element = T>, L: Pointwise<T>, S: Simd>(
    loss: &L,
    simd: S,
    output: &[X],
    target: &[X],
    gradient: Option<&mut [X]>,
) -> Result<T, super::LossError> {
    loss.check().map_err(super::LossError::OutOfRange)?;
    Ok(super::mean_of_numbers(
        simd,
        output,
        target,
        gradient,
        #[inline(always)]
        |x, t| loss.of(simd, x, t),
    ))
}
