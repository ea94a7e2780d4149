//! The factors of layers: where they are, their sums, and products with their inverses.

use core::ops::Range;

use crate::kernels::{elementwise, reduce};
use crate::optim::splat;
use crate::parameters::{Entry, Role};
use crate::scalar::{Scalar, Vector};
use crate::simd::{Simd, outline};

/// A part of the parameters.
pub(super) enum Layer {
    /// A weight and its bias behind it, seen as a matrix of `inputs` rows, of which the bias is the last.
    Factored { range: Range<usize>, inputs: usize, outputs: usize },
    /// Another tensor that is learned.
    Other(Range<usize>),
}

/// Whether two names are the same.
const fn is(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}

/// The rows and columns of the matrix, if the entries begin with a weight of at least two axes and its bias.
pub(crate) const fn sizes(entries: &[Entry]) -> Option<(usize, usize)> {
    let [Entry::Tensor(weight), Entry::Tensor(bias), ..] = entries else { return None };
    if !is(weight.name, "weight") || !is(bias.name, "bias") || weight.shape.len() < 2 {
        return None;
    }
    let outputs = weight.shape[weight.shape.len() - 1];
    if outputs == bias.len() { Some((weight.len() / outputs + 1, outputs)) } else { None }
}

/// Calls `f` with each part; gives the place behind the last.
pub(super) fn for_each_layer(entries: &[Entry], mut place: usize, f: &mut dyn FnMut(Layer)) -> usize {
    let mut rest = entries;
    if let Some((inputs, outputs)) = sizes(entries) {
        let range = place..place + inputs * outputs;
        place = range.end;
        f(Layer::Factored { range, inputs, outputs });
        rest = rest.get(2..).unwrap_or_default();
    }
    for entry in rest {
        match entry {
            Entry::Layer(_, inner) => place = for_each_layer(inner, place, f),
            Entry::Padding(len) => place += len,
            Entry::Tensor(tensor) => {
                let range = place..place + tensor.len();
                place = range.end;
                if tensor.role == Role::Learned {
                    f(Layer::Other(range));
                }
            }
        }
    }
    place
}

/// `y ← y + alpha·x`.
#[inline(always)]
fn add<T: Scalar, S: Simd>(simd: S, alpha: f64, x: &[T], y: &mut [T]) {
    outline(
        simd,
        #[inline(always)]
        move || {
            let alpha = splat::<T, S>(simd, alpha);
            elementwise::zip(
                simd,
                y,
                x,
                #[inline(always)]
                move |y, x| x.mul_add(alpha, y),
            );
        },
    );
}

#[inline(always)]
fn dot<T: Scalar, S: Simd>(simd: S, x: &[T], y: &[T]) -> f64 {
    outline(
        simd,
        #[inline(always)]
        move || reduce::dot(simd, x, y).to_f64(),
    )
}

/// Adds the second moments of one sample to `A`, of which the lower triangle is kept, and to `G`, given its gradient
/// `M = x·δᵀ`, whose last row is `δ`. `input` is memory for `x`.
#[inline(always)]
pub(super) fn observe<T: Scalar, S: Simd>(
    simd: S,
    gradient: &[T],
    input: &mut [T],
    (a, g): (&mut [T], &mut [T]),
    (inputs, outputs): (usize, usize),
    share: f64,
    samples: f64,
) {
    let Some(delta) = gradient.get((inputs - 1) * outputs..) else { return };
    let square = dot(simd, delta, delta);
    if square == 0.0 {
        return;
    }
    for (row, entry) in g.chunks_exact_mut(outputs).zip(delta) {
        add(simd, share * entry.to_f64(), delta, row);
    }
    // x·δᵀ·δ/‖δ‖² is x.
    for (x, row) in input.iter_mut().zip(gradient.chunks_exact(outputs)) {
        *x = T::from_f64(dot(simd, row, delta) / square);
    }
    for (index, row) in a.chunks_exact_mut(inputs).enumerate() {
        let (Some(entry), Some(before), Some(row)) = (input.get(index), input.get(..=index), row.get_mut(..=index))
        else {
            return;
        };
        add(simd, share / samples * entry.to_f64(), before, row);
    }
}

/// The factor `L` of Cholesky of a damped matrix, of which the lower triangle is read, in its place.
#[inline(always)]
pub(super) fn factor<T: Scalar, S: Simd>(simd: S, matrix: &mut [T], size: usize, damping: f64) {
    for row in 0..size {
        let (above, rest) = matrix.split_at_mut(row * size);
        let Some(this) = rest.get_mut(..size) else { return };
        for column in 0..=row {
            let known =
                if column == row { this.get(..column) } else { above.get(column * size..column * size + column) };
            let sum = dot(simd, this.get(..column).unwrap_or_default(), known.unwrap_or_default());
            let pivot = above.get(column * size + column).map(|x| x.to_f64());
            let Some(entry) = this.get_mut(column) else { return };
            let rest = entry.to_f64() - sum;
            *entry = T::from_f64(match pivot {
                Some(pivot) if column < row => rest / pivot,
                _ => libm::sqrt((rest + damping).max(0.5 * damping)),
            });
        }
    }
}

/// `M ← A⁻¹·M·G⁻¹`, given the factors of both.
#[inline(always)]
pub(super) fn solve<T: Scalar, S: Simd>(
    simd: S,
    matrix: &mut [T],
    (a, g): (&[T], &[T]),
    (inputs, outputs): (usize, usize),
) {
    let entry =
        |of: &[T], size: usize, row: usize, column: usize| of.get(row * size + column).map_or(0.0, |x| x.to_f64());
    for row in 0..inputs {
        let (above, rest) = matrix.split_at_mut(row * outputs);
        let this = rest.get_mut(..outputs).unwrap_or_default();
        for (other, known) in above.chunks_exact(outputs).enumerate() {
            add(simd, -entry(a, inputs, row, other), known, this);
        }
        let pivot = T::from_f64(1.0 / entry(a, inputs, row, row));
        this.iter_mut().for_each(|x| *x *= pivot);
    }
    for row in (0..inputs).rev() {
        let (above, below) = matrix.split_at_mut((row + 1) * outputs);
        let this = above.get_mut(row * outputs..).unwrap_or_default();
        for (other, known) in below.chunks_exact(outputs).enumerate() {
            add(simd, -entry(a, inputs, row + 1 + other, row), known, this);
        }
        let pivot = T::from_f64(1.0 / entry(a, inputs, row, row));
        this.iter_mut().for_each(|x| *x *= pivot);
    }
    for this in matrix.chunks_exact_mut(outputs) {
        for index in 0..outputs {
            let (known, rest) = this.split_at_mut(index);
            let factor = g.get(index * outputs..index * outputs + index).unwrap_or_default();
            let sum = dot(simd, factor, known);
            if let Some(x) = rest.first_mut() {
                *x = T::from_f64((x.to_f64() - sum) / entry(g, outputs, index, index));
            }
        }
        for index in (0..outputs).rev() {
            let (unknown, rest) = this.split_at_mut(index);
            let Some(x) = rest.first_mut() else { return };
            *x = T::from_f64(x.to_f64() / entry(g, outputs, index, index));
            add(simd, -x.to_f64(), g.get(index * outputs..index * outputs + index).unwrap_or_default(), unknown);
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests;
