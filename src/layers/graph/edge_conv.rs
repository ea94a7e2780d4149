//! Messages along edges, made of both ends and of what the edge itself has: Gilmer et al., *Neural message passing for
//! quantum chemistry* (2017); Wang et al., *Dynamic graph CNN for learning on point clouds* (2019), where it is called
//! EdgeConv.
//!
//! `y[i] = Σ ReLU([x[j], x[i], f[e]]·W + b)` over the edges `e` from `j` to `i`; or their mean or, feature by feature,
//! their maximum; 0 if there are none
//!
//! | tensor | shape | initial value |
//! | --- | --- | --- |
//! | `x` | `[NODES, IN]` | |
//! | edges, and their features `f` | see [`graph`](super); `[E, F]`, `[E]`, or none | |
//! | `weight` (W) | `[2·IN + F, OUT]` | random |
//! | `bias` (b) | `[OUT]` | 0 |
//! | `y` | `[NODES, OUT]` | |
//!
//! The products with `x` are computed once for each node, not for each edge. No message is stored: `backward` computes
//! them again.

use core::marker::PhantomData;

use super::{Aggregation, Graph, Link, Links, Mapped, PerNode, at, check_edges, collect, row, row_mut, shares};
use crate::activation::Identity;
use crate::kernels::elementwise::{add_assign, add_scaled, map, scale, zip, zip_to};
use crate::kernels::gemm;
use crate::kernels::reduce::dot;
use crate::layer::{Batch, GradientOf, Layer, Pass, Reads, outline_layer};
use crate::memory::zeroed;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;
use crate::tensor::Tensor;

/// Messages along the edges of the graph `G`, of which each node takes the [`Sum`](super::Sum), the
/// [`Mean`](super::Mean) or the [`Max`](super::Max), that give a `Y`.
///
/// In a network, write `(x, edges, features) |> EdgeConv(16)`, `EdgeConv(16, aggregate = max)`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Flow(x: [2, 1], edges: [[u16; 2]; 2], width: [2]) -> [2, 1] { (x, edges, width) |> EdgeConv(1) } }
/// let mut net = Flow::zeroed();
/// // What the sender has more than the receiver, and the width of the edge.
/// net.edge1.weight = [[1.0], [-1.0], [10.0]];
/// let y = net.evaluate(&FlowInput { x: [[5.0], [3.0]], edges: [[0, 1], [0, 1]], width: [0.5, 0.0] });
/// assert_eq!(y, [[0.0], [9.0]]);
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[parameters(of = W)]
#[repr(C)]
pub struct EdgeConv<G, A, W: Tensor, Y: Tensor> {
    /// W: rows for the sender, for the receiver, and for the edge.
    #[parameters(tensor)]
    pub weight: W,
    /// b.
    #[parameters(tensor, start = 0.0)]
    pub bias: Y::Last,
    /// The graph, how messages become one, and the output.
    pub shapes: PhantomData<(G, A, Y)>,
}

/// The memory of a pass over one sample.
#[derive(Plain)]
#[repr(C)]
pub struct Scratch<Y: Tensor, R: Tensor, K: Tensor> {
    sent: Y,
    received: Y,
    shares: R,
    winners: K,
}

/// What the layer saves of a batch, and the scratch memory of a sample.
#[derive(Plain)]
#[repr(C)]
pub struct Saved<X: Tensor, Y: Tensor, R: Tensor, K: Tensor, const B: usize> {
    sent: [Y; B],
    received: [Y; B],
    shares: [R; B],
    winners: [K; B],
    grad_sent: Y,
    grad_received: Y,
    more: X,
}

impl<T, G, A, W, Y> EdgeConv<G, A, W, Y>
where
    T: Scalar,
    G: Graph<Nodes: Tensor<Element = T>>,
    A: Aggregation,
    W: Tensor<Element = T>,
    Y: Tensor<Element = T>,
{
    const SHAPE: () = {
        let (&[nodes, features], &[rows, units]) = (<G::Nodes as Tensor>::SHAPE, Y::SHAPE) else {
            panic!("EdgeConv: nodes are `[NODES, FEATURES]`")
        };
        assert!(nodes > 0 && features > 0 && units > 0, "EdgeConv: a size is 0");
        assert!(nodes == rows, "EdgeConv: input and output differ in nodes");
        assert!(
            matches!(W::SHAPE, &[a, b] if a == 2 * features + G::FEATURES && b == units),
            "EdgeConv: the weight has rows for both ends of an edge and for its features"
        );
    };

    /// The numbers of the weight that belong to one end.
    const END: usize = <G::Nodes as Tensor>::CHANNELS * Y::CHANNELS;

    /// The parts of a weight: for the sender, for the receiver, and for the edge.
    #[inline(always)]
    fn parts(weight: &[T]) -> [&[T]; 3] {
        let (sender, rest) = weight.split_at(Self::END);
        let (receiver, edge) = rest.split_at(Self::END);
        [sender, receiver, edge]
    }

    /// What goes into the ReLU for an edge, and the numbers of the edge.
    #[inline(always)]
    fn message<'a, S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'a, G::Input, B>,
        sample: usize,
        [sent, received]: [&[T]; 2],
        Link { index, from, to }: Link,
        message: &mut [T],
    ) -> &'a [T] {
        zip_to(
            simd,
            row(sent, from, Y::CHANNELS),
            row(received, to, Y::CHANNELS),
            message,
            #[inline(always)]
            |sent, received| sent + received,
        );
        let features = row(G::open::<B>(input).1, sample * G::EDGES + index, G::FEATURES);
        let [.., weight] = Self::parts(self.weight.numbers());
        for (feature, weight) in features.iter().zip(weight.chunks_exact(Y::CHANNELS)) {
            add_scaled(simd, message, weight, *feature);
        }
        features
    }

    /// The output of a sample.
    #[inline(always)]
    fn pass_on<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        sample: usize,
        [sent, received, each]: [&mut [T]; 3],
        winners: &mut [u32],
        output: &mut [T],
    ) {
        let x = G::open::<B>(input).0[sample].numbers();
        let [sender, receiver, _] = Self::parts(self.weight.numbers());
        gemm::dense_forward::<T, T, S, Identity, Mapped<G::Nodes, Y, [T; 0]>>(simd, x, sender, &[], &[], sent);
        gemm::dense_forward::<T, T, S, Identity, Mapped<G::Nodes, Y, Y::Last>>(
            simd,
            x,
            receiver,
            &[],
            self.bias.numbers(),
            received,
        );
        shares::<A, G, B>(input, sample, each);
        output.fill(T::ZERO);
        winners.fill(0);
        let zero = T::Vector::<S>::splat(simd, T::ZERO);
        let mut message = zeroed::<Y::Last>();
        for link in Links::<G, B>::of(input, sample) {
            let message = message.numbers_mut();
            self.message::<S, B>(simd, input, sample, [&*sent, &*received], link, message);
            map(
                simd,
                message,
                #[inline(always)]
                |x| x.max(zero),
            );
            let (sum, winner) = (row_mut(output, link.to, Y::CHANNELS), row_mut(winners, link.to, Y::CHANNELS));
            collect::<A, T, S>(simd, message, sum, winner, link.index);
        }
        if A::MEAN {
            for (sum, share) in output.chunks_exact_mut(Y::CHANNELS).zip(&*each) {
                scale(simd, sum, *share);
            }
        }
    }
}

impl<T, G, A, W, Y> Layer for EdgeConv<G, A, W, Y>
where
    T: Scalar,
    G: Graph<Nodes: Tensor<Element = T>>,
    A: Aggregation,
    W: Tensor<Element = T>,
    Y: Tensor<Element = T>,
{
    type Input = G::Input;
    type Output = Y;
    type Saved<const B: usize> = Saved<G::Nodes, Y, PerNode<G>, A::Winner<Y>, B>;
    type Workspace<const B: usize> = Scratch<Y, PerNode<G>, A::Winner<Y>>;
    const MACS: usize = 2 * <G::Nodes as Tensor>::LEN * Y::CHANNELS + G::EDGES * (G::FEATURES + 1) * Y::CHANNELS;
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
                    let Scratch { sent, received, shares, winners } = workspace;
                    let parts = [sent.numbers_mut(), received.numbers_mut(), shares.numbers_mut()];
                    self.pass_on::<S, B>(simd, input, sample, parts, winners.numbers_mut(), output.numbers_mut());
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
                    let (sent, received) = (saved.sent[sample].numbers_mut(), saved.received[sample].numbers_mut());
                    let (shares, winners) = (saved.shares[sample].numbers_mut(), saved.winners[sample].numbers_mut());
                    self.pass_on::<S, B>(simd, input, sample, [sent, received, shares], winners, output.numbers_mut());
                }
            },
        );
    }

    /// With `z` what goes into the ReLU of an edge and `∂z` its share of `∂y[i]` where `z > 0`: the gradients of the
    /// products are `∂s[j] = Σ ∂z` over the edges that leave `j` and `∂r[i] = Σ ∂z` over those that reach `i`; `∂W` is
    /// `xᵀ·∂s`, `xᵀ·∂r` and `Σ f[e]ᵀ·∂z`, one below the other; `∂x = ∂s·Wsᵀ + ∂r·Wrᵀ`, `∂f[e] = ∂z·Wfᵀ`, `∂b += Σ ∂r`.
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
                let zero = T::Vector::<S>::splat(simd, T::ZERO);
                let (nodes, (mut grad_nodes, mut grad_features)) =
                    (G::open::<B>(input).0, G::gradients::<B>(grad_input));
                if let Some(all) = &mut grad_features {
                    all.fill(T::ZERO);
                }
                let mut slope = zeroed::<Y::Last>();
                for (sample, (x, grad_y)) in nodes.iter().zip(&*grad_output).enumerate() {
                    let products = [saved.sent[sample].numbers(), saved.received[sample].numbers()];
                    let (grad_sent, grad_received) = (saved.grad_sent.numbers_mut(), saved.grad_received.numbers_mut());
                    grad_sent.fill(T::ZERO);
                    grad_received.fill(T::ZERO);
                    let (shares, winners) = (saved.shares[sample].numbers(), saved.winners[sample].numbers());
                    let (ends, grad_weight) = gradient.weight.numbers_mut().split_at_mut(2 * Self::END);
                    for link in Links::<G, B>::of(input, sample) {
                        let slope = slope.numbers_mut();
                        let features = self.message::<S, B>(simd, input, sample, products, link, slope);
                        let share = T::Vector::<S>::splat(simd, at(shares, link.to));
                        zip(
                            simd,
                            slope,
                            row(grad_y.numbers(), link.to, Y::CHANNELS),
                            #[inline(always)]
                            |z, gradient| T::Vector::<S>::select(zero.lt(z), gradient * share, zero),
                        );
                        for (slope, winner) in slope.iter_mut().zip(row(winners, link.to, Y::CHANNELS)) {
                            if *winner != link.index as u32 + 1 {
                                *slope = T::ZERO;
                            }
                        }
                        add_assign(simd, row_mut(grad_sent, link.from, Y::CHANNELS), slope);
                        add_assign(simd, row_mut(grad_received, link.to, Y::CHANNELS), slope);
                        for (feature, gradient) in features.iter().zip(grad_weight.chunks_exact_mut(Y::CHANNELS)) {
                            add_scaled(simd, gradient, slope, *feature);
                        }
                        if let Some(all) = &mut grad_features {
                            let [.., weight] = Self::parts(self.weight.numbers());
                            let own = row_mut(all, sample * G::EDGES + link.index, G::FEATURES);
                            for (gradient, weight) in own.iter_mut().zip(weight.chunks_exact(Y::CHANNELS)) {
                                *gradient = dot(simd, weight, slope);
                            }
                        }
                    }
                    let ((sender, receiver), x) = (ends.split_at_mut(Self::END), x.numbers());
                    gemm::dense_weight_gradient::<T, S, Rows<G, Y, T>>(simd, x, grad_sent, sender, &mut []);
                    let bias = gradient.bias.numbers_mut();
                    gemm::dense_weight_gradient::<T, S, Mapped<G::Nodes, Y, Y::Last>>(
                        simd,
                        x,
                        grad_received,
                        receiver,
                        bias,
                    );
                    if let Some(all) = grad_nodes.as_deref_mut() {
                        let [sender, receiver, _] = Self::parts(self.weight.numbers());
                        let (grad_x, more) = (all[sample].numbers_mut(), saved.more.numbers_mut());
                        gemm::dense_input_gradient::<T, S, Rows<G, Y, T>>(simd, grad_sent, sender, grad_x);
                        gemm::dense_input_gradient::<T, S, Rows<G, Y, T>>(simd, grad_received, receiver, more);
                        add_assign(simd, grad_x, more);
                    }
                }
            },
        );
    }
}
