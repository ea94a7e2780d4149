//! The normal distribution of vectors.

use core::f64::consts::TAU;

use super::{Distribution, number};
use crate::noise::Noise;
use crate::scalar::Real;

/// `N(μ, L·Lᵀ)`. Samples are `μ + L·ε`, reparameterized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MultivariateNormal<T, const N: usize> {
    /// `μ`.
    pub mean: [T; N],
    /// The rows of `L`, a lower triangle with a positive diagonal. What is above the diagonal does not count.
    pub factor: [[T; N]; N],
}

impl<T: Real, const N: usize> MultivariateNormal<T, N> {
    /// `Σ ln Lᵢᵢ`, half the logarithm of the determinant.
    fn half_log_determinant(&self) -> T {
        let mut sum = T::ZERO;
        self.factor.iter().enumerate().for_each(|(k, row)| sum += row[k].ln());
        sum
    }

    /// `‖L⁻¹·x‖²`.
    fn squared_distance(&self, mut x: [T; N]) -> T {
        let mut sum = T::ZERO;
        for k in 0..N {
            for earlier in 0..k {
                x[k] -= self.factor[k][earlier] * x[earlier];
            }
            x[k] /= self.factor[k][k];
            sum += x[k] * x[k];
        }
        sum
    }

    /// `x − μ`.
    fn off_mean(&self, mut x: [T; N]) -> [T; N] {
        x.iter_mut().zip(&self.mean).for_each(|(x, mean)| *x -= *mean);
        x
    }

    /// `½·N·ln 2πe + Σ ln Lᵢᵢ`.
    pub fn entropy(&self) -> T {
        number::<T>(0.5 * N as f64 * (1.0 + libm::log(TAU))) + self.half_log_determinant()
    }

    /// KL(self ‖ other): `½·(‖L₂⁻¹·L₁‖² + ‖L₂⁻¹·(μ₁ − μ₂)‖² − N) + Σ ln (L₂/L₁)ᵢᵢ`.
    pub fn divergence(&self, other: &Self) -> T {
        let mut sum = other.squared_distance(other.off_mean(self.mean)) - number(N as f64);
        for column in 0..N {
            let mut of_column = [T::ZERO; N];
            for row in column..N {
                of_column[row] = self.factor[row][column];
            }
            sum += other.squared_distance(of_column);
        }
        number::<T>(0.5) * sum + other.half_log_determinant() - self.half_log_determinant()
    }
}

impl<T: Real, const N: usize> Distribution for MultivariateNormal<T, N> {
    type Number = T;
    type Value = [T; N];

    fn log_prob(&self, x: [T; N]) -> T {
        let distance = self.squared_distance(self.off_mean(x));
        number::<T>(-0.5) * (distance + number(N as f64 * libm::log(TAU))) - self.half_log_determinant()
    }

    fn sample(&self, noise: &mut Noise) -> [T; N] {
        let mut white = [T::ZERO; N];
        white.iter_mut().for_each(|white| *white = number(noise.normal()));
        let mut x = self.mean;
        for (row, x) in x.iter_mut().enumerate() {
            for column in 0..=row {
                *x += self.factor[row][column] * white[column];
            }
        }
        x
    }
}
