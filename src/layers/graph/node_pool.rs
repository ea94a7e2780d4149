//! What a graph is as a whole: the mean, the sum or the maximum of its nodes, feature by feature.
//!
//! `y = (1/n) Σ x[i]`, `y = Σ x[i]`, or `y = max x[i]` over the first `n` nodes; 0 if there are none
//!
//! | tensor | shape |
//! | --- | --- |
//! | `x` | `[NODES, FEATURES]` |
//! | `n` | `[1]`, a whole number up to `NODES` |
//! | `y` | `[FEATURES]` |
//!
//! `∂x[i] = ∂y / n`, `∂y`, or `∂y` for the node that has the maximum, and 0 for the nodes that are not in use.

use core::marker::PhantomData;

use super::{Aggregation, row};
use crate::kernels::elementwise::{add_scaled, scale, zip};
use crate::layer::{Batch, GradientOf, InputError, Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::plain::WholeNumber;
use crate::scalar::{Scalar, Vector as _};
use crate::simd::Simd;
use crate::tensor::Tensor;

/// The [`Mean`](super::Mean), [`Sum`](super::Sum) or [`Max`](super::Max) `A` of as many nodes of an `X` as a `C`, a
/// whole number, says.
///
/// In a network, write `(x, nodes) |> NodePool(mean)`. If all nodes are always in use, `x |> ReduceMean(0)` does it.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Whole(x: [3, 2], nodes: [u16; 1]) -> [2] { (x, nodes) |> NodePool(mean) } }
/// let net = Whole::zeroed();
/// let x = [[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]];
/// assert_eq!(net.evaluate(&WholeInput { x, nodes: [2] }), [2.0, 3.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct NodePool<A, X, C>(PhantomData<(A, X, C)>);

impl<A: Aggregation, X: Tensor<Element: Scalar>, C: Tensor<Element: WholeNumber>> NodePool<A, X, C> {
    const NODES: usize = {
        let &[nodes, features] = X::SHAPE else { panic!("NodePool: nodes are `[NODES, FEATURES]`") };
        assert!(nodes > 0 && features > 0, "NodePool: a size is 0");
        assert!(C::LEN == 1, "NodePool: the number of nodes is one, `[u16; 1]`");
        nodes
    };

    /// How many nodes of a sample are in use.
    #[inline(always)]
    fn used(count: &C) -> usize {
        count.numbers().first().map_or(0, |count| count.index())
    }

    /// What a node counts.
    #[inline(always)]
    fn share(used: usize) -> X::Element {
        if A::MEAN && used > 0 { X::Element::from_f64(1.0 / used as f64) } else { X::Element::ONE }
    }

    /// The nodes in use.
    #[inline(always)]
    fn rows(x: &X, used: usize) -> impl Iterator<Item = &[X::Element]> {
        x.numbers().chunks_exact(X::CHANNELS).take(used)
    }
}

impl<T: Scalar, A: Aggregation, X: Tensor<Element = T>, C: Tensor<Element: WholeNumber>> Layer for NodePool<A, X, C> {
    type Input = (X, C);
    type Output = X::Last;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        (nodes, counts): Batch<'_, (X, C), B>,
        output: &mut [X::Last; B],
        (): &mut (),
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for ((x, count), output) in nodes.iter().zip(counts).zip(output) {
                    let (used, y) = (Self::used(count).min(const { Self::NODES }), output.numbers_mut());
                    y.fill(T::ZERO);
                    for (node, x) in Self::rows(x, used).enumerate() {
                        if !A::MAX {
                            add_scaled(simd, y, x, T::ONE);
                        } else if node == 0 {
                            y.copy_from_slice(x);
                        } else {
                            zip(
                                simd,
                                y,
                                x,
                                #[inline(always)]
                                |most, x| most.max(x),
                            );
                        }
                    }
                    if A::MEAN {
                        scale(simd, y, Self::share(used));
                    }
                }
            },
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, (X, C), B>,
        output: &mut [X::Last; B],
        (): &mut (),
        pass: &mut Pass<T>,
    ) {
        for (sample, count) in input.1.iter().enumerate() {
            let index = Self::used(count);
            if index > const { Self::NODES } {
                pass.refuse(InputError::OutOfRange { sample, position: 0, index, limit: const { Self::NODES + 1 } });
            }
        }
        self.evaluate(simd, input, output, &mut ());
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        (nodes, counts): Batch<'_, (X, C), B>,
        _output: &[X::Last; B],
        (): &mut (),
        grad_output: &mut [X::Last; B],
        (grad_nodes, _): GradientOf<'_, (X, C), B>,
        _: &mut Self,
        _: &Pass<T>,
    ) {
        let Some(grad_nodes) = grad_nodes else { return };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for (sample, (grad_y, grad_x)) in grad_output.iter().zip(grad_nodes).enumerate() {
                    let (grad_y, grad_x) = (grad_y.numbers(), grad_x.numbers_mut());
                    let used = Self::used(&counts[sample]).min(const { Self::NODES });
                    grad_x.fill(T::ZERO);
                    if !A::MAX {
                        for grad_x in grad_x.chunks_exact_mut(X::CHANNELS).take(used) {
                            add_scaled(simd, grad_x, grad_y, Self::share(used));
                        }
                        continue;
                    }
                    for (feature, grad_y) in grad_y.iter().enumerate() {
                        let of = |node: usize| row(nodes[sample].numbers(), node, X::CHANNELS).get(feature).copied();
                        let best = (0..used).reduce(|best, node| if of(node) > of(best) { node } else { best });
                        if let Some(to) = best.and_then(|node| grad_x.get_mut(node * X::CHANNELS + feature)) {
                            *to = *grad_y;
                        }
                    }
                }
            },
        );
    }
}
