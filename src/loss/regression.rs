//! Losses that compare number by number: any output with a target of the same shape.

use super::{Loss, LossError, mean_of_numbers};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector};
use crate::tensor::Tensor;

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

/// A loss of the difference `d = x − t` of single numbers.
trait Residual<T: Scalar> {
    /// The loss of `d` and its derivative.
    fn of<S: Simd>(&self, simd: S, d: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>);
    /// Checks the parameters.
    #[inline(always)]
    fn check(&self) -> Result<(), OutOfRange> {
        Ok(())
    }
}

impl<T: Scalar> Residual<T> for Mse {
    #[inline(always)]
    fn of<S: Simd>(&self, _simd: S, d: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        (d * d, d + d)
    }
}

impl<T: Scalar> Residual<T> for Mae {
    #[inline(always)]
    fn of<S: Simd>(&self, simd: S, d: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        let zero = T::Vector::<S>::splat(simd, T::ZERO);
        let one = T::Vector::<S>::splat(simd, T::ONE);
        // A number that is neither above nor below is 0 or NaN, and must stay so.
        let sign = T::Vector::<S>::select(d.lt(zero), -one, d);
        (d.abs(), T::Vector::<S>::select(zero.lt(d), one, sign))
    }
}

impl<T: Scalar> Residual<T> for Huber {
    #[inline(always)]
    fn check(&self) -> Result<(), OutOfRange> {
        check::<T>("Huber", &[("delta", self.delta, Range::Positive)])
    }

    #[inline(always)]
    fn of<S: Simd>(&self, simd: S, d: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        let delta = T::Vector::<S>::splat(simd, T::from_f64(self.delta));
        let half = T::Vector::<S>::splat(simd, T::from_f64(0.5));
        let size = d.abs();
        // NaN compares as near, and stays NaN.
        let far = delta.lt(size);
        let line = delta * (size - half * delta);
        (T::Vector::<S>::select(far, line, half * d * d), T::Vector::<S>::select(far, delta.copysign(d), d))
    }
}

/// The mean over a batch, and its gradient if requested.
#[inline(always)]
fn mean<T: Scalar, X: Tensor<Element = T>, R: Residual<T>, S: Simd>(
    residual: &R,
    simd: S,
    output: &[X],
    target: &[X],
    gradient: Option<&mut [X]>,
) -> T {
    mean_of_numbers(
        simd,
        output,
        target,
        gradient,
        #[inline(always)]
        |x, t| residual.of(simd, x - t),
    )
}

macro_rules! residual {
    ($($loss:ty),*) => { $(
        // The notes of the trait say it in words.
        #[diagnostic::do_not_recommend]
        impl<T: Scalar, X: Tensor<Element = T>> Loss<T, X, X> for $loss {
            #[inline(always)]
            fn loss<S: Simd, const B: usize>(
                &self,
                simd: S,
                output: &[X; B],
                target: &[X; B],
                gradient: &mut [X; B],
            ) -> Result<T, LossError> {
                Residual::<T>::check(self).map_err(LossError::OutOfRange)?;
                Ok(mean(self, simd, output, target, Some(gradient)))
            }

            #[inline(always)]
            fn value<S: Simd, const B: usize>(
                &self,
                simd: S,
                output: &[X; B],
                target: &[X; B],
            ) -> Result<T, LossError> {
                Residual::<T>::check(self).map_err(LossError::OutOfRange)?;
                Ok(mean(self, simd, output, target, None))
            }

            #[inline(always)]
            fn divisor<const B: usize>(&self, _target: &[X; B]) -> f64 {
                (B * X::LEN) as f64
            }
        }
    )* };
}
residual!(Mse, Mae, Huber);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::loss::check;
    use crate::simd::levels;
    use crate::testing::golden::{assert_close, random};

    #[test]
    fn agrees_with_pytorch() {
        check::golden::<f64, _, _>("loss_mse", &Mse, &check::numbers("loss_mse"));
        check::golden::<f32, _, _>("loss_mse", &Mse, &check::numbers("loss_mse"));
        check::golden::<f64, _, _>("loss_mae", &Mae, &check::numbers("loss_mae"));
        check::golden::<f32, _, _>("loss_mae", &Mae, &check::numbers("loss_mae"));
        // The case has δ = 0.7: no element of its gradient is larger than 0.7/24.
        let huber = Huber { delta: 0.7 };
        check::golden::<f64, _, _>("loss_huber", &huber, &check::numbers("loss_huber"));
        check::golden::<f32, _, _>("loss_huber", &huber, &check::numbers("loss_huber"));
    }

    #[test]
    fn gradients() {
        fn every<X: Tensor<Element = f64>>() {
            let (mut output, target) = (random::<X, 3>(1), random::<X, 3>(2));
            check::differences(&Mse, &mut output, &target);
            check::differences(&Mae, &mut output, &target);
            check::differences(&Huber { delta: 0.3 }, &mut output, &target);
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
