//! Data as a matrix: mean, covariance, principal components and whitening.

use alloc::vec::Vec;

use nalgebra::{DMatrix, DVector};

use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// The mean of samples, number by number.
pub fn mean<X: Tensor<Element: Scalar>>(samples: &[X]) -> DVector<f64> {
    let mut sum = DVector::zeros(X::LEN);
    for sample in samples {
        sum.iter_mut().zip(sample.numbers()).for_each(|(sum, x)| *sum += x.to_f64());
    }
    sum / (samples.len().max(1) as f64)
}

/// The covariance of samples, `1/n · Σ (x − mean)(x − mean)ᵀ`: that of the whole population, as of
/// [`Normalize`](crate::layers::Normalize). NumPy's `cov` divides by `n − 1` if nothing is said.
///
/// ```
/// let covariance = monomorph::linalg::covariance(&[[1.0, 2.0], [3.0, 6.0]]);
/// assert_eq!(covariance.as_slice(), [1.0, 2.0, 2.0, 4.0]);
/// ```
pub fn covariance<X: Tensor<Element: Scalar>>(samples: &[X]) -> DMatrix<f64> {
    around(&mean(samples), samples)
}

fn around<X: Tensor<Element: Scalar>>(mean: &DVector<f64>, samples: &[X]) -> DMatrix<f64> {
    let mut sum = DMatrix::zeros(X::LEN, X::LEN);
    // A product of matrices is much faster than one sample after the other.
    for some in samples.chunks(256) {
        let numbers =
            some.iter().flat_map(|sample| sample.numbers().iter().zip(mean).map(|(x, mean)| x.to_f64() - mean));
        let centred = DMatrix::from_iterator(X::LEN, some.len(), numbers);
        sum += &centred * centred.transpose();
    }
    sum / (samples.len().max(1) as f64)
}

/// The principal components of data: the directions in which samples differ most, orthogonal to each other.
///
/// A network takes them as a dense layer, whose weight and bias [`project`](Self::project) or [`whiten`](Self::whiten) write:
///
/// ```
/// use monomorph::linalg::Components;
/// use monomorph::prelude::*;
///
/// network! { Net: [2] -> [1] { pca: Dense(2), Tanh, Dense(1) } }
/// let samples = [[1.0, 1.0], [2.0, 2.1], [3.0, 2.9], [4.0, 4.0]];
/// let components = Components::of(&samples);
/// assert!(components.explained(1) > 0.99);
/// let mut net = Net::zeroed();
/// components.whiten(&mut net.pca.weight, &mut net.pca.bias);
/// # let outputs: Vec<[f32; 2]> = samples.iter().map(|x| monomorph::layer::evaluate(&net.pca, &[*x])[0]).collect();
/// # for k in 0..2 {
/// #     assert!((outputs.iter().map(|y| y[k] * y[k]).sum::<f32>() / 4.0 - 1.0).abs() < 1e-3);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    mean: DVector<f64>,
    directions: DMatrix<f64>,
    variances: Vec<f64>,
}

impl Components {
    /// Those of samples, by the eigenvectors of their [`covariance`]. The sign of a direction is such that its largest number
    /// is above 0.
    pub fn of<X: Tensor<Element: Scalar>>(samples: &[X]) -> Self {
        let mean = mean(samples);
        let eigen = around(&mean, samples).symmetric_eigen();
        let mut order: Vec<usize> = (0..X::LEN).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        let mut directions = DMatrix::zeros(X::LEN, X::LEN);
        for (place, index) in order.iter().enumerate() {
            let column = eigen.eigenvectors.column(*index);
            let largest =
                column.iter().fold(0.0_f64, |most, x| if libm::fabs(*x) > libm::fabs(most) { *x } else { most });
            directions.set_column(place, &(column * if largest < 0.0 { -1.0 } else { 1.0 }));
        }
        // Rounding may leave them a little below 0.
        let variances = order.iter().map(|index| eigen.eigenvalues[*index].max(0.0)).collect();
        Self { mean, directions, variances }
    }

    /// The mean.
    pub fn mean(&self) -> &DVector<f64> {
        &self.mean
    }

    /// The directions, a column each, of norm 1; the one of the largest variance first.
    pub fn directions(&self) -> &DMatrix<f64> {
        &self.directions
    }

    /// The variances along them, largest first.
    pub fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// The share of the variance that the first `count` have; 1 if there is none.
    pub fn explained(&self, count: usize) -> f64 {
        let all: f64 = self.variances.iter().sum();
        if all > 0.0 { self.variances.iter().take(count).sum::<f64>() / all } else { 1.0 }
    }

    /// Writes a dense layer that gives the first `OUT` components: `y = Dᵀ·(x − mean)`.
    pub fn project<T: Scalar, const IN: usize, const OUT: usize>(
        &self,
        weight: &mut [[T; OUT]; IN],
        bias: &mut [T; OUT],
    ) where
        [[T; OUT]; IN]: Tensor<Element = T>,
    {
        self.write(weight, bias, |_| 1.0);
    }

    /// Writes a dense layer that gives the first `OUT` components, each divided by its standard deviation: they have variance 1
    /// and are not correlated. A component without variance (at most 10⁻¹² of the largest) is 0.
    pub fn whiten<T: Scalar, const IN: usize, const OUT: usize>(&self, weight: &mut [[T; OUT]; IN], bias: &mut [T; OUT])
    where
        [[T; OUT]; IN]: Tensor<Element = T>,
    {
        let least = 1e-12 * self.variances.first().copied().unwrap_or(0.0);
        self.write(weight, bias, |variance| if variance > least { 1.0 / libm::sqrt(variance) } else { 0.0 });
    }

    fn write<T: Scalar, const IN: usize, const OUT: usize>(
        &self,
        weight: &mut [[T; OUT]; IN],
        bias: &mut [T; OUT],
        factor: impl Fn(f64) -> f64,
    ) {
        weight.as_flattened_mut().fill(T::ZERO);
        bias.fill(T::ZERO);
        for (output, (direction, variance)) in self.directions.column_iter().zip(&self.variances).enumerate().take(OUT)
        {
            let factor = factor(*variance);
            for (row, x) in weight.iter_mut().zip(direction.iter()) {
                row[output] = T::from_f64(factor * x);
            }
            bias[output] = T::from_f64(-factor * direction.dot(&self.mean));
        }
    }
}
