//! Every layer over graphs, and equations, whose time depends on their input, as `every_layer` has all others: with edges
//! of the type, and with edges as an input, some of which do not exist.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;

use firmware::every::{fill, run};
use firmware::{exit, measure, print};
use monomorph::layers::graph::{Topology, undirected};
use monomorph::memory::zeroed;
use monomorph::prelude::*;

/// A ring of five.
pub struct Ring;

impl Topology for Ring {
    const EDGES: &'static [[u16; 2]] = &undirected::<5, 10>([[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]]);
}

network! { Fixed: [5, 3] -> [4] {
    GraphConv(4, graph = self::Ring), Relu, GraphAttention(4, heads = 2, graph = self::Ring, dropout = 0.1),
    GraphAttention(6, heads = 3, version = v2, graph = self::Ring), GraphSage(4, graph = self::Ring),
    GraphSage(4, aggregate = max, graph = self::Ring), Gin(graph = self::Ring), EdgeConv(4, graph = self::Ring),
    ReduceMean(0),
} }
network! { Equations: [2] -> [2] {
    ode(to = 1.0, steps = 8) { Dense(4), Tanh, Dense(2) }, ode(times = [0.5, 1.0], solver = Rk4, steps = 4) { Dense(2) },
    ReduceMean(0), ode(to = 1.0, solver = Trapezoid, steps = 2) { Dense(2) },
    ode(to = 1.0, solver = Rosenbrock, steps = 2, time) { Dense(2) }, ode(to = 1.0, gradient = adjoint) { Dense(2) },
} }
network! { Turned: [6, 6, 1] -> [2] {
    LiftConv2d(1, kernel = 3, padding = same), Relu, GroupConv2d(1, kernel = 3, padding = same), GroupPool,
    GlobalAvgPool2d, Dense(2),
} }
network! {
    Given(
        x: [5, 3], edges: [[u8; 2]; 6], features: [6, 2], weights: [6], count: [u8; 1], entries: [[u8; 2]; 4], values: [4],
    )
        -> (nodes: [4], pairs: [6, 1])
    {
        let messages = (x, edges, features, count) |> EdgeConv(4, aggregate = max);
        let weighted = (messages, edges, weights, count) |> GraphConv(4);
        let sparse = (entries, values) |> SparseDense(4, rows = 5, columns = 9);
        let all = add(weighted, sparse);
        let nodes = (all, count) |> NodePool(mean);
        let pairs = (all, edges, count) |> EdgePairs |> Dense(1);
    }
}

/// Evaluates a network over edges that are an input.
#[inline(never)]
fn run_given(name: &str) {
    let mut net: Given = zeroed();
    fill(net.as_mut_slice(), 0.2);
    let mut input: GivenInput = zeroed();
    input.edges = [[0, 1], [1, 2], [4, 0], [3, 3], [200, 1], [2, 4]];
    input.entries = [[0, 8], [4, 0], [4, 9], [2, 3]];
    for most in [1.0, -3.0, 0.0, 1000.0] {
        fill(input.x.as_flattened_mut(), most);
        fill(input.features.as_flattened_mut(), most);
        fill(&mut input.weights, most.max(0.0));
        fill(&mut input.values, most);
        input.count = [5];
        let output = net.evaluate(&input);
        print(name, &output.nodes);
        print(name, output.pairs.as_flattened());
        measure(8, || {
            black_box(black_box(&net).evaluate(black_box(&input)));
        });
    }
}

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    run::<Fixed>("fixed");
    run::<Turned>("turned");
    run::<Equations>("equations");
    run_given("given");
    exit()
}
