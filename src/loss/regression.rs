//! Losses that compare number by number: any output with a target of the same shape.

use super::pointwise::{Pointwise, pointwise};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::scalar::{Real, Scalar};
use crate::simd::{Simd, Vector};

/// Mean squared error: the mean of `(x − t)²` over all numbers; its gradient is `2(x − t)/n`.
///
/// ```
/// use monomorph::loss::{Loss, Mse};
///
/// assert_eq!(Mse.loss_and_gradient(&[[1.0_f32, 5.0]], &[[1.0, 2.0]])?, (4.5, [[0.0, 3.0]]));
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mse;

/// Mean absolute error: the mean of `|x − t|` over all numbers; its gradient is `sign(x − t)/n`, 0 where the two are
/// equal.
///
/// ```
/// use monomorph::loss::{Loss, Mae};
///
/// assert_eq!(Mae.loss_and_gradient(&[[1.0_f32, 5.0]], &[[1.0, 2.0]])?, (1.5, [[0.0, 0.5]]));
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mae;

/// Huber loss: the mean over all numbers of `d²/2` where `|d| ≤ δ`, of `δ·(|d| − δ/2)` elsewhere, with `d = x − t`; its
/// gradient is `d/n`, bounded by `δ/n`.
///
/// Huber, *Robust estimation of a location parameter* (1964).
///
/// ```
/// use monomorph::loss::{Huber, Loss};
///
/// let (loss, gradient) = Huber { delta: 1.0 }.loss_and_gradient(&[[1.0_f32, 5.0]], &[[0.0, 2.0]])?;
/// assert_eq!((loss, gradient), ((0.5 + 2.5) / 2.0, [[0.5, 0.5]]));
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Huber {
    /// δ, where the parabola turns into a line; above 0, by default 1.
    pub delta: f64,
}

impl Default for Huber {
    fn default() -> Self {
        Self { delta: 1.0 }
    }
}

/// Log-cosh: the mean of `ln cosh(x − t)` over all numbers; its gradient is `tanh(x − t)/n`.
///
/// Near 0 it is half the squared error, far away the absolute error, and smooth in between. (That of Keras.)
///
/// ```
/// use monomorph::loss::{LogCosh, Loss};
///
/// let (loss, gradient) = LogCosh.loss_and_gradient(&[[100.0_f64]], &[[0.0]])?;
/// assert!((loss - (100.0 - 2.0_f64.ln())).abs() < 1e-12 && gradient == [[1.0]]);
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCosh;

/// The pinball loss, whose minimum is a quantile of the target instead of its mean: the mean over all numbers of `q·(t
/// − x)` where `x < t`, of `(1 − q)·(x − t)` elsewhere; its gradient is `−q/n` there and `(1 − q)/n` here, 0 where the
/// two are equal.
///
/// Koenker and Bassett, *Regression quantiles* (1978).
///
/// ```
/// use monomorph::loss::{Loss, Quantile};
///
/// // Nine tenths of the targets are to be below.
/// let (loss, gradient) = Quantile { quantile: 0.9 }.loss_and_gradient(&[[1.0_f64]], &[[2.0]])?;
/// assert_eq!((loss, gradient), (0.9, [[-0.9]]));
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// q, the share of the targets that is to be below the output; above 0 and below 1, by default ½ (the median).
    pub quantile: f64,
}

impl Default for Quantile {
    fn default() -> Self {
        Self { quantile: 0.5 }
    }
}

/// The negative log-likelihood of counts `t` whose rate is `eˣ` (Poisson): the mean of `eˣ − t·x` over all numbers; its
/// gradient is `(eˣ − t)/n`.
///
/// The term `ln t!`, which does not depend on the output, is left out, as PyTorch's `PoissonNLLLoss` does by default.
///
/// ```
/// use monomorph::loss::{Loss, PoissonNll};
///
/// let (loss, gradient) = PoissonNll.loss_and_gradient(&[[0.0_f64]], &[[3.0]])?;
/// assert_eq!((loss, gradient), (1.0, [[-2.0]]));
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoissonNll;

impl<T: Scalar> Pointwise<T> for Mse {
    #[inline(always)]
    fn of<S: Simd>(&self, _simd: S, x: T::Vector<S>, t: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        let d = x - t;
        (d * d, d + d)
    }
}

impl<T: Scalar> Pointwise<T> for Mae {
    #[inline(always)]
    fn of<S: Simd>(&self, simd: S, x: T::Vector<S>, t: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        let (zero, one) = (T::Vector::<S>::splat(simd, T::ZERO), T::Vector::<S>::splat(simd, T::ONE));
        let d = x - t;
        // A number that is neither above nor below is 0 or NaN, and must stay so.
        let sign = T::Vector::<S>::select(d.lt(zero), -one, d);
        (d.abs(), T::Vector::<S>::select(zero.lt(d), one, sign))
    }
}

impl<T: Scalar> Pointwise<T> for Huber {
    #[inline(always)]
    fn check(&self) -> Result<(), OutOfRange> {
        check::<T>("Huber", &[("delta", self.delta, Range::Positive)])
    }

    #[inline(always)]
    fn of<S: Simd>(&self, simd: S, x: T::Vector<S>, t: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        let delta = T::Vector::<S>::splat(simd, T::from_f64(self.delta));
        let half = T::Vector::<S>::splat(simd, T::from_f64(0.5));
        let d = x - t;
        let size = d.abs();
        // NaN compares as near, and stays NaN.
        let far = delta.lt(size);
        let line = delta * (size - half * delta);
        (T::Vector::<S>::select(far, line, half * d * d), T::Vector::<S>::select(far, delta.copysign(d), d))
    }
}

impl<T: Real> Pointwise<T> for LogCosh {
    #[inline(always)]
    fn of<S: Simd>(&self, simd: S, x: T::Vector<S>, t: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        let d = x - t;
        // ln cosh d = |d| + ln(1 + e^(−2|d|)) − ln 2, in which nothing overflows.
        let size = d.abs();
        let ln_2 = T::Vector::<S>::splat(simd, T::from_f64(core::f64::consts::LN_2));
        ((size + T::softplus_lanes(simd, -(size + size))) - ln_2, T::tanh_lanes(simd, d))
    }
}

impl<T: Scalar> Pointwise<T> for Quantile {
    #[inline(always)]
    fn check(&self) -> Result<(), OutOfRange> {
        check::<T>("Quantile", &[("quantile", self.quantile, Range::Between)])
    }

    #[inline(always)]
    fn of<S: Simd>(&self, simd: S, x: T::Vector<S>, t: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        let zero = T::Vector::<S>::splat(simd, T::ZERO);
        let low = T::Vector::<S>::splat(simd, T::from_f64(-self.quantile));
        let high = T::Vector::<S>::splat(simd, T::from_f64(1.0 - self.quantile));
        let d = x - t;
        // Neither above nor below: 0 or NaN, and must stay so.
        let slope = T::Vector::<S>::select(d.lt(zero), low, T::Vector::<S>::select(zero.lt(d), high, d));
        (slope * d, slope)
    }
}

impl<T: Real> Pointwise<T> for PoissonNll {
    #[inline(always)]
    fn of<S: Simd>(&self, simd: S, x: T::Vector<S>, t: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        let rate = T::exp_lanes(simd, x);
        (rate - t * x, rate - t)
    }
}

pointwise!(Scalar: Mse, Mae, Huber, Quantile);
pointwise!(Real: LogCosh, PoissonNll);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::loss::{Loss, check};
    use crate::simd::levels;
    use crate::tensor::Tensor;
    use crate::testing::golden::{assert_close, random};

    #[test]
    fn agrees_with_pytorch() {
        check::golden::<f64, [f64; 6], _, 4>("loss_mse", &Mse, &check::numbers("loss_mse"));
        check::golden::<f32, [f32; 6], _, 4>("loss_mse", &Mse, &check::numbers("loss_mse"));
        check::golden::<f64, [f64; 6], _, 4>("loss_mae", &Mae, &check::numbers("loss_mae"));
        check::golden::<f32, [f32; 6], _, 4>("loss_mae", &Mae, &check::numbers("loss_mae"));
        // The case has δ = 0.7: no element of its gradient is larger than 0.7/24.
        let huber = Huber { delta: 0.7 };
        check::golden::<f64, [f64; 6], _, 4>("loss_huber", &huber, &check::numbers("loss_huber"));
        check::golden::<f32, [f32; 6], _, 4>("loss_huber", &huber, &check::numbers("loss_huber"));
    }

    #[test]
    fn more_agree_with_pytorch() {
        fn every<T: Real>() {
            check::golden::<T, [T; 4], _, 5>("loss_log_cosh", &LogCosh, &check::numbers("loss_log_cosh"));
            check::golden::<T, [T; 4], _, 5>(
                "loss_quantile",
                &Quantile { quantile: 0.9 },
                &check::numbers("loss_quantile"),
            );
            check::golden::<T, [T; 4], _, 5>("loss_poisson_nll", &PoissonNll, &check::numbers("loss_poisson_nll"));
        }
        every::<f64>();
        every::<f32>();
        assert!(Loss::<f64, _, _>::loss_and_gradient(&Quantile { quantile: 1.0 }, &[[0.0]], &[[0.0]]).is_err());
        let (loss, gradient) = Quantile::default().loss_and_gradient(&[[1.0]], &[[1.0]]).unwrap();
        assert_eq!((loss, gradient), (0.0, [[0.0]]));
    }

    #[test]
    fn gradients() {
        fn every<X: Tensor<Element = f64>>() {
            let (mut output, target) = (random::<X, 3>(1), random::<X, 3>(2));
            check::differences(&Mse, &mut output, &target);
            check::differences(&Mae, &mut output, &target);
            check::differences(&Huber { delta: 0.3 }, &mut output, &target);
            check::differences(&LogCosh, &mut output, &target);
            check::differences(&Quantile { quantile: 0.8 }, &mut output, &target);
            check::differences(&PoissonNll, &mut output, &target);
        }
        every::<[f64; 1]>();
        every::<[[f64; 5]; 3]>();
        every::<[[[f64; 3]; 11]; 2]>();
        every::<[[[[f64; 2]; 2]; 5]; 5]>();
    }

    #[test]
    fn every_length() {
        fn every<const N: usize>() {
            let (output, target) = (random::<[f32; N], 1>(3), random::<[f32; N], 1>(4));
            let d = || output[0].iter().zip(&target[0]).map(|(x, t)| *x as f64 - *t as f64);
            for level in levels() {
                let mut gradient = [[f32::NAN; N]];
                let loss: f32 = check::loss(level, &Mse, &output, &target, &mut gradient).unwrap();
                assert_close("Mse", &[loss], &[d().map(|d| d * d).sum::<f64>() / N as f64], 1e-6);
                let expected: std::vec::Vec<f64> = d().map(|d| 2.0 * d / N as f64).collect();
                assert_close("Mse gradient", &gradient[0], &expected, 1e-6);
                let loss: f32 = check::loss(level, &Mae, &output, &target, &mut gradient).unwrap();
                assert_close("Mae", &[loss], &[d().map(f64::abs).sum::<f64>() / N as f64], 1e-6);
                let expected: std::vec::Vec<f64> = d().map(|d| d.signum() / N as f64).collect();
                assert_close("Mae gradient", &gradient[0], &expected, 1e-6);
            }
        }
        every::<1>();
        every::<2>();
        every::<3>();
        every::<15>();
        every::<16>();
        every::<17>();
        every::<33>();
        every::<64>();
        every::<100>();
        every::<1024>();
        every::<1025>();
        every::<5000>();
    }

    #[test]
    fn equal_numbers_have_no_gradient_and_nan_shows() {
        for level in levels() {
            let mut gradient = [[9.0_f32; 3]];
            let (output, target) = ([[1.0, 1.0, f32::NAN]], [[1.0, 0.0, 0.0]]);
            assert!(check::loss(level, &Mae, &output, &target, &mut gradient).unwrap().is_nan());
            assert!(gradient[0][0] == 0.0 && gradient[0][1] > 0.0 && gradient[0][2].is_nan());
            assert!(check::loss(level, &Huber::default(), &output, &target, &mut gradient).unwrap().is_nan());
            assert!(gradient[0][0] == 0.0 && gradient[0][1] > 0.0 && gradient[0][2].is_nan());
            assert_eq!(check::value::<f32, [f32; 3], _, _, 0>(level, &Mse, &[], &[]), Ok(0.0));
        }
    }
}
