//! What both kinds of attention share: weights of the edges that reach a node, by a softmax for each head.

use super::{Graph, Link, Links, Number, nodes, row, row_mut};
use crate::kernels::elementwise::{add_assign, add_scaled, scale, zip, zip3};
use crate::kernels::reduce::dot;
use crate::layer::Batch;
use crate::noise::Noise;
use crate::scalar::{Real, Scalar, Vector};
use crate::simd::Simd;
use crate::tensor::Tensor;

/// `LeakyReLU(x)` with slope `SLOPE`.
#[inline(always)]
pub(super) fn leaky<T: Scalar, S: Simd, const SLOPE: u64>(simd: S, x: T::Vector<S>) -> T::Vector<S> {
    x.max(x * T::Vector::<S>::splat(simd, T::from_f64(f64::from_bits(SLOPE))))
}

/// Its derivative.
#[inline(always)]
pub(super) fn leaky_slope<T: Scalar, S: Simd, const SLOPE: u64>(simd: S, x: T::Vector<S>) -> T::Vector<S> {
    let [zero, one, slope] = [0.0, 1.0, f64::from_bits(SLOPE)].map(T::from_f64);
    let [zero, one, slope] = [zero, one, slope].map(
        #[inline(always)]
        |x| T::Vector::<S>::splat(simd, x),
    );
    T::Vector::<S>::select(zero.lt(x), one, slope)
}

/// Draws which of the weights are dropped: 0, or what makes up for those that are.
#[inline(always)]
fn draw<T: Scalar, const RATE: u64>(kept: &mut [T], noise: &mut Noise) {
    let rate = const {
        let rate = f64::from_bits(RATE);
        assert!(rate >= 0.0 && rate < 1.0, "attention: the rate of dropout is at least 0 and below 1");
        rate
    };
    let keep = T::from_f64(1.0 / (1.0 - rate));
    kept.fill_with(
        #[inline(always)]
        || if noise.uniform() < rate { T::ZERO } else { keep },
    );
}

/// What a pass reads of a sample.
#[derive(Clone, Copy)]
pub(super) struct Sample<'a, 'v, G: Graph, const B: usize> {
    pub(super) input: Batch<'a, G::Input, B>,
    pub(super) index: usize,
    /// What each node passes on: a row of all heads.
    pub(super) values: &'v [Number<G>],
    /// The numbers of all heads.
    pub(super) width: usize,
}

/// `y[i] = Σ p[e]·v[j]` over the edges `e` from `j` to `i`, where `p` is the softmax of the scores `score(j, i)`, with
/// the weights dropped that `noise` drops. Leaves the logarithms of the sums of powers in `totals`; `sums` is scratch
/// memory.
#[inline(always)]
pub(super) fn attend<
    T: Real,
    S: Simd,
    G: Graph<Nodes: Tensor<Element = T>>,
    const B: usize,
    const H: usize,
    const RATE: u64,
>(
    simd: S,
    Sample { input, index, values, width }: Sample<'_, '_, G, B>,
    score: impl Fn(usize, usize, &mut [T; H]),
    [totals, sums, output]: [&mut [T]; 3],
    mut noise: Option<&mut Noise>,
) {
    let (head, mut scores, mut kept) = (width / H, [T::ZERO; H], [T::ONE; H]);
    totals.fill(T::from_f64(f64::NEG_INFINITY));
    sums.fill(T::ZERO);
    output.fill(T::ZERO);
    for Link { from, to, .. } in Links::<G, B>::with_loops(input, index) {
        score(from, to, &mut scores);
        zip(
            simd,
            row_mut(totals, to, H),
            &scores,
            #[inline(always)]
            |most, score| most.max(score),
        );
    }
    for Link { from, to, .. } in Links::<G, B>::with_loops(input, index) {
        score(from, to, &mut scores);
        zip(
            simd,
            &mut scores,
            row(totals, to, H),
            #[inline(always)]
            |score, most| T::exp_lanes(simd, score - most),
        );
        add_assign(simd, row_mut(sums, to, H), &scores);
        if let Some(noise) = &mut noise {
            draw::<T, RATE>(&mut kept, noise);
        }
        let (output, values) = (row_mut(output, to, width), row(values, from, width));
        for (h, (score, kept)) in scores.iter().zip(&kept).enumerate() {
            add_scaled(simd, row_mut(output, h, head), row(values, h, head), *score * *kept);
        }
    }
    for node in 0..const { nodes::<G>() } {
        let (totals, sums, output) = (row_mut(totals, node, H), row(sums, node, H), row_mut(output, node, width));
        for (h, sum) in sums.iter().enumerate() {
            scale(simd, row_mut(output, h, head), T::ONE / *sum);
        }
        zip(
            simd,
            totals,
            sums,
            #[inline(always)]
            |most, sum| most + T::ln_lanes(simd, sum),
        );
    }
}

/// The derivative of [`attend`], given its output without bias: adds to the gradient of what is passed on, and gives
/// that of each score to `slope(j, i, ..)`, with the row of node `j` in the former. With `c[i] = ∂y[i]·y[i]` for each
/// head, which is `Σ p[e]·∂p[e]`, `∂score[e] = p[e]·(∂y[i]·v[j] - c[i])`.
#[inline(always)]
pub(super) fn derive<
    T: Real,
    S: Simd,
    G: Graph<Nodes: Tensor<Element = T>>,
    const B: usize,
    const H: usize,
    const RATE: u64,
>(
    simd: S,
    Sample { input, index, values, width }: Sample<'_, '_, G, B>,
    score: impl Fn(usize, usize, &mut [T; H]),
    [totals, output, bias, grad_output]: [&[T]; 4],
    [agreement, grad_values]: [&mut [T]; 2],
    mut noise: Option<&mut Noise>,
    mut slope: impl FnMut(usize, usize, &[T; H], &mut [T]),
) {
    let (head, mut scores, mut kept, mut slopes) = (width / H, [T::ZERO; H], [T::ONE; H], [T::ZERO; H]);
    for node in 0..const { nodes::<G>() } {
        let (y, grad_y) = (row(output, node, width), row(grad_output, node, width));
        for (h, agreement) in row_mut(agreement, node, H).iter_mut().enumerate() {
            let grad_y = row(grad_y, h, head);
            *agreement = dot(simd, grad_y, row(y, h, head)) - dot(simd, grad_y, row(bias, h, head));
        }
    }
    for Link { from, to, .. } in Links::<G, B>::with_loops(input, index) {
        score(from, to, &mut scores);
        zip(
            simd,
            &mut scores,
            row(totals, to, H),
            #[inline(always)]
            |score, total| T::exp_lanes(simd, score - total),
        );
        if let Some(noise) = &mut noise {
            draw::<T, RATE>(&mut kept, noise);
        }
        let (grad_y, values) = (row(grad_output, to, width), row(values, from, width));
        let grad_values = row_mut(grad_values, from, width);
        for (h, ((weight, kept), slope)) in scores.iter().zip(&kept).zip(&mut slopes).enumerate() {
            let grad_y = row(grad_y, h, head);
            *slope = *kept * dot(simd, grad_y, row(values, h, head));
            add_scaled(simd, row_mut(grad_values, h, head), grad_y, *weight * *kept);
        }
        zip3(
            simd,
            &mut slopes,
            &scores,
            row(agreement, to, H),
            #[inline(always)]
            |slope, weight, agreement| weight * (slope - agreement),
        );
        slope(from, to, &slopes, grad_values);
    }
}

/// Adds the bias to every row.
#[inline(always)]
pub(super) fn add_bias<T: Scalar, S: Simd>(simd: S, bias: &[T], output: &mut [T]) {
    if bias.is_empty() {
        return;
    }
    for row in output.chunks_exact_mut(bias.len()) {
        add_assign(simd, row, bias);
    }
}

/// Adds all rows of the gradient of the output to that of the bias.
#[inline(always)]
pub(super) fn bias_gradient<T: Scalar, S: Simd>(simd: S, grad_output: &[T], gradient: &mut [T]) {
    if gradient.is_empty() {
        return;
    }
    for row in grad_output.chunks_exact(gradient.len()) {
        add_assign(simd, gradient, row);
    }
}
