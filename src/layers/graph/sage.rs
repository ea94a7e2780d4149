//! GraphSAGE: Hamilton, Ying and Leskovec, *Inductive representation learning on large graphs* (2017). What a node is
//! and what its neighbors are pass through weights of their own.
//!
//! `y[i] = x[i]·R + m[i]·W + b`, where `m[i]` is the mean or, feature by feature, the maximum of `x[j]` over the edges
//! from `j` to `i`, and 0 if there are none
//!
//! | tensor | shape | initial value |
//! | --- | --- | --- |
//! | `x` | `[NODES, IN]` | |
//! | edges | see [`graph`](super) | |
//! | `neighbour` (W), `root` (R) | `[IN, OUT]` | random |
//! | `bias` (b) | `[OUT]`, or `[0]`: none | 0 |
//! | `y` | `[NODES, OUT]` | |

use core::marker::PhantomData;

use super::{Aggregation, Graph, Link, Links, Mapped, PerNode, at, check_edges, collect, nodes, row, row_mut, shares};
use crate::activation::Identity;
use crate::kernels::elementwise::{add_assign, add_scaled, scale};
use crate::kernels::gemm;
use crate::layer::{Batch, GradientOf, Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::Tensor;

/// A GraphSAGE layer over the graph `G`, with the [`Mean`](super::Mean), [`Max`](super::Max) or [`Sum`](super::Sum) of
/// the neighbors, that gives a `Y`.
///
/// In a network, write `(x, edges) |> GraphSage(16)`, `GraphSage(16, aggregate = max)`; option: `bias = false`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Near(x: [3, 1], edges: [[u16; 2]; 2]) -> [3, 1] { (x, edges) |> GraphSage(1) } }
/// let mut net = Near::zeroed();
/// (net.sage1.neighbour, net.sage1.root) = ([[1.0]], [[100.0]]);
/// let y = net.evaluate(&NearInput { x: [[2.0], [1.0], [6.0]], edges: [[0, 1], [2, 1]] });
/// assert_eq!(y, [[200.0], [104.0], [600.0]]);
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[parameters(of = W)]
#[repr(C)]
pub struct GraphSage<G, A, W: Tensor, Y, B: Tensor> {
    /// W: the weight of the neighbors.
    #[parameters(tensor)]
    pub neighbour: W,
    /// R: the weight of the node itself.
    #[parameters(tensor)]
    pub root: W,
    /// b.
    #[parameters(tensor, start = 0.0)]
    pub bias: B,
    /// The graph, how neighbors become one, and the output.
    pub shapes: PhantomData<(G, A, Y)>,
}

/// The memory of a pass over one sample.
#[derive(Plain)]
#[repr(C)]
pub struct Scratch<X: Tensor, R: Tensor, K: Tensor, Y: Tensor> {
    gathered: X,
    shares: R,
    winners: K,
    more: Y,
}

/// What the layer saves of a batch, and the scratch memory of a sample.
#[derive(Plain)]
#[repr(C)]
pub struct Saved<X: Tensor, R: Tensor, K: Tensor, Y: Tensor, const B: usize> {
    gathered: [X; B],
    shares: [R; B],
    winners: [K; B],
    grad_gathered: X,
    more: Y,
}

impl<T, G, A, W, Y, Bias> GraphSage<G, A, W, Y, Bias>
where
    T: Scalar,
    G: Graph<Nodes: Tensor<Element = T>>,
    A: Aggregation,
    W: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    Bias: Tensor<Element = T>,
{
    /// The numbers of a node.
    const IN: usize = <G::Nodes as Tensor>::CHANNELS;

    const SHAPE: () = {
        let (&[nodes, features], &[rows, units]) = (<G::Nodes as Tensor>::SHAPE, Y::SHAPE) else {
            panic!("GraphSage: nodes are `[NODES, FEATURES]`")
        };
        assert!(nodes > 0 && features > 0 && units > 0, "GraphSage: a size is 0");
        assert!(nodes == rows, "GraphSage: input and output differ in nodes");
        assert!(matches!(W::SHAPE, &[a, b] if a == features && b == units), "GraphSage: a weight is `[[T; OUT]; IN]`");
        assert!(Bias::LEN == units || Bias::LEN == 0, "GraphSage: the bias has a number for each output, or none");
        assert!(G::FEATURES == 0, "GraphSage: edges have no weights here");
    };

    /// The output of a sample.
    #[inline(always)]
    fn sage<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        sample: usize,
        [gathered, each, more]: [&mut [T]; 3],
        winners: &mut [u32],
        output: &mut [T],
    ) {
        let x = G::open::<B>(input).0[sample].numbers();
        shares::<A, G, B>(input, sample, each);
        gathered.fill(T::ZERO);
        winners.fill(0);
        for Link { index, from, to } in Links::<G, B>::of(input, sample) {
            let (sum, winner) = (row_mut(gathered, to, Self::IN), row_mut(winners, to, Self::IN));
            collect::<A, T, S>(simd, row(x, from, Self::IN), sum, winner, index);
        }
        if A::MEAN {
            for (sum, share) in gathered.chunks_exact_mut(Self::IN).zip(&*each) {
                scale(simd, sum, *share);
            }
        }
        gemm::dense_forward::<T, T, S, Identity, Mapped<G::Nodes, Y, Bias>>(
            simd,
            x,
            self.root.numbers(),
            &[],
            self.bias.numbers(),
            output,
        );
        gemm::dense_forward::<T, T, S, Identity, Mapped<G::Nodes, Y, [T; 0]>>(
            simd,
            gathered,
            self.neighbour.numbers(),
            &[],
            &[],
            more,
        );
        add_assign(simd, output, more);
    }
}

impl<T, G, A, W, Y, Bias> Layer for GraphSage<G, A, W, Y, Bias>
where
    T: Scalar,
    G: Graph<Nodes: Tensor<Element = T>>,
    A: Aggregation,
    W: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    Bias: Tensor<Element = T>,
{
    type Input = G::Input;
    type Output = Y;
    type Saved<const B: usize> = Saved<G::Nodes, PerNode<G>, A::Winner<G::Nodes>, Y, B>;
    type Workspace<const B: usize> = Scratch<G::Nodes, PerNode<G>, A::Winner<G::Nodes>, Y>;
    const MACS: usize = 2 * W::LEN * nodes::<G>() + G::EDGES * <G::Nodes as Tensor>::CHANNELS;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        output: &mut [Y; B],
        workspace: &mut Self::Workspace<B>,
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for (sample, output) in output.iter_mut().enumerate() {
                    let Scratch { gathered, shares, winners, more } = workspace;
                    let parts = [gathered.numbers_mut(), shares.numbers_mut(), more.numbers_mut()];
                    self.sage::<S, B>(simd, input, sample, parts, winners.numbers_mut(), output.numbers_mut());
                }
            },
        );
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
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for (sample, output) in output.iter_mut().enumerate() {
                    let (gathered, shares) = (saved.gathered[sample].numbers_mut(), saved.shares[sample].numbers_mut());
                    let winners = saved.winners[sample].numbers_mut();
                    let parts = [gathered, shares, saved.more.numbers_mut()];
                    self.sage::<S, B>(simd, input, sample, parts, winners, output.numbers_mut());
                }
            },
        );
    }

    /// `∂m = ∂y·Wᵀ`, `∂x[i] = ∂y[i]·Rᵀ` and what each `∂m` gives to the nodes it was made of: a share to each, or all
    /// to the largest; `∂W += mᵀ·∂y`, `∂R += xᵀ·∂y`, `∂b += Σ ∂y` over the nodes.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        _output: &[Y; B],
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
                type Rows<G, Y, T> = Mapped<<G as Graph>::Nodes, Y, [T; 0]>;
                let (nodes, mut grad_nodes) = (G::open::<B>(input).0, G::gradients::<B>(grad_input).0);
                for (sample, (x, grad_y)) in nodes.iter().zip(&*grad_output).enumerate() {
                    let (x, grad_y, m) = (x.numbers(), grad_y.numbers(), saved.gathered[sample].numbers());
                    let (root, bias) = (gradient.root.numbers_mut(), gradient.bias.numbers_mut());
                    gemm::dense_weight_gradient::<T, S, Mapped<G::Nodes, Y, Bias>>(simd, x, grad_y, root, bias);
                    let neighbour = gradient.neighbour.numbers_mut();
                    gemm::dense_weight_gradient::<T, S, Rows<G, Y, T>>(simd, m, grad_y, neighbour, &mut []);
                    let Some(grad_x) = grad_nodes.as_deref_mut().map(|all| all[sample].numbers_mut()) else { continue };
                    let grad_m = saved.grad_gathered.numbers_mut();
                    gemm::dense_input_gradient::<T, S, Rows<G, Y, T>>(simd, grad_y, self.root.numbers(), grad_x);
                    gemm::dense_input_gradient::<T, S, Rows<G, Y, T>>(simd, grad_y, self.neighbour.numbers(), grad_m);
                    let (shares, winners) = (saved.shares[sample].numbers(), saved.winners[sample].numbers());
                    for Link { index, from, to } in Links::<G, B>::of(input, sample) {
                        let (grad_x, grad_m) = (row_mut(grad_x, from, Self::IN), row(grad_m, to, Self::IN));
                        if !A::MAX {
                            add_scaled(simd, grad_x, grad_m, at(shares, to));
                            continue;
                        }
                        for ((grad_x, grad_m), winner) in grad_x.iter_mut().zip(grad_m).zip(row(winners, to, Self::IN))
                        {
                            if *winner == index as u32 + 1 {
                                *grad_x += *grad_m;
                            }
                        }
                    }
                }
            },
        );
    }
}
