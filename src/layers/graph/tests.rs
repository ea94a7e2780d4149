//! Golden numbers, finite differences, and what must hold of every graph.

use std::boxed::Box;
use std::vec::Vec;

use super::*;
use crate::layer::{Layer, evaluate};
use crate::layers::passes::{Passes, random};
use crate::memory::boxed;
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::scalar::{Real, bits};
use crate::simd::{Task, dispatch, level, levels};
use crate::testing::check_gradients;
use crate::testing::golden::{check_layer, random as random_batch};

const SLOPE: u64 = bits(0.2);

/// The graph of `gcn` and `gat`.
struct Six;
impl Topology for Six {
    const EDGES: &'static [[u16; 2]] =
        &undirected::<9, 18>([[1, 0], [3, 0], [5, 0], [4, 1], [3, 2], [4, 2], [5, 2], [5, 3], [5, 4]]);
}

const EDGES: [[u16; 2]; 16] = [
    [5, 4],
    [6, 3],
    [6, 0],
    [3, 0],
    [3, 2],
    [3, 3],
    [2, 5],
    [3, 0],
    [0, 2],
    [0, 0],
    [5, 3],
    [2, 3],
    [3, 5],
    [3, 1],
    [1, 4],
    [6, 4],
];

/// The graph of the others: with a repeated edge, edges of nodes to themselves, and a node that nothing reaches.
struct Seven;
impl Topology for Seven {
    const EDGES: &'static [[u16; 2]] = &EDGES;
}

struct Weighted;
impl Topology for Weighted {
    const EDGES: &'static [[u16; 2]] = &EDGES;
    const WEIGHTS: &'static [f64] = &[
        0.1348488663362635,
        0.5818451834553452,
        0.14467082440523107,
        0.4177983854049554,
        0.6852766889142965,
        1.0169742986825503,
        0.3097530714202109,
        0.9143095376129987,
        1.065990729990156,
        0.7053846222236584,
        0.15837985988108785,
        0.7938852608584885,
        0.3516532153147426,
        1.08599043268781,
        0.735093277303623,
        1.0461419526098361,
    ];
}

fn agree_with_pytorch<T: Real>() {
    check_layer::<GraphConv<Known<[[T; 4]; 6], Six>, [[T; 5]; 4], [[T; 5]; 6], [T; 5]>, 1>("gcn");
    check_layer::<GraphConv<Known<[[T; 4]; 7], Weighted>, [[T; 5]; 4], [[T; 5]; 7], [T; 5]>, 1>("graph_gcn_weighted");
    check_layer::<GraphAttention<Known<[[T; 4]; 6], Six>, [[T; 6]; 4], [[T; 3]; 2], [[T; 6]; 6], [T; 6], 2, SLOPE, 0>, 1>(
        "gat",
    );
    check_layer::<
        GraphAttentionV2<Known<[[T; 4]; 7], Seven>, [[T; 10]; 4], [[T; 5]; 2], [[T; 10]; 7], [T; 10], 2, SLOPE, 0>,
        1,
    >("graph_gatv2");
    type Of<T> = Known<[[T; 4]; 7], Seven>;
    check_layer::<GraphSage<Of<T>, Mean, [[T; 5]; 4], [[T; 5]; 7], [T; 5]>, 1>("graph_sage_mean");
    check_layer::<GraphSage<Of<T>, Max, [[T; 5]; 4], [[T; 5]; 7], [T; 5]>, 1>("graph_sage_max");
    type Edged<T> = KnownFeatured<[[T; 4]; 7], Seven, [[T; 3]; 16]>;
    check_layer::<EdgeConv<Edged<T>, super::Sum, [[T; 5]; 11], [[T; 5]; 7]>, 1>("graph_edge_network");
}

crate::network! { Isomorphism<T>: [7, 4] -> [7, 5] { Gin(graph = self::Seven), Dense(5), Relu, Dense(5) } }

#[test]
fn layers_agree_with_pytorch() {
    agree_with_pytorch::<f64>();
    agree_with_pytorch::<f32>();
    check_layer::<Isomorphism<f64>, 1>("graph_gin");
    check_layer::<Isomorphism<f32>, 1>("graph_gin");
}

/// Checks derivatives, and the passes at every level against each other.
fn check<L: Layer<Scalar = f64>, const B: usize>(input: &<L::Input as Inputs>::Owned<B>) {
    let mut layer = random::<L>();
    check_gradients::<L, B>(&mut layer, input, 1e-6)
        .unwrap_or_else(|error| panic!("{}: {error}", core::any::type_name::<L>()));
    let grad_output = random_batch::<L::Output, B>(3);
    for level in levels() {
        Passes::run::<L, B>(level, &*layer, input, &grad_output);
    }
}

/// Random edges of a graph of `N` nodes.
fn edges<const N: usize, const E: usize>(noise: &mut Noise) -> [[u16; 2]; E] {
    core::array::from_fn(|_| [noise.below(N as u64) as u16, noise.below(N as u64) as u16])
}

type Nodes = [[f64; 3]; 5];
type Pairs = [[u16; 2]; 17];

#[test]
fn derivatives_agree_with_finite_differences() {
    let mut noise = Noise::new(5);
    let x = *random_batch::<Nodes, 2>(1);
    let pairs = [edges::<5, 17>(&mut noise), edges::<5, 17>(&mut noise)];
    type G = Linked<Nodes, Pairs>;
    let input = (x, pairs);
    check::<GraphConv<G, [[f64; 17]; 3], [[f64; 17]; 5], [f64; 17]>, 2>(&input);
    check::<GraphConv<G, [[f64; 3]; 0], Nodes, [f64; 0]>, 2>(&input);
    check::<GraphAttention<G, [[f64; 6]; 3], [[f64; 2]; 3], [[f64; 6]; 5], [f64; 0], 3, SLOPE, { bits(0.5) }>, 2>(
        &input,
    );
    check::<GraphAttention<G, [[f64; 3]; 0], [[f64; 3]; 1], Nodes, [f64; 3], 1, SLOPE, 0>, 2>(&input);
    check::<GraphAttentionV2<G, [[f64; 4]; 3], [[f64; 2]; 2], [[f64; 4]; 5], [f64; 0], 2, SLOPE, { bits(0.5) }>, 2>(
        &input,
    );
    check::<GraphSage<G, Mean, [[f64; 17]; 3], [[f64; 17]; 5], [f64; 17]>, 2>(&input);
    check::<GraphSage<G, Max, [[f64; 1]; 3], [[f64; 1]; 5], [f64; 0]>, 2>(&input);
    check::<EdgeConv<G, Mean, [[f64; 33]; 6], [[f64; 33]; 5]>, 2>(&input);
    check::<Gin<G, Nodes>, 2>(&input);
    type One = Linked<[[f64; 3]; 1], [[u16; 2]; 1]>;
    check::<GraphAttentionV2<One, [[f64; 1]; 3], [[f64; 1]; 1], [[f64; 1]; 1], [f64; 1], 1, SLOPE, 0>, 1>(&(
        [[x[0][0]]],
        [[[0, 0]]],
    ));
}

#[test]
fn derivatives_agree_with_finite_differences_where_edges_have_numbers() {
    let mut noise = Noise::new(6);
    let x = *random_batch::<Nodes, 2>(1);
    let pairs = [edges::<5, 17>(&mut noise), edges::<5, 17>(&mut noise)];
    let weights = random_batch::<[f64; 17], 2>(2).map(|weights| weights.map(|weight| weight.abs() + 0.1));
    type Weighed = FeaturedCounted<Nodes, Pairs, [f64; 17], [u8; 1]>;
    let counted = (x, pairs, weights, [[17], [4]]);
    check::<GraphConv<Weighed, [[f64; 2]; 3], [[f64; 2]; 5], [f64; 2]>, 2>(&counted);
    check::<Gin<Weighed, Nodes>, 2>(&counted);
    let features = *random_batch::<[[f64; 2]; 17], 2>(2);
    type Edged = Featured<Nodes, Pairs, [[f64; 2]; 17]>;
    check::<EdgeConv<Edged, super::Sum, [[f64; 5]; 8], [[f64; 5]; 5]>, 2>(&(x, pairs, features));
    check::<EdgeConv<Edged, Max, [[f64; 3]; 8], [[f64; 3]; 5]>, 2>(&(x, pairs, features));
    let weights = random_batch::<[f64; 16], 1>(5).map(|weights| weights.map(f64::abs));
    type Known = KnownFeatured<[[f64; 3]; 7], Seven, [f64; 16]>;
    let x = *random_batch::<[[f64; 3]; 7], 1>(4);
    check::<GraphConv<Known, [[f64; 1]; 3], [[f64; 1]; 7], [f64; 0]>, 1>(&(x, weights));
}

#[test]
fn derivatives_of_pools_pairs_and_sparse_products_agree_with_finite_differences() {
    let x = *random_batch::<[[f64; 3]; 5], 3>(6);
    check::<NodePool<Mean, [[f64; 3]; 5], [u16; 1]>, 3>(&(x, [[3], [0], [5]]));
    check::<NodePool<super::Sum, [[f64; 3]; 5], [u16; 1]>, 3>(&(x, [[3], [1], [5]]));
    check::<NodePool<Max, [[f64; 3]; 5], [u16; 1]>, 3>(&(x, [[3], [1], [5]]));
    let mut noise = Noise::new(8);
    let pairs = core::array::from_fn(|_| edges::<5, 9>(&mut noise));
    check::<EdgePairs<Linked<[[f64; 3]; 5], [[u16; 2]; 9]>, [[f64; 6]; 9]>, 3>(&(x, pairs));
    let counted = (x, pairs, [[4_u16], [0], [9]]);
    check::<EdgePairs<LinkedCounted<[[f64; 3]; 5], [[u16; 2]; 9], [u16; 1]>, [[f64; 6]; 9]>, 3>(&counted);
    let values = *random_batch::<[f64; 9], 3>(9);
    type Sparse<const OUT: usize, B> = SparseDense<[[u16; 2]; 9], [f64; 9], [[f64; OUT]; 6], [[f64; OUT]; 5], B>;
    check::<Sparse<17, [f64; 17]>, 3>(&(pairs, values));
    check::<Sparse<1, [f64; 0]>, 3>(&(pairs, values));
}

/// The graph with its nodes in another order: node `i` becomes node `order[i]`.
fn permuted<const N: usize, const E: usize>(
    x: &[[f64; 3]; N],
    edges: &[[u16; 2]; E],
    order: &[usize; N],
) -> ([[f64; 3]; N], [[u16; 2]; E]) {
    let mut there = [[0.0; 3]; N];
    order.iter().zip(x).for_each(|(to, x)| there[*to] = *x);
    (there, edges.map(|ends| ends.map(|node| order[usize::from(node)] as u16)))
}

/// Whether the rows of the output follow the nodes, whatever the order of nodes and edges.
fn follows<L, const N: usize, const E: usize, const F: usize>()
where
    L: Layer<Scalar = f64, Input = ([[f64; 3]; N], [[u16; 2]; E]), Output = [[f64; F]; N]>,
{
    let (layer, mut noise) = (random::<L>(), Noise::new(21));
    for seed in 0..20 {
        let (x, pairs) = (random_batch::<[[f64; 3]; N], 1>(seed)[0], edges::<N, E>(&mut noise));
        let mut order: [usize; N] = core::array::from_fn(|node| node);
        noise.shuffle(&mut order);
        let (there, mut other) = permuted(&x, &pairs, &order);
        noise.shuffle(&mut other);
        let [here] = evaluate::<L, 1>(&layer, (&[x], &[pairs]));
        let [there] = evaluate::<L, 1>(&layer, (&[there], &[other]));
        for (row, to) in here.iter().zip(order) {
            for (a, b) in row.iter().zip(there[to]) {
                assert!((a - b).abs() < 1e-9 * (1.0 + b.abs()), "{}: {a} is not {b}", core::any::type_name::<L>());
            }
        }
    }
}

#[test]
fn layers_are_equivariant_to_permutations() {
    type G = Linked<[[f64; 3]; 9], [[u16; 2]; 25]>;
    follows::<GraphConv<G, [[f64; 4]; 3], [[f64; 4]; 9], [f64; 4]>, 9, 25, 4>();
    follows::<GraphAttention<G, [[f64; 4]; 3], [[f64; 2]; 2], [[f64; 4]; 9], [f64; 4], 2, SLOPE, 0>, 9, 25, 4>();
    follows::<GraphAttentionV2<G, [[f64; 4]; 3], [[f64; 2]; 2], [[f64; 4]; 9], [f64; 4], 2, SLOPE, 0>, 9, 25, 4>();
    follows::<GraphSage<G, Mean, [[f64; 4]; 3], [[f64; 4]; 9], [f64; 4]>, 9, 25, 4>();
    follows::<GraphSage<G, Max, [[f64; 4]; 3], [[f64; 4]; 9], [f64; 4]>, 9, 25, 4>();
    follows::<EdgeConv<G, super::Sum, [[f64; 4]; 6], [[f64; 4]; 9]>, 9, 25, 4>();
    follows::<Gin<G, [[f64; 3]; 9]>, 9, 25, 3>();
}

crate::network! {
    Invariant<T>(x: [9, 3], edges: [[u16; 2]; 25], nodes: [u16; 1]) -> [2] {
        let near = (x, edges) |> GraphSage(5, aggregate = max) |> Relu;
        let far = (near, edges) |> Gin |> Dense(4) |> Relu;
        (far, nodes) |> NodePool(sum) |> Dense(2)
    }
}

#[test]
fn what_is_said_of_a_graph_does_not_depend_on_the_order() {
    let (mut net, mut noise): (Box<Invariant<f64>>, _) = (boxed(), Noise::new(22));
    net.as_mut_slice().fill_with(|| noise.uniform() - 0.3);
    for seed in 0..20 {
        let (x, pairs) = (random_batch::<[[f64; 3]; 9], 1>(seed)[0], edges::<9, 25>(&mut noise));
        let mut order: [usize; 9] = core::array::from_fn(|node| node);
        noise.shuffle(&mut order);
        let (there, other) = permuted(&x, &pairs, &order);
        let a = net.evaluate(&InvariantInput { x, edges: pairs, nodes: [9] });
        let b = net.evaluate(&InvariantInput { x: there, edges: other, nodes: [9] });
        a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-9, "{a} is not {b}"));
    }
}

/// The error of a forward pass.
struct Refused<'a, L: Layer>(&'a L, &'a <L::Input as Inputs>::Owned<1>);

impl<L: Layer> Task for Refused<'_, L> {
    type Output = Option<InputError>;
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let mut pass = Pass::new(Noise::new(1), L::Scalar::ONE);
        let (mut output, mut saved): (Box<[L::Output; 1]>, Box<L::Saved<1>>) = (boxed(), boxed());
        self.0.forward(simd, L::Input::batch(self.1), &mut output, &mut saved, &mut pass);
        assert!(crate::tensor::batch_slice(&output[..]).iter().all(|number| number.is_finite()));
        pass.error()
    }
}

#[test]
fn a_node_that_does_not_exist_is_refused_and_passes_nothing_on() {
    let error = |position, index, limit| Some(InputError::OutOfRange { sample: 0, position, index, limit });
    type Conv<G> = GraphConv<G, [[f64; 2]; 3], [[f64; 2]; 3], [f64; 2]>;
    type Plain = Linked<[[f64; 3]; 3], [[u16; 2]; 2]>;
    let (layer, x) = (random::<Conv<Plain>>(), [[0.5; 3]; 3]);
    assert_eq!(dispatch(level(), Refused(&*layer, &([x], [[[0, 1], [2, 2]]]))), None);
    assert_eq!(dispatch(level(), Refused(&*layer, &([x], [[[0, 1], [2, 3]]]))), error(3, 3, 3));
    assert_eq!(
        evaluate::<Conv<Plain>, 1>(&layer, (&[x], &[[[0, 1], [2, u16::MAX]]])),
        evaluate::<Conv<LinkedCounted<_, _, [u8; 1]>>, 1>(
            &GraphConv { weight: layer.weight, bias: layer.bias, shapes: PhantomData },
            (&[x], &[[[0_u16, 1], [2, 2]]], &[[1]])
        )
    );
    type Counted = LinkedCounted<[[f64; 3]; 3], [[i16; 2]; 2], [u16; 1]>;
    let layer = random::<GraphSage<Counted, Max, [[f64; 2]; 3], [[f64; 2]; 3], [f64; 2]>>();
    assert_eq!(dispatch(level(), Refused(&*layer, &([x], [[[0, 1], [-1, 2]]], [[1]]))), None);
    assert_eq!(dispatch(level(), Refused(&*layer, &([x], [[[0, 1], [-1, 2]]], [[2]]))), error(2, usize::MAX, 3));
    assert_eq!(dispatch(level(), Refused(&*layer, &([x], [[[0, 1], [1, 2]]], [[3]]))), error(0, 3, 3));
    let pool = random::<NodePool<Mean, [[f64; 3]; 3], [u16; 1]>>();
    assert_eq!(dispatch(level(), Refused(&*pool, &([x], [[4]]))), error(0, 4, 4));
    let sparse = random::<SparseDense<[[u16; 2]; 1], [f64; 1], [[f64; 2]; 4], [[f64; 2]; 3], [f64; 2]>>();
    assert_eq!(dispatch(level(), Refused(&*sparse, &([[[2, 4]]], [[1.0]]))), error(1, 4, 4));
}

#[test]
fn edges_that_are_not_in_use_change_nothing() {
    type Counted = LinkedCounted<[[f64; 3]; 4], [[u16; 2]; 3], [u16; 1]>;
    type Exact = Linked<[[f64; 3]; 4], [[u16; 2]; 2]>;
    type Conv<G> = EdgeConv<G, Mean, [[f64; 2]; 6], [[f64; 2]; 4]>;
    let layer = random::<Conv<Counted>>();
    let exact: Conv<Exact> = EdgeConv { weight: layer.weight, bias: layer.bias, shapes: PhantomData };
    let x = random_batch::<[[f64; 3]; 4], 1>(3);
    let counted = evaluate::<Conv<Counted>, 1>(&layer, (&x, &[[[0, 1], [1, 2], [3, 3]]], &[[2]]));
    assert_eq!(counted, evaluate::<Conv<Exact>, 1>(&exact, (&x, &[[[0, 1], [1, 2]]])));
}

#[test]
fn edges_are_sorted_by_their_receivers() {
    let sorted = by_receiver(EDGES);
    assert!(sorted.is_sorted_by_key(|edge| edge[1]));
    let (mut a, mut b): (Vec<_>, Vec<_>) = (sorted.into(), EDGES.into());
    a.sort_unstable();
    b.sort_unstable();
    assert_eq!(a, b);
}
