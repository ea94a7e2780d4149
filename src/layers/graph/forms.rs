//! Where the edges of a graph come from, as types.

use core::marker::PhantomData;

use super::{Gradients, Graph, Number, Topology};
use crate::layer::{Batch, GradientOf};
use crate::plain::WholeNumber;
use crate::scalar::Scalar;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Nodes `X` with the edges of `G`; a marker that is never built, like the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known<X, G>(PhantomData<(X, G)>);

/// Nodes `X` with the edges of `G`, and numbers `W` of these: `[E]` or `[E, F]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnownFeatured<X, G, W>(PhantomData<(X, G, W)>);

/// Nodes `X` with edges `E`, `[[u16; 2]; E]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linked<X, E>(PhantomData<(X, E)>);

/// Nodes `X` with as many of the edges `E` as `C`, a whole number, says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkedCounted<X, E, C>(PhantomData<(X, E, C)>);

/// Nodes `X` with edges `E`, and numbers `W` of these: `[E]` or `[E, F]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Featured<X, E, W>(PhantomData<(X, E, W)>);

/// Nodes `X` with as many of the edges `E`, and of their numbers `W`, as `C` says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeaturedCounted<X, E, W, C>(PhantomData<(X, E, W, C)>);

/// The edge at `index` of `edges`; nodes that never exist if there is none.
#[inline(always)]
fn ends<E: Tensor<Element: WholeNumber>>(edges: &E, index: usize) -> [usize; 2] {
    const { assert!(matches!(E::SHAPE, &[_, 2]), "edges are `[[u16; 2]; E]`") };
    match edges.numbers().get(2 * index..2 * index + 2) {
        Some(&[from, to]) => [from.index(), to.index()],
        _ => [usize::MAX; 2],
    }
}

/// The edge at `index` of a topology.
#[inline(always)]
fn fixed<X: Tensor, G: Topology>(index: usize) -> [usize; 2] {
    const {
        let &[nodes, _] = X::SHAPE else { panic!("the nodes of a graph are `[NODES, FEATURES]`") };
        let mut edge = 0;
        while edge < G::EDGES.len() {
            let [from, to] = G::EDGES[edge];
            assert!(
                (from as usize) < nodes && (to as usize) < nodes,
                "an edge of the graph has a node that does not exist"
            );
            edge += 1;
        }
        assert!(
            G::WEIGHTS.is_empty() || G::WEIGHTS.len() == G::EDGES.len(),
            "the graph has a weight for each edge, or none"
        );
    }
    G::EDGES.get(index).map_or([usize::MAX; 2], |&[from, to]| [from.into(), to.into()])
}

/// The count of a sample.
#[inline(always)]
fn counted<C: Tensor<Element: WholeNumber>>(count: &C) -> usize {
    count.numbers().first().map_or(0, |count| count.index())
}

macro_rules! form {
    (
        [$($generics:tt)*] $form:ty: $input:ty, edges $edges:expr, features $features:expr,
        $batch:pat => $nodes:expr, $numbers:expr, |$sample:ident| $count:expr, |$index:ident| $edge:expr,
        $gradient:pat => $gradients:expr
    ) => {
        impl<X: Tensor<Element: Scalar>, $($generics)*> Graph for $form {
            type Nodes = X;
            type Input = $input;
            const EDGES: usize = $edges;
            const FEATURES: usize = $features;

            #[inline(always)]
            fn open<'a, const B: usize>($batch: Batch<'a, $input, B>) -> (&'a [X; B], &'a [X::Element]) {
                ($nodes, $numbers)
            }
            #[inline(always)]
            fn count<const B: usize>($batch: Batch<'_, $input, B>, $sample: usize) -> usize {
                $count
            }
            #[inline(always)]
            fn edge<const B: usize>($batch: Batch<'_, $input, B>, $sample: usize, $index: usize) -> [usize; 2] {
                $edge
            }
            #[inline(always)]
            fn gradients<'a, const B: usize>($gradient: GradientOf<'a, $input, B>) -> Gradients<'a, Self, B> {
                $gradients
            }
        }
    };
}

/// The numbers that each of `EDGES` edges has in a `W`.
const fn per_edge<W: Tensor>(edges: usize) -> usize {
    match *W::SHAPE {
        [count] if count == edges => 1,
        [count, features] if count == edges => features,
        _ => panic!("each edge has a weight, `[E]`, or features, `[E, F]`"),
    }
}

form!(
    [E: Tensor<Element: WholeNumber>] Linked<X, E>: (X, E), edges E::SHAPE[0], features 0,
    (_x, _edges) => _x, &[], |_sample| E::SHAPE[0], |_index| ends(&_edges[_sample], _index),
    (x, _) => (x, None)
);
form!(
    [E: Tensor<Element: WholeNumber>, C: Tensor<Element: WholeNumber>] LinkedCounted<X, E, C>: (X, E, C),
    edges E::SHAPE[0], features 0,
    (_x, _edges, _count) => _x, &[], |_sample| counted(&_count[_sample]), |_index| ends(&_edges[_sample], _index),
    (x, _, _) => (x, None)
);
form!(
    [E: Tensor<Element: WholeNumber>, W: Tensor<Element = X::Element>] Featured<X, E, W>: (X, E, W),
    edges E::SHAPE[0], features per_edge::<W>(E::SHAPE[0]),
    (_x, _edges, _numbers) => _x, batch_slice(_numbers), |_sample| E::SHAPE[0], |_index| ends(&_edges[_sample], _index),
    (x, _, numbers) => (x, numbers.map(|numbers| batch_slice_mut(numbers)))
);
form!(
    [E: Tensor<Element: WholeNumber>, W: Tensor<Element = X::Element>, C: Tensor<Element: WholeNumber>]
    FeaturedCounted<X, E, W, C>: (X, E, W, C), edges E::SHAPE[0], features per_edge::<W>(E::SHAPE[0]),
    (_x, _edges, _numbers, _count) => _x, batch_slice(_numbers),
    |_sample| counted(&_count[_sample]), |_index| ends(&_edges[_sample], _index),
    (x, _, numbers, _) => (x, numbers.map(|numbers| batch_slice_mut(numbers)))
);
form!(
    [G: Topology, W: Tensor<Element = X::Element>] KnownFeatured<X, G, W>: (X, W),
    edges G::EDGES.len(), features per_edge::<W>(G::EDGES.len()),
    (_x, _numbers) => _x, batch_slice(_numbers), |_sample| G::EDGES.len(), |_index| fixed::<X, G>(_index),
    (x, numbers) => (x, numbers.map(|numbers| batch_slice_mut(numbers)))
);

impl<X: Tensor<Element: Scalar>, G: Topology> Graph for Known<X, G> {
    type Nodes = X;
    type Input = X;
    const EDGES: usize = G::EDGES.len();
    const FEATURES: usize = 0;

    #[inline(always)]
    fn open<'a, const B: usize>(x: Batch<'a, X, B>) -> (&'a [X; B], &'a [X::Element]) {
        (x, &[])
    }
    #[inline(always)]
    fn count<const B: usize>(_: Batch<'_, X, B>, _: usize) -> usize {
        G::EDGES.len()
    }
    #[inline(always)]
    fn edge<const B: usize>(_: Batch<'_, X, B>, _: usize, index: usize) -> [usize; 2] {
        fixed::<X, G>(index)
    }
    #[inline(always)]
    fn gradients<'a, const B: usize>(gradient: GradientOf<'a, X, B>) -> Gradients<'a, Self, B> {
        (gradient, None)
    }
    #[inline(always)]
    fn weight<const B: usize>(_: Batch<'_, X, B>, _: usize, index: usize) -> Number<Self> {
        G::WEIGHTS.get(index).map_or(X::Element::ONE, |weight| X::Element::from_f64(*weight))
    }
}
