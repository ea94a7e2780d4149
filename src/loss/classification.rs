//! Losses on logits: the inputs of a softmax or a sigmoid.
//!
//! Taking logits keeps them accurate where the probabilities are nearly 0 or 1: with `m = max x`,
//! `ln softmax(x)ᵢ = (xᵢ − m) − ln Σ e^(xⱼ−m)`, in which nothing overflows.

use core::ops::Range;

use super::{Loss, LossError, mean_of_numbers, reciprocal};
use crate::kernels::reduce;
use crate::kernels::training::Sum;
use crate::scalar::{Real, Scalar};
use crate::simd::{Simd, Vector, outline};
use crate::tensor::Tensor;

/// Cross-entropy: `−Σ t·ln softmax(x)` of each sample; its gradient is `softmax(x) − t`.
///
/// The target is a class, or a distribution over all classes (which sums to 1). A logit of `−∞` rules a class out.
///
/// ```
/// use monomorph::loss::{CrossEntropy, Loss};
///
/// let scores = [[0.5_f32, 2.0, -1.0]];
/// let (loss, gradient) = CrossEntropy.loss_and_gradient(&scores, &[1_u8])?;
/// assert!((loss - 0.2413).abs() < 1e-4 && gradient[0][1] < 0.0);
/// assert_eq!(CrossEntropy.correct(&scores, &[1_u8]), Some(1));
/// assert!(CrossEntropy.loss_and_gradient(&scores, &[7_u8]).is_err());
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrossEntropy;

/// [`CrossEntropy`] with label smoothing: the targets are `(1−ε)·t + ε/C`, which never demand certainty.
///
/// Szegedy et al., *Rethinking the inception architecture for computer vision* (2016).
///
/// ```
/// use monomorph::loss::{Loss, SmoothCrossEntropy};
///
/// // Half of the tenth is asked of the class that has no chance.
/// let (loss, _) = SmoothCrossEntropy { smoothing: 0.1 }.loss_and_gradient(&[[0.0_f32, 40.0]], &[1_u8])?;
/// assert!((loss - 0.05 * 40.0).abs() < 1e-5);
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothCrossEntropy {
    /// ε, the share spread evenly over all classes; by default 0.1.
    pub smoothing: f64,
}

impl Default for SmoothCrossEntropy {
    fn default() -> Self {
        Self { smoothing: 0.1 }
    }
}

/// The Kullback–Leibler divergence from `softmax(x)` to the target: `Σ t·(ln t − ln softmax(x))` of each sample, where
/// `0·ln 0 = 0`; its gradient is `softmax(x) − t`.
///
/// The target is a distribution over all classes, such as another network's softmax. It differs from [`CrossEntropy`]
/// by the entropy of the target, so it is 0 where the two distributions agree. (PyTorch calls this mean `batchmean`.)
///
/// ```
/// use monomorph::loss::{KlDivergence, Loss};
///
/// let (loss, gradient) = KlDivergence.loss_and_gradient(&[[3.0_f32, 3.0]], &[[0.5, 0.5]])?;
/// assert!(loss.abs() < 1e-6 && gradient == [[0.0; 2]]);
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KlDivergence;

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

/// What losses over a softmax do with a target.
trait Distribution<T: Scalar, Y> {
    /// Whether the entropy of the target is subtracted.
    const DIVERGENCE: bool;
    /// The target's probability of a class.
    fn probability(&self, target: &Y, class: usize, classes: usize) -> T;
    /// A range of classes that contains all those with nonzero probability.
    fn probable(&self, _target: &Y, classes: usize) -> Range<usize> {
        0..classes
    }
    /// Rejects a target that names no class.
    fn check(&self, sample: usize, target: &Y, classes: usize) -> Result<(), LossError>;
}

/// The loss of one sample, and its gradient times `share` if requested.
#[inline(always)]
fn row<T: Real, Y, D: Distribution<T, Y>, S: Simd, const C: usize>(
    distribution: &D,
    simd: S,
    output: &[T; C],
    target: &Y,
    mut gradient: Option<&mut [T; C]>,
    share: T,
) -> T {
    let (largest, sum) = match &mut gradient {
        Some(gradient) => reduce::max_and_powers(simd, output, &mut gradient[..]),
        None => reduce::max_and_sum_exp(simd, output),
    };
    let log = sum.ln();
    let (mut loss, mut asked) = (T::ZERO, T::ZERO);
    let probable = distribution.probable(target, C);
    for (class, x) in output.iter().enumerate().take(probable.end).skip(probable.start) {
        let probability = distribution.probability(target, class, C);
        asked += probability;
        // A class with target 0 may be ruled out by −∞, and 0·∞ counts as no loss.
        if probability != T::ZERO {
            let mut surprise = (largest - *x) + log;
            if D::DIVERGENCE {
                surprise += probability.ln();
            }
            loss += probability * surprise;
        }
    }
    if let Some(gradient) = gradient {
        let softmax = asked / sum;
        for (class, power) in gradient.iter_mut().enumerate() {
            *power = (*power * softmax - distribution.probability(target, class, C)) * share;
        }
    }
    loss
}

/// The mean over a batch, and its gradient if requested.
#[inline(always)]
fn mean<T: Real, Y, D: Distribution<T, Y>, S: Simd, const C: usize, const B: usize>(
    distribution: &D,
    simd: S,
    output: &[[T; C]; B],
    target: &[Y; B],
    mut gradient: Option<&mut [[T; C]; B]>,
) -> Result<T, LossError> {
    for (sample, target) in target.iter().enumerate() {
        distribution.check(sample, target, C)?;
    }
    let share: T = reciprocal(B);
    Ok(outline(
        simd,
        #[inline(always)]
        move || {
            let mut sum = Sum::default();
            for (sample, (output, target)) in output.iter().zip(target).enumerate() {
                let gradient = gradient.as_deref_mut().and_then(|gradient| gradient.get_mut(sample));
                sum.add(row(distribution, simd, output, target, gradient, share));
            }
            sum.value() * share
        },
    ))
}

/// Whether the class is the first with the highest score; NaN is not a score.
#[inline]
fn is_first_highest<T: Scalar>(scores: &[T], class: usize) -> bool {
    scores.get(class).is_some_and(|score| {
        scores.iter().enumerate().all(|(other, x)| if other < class { score > x } else { score >= x })
    })
}

macro_rules! softmax_loss {
    ($loss:ty, $target:ty, $correct:expr) => {
        // The notes of the trait say it in words.
        #[diagnostic::do_not_recommend]
        impl<T: Real, const C: usize> Loss<T, [T; C], $target> for $loss {
            #[inline(always)]
            fn loss<S: Simd, const B: usize>(
                &self,
                simd: S,
                output: &[[T; C]; B],
                target: &[$target; B],
                gradient: &mut [[T; C]; B],
            ) -> Result<T, LossError> {
                mean(self, simd, output, target, Some(gradient))
            }

            #[inline(always)]
            fn value<S: Simd, const B: usize>(
                &self,
                simd: S,
                output: &[[T; C]; B],
                target: &[$target; B],
            ) -> Result<T, LossError> {
                mean(self, simd, output, target, None)
            }

            #[inline]
            fn correct<const B: usize>(&self, output: &[[T; C]; B], target: &[$target; B]) -> Option<usize> {
                let right: fn(&[T; C], &$target) -> bool = $correct;
                Some(output.iter().zip(target).filter(|(output, target)| right(output, target)).count())
            }
        }
    };
}

/// Whether both have their maximum at the same class.
fn agree<T: Scalar, const C: usize>(output: &[T; C], target: &[T; C]) -> bool {
    let mut highest = (0, target.first());
    for (class, probability) in target.iter().enumerate() {
        if Some(probability) > highest.1 {
            highest = (class, Some(probability));
        }
    }
    is_first_highest(output, highest.0)
}

macro_rules! class {
    ($($class:ty),*) => { $(
        impl<T: Scalar> Distribution<T, $class> for CrossEntropy {
            const DIVERGENCE: bool = false;
            #[inline(always)]
            fn probability(&self, target: &$class, class: usize, _classes: usize) -> T {
                if index(*target) == class { T::ONE } else { T::ZERO }
            }
            #[inline(always)]
            fn probable(&self, target: &$class, _classes: usize) -> Range<usize> {
                let class = index(*target);
                class..class.saturating_add(1)
            }
            #[inline(always)]
            fn check(&self, sample: usize, target: &$class, classes: usize) -> Result<(), LossError> {
                in_range(sample, index(*target), classes)
            }
        }
        impl<T: Scalar> Distribution<T, $class> for SmoothCrossEntropy {
            const DIVERGENCE: bool = false;
            #[inline(always)]
            fn probability(&self, target: &$class, class: usize, classes: usize) -> T {
                smooth(self, CrossEntropy.probability(target, class, classes), classes)
            }
            #[inline(always)]
            fn check(&self, sample: usize, target: &$class, classes: usize) -> Result<(), LossError> {
                in_range(sample, index(*target), classes)
            }
        }
        softmax_loss!(CrossEntropy, $class, |output, target| is_first_highest(output, index(*target)));
        softmax_loss!(SmoothCrossEntropy, $class, |output, target| is_first_highest(output, index(*target)));
    )* };
}
class!(u8, u16, u32, usize);

macro_rules! distribution {
    ($loss:ty, $divergence:literal, |$self:ident, $probability:ident, $classes:ident| $value:expr) => {
        impl<T: Scalar, const C: usize> Distribution<T, [T; C]> for $loss {
            const DIVERGENCE: bool = $divergence;
            #[inline(always)]
            fn probability(&self, target: &[T; C], class: usize, $classes: usize) -> T {
                let ($self, $probability) = (self, target.get(class).copied().unwrap_or_default());
                $value
            }
            #[inline(always)]
            fn check(&self, _sample: usize, _target: &[T; C], _classes: usize) -> Result<(), LossError> {
                Ok(())
            }
        }
        softmax_loss!($loss, [T; C], agree);
    };
}
distribution!(CrossEntropy, false, |_loss, probability, _classes| probability);
distribution!(SmoothCrossEntropy, false, |loss, probability, classes| smooth(loss, probability, classes));
distribution!(KlDivergence, true, |_loss, probability, _classes| probability);

/// A class as an index; one too large for `usize` is out of range as well.
#[inline(always)]
fn index(class: impl TryInto<usize>) -> usize {
    class.try_into().unwrap_or(usize::MAX)
}

#[inline(always)]
fn in_range(sample: usize, class: usize, classes: usize) -> Result<(), LossError> {
    if class < classes { Ok(()) } else { Err(LossError::ClassOutOfRange { sample, class, classes }) }
}

#[inline(always)]
fn smooth<T: Scalar>(loss: &SmoothCrossEntropy, probability: T, classes: usize) -> T {
    probability * T::from_f64(1.0 - loss.smoothing) + T::from_f64(loss.smoothing / classes as f64)
}

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

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::loss::check;
    use crate::simd::{level, levels};
    use crate::testing::golden::{assert_close, random};
    use std::string::ToString;

    #[test]
    fn classes_agree_with_pytorch() {
        fn every<T: Real>() {
            let name = "loss_cross_entropy";
            check::golden::<T, _, _>(name, &CrossEntropy, &check::classes::<u8>(name));
            check::golden::<T, _, _>(name, &CrossEntropy, &check::classes::<u16>(name));
            check::golden::<T, _, _>(name, &CrossEntropy, &check::classes::<u32>(name));
            check::golden::<T, _, _>(name, &CrossEntropy, &check::classes::<usize>(name));
            check::golden::<T, _, _>(name, &CrossEntropy, &one_hot::<T>(name));
            let name = "loss_cross_entropy_smooth01";
            let smooth = SmoothCrossEntropy { smoothing: 0.1 };
            check::golden::<T, _, _>(name, &smooth, &check::classes::<u8>(name));
            check::golden::<T, _, _>(name, &smooth, &one_hot::<T>(name));
        }
        every::<f64>();
        every::<f32>();
    }

    fn one_hot<T: Real>(name: &str) -> [[T; 6]; 4] {
        check::classes::<usize>(name)
            .map(|class| core::array::from_fn(|index| if index == class { T::ONE } else { T::ZERO }))
    }

    #[test]
    fn divergence_and_labels_agree_with_pytorch() {
        fn every<T: Real>() {
            let name = "loss_kl_div_logits";
            check::golden::<T, _, _>(name, &KlDivergence, &check::numbers::<T>(name));
            let name = "loss_bce_with_logits";
            check::golden::<T, _, _>(name, &BceWithLogits, &check::numbers::<T>(name));
        }
        every::<f64>();
        every::<f32>();
    }

    #[test]
    fn gradients() {
        fn every<const C: usize>() {
            let mut output = random::<[f64; C], 3>(1);
            let classes = [0, C - 1, C / 2];
            check::differences(&CrossEntropy, &mut output, &classes);
            check::differences(&SmoothCrossEntropy::default(), &mut output, &classes);
            // Not even a distribution: the gradient still follows the formula.
            let target = random::<[f64; C], 3>(2).map(|row| row.map(f64::abs));
            check::differences(&CrossEntropy, &mut output, &target);
            check::differences(&SmoothCrossEntropy::default(), &mut output, &target);
            check::differences(&KlDivergence, &mut output, &target);
            check::differences(&BceWithLogits, &mut output, &target);
        }
        every::<1>();
        every::<2>();
        every::<3>();
        every::<17>();
        every::<100>();
        let (mut output, target) = (random::<[[f64; 3]; 5], 2>(1), random::<[[f64; 3]; 5], 2>(2));
        check::differences(&BceWithLogits, &mut output, &target);
    }

    #[test]
    fn a_class_out_of_range_is_an_error() {
        let mut gradient = [[7.0; 3]; 2];
        let error = check::loss(level(), &CrossEntropy, &[[0.0_f32; 3]; 2], &[2_u8, 3], &mut gradient);
        assert_eq!(error, Err(LossError::ClassOutOfRange { sample: 1, class: 3, classes: 3 }));
        assert_eq!(gradient, [[7.0; 3]; 2]);
        assert_eq!(
            error.unwrap_err().to_string(),
            "the target of sample 1 is class 3, but the output has 3 classes, counted from 0: \
             correct the label, or give the last layer at least 4 outputs"
        );
        let smooth = SmoothCrossEntropy::default();
        assert!(check::value(level(), &smooth, &[[0.0_f32; 3]], &[usize::MAX]).is_err());
        assert_eq!(CrossEntropy.correct(&[[0.0_f32; 3]], &[3_u8]), Some(0));
        assert!(check::value(level(), &CrossEntropy, &[[0.0_f32; 0]], &[0_u8]).is_err());
        assert_eq!(check::value(level(), &CrossEntropy, &[[0.0_f32; 3]; 0], &[0_u8; 0]), Ok(0.0));
    }

    #[test]
    fn large_logits_do_not_overflow() {
        for level in levels() {
            let mut gradient = [[0.0_f32; 3]];
            let output = [[1e4, -1e4, f32::NEG_INFINITY]];
            let loss = check::loss(level, &CrossEntropy, &output, &[1_u8], &mut gradient).unwrap();
            assert!(loss == 2e4 && gradient == [[1.0, -1.0, 0.0]]);
            let loss = check::loss(level, &CrossEntropy, &output, &[[1.0, 0.0, 0.0]], &mut gradient).unwrap();
            assert!(loss == 0.0 && gradient == [[0.0; 3]]);
            let mut gradient = [[0.0_f32; 2]];
            let loss = check::loss(level, &BceWithLogits, &[[1e4, -1e4]], &[[0.0, 1.0]], &mut gradient).unwrap();
            assert!(loss == 1e4 && gradient == [[0.5, -0.5]]);
            let mut gradient = [[0.0_f32]];
            check::loss(level, &BceWithLogits, &[[20.0]], &[[1.0]], &mut gradient).unwrap();
            assert_close("certain", &[gradient[0][0] * 1e9], &[-libm::exp(-20.0) * 1e9], 1e-5);
            // A label that is nearly certain has a loss of e^−20, not of 0.
            let loss: f32 = check::value(level, &BceWithLogits, &[[20.0_f32]], &[[1.0]]).unwrap();
            assert_close("certain", &[loss * 1e9], &[libm::exp(-20.0) * 1e9], 1e-5);
            assert!(check::value(level, &CrossEntropy, &[[f32::NAN, 0.0]], &[1_u8]).unwrap().is_nan());
        }
    }

    #[test]
    fn counts_what_is_right() {
        let output = [[0.0, 1.0, 0.5], [2.0, 2.0, 1.0], [f64::NAN; 3], [0.0, f64::NAN, 0.0]];
        assert_eq!(CrossEntropy.correct(&output, &[1_u8, 0, 0, 0]), Some(2));
        assert_eq!(CrossEntropy.correct(&output, &[2_u8, 1, 1, 1]), Some(0));
        assert_eq!(CrossEntropy.correct(&output, &[[0.2, 0.7, 0.1]; 4]), Some(1));
        assert_eq!(KlDivergence.correct(&output, &[[0.2, 0.7, 0.1]; 4]), Some(1));
        assert_eq!(BceWithLogits.correct(&[[1.0, -1.0], [f64::NAN, -1.0]], &[[1.0, 0.0]; 2]), Some(1));
        assert_eq!(Loss::<f64, _, _>::correct(&crate::loss::Mse, &[[1.0]], &[[1.0]]), None);
    }
}
