//! The steps of a network that are no layers.

use crate::kernels::elementwise;
use crate::layer::{self, Activation};
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// `x ← f(x)`.
#[inline(always)]
pub fn apply<T: Scalar, S: Simd, A: Activation<T>, X: Tensor<T>, const B: usize>(simd: S, values: &mut [X; B]) {
    layer::apply::<T, S, A>(simd, batch_slice_mut(values));
}

/// `g ← g · f′(x)`, given `x` and `y = f(x)`.
#[inline(always)]
pub fn derive<T: Scalar, S: Simd, A: Activation<T>, X: Tensor<T>, const B: usize>(
    simd: S,
    input: &[X; B],
    output: &[X; B],
    gradient: &mut [X; B],
) {
    crate::simd::outline(
        simd,
        #[inline(always)]
        || {
            elementwise::activation_backward_in_place::<T, S, A>(
                simd,
                batch_slice(input),
                batch_slice(output),
                batch_slice_mut(gradient),
            );
        },
    );
}

/// `y ← x`.
#[inline(always)]
pub fn copy<T: Scalar, X: Tensor<T>, Y: Tensor<T>, const B: usize>(from: &[X; B], to: &mut [Y; B]) {
    const { assert!(X::LEN == Y::LEN) };
    batch_slice_mut::<T, Y>(to).copy_from_slice(batch_slice(from));
}

/// `y ← y + x`.
#[inline(always)]
pub fn add<T: Scalar, S: Simd, X: Tensor<T>, Y: Tensor<T>, const B: usize>(simd: S, from: &[X; B], to: &mut [Y; B]) {
    const { assert!(X::LEN == Y::LEN) };
    crate::simd::outline(
        simd,
        #[inline(always)]
        || elementwise::add_assign(simd, batch_slice_mut::<T, Y>(to), batch_slice(from)),
    );
}

/// `y ← y · x`.
#[inline(always)]
pub fn multiply<T: Scalar, S: Simd, X: Tensor<T>, Y: Tensor<T>, const B: usize>(
    simd: S,
    from: &[X; B],
    to: &mut [Y; B],
) {
    const { assert!(X::LEN == Y::LEN) };
    crate::simd::outline(
        simd,
        #[inline(always)]
        || {
            elementwise::zip(
                simd,
                batch_slice_mut::<T, Y>(to),
                batch_slice(from),
                #[inline(always)]
                |y, x| y * x,
            );
        },
    );
}

/// `dx ← dy · other`, or `dx ← dx + dy · other` if `again`.
#[inline(always)]
pub fn multiply_back<T: Scalar, S: Simd, Y: Tensor<T>, X: Tensor<T>, Z: Tensor<T>, const B: usize>(
    simd: S,
    dy: &[Y; B],
    other: &[X; B],
    dx: &mut [Z; B],
    again: bool,
) {
    const { assert!(X::LEN == Y::LEN && Y::LEN == Z::LEN) };
    crate::simd::outline(
        simd,
        #[inline(always)]
        || {
            if again {
                elementwise::zip3(
                    simd,
                    batch_slice_mut::<T, Z>(dx),
                    batch_slice(dy),
                    batch_slice(other),
                    #[inline(always)]
                    |dx, dy, other| dy.mul_add(other, dx),
                );
            } else {
                elementwise::zip_to(
                    simd,
                    batch_slice(dy),
                    batch_slice(other),
                    batch_slice_mut::<T, Z>(dx),
                    #[inline(always)]
                    |dy, other| dy * other,
                );
            }
        },
    );
}

/// Puts a part into the whole, row by row: `width` numbers into rows of `of`, at number `at`.
#[inline(always)]
pub fn put<T: Scalar, X: Tensor<T>, Y: Tensor<T>, const B: usize>(
    part: &[X; B],
    whole: &mut [Y; B],
    width: usize,
    of: usize,
    at: usize,
) {
    let rows = batch_slice::<T, X>(part).chunks_exact(width);
    for (part, whole) in rows.zip(batch_slice_mut::<T, Y>(whole).chunks_exact_mut(of)) {
        if let Some(place) = whole.get_mut(at..at + width) {
            place.copy_from_slice(part);
        }
    }
}

/// Takes a part out of the whole, row by row.
#[inline(always)]
pub fn take<T: Scalar, Y: Tensor<T>, X: Tensor<T>, const B: usize>(
    whole: &[Y; B],
    part: &mut [X; B],
    width: usize,
    of: usize,
    at: usize,
) {
    let rows = batch_slice_mut::<T, X>(part).chunks_exact_mut(width);
    for (part, whole) in rows.zip(batch_slice::<T, Y>(whole).chunks_exact(of)) {
        if let Some(place) = whole.get(at..at + width) {
            part.copy_from_slice(place);
        }
    }
}

/// Takes a part out of the whole, row by row, and adds it.
#[inline(always)]
pub fn take_more<T: Scalar, Y: Tensor<T>, X: Tensor<T>, const B: usize>(
    whole: &[Y; B],
    part: &mut [X; B],
    width: usize,
    of: usize,
    at: usize,
) {
    let rows = batch_slice_mut::<T, X>(part).chunks_exact_mut(width);
    for (part, whole) in rows.zip(batch_slice::<T, Y>(whole).chunks_exact(of)) {
        for (to, from) in part.iter_mut().zip(whole.get(at..at + width).unwrap_or_default()) {
            *to += *from;
        }
    }
}
