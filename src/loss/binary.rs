//! Losses of two classes for each number: an output on one side of 0 or the other.

use super::pointwise::{Pointwise, pointwise};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::scalar::{Real, Scalar, Vector};
use crate::simd::Simd;

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

/// Focal loss, a binary cross-entropy in which numbers that are right already count little: the mean over all numbers
/// of `a·m^γ·l`, where `l` is that of [`BceWithLogits`], `m = σ(x)·(1−t) + (1−σ(x))·t` is the probability of a mistake,
/// and `a = α·t + (1−α)·(1−t)`.
///
/// With `σ′ = σ·(1−σ)` its gradient is `a·m^γ·(γ·l·σ′·(1−2t)/m + σ − t)/n`. Targets as of [`BceWithLogits`].
///
/// Lin et al., *Focal loss for dense object detection* (2017); defaults of torchvision's `sigmoid_focal_loss`.
///
/// ```
/// use monomorph::loss::{BceWithLogits, Focal, Loss};
///
/// // An easy number weighs a thousandth of what it weighs in the cross-entropy.
/// let (x, t) = ([[3.5_f64]], [[1.0]]);
/// let (focal, _) = Focal { alpha: None, ..Focal::default() }.loss_and_gradient(&x, &t)?;
/// let (entropy, _) = BceWithLogits.loss_and_gradient(&x, &t)?;
/// assert!(focal < entropy / 1000.0);
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Focal {
    /// γ, how little easy numbers count; at least 0, by default 2.
    pub gamma: f64,
    /// α, the weight of positive numbers, from 0 to 1; negative ones have 1 − α. By default ¼; without it, both have 1.
    pub alpha: Option<f64>,
}

impl Default for Focal {
    fn default() -> Self {
        Self { gamma: 2.0, alpha: Some(0.25) }
    }
}

/// Hinge loss, that of support vector machines: the mean of `max(0, 1 − t·x)` over all numbers; its gradient is `−t/n`
/// where `t·x < 1`.
///
/// The target has the output's shape and holds −1 and 1. A sample counts as correctly classified if each number has the
/// sign of its target.
///
/// ```
/// use monomorph::loss::{Hinge, Loss};
///
/// assert_eq!(Hinge.loss_and_gradient(&[[0.5_f32, 3.0]], &[[1.0, 1.0]])?, (0.25, [[-0.5, 0.0]]));
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hinge;

/// Squared hinge loss: the mean of `max(0, 1 − t·x)²` over all numbers; its gradient is `−2t·max(0, 1 − t·x)/n`.
/// Targets as of [`Hinge`].
///
/// ```
/// use monomorph::loss::{Loss, SquaredHinge};
///
/// assert_eq!(SquaredHinge.loss_and_gradient(&[[0.5_f32, 3.0]], &[[1.0, 1.0]])?, (0.125, [[-0.5, 0.0]]));
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SquaredHinge;

/// `l = −t·ln σ(x) − (1−t)·ln(1−σ(x))`, and the smaller and the larger of `σ(x)` and `1 − σ(x)`: the smaller is `σ(x)`
/// where `x < 0`, and is not rounded to 0.
#[inline(always)]
fn entropy<T: Real, S: Simd>(simd: S, x: T::Vector<S>, t: T::Vector<S>) -> [T::Vector<S>; 3] {
    let (zero, one) = (T::Vector::<S>::splat(simd, T::ZERO), T::Vector::<S>::splat(simd, T::ONE));
    // l = max(x, 0) − t·x + ln(1 + e^−|x|).
    let low = -x.abs();
    let loss = (T::Vector::<S>::select(x.lt(zero), zero, x) - t * x) + T::softplus_lanes(simd, low);
    let power = T::exp_lanes(simd, low);
    [loss, power / (one + power), one / (one + power)]
}

/// Whether a logit is above 0 exactly where its label is above ½.
#[inline]
fn same_label<T: Scalar>(x: T, t: T) -> bool {
    if t > T::from_f64(0.5) { x > T::ZERO } else { x <= T::ZERO }
}

impl<T: Real> Pointwise<T> for BceWithLogits {
    const RIGHT: Option<fn(T, T) -> bool> = Some(same_label);

    #[inline(always)]
    fn of<S: Simd>(&self, simd: S, x: T::Vector<S>, t: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        let (zero, one) = (T::Vector::<S>::splat(simd, T::ZERO), T::Vector::<S>::splat(simd, T::ONE));
        let [loss, smaller, _] = entropy::<T, S>(simd, x, t);
        // σ(x) − t, where 1 − σ(x) is not rounded to 0.
        (loss, T::Vector::<S>::select(x.lt(zero), smaller - t, (one - t) - smaller))
    }
}

impl<T: Real> Pointwise<T> for Focal {
    const RIGHT: Option<fn(T, T) -> bool> = Some(same_label);

    #[inline(always)]
    fn check(&self) -> Result<(), OutOfRange> {
        let alpha = self.alpha.unwrap_or(1.0);
        check::<T>("Focal", &[("gamma", self.gamma, Range::NotNegative), ("alpha", alpha, Range::Share)])
    }

    #[inline(always)]
    fn of<S: Simd>(&self, simd: S, x: T::Vector<S>, t: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        let all = |number: f64| T::Vector::<S>::splat(simd, T::from_f64(number));
        let (zero, one, gamma) = (all(0.0), all(1.0), all(self.gamma));
        let [loss, smaller, larger] = entropy::<T, S>(simd, x, t);
        let negative = x.lt(zero);
        let yes = T::Vector::<S>::select(negative, smaller, larger);
        let no = T::Vector::<S>::select(negative, larger, smaller);
        let not = one - t;
        let mistake = yes * not + no * t;
        let never = mistake.le(zero);
        // m^γ, which is 1 for γ = 0 even where m is 0.
        let power = T::exp_lanes(simd, gamma * T::ln_lanes(simd, T::Vector::<S>::select(never, one, mistake)));
        let power = T::Vector::<S>::select(never, all(if self.gamma > 0.0 { 0.0 } else { 1.0 }), power);
        let slope = T::Vector::<S>::select(never, zero, (yes * no) * (not - t) / mistake);
        let weight = match self.alpha {
            Some(alpha) => (all(alpha) * t + all(1.0 - alpha) * not) * power,
            None => power,
        };
        let difference = T::Vector::<S>::select(negative, yes - t, not - no);
        (weight * loss, weight * (gamma * loss * slope + difference))
    }
}

impl<T: Scalar> Pointwise<T> for Hinge {
    const RIGHT: Option<fn(T, T) -> bool> = Some(|x, t| x * t > T::ZERO);

    #[inline(always)]
    fn of<S: Simd>(&self, simd: S, x: T::Vector<S>, t: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        let (zero, one) = (T::Vector::<S>::splat(simd, T::ZERO), T::Vector::<S>::splat(simd, T::ONE));
        let missing = one - t * x;
        // NaN is not enough, and stays NaN.
        let enough = missing.le(zero);
        (T::Vector::<S>::select(enough, zero, missing), T::Vector::<S>::select(enough, zero, -t))
    }
}

impl<T: Scalar> Pointwise<T> for SquaredHinge {
    const RIGHT: Option<fn(T, T) -> bool> = <Hinge as Pointwise<T>>::RIGHT;

    #[inline(always)]
    fn of<S: Simd>(&self, simd: S, x: T::Vector<S>, t: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        let (missing, slope) = <Hinge as Pointwise<T>>::of(&Hinge, simd, x, t);
        (missing * missing, (missing + missing) * slope)
    }
}

pointwise!(Real: BceWithLogits, Focal);
pointwise!(Scalar: Hinge, SquaredHinge);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::loss::{Loss, check};
    use crate::testing::golden::{Case, random};

    #[test]
    fn agree_with_pytorch() {
        fn every<T: Real>() {
            check::golden::<T, [T; 4], _, 5>("loss_focal", &Focal::default(), &check::numbers("loss_focal"));
            let target = Case::open("loss_hinge").numbers("target");
            let target: [[T; 1]; 5] = core::array::from_fn(|sample| [T::from_f64(target[sample])]);
            check::golden("loss_hinge", &Hinge, &target);
        }
        every::<f64>();
        every::<f32>();
    }

    #[test]
    fn gradients() {
        fn every<const N: usize>() {
            let mut output = random::<[f64; N], 3>(1);
            let target = random::<[f64; N], 3>(2);
            let labels = target.map(|row| row.map(|t| if t > 0.0 { 1.0 } else { 0.0 }));
            let soft = target.map(|row| row.map(f64::abs));
            for (gamma, alpha) in [(2.0, Some(0.25)), (0.0, None), (0.5, Some(0.9)), (1.0, None)] {
                check::differences(&Focal { gamma, alpha }, &mut output, &labels);
                check::differences(&Focal { gamma, alpha }, &mut output, &soft);
            }
            let signs = target.map(|row| row.map(f64::signum));
            check::differences(&Hinge, &mut output, &signs);
            check::differences(&SquaredHinge, &mut output, &signs);
        }
        every::<1>();
        every::<3>();
        every::<17>();
        every::<33>();
    }

    #[test]
    fn edges() {
        // Without γ and α the focal loss is the cross-entropy, however far away.
        for x in [-1e4, -800.0, -3.0, 0.0, 2.0, 1e4_f64] {
            for t in [0.0, 1.0, 0.3] {
                let plain = Focal { gamma: 0.0, alpha: None }.loss_and_gradient(&[[x]], &[[t]]).unwrap();
                let entropy = BceWithLogits.loss_and_gradient(&[[x]], &[[t]]).unwrap();
                assert!((plain.0 - entropy.0).abs() <= 1e-12 * (1.0 + entropy.0), "{x} {t}: {plain:?} {entropy:?}");
                assert!((plain.1[0][0] - entropy.1[0][0]).abs() <= 1e-12);
                let (loss, gradient) = Focal::default().loss_and_gradient(&[[x]], &[[t]]).unwrap();
                assert!(loss.is_finite() && gradient[0][0].is_finite(), "{x} {t}");
            }
        }
        assert!(Focal { gamma: -1.0, alpha: None }.loss_and_gradient(&[[0.0_f64]], &[[0.0]]).is_err());
        assert_eq!(Hinge.correct(&[[0.1_f64, -2.0], [1.0, 1.0]], &[[1.0, -1.0]; 2]), Some(1));
        let (loss, gradient) = Hinge.loss_and_gradient(&[[f64::NAN]], &[[1.0]]).unwrap();
        assert!(loss.is_nan() && gradient[0][0] == -1.0);
    }
}
