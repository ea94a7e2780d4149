//! Kalman filters: what a state is, given measurements with noise. Feature `nalgebra`.
//!
//! A state `x` of `N` numbers changes from step to step and is measured as `z`, `M` numbers:
//!
//! | | linear | nonlinear |
//! | --- | --- | --- |
//! | the state | `x′ = F·x + w`, `w ~ N(0, Q)` | `x′ = f(x) + w` |
//! | a measurement | `z = H·x + v`, `v ~ N(0, R)` | `z = h(x) + v` |
//!
//! What is known about the state is a [`Gaussian`]: a mean and a covariance. Its methods are the filters; for each step
//! call one of each column:
//!
//! | filter | the state moves | a measurement comes |
//! | --- | --- | --- |
//! | Kalman's | [`predict`](Gaussian::predict) | [`update`](Gaussian::update) |
//! | extended: `f` and `h` as their tangents | [`predict_extended`](Gaussian::predict_extended) | [`update_extended`](Gaussian::update_extended) |
//! | unscented: `f` and `h` at `2N + 1` points | [`predict_unscented`](Gaussian::predict_unscented) | [`update_unscented`](Gaussian::update_unscented) |
//!
//! [`SquareRoot`] is Kalman's and the extended filter with a triangle `L` in place of the covariance `L·Lᵀ`: it needs
//! half the digits, which matters in `f32`. [`smooth`] looks back: what the states were, given all measurements.
//!
//! Nothing allocates or panics, and all sizes are static. The models are arguments, not fields: matrices that change
//! with time need nothing special, and a known force is added to the mean.
//!
//! ```
//! use monomorph::filters::Gaussian;
//! use nalgebra::{Matrix1, Matrix2, RowVector2, Vector1, Vector2};
//!
//! // A position and a speed; the position is measured.
//! let f = Matrix2::new(1.0, 1.0, 0.0, 1.0);
//! let q = Matrix2::new(0.25, 0.5, 0.5, 1.0) * 0.1;
//! let (h, r) = (RowVector2::new(1.0, 0.0), Matrix1::new(4.0));
//!
//! let mut track = Gaussian { mean: Vector2::zeros(), covariance: Matrix2::identity() * 100.0 };
//! for z in [1.1, 1.9, 3.2, 4.1, 4.8] {
//!     track.predict(&f, &q);
//!     track.update(&h, &Vector1::new(z), &r)?;
//! }
//! assert!((track.mean - Vector2::new(4.932531087669063, 0.9537018824694621)).norm() < 1e-12);
//! # Ok::<(), monomorph::filters::NotPositive>(())
//! ```
//!
//! R. Kalman, *A new approach to linear filtering and prediction problems* (1960); R. Bucy and P. Joseph, *Filtering
//! for stochastic processes with applications to guidance* (1968), whose form of the update stays positive whatever is
//! rounded; D. Simon, *Optimal state estimation* (2006), chapters 5, 6, 9, 13 and 14.

mod extended;
mod matrix;
mod smoother;
mod square_root;
#[cfg(test)]
mod tests;
mod unscented;

use core::fmt;

use nalgebra::{SMatrix, SVector};

use crate::scalar::Real;
use matrix::{Ldl, add, apply, difference, product, product_transposed, sandwich};

pub use extended::linearize;
pub use smoother::smooth;
pub use square_root::SquareRoot;
pub use unscented::Spread;

/// What is known about a state of `N` numbers: it is normally distributed with this mean and covariance. The
/// [module](self) has an example.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian<T, const N: usize> {
    /// The mean: the best estimate.
    pub mean: SVector<T, N>,
    /// The covariance: the square of how far off it may be. Symmetric.
    pub covariance: SMatrix<T, N, N>,
}

/// A covariance is not positive definite, or holds an infinite number or NaN; the estimate is as it was.
///
/// A noise of 0 in the measurement of what is already known exactly does that, and a matrix that is no covariance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NotPositive;

impl fmt::Display for NotPositive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a covariance is not positive definite, or not finite")
    }
}

impl core::error::Error for NotPositive {}

/// How far a measurement was from what was expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Innovation<T, const M: usize> {
    /// `y = z − H·x`.
    pub residual: SVector<T, M>,
    /// Its covariance, `S = H·P·Hᵀ + R`.
    pub covariance: SMatrix<T, M, M>,
}

impl<T: Real, const M: usize> Innovation<T, M> {
    /// `yᵀ·S⁻¹·y`: χ²-distributed with `M` degrees of freedom if the model is right. For leaving out what cannot be:
    /// keep a copy of the estimate, and go back to it if this is too large.
    ///
    /// NaN if `S` is not positive definite.
    pub fn squared_distance(&self) -> T {
        self.distance_and_determinant().0
    }

    /// The logarithm of the measurement's probability density, `−½·(yᵀ·S⁻¹·y + ln det S + M·ln 2π)`. Their sum over the
    /// steps is what the parameters of a model are fitted by.
    ///
    /// NaN if `S` is not positive definite.
    pub fn log_likelihood(&self) -> T {
        let (distance, determinant) = self.distance_and_determinant();
        let constant = T::from_f64(M as f64 * libm::log(core::f64::consts::TAU));
        T::from_f64(-0.5) * (distance + determinant + constant)
    }

    /// `yᵀ·S⁻¹·y` and `ln det S`.
    fn distance_and_determinant(&self) -> (T, T) {
        let Some(factor) = Ldl::new(&self.covariance) else {
            let nan = T::from_f64(f64::NAN);
            return (nan, nan);
        };
        let mut divided = self.residual;
        factor.divide(&mut divided);
        let (mut distance, mut determinant) = (T::ZERO, T::ZERO);
        for row in 0..M {
            distance += self.residual.data.0[0][row] * divided.data.0[0][row];
            determinant += factor.diagonal[row].ln();
        }
        (distance, determinant)
    }
}

impl<T: Real, const N: usize> Gaussian<T, N> {
    /// The state moves: `x ← F·x`, `P ← F·P·Fᵀ + Q`.
    #[inline]
    pub fn predict(&mut self, transition: &SMatrix<T, N, N>, noise: &SMatrix<T, N, N>) {
        self.mean = apply(transition, &self.mean);
        self.covariance = sandwich(transition, &self.covariance, noise);
    }

    /// A measurement comes: [`correct`](Self::correct) by `y = z − H·x`.
    ///
    /// # Errors
    /// If `H·P·Hᵀ + R` is not positive definite.
    #[inline]
    pub fn update<const M: usize>(
        &mut self,
        observation: &SMatrix<T, M, N>,
        measurement: &SVector<T, M>,
        noise: &SMatrix<T, M, M>,
    ) -> Result<Innovation<T, M>, NotPositive> {
        self.correct(difference(measurement, &apply(observation, &self.mean)), observation, noise)
    }

    /// The update by a residual that is computed elsewhere, as where angles are to be wrapped around:
    ///
    /// ```text
    /// S = H·P·Hᵀ + R        K = P·Hᵀ·S⁻¹
    /// x ← x + K·y           P ← (I − K·H)·P·(I − K·H)ᵀ + K·R·Kᵀ
    /// ```
    ///
    /// # Errors
    /// If `S` is not positive definite.
    #[inline]
    pub fn correct<const M: usize>(
        &mut self,
        residual: SVector<T, M>,
        observation: &SMatrix<T, M, N>,
        noise: &SMatrix<T, M, M>,
    ) -> Result<Innovation<T, M>, NotPositive> {
        let observed = product(observation, &self.covariance);
        let mut covariance = product_transposed(&observed, observation).data.0;
        for (sum, noise) in covariance.iter_mut().zip(&noise.data.0) {
            add(sum, noise, T::ONE);
        }
        let covariance = matrix::symmetric(covariance);
        let mut gain_transposed = observed;
        Ldl::new(&covariance).ok_or(NotPositive)?.divide(&mut gain_transposed);
        let gain = transposed(&gain_transposed);

        add(&mut self.mean.data.0[0], &apply(&gain, &residual).data.0[0], T::ONE);
        let mut keeps = product(&gain, observation).data.0;
        for (index, column) in keeps.iter_mut().enumerate() {
            for (row, number) in column.iter_mut().enumerate() {
                *number = if row == index { T::ONE - *number } else { -*number };
            }
        }
        let measured = sandwich(&gain, noise, &matrix::of_columns([[T::ZERO; N]; N]));
        self.covariance = sandwich(&matrix::of_columns(keeps), &self.covariance, &measured);
        Ok(Innovation { residual, covariance })
    }
}

/// `Aᵀ`.
#[inline(always)]
fn transposed<T: Real, const R: usize, const C: usize>(a: &SMatrix<T, R, C>) -> SMatrix<T, C, R> {
    let mut columns = [[T::ZERO; C]; R];
    for (index, column) in a.data.0.iter().enumerate() {
        for (number, row) in column.iter().zip(&mut columns) {
            row[index] = *number;
        }
    }
    matrix::of_columns(columns)
}
