//! Softmax attention of one sample, head by head, a few queries at a time.

use core::marker::PhantomData;

use crate::kernels::gemm::{self, Extent, Strided};
use crate::kernels::{elementwise, reduce};
use crate::scalar::{Real, Vector};
use crate::simd::Simd;

/// For how many queries the weights of all keys are in memory at a time.
pub const BLOCK: usize = 32;

/// The largest number up to 64 that divides the number of keys; all of them if it is too small to be fast.
const fn width(keys: usize) -> usize {
    let mut width = if keys < 64 { keys } else { 64 };
    while !keys.is_multiple_of(width) {
        width -= 1;
    }
    if width < 16 { keys } else { width }
}

/// The sizes of attention.
pub(super) trait Sizes: 'static {
    /// How many queries there are.
    const STEPS: usize;
    /// How many keys there are.
    const KEYS: usize;
    /// How many heads the queries have.
    const HEADS: usize;
    /// How many heads of queries share one of keys.
    const SHARING: usize;
    /// The size of a head.
    const HEAD: usize;
    /// The size of a row of queries.
    const QUERY: usize = Self::HEADS * Self::HEAD;
    /// The size of a row of keys.
    const KEY: usize = Self::QUERY / Self::SHARING;
    /// Whether a query reaches no key behind its own.
    const CAUSAL: bool;

    /// How many queries a block has, but for the last one.
    const ROWS: usize = Self::STEPS.div_ceil(Self::STEPS.div_ceil(BLOCK));
    /// How many the last block has.
    const LAST: usize = Self::STEPS - (Self::STEPS.div_ceil(BLOCK) - 1) * Self::ROWS;
    /// How many keys a product computes.
    const WIDTH: usize = width(Self::KEYS);
}

/// The extents of the products of a block: of some queries with some keys; with the features of a head; of some keys
/// with the features of a head.
struct Scores<L>(PhantomData<L>);
struct Means<L>(PhantomData<L>);
struct ByKey<L>(PhantomData<L>);

impl<L: Sizes> Extent for Scores<L> {
    const ROWS: usize = L::LAST;
    const COLUMNS: usize = L::WIDTH;
}

impl<L: Sizes> Extent for Means<L> {
    const ROWS: usize = L::LAST;
    const COLUMNS: usize = L::HEAD;
}

impl<L: Sizes> Extent for ByKey<L> {
    const ROWS: usize = if L::KEYS < 16 { L::KEYS } else { 16 };
    const COLUMNS: usize = L::HEAD;
}

/// What is in a slice from an index on.
#[inline(always)]
pub(super) fn from<T>(numbers: &[T], index: usize) -> &[T] {
    numbers.get(index..).unwrap_or(&[])
}

/// What is in a slice from an index on, mutably.
#[inline(always)]
pub(super) fn from_mut<T>(numbers: &mut [T], index: usize) -> &mut [T] {
    numbers.get_mut(index..).unwrap_or(&mut [])
}

/// Where the number of a feature of a key is, if a block of keys has a row for each feature, of [`Sizes::WIDTH`] keys.
///
/// Rows of all keys would often be a power of two apart, where most caches have place for a few lines only.
#[inline(always)]
pub(super) const fn place<L: Sizes>(key: usize, feature: usize) -> usize {
    (key / L::WIDTH * L::KEY + feature) * L::WIDTH + key % L::WIDTH
}

/// Keys or values with rows and columns exchanged, block by block.
#[inline(always)]
pub(super) fn transpose<T: Real, S: Simd, L: Sizes>(simd: S, matrix: &[T], to: &mut [T]) {
    let blocks = matrix.chunks_exact(L::WIDTH * L::KEY).zip(to.chunks_exact_mut(L::WIDTH * L::KEY));
    for (block, to) in blocks {
        gemm::transpose(simd, [L::WIDTH, L::KEY], (block, L::KEY), (to, L::WIDTH));
    }
}

/// How many keys a query may attend to, out of the first `length`.
#[inline(always)]
pub(super) fn visible<L: Sizes>(query: usize, length: usize) -> usize {
    if L::CAUSAL { length.min(query + 1) } else { length }
}

/// Products of rows of `a` with at least the first `reach` of all keys, whose features from `feature` on are rows of
/// `across`.
#[inline(always)]
pub(super) fn scores<T: Real, S: Simd, L: Sizes, E: Extent>(
    simd: S,
    [rows, reach]: [usize; 2],
    a: Strided<'_, T>,
    (across, feature): (&[T], usize),
    scores: &mut [T],
) {
    let mut at = 0;
    while at < reach {
        let (b, to) = ((from(across, place::<L>(at, feature)), L::WIDTH), (from_mut(scores, at), L::KEYS));
        gemm::product::<T, S, E, false>(simd, [rows, L::HEAD], a, b, to);
        at += L::WIDTH;
    }
}

/// Replaces the first `reach` scores by their powers, relative to the largest, and the others by zeros. Returns the
/// largest and the sum of the powers.
#[inline(always)]
pub(super) fn powers<T: Real, S: Simd>(simd: S, scores: &mut [T], reach: usize) -> (T, T) {
    let (scores, rest) = scores.split_at_mut(reach.min(scores.len()));
    rest.fill(T::ZERO);
    let max = reduce::max(simd, scores);
    let shift = T::Vector::<S>::splat(simd, max);
    elementwise::map(
        simd,
        scores,
        #[inline(always)]
        |x| T::exp_lanes(simd, x - shift),
    );
    (max, reduce::sum(simd, scores))
}

/// `o` of a sample, and the logarithms of the sums if they are wanted.
#[inline(always)]
pub(super) fn attend<T: Real, S: Simd, L: Sizes>(
    simd: S,
    length: usize,
    [queries, across, values]: [&[T]; 3],
    context: &mut [T],
    mut totals: Option<&mut [T]>,
    weights: &mut [T],
) {
    if length == 0 {
        context.fill(T::ZERO);
        return;
    }
    let mut inverse = [T::ZERO; BLOCK];
    for head in 0..L::HEADS {
        let (at, of) = (head * L::HEAD, head / L::SHARING * L::HEAD);
        for first in (0..L::STEPS).step_by(L::ROWS) {
            let rows = L::ROWS.min(L::STEPS - first);
            let (reach, here) = (visible::<L>(first + rows - 1, length), first * L::QUERY + at);
            let q = Strided { numbers: from(queries, here), row: L::QUERY, step: 1 };
            scores::<T, S, L, Scores<L>>(simd, [rows, reach], q, (across, of), weights);
            for (row, weights) in weights.chunks_exact_mut(L::KEYS).enumerate().take(rows) {
                let weights = weights.split_at_mut(reach).0;
                let (max, sum) = powers::<T, S>(simd, weights, visible::<L>(first + row, length));
                inverse[row] = T::ONE / sum;
                let place = (first + row) * L::HEADS + head;
                if let Some(total) = totals.as_deref_mut().and_then(|totals| totals.get_mut(place)) {
                    *total = max + sum.ln();
                }
            }
            let p = Strided { numbers: weights, row: L::KEYS, step: 1 };
            let (v, context) = ((from(values, of), L::KEY), from_mut(context, here));
            gemm::product::<T, S, Means<L>, false>(simd, [rows, reach], p, v, (context, L::QUERY));
            for (row, inverse) in context.chunks_mut(L::QUERY).zip(inverse).take(rows) {
                let (row, _) = row.split_at_mut(L::HEAD);
                elementwise::scale(simd, row, inverse);
            }
        }
    }
}

/// The gradients of `q` (without its factor), `k` and `v` from that of `o`, of a sample.
///
/// `∂v += pᵀ·∂o`, `∂p = ∂o·vᵀ`, `∂s = p (∂p − Σ ∂o·o)`, `∂q = ∂s·k`, `∂k += ∂sᵀ·q`.
#[inline(always)]
pub(super) fn derive<T: Real, S: Simd, L: Sizes>(
    simd: S,
    length: usize,
    [queries, keys, context, totals]: [&[T]; 4],
    [keys_across, values_across, grad_context]: [&[T]; 3],
    [grad_queries, grad_keys, grad_values]: [&mut [T]; 3],
    [weights, grad_weights]: [&mut [T]; 2],
) {
    grad_keys.fill(T::ZERO);
    grad_values.fill(T::ZERO);
    if length == 0 {
        grad_queries.fill(T::ZERO);
        return;
    }
    for head in 0..L::HEADS {
        let (at, of) = (head * L::HEAD, head / L::SHARING * L::HEAD);
        for first in (0..L::STEPS).step_by(L::ROWS) {
            let rows = L::ROWS.min(L::STEPS - first);
            let (reach, here) = (visible::<L>(first + rows - 1, length), first * L::QUERY + at);
            // As many rows as a tile of the gradients of keys and values has; weights beyond the reach are 0.
            let filled = if reach < ByKey::<L>::ROWS { ByKey::<L>::ROWS } else { reach };
            let rows_of = |numbers| Strided { numbers: from(numbers, here), row: L::QUERY, step: 1 };
            scores::<T, S, L, Scores<L>>(simd, [rows, filled], rows_of(queries), (keys_across, of), weights);
            scores::<T, S, L, Scores<L>>(
                simd,
                [rows, filled],
                rows_of(grad_context),
                (values_across, of),
                grad_weights,
            );
            let pairs = weights.chunks_exact_mut(L::KEYS).zip(grad_weights.chunks_exact_mut(L::KEYS));
            for (row, (p, ds)) in pairs.enumerate().take(rows) {
                let (p, ds) = (p.split_at_mut(filled).0, ds.split_at_mut(filled).0);
                let (p, beyond) = p.split_at_mut(visible::<L>(first + row, length));
                beyond.fill(T::ZERO);
                let (ds, beyond) = ds.split_at_mut(p.len());
                beyond.fill(T::ZERO);
                let total = totals.get((first + row) * L::HEADS + head).copied().unwrap_or(T::ZERO);
                let total = T::Vector::<S>::splat(simd, total);
                elementwise::map(
                    simd,
                    p,
                    #[inline(always)]
                    |s| T::exp_lanes(simd, s - total),
                );
                let feature = here + row * L::QUERY;
                let [o, grad_o] = [context, grad_context].map(|all| all.get(feature..feature + L::HEAD).unwrap_or(&[]));
                let mean = T::Vector::<S>::splat(simd, reduce::dot(simd, o, grad_o));
                elementwise::zip(
                    simd,
                    ds,
                    p,
                    #[inline(always)]
                    |ds, p| p * (ds - mean),
                );
            }
            let turned = |numbers| Strided { numbers, row: 1, step: L::KEYS };
            let (p, ds, by) = (turned(&*weights), turned(&*grad_weights), [filled, rows]);
            let (to, grad_o) = ((from_mut(grad_values, of), L::KEY), (from(grad_context, here), L::QUERY));
            gemm::product::<T, S, ByKey<L>, true>(simd, by, p, grad_o, to);
            let (to, q) = ((from_mut(grad_keys, of), L::KEY), (from(queries, here), L::QUERY));
            gemm::product::<T, S, ByKey<L>, true>(simd, by, ds, q, to);
            let ds = Strided { numbers: grad_weights, row: L::KEYS, step: 1 };
            let (to, k) = ((from_mut(grad_queries, here), L::QUERY), (from(keys, of), L::KEY));
            gemm::product::<T, S, Means<L>, false>(simd, [rows, reach], ds, k, to);
        }
    }
}
