//! Both ends of every edge side by side: for what is to be said of edges, such as whether there is one.
//!
//! `y[e] = [x[j], x[i]]` for the edge `e` from `j` to `i`; 0 for an edge that is not in use
//!
//! | tensor | shape |
//! | --- | --- |
//! | `x` | `[NODES, FEATURES]` |
//! | edges | see [`graph`](super) |
//! | `y` | `[E, 2·FEATURES]` |
//!
//! `∂x[j] = Σ ∂y[e]`, the first half for the edges that leave `j`, the second for those that reach it.

use core::marker::PhantomData;

use super::{Graph, Link, Links, check_edges, nodes, row, row_mut};
use crate::kernels::elementwise::add_assign;
use crate::layer::{Batch, GradientOf, Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::Tensor;

/// The ends of the edges of a graph `G` as a `Y`.
///
/// In a network, write `(x, edges) |> EdgePairs |> Dense(1)`: the layers behind it see each edge as a row.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Ends(x: [3, 1], edges: [[u16; 2]; 2]) -> [2, 2] { (x, edges) |> EdgePairs } }
/// let net = Ends::zeroed();
/// let y = net.evaluate(&EndsInput { x: [[1.0], [2.0], [3.0]], edges: [[0, 2], [2, 1]] });
/// assert_eq!(y, [[1.0, 3.0], [3.0, 2.0]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Parameters)]
#[parameters(of = Y)]
#[repr(C)]
pub struct EdgePairs<G, Y>(PhantomData<(G, Y)>);

impl<T: Scalar, G: Graph<Nodes: Tensor<Element = T>>, Y: Tensor<Element = T>> EdgePairs<G, Y> {
    const FEATURES: usize = {
        assert!(nodes::<G>() > 0 && Y::LEN > 0, "EdgePairs: a size is 0");
        let features = <G::Nodes as Tensor>::CHANNELS;
        assert!(
            matches!(Y::SHAPE, &[edges, both] if edges == G::EDGES && both == 2 * features),
            "EdgePairs: each edge gives the features of both ends"
        );
        features
    };
}

impl<T: Scalar, G: Graph<Nodes: Tensor<Element = T>>, Y: Tensor<Element = T>> Layer for EdgePairs<G, Y> {
    type Input = G::Input;
    type Output = Y;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        output: &mut [Y; B],
        (): &mut (),
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let nodes = G::open::<B>(input).0;
                for (sample, (x, y)) in nodes.iter().zip(output).enumerate() {
                    let (x, y) = (x.numbers(), y.numbers_mut());
                    y.fill(T::ZERO);
                    for Link { index, from, to } in Links::<G, B>::of(input, sample) {
                        // Number by number: a copy of slices could panic.
                        for (node, place) in [(from, 2 * index), (to, 2 * index + 1)] {
                            let rows = row_mut(y, place, Self::FEATURES).iter_mut().zip(row(x, node, Self::FEATURES));
                            rows.for_each(|(y, x)| *y = *x);
                        }
                    }
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
        (): &mut (),
        pass: &mut Pass<T>,
    ) {
        check_edges::<G, B>(input, pass);
        self.evaluate(simd, input, output, &mut ());
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, G::Input, B>,
        _output: &[Y; B],
        (): &mut (),
        grad_output: &mut [Y; B],
        grad_input: GradientOf<'_, G::Input, B>,
        _: &mut Self,
        _: &Pass<T>,
    ) {
        let (Some(grad_nodes), _) = G::gradients::<B>(grad_input) else { return };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for (sample, (grad_y, grad_x)) in grad_output.iter().zip(grad_nodes).enumerate() {
                    let (grad_y, grad_x) = (grad_y.numbers(), grad_x.numbers_mut());
                    grad_x.fill(T::ZERO);
                    for Link { index, from, to } in Links::<G, B>::of(input, sample) {
                        add_assign(simd, row_mut(grad_x, from, Self::FEATURES), row(grad_y, 2 * index, Self::FEATURES));
                        add_assign(
                            simd,
                            row_mut(grad_x, to, Self::FEATURES),
                            row(grad_y, 2 * index + 1, Self::FEATURES),
                        );
                    }
                }
            },
        );
    }
}
