//! Dense layers: the forward pass and the gradients.

use core::marker::PhantomData;

use super::forward::{Forward, Product, by_rows};
use super::strided::{Extent, PART, Strided, panel, product, transpose};
use super::tile::{Columns, accumulate, add_rows, collect, dot, nothing, only, start};
use super::tiling::{Tiles, copy, cover, each, with};
use super::write::add;
use crate::activation::Activation;
use crate::kernels::elementwise::map_to;
use crate::kernels::run::Run;
use crate::scalar::{Scalar, Storage, Vector, lanes};
use crate::simd::{SCALAR, Simd};

/// `y = f(x·W + b)`, or `y = f(s·(x·W) + b)` for weights that are packed with scales: a dense layer for a batch.
///
/// # Panics
/// If a slice does not have the length given by `P`; with constant lengths the checks are optimized out.
#[inline(always)]
pub(crate) fn dense_forward<T: Scalar, W: Storage<T>, S: Simd, A: Activation<T>, P: Product>(
    simd: S,
    x: &[T],
    weight: &[W],
    scale: &[T],
    bias: &[T],
    y: &mut [T],
) {
    check::<P>(x.len(), weight.len(), bias.len(), y.len());
    assert!(scale.len() == if W::SCALED { P::OUT } else { 0 }, "there is a scale for every output, or none");
    if const { P::OUT == 1 } {
        for (x, y) in x.chunks_exact(P::IN).zip(y) {
            let bias = if P::BIAS == 0 { -T::ZERO } else { bias[0] };
            let start = if W::SCALED { -T::ZERO } else { bias };
            let sum = inner_product::<T, W, S, P>(simd, start, x, weight);
            let sum = if W::SCALED { sum * scale[0] + bias } else { sum };
            *y = A::apply(simd, T::Vector::<S>::splat(simd, sum)).lane(0);
        }
        return;
    }
    if const {
        let lanes = lanes::<S, T>();
        P::ROWS == 1 && P::OUT < lanes && lanes.is_multiple_of(P::OUT) && 2 * lanes <= P::IN * P::OUT
    } {
        // SAFETY: the scale and the bias are empty or have `OUT` numbers, like the output.
        unsafe {
            let bias = T::Vector::<S>::load_partial(simd, bias.as_ptr(), P::BIAS);
            let sum = if const { W::SCALED } {
                let sum = narrow::<T, W, S, P>(simd, nothing::<T, S>(simd), x, weight);
                sum.mul_add(T::Vector::<S>::load_partial(simd, scale.as_ptr(), P::OUT), bias)
            } else {
                narrow::<T, W, S, P>(simd, bias, x, weight)
            };
            A::apply(simd, sum).store_partial(y.as_mut_ptr(), P::OUT);
        }
        return;
    }
    let tiles = Forward::<T, W, A, P> {
        x: x.as_ptr(),
        weight: weight.as_ptr(),
        scale: scale.as_ptr(),
        bias: if P::BIAS == 0 { None } else { Some(bias.as_ptr()) },
        y: y.as_mut_ptr(),
        marker: PhantomData,
    };
    if const { Forward::<T, W, A, P>::vectors::<S>() > 0 } {
        with!(
            Forward::<T, W, A, P>::vectors::<S>(),
            [4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28],
            by_rows[T, W, S, A, P](simd, tiles)
        );
        return;
    }
    // SAFETY: the slices have exactly these lengths.
    unsafe { cover::<T, S, _>(simd, P::ROWS, tiles) };
}

/// Checks the lengths of the input, the weight, the bias and the output.
#[inline(always)]
fn check<P: Product>(x: usize, weight: usize, bias: usize, y: usize) {
    assert!(x == P::ROWS * P::IN && y == P::ROWS * P::OUT, "dense: the batches differ in length");
    assert!(weight == P::IN * P::OUT, "dense: the weight has another length");
    assert!(bias == P::BIAS && (P::BIAS == P::OUT || P::BIAS == 0), "dense: the bias has another length");
}

/// `start + Σₖ x[k]·w[k]`: a dense layer with one output, whose weights are contiguous.
#[inline(always)]
fn inner_product<T: Scalar, W: Storage<T>, S: Simd, P: Product>(simd: S, start: T, x: &[T], w: &[W]) -> T {
    // As many partial sums as there are multiply-adds in flight, or as there are registers.
    let ways = const { if each::<S, T>() < 8 { 8 / each::<S, T>() } else { 1 } };
    let mut sums = [nothing::<T, S>(simd); 8];
    sums[0] = only::<T, S>(simd, 1, T::Vector::<S>::splat(simd, start));
    let (lanes, x, w) = (lanes::<S, T>(), x[..P::IN].as_ptr(), w[..P::IN].as_ptr());
    let (mut k, mut way) = (0, 0);
    while k < P::IN {
        let count = if P::IN - k < lanes { P::IN - k } else { lanes };
        // SAFETY: `k + count <= IN`, the length of both.
        let (a, b) = unsafe {
            if count == lanes {
                (T::Vector::<S>::load(simd, x.add(k)), W::load(simd, w.add(k)))
            } else {
                (T::Vector::<S>::load_partial(simd, x.add(k), count), W::load_partial(simd, w.add(k), count))
            }
        };
        sums[way] = a.mul_add(b, sums[way]);
        (k, way) = (k + lanes, (way + 1) % ways);
    }
    let [a, b, c, d, e, f, g, h] = sums;
    let sum = ((a + e) + (c + g)) + ((b + f) + (d + h));
    // Lanes that are known to be unused are left out of the reduction.
    if 2 * P::IN <= lanes { only::<T, S>(simd, P::IN, sum).reduce_sum() } else { sum.reduce_sum() }
}

/// `start + x·W` of one sample, in the first `OUT` lanes, if several rows of `W` fit in a register: each number of `x`
/// is multiplied by its row in separate lanes, and the lanes of a column are summed at the end.
#[inline(always)]
fn narrow<T: Scalar, W: Storage<T>, S: Simd, P: Product>(
    simd: S,
    start: T::Vector<S>,
    x: &[T],
    w: &[W],
) -> T::Vector<S> {
    let rows = const { lanes::<S, T>() / P::OUT };
    let nothing = nothing::<T, S>(simd);
    let mut sums = [start, nothing, nothing, nothing];
    let (x, w) = (x[..P::IN].as_ptr(), w[..P::IN * P::OUT].as_ptr());
    let (mut k, mut way) = (0, 0);
    while k < P::IN {
        let count = if P::IN - k < rows { P::IN - k } else { rows };
        // SAFETY: `k + count <= IN`, and a row of `w` has `OUT` numbers.
        let (mut left, right) = unsafe {
            let right = w.add(k * P::OUT);
            let right = if count == rows { W::load(simd, right) } else { W::load_partial(simd, right, count * P::OUT) };
            (T::Vector::<S>::load_partial(simd, x.add(k), count), right)
        };
        let mut times = 1;
        while times < P::OUT {
            left = left.zip_low(left);
            times *= 2;
        }
        sums[way] = left.mul_add(right, sums[way]);
        (k, way) = (k + rows, (way + 1) % 4);
    }
    let mut sum = (sums[0] + sums[2]) + (sums[1] + sums[3]);
    // Zipping the register with itself brings lanes that are half a register apart next to each other, each number
    // twice.
    let mut times = 1;
    while times < rows {
        sum = sum.zip_low(sum) + sum.zip_high(sum);
        times *= 2;
    }
    while times > 1 {
        sum = sum.unzip_low(sum);
        times /= 2;
    }
    sum
}

/// `∂W += xᵀ·∂y`.
struct WeightGradient<T, P> {
    x: *const T,
    grad_y: *const T,
    gradient: *mut T,
    marker: PhantomData<P>,
}

copy!([T, P] WeightGradient<T, P>);

impl<T: Scalar, S: Simd, P: Product> Tiles<T, S> for WeightGradient<T, P> {
    const ROWS: usize = P::IN;
    const COLUMNS: usize = P::OUT;

    #[inline(always)]
    unsafe fn tile<const MR: usize, const NR: usize>(
        self,
        simd: S,
        row: usize,
        skip: usize,
        column: usize,
        columns: Columns,
    ) {
        // SAFETY: the rows are columns of `x`, the columns are within a row of `grad_y` and
        // `gradient`, and `k` is a sample.
        unsafe {
            let mut tile = start::<T, S, MR, NR>(simd, None, columns);
            let (a, b) = (self.x.add(row), self.grad_y.add(column));
            let run = Run { a, a_row: 1, a_step: P::IN as isize, by_column: false, b, b_step: P::OUT, len: P::ROWS };
            accumulate(simd, &mut tile, run, columns);
            add::<T, S, MR, NR>(simd, tile, self.gradient.add(row * P::OUT + column), P::OUT, skip, columns);
        }
    }
}

/// `∂W += xᵀ·∂y` and `∂b += Σ ∂y`: the derivative of [`dense_forward`] with respect to its parameters.
///
/// # Panics
/// As [`dense_forward`].
#[inline(always)]
pub(crate) fn dense_weight_gradient<T: Scalar, S: Simd, P: Product>(
    simd: S,
    x: &[T],
    grad_y: &[T],
    grad_weight: &mut [T],
    grad_bias: &mut [T],
) {
    check::<P>(x.len(), grad_weight.len(), grad_bias.len(), grad_y.len());
    let (x, grad_y) = (x.as_ptr(), grad_y.as_ptr());
    let tiles = WeightGradient::<T, P> { x, grad_y, gradient: grad_weight.as_mut_ptr(), marker: PhantomData };
    // SAFETY: the slices have exactly these lengths, and `IN` is the number of rows.
    unsafe {
        cover::<T, S, _>(simd, P::IN, tiles);
        if const { P::BIAS == P::OUT } {
            add_rows::<T, S>(simd, P::ROWS, P::OUT, grad_y, grad_bias.as_mut_ptr());
        }
    }
}

/// `∂x = ∂y·Wᵀ`: the derivative of [`dense_forward`] with respect to its input.
///
/// # Panics
/// As [`dense_forward`].
#[inline(always)]
pub(crate) fn dense_input_gradient<T: Scalar, S: Simd, P: Product>(
    simd: S,
    grad_y: &[T],
    weight: &[T],
    grad_x: &mut [T],
) {
    check::<P>(grad_x.len(), weight.len(), P::BIAS, grad_y.len());
    if const { P::OUT == 1 } {
        // The weight is one row, so nothing is summed.
        for (grad_y, grad_x) in grad_y.iter().zip(grad_x.chunks_exact_mut(P::IN)) {
            let grad_y = T::Vector::<S>::splat(simd, *grad_y);
            map_to(
                simd,
                weight,
                grad_x,
                #[inline(always)]
                |weight| grad_y * weight,
            );
        }
        return;
    }
    if const { Panel::<P>::PAYS } {
        return by_panels::<T, S, P>(simd, grad_y, weight, grad_x);
    }
    let mut input = 0;
    while input + lanes::<S, T>() <= P::IN {
        with!(lanes::<S, T>(), [1 2 4 8 16], input_gradients[T, S, P](simd, grad_y, weight, grad_x, input));
        input += lanes::<S, T>();
    }
    with!(P::IN % lanes::<S, T>(), [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15],
        input_gradients[T, S, P](simd, grad_y, weight, grad_x, input));
}

/// [`dense_input_gradient`] for the inputs `input .. input + NR`.
///
/// # Safety
/// `input + NR <= IN`, and the slices must have the lengths given by `P`.
#[inline(always)]
unsafe fn input_gradients<T: Scalar, S: Simd, P: Product, const NR: usize>(
    simd: S,
    grad_y: &[T],
    weight: &[T],
    grad_x: &mut [T],
    input: usize,
) {
    for (grad_y, grad_x) in grad_y.chunks_exact(P::OUT).zip(grad_x.chunks_exact_mut(P::IN)) {
        // SAFETY: `input + NR <= IN`, and a row of the weight has `OUT` numbers, like one of `grad_y`.
        unsafe {
            let mut sums = [[T::Vector::<S>::splat(simd, T::ZERO); NR]];
            let weight = weight.as_ptr().add(input * P::OUT);
            dot::<T, S, NR, 1>(simd, &mut sums, grad_y.as_ptr(), 0, weight, P::OUT, P::OUT);
            let sum = collect::<T, S>(simd, &sums[0]);
            let to = grad_x.as_mut_ptr().add(input);
            if const { NR == lanes::<S, T>() } { sum.store(to) } else { sum.store_partial(to, NR) }
        }
    }
}

/// The extent of a panel of the gradient of the input.
struct Panel<P>(PhantomData<P>);

impl<P: Product> Panel<P> {
    /// How many outputs are summed at a time.
    const DEPTH: usize = PART / <Self as Extent>::COLUMNS;
    /// Whether there are so many rows that the time for turning the weight around is small.
    const PAYS: bool = !SCALAR && P::ROWS >= 16 && P::IN >= 8 && P::OUT >= 4 && P::ROWS * P::IN * P::OUT >= 1 << 14;
}

impl<P: Product> Extent for Panel<P> {
    const ROWS: usize = P::ROWS;
    const COLUMNS: usize = panel(P::IN);
}

/// [`dense_input_gradient`] of many rows: parts of the weight are turned around, so that sums need no exchange of lanes.
#[inline(always)]
fn by_panels<T: Scalar, S: Simd, P: Product>(simd: S, grad_y: &[T], weight: &[T], grad_x: &mut [T]) {
    let width = const { <Panel<P> as Extent>::COLUMNS };
    let mut turned = [T::ZERO; PART];
    let mut next = 0;
    while next < P::IN {
        // The last panel may overlap the one before, and begins anew.
        let input = next.min(P::IN - width);
        for output in (0..P::OUT).step_by(Panel::<P>::DEPTH) {
            let depth = Panel::<P>::DEPTH.min(P::OUT - output);
            let part = weight.get(input * P::OUT + output..).unwrap_or(&[]);
            transpose(simd, [width, depth], (part, P::OUT), (&mut turned, width));
            let a = Strided { numbers: grad_y.get(output..).unwrap_or(&[]), row: P::OUT, step: 1 };
            let to = (grad_x.get_mut(input..).unwrap_or(&mut []), P::IN);
            let (rows, b) = ([P::ROWS, depth], (turned.as_slice(), width));
            if output == 0 {
                product::<T, S, Panel<P>, false>(simd, rows, a, b, to);
            } else {
                product::<T, S, Panel<P>, true>(simd, rows, a, b, to);
            }
        }
        next = input + width;
    }
}
