//! Weights of lower rank: the best approximation is what the largest singular values give (Eckart and Young, 1936).

use nalgebra::DMatrix;

use super::{doubles, tail};
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// How far a matrix of lower rank is from the one that it replaces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factored {
    /// The Frobenius norm of the difference: the root of the sum of the squares of the singular values left out.
    pub error: f64,
    /// That divided by the norm of the matrix; 0 for a matrix of zeros.
    pub relative: f64,
    /// The spectral norm of the difference: the largest singular value left out.
    pub spectral: f64,
}

/// Splits a weight into two of lower rank, `weight ≈ first · second`: for a layer and one behind it that together do what it
/// did, with fewer numbers if `R·(IN + OUT) < IN·OUT`. No pair of this rank `R` is closer.
///
/// | layer | is replaced by |
/// | --- | --- |
/// | `Dense(OUT)` | `Dense(R, bias = false), Dense(OUT)` |
/// | `Conv2d(OC, ..)` | `Conv2d(R, .., bias = false), Conv2d(OC, kernel = 1)` |
///
/// The bias goes to the second. Each gets the root of the singular values, so both are of the same size.
///
/// ```
/// use monomorph::linalg::factor;
/// use monomorph::prelude::*;
///
/// network! { Whole: [3] -> [3] { Dense(3) } }
/// network! { Parts: [3] -> [3] { Dense(1, bias = false), Dense(3) } }
/// let (mut whole, mut parts) = (Whole::zeroed(), Parts::zeroed());
/// whole.dense1.weight = [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 0.0, 0.0]];
/// let factored = factor(&whole.dense1.weight, &mut parts.dense1.weight, &mut parts.dense2.weight);
/// parts.dense2.bias = whole.dense1.bias;
/// // It was of rank 1.
/// assert!(factored.relative < 1e-7);
/// assert!((parts.evaluate(&[1.0, 1.0, 1.0])[2] - 9.0).abs() < 1e-5);
/// ```
pub fn factor<T: Scalar, W, A, B>(weight: &W, first: &mut A, second: &mut B) -> Factored
where
    W: Tensor<Element = T>,
    A: Tensor<Element = T>,
    B: Tensor<Element = T, Last = W::Last>,
{
    const {
        assert!(W::SHAPE.len() > 1 && W::LEN > 0, "factor: only a weight with more than one axis has factors");
        assert!(A::LEN * W::CHANNELS == W::LEN * A::CHANNELS, "factor: the first layer has other inputs");
        assert!(
            B::LEN == A::CHANNELS * W::CHANNELS,
            "factor: the second layer has not the inputs that the first gives"
        );
    }
    let (left, right, factored) = split(doubles(weight.numbers(), W::CHANNELS), A::CHANNELS);
    // Both are seen column by column, so as the transposes of what is stored.
    copy(&right.transpose(), first.numbers_mut());
    copy(&left, second.numbers_mut());
    factored
}

/// Replaces a weight by the closest one of this rank, in place: to see what a rank costs before declaring a network for it.
///
/// ```
/// let mut weight = [[3.0_f64, 0.0], [0.0, 4.0]];
/// let factored = monomorph::linalg::truncate(&mut weight, 1);
/// assert!((factored.error - 3.0).abs() < 1e-12 && (factored.relative - 0.6).abs() < 1e-12);
/// assert!(weight[0][0].abs() < 1e-12 && (weight[1][1] - 4.0).abs() < 1e-12);
/// ```
pub fn truncate<W: Tensor<Element: Scalar>>(weight: &mut W, rank: usize) -> Factored {
    const { assert!(W::SHAPE.len() > 1 && W::LEN > 0, "truncate: only a weight with more than one axis has a rank") };
    let (left, right, factored) = split(doubles(weight.numbers(), W::CHANNELS), rank);
    copy(&(left * right.transpose()), weight.numbers_mut());
    factored
}

/// `(U√Σ, V√Σ)` of the largest singular values, with columns of zeros if there are fewer than `rank`.
fn split(matrix: DMatrix<f64>, rank: usize) -> (DMatrix<f64>, DMatrix<f64>, Factored) {
    let (rows, columns) = matrix.shape();
    let decomposed = matrix.svd(true, true);
    let values = decomposed.singular_values.as_slice();
    let (mut left, mut right) = (DMatrix::zeros(rows, rank), DMatrix::zeros(columns, rank));
    if let (Some(u), Some(v)) = (&decomposed.u, &decomposed.v_t) {
        for (index, value) in values.iter().enumerate().take(rank) {
            let root = libm::sqrt(*value);
            left.column_mut(index).copy_from(&(u.column(index) * root));
            right.column_mut(index).copy_from(&(v.row(index).transpose() * root));
        }
    }
    let (error, whole) = (tail(values, rank), tail(values, 0));
    let relative = if whole > 0.0 { error / whole } else { 0.0 };
    (left, right, Factored { error, relative, spectral: values.get(rank).copied().unwrap_or(0.0) })
}

fn copy<T: Scalar>(from: &DMatrix<f64>, to: &mut [T]) {
    to.iter_mut().zip(from.iter()).for_each(|(to, from)| *to = T::from_f64(*from));
}
