//! Dice loss: how little two regions overlap.

use super::{Loss, LossError, Reduction};
use crate::hyperparameters::{Range, check};
use crate::kernels::{elementwise, reduce};
use crate::scalar::{Real, Vector};
use crate::simd::{Simd, outline};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Dice loss of a batch of masks: `1 − (2 Σ p·t + s)/(Σ p + Σ t + s)` with `p = σ(x)`, where the sums are over all
/// numbers of the batch and `s` is [`smooth`](Self::smooth).
///
/// With `I = 2 Σ p·t + s` and `U = Σ p + Σ t + s` its gradient is `−(2t·U − I)/U² · p·(1 − p)`.
///
/// The output holds logits, the target, of the same shape, 1 inside and 0 outside. The loss is 0 where the two agree,
/// and does not depend on how many numbers are outside of both: so small regions count, too. Milletari, Navab and
/// Ahmadi, *V-Net* (2016), without the squares in the denominator, which is the usual form today.
///
/// It is a function of the [whole batch](Reduction::Batch). Trainers with batches of one sample take it for each image
/// by itself.
///
/// ```
/// use monomorph::loss::{Dice, Loss};
///
/// let (loss, _) = Dice::default().loss_and_gradient(&[[40.0_f64, -40.0]], &[[1.0, 0.0]])?;
/// assert!(loss.abs() < 1e-9);
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dice {
    /// s, with which empty masks agree, too; at least 0, by default 1.
    pub smooth: f64,
}

impl Default for Dice {
    fn default() -> Self {
        Self { smooth: 1.0 }
    }
}

impl Dice {
    #[inline(always)]
    fn of_batch<T: Real, X: Tensor<Element = T>, S: Simd>(
        self,
        simd: S,
        output: &[X],
        target: &[X],
        gradient: Option<&mut [X]>,
    ) -> Result<T, LossError> {
        check::<T>("Dice", &[("smooth", self.smooth, Range::NotNegative)]).map_err(LossError::OutOfRange)?;
        let (output, target) = (batch_slice(output), batch_slice(target));
        let smooth = T::from_f64(self.smooth);
        Ok(outline(
            simd,
            #[inline(always)]
            move || {
                let overlap = reduce::dot_with(
                    simd,
                    target,
                    output,
                    #[inline(always)]
                    |x| T::sigmoid_lanes(simd, x),
                );
                let inside = reduce::sum_of(
                    simd,
                    output,
                    #[inline(always)]
                    |x| T::sigmoid_lanes(simd, x),
                );
                let intersection = overlap + overlap + smooth;
                let union = inside + reduce::sum(simd, target) + smooth;
                if union == T::ZERO {
                    // Empty masks agree.
                    if let Some(gradient) = gradient {
                        batch_slice_mut(gradient).fill(T::ZERO);
                    }
                    return T::ZERO;
                }
                if let Some(gradient) = gradient {
                    let all = |number: T| T::Vector::<S>::splat(simd, number);
                    let one = all(T::ONE);
                    let (twice, constant) = (all((T::ONE + T::ONE) / union), all(intersection / union / union));
                    elementwise::zip_to(
                        simd,
                        output,
                        target,
                        batch_slice_mut(gradient),
                        #[inline(always)]
                        |x, t| {
                            let p = T::sigmoid_lanes(simd, x);
                            (constant - twice * t) * p * (one - p)
                        },
                    );
                }
                T::ONE - intersection / union
            },
        ))
    }
}

// The notes of the trait say it in words.
#[diagnostic::do_not_recommend]
impl<T: Real, X: Tensor<Element = T>> Loss<T, X, X> for Dice {
    const REDUCTION: Reduction = Reduction::Batch;

    #[inline(always)]
    fn loss<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[X; B],
        target: &[X; B],
        gradient: &mut [X; B],
    ) -> Result<T, LossError> {
        self.of_batch(simd, output, target, Some(gradient))
    }

    #[inline(always)]
    fn value<S: Simd, const B: usize>(&self, simd: S, output: &[X; B], target: &[X; B]) -> Result<T, LossError> {
        self.of_batch(simd, output, target, None)
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::loss::check;
    use crate::testing::golden::random;

    #[test]
    fn agrees_with_pytorch() {
        check::golden::<f64, [f64; 4], _, 5>("loss_dice", &Dice::default(), &check::numbers("loss_dice"));
        check::golden::<f32, [f32; 4], _, 5>("loss_dice", &Dice::default(), &check::numbers("loss_dice"));
    }

    #[test]
    fn gradients() {
        fn every<X: Tensor<Element = f64>>() {
            let (mut output, target) = (random::<X, 3>(1), random::<X, 3>(2));
            check::differences(&Dice::default(), &mut output, &target);
            check::differences(
                &Dice { smooth: 0.0 },
                &mut output,
                &target.map(|mut t| {
                    t.numbers_mut().iter_mut().for_each(|t| *t = t.abs());
                    t
                }),
            );
        }
        every::<[f64; 1]>();
        every::<[f64; 3]>();
        every::<[[f64; 17]; 3]>();
        every::<[f64; 33]>();
        assert!(Dice { smooth: f64::NAN }.loss_and_gradient(&[[0.0]], &[[1.0]]).is_err());
    }
}
