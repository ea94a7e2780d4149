//! Graph convolution of Kipf and Welling, *Semi-supervised classification with graph convolutional networks* (2017):
//! every node takes a weighted sum of its neighbors and itself.
//!
//! `y = Â·x·W + b`, `Â = D^(-1/2)·(A + I)·D^(-1/2)`: with `d[i] = 1 + Σ w[e]` over the edges that reach node `i`,
//! `y[i] = b + h[i] / d[i] + Σ w[e]·h[j] / √(d[i]·d[j])` over the edges `e` from `j` to `i`, where `h = x·W`
//!
//! | tensor | shape | initial value |
//! | --- | --- | --- |
//! | `x` | `[NODES, IN]` | |
//! | edges, and weights `w` | see [`graph`](super) | 1 |
//! | `weight` (W) | `[IN, OUT]`, or `[0, OUT]`: none, and `h = x` | random |
//! | `bias` (b) | `[OUT]`, or `[0]`: none | 0 |
//! | `y` | `[NODES, OUT]` | |
//!
//! A node with `d[i] <= 0`, which only negative weights make, counts as one without edges or itself.

use core::marker::PhantomData;

use super::{Graph, Link, Links, Mapped, Number, PerNode, at, check_edges, nodes, row, row_mut};
use crate::activation::Identity;
use crate::kernels::elementwise::{add_assign, add_scaled};
use crate::kernels::gemm;
use crate::kernels::reduce::dot;
use crate::layer::{Batch, GradientOf, Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;
use crate::tensor::Tensor;
use crate::weight::Weight;

/// A convolution over the graph `G` that gives a `Y`.
///
/// In a network, write `(x, edges) |> GraphConv(16)`; [`graph`](super) lists what it can take. Options: `bias = false`;
/// `GraphConv(weight = false)` only passes features on.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Step(x: [3, 2], edges: [[u16; 2]; 2]) -> [3, 2] { (x, edges) |> GraphConv(weight = false) } }
/// let mut net = Step::zeroed();
/// net.conv1.bias = [10.0, 20.0];
/// // Node 1 is reached by node 0; node 2 by none but itself.
/// let y = net.evaluate(&StepInput { x: [[2.0, 4.0], [6.0, 8.0], [1.0, 1.0]], edges: [[0, 1], [1, 0]] });
/// assert_eq!(y, [[14.0, 26.0], [14.0, 26.0], [11.0, 21.0]]);
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[repr(C)]
pub struct GraphConv<G, W, Y, B> {
    /// W: a row of `OUT` numbers for each input.
    #[parameters(packed)]
    pub weight: W,
    /// b.
    #[parameters(tensor, start = 0.0)]
    pub bias: B,
    /// The graph and the output.
    pub shapes: PhantomData<(G, Y)>,
}

/// The memory of a pass over one sample.
#[derive(Plain)]
#[repr(C)]
pub struct Scratch<R: Tensor, Y: Tensor> {
    roots: R,
    product: Y,
}

/// What the convolution saves of a batch, and the scratch memory of a sample.
#[derive(Plain)]
#[repr(C)]
pub struct Saved<R: Tensor, Y: Tensor, const B: usize> {
    roots: [R; B],
    product: Y,
    grad_product: Y,
    slopes: R,
}

impl<G, W, Y, Bias> GraphConv<G, W, Y, Bias>
where
    G: Graph<Nodes: Tensor<Element: Real>>,
    W: Weight<Scalar = Number<G>>,
    Y: Tensor<Element = Number<G>>,
    Bias: Tensor<Element = Number<G>>,
{
    /// Whether there is a product before the sums.
    const WEIGHTED: bool = W::SHAPE[0] > 0;

    const SHAPE: () = {
        let (&[nodes, features], &[rows, units]) = (<G::Nodes as Tensor>::SHAPE, Y::SHAPE) else {
            panic!("GraphConv: nodes are `[NODES, FEATURES]`")
        };
        assert!(nodes > 0 && features > 0 && units > 0, "GraphConv: a size is 0");
        assert!(nodes == rows, "GraphConv: input and output differ in nodes");
        let &[inputs, columns] = W::SHAPE else { panic!("GraphConv: the weight is `[[T; OUT]; IN]`") };
        assert!(columns == units, "GraphConv: the weight has a column for each output");
        assert!(inputs == features || inputs == 0, "GraphConv: the weight has a row for each input");
        assert!(
            inputs > 0 || features == units,
            "GraphConv: without a weight, input and output have the same features"
        );
        assert!(Bias::LEN == units || Bias::LEN == 0, "GraphConv: the bias has a number for each output, or none");
        assert!(G::FEATURES <= 1, "GraphConv: an edge has one weight; features are for EdgeConv");
    };

    /// `1 / √d` for each node.
    #[inline(always)]
    fn roots<const B: usize>(input: Batch<'_, G::Input, B>, sample: usize, roots: &mut [Number<G>]) {
        roots.fill(Number::<G>::ONE);
        for Link { index, to, .. } in Links::<G, B>::of(input, sample) {
            if let Some(degree) = roots.get_mut(to) {
                *degree += G::weight(input, sample, index);
            }
        }
        for degree in roots {
            let positive = *degree > Number::<G>::ZERO;
            *degree = if positive { Number::<G>::ONE / degree.sqrt() } else { Number::<G>::ZERO };
        }
    }

    /// `to ← to + Â·from`, or with the transpose of `Â`.
    #[inline(always)]
    fn propagate<S: Simd, const B: usize, const BACK: bool>(
        simd: S,
        input: Batch<'_, G::Input, B>,
        sample: usize,
        [roots, source]: [&[Number<G>]; 2],
        sums: &mut [Number<G>],
    ) {
        for (node, root) in roots.iter().enumerate() {
            add_scaled(simd, row_mut(sums, node, Y::CHANNELS), row(source, node, Y::CHANNELS), *root * *root);
        }
        for Link { index, from, to } in Links::<G, B>::of(input, sample) {
            let factor = at(roots, from) * G::weight(input, sample, index) * at(roots, to);
            let (from, to) = if BACK { (to, from) } else { (from, to) };
            add_scaled(simd, row_mut(sums, to, Y::CHANNELS), row(source, from, Y::CHANNELS), factor);
        }
    }

    /// `x·W`.
    #[inline(always)]
    fn product<S: Simd>(&self, simd: S, x: &[Number<G>], product: &mut [Number<G>]) {
        let (weight, scale) = (self.weight.packed(), self.weight.scale());
        gemm::dense_forward::<Number<G>, W::Format, S, Identity, Mapped<G::Nodes, Y, [Number<G>; 0]>>(
            simd,
            x,
            weight,
            scale,
            &[],
            product,
        );
    }

    /// The output of a sample.
    #[inline(always)]
    fn convolve<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        sample: usize,
        [roots, product]: [&mut [Number<G>]; 2],
        output: &mut [Number<G>],
    ) {
        let x = G::open::<B>(input).0[sample].numbers();
        Self::roots::<B>(input, sample, roots);
        if Bias::LEN > 0 {
            output.chunks_exact_mut(Y::CHANNELS).for_each(|y| y.copy_from_slice(self.bias.numbers()));
        } else {
            output.fill(Number::<G>::ZERO);
        }
        let source = if Self::WEIGHTED {
            self.product(simd, x, product);
            &*product
        } else {
            x
        };
        Self::propagate::<S, B, false>(simd, input, sample, [roots, source], output);
    }

    /// `∂y[i]·h[j]`.
    #[inline(always)]
    fn agreement<S: Simd>(simd: S, [h, grad_y]: [&[Number<G>]; 2], from: usize, to: usize) -> Number<G> {
        dot(simd, row(grad_y, to, Y::CHANNELS), row(h, from, Y::CHANNELS))
    }

    /// `∂w[e]`, on which `Â` depends by itself and by the degree of the node that the edge reaches:
    /// with `g[e] = ∂y[i]·h[j]` and `s = 1/√d`, `∂w[e] = s[i]·s[j]·g[e] - ½·s[i]³·∂s[i]`,
    /// `∂s[i] = 2·s[i]·∂y[i]·h[i] + Σ w[e]·s[j]·g[e]` over the edges at node `i`, in both directions.
    #[inline(always)]
    fn weight_gradients<S: Simd, const B: usize>(
        simd: S,
        input: Batch<'_, G::Input, B>,
        sample: usize,
        [roots, h, grad_y]: [&[Number<G>]; 3],
        slopes: &mut [Number<G>],
        gradient: &mut [Number<G>],
    ) {
        let half = Number::<G>::from_f64(0.5);
        for (node, (slope, root)) in slopes.iter_mut().zip(roots).enumerate() {
            let own = Self::agreement(simd, [h, grad_y], node, node);
            *slope = (own + own) * *root;
        }
        gradient.fill(Number::<G>::ZERO);
        for Link { index, from, to } in Links::<G, B>::of(input, sample) {
            let (both, weight) = (Self::agreement(simd, [h, grad_y], from, to), G::weight(input, sample, index));
            for (here, there) in [(from, to), (to, from)] {
                if let Some(slope) = slopes.get_mut(here) {
                    *slope += weight * at(roots, there) * both;
                }
            }
            if let Some(gradient) = gradient.get_mut(index) {
                *gradient = at(roots, from) * at(roots, to) * both;
            }
        }
        for Link { index, to, .. } in Links::<G, B>::of(input, sample) {
            let root = at(roots, to);
            if let Some(gradient) = gradient.get_mut(index) {
                *gradient -= half * root * root * root * at(slopes, to);
            }
        }
    }
}

impl<T, G, W, Y, Bias> Layer for GraphConv<G, W, Y, Bias>
where
    T: Real,
    G: Graph<Nodes: Tensor<Element = T>>,
    W: Weight<Scalar = T>,
    Y: Tensor<Element = T>,
    Bias: Tensor<Element = T>,
{
    type Input = G::Input;
    type Output = Y;
    type Saved<const B: usize> = Saved<PerNode<G>, Y, B>;
    type Workspace<const B: usize> = Scratch<PerNode<G>, Y>;
    const MACS: usize = W::SHAPE[0] * Y::LEN + (nodes::<G>() + G::EDGES) * Y::CHANNELS;
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
                    let parts = [workspace.roots.numbers_mut(), workspace.product.numbers_mut()];
                    self.convolve::<S, B>(simd, input, sample, parts, output.numbers_mut());
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
                    let parts = [saved.roots[sample].numbers_mut(), saved.product.numbers_mut()];
                    self.convolve::<S, B>(simd, input, sample, parts, output.numbers_mut());
                }
            },
        );
    }

    /// `∂h = Âᵀ·∂y`, `∂W += xᵀ·∂h`, `∂x = ∂h·Wᵀ`, `∂b += Σ ∂y` over the nodes, and `∂w`, if edges have weights that
    /// need a gradient.
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
        const { assert!(!W::PACKED, "GraphConv: packed weights are not trained; train what they are packed from") };
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                type Rows<X, Y, T> = Mapped<X, Y, [T; 0]>;
                let nodes = G::open::<B>(input).0;
                let (mut grad_nodes, mut grad_weights) = G::gradients::<B>(grad_input);
                for (sample, grad_y) in grad_output.iter().enumerate() {
                    let (x, grad_y) = (nodes[sample].numbers(), grad_y.numbers());
                    let (roots, grad_h) = (saved.roots[sample].numbers(), saved.grad_product.numbers_mut());
                    if Bias::LEN > 0 {
                        let rows = grad_y.chunks_exact(Y::CHANNELS);
                        rows.for_each(
                            #[inline(always)]
                            |row| add_assign(simd, gradient.bias.numbers_mut(), row),
                        );
                    }
                    if let Some(all) = &mut grad_weights {
                        let own = row_mut(all, sample, G::EDGES);
                        let h = if Self::WEIGHTED {
                            self.product(simd, x, saved.product.numbers_mut());
                            saved.product.numbers()
                        } else {
                            x
                        };
                        Self::weight_gradients::<S, B>(
                            simd,
                            input,
                            sample,
                            [roots, h, grad_y],
                            saved.slopes.numbers_mut(),
                            own,
                        );
                    }
                    let grad_x = grad_nodes.as_deref_mut().map(|all| all[sample].numbers_mut());
                    if Self::WEIGHTED {
                        grad_h.fill(T::ZERO);
                        Self::propagate::<S, B, true>(simd, input, sample, [roots, grad_y], grad_h);
                        let weight = gradient.weight.trained_mut();
                        gemm::dense_weight_gradient::<T, S, Rows<G::Nodes, Y, T>>(simd, x, grad_h, weight, &mut []);
                        if let Some(grad_x) = grad_x {
                            let weight = self.weight.trained();
                            gemm::dense_input_gradient::<T, S, Rows<G::Nodes, Y, T>>(simd, grad_h, weight, grad_x);
                        }
                    } else if let Some(grad_x) = grad_x {
                        grad_x.fill(T::ZERO);
                        Self::propagate::<S, B, true>(simd, input, sample, [roots, grad_y], grad_x);
                    }
                }
            },
        );
    }
}
