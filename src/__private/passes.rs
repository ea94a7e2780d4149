//! The steps of a network that are not layers.

use crate::__private::Field;
use crate::kernels::elementwise;
use crate::layer::Activation;
use crate::network::Show;
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Shows a value of a batch to who watches a network: its name, the size of its last axis, its numbers.
pub fn show<X: Tensor, const B: usize>(name: &'static str, values: &[X; B], f: &mut Show<'_, X::Element>) {
    f(name, X::CHANNELS, batch_slice(values));
}

/// `x ← f(x)`.
#[inline(always)]
pub fn apply<T: Scalar, S: Simd, A: Activation<T>, X: Tensor<Element = T>, const B: usize>(
    simd: S,
    values: &mut [X; B],
) {
    elementwise::apply::<T, S, A>(simd, batch_slice_mut(values));
}

/// `g ← g · f′(x)`, given `x` and `y = f(x)`.
#[inline(always)]
pub fn derive<T: Scalar, S: Simd, A: Activation<T>, X: Tensor<Element = T>, const B: usize>(
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
pub fn copy<T: Scalar, X: Tensor<Element = T>, Y: Tensor<Element = T>, const B: usize>(from: &[X; B], to: &mut [Y; B]) {
    const { assert!(X::LEN == Y::LEN) };
    batch_slice_mut::<Y>(to).copy_from_slice(batch_slice(from));
}

/// `y ← y + x`.
#[inline(always)]
pub fn add<T: Scalar, S: Simd, X: Tensor<Element = T>, Y: Tensor<Element = T>, const B: usize>(
    simd: S,
    from: &[X; B],
    to: &mut [Y; B],
) {
    const { assert!(X::LEN == Y::LEN) };
    crate::simd::outline(
        simd,
        #[inline(always)]
        || elementwise::add_assign(simd, batch_slice_mut::<Y>(to), batch_slice(from)),
    );
}

/// `y ← y · x`.
#[inline(always)]
pub fn multiply<T: Scalar, S: Simd, X: Tensor<Element = T>, Y: Tensor<Element = T>, const B: usize>(
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
                batch_slice_mut::<Y>(to),
                batch_slice(from),
                #[inline(always)]
                |y, x| y * x,
            );
        },
    );
}

/// `dx ← dy · other`, or `dx ← dx + dy · other` if `again`.
#[inline(always)]
pub fn multiply_back<
    T: Scalar,
    S: Simd,
    Y: Tensor<Element = T>,
    X: Tensor<Element = T>,
    Z: Tensor<Element = T>,
    const B: usize,
>(
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
                    batch_slice_mut::<Z>(dx),
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
                    batch_slice_mut::<Z>(dx),
                    #[inline(always)]
                    |dy, other| dy * other,
                );
            }
        },
    );
}

/// Copies a part into the whole, row by row: `width` numbers into rows of `of` numbers, at offset `at`.
#[inline(always)]
pub fn put<T: Scalar, X: Tensor<Element = T>, Y: Tensor<Element = T>, const B: usize>(
    part: &[X; B],
    whole: &mut [Y; B],
    width: usize,
    of: usize,
    at: usize,
) {
    let rows = batch_slice::<X>(part).chunks_exact(width);
    for (part, whole) in rows.zip(batch_slice_mut::<Y>(whole).chunks_exact_mut(of)) {
        if let Some(place) = whole.get_mut(at..at + width) {
            place.copy_from_slice(part);
        }
    }
}

/// Copies a part out of the whole, row by row.
#[inline(always)]
pub fn take<T: Scalar, Y: Tensor<Element = T>, X: Tensor<Element = T>, const B: usize>(
    whole: &[Y; B],
    part: &mut [X; B],
    width: usize,
    of: usize,
    at: usize,
) {
    let rows = batch_slice_mut::<X>(part).chunks_exact_mut(width);
    for (part, whole) in rows.zip(batch_slice::<Y>(whole).chunks_exact(of)) {
        if let Some(place) = whole.get(at..at + width) {
            part.copy_from_slice(place);
        }
    }
}

/// Reads a part of the whole, row by row, and adds it.
#[inline(always)]
pub fn take_more<T: Scalar, Y: Tensor<Element = T>, X: Tensor<Element = T>, const B: usize>(
    whole: &[Y; B],
    part: &mut [X; B],
    width: usize,
    of: usize,
    at: usize,
) {
    let rows = batch_slice_mut::<X>(part).chunks_exact_mut(width);
    for (part, whole) in rows.zip(batch_slice::<Y>(whole).chunks_exact(of)) {
        for (to, from) in part.iter_mut().zip(whole.get(at..at + width).unwrap_or_default()) {
            *to += *from;
        }
    }
}

/// Copies a field out of every sample.
#[inline(always)]
pub fn take_field<W, X: Tensor, const B: usize>(whole: &[W; B], part: &mut [X; B], field: impl Fn(&W) -> &X) {
    for (part, whole) in part.iter_mut().zip(whole) {
        part.numbers_mut().copy_from_slice(field(whole).numbers());
    }
}

/// Copies a part out of every sample, by the key of its name.
#[inline(always)]
pub fn take_part<const KEY: u64, W: Field<KEY>, const B: usize>(whole: &[W; B], part: &mut [W::Type; B]) {
    take_field(
        whole,
        part,
        #[inline(always)]
        |whole| whole.get(),
    );
}

/// Reads a field of every sample, and adds it.
#[inline(always)]
pub fn add_field<W, X: Tensor<Element: Scalar>, const B: usize>(
    whole: &[W; B],
    part: &mut [X; B],
    field: impl Fn(&W) -> &X,
) {
    for (part, whole) in part.iter_mut().zip(whole) {
        for (to, from) in part.numbers_mut().iter_mut().zip(field(whole).numbers()) {
            *to += *from;
        }
    }
}

/// Copies a part into a field of every sample.
#[inline(always)]
pub fn put_field<W, X: Tensor, const B: usize>(part: &[X; B], whole: &mut [W; B], field: impl Fn(&mut W) -> &mut X) {
    for (part, whole) in part.iter().zip(whole) {
        field(whole).numbers_mut().copy_from_slice(part.numbers());
    }
}

/// Copies a part into every sample, by the key of its name.
#[inline(always)]
pub fn put_part<const KEY: u64, W: Field<KEY>, const B: usize>(part: &[W::Type; B], whole: &mut [W; B]) {
    put_field(
        part,
        whole,
        #[inline(always)]
        |whole| whole.get_mut(),
    );
}
