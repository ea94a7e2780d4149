//! Graph attention of Veličković et al., *Graph attention networks* (2018): every node takes a mean of its neighbors
//! and itself, weighted by what it finds in them.
//!
//! `h = x·W`; for each head and each edge `e` from `j` to `i`, `s[e] = LeakyReLU(a·h[j] + c·h[i])`,
//! `p[e] = exp s[e] / Σ exp s` over the edges that reach `i`, and `y[i] = b + Σ p[e]·h[j]`, the heads side by side.
//! An edge of each node to itself is added.
//!
//! | tensor | shape | initial value |
//! | --- | --- | --- |
//! | `x` | `[NODES, IN]` | |
//! | edges | see [`graph`](super) | |
//! | `weight` (W) | `[IN, HEADS·D]`, or `[0, HEADS·D]`: none, and `h = x` | random |
//! | `source` (a), `target` (c) | `[HEADS, D]` | random |
//! | `bias` (b) | `[HEADS·D]`, or `[0]`: none | 0 |
//! | `y` | `[NODES, HEADS·D]` | |
//!
//! In training, each `p` may be dropped, as in [`Dropout`](crate::layers::Dropout). No weight of an edge is stored:
//! passes compute them again from the logarithm of each node's sum, so memory grows with the number of nodes only.

use core::marker::PhantomData;

use super::softmax::{Sample, add_bias, attend, bias_gradient, derive, leaky, leaky_slope};
use super::{Graph, Mapped, Number, check_edges, nodes, row, row_mut};
use crate::activation::Identity;
use crate::kernels::elementwise::{add_assign, add_scaled, zip_to, zip3_to};
use crate::kernels::gemm;
use crate::kernels::reduce::dot;
use crate::layer::{Batch, GradientOf, Layer, Pass, outline_layer};
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Real;
use crate::simd::Simd;
use crate::tensor::Tensor;

/// Attention over the graph `G` with heads `A` (`[[T; D]; HEADS]`) that gives a `Y`; `SLOPE` and `RATE` are those of
/// the `LeakyReLU` and of the dropout of weights, as [`bits`](crate::scalar::bits).
///
/// In a network, write `(x, edges) |> GraphAttention(64, heads = 8)`: 64 features, 8 of each head. Options:
/// `dropout = 0.6`, `slope = 0.2`, `bias = false`, `weight = false`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! {
///     pub Look(x: [3, 2], edges: [[u16; 2]; 2]) -> [3, 2] { (x, edges) |> GraphAttention(heads = 1, weight = false) }
/// }
/// // Without anything to look for, it takes the mean.
/// let net = Look::zeroed();
/// let y = net.evaluate(&LookInput { x: [[2.0, 4.0], [6.0, 8.0], [1.0, 1.0]], edges: [[0, 1], [2, 1]] });
/// assert!((y[1][0] - 3.0).abs() < 1e-6 && y[2] == [1.0, 1.0]);
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[parameters(of = A)]
#[repr(C)]
pub struct GraphAttention<G, W: Tensor, A: Tensor, Y, B: Tensor, const HEADS: usize, const SLOPE: u64, const RATE: u64>
{
    /// W: a row of `HEADS·D` numbers for each input.
    #[parameters(tensor)]
    pub weight: W,
    /// a: what is looked for in the node that passes something on, for each head.
    #[parameters(tensor)]
    pub source: A,
    /// c: what is looked for in the node that it is passed to, for each head.
    #[parameters(tensor)]
    pub target: A,
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
    product: Y,
    sources: E,
    targets: E,
    totals: E,
    sums: E,
}

/// What attention saves of a batch, and the scratch memory of a sample.
#[derive(Plain)]
#[repr(C)]
pub struct Saved<Y: Tensor, E: Tensor, const B: usize> {
    noise: Noise,
    product: [Y; B],
    sources: [E; B],
    targets: [E; B],
    totals: [E; B],
    grad_product: Y,
    grad_sources: E,
    grad_targets: E,
    sums: E,
}

/// A number for each head of each node.
type PerHead<G, const HEADS: usize> = <<G as Graph>::Nodes as Tensor>::WithLast<[Number<G>; HEADS]>;

impl<T, G, W, A, Y, Bias, const HEADS: usize, const SLOPE: u64, const RATE: u64>
    GraphAttention<G, W, A, Y, Bias, HEADS, SLOPE, RATE>
where
    T: Real,
    G: Graph<Nodes: Tensor<Element = T>>,
    W: Tensor<Element = T>,
    A: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    Bias: Tensor<Element = T>,
{
    const WEIGHTED: bool = W::SHAPE[0] > 0;

    const SHAPE: () = {
        let (&[nodes, features], &[rows, units]) = (<G::Nodes as Tensor>::SHAPE, Y::SHAPE) else {
            panic!("GraphAttention: nodes are `[NODES, FEATURES]`")
        };
        assert!(nodes > 0 && features > 0 && units > 0, "GraphAttention: a size is 0");
        assert!(nodes == rows, "GraphAttention: input and output differ in nodes");
        let &[inputs, columns] = W::SHAPE else { panic!("GraphAttention: the weight is `[[T; OUT]; IN]`") };
        assert!(columns == units, "GraphAttention: the weight has a column for each output");
        assert!(inputs == features || inputs == 0, "GraphAttention: the weight has a row for each input");
        assert!(
            inputs > 0 || features == units,
            "GraphAttention: without a weight, input and output have the same features"
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

    /// `x·W`, and for each head and node what is found: `a·h` and `c·h`.
    #[inline(always)]
    fn project<S: Simd>(&self, simd: S, x: &[T], [product, sources, targets]: [&mut [T]; 3]) {
        if Self::WEIGHTED {
            gemm::dense_forward::<T, T, S, Identity, Mapped<G::Nodes, Y, [T; 0]>>(
                simd,
                x,
                self.weight.numbers(),
                &[],
                &[],
                product,
            );
        } else {
            product.copy_from_slice(x);
        }
        let heads = product.chunks_exact(A::CHANNELS).zip(sources.iter_mut().zip(targets));
        for (index, (h, (source, target))) in heads.enumerate() {
            *source = dot(simd, h, row(self.source.numbers(), index % HEADS, A::CHANNELS));
            *target = dot(simd, h, row(self.target.numbers(), index % HEADS, A::CHANNELS));
        }
    }

    /// The scores of an edge.
    #[inline(always)]
    fn score<S: Simd>(simd: S, sources: &[T], targets: &[T], from: usize, to: usize, scores: &mut [T; HEADS]) {
        zip_to(
            simd,
            row(sources, from, HEADS),
            row(targets, to, HEADS),
            scores,
            #[inline(always)]
            |source, target| leaky::<T, S, SLOPE>(simd, source + target),
        );
    }

    /// The output of a sample.
    #[inline(always)]
    fn attended<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        index: usize,
        [product, sources, targets, totals, sums]: [&mut [T]; 5],
        output: &mut [T],
        noise: Option<&mut Noise>,
    ) {
        let x = G::open::<B>(input).0[index].numbers();
        self.project(simd, x, [&mut *product, &mut *sources, &mut *targets]);
        let (sources, targets) = (&*sources, &*targets);
        attend::<T, S, G, B, HEADS, RATE>(
            simd,
            Sample { input, index, values: product, width: Y::CHANNELS },
            #[inline(always)]
            |from, to, scores| Self::score(simd, sources, targets, from, to, scores),
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
                    let Scratch { product, sources, targets, totals, sums } = workspace;
                    let (product, sources, targets) =
                        (product.numbers_mut(), sources.numbers_mut(), targets.numbers_mut());
                    let parts = [product, sources, targets, totals.numbers_mut(), sums.numbers_mut()];
                    self.attended::<S, B>(simd, input, sample, parts, output.numbers_mut(), noise.as_deref_mut());
                }
            },
        );
    }
}

impl<T, G, W, A, Y, Bias, const HEADS: usize, const SLOPE: u64, const RATE: u64> Layer
    for GraphAttention<G, W, A, Y, Bias, HEADS, SLOPE, RATE>
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
    type Saved<const B: usize> = Saved<Y, PerHead<G, HEADS>, B>;
    type Workspace<const B: usize> = Scratch<Y, PerHead<G, HEADS>>;
    const MACS: usize = W::SHAPE[0] * Y::LEN + 2 * Y::LEN + (nodes::<G>() + G::EDGES) * Y::CHANNELS;

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
                    let (product, totals) = (saved.product[sample].numbers_mut(), saved.totals[sample].numbers_mut());
                    let parts =
                        [product, sources.numbers_mut(), targets.numbers_mut(), totals, saved.sums.numbers_mut()];
                    self.attended::<S, B>(simd, input, sample, parts, output.numbers_mut(), noise.as_deref_mut());
                }
            },
        );
    }

    /// With `∂s` of each edge as in [`derive`]'s formula and `∂z = ∂s·LeakyReLU′`: `∂a += ∂z·h[j]`, `∂c += ∂z·h[i]`,
    /// `∂h[j] += p·∂y[i] + ∂z·a`, `∂h[i] += ∂z·c`; then `∂W += xᵀ·∂h`, `∂x = ∂h·Wᵀ`, `∂b += Σ ∂y` over the nodes.
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
                    let (h, grad_h) = (saved.product[index].numbers(), saved.grad_product.numbers_mut());
                    let (sources, targets) = (saved.sources[index].numbers(), saved.targets[index].numbers());
                    let (grad_sources, grad_targets) =
                        (saved.grad_sources.numbers_mut(), saved.grad_targets.numbers_mut());
                    for numbers in [&mut *grad_h, &mut *grad_sources, &mut *grad_targets] {
                        numbers.fill(T::ZERO);
                    }
                    derive::<T, S, G, B, HEADS, RATE>(
                        simd,
                        Sample { input, index, values: h, width: Y::CHANNELS },
                        #[inline(always)]
                        |from, to, scores| Self::score(simd, sources, targets, from, to, scores),
                        [saved.totals[index].numbers(), y.numbers(), self.bias.numbers(), grad_y.numbers()],
                        [saved.sums.numbers_mut(), &mut *grad_h],
                        (f64::from_bits(RATE) > 0.0).then_some(&mut noise),
                        #[inline(always)]
                        |from, to, slopes, _| {
                            let mut inner = [T::ZERO; HEADS];
                            zip3_to(
                                simd,
                                row(sources, from, HEADS),
                                row(targets, to, HEADS),
                                slopes,
                                &mut inner,
                                #[inline(always)]
                                |source, target, slope| slope * leaky_slope::<T, S, SLOPE>(simd, source + target),
                            );
                            add_assign(simd, row_mut(grad_sources, from, HEADS), &inner);
                            add_assign(simd, row_mut(grad_targets, to, HEADS), &inner);
                        },
                    );
                    let heads = h.chunks_exact(A::CHANNELS).zip(grad_h.chunks_exact_mut(A::CHANNELS));
                    let slopes = grad_sources.iter().zip(&*grad_targets);
                    for (place, ((h, grad_h), (source, target))) in heads.zip(slopes).enumerate() {
                        let head = place % HEADS;
                        add_scaled(simd, grad_h, row(self.source.numbers(), head, A::CHANNELS), *source);
                        add_scaled(simd, grad_h, row(self.target.numbers(), head, A::CHANNELS), *target);
                        add_scaled(simd, row_mut(gradient.source.numbers_mut(), head, A::CHANNELS), h, *source);
                        add_scaled(simd, row_mut(gradient.target.numbers_mut(), head, A::CHANNELS), h, *target);
                    }
                    bias_gradient(simd, grad_y.numbers(), gradient.bias.numbers_mut());
                    let grad_x = grad_nodes.as_deref_mut().map(|all| all[index].numbers_mut());
                    if Self::WEIGHTED {
                        let (x, weight) = (nodes[index].numbers(), gradient.weight.numbers_mut());
                        gemm::dense_weight_gradient::<T, S, Mapped<G::Nodes, Y, [T; 0]>>(
                            simd,
                            x,
                            grad_h,
                            weight,
                            &mut [],
                        );
                        if let Some(grad_x) = grad_x {
                            let weight = self.weight.numbers();
                            gemm::dense_input_gradient::<T, S, Mapped<G::Nodes, Y, [T; 0]>>(
                                simd, grad_h, weight, grad_x,
                            );
                        }
                    } else if let Some(grad_x) = grad_x {
                        grad_x.copy_from_slice(grad_h);
                    }
                }
            },
        );
    }
}
