//! The sum of graph isomorphism networks: Xu, Hu, Leskovec and Jegelka, *How powerful are graph neural networks?*
//! (2019).
//!
//! `y[i] = (1 + ε)·x[i] + Σ w[e]·x[j]` over the edges `e` from `j` to `i`
//!
//! | tensor | shape | initial value |
//! | --- | --- | --- |
//! | `x` | `[NODES, FEATURES]` | |
//! | edges, and weights `w` | see [`graph`](super) | 1 |
//! | `epsilon` (ε) | `[1]` | 0 |
//! | `y` | `[NODES, FEATURES]` | |
//!
//! A sum keeps how often something occurs, which a mean and a maximum lose: dense layers behind it can tell apart
//! whatever the test of Weisfeiler and Leman does.

use core::marker::PhantomData;

use super::{Graph, Link, Links, check_edges, nodes, row, row_mut};
use crate::kernels::elementwise::{add_scaled, zip_to};
use crate::kernels::reduce::dot;
use crate::layer::{Batch, GradientOf, Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;
use crate::tensor::Tensor;

/// The sum of each node and its neighbors over the graph `G`.
///
/// In a network, the dense layers of the paper follow it: `(x, edges) |> Gin |> Dense(16) |> Relu |> Dense(16)`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Count(x: [3, 1], edges: [[u16; 2]; 2]) -> [3, 1] { (x, edges) |> Gin } }
/// let net = Count::zeroed();
/// assert_eq!(net.evaluate(&CountInput { x: [[1.0]; 3], edges: [[0, 1], [2, 1]] }), [[1.0], [3.0], [1.0]]);
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[parameters(of = N)]
#[repr(C)]
pub struct Gin<G, N: Tensor> {
    /// ε.
    #[parameters(tensor, start = 0.0)]
    pub epsilon: [N::Element; 1],
    /// The graph and its nodes.
    pub shapes: PhantomData<(G, N)>,
}

impl<T: Scalar, N: Tensor<Element = T>, G: Graph<Nodes = N>> Gin<G, N> {
    const SHAPE: () = {
        assert!(N::LEN > 0 && nodes::<G>() > 0, "Gin: a size is 0");
        assert!(G::FEATURES <= 1, "Gin: an edge has one weight; features are for EdgeConv");
    };

    /// `to ← (1 + ε)·from + A·from`, or with the transpose of `A`.
    #[inline(always)]
    fn gather<S: Simd, const B: usize, const BACK: bool>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        sample: usize,
        source: &[T],
        sums: &mut [T],
    ) {
        let own = T::Vector::<S>::splat(simd, T::ONE + self.epsilon[0]);
        zip_to(
            simd,
            source,
            source,
            sums,
            #[inline(always)]
            |x, _| x * own,
        );
        for Link { index, from, to } in Links::<G, B>::of(input, sample) {
            let (from, to) = if BACK { (to, from) } else { (from, to) };
            let weight = G::weight(input, sample, index);
            add_scaled(simd, row_mut(sums, to, N::CHANNELS), row(source, from, N::CHANNELS), weight);
        }
    }
}

impl<T: Scalar, N: Tensor<Element = T>, G: Graph<Nodes = N>> Layer for Gin<G, N> {
    type Input = G::Input;
    type Output = N;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = N::LEN + G::EDGES * N::CHANNELS;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        output: &mut [N; B],
        (): &mut (),
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let nodes = G::open::<B>(input).0;
                for (sample, (x, output)) in nodes.iter().zip(output).enumerate() {
                    self.gather::<S, B, false>(simd, input, sample, x.numbers(), output.numbers_mut());
                }
            },
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        output: &mut [N; B],
        (): &mut (),
        pass: &mut Pass<T>,
    ) {
        check_edges::<G, B>(input, pass);
        self.evaluate(simd, input, output, &mut ());
    }

    /// `∂x[j] = (1 + ε)·∂y[j] + Σ w[e]·∂y[i]` over the edges that leave `j`, `∂ε += Σ x·∂y`, `∂w[e] = x[j]·∂y[i]`.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        _output: &[N; B],
        (): &mut (),
        grad_output: &mut [N; B],
        grad_input: GradientOf<'_, G::Input, B>,
        gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let nodes = G::open::<B>(input).0;
                let (mut grad_nodes, mut grad_weights) = G::gradients::<B>(grad_input);
                for (sample, (x, grad_y)) in nodes.iter().zip(&*grad_output).enumerate() {
                    let (x, grad_y) = (x.numbers(), grad_y.numbers());
                    gradient.epsilon[0] += dot(simd, x, grad_y);
                    if let Some(all) = &mut grad_weights {
                        let own = row_mut(all, sample, G::EDGES);
                        own.fill(T::ZERO);
                        for Link { index, from, to } in Links::<G, B>::of(input, sample) {
                            let agreement = dot(simd, row(grad_y, to, N::CHANNELS), row(x, from, N::CHANNELS));
                            row_mut(own, index, 1).fill(agreement);
                        }
                    }
                    if let Some(all) = grad_nodes.as_deref_mut() {
                        self.gather::<S, B, true>(simd, input, sample, grad_y, all[sample].numbers_mut());
                    }
                }
            },
        );
    }
}
