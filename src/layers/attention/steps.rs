//! Attention step by step, with the keys and values of the steps before in memory.

use super::heads::{from, place, powers, scores};
use super::rotary::{Rotation, Turning};
use super::{Attended, Heads, Itself, MultiHeadAttention, Rows, Sizes};
use crate::activation::Identity;
use crate::kernels::elementwise;
use crate::kernels::gemm::{self, Extent, Strided};
use crate::layer::outline_layer;
use crate::memory;
use crate::plain::Plain;
use crate::scalar::Real;
use crate::simd::Simd;
use crate::streaming::Streaming;
use crate::tensor::Tensor;
use crate::weight::Weight;

/// The keys and values of as many steps as the declared sequence has. After those, each step replaces the oldest.
#[derive(Clone, Debug, PartialEq, Plain)]
#[repr(C)]
pub struct Cache<K, W> {
    /// In blocks of steps, a row for each feature.
    keys: K,
    /// A row for each step.
    values: K,
    /// The weights of all steps for each head: memory of the pass over a step.
    weights: W,
    /// The number of the next step.
    position: u64,
    /// The number of the next step's row, and how many steps there are.
    next: usize,
    filled: usize,
}

/// The products of the queries that share a head of keys.
struct StepScores<L>(L);
struct StepMeans<L>(L);

impl<L: Sizes> Extent for StepScores<L> {
    const ROWS: usize = L::SHARING;
    const COLUMNS: usize = L::WIDTH;
}

impl<L: Sizes> Extent for StepMeans<L> {
    const ROWS: usize = L::SHARING;
    const COLUMNS: usize = L::HEAD;
}

/// Causal attention of a sequence to itself. A step attends to itself and to as many steps before it as the declared
/// sequence has: within that length, steps equal the pass over the whole sequence, and then the oldest are forgotten.
/// Rotary positions go on beyond the length, because only distances matter.
impl<T, X, O, Q, K, WQ, WK, WO> Streaming for MultiHeadAttention<Itself<X>, O, Q, K, WQ, WK, WO>
where
    T: Real,
    X: Tensor<Element = T>,
    O: Heads,
    Q: Tensor<Element = T>,
    K: Tensor<Element = T>,
    WQ: Weight<Scalar = T>,
    WK: Weight<Scalar = T>,
    WO: Weight<Scalar = T>,
    Itself<X>: Attended<Query = X, Memory = X, Input = X>,
{
    type State = Cache<X::WithLast<K>, X::WithLast<O::Each<T>>>;
    type StepInput = X::Item;
    type StepOutput = X::Item;

    #[inline(always)]
    fn step<S: Simd>(&self, simd: S, state: &mut Self::State, input: &X::Item, output: &mut X::Item) {
        let () = Self::SHAPE;
        const { assert!(O::CAUSAL, "attention runs step by step if it is causal: `SelfAttention(heads = 4, causal)`") };
        outline_layer::<Self, 1, _, _>(
            simd,
            #[inline(always)]
            || {
                let (mut q, mut k, mut v) = (memory::zeroed::<Q>(), memory::zeroed::<K>(), memory::zeroed::<K>());
                let (q, k, v, x) = (q.numbers_mut(), k.numbers_mut(), v.numbers_mut(), input.numbers());
                let (wq, wk, wv, wo) = (&self.wq, &self.wk, &self.wv, &self.wo);
                let (bq, bk, bv) = (self.bq.numbers(), self.bk.numbers(), self.bv.numbers());
                gemm::dense_forward::<T, WQ::Format, S, Identity, Rows<X::Item, Q, O::Bias<Q>>>(
                    simd,
                    x,
                    wq.packed(),
                    wq.scale(),
                    bq,
                    q,
                );
                gemm::dense_forward::<T, WK::Format, S, Identity, Rows<X::Item, K, O::Bias<K>>>(
                    simd,
                    x,
                    wk.packed(),
                    wk.scale(),
                    bk,
                    k,
                );
                gemm::dense_forward::<T, WK::Format, S, Identity, Rows<X::Item, K, O::Bias<K>>>(
                    simd,
                    x,
                    wv.packed(),
                    wv.scale(),
                    bv,
                    v,
                );
                elementwise::scale(simd, q, Self::factor());
                let Cache { keys, values, weights, position, next, filled } = state;
                let mut context = memory::zeroed::<Q>();
                if O::Rotation::TURNS {
                    // Half the numbers of the first head, and those of its other half.
                    let (cosines, sines) = context.numbers_mut().split_at_mut(Self::HEAD / 2);
                    let mut turning = Turning { cosines, sines };
                    turning.set(Self::angles(), *position, false);
                    turning.turn::<O::Rotation>(q, Self::HEAD);
                    turning.turn::<O::Rotation>(k, Self::HEAD);
                }
                *position = position.wrapping_add(1);
                let row = if *next < Self::KEYS { *next } else { 0 };
                *next = row + 1;
                *filled = (*filled + 1).min(Self::KEYS);
                for (feature, k) in k.iter().enumerate() {
                    if let Some(to) = keys.numbers_mut().get_mut(place::<Self>(row, feature)) {
                        *to = *k;
                    }
                }
                let there = values.numbers_mut().chunks_exact_mut(K::LEN).nth(row);
                there.unwrap_or(&mut []).iter_mut().zip(&*v).for_each(|(to, v)| *to = *v);

                let (weights, context) = (weights.numbers_mut(), context.numbers_mut());
                let (keys, values, reach) = (keys.numbers(), values.numbers(), *filled);
                let shared = Self::SHARING * Self::HEAD;
                let heads = context.chunks_exact_mut(shared).zip(q.chunks_exact(shared));
                for (head, (context, q)) in heads.enumerate() {
                    let (of, rows) = (head * Self::HEAD, [Self::SHARING, reach]);
                    let q = Strided { numbers: q, row: Self::HEAD, step: 1 };
                    scores::<T, S, Self, StepScores<Self>>(simd, rows, q, (keys, of), weights);
                    for weights in weights.chunks_exact_mut(Self::KEYS).take(Self::SHARING) {
                        let weights = weights.get_mut(..reach).unwrap_or_default();
                        let (_, sum) = powers(simd, weights, reach);
                        elementwise::scale(simd, weights, T::ONE / sum);
                    }
                    let (p, v) = (Strided { numbers: weights, row: Self::KEYS, step: 1 }, (from(values, of), K::LEN));
                    gemm::product::<T, S, StepMeans<Self>, false>(simd, rows, p, v, (context, Self::HEAD));
                }
                gemm::dense_forward::<T, WO::Format, S, Identity, Rows<Q, X::Item, O::Bias<X::Last>>>(
                    simd,
                    context,
                    wo.packed(),
                    wo.scale(),
                    self.bo.numbers(),
                    output.numbers_mut(),
                );
            },
        );
    }
}
