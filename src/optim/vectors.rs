//! Values of the form of a network as vectors of their learned numbers.

use super::{for_each_stretch, learned, splat, update};
use crate::kernels::reduce;
use crate::parameters::{Parameters, Role};
use crate::scalar::{Scalar, Vector};
use crate::simd::{Simd, outline};

/// `Σ a·b` over the learned parameters.
#[inline(always)]
pub(super) fn dot<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(simd: S, a: &N, b: &N) -> f64 {
    let mut sum = 0.0;
    for_each_stretch::<T, N>(
        #[inline(always)]
        |role, range| {
            if role == Role::Learned {
                let a = a.as_slice().get(range.clone()).unwrap_or_default();
                let b = b.as_slice().get(range).unwrap_or_default();
                let part = outline(
                    simd,
                    #[inline(always)]
                    move || reduce::dot(simd, a, b),
                );
                sum += part.to_f64();
            }
        },
    );
    sum
}

/// `to ← beta·to + alpha·from` for the learned parameters.
#[inline(always)]
pub(super) fn combine<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(
    simd: S,
    alpha: f64,
    from: &N,
    beta: f64,
    to: &mut N,
) {
    let (alpha, beta) = (splat::<T, S>(simd, alpha), splat::<T, S>(simd, beta));
    learned(
        simd,
        to,
        from,
        #[inline(always)]
        move |to, from| from.mul_add(alpha, to * beta),
    );
}

/// Adds the step that is kept to the parameters, once more; state falls by its gradient, as in every update.
#[inline(always)]
pub(super) fn walk<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(
    simd: S,
    parameters: &mut N,
    gradient: &N,
    step: &mut [N; 1],
) {
    update(
        simd,
        T::ONE,
        parameters,
        gradient,
        step,
        #[inline(always)]
        |p, _, [step]| (p + step, [step]),
    );
}
