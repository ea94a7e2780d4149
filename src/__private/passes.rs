//! The steps of a network that are no layers.

use crate::kernels::elementwise;
use crate::layer::{self, Activation};
use crate::scalar::Scalar;
use crate::simd::Simd;
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
            elementwise::zip3(
                simd,
                batch_slice_mut::<T, X>(gradient),
                batch_slice(input),
                batch_slice(output),
                #[inline(always)]
                |g, x, y| g * A::derivative(simd, x, y),
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
