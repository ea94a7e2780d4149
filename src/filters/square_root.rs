//! The Kalman filter with a square root of the covariance.
//!
//! A covariance `P = L·Lᵀ` cannot lose its sign, and `L` has half as many digits between its largest and its smallest
//! number. Both steps turn a wide matrix into a triangle by rotations of its columns, which leave `A·Aᵀ` as it is:
//!
//! ```text
//! predict   [F·L  √Q]        →  [L  0]
//! update    [√R  H·L]        →  [√S  0]
//!           [ 0    L]           [ G  L]     K = G·√S⁻¹
//! ```
//!
//! J. Potter in R. Battin, *Astronautical guidance* (1964); P. Kaminski, A. Bryson and S. Schmidt, *Discrete square
//! root filtering: a survey of current techniques* (1971).

use nalgebra::{SMatrix, SVector};

use super::matrix::{self, add, apply, difference, of_columns, product};
use super::{Gaussian, Innovation, NotPositive};
use crate::scalar::Real;

/// What is known about a state: a [`Gaussian`] whose covariance is `L·Lᵀ`.
///
/// ```
/// use monomorph::filters::{Gaussian, SquareRoot};
/// use nalgebra::{Matrix1, Matrix2, RowVector2, Vector1, Vector2};
///
/// let (f, q) = (Matrix2::new(1.0, 1.0, 0.0, 1.0), Matrix2::new(0.25, 0.5, 0.5, 1.0) * 0.1);
/// let (h, r) = (RowVector2::new(1.0, 0.0), Matrix1::new(4.0));
/// let mut track = SquareRoot { mean: Vector2::zeros(), factor: Matrix2::identity() * 10.0 };
/// for z in [1.1, 1.9, 3.2, 4.1, 4.8] {
///     track.predict(&f, &q)?;
///     track.update(&h, &Vector1::new(z), &r)?;
/// }
/// assert!((track.mean - Vector2::new(4.932531087669063, 0.9537018824694621)).norm() < 1e-12);
/// # Ok::<(), monomorph::filters::NotPositive>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SquareRoot<T, const N: usize> {
    /// The mean.
    pub mean: SVector<T, N>,
    /// `L`, a lower triangle.
    pub factor: SMatrix<T, N, N>,
}

/// The root of the covariance, by Cholesky.
impl<T: Real, const N: usize> TryFrom<Gaussian<T, N>> for SquareRoot<T, N> {
    type Error = NotPositive;

    fn try_from(Gaussian { mean, covariance }: Gaussian<T, N>) -> Result<Self, NotPositive> {
        Ok(Self { mean, factor: matrix::root(&covariance).ok_or(NotPositive)? })
    }
}

/// The covariance `L·Lᵀ`.
impl<T: Real, const N: usize> From<SquareRoot<T, N>> for Gaussian<T, N> {
    fn from(SquareRoot { mean, factor }: SquareRoot<T, N>) -> Self {
        let covariance = matrix::product_transposed(&factor, &factor);
        Self { mean, covariance: matrix::symmetric(covariance.data.0) }
    }
}

impl<T: Real, const N: usize> SquareRoot<T, N> {
    /// The state moves, as in [`Gaussian::predict`].
    ///
    /// # Errors
    /// If `Q` is not positive semidefinite.
    pub fn predict(&mut self, transition: &SMatrix<T, N, N>, noise: &SMatrix<T, N, N>) -> Result<(), NotPositive> {
        let mut triangle = matrix::root(noise).ok_or(NotPositive)?.data.0;
        for mut column in product(transition, &self.factor).data.0 {
            for k in 0..N {
                let (c, s) = rotation(triangle[k][k], column[k]);
                rotate(&mut triangle[k][k..], &mut column[k..], c, s);
            }
        }
        self.mean = apply(transition, &self.mean);
        self.factor = of_columns(triangle);
        Ok(())
    }

    /// A measurement comes, as in [`Gaussian::update`].
    ///
    /// # Errors
    /// If `R` is not positive semidefinite, or `H·P·Hᵀ + R` is not positive definite.
    pub fn update<const M: usize>(
        &mut self,
        observation: &SMatrix<T, M, N>,
        measurement: &SVector<T, M>,
        noise: &SMatrix<T, M, M>,
    ) -> Result<Innovation<T, M>, NotPositive> {
        self.correct(difference(measurement, &apply(observation, &self.mean)), observation, noise)
    }

    /// The update by a residual that is computed elsewhere, as in [`Gaussian::correct`].
    ///
    /// # Errors
    /// If `R` is not positive semidefinite, or `H·P·Hᵀ + R` is not positive definite.
    pub fn correct<const M: usize>(
        &mut self,
        residual: SVector<T, M>,
        observation: &SMatrix<T, M, N>,
        noise: &SMatrix<T, M, M>,
    ) -> Result<Innovation<T, M>, NotPositive> {
        let mut root = matrix::root(noise).ok_or(NotPositive)?.data.0;
        let (mut gain, mut factor) = ([[T::ZERO; N]; M], self.factor.data.0);
        let mut above = product(observation, &self.factor).data.0;
        // From the last column to the first: so `G` gets no number above those of the columns of `L` that follow.
        for (above, factor) in above.iter_mut().zip(&mut factor).rev() {
            for k in 0..M {
                let (c, s) = rotation(root[k][k], above[k]);
                rotate(&mut root[k][k..], &mut above[k..], c, s);
                rotate(&mut gain[k], factor, c, s);
            }
        }
        // √S⁻¹·y by substitution, and G of it.
        let mut whitened = residual.data.0[0];
        for k in 0..M {
            if !(root[k][k] > T::ZERO && root[k][k].is_finite()) {
                return Err(NotPositive);
            }
            whitened[k] /= root[k][k];
            for row in k + 1..M {
                whitened[row] -= root[k][row] * whitened[k];
            }
        }
        for (gain, whitened) in gain.iter().zip(whitened) {
            add(&mut self.mean.data.0[0], gain, whitened);
        }
        self.factor = of_columns(factor);
        let root = of_columns(root);
        let covariance = matrix::symmetric(matrix::product_transposed(&root, &root).data.0);
        Ok(Innovation { residual, covariance })
    }
}

/// The rotation that turns `(a, b)` into `(√(a² + b²), 0)`. Scaled, so that no square leaves the range.
#[inline(always)]
fn rotation<T: Real>(a: T, b: T) -> (T, T) {
    let scale = a.abs().max(b.abs());
    if scale == T::ZERO {
        return (T::ONE, T::ZERO);
    }
    let (a, b) = (a / scale, b / scale);
    let inverse = T::ONE / (a * a + b * b).sqrt();
    (a * inverse, b * inverse)
}

/// `(a, b) ← (c·a + s·b, c·b − s·a)`.
#[inline(always)]
fn rotate<T: Real>(a: &mut [T], b: &mut [T], c: T, s: T) {
    for (a, b) in a.iter_mut().zip(b) {
        (*a, *b) = (c * *a + s * *b, c * *b - s * *a);
    }
}
