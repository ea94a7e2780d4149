//! Multi-head attention of Vaswani et al., *Attention is all you need* (2017): every query takes a mean of values,
//! weighted by how well it agrees with their keys.
//!
//! `q = x·Wq + bq`, `k = m·Wk + bk`, `v = m·Wv + bv`; for each head `pᵢ = softmaxⱼ(qᵢ·kⱼ / √D)` and `oᵢ = Σⱼ pᵢⱼ vⱼ`;
//! `y = o·Wo + bo`, where `D` is the size of a head and `m` is `x` or another sequence
//!
//! | tensor | shape | initial value |
//! | --- | --- | --- |
//! | `x` | `[STEPS, IN]` | |
//! | `m`, the memory | `[KEYS, FROM]` | |
//! | `length` | `[1]`, a whole number up to `KEYS`: what lies behind it is not attended to | |
//! | `wq` | `[IN, HEADS·D]` | as a dense layer's |
//! | `wk`, `wv` | `[FROM, KV_HEADS·D]` | as a dense layer's |
//! | `wo` | `[HEADS·D, IN]` | as a dense layer's |
//! | `bq`, `bk`, `bv`, `bo` | as their products, or `[0]`: none | 0 |
//! | `y` | `[STEPS, IN]` | |
//!
//! With fewer heads of keys than of queries, each serves several (Ainslie et al., *GQA*, 2023). Causal attention is
//! that of a step to itself and to those before it. Queries and keys may be turned by their [position](rotary).
//!
//! The matrix of all `p` is never stored: every pass computes it [a few queries](BLOCK) at a time, and `backward`
//! again, from the logarithm of each row's sum, as Dao et al. do (*FlashAttention*, 2022). So memory grows with the
//! length of the sequence, not with its square. With a length of 0, nothing is attended to and `o` is 0.

mod heads;
mod options;
pub mod rotary;
mod steps;

use core::marker::PhantomData;

use crate::activation::Identity;
use crate::kernels::elementwise::{self, add_assign};
use crate::kernels::gemm::{self, Product};
use crate::layer::{Batch, GradientOf, InputError, Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Real;
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice_mut};
use crate::weight::Weight;

pub use heads::BLOCK;
use heads::{Sizes, attend, derive, transpose};
pub use options::*;
use rotary::{MOST_PAIRS, Rotation, angles, turn_rows};
pub use rotary::{Rotary, Unrotated};
pub use steps::Cache;

/// Attention with heads `O` in what `F` says, with rows `Q` of queries and `K` of keys and of values.
///
/// In a network, write `SelfAttention(heads = 4)`, or `(x, memory) |> Attention(heads = 4)`. Options: `causal`,
/// `kv_heads = 2`, `rotary = interleaved` or `half`, `base = 10000.0`, `bias = false`. A length goes last: `(x, length)
/// |> SelfAttention(heads = 4)`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Mixer: [3, 4] -> [3, 4] { SelfAttention(heads = 2, causal) } }
/// let mut net = Mixer::zeroed();
/// // Without queries, every step takes the mean of the values so far.
/// for feature in 0..4 {
///     net.attention1.wv[feature][feature] = 1.0;
///     net.attention1.wo[feature][feature] = 1.0;
/// }
/// let y = net.evaluate(&[[1.0, 2.0, 3.0, 4.0], [3.0, 2.0, 1.0, 0.0], [5.0, 2.0, 2.0, 2.0]]);
/// assert_eq!(y, [[1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 2.0, 2.0], [3.0, 2.0, 2.0, 2.0]]);
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[parameters(of = Q)]
#[repr(C)]
pub struct MultiHeadAttention<F: Attended, O: Heads, Q: Tensor, K: Tensor, WQ, WK, WO> {
    /// Wq.
    #[parameters(packed)]
    pub wq: WQ,
    /// Wk.
    #[parameters(packed)]
    pub wk: WK,
    /// Wv.
    #[parameters(packed)]
    pub wv: WK,
    /// Wo.
    #[parameters(packed)]
    pub wo: WO,
    /// The bias of the queries.
    #[parameters(tensor, start = 0.0)]
    pub bq: O::Bias<Q>,
    /// The bias of the keys.
    #[parameters(tensor, start = 0.0)]
    pub bk: O::Bias<K>,
    /// The bias of the values.
    #[parameters(tensor, start = 0.0)]
    pub bv: O::Bias<K>,
    /// The bias of the output.
    #[parameters(tensor, start = 0.0)]
    pub bo: O::Bias<<F::Query as Tensor>::Last>,
    /// What is attended to, and how.
    pub shapes: PhantomData<(F, O, Q, K)>,
}

/// The product of every row of an `X` with a weight whose rows are `Y`.
struct Rows<X, Y, B>(PhantomData<(X, Y, B)>);

impl<X: Tensor, Y: Tensor, B: Tensor> Product for Rows<X, Y, B> {
    const ROWS: usize = X::LEN / X::CHANNELS;
    const IN: usize = X::CHANNELS;
    const OUT: usize = Y::LEN;
    const BIAS: usize = B::LEN;
}

/// The products that give the queries, the keys or the values, and the output.
type Queries<F, O, Q> = Rows<<F as Attended>::Query, Q, <O as Heads>::Bias<Q>>;
type Keys<F, O, K> = Rows<<F as Attended>::Memory, K, <O as Heads>::Bias<K>>;
type Given<F, O, Q> = Rows<
    <<F as Attended>::Query as Tensor>::WithLast<Q>,
    <<F as Attended>::Query as Tensor>::Last,
    <O as Heads>::Bias<<<F as Attended>::Query as Tensor>::Last>,
>;

/// The memory of a pass over one sample.
#[derive(Plain)]
#[repr(C)]
pub struct Scratch<Q: Tensor, K: Tensor, R: Tensor> {
    queries: Q,
    keys: K,
    across: K,
    values: K,
    context: Q,
    weights: [R; BLOCK],
}

/// What attention saves of a batch, and the scratch memory of a sample.
#[derive(Plain)]
#[repr(C)]
pub struct Saved<Q: Tensor, K: Tensor, E: Tensor, M: Tensor, R: Tensor, const B: usize> {
    queries: [Q; B],
    keys: [K; B],
    values: [K; B],
    context: [Q; B],
    /// The logarithm of the sum of powers that each query divides by.
    totals: [E; B],
    /// Scratch: keys and values with a row for each feature, gradients, and the weights of a block.
    keys_across: K,
    values_across: K,
    grad_context: Q,
    grad_queries: Q,
    grad_keys: K,
    grad_values: K,
    grad_memory: M,
    weights: [R; BLOCK],
    grad_weights: [R; BLOCK],
}

impl<F: Attended, O: Heads, Q: Tensor, K: Tensor, WQ: 'static, WK: 'static, WO: 'static> Sizes
    for MultiHeadAttention<F, O, Q, K, WQ, WK, WO>
{
    const STEPS: usize = <F::Query as Tensor>::SHAPE[0];
    const KEYS: usize = <F::Memory as Tensor>::SHAPE[0];
    const HEADS: usize = O::HEADS;
    const SHARING: usize = O::HEADS / O::KV_HEADS;
    const HEAD: usize = Q::LEN / O::HEADS;
    const CAUSAL: bool = O::CAUSAL;
}

impl<F: Attended, O: Heads, Q: Tensor, K: Tensor, WQ, WK, WO> MultiHeadAttention<F, O, Q, K, WQ, WK, WO> {
    /// By how much the pairs of a head turn from step to step.
    const ANGLES: [u64; MOST_PAIRS] =
        if O::Rotation::TURNS { angles(O::Rotation::BASE, Q::LEN / O::HEADS) } else { [0; MOST_PAIRS] };

    const fn angles() -> &'static [u64] {
        const { Self::ANGLES.split_at(if O::Rotation::TURNS { Q::LEN / O::HEADS / 2 } else { 0 }).0 }
    }
}

impl<T, F, O, Q, K, WQ, WK, WO> MultiHeadAttention<F, O, Q, K, WQ, WK, WO>
where
    T: Real,
    F: Attended<Query: Tensor<Element = T>, Memory: Tensor<Element = T>>,
    O: Heads,
    Q: Tensor<Element = T>,
    K: Tensor<Element = T>,
    WQ: Weight<Scalar = T>,
    WK: Weight<Scalar = T>,
    WO: Weight<Scalar = T>,
{
    /// The sizes, as the products of a sample see them.
    const SHAPE: () = {
        let (&[_, features], &[_, from]) = (<F::Query as Tensor>::SHAPE, <F::Memory as Tensor>::SHAPE) else {
            panic!("attention takes sequences `[STEPS, FEATURES]`")
        };
        assert!(<F::Query as Tensor>::LEN > 0 && <F::Memory as Tensor>::LEN > 0, "attention: a size is 0");
        assert!(O::HEADS > 0 && Q::LEN.is_multiple_of(O::HEADS), "attention: the heads divide the queries");
        assert!(O::KV_HEADS > 0 && O::HEADS.is_multiple_of(O::KV_HEADS), "attention: each head of keys serves as many");
        assert!(K::LEN * O::HEADS == Q::LEN * O::KV_HEADS, "attention: heads of queries and keys have the same size");
        assert!(F::ITSELF || !O::CAUSAL, "attention: only that of a sequence to itself is causal");
        let (&[a, b], &[c, d], &[e, f]) = (WQ::SHAPE, WK::SHAPE, WO::SHAPE) else {
            panic!("attention: weights are matrices")
        };
        assert!(a == features && b == Q::LEN && c == from && d == K::LEN, "attention: a weight has another shape");
        assert!(e == Q::LEN && f == features, "attention: the weight of the output has another shape");
    };

    /// The factor of the scores: `1 / √D`.
    #[inline(always)]
    fn factor() -> T {
        T::ONE / T::from_f64(Self::HEAD as f64).sqrt()
    }

    /// How many steps of its memory a sample attends to.
    #[inline(always)]
    fn length<const B: usize>(input: Batch<'_, F::Input, B>, sample: usize) -> usize {
        F::length(input, sample).map_or(Self::KEYS, |length| length.min(Self::KEYS))
    }

    /// `q`, scaled by [`factor`](Self::factor), `k` and `v` of a sample.
    #[inline(always)]
    fn project<S: Simd>(&self, simd: S, query: &F::Query, memory: &F::Memory, [q, k, v]: [&mut [T]; 3]) {
        let (wq, wk, wv) = (&self.wq, &self.wk, &self.wv);
        let (x, m) = (query.numbers(), memory.numbers());
        let (bq, bk, bv) = (self.bq.numbers(), self.bk.numbers(), self.bv.numbers());
        gemm::dense_forward::<T, WQ::Format, S, Identity, Queries<F, O, Q>>(simd, x, wq.packed(), wq.scale(), bq, q);
        gemm::dense_forward::<T, WK::Format, S, Identity, Keys<F, O, K>>(simd, m, wk.packed(), wk.scale(), bk, k);
        gemm::dense_forward::<T, WK::Format, S, Identity, Keys<F, O, K>>(simd, m, wv.packed(), wv.scale(), bv, v);
        elementwise::scale(simd, q, Self::factor());
        if O::Rotation::TURNS {
            turn_rows::<T, O::Rotation>([q, k], [Q::LEN, K::LEN], Self::HEAD, Self::angles(), false);
        }
    }

    /// `o·Wo + bo` of a sample.
    #[inline(always)]
    fn give<S: Simd>(&self, simd: S, context: &[T], output: &mut F::Query) {
        let (wo, bo) = (&self.wo, self.bo.numbers());
        gemm::dense_forward::<T, WO::Format, S, Identity, Given<F, O, Q>>(
            simd,
            context,
            wo.packed(),
            wo.scale(),
            bo,
            output.numbers_mut(),
        );
    }
}

impl<T, F, O, Q, K, WQ, WK, WO> Layer for MultiHeadAttention<F, O, Q, K, WQ, WK, WO>
where
    T: Real,
    F: Attended<Query: Tensor<Element = T>, Memory: Tensor<Element = T>>,
    O: Heads,
    Q: Tensor<Element = T>,
    K: Tensor<Element = T>,
    WQ: Weight<Scalar = T>,
    WK: Weight<Scalar = T>,
    WO: Weight<Scalar = T>,
{
    type Input = F::Input;
    type Output = F::Query;
    type Saved<const B: usize> = Saved<
        <F::Query as Tensor>::WithLast<Q>,
        <F::Memory as Tensor>::WithLast<K>,
        <F::Query as Tensor>::WithLast<O::Each<T>>,
        F::Memory,
        <F::Memory as Tensor>::Rows,
        B,
    >;
    type Workspace<const B: usize> =
        Scratch<<F::Query as Tensor>::WithLast<Q>, <F::Memory as Tensor>::WithLast<K>, <F::Memory as Tensor>::Rows>;
    const MACS: usize = 2 * F::Query::LEN * Q::LEN
        + 2 * F::Memory::LEN * K::LEN
        + 2 * <Self as Sizes>::STEPS * <Self as Sizes>::KEYS * Q::LEN;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, F::Input, B>,
        output: &mut [F::Query; B],
        workspace: &mut Self::Workspace<B>,
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (query, memory) = F::open(input);
                for (sample, output) in output.iter_mut().enumerate() {
                    let Scratch { queries, keys, across, values, context, weights } = workspace;
                    let (k, v) = (keys.numbers_mut(), values.numbers_mut());
                    self.project(simd, &query[sample], &memory[sample], [queries.numbers_mut(), k, v]);
                    transpose::<T, S, Self>(simd, keys.numbers(), across.numbers_mut());
                    let (context, weights) = (context.numbers_mut(), weights.as_mut_slice());
                    let weights = batch_slice_mut(weights);
                    let parts = [queries.numbers(), across.numbers(), values.numbers()];
                    attend::<T, S, Self>(simd, Self::length(input, sample), parts, context, None, weights);
                    self.give(simd, context, output);
                }
            },
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, F::Input, B>,
        output: &mut [F::Query; B],
        saved: &mut Self::Saved<B>,
        pass: &mut Pass<T>,
    ) {
        let () = Self::SHAPE;
        for sample in 0..B {
            if let Some(index) = F::length(input, sample).filter(|length| *length > Self::KEYS) {
                pass.refuse(InputError::OutOfRange { sample, position: 0, index, limit: Self::KEYS + 1 });
            }
        }
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (query, memory) = F::open(input);
                for (sample, output) in output.iter_mut().enumerate() {
                    let (q, k, v) = (&mut saved.queries[sample], &mut saved.keys[sample], &mut saved.values[sample]);
                    let parts = [q.numbers_mut(), k.numbers_mut(), v.numbers_mut()];
                    self.project(simd, &query[sample], &memory[sample], parts);
                    transpose::<T, S, Self>(simd, k.numbers(), saved.keys_across.numbers_mut());
                    let (context, totals) = (saved.context[sample].numbers_mut(), saved.totals[sample].numbers_mut());
                    let weights = batch_slice_mut(&mut saved.weights);
                    let parts = [q.numbers(), saved.keys_across.numbers(), v.numbers()];
                    attend::<T, S, Self>(simd, Self::length(input, sample), parts, context, Some(totals), weights);
                    self.give(simd, context, output);
                }
            },
        );
    }

    /// With the gradients of `q`, `k` and `v` from that of the weights of the means (Dao et al., algorithm 4):
    /// `∂o = ∂y·Woᵀ`, `∂Wo += oᵀ·∂y`, `∂Wq += xᵀ·∂q`, `∂Wk += mᵀ·∂k`, `∂Wv += mᵀ·∂v`,
    /// `∂x = ∂q·Wqᵀ`, `∂m = ∂k·Wkᵀ + ∂v·Wvᵀ`, and the biases' gradients are sums over the steps.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, F::Input, B>,
        _output: &[F::Query; B],
        saved: &mut Self::Saved<B>,
        grad_output: &mut [F::Query; B],
        grad_input: GradientOf<'_, F::Input, B>,
        gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        const {
            assert!(
                !WQ::PACKED && !WK::PACKED && !WO::PACKED,
                "attention: packed weights are not trained; train the layer that they are packed from"
            );
        }
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (query, memory) = F::open(input);
                let (mut grad_query, mut grad_memory) = F::gradients(grad_input);
                for (sample, grad_y) in grad_output.iter().enumerate() {
                    let (x, m, grad_y) = (query[sample].numbers(), memory[sample].numbers(), grad_y.numbers());
                    let (q, k, v) = (&saved.queries[sample], &saved.keys[sample], &saved.values[sample]);
                    let (o, totals) = (saved.context[sample].numbers(), saved.totals[sample].numbers());
                    let (wo, bo) = (gradient.wo.trained_mut(), gradient.bo.numbers_mut());
                    gemm::dense_weight_gradient::<T, S, Given<F, O, Q>>(simd, o, grad_y, wo, bo);
                    let (wo, grad_o) = (self.wo.trained(), saved.grad_context.numbers_mut());
                    gemm::dense_input_gradient::<T, S, Given<F, O, Q>>(simd, grad_y, wo, grad_o);

                    transpose::<T, S, Self>(simd, k.numbers(), saved.keys_across.numbers_mut());
                    transpose::<T, S, Self>(simd, v.numbers(), saved.values_across.numbers_mut());
                    let across = [saved.keys_across.numbers(), saved.values_across.numbers(), grad_o];
                    let grad_q = saved.grad_queries.numbers_mut();
                    let (grad_k, grad_v) = (saved.grad_keys.numbers_mut(), saved.grad_values.numbers_mut());
                    derive::<T, S, Self>(
                        simd,
                        Self::length(input, sample),
                        [q.numbers(), k.numbers(), o, totals],
                        across,
                        [grad_q, grad_k, grad_v],
                        [batch_slice_mut(&mut saved.weights), batch_slice_mut(&mut saved.grad_weights)],
                    );
                    if O::Rotation::TURNS {
                        let (rows, widths) = ([&mut *grad_q, &mut *grad_k], [Q::LEN, K::LEN]);
                        turn_rows::<T, O::Rotation>(rows, widths, Self::HEAD, Self::angles(), true);
                    }
                    elementwise::scale(simd, grad_q, Self::factor());

                    let (wq, bq) = (gradient.wq.trained_mut(), gradient.bq.numbers_mut());
                    gemm::dense_weight_gradient::<T, S, Queries<F, O, Q>>(simd, x, grad_q, wq, bq);
                    let (wk, bk) = (gradient.wk.trained_mut(), gradient.bk.numbers_mut());
                    gemm::dense_weight_gradient::<T, S, Keys<F, O, K>>(simd, m, grad_k, wk, bk);
                    let (wv, bv) = (gradient.wv.trained_mut(), gradient.bv.numbers_mut());
                    gemm::dense_weight_gradient::<T, S, Keys<F, O, K>>(simd, m, grad_v, wv, bv);

                    let (wq, wk, wv) = (self.wq.trained(), self.wk.trained(), self.wv.trained());
                    let grad_x = grad_query.as_deref_mut().map(|all| all[sample].numbers_mut());
                    let grad_m = grad_memory.as_deref_mut().map(|all| all[sample].numbers_mut());
                    let more = saved.grad_memory.numbers_mut();
                    // What the memory of a sequence to itself adds goes to the sequence.
                    let (grad_m, first) = match (grad_x, grad_m) {
                        (Some(grad_x), grad_m) => {
                            gemm::dense_input_gradient::<T, S, Queries<F, O, Q>>(simd, grad_q, wq, grad_x);
                            if F::ITSELF { (Some(grad_x), false) } else { (grad_m, true) }
                        }
                        (None, grad_m) => (grad_m, true),
                    };
                    if let Some(grad_m) = grad_m {
                        if first {
                            gemm::dense_input_gradient::<T, S, Keys<F, O, K>>(simd, grad_k, wk, grad_m);
                        } else {
                            gemm::dense_input_gradient::<T, S, Keys<F, O, K>>(simd, grad_k, wk, more);
                            add_assign(simd, grad_m, more);
                        }
                        gemm::dense_input_gradient::<T, S, Keys<F, O, K>>(simd, grad_v, wv, more);
                        add_assign(simd, grad_m, more);
                    }
                }
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests;
