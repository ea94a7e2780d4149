//! Graph attention of Brody, Alon and Yahav, *How attentive are graph attention networks?* (2022), whose ranking of the
//! neighbors depends on the node that asks: GATv2.
//!
//! `u = x·Ws`, `v = x·Wt`; for each head and each edge `e` from `j` to `i`, `s[e] = a·LeakyReLU(u[j] + v[i])`,
//! `p[e] = exp s[e] / Σ exp s` over the edges that reach `i`, and `y[i] = b + Σ p[e]·u[j]`, the heads side by side.
//! An edge of each node to itself is added.
//!
//! | tensor | shape | initial value |
//! | --- | --- | --- |
//! | `x` | `[NODES, IN]` | |
//! | edges | see [`graph`](super) | |
//! | `source` (Ws), `target` (Wt) | `[IN, HEADS·D]` | random |
//! | `attention` (a) | `[HEADS, D]` | random |
//! | `bias` (b) | `[HEADS·D]`, or `[0]`: none | 0 |
//! | `y` | `[NODES, HEADS·D]` | |
//!
//! In training, each `p` may be dropped, as in [`GraphAttention`](super::GraphAttention).

use core::marker::PhantomData;

use super::softmax::{Sample, add_bias, attend, bias_gradient, derive, leaky, leaky_slope};
use super::{Graph, Mapped, Number, check_edges, nodes, row, row_mut};
use crate::activation::Identity;
use crate::kernels::elementwise::{add_assign, zip3, zip3_to};
use crate::kernels::gemm;
use crate::kernels::reduce::sum;
use crate::layer::{Batch, GradientOf, Layer, Pass, outline_layer};
use crate::memory::zeroed;
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::{Real, Vector};
use crate::simd::Simd;
use crate::tensor::Tensor;

/// Attention over the graph `G` with weights `W` and heads `A` (`[[T; D]; HEADS]`) that gives a `Y`; `SLOPE` and `RATE`
/// are those of the `LeakyReLU` and of the dropout of weights, as [`bits`](crate::scalar::bits).
///
/// In a network, write `(x, edges) |> GraphAttention(64, heads = 8, version = v2)`; the options are those of
/// [`GraphAttention`](super::GraphAttention).
///
/// ```
/// use monomorph::prelude::*;
///
/// network! {
///     pub Look(x: [3, 2], edges: [[u16; 2]; 2]) -> [3, 2] { (x, edges) |> GraphAttention(2, heads = 1, version = v2) }
/// }
/// let mut net = Look::zeroed();
/// net.attention1.source = [[1.0, 0.0], [0.0, 1.0]];
/// // Without anything to look for, it takes the mean.
/// let y = net.evaluate(&LookInput { x: [[2.0, 4.0], [6.0, 8.0], [1.0, 1.0]], edges: [[0, 1], [2, 1]] });
/// assert!((y[1][0] - 3.0).abs() < 1e-6 && y[2] == [1.0, 1.0]);
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[parameters(of = A)]
#[repr(C)]
pub struct GraphAttentionV2<
    G,
    W: Tensor,
    A: Tensor,
    Y,
    B: Tensor,
    const HEADS: usize,
    const SLOPE: u64,
    const RATE: u64,
> {
    /// Ws: what each node passes on.
    #[parameters(tensor)]
    pub source: W,
    /// Wt: what each node asks.
    #[parameters(tensor)]
    pub target: W,
    /// a: what is looked for, for each head.
    #[parameters(tensor)]
    pub attention: A,
    /// b.
    #[parameters(tensor, start = 0.0)]
    pub bias: B,
    /// The graph and the output.
    pub shapes: PhantomData<(G, Y)>,
}

/// The memory of a pass over one sample.
#[derive(Plain)]
#[repr(C)]
pub struct Scratch<Y: Tensor, E: Tensor> {
    sources: Y,
    targets: Y,
    totals: E,
    sums: E,
}

/// What attention saves of a batch, and the scratch memory of a sample.
#[derive(Plain)]
#[repr(C)]
pub struct Saved<Y: Tensor, E: Tensor, X: Tensor, const B: usize> {
    noise: Noise,
    sources: [Y; B],
    targets: [Y; B],
    totals: [E; B],
    grad_sources: Y,
    grad_targets: Y,
    sums: E,
    more: X,
}

/// A number for each head of each node.
type PerHead<G, const HEADS: usize> = <<G as Graph>::Nodes as Tensor>::WithLast<[Number<G>; HEADS]>;

impl<T, G, W, A, Y, Bias, const HEADS: usize, const SLOPE: u64, const RATE: u64>
    GraphAttentionV2<G, W, A, Y, Bias, HEADS, SLOPE, RATE>
where
    T: Real,
    G: Graph<Nodes: Tensor<Element = T>>,
    W: Tensor<Element = T>,
    A: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    Bias: Tensor<Element = T>,
{
    const SHAPE: () = {
        let (&[nodes, features], &[rows, units]) = (<G::Nodes as Tensor>::SHAPE, Y::SHAPE) else {
            panic!("GraphAttention: nodes are `[NODES, FEATURES]`")
        };
        assert!(nodes > 0 && features > 0 && units > 0, "GraphAttention: a size is 0");
        assert!(nodes == rows, "GraphAttention: input and output differ in nodes");
        assert!(
            matches!(W::SHAPE, &[a, b] if a == features && b == units),
            "GraphAttention: a weight is `[[T; OUT]; IN]`"
        );
        let &[heads, head] = A::SHAPE else { panic!("GraphAttention: what is looked for is `[[T; D]; HEADS]`") };
        assert!(heads == HEADS && heads * head == units, "GraphAttention: the heads divide the features");
        assert!(Bias::LEN == units || Bias::LEN == 0, "GraphAttention: the bias has a number for each output, or none");
        assert!(G::FEATURES == 0, "GraphAttention: edges have no weights here");
        assert!(
            f64::from_bits(SLOPE) >= 0.0 && f64::from_bits(SLOPE) <= 1.0,
            "GraphAttention: the slope is from 0 to 1"
        );
    };

    /// The scores of an edge.
    #[inline(always)]
    fn score<S: Simd>(&self, simd: S, [sources, targets]: [&[T]; 2], [from, to]: [usize; 2], scores: &mut [T; HEADS]) {
        let (source, target) = (row(sources, from, Y::CHANNELS), row(targets, to, Y::CHANNELS));
        for (head, score) in scores.iter_mut().enumerate() {
            let [u, v, a] = [source, target, self.attention.numbers()].map(
                #[inline(always)]
                |all| row(all, head, A::CHANNELS),
            );
            let mut found = zeroed::<A::Item>();
            zip3_to(
                simd,
                u,
                v,
                a,
                found.numbers_mut(),
                #[inline(always)]
                |u, v, a| a * leaky::<T, S, SLOPE>(simd, u + v),
            );
            *score = sum(simd, found.numbers());
        }
    }

    /// The product of the nodes and a weight.
    #[inline(always)]
    fn product<S: Simd>(simd: S, x: &[T], weight: &W, product: &mut [T]) {
        gemm::dense_forward::<T, T, S, Identity, Mapped<G::Nodes, Y, [T; 0]>>(
            simd,
            x,
            weight.numbers(),
            &[],
            &[],
            product,
        );
    }

    /// The output of a sample.
    #[inline(always)]
    fn attended<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        index: usize,
        [sources, targets, totals, sums]: [&mut [T]; 4],
        output: &mut [T],
        noise: Option<&mut Noise>,
    ) {
        let x = G::open::<B>(input).0[index].numbers();
        // No loop: the compiler then knows how long each product is.
        Self::product(simd, x, &self.source, sources);
        Self::product(simd, x, &self.target, targets);
        let both = [&*sources, &*targets];
        attend::<T, S, G, B, HEADS, RATE>(
            simd,
            Sample { input, index, values: sources, width: Y::CHANNELS },
            #[inline(always)]
            |from, to, scores| self.score(simd, both, [from, to], scores),
            [totals, sums, &mut *output],
            noise,
        );
        add_bias(simd, self.bias.numbers(), output);
    }

    /// [`evaluate`](Layer::evaluate), or [`sample`](Layer::sample) with noise.
    #[inline(always)]
    fn run<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        output: &mut [Y; B],
        workspace: &mut Scratch<Y, PerHead<G, HEADS>>,
        mut noise: Option<&mut Noise>,
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for (sample, output) in output.iter_mut().enumerate() {
                    let Scratch { sources, targets, totals, sums } = workspace;
                    let (sources, targets) = (sources.numbers_mut(), targets.numbers_mut());
                    let parts = [sources, targets, totals.numbers_mut(), sums.numbers_mut()];
                    self.attended::<S, B>(simd, input, sample, parts, output.numbers_mut(), noise.as_deref_mut());
                }
            },
        );
    }
}

impl<T, G, W, A, Y, Bias, const HEADS: usize, const SLOPE: u64, const RATE: u64> Layer
    for GraphAttentionV2<G, W, A, Y, Bias, HEADS, SLOPE, RATE>
where
    T: Real,
    G: Graph<Nodes: Tensor<Element = T>>,
    W: Tensor<Element = T>,
    A: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    Bias: Tensor<Element = T>,
{
    type Input = G::Input;
    type Output = Y;
    type Saved<const B: usize> = Saved<Y, PerHead<G, HEADS>, G::Nodes, B>;
    type Workspace<const B: usize> = Scratch<Y, PerHead<G, HEADS>>;
    const MACS: usize = 2 * W::SHAPE[0] * Y::LEN + 2 * (nodes::<G>() + G::EDGES) * Y::CHANNELS;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        output: &mut [Y; B],
        workspace: &mut Self::Workspace<B>,
    ) {
        self.run::<S, B>(simd, input, output, workspace, None);
    }

    #[inline(always)]
    fn sample<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        output: &mut [Y; B],
        workspace: &mut Self::Workspace<B>,
        noise: &mut Noise,
    ) {
        self.run::<S, B>(simd, input, output, workspace, (f64::from_bits(RATE) > 0.0).then_some(noise));
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        output: &mut [Y; B],
        saved: &mut Self::Saved<B>,
        pass: &mut Pass<T>,
    ) {
        let () = Self::SHAPE;
        check_edges::<G, B>(input, pass);
        saved.noise = pass.noise;
        let mut noise = (f64::from_bits(RATE) > 0.0).then_some(&mut pass.noise);
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for (sample, output) in output.iter_mut().enumerate() {
                    let (sources, targets) = (&mut saved.sources[sample], &mut saved.targets[sample]);
                    let (totals, sums) = (saved.totals[sample].numbers_mut(), saved.sums.numbers_mut());
                    let parts = [sources.numbers_mut(), targets.numbers_mut(), totals, sums];
                    self.attended::<S, B>(simd, input, sample, parts, output.numbers_mut(), noise.as_deref_mut());
                }
            },
        );
    }

    /// With `∂s` of each edge as in [`derive`]'s formula, `z = u[j] + v[i]` and `∂z = ∂s·a·LeakyReLU′(z)`:
    /// `∂a += ∂s·LeakyReLU(z)`, `∂u[j] += p·∂y[i] + ∂z`, `∂v[i] += ∂z`; then `∂Ws += xᵀ·∂u`, `∂Wt += xᵀ·∂v`,
    /// `∂x = ∂u·Wsᵀ + ∂v·Wtᵀ`, `∂b += Σ ∂y` over the nodes.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        output: &[Y; B],
        saved: &mut Self::Saved<B>,
        grad_output: &mut [Y; B],
        grad_input: GradientOf<'_, G::Input, B>,
        gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (nodes, mut grad_nodes) = (G::open::<B>(input).0, G::gradients::<B>(grad_input).0);
                let mut noise = saved.noise;
                for (index, (y, grad_y)) in output.iter().zip(&*grad_output).enumerate() {
                    let both = [saved.sources[index].numbers(), saved.targets[index].numbers()];
                    let (grad_u, grad_v) = (saved.grad_sources.numbers_mut(), saved.grad_targets.numbers_mut());
                    grad_u.fill(T::ZERO);
                    grad_v.fill(T::ZERO);
                    let grad_attention = gradient.attention.numbers_mut();
                    derive::<T, S, G, B, HEADS, RATE>(
                        simd,
                        Sample { input, index, values: both[0], width: Y::CHANNELS },
                        #[inline(always)]
                        |from, to, scores| self.score(simd, both, [from, to], scores),
                        [saved.totals[index].numbers(), y.numbers(), self.bias.numbers(), grad_y.numbers()],
                        [saved.sums.numbers_mut(), &mut *grad_u],
                        (f64::from_bits(RATE) > 0.0).then_some(&mut noise),
                        #[inline(always)]
                        |from, to, slopes, grad_u| {
                            let (source, target) = (row(both[0], from, Y::CHANNELS), row(both[1], to, Y::CHANNELS));
                            let grad_v = row_mut(grad_v, to, Y::CHANNELS);
                            for (head, slope) in slopes.iter().enumerate() {
                                let slope = T::Vector::<S>::splat(simd, *slope);
                                let [u, v, a] = [source, target, self.attention.numbers()].map(
                                    #[inline(always)]
                                    |all| row(all, head, A::CHANNELS),
                                );
                                let mut inner = zeroed::<A::Item>();
                                zip3_to(
                                    simd,
                                    u,
                                    v,
                                    a,
                                    inner.numbers_mut(),
                                    #[inline(always)]
                                    |u, v, a| slope * a * leaky_slope::<T, S, SLOPE>(simd, u + v),
                                );
                                add_assign(simd, row_mut(grad_u, head, A::CHANNELS), inner.numbers());
                                add_assign(simd, row_mut(grad_v, head, A::CHANNELS), inner.numbers());
                                zip3(
                                    simd,
                                    row_mut(grad_attention, head, A::CHANNELS),
                                    u,
                                    v,
                                    #[inline(always)]
                                    |sum, u, v| slope.mul_add(leaky::<T, S, SLOPE>(simd, u + v), sum),
                                );
                            }
                        },
                    );
                    bias_gradient(simd, grad_y.numbers(), gradient.bias.numbers_mut());
                    let x = nodes[index].numbers();
                    type Rows<X, Y, T> = Mapped<X, Y, [T; 0]>;
                    let (source, target) = (gradient.source.numbers_mut(), gradient.target.numbers_mut());
                    gemm::dense_weight_gradient::<T, S, Rows<G::Nodes, Y, T>>(simd, x, grad_u, source, &mut []);
                    gemm::dense_weight_gradient::<T, S, Rows<G::Nodes, Y, T>>(simd, x, grad_v, target, &mut []);
                    if let Some(all) = grad_nodes.as_deref_mut() {
                        let (grad_x, more) = (all[index].numbers_mut(), saved.more.numbers_mut());
                        let (source, target) = (self.source.numbers(), self.target.numbers());
                        gemm::dense_input_gradient::<T, S, Rows<G::Nodes, Y, T>>(simd, grad_u, source, grad_x);
                        gemm::dense_input_gradient::<T, S, Rows<G::Nodes, Y, T>>(simd, grad_v, target, more);
                        add_assign(simd, grad_x, more);
                    }
                }
            },
        );
    }
}
