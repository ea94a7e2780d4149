//! The smoother of Rauch, Tung and Striebel: what the states were, given also what was measured later.
//!
//! From the last state to the first, with the filter's `x`, `P`, the prediction `x⁻`, `P⁻` of the next state from it,
//! and the next state's smoothed `xˢ`, `Pˢ`:
//!
//! ```text
//! C = P·Fᵀ·(P⁻)⁻¹     x ← x + C·(xˢ − x⁻)     P ← P + C·(Pˢ − P⁻)·Cᵀ
//! ```
//!
//! H. Rauch, F. Tung and C. Striebel, *Maximum likelihood estimates of linear dynamic systems* (1965).

use nalgebra::SMatrix;

use super::matrix::{Ldl, add, apply, difference, of_columns, product, sandwich};
use super::{Gaussian, NotPositive, transposed};
use crate::scalar::Real;

impl<T: Real, const N: usize> Gaussian<T, N> {
    /// One step back: `self` is the filter's estimate after its update, `predicted` the prediction of the next state
    /// from it by `transition` (the Jacobian, if it is not linear), and `next` the next state, smoothed.
    ///
    /// # Errors
    /// If the prediction's covariance is not positive definite.
    pub fn smooth(&mut self, transition: &SMatrix<T, N, N>, predicted: &Self, next: &Self) -> Result<(), NotPositive> {
        let mut gain_transposed = product(transition, &self.covariance);
        Ldl::new(&predicted.covariance).ok_or(NotPositive)?.divide(&mut gain_transposed);
        let gain = transposed(&gain_transposed);
        let by = apply(&gain, &difference(&next.mean, &predicted.mean));
        add(&mut self.mean.data.0[0], &by.data.0[0], T::ONE);
        let mut less = next.covariance.data.0;
        for (less, predicted) in less.iter_mut().zip(&predicted.covariance.data.0) {
            add(less, predicted, -T::ONE);
        }
        self.covariance = sandwich(&gain, &of_columns(less), &self.covariance);
        Ok(())
    }
}

/// Replaces the filter's estimates after the updates by smoothed ones, in place; the last stays as it is.
///
/// ```
/// use monomorph::filters::{Gaussian, smooth};
/// use nalgebra::{Matrix1, Vector1};
///
/// // A level that wanders a little, measured five times.
/// let (one, wanders, noise) = (Matrix1::new(1.0), Matrix1::new(0.01), Matrix1::new(1.0));
/// let mut level = Gaussian { mean: Vector1::new(0.0), covariance: Matrix1::new(100.0) };
/// let mut levels = [level; 5];
/// for (kept, z) in levels.iter_mut().zip([3.0, 5.0, 4.0, 6.0, 2.0]) {
///     level.predict(&one, &wanders);
///     level.update(&one, &Vector1::new(z), &noise)?;
///     *kept = level;
/// }
/// smooth(&one, &wanders, &mut levels)?;
/// // The first level is known better than by the first measurement.
/// assert!(levels[0].covariance[0] < 0.3 && (levels[0].mean[0] - 4.0).abs() < 0.1);
/// # Ok::<(), monomorph::filters::NotPositive>(())
/// ```
///
/// # Errors
/// If the covariance of a prediction is not positive definite; the estimates before it are as they were.
pub fn smooth<T: Real, const N: usize>(
    transition: &SMatrix<T, N, N>,
    noise: &SMatrix<T, N, N>,
    estimates: &mut [Gaussian<T, N>],
) -> Result<(), NotPositive> {
    let Some((last, earlier)) = estimates.split_last_mut() else { return Ok(()) };
    let mut next = *last;
    for estimate in earlier.iter_mut().rev() {
        let mut predicted = *estimate;
        predicted.predict(transition, noise);
        estimate.smooth(transition, &predicted, &next)?;
        next = *estimate;
    }
    Ok(())
}
