//! Binary cross-entropy on logits, the inputs of a sigmoid.

use super::{Loss, LossError, mean_of_numbers};
use crate::scalar::{Real, Vector};
use crate::simd::Simd;
use crate::tensor::Tensor;

/// Binary cross-entropy of independent labels: the mean over all numbers of
/// `−t·ln σ(x) − (1−t)·ln(1−σ(x))`; its gradient is `(σ(x) − t)/n`.
///
/// The target has the output's shape and holds probabilities, 0 and 1 for hard labels. A sample counts as correctly
/// classified if `x > 0` exactly where `t > ½`.
///
/// ```
/// use monomorph::loss::{BceWithLogits, Loss};
///
/// let (loss, gradient) = BceWithLogits.loss_and_gradient(&[[0.0_f32]], &[[1.0]])?;
/// assert!((loss - 2.0_f32.ln()).abs() < 1e-6 && gradient == [[-0.5]]);
/// assert_eq!(BceWithLogits.correct(&[[2.0_f32, -3.0], [2.0, 3.0]], &[[1.0, 0.0]; 2]), Some(1));
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BceWithLogits;

/// [`BceWithLogits`] of a batch, and its gradient if requested.
#[inline(always)]
fn binary<T: Real, X: Tensor<Element = T>, S: Simd>(
    simd: S,
    output: &[X],
    target: &[X],
    gradient: Option<&mut [X]>,
) -> T {
    let (zero, one) = (T::Vector::<S>::splat(simd, T::ZERO), T::Vector::<S>::splat(simd, T::ONE));
    mean_of_numbers(
        simd,
        output,
        target,
        gradient,
        #[inline(always)]
        |x: T::Vector<S>, t| {
            // −t·ln σ(x) − (1−t)·ln(1−σ(x)) = max(x, 0) − t·x + ln(1 + e^−|x|).
            let (negative, low) = (x.lt(zero), -x.abs());
            let loss = (T::Vector::<S>::select(negative, zero, x) - t * x) + T::softplus_lanes(simd, low);
            // σ(x) − t, where 1 − σ(x) is not rounded to 0.
            let power = T::exp_lanes(simd, low);
            let smaller = power / (one + power);
            (loss, T::Vector::<S>::select(negative, smaller - t, (one - t) - smaller))
        },
    )
}

// The notes of the trait say it in words.
#[diagnostic::do_not_recommend]
impl<T: Real, X: Tensor<Element = T>> Loss<T, X, X> for BceWithLogits {
    #[inline(always)]
    fn loss<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[X; B],
        target: &[X; B],
        gradient: &mut [X; B],
    ) -> Result<T, LossError> {
        Ok(binary(simd, output, target, Some(gradient)))
    }

    #[inline(always)]
    fn value<S: Simd, const B: usize>(&self, simd: S, output: &[X; B], target: &[X; B]) -> Result<T, LossError> {
        Ok(binary(simd, output, target, None))
    }

    #[inline(always)]
    fn divisor<const B: usize>(&self, _target: &[X; B]) -> f64 {
        (B * X::LEN) as f64
    }

    #[inline]
    fn correct<const B: usize>(&self, output: &[X; B], target: &[X; B]) -> Option<usize> {
        let half = T::from_f64(0.5);
        let right = |(output, target): &(&X, &X)| {
            output.numbers().iter().zip(target.numbers()).all(|(x, t)| match *t > half {
                true => *x > T::ZERO,
                false => *x <= T::ZERO,
            })
        };
        Some(output.iter().zip(target).filter(right).count())
    }
}
