//! The unscented Kalman filter: a function at `2N + 1` points tells how it moves and stretches a Gaussian.
//!
//! ```text
//! points    x₀ = m     x±ᵢ = m ± √(N + λ)·Lᵢ      L·Lᵀ = P,  λ = α²·(N + κ) − N
//! weights   of the mean        w₀ = λ/(N + λ)                  wᵢ = 1/(2·(N + λ))
//!           of the covariance  w₀ = λ/(N + λ) + 1 − α² + β     wᵢ = 1/(2·(N + λ))
//! ```
//!
//! No derivative is needed, and the mean is exact to second order, that of the extended filter only to first.
//!
//! S. Julier and J. Uhlmann, *Unscented filtering and nonlinear estimation* (2004); E. Wan and R. van der Merwe, *The
//! unscented Kalman filter for nonlinear estimation* (2000).

use nalgebra::{SMatrix, SVector};

use super::matrix::{self, Ldl, add, apply, difference, of_columns, sandwich};
use super::{Gaussian, Innovation, NotPositive, transposed};
use crate::scalar::Real;

/// Where the points are, and how much they count.
///
/// The default, `α = 0.1`, `β = 2`, `κ = 0`, is right to second order in mean and, but for `α²`, in covariance. With
/// `α = 1`, `β = 0`, `κ = 0` the middle does not count: then no weight is negative, and no covariance can be (I.
/// Arasaratnam and S. Haykin, *Cubature Kalman filters*, 2009). Of a smaller `α` the weights are of the size `1/α²`
/// and cancel, which `f32` does not bear well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// How far away the points are: in deviations, over `√(N + κ)`. More than 0.
    pub alpha: f64,
    /// What is known of the distribution's tails: 2 for a Gaussian.
    pub beta: f64,
    /// More distance; more than `−N`.
    pub kappa: f64,
}

impl Default for Spread {
    fn default() -> Self {
        Self { alpha: 0.1, beta: 2.0, kappa: 0.0 }
    }
}

/// What a function makes of a Gaussian.
struct Image<T, const N: usize, const M: usize> {
    mean: SVector<T, M>,
    /// Without the noise.
    covariance: SMatrix<T, M, M>,
    /// Of the values and the arguments: `Σ wᵢ·(yᵢ − ȳ)·(xᵢ − m)ᵀ`.
    cross: SMatrix<T, M, N>,
}

impl Spread {
    fn image<T: Real, const N: usize, const M: usize>(
        self,
        from: &Gaussian<T, N>,
        f: impl Fn([T; N]) -> [T; M],
    ) -> Result<Image<T, N, M>, NotPositive> {
        let spread = self.alpha * self.alpha * (N as f64 + self.kappa);
        let weight = T::from_f64(0.5 / spread);
        let middle = 1.0 - N as f64 / spread;
        let distance = T::from_f64(libm::sqrt(spread));
        let root = matrix::root(&from.covariance).ok_or(NotPositive)?.data.0;
        let center = from.mean.data.0[0];
        let at_center = f(center);
        // Values less that in the middle: so the large weights that cancel meet small numbers.
        let (mut plus, mut minus) = ([[T::ZERO; M]; N], [[T::ZERO; M]; N]);
        let mut shift = [T::ZERO; M];
        for (column, (plus, minus)) in root.iter().zip(plus.iter_mut().zip(&mut minus)) {
            for (value, sign) in [(plus, distance), (minus, -distance)] {
                let mut point = center;
                add(&mut point, column, sign);
                *value = f(point);
                add(value, &at_center, -T::ONE);
                add(&mut shift, value, weight);
            }
        }
        // Of the middle the distance from the mean is −shift, and all weights of the mean sum to 1.
        let of_middle = T::from_f64(middle + 1.0 - self.alpha * self.alpha + self.beta);
        let (mut covariance, mut cross) = ([[T::ZERO; M]; M], [[T::ZERO; M]; N]);
        for (column, factor) in covariance.iter_mut().zip(shift) {
            add(column, &shift, of_middle * factor);
        }
        for (root, (plus, minus)) in root.iter().zip(plus.iter_mut().zip(&mut minus)) {
            for (value, sign) in [(plus, distance), (minus, -distance)] {
                add(value, &shift, -T::ONE);
                for (column, factor) in covariance.iter_mut().zip(*value) {
                    add(column, value, weight * factor);
                }
                for (column, factor) in cross.iter_mut().zip(root) {
                    add(column, value, weight * sign * *factor);
                }
            }
        }
        let mut mean = at_center;
        add(&mut mean, &shift, T::ONE);
        Ok(Image { mean: of_columns([mean]), covariance: matrix::symmetric(covariance), cross: of_columns(cross) })
    }
}

impl<T: Real, const N: usize> Gaussian<T, N> {
    /// The state moves: mean and covariance of `f` at the points; to the covariance comes `Q`.
    ///
    /// ```
    /// use monomorph::filters::{Gaussian, Spread};
    /// use nalgebra::{Matrix1, Vector1};
    ///
    /// // The square of a standard normal number has the mean 1 and the variance 2.
    /// let mut track = Gaussian { mean: Vector1::new(0.0), covariance: Matrix1::new(1.0) };
    /// track.predict_unscented(Spread::default(), |[x]| [x * x], &Matrix1::new(0.0))?;
    /// assert!((track.mean[0] - 1.0_f64).abs() < 1e-12 && (track.covariance[0] - 2.0).abs() < 1e-12);
    /// # Ok::<(), monomorph::filters::NotPositive>(())
    /// ```
    ///
    /// # Errors
    /// If the covariance is not positive semidefinite.
    pub fn predict_unscented(
        &mut self,
        spread: Spread,
        f: impl Fn([T; N]) -> [T; N],
        noise: &SMatrix<T, N, N>,
    ) -> Result<(), NotPositive> {
        let image = spread.image(self, f)?;
        self.mean = image.mean;
        self.covariance = sum(&image.covariance, noise);
        Ok(())
    }

    /// A measurement comes: with the mean `ȳ` and the covariance of `h` at the points, `S` the latter plus `R`, and
    /// their covariance `C` with the state, `K = C·S⁻¹`, `x ← x + K·(z − ȳ)` and `P ← P − K·S·Kᵀ`.
    ///
    /// # Errors
    /// If the covariance is not positive semidefinite, or `S` not positive definite.
    pub fn update_unscented<const M: usize>(
        &mut self,
        spread: Spread,
        h: impl Fn([T; N]) -> [T; M],
        measurement: &SVector<T, M>,
        noise: &SMatrix<T, M, M>,
    ) -> Result<Innovation<T, M>, NotPositive> {
        let Image { mean, covariance, cross } = spread.image(self, h)?;
        let covariance = sum(&covariance, noise);
        let residual = difference(measurement, &mean);
        let mut gain_transposed = cross;
        Ldl::new(&covariance).ok_or(NotPositive)?.divide(&mut gain_transposed);
        let gain = transposed(&gain_transposed);
        add(&mut self.mean.data.0[0], &apply(&gain, &residual).data.0[0], T::ONE);
        let mut negative = covariance.data.0;
        negative.as_flattened_mut().iter_mut().for_each(|number| *number = -*number);
        self.covariance = sandwich(&gain, &of_columns(negative), &self.covariance);
        Ok(Innovation { residual, covariance })
    }
}

/// `A + B`.
fn sum<T: Real, const N: usize>(a: &SMatrix<T, N, N>, b: &SMatrix<T, N, N>) -> SMatrix<T, N, N> {
    let mut sum = a.data.0;
    for (sum, b) in sum.iter_mut().zip(&b.data.0) {
        add(sum, b, T::ONE);
    }
    of_columns(sum)
}
