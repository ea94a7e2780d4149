//! Layers over graphs: nodes with features, and edges along which they are passed on.
//!
//! The nodes of a sample are `[NODES, FEATURES]`. An edge `[from, to]` passes on what node `from` holds to node `to`;
//! the edges of an undirected graph are listed in both directions. They are part of the network's type, or an input:
//!
//! | written | input | edges |
//! | --- | --- | --- |
//! | `GraphConv(16, graph = self::Club)` | the nodes | those of the type, a [`Topology`] |
//! | `(x, edges) \|> GraphConv(16)` | `edges: [[u16; 2]; E]` | all `E` |
//! | `(x, edges, count) \|> GraphConv(16)` | `count: [u16; 1]` | the first `count`; `E` is the most there can be |
//! | `(x, edges, weights) \|> GraphConv(16)` | `weights: [E]` | all `E`, each with a weight |
//! | `(x, edges, features) \|> EdgeConv(16)` | `features: [E, F]` | all `E`, each with features |
//!
//! A count may stand last in each of them. A batch of graphs is a batch of samples, each with its own edges; graphs
//! with fewer nodes than `NODES` leave the rest without edges, and [`NodePool`] takes the number of nodes in use.
//!
//! An edge of a node that does not exist, or a count of more edges than there can be, is an error in training, which
//! leaves the network unchanged. At inference such an edge passes nothing on, because evaluation cannot fail. In a
//! [`Topology`] it is a compile error.
//!
//! The order of the edges changes nothing but rounding. Passes are faster if those of the same receiver lie together,
//! because its sums then stay in the nearest cache: [`by_receiver`] sorts them.

mod attention;
mod attention_v2;
mod conv;
mod edge_conv;
mod forms;
mod gin;
mod node_pool;
mod pairs;
mod sage;
mod softmax;
mod sparse_dense;
#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests;

use core::marker::PhantomData;

use crate::kernels::elementwise::add_assign;
use crate::kernels::gemm::Product;
use crate::layer::{Batch, GradientOf, InputError, Inputs, Pass};
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::Tensor;

pub use attention::GraphAttention;
pub use attention_v2::GraphAttentionV2;
pub use conv::GraphConv;
pub use edge_conv::EdgeConv;
pub use forms::*;
pub use gin::Gin;
pub use node_pool::NodePool;
pub use pairs::EdgePairs;
pub use sage::GraphSage;
pub use sparse_dense::SparseDense;

/// The numbers of the nodes of a graph.
pub type Number<G> = <<G as Graph>::Nodes as Tensor>::Element;

/// A number for each node.
pub type PerNode<G> = <<G as Graph>::Nodes as Tensor>::Rows;

/// Where the gradients of the nodes and of all numbers of the edges are written.
pub type Gradients<'a, G, const B: usize> = (Option<&'a mut [<G as Graph>::Nodes; B]>, Option<&'a mut [Number<G>]>);

/// The edges of a graph as part of a network's type.
///
/// ```
/// use monomorph::layers::graph::{Topology, undirected};
/// use monomorph::prelude::*;
///
/// /// Three sensors in a row.
/// pub struct Row;
/// impl Topology for Row {
///     const EDGES: &'static [[u16; 2]] = &undirected::<2, 4>([[0, 1], [1, 2]]);
/// }
///
/// network! { pub Smooth: [3, 1] -> [3, 1] { GraphConv(1, graph = self::Row, bias = false) } }
/// # fn main() {
/// let mut net = Smooth::zeroed();
/// net.conv1.weight = [[1.0]];
/// // The middle one has two neighbors and itself: it takes 1/√(2·3) of each neighbor and 1/3 of itself.
/// let y = net.evaluate(&[[6.0_f32.sqrt()], [3.0], [0.0]]);
/// assert!((y[1][0] - 2.0).abs() < 1e-6);
/// # }
/// ```
pub trait Topology: 'static {
    /// The edges, each as `[from, to]`.
    const EDGES: &'static [[u16; 2]];
    /// Their weights, for [`GraphConv`]; empty if each has a weight of 1.
    const WEIGHTS: &'static [f64] = &[];
}

/// Edges in both directions, ordered by their receivers.
///
/// ```
/// use monomorph::layers::graph::undirected;
/// const PATH: [[u16; 2]; 4] = undirected([[0, 1], [1, 2]]);
/// assert_eq!(PATH, [[1, 0], [0, 1], [2, 1], [1, 2]]);
/// ```
///
/// # Panics
/// If `BOTH` is not twice as many as `E`. Meant for constants, where this is a compile error.
pub const fn undirected<const E: usize, const BOTH: usize>(edges: [[u16; 2]; E]) -> [[u16; 2]; BOTH] {
    assert!(BOTH == 2 * E, "an undirected edge counts twice");
    let (mut both, mut index) = ([[0; 2]; BOTH], 0);
    while index < E {
        let [a, b] = edges[index];
        both[2 * index] = [a, b];
        both[2 * index + 1] = [b, a];
        index += 1;
    }
    by_receiver(both)
}

/// Edges `[from, to]` in the order of their receivers, and otherwise in the order given.
///
/// ```
/// use monomorph::layers::graph::by_receiver;
/// assert_eq!(by_receiver([[0, 2], [1, 0], [2, 0]]), [[1, 0], [2, 0], [0, 2]]);
/// ```
#[must_use]
pub const fn by_receiver<const E: usize>(mut edges: [[u16; 2]; E]) -> [[u16; 2]; E] {
    // Const code cannot call `sort`; insertion is enough for what stands in a program.
    let mut next = 1;
    while next < E {
        let (edge, mut place) = (edges[next], next);
        while place > 0 && edges[place - 1][1] > edge[1] {
            edges[place] = edges[place - 1];
            place -= 1;
        }
        edges[place] = edge;
        next += 1;
    }
    edges
}

/// What a layer over a graph takes: nodes, and the edges between them.
pub trait Graph: 'static {
    /// The nodes, `[NODES, FEATURES]`.
    type Nodes: Tensor<Element: Scalar>;
    /// The input of the layer.
    type Input: Inputs;
    /// How many edges there can be.
    const EDGES: usize;
    /// How many numbers of the network each edge has in the input: none, a weight, or features.
    const FEATURES: usize;

    /// The nodes of a batch, and all numbers of its edges.
    fn open<'a, const B: usize>(batch: Batch<'a, Self::Input, B>) -> (&'a [Self::Nodes; B], &'a [Number<Self>]);
    /// How many edges of a sample are in use.
    fn count<const B: usize>(batch: Batch<'_, Self::Input, B>, sample: usize) -> usize;
    /// The edge with this index: from which node to which.
    fn edge<const B: usize>(batch: Batch<'_, Self::Input, B>, sample: usize, index: usize) -> [usize; 2];
    /// Where the gradients are written.
    fn gradients<'a, const B: usize>(gradient: GradientOf<'a, Self::Input, B>) -> Gradients<'a, Self, B>;

    /// The weight of the edge with this index.
    #[inline(always)]
    fn weight<const B: usize>(batch: Batch<'_, Self::Input, B>, sample: usize, index: usize) -> Number<Self> {
        let weight = Self::open::<B>(batch).1.get((sample * Self::EDGES + index) * Self::FEATURES);
        weight.copied().unwrap_or(Number::<Self>::ONE)
    }
}

/// The number of nodes of a graph.
pub(super) const fn nodes<G: Graph>() -> usize {
    let &[nodes, _] = <G::Nodes as Tensor>::SHAPE else { panic!("the nodes of a graph are `[NODES, FEATURES]`") };
    nodes
}

/// Reports counts and nodes that do not exist.
#[inline(always)]
pub(super) fn check_edges<G: Graph, const B: usize>(input: Batch<'_, G::Input, B>, pass: &mut Pass<Number<G>>) {
    for sample in 0..B {
        let count = G::count(input, sample);
        if count > G::EDGES {
            pass.refuse(InputError::OutOfRange { sample, position: 0, index: count, limit: G::EDGES + 1 });
        }
        for edge in 0..count.min(G::EDGES) {
            for (end, node) in G::edge(input, sample, edge).into_iter().enumerate() {
                if node >= const { nodes::<G>() } {
                    let position = 2 * edge + end;
                    pass.refuse(InputError::OutOfRange {
                        sample,
                        position,
                        index: node,
                        limit: const { nodes::<G>() },
                    });
                }
            }
        }
    }
}

/// An edge between nodes that exist.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) index: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// The edges of a sample that are in use, behind an edge of each node to itself if these are asked for.
pub(super) struct Links<'a, G: Graph, const B: usize> {
    batch: Batch<'a, G::Input, B>,
    sample: usize,
    node: usize,
    next: usize,
    count: usize,
}

impl<'a, G: Graph, const B: usize> Links<'a, G, B> {
    #[inline(always)]
    pub(super) fn of(batch: Batch<'a, G::Input, B>, sample: usize) -> Self {
        let count = G::count(batch, sample).min(G::EDGES);
        Self { batch, sample, node: const { nodes::<G>() }, next: 0, count }
    }

    /// The index of the edges from nodes to themselves, which are none of the input.
    #[inline(always)]
    pub(super) fn with_loops(batch: Batch<'a, G::Input, B>, sample: usize) -> Self {
        Self { node: 0, ..Self::of(batch, sample) }
    }
}

impl<G: Graph, const B: usize> Iterator for Links<'_, G, B> {
    type Item = Link;

    #[inline(always)]
    fn next(&mut self) -> Option<Link> {
        let (nodes, node) = (const { nodes::<G>() }, self.node);
        if node < nodes {
            self.node += 1;
            return Some(Link { index: usize::MAX, from: node, to: node });
        }
        while self.next < self.count {
            let index = self.next;
            self.next += 1;
            let [from, to] = G::edge(self.batch, self.sample, index);
            if from < nodes && to < nodes {
                return Some(Link { index, from, to });
            }
        }
        None
    }
}

/// How what reaches a node becomes one: a marker that is never built.
pub trait Aggregation: 'static {
    /// Whether the sum is divided by the number of summands.
    const MEAN: bool = false;
    /// Whether it is the largest instead of a sum.
    const MAX: bool = false;
    /// For each number of an `X`, which edge gave the largest, counted from 1.
    type Winner<X: Tensor>: Tensor<Element = u32>;
}

/// The sum of what reaches a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sum;

/// The mean of what reaches a node; 0 if nothing does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean;

/// The largest of what reaches a node, feature by feature; 0 if nothing does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Max;

impl Aggregation for Sum {
    type Winner<X: Tensor> = [u32; 0];
}
impl Aggregation for Mean {
    const MEAN: bool = true;
    type Winner<X: Tensor> = [u32; 0];
}
impl Aggregation for Max {
    const MAX: bool = true;
    type Winner<X: Tensor> = X::With<u32>;
}

/// Adds the message of an edge to the sum of its receiver, or keeps what is larger.
#[inline(always)]
pub(super) fn collect<A: Aggregation, T: Scalar, S: Simd>(
    simd: S,
    message: &[T],
    sum: &mut [T],
    winner: &mut [u32],
    index: usize,
) {
    if !A::MAX {
        return add_assign(simd, sum, message);
    }
    for ((message, sum), winner) in message.iter().zip(sum).zip(winner) {
        // Without a jump, so that it takes the same time for all numbers.
        let larger = (*winner == 0) | (*message > *sum);
        *sum = if larger { *message } else { *sum };
        *winner = if larger { index as u32 + 1 } else { *winner };
    }
}

/// What each summand counts: 1, or for a mean one by the number of edges that reach each node.
#[inline(always)]
pub(super) fn shares<A: Aggregation, G: Graph, const B: usize>(
    input: Batch<'_, G::Input, B>,
    sample: usize,
    shares: &mut [Number<G>],
) {
    if !A::MEAN {
        return shares.fill(Number::<G>::ONE);
    }
    shares.fill(Number::<G>::ZERO);
    for link in Links::<G, B>::of(input, sample) {
        if let Some(count) = shares.get_mut(link.to) {
            *count += Number::<G>::ONE;
        }
    }
    for share in shares {
        if *share > Number::<G>::ZERO {
            *share = Number::<G>::ONE / *share;
        }
    }
}

/// A row of a matrix with rows of `len` numbers; empty if there is none.
#[inline(always)]
pub(super) fn row<T>(rows: &[T], index: usize, len: usize) -> &[T] {
    rows.get(index * len..index * len + len).unwrap_or_default()
}

/// The same, to change.
#[inline(always)]
pub(super) fn row_mut<T>(rows: &mut [T], index: usize, len: usize) -> &mut [T] {
    rows.get_mut(index * len..index * len + len).unwrap_or_default()
}

/// A number for a node; 0 if there is none.
#[inline(always)]
pub(super) fn at<T: Scalar>(numbers: &[T], index: usize) -> T {
    numbers.get(index).copied().unwrap_or(T::ZERO)
}

/// The product of every row of an `X` with a weight whose rows are those of a `Y`.
pub(super) struct Mapped<X, Y, B>(PhantomData<(X, Y, B)>);

impl<X: Tensor, Y: Tensor, B: Tensor> Product for Mapped<X, Y, B> {
    const ROWS: usize = X::LEN / X::CHANNELS;
    const IN: usize = X::CHANNELS;
    const OUT: usize = Y::CHANNELS;
    const BIAS: usize = B::LEN;
}
