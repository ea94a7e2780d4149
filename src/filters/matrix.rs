//! Products and factors of small matrices.
//!
//! All loops have constant bounds and run down columns, which is how nalgebra stores them: they unroll and vectorize.

use nalgebra::{ArrayStorage, SMatrix, SVector};

use crate::scalar::Real;

/// The matrix with these columns.
#[inline(always)]
pub(super) fn of_columns<T, const R: usize, const C: usize>(columns: [[T; R]; C]) -> SMatrix<T, R, C> {
    SMatrix::from_array_storage(ArrayStorage(columns))
}

/// `A·B`.
#[inline(always)]
pub(super) fn product<T: Real, const R: usize, const K: usize, const C: usize>(
    a: &SMatrix<T, R, K>,
    b: &SMatrix<T, K, C>,
) -> SMatrix<T, R, C> {
    let mut product = [[T::ZERO; R]; C];
    for (product, b) in product.iter_mut().zip(&b.data.0) {
        for (a, b) in a.data.0.iter().zip(b) {
            add(product, a, *b);
        }
    }
    of_columns(product)
}

/// `A·Bᵀ`.
#[inline(always)]
pub(super) fn product_transposed<T: Real, const R: usize, const K: usize, const C: usize>(
    a: &SMatrix<T, R, K>,
    b: &SMatrix<T, C, K>,
) -> SMatrix<T, R, C> {
    let mut product = [[T::ZERO; R]; C];
    for (a, b) in a.data.0.iter().zip(&b.data.0) {
        for (product, b) in product.iter_mut().zip(b) {
            add(product, a, *b);
        }
    }
    of_columns(product)
}

/// `A·P·Aᵀ + Q`, where `P` and `Q` are symmetric; the result is so exactly.
#[inline(always)]
pub(super) fn sandwich<T: Real, const R: usize, const K: usize>(
    a: &SMatrix<T, R, K>,
    p: &SMatrix<T, K, K>,
    q: &SMatrix<T, R, R>,
) -> SMatrix<T, R, R> {
    let mut sum = product_transposed(&product(a, p), a).data.0;
    for (sum, q) in sum.iter_mut().zip(&q.data.0) {
        add(sum, q, T::ONE);
    }
    symmetric(sum)
}

/// The lower triangle, and the same above it.
#[inline(always)]
pub(super) fn symmetric<T: Real, const N: usize>(mut columns: [[T; N]; N]) -> SMatrix<T, N, N> {
    for column in 0..N {
        for row in 0..column {
            columns[column][row] = columns[row][column];
        }
    }
    of_columns(columns)
}

/// `to += x·factor`.
#[inline(always)]
pub(super) fn add<T: Real, const N: usize>(to: &mut [T; N], x: &[T; N], factor: T) {
    for (to, x) in to.iter_mut().zip(x) {
        *to = x.mul_add(factor, *to);
    }
}

/// A positive definite matrix as `L·D·Lᵀ`: `L` is a lower triangle with ones on its diagonal, `D` is diagonal. Needs no
/// root, and a division for each row.
pub(super) struct Ldl<T, const N: usize> {
    /// The columns of `L`, without its ones.
    lower: [[T; N]; N],
    pub(super) diagonal: [T; N],
    inverse: [T; N],
}

impl<T: Real, const N: usize> Ldl<T, N> {
    /// Nothing if the matrix is not positive definite, or not finite. Reads its lower triangle.
    #[inline(always)]
    pub(super) fn new(matrix: &SMatrix<T, N, N>) -> Option<Self> {
        let (mut lower, mut diagonal, mut inverse) = (matrix.data.0, [T::ZERO; N], [T::ZERO; N]);
        for k in 0..N {
            let pivot = lower[k][k];
            if !(pivot > T::ZERO && pivot.is_finite()) {
                return None;
            }
            (diagonal[k], inverse[k]) = (pivot, T::ONE / pivot);
            for column in k + 1..N {
                let factor = lower[k][column] * inverse[k];
                for row in column..N {
                    lower[column][row] -= factor * lower[k][row];
                }
            }
            for row in k + 1..N {
                lower[k][row] *= inverse[k];
            }
        }
        Some(Self { lower, diagonal, inverse })
    }

    /// Divides the columns of `x` by the matrix: `x ← M⁻¹·x`.
    #[inline(always)]
    pub(super) fn divide<const C: usize>(&self, x: &mut SMatrix<T, N, C>) {
        for x in &mut x.data.0 {
            for k in 0..N {
                for row in k + 1..N {
                    x[row] -= self.lower[k][row] * x[k];
                }
            }
            for k in (0..N).rev() {
                x[k] *= self.inverse[k];
                for row in k + 1..N {
                    x[k] -= self.lower[k][row] * x[row];
                }
            }
        }
    }
}

/// The lower triangle `L` with `L·Lᵀ = P` of a matrix that is positive semidefinite: columns are 0 where pivots are 0
/// up to rounding. Nothing if a pivot is clearly negative or not finite.
pub(super) fn root<T: Real, const N: usize>(matrix: &SMatrix<T, N, N>) -> Option<SMatrix<T, N, N>> {
    let mut lower = matrix.data.0;
    let largest = (0..N).fold(T::ZERO, |largest, k| largest.max(lower[k][k].abs()));
    let negligible = T::from_f64(8.0 * N as f64) * T::EPSILON * largest;
    for k in 0..N {
        let pivot = lower[k][k];
        if !(pivot >= -negligible && pivot.is_finite()) {
            return None;
        }
        let inverse = if pivot > negligible { T::ONE / pivot.sqrt() } else { T::ZERO };
        for row in 0..N {
            lower[k][row] = if row < k { T::ZERO } else { lower[k][row] * inverse };
        }
        for column in k + 1..N {
            let factor = lower[k][column];
            for row in column..N {
                lower[column][row] -= factor * lower[k][row];
            }
        }
    }
    Some(of_columns(lower))
}

/// `A·x`.
#[inline(always)]
pub(super) fn apply<T: Real, const R: usize, const C: usize>(a: &SMatrix<T, R, C>, x: &SVector<T, C>) -> SVector<T, R> {
    product(a, x)
}

/// `a − b`.
#[inline(always)]
pub(super) fn difference<T: Real, const N: usize>(a: &SVector<T, N>, b: &SVector<T, N>) -> SVector<T, N> {
    let mut difference = a.data.0;
    add(&mut difference[0], &b.data.0[0], -T::ONE);
    of_columns(difference)
}
