//! The extended Kalman filter: a function is taken for its tangent at the estimate.
//!
//! `f(x) ≈ f(m) + J·(x − m)`, with the Jacobian `J = ∂f/∂x` at the mean `m`. Dual numbers give it exactly, of any
//! function and of any network that is declared over a type of numbers.
//!
//! A. Jazwinski, *Stochastic processes and filtering theory* (1970), chapter 8.

use nalgebra::{SMatrix, SVector};

use super::matrix::{difference, of_columns, sandwich};
use super::{Gaussian, Innovation, NotPositive, SquareRoot};
use crate::dual::Dual;
use crate::scalar::Real;

/// A function's value and its Jacobian.
///
/// ```
/// use monomorph::filters::linearize;
/// use nalgebra::{Vector1, Vector2};
///
/// let (value, jacobian) = linearize(|[x, y]| [x * y], &Vector2::new(3.0, 4.0));
/// assert_eq!(value, Vector1::new(12.0));
/// assert_eq!((jacobian[(0, 0)], jacobian[(0, 1)]), (4.0, 3.0));
/// ```
#[inline]
pub fn linearize<T: Real, const N: usize, const M: usize>(
    f: impl FnOnce([Dual<T, N>; N]) -> [Dual<T, N>; M],
    at: &SVector<T, N>,
) -> (SVector<T, M>, SMatrix<T, M, N>) {
    let mut x = [Dual::constant(T::ZERO); N];
    for (index, x) in x.iter_mut().enumerate() {
        x.value = at.data.0[0][index];
        x.derivatives[index] = T::ONE;
    }
    let (mut value, mut columns) = ([T::ZERO; M], [[T::ZERO; M]; N]);
    for (row, y) in f(x).iter().enumerate() {
        value[row] = y.value;
        for (column, derivative) in columns.iter_mut().zip(y.derivatives) {
            column[row] = derivative;
        }
    }
    (of_columns([value]), of_columns(columns))
}

impl<T: Real, const N: usize> Gaussian<T, N> {
    /// The state moves: `x ← f(x)`, `P ← J·P·Jᵀ + Q`. Returns `J`, for [`smooth`](Gaussian::smooth).
    ///
    /// ```
    /// use monomorph::filters::Gaussian;
    /// use monomorph::prelude::*;
    /// use monomorph::{Dual, Parameters};
    /// use nalgebra::{Matrix2, Vector2};
    ///
    /// // How the state moves may be a network.
    /// network! { pub Motion<T>: [2] -> [2] { Dense(8), Tanh, Dense(2) } }
    /// let mut motion = Motion::<Dual<f64, 2>>::zeroed();
    /// motion.initialize(Init::default(), &mut Noise::new(1));
    ///
    /// let mut track = Gaussian { mean: Vector2::new(1.0, 0.0), covariance: Matrix2::identity() };
    /// track.predict_extended(|x| motion.evaluate(&x), &(Matrix2::identity() * 0.01));
    /// // What is measured: the distance from a place.
    /// let distance = |[x, y]: [Dual<f64, 2>; 2]| [(x * x + y * y).sqrt()];
    /// track.update_extended(distance, &[0.5].into(), &[[0.01]].into())?;
    /// # assert!(track.covariance.determinant() > 0.0);
    /// # Ok::<(), monomorph::filters::NotPositive>(())
    /// ```
    #[inline]
    pub fn predict_extended(
        &mut self,
        f: impl FnOnce([Dual<T, N>; N]) -> [Dual<T, N>; N],
        noise: &SMatrix<T, N, N>,
    ) -> SMatrix<T, N, N> {
        let (mean, jacobian) = linearize(f, &self.mean);
        self.mean = mean;
        self.covariance = sandwich(&jacobian, &self.covariance, noise);
        jacobian
    }

    /// A measurement comes: [`correct`](Self::correct) by `y = z − h(x)` with `H = ∂h/∂x`.
    ///
    /// # Errors
    /// If `H·P·Hᵀ + R` is not positive definite.
    #[inline]
    pub fn update_extended<const M: usize>(
        &mut self,
        h: impl FnOnce([Dual<T, N>; N]) -> [Dual<T, N>; M],
        measurement: &SVector<T, M>,
        noise: &SMatrix<T, M, M>,
    ) -> Result<Innovation<T, M>, NotPositive> {
        let (expected, jacobian) = linearize(h, &self.mean);
        self.correct(difference(measurement, &expected), &jacobian, noise)
    }
}

impl<T: Real, const N: usize> SquareRoot<T, N> {
    /// [`Gaussian::predict_extended`].
    ///
    /// # Errors
    /// If `Q` is not positive semidefinite.
    pub fn predict_extended(
        &mut self,
        f: impl FnOnce([Dual<T, N>; N]) -> [Dual<T, N>; N],
        noise: &SMatrix<T, N, N>,
    ) -> Result<(), NotPositive> {
        let (mean, jacobian) = linearize(f, &self.mean);
        self.predict(&jacobian, noise)?;
        self.mean = mean;
        Ok(())
    }

    /// [`Gaussian::update_extended`].
    ///
    /// # Errors
    /// If `R` or `H·P·Hᵀ + R` is not positive definite.
    pub fn update_extended<const M: usize>(
        &mut self,
        h: impl FnOnce([Dual<T, N>; N]) -> [Dual<T, N>; M],
        measurement: &SVector<T, M>,
        noise: &SMatrix<T, M, M>,
    ) -> Result<Innovation<T, M>, NotPositive> {
        let (expected, jacobian) = linearize(h, &self.mean);
        self.correct(difference(measurement, &expected), &jacobian, noise)
    }
}
