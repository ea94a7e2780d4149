//! Linear algebra with trained networks: their weights as matrices of `nalgebra`, singular values, factors of lower rank,
//! principal components of data, the empirical Fisher information, and the Laplace approximation of the posterior.
//!
//! Every weight with more than one axis is a matrix from inputs to outputs: the last axis is the outputs, all axes before it
//! are the inputs. That holds for dense layers (`[IN, OUT]`), convolutions (`[KH, KW, CG, OC]`: the taps of a window and their
//! channels), the four weights of attention and those of recurrent layers.
//!
//! ```
//! use monomorph::linalg::{self, Spectrum};
//! use monomorph::prelude::*;
//!
//! network! { Net: [2] -> [2] { Dense(2) } }
//! let mut net = Net::zeroed();
//! net.dense1.weight = [[3.0, 0.0], [0.0, 4.0]];
//! let spectrum = Spectrum::of(&net.dense1.weight);
//! assert!((spectrum.spectral_norm() - 4.0).abs() < 1e-12 && (spectrum.frobenius_norm() - 5.0).abs() < 1e-12);
//! assert!((spectrum.condition() - 4.0 / 3.0).abs() < 1e-12);
//! assert_eq!(linalg::matrix(&net.dense1.weight)[(1, 1)], 4.0);
//! ```

mod data;
mod fisher;
mod laplace;
mod low_rank;

pub use data::{Components, covariance, mean};
pub use fisher::Fisher;
pub use laplace::{Laplace, Likelihood, Linearized, Posterior, Structure};
pub use low_rank::{Factored, factor, truncate};

use alloc::vec::Vec;
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut, Scalar as Entry};

use crate::parameters::{Parameters, Path, for_each_tensor};
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// A weight as a matrix of outputs × inputs, without a copy: `y = M·x` for column vectors.
///
/// nalgebra's memory is column by column, so the matrix is the transpose of `[inputs][outputs]`, as
/// [`Dense::weight_matrix`](crate::layers::Dense::weight_matrix), whose sizes the compiler knows. A vector, such as a bias, is
/// a matrix of one column.
pub fn matrix<W: Tensor<Element: Entry>>(weight: &W) -> DMatrixView<'_, W::Element> {
    DMatrixView::from_slice(weight.numbers(), W::CHANNELS, rows::<W>())
}

/// [`matrix`], to change.
pub fn matrix_mut<W: Tensor<Element: Entry>>(weight: &mut W) -> DMatrixViewMut<'_, W::Element> {
    DMatrixViewMut::from_slice(weight.numbers_mut(), W::CHANNELS, rows::<W>())
}

/// The number of inputs of a weight; 0 for an empty one.
const fn rows<W: Tensor>() -> usize {
    match W::LEN.checked_div(W::CHANNELS) {
        Some(rows) => rows,
        None => 0,
    }
}

/// Calls `f` for every weight with more than one axis, with its name and its matrix of outputs × inputs.
///
/// ```
/// use monomorph::linalg;
/// use monomorph::prelude::*;
///
/// network! { Net: [4, 4, 1] -> [3] { Conv2d(2, kernel = 3), Flatten, Dense(3) } }
/// let mut sizes = Vec::new();
/// linalg::for_each_matrix(&Net::zeroed(), |name, matrix| sizes.push(format!("{name} {:?}", matrix.shape())));
/// assert_eq!(sizes, ["conv1.weight (2, 9)", "dense1.weight (3, 8)"]);
/// ```
pub fn for_each_matrix<P: Parameters<Scalar: Entry>>(
    network: &P,
    mut f: impl FnMut(Path<'_>, DMatrixView<'_, P::Scalar>),
) {
    for_each_tensor(P::ENTRIES, &mut |name, info, range| {
        if let [first, .., outputs] = *info.shape
            && first * outputs > 0
        {
            let inputs = range.len() / outputs;
            f(name, DMatrixView::from_slice(&network.as_slice()[range], outputs, inputs));
        }
    });
}

/// The singular values of a matrix, largest first, computed in `f64`.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    values: Vec<f64>,
    sides: usize,
}

impl Spectrum {
    /// That of a weight.
    pub fn of<W: Tensor<Element: Scalar>>(weight: &W) -> Self {
        Self::new(doubles(weight.numbers(), W::CHANNELS))
    }

    /// That of a matrix.
    pub fn of_matrix<T: Scalar + Entry>(matrix: DMatrixView<'_, T>) -> Self {
        Self::new(matrix.map(|x| x.to_f64()))
    }

    fn new(matrix: DMatrix<f64>) -> Self {
        let sides = matrix.nrows().max(matrix.ncols());
        if matrix.is_empty() {
            return Self { values: Vec::new(), sides };
        }
        Self { values: matrix.singular_values().iter().copied().collect(), sides }
    }

    /// The singular values, largest first.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The largest one: by how much the matrix lengthens a vector at most. Their product over all layers bounds the Lipschitz
    /// constant of a network whose activations do not lengthen (with convolutions only up to the number of windows that a
    /// number is in).
    pub fn spectral_norm(&self) -> f64 {
        self.values.first().copied().unwrap_or(0.0)
    }

    /// The root of the sum of their squares, which is that of the squares of all numbers of the matrix.
    pub fn frobenius_norm(&self) -> f64 {
        tail(&self.values, 0)
    }

    /// The largest divided by the smallest; infinite for a matrix without full rank.
    pub fn condition(&self) -> f64 {
        match (self.values.first(), self.values.last()) {
            (Some(first), Some(last)) if *last > self.least() => first / last,
            _ => f64::INFINITY,
        }
    }

    /// How many of them are not 0 up to rounding: larger than the largest times the longer side times the precision of `f64`,
    /// as in NumPy and MATLAB.
    pub fn rank(&self) -> usize {
        self.values.iter().filter(|value| **value > self.least()).count()
    }

    /// The smallest rank that keeps this share of the sum of the squares, such as 0.99.
    pub fn rank_for(&self, share: f64) -> usize {
        let all = self.values.iter().map(|x| x * x).sum::<f64>();
        (0..self.values.len())
            .find(|rank| {
                let left = tail(&self.values, *rank);
                all - left * left >= share * all
            })
            .unwrap_or(self.values.len())
    }

    fn least(&self) -> f64 {
        self.spectral_norm() * self.sides as f64 * f64::EPSILON
    }
}

/// The root of the sum of the squares from one index on.
fn tail(values: &[f64], from: usize) -> f64 {
    libm::sqrt(values.iter().skip(from).map(|x| x * x).sum())
}

/// Numbers row by row as a matrix of outputs × inputs in `f64`.
fn doubles<T: Scalar>(numbers: &[T], outputs: usize) -> DMatrix<f64> {
    let inputs = numbers.len().checked_div(outputs).unwrap_or(0);
    DMatrix::from_iterator(outputs, inputs, numbers.iter().map(|x| x.to_f64()))
}

#[cfg(all(test, feature = "std"))]
mod tests;
