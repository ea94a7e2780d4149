//! Counting the cycles of graphs: what a graph convolutional network cannot see, and a graph isomorphism network can
//! (Xu, Hu, Leskovec and Jegelka, *How powerful are graph neural networks?*, 2019).
//!
//! ```text
//! cargo run --release --example cycles
//! cargo run --release --example cycles -- --quick
//! ```
//!
//! A connected graph of `n` nodes and `e` undirected edges has `e - n + 1` independent cycles. Nodes have no features
//! but a 1. Two tasks, made at random, each with graphs of their own to learn from and to be tested on:
//!
//! | task | graphs |
//! | --- | --- |
//! | regular | 12 nodes; all have 2, 3 or 4 neighbors: 1, 7 or 13 cycles |
//! | grown | a tree of 8 to 14 nodes and up to 3 further edges: 0 to 3 cycles |
//!
//! Both networks have the same layers and add up their nodes at the end; only how a node looks at its neighbors
//! differs. The weights of a graph convolution, `1/√(d[i]·d[j])`, sum to 1 in a graph whose nodes have equally many
//! neighbors: there it gives every node the same number, however many neighbors they are, and can but guess. A sum
//! counts them.

use std::error::Error;

use clap::Parser;
use monomorph::prelude::*;

const NODES: usize = 14;
/// The most edges, in both directions.
const EDGES: usize = 48;
const CLASSES: usize = 4;
const BATCH: usize = 32;

network! {
    /// Means over neighbors, weighted by degrees.
    pub Gcn(x: [NODES, 1], edges: [[u16; 2]; EDGES], used: [u16; 1], nodes: [u16; 1]) -> [CLASSES] {
        let near = (x, edges, used) |> GraphConv(16) |> Relu |> Dense(16) |> Relu;
        let far = (near, edges, used) |> GraphConv(16) |> Relu |> Dense(16) |> Relu;
        (far, nodes) |> NodePool(sum) |> Dense(CLASSES)
    }
}

network! {
    /// Sums over neighbors.
    pub Isomorphism(x: [NODES, 1], edges: [[u16; 2]; EDGES], used: [u16; 1], nodes: [u16; 1]) -> [CLASSES] {
        let near = (x, edges, used) |> Gin |> Dense(16) |> Relu |> Dense(16) |> Relu;
        let far = (near, edges, used) |> Gin |> Dense(16) |> Relu |> Dense(16) |> Relu;
        (far, nodes) |> NodePool(sum) |> Dense(CLASSES)
    }
}

/// Counts the cycles of graphs by two networks.
#[derive(Parser)]
struct Options {
    /// Few steps.
    #[arg(long)]
    quick: bool,
    /// The random seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A graph that grows edge by edge.
#[derive(Default)]
struct Graph {
    nodes: u16,
    edges: Vec<[u16; 2]>,
}

impl Graph {
    fn has(&self, edge: [u16; 2]) -> bool {
        edge[0] == edge[1] || self.edges.contains(&edge) || self.edges.contains(&[edge[1], edge[0]])
    }

    /// How many independent cycles it has, if it is connected.
    fn cycles(&self) -> usize {
        self.edges.len() + 1 - usize::from(self.nodes)
    }

    /// All nodes have 2, 3 or 4 neighbors: a ring, and a matching or another ring.
    fn regular(noise: &mut Noise) -> Self {
        let (nodes, degree) = (12, 2 + noise.below(3));
        loop {
            let mut order: [[u16; 12]; 2] = core::array::from_fn(|_| core::array::from_fn(|node| node as u16));
            order.iter_mut().for_each(|order| noise.shuffle(order));
            let [first, second] = order;
            let ring = |order: [u16; 12]| (0..12).map(move |place| [order[place], order[(place + 1) % 12]]);
            let mut graph = Self { nodes, edges: ring(first).collect() };
            let more: Vec<_> = match degree {
                2 => Vec::new(),
                3 => ring(second).step_by(2).collect(),
                _ => ring(second).collect(),
            };
            if more.iter().all(|edge| !graph.has(*edge)) {
                graph.edges.extend(more);
                return graph;
            }
        }
    }

    /// A random tree, and up to three further edges.
    fn grown(noise: &mut Noise) -> Self {
        let nodes = 8 + noise.below(7) as u16;
        let mut graph = Self { nodes, edges: (1..nodes).map(|node| [node, noise.below(node.into()) as u16]).collect() };
        let most = graph.edges.len() + noise.below(4) as usize;
        while graph.edges.len() < most {
            let edge = [noise.below(nodes.into()) as u16, noise.below(nodes.into()) as u16];
            if !graph.has(edge) {
                graph.edges.push(edge);
            }
        }
        graph
    }
}

/// The parts of a network's input: edges in both directions, how many, and the number of nodes.
fn parts(graph: &Graph) -> ([[u16; 2]; EDGES], [u16; 1], [u16; 1]) {
    let (mut edges, both) = ([[0; 2]; EDGES], graph.edges.iter().flat_map(|[a, b]| [[*a, *b], [*b, *a]]));
    let used = both.zip(&mut edges).map(|(edge, to)| *to = edge).count();
    (edges, [used as u16], [graph.nodes])
}

/// Its name, how its graphs are made, and how many cycles each class has.
type Task = (&'static str, fn(&mut Noise) -> Graph, [usize; CLASSES]);

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let gcn = |graph: &Graph| {
        let (edges, used, nodes) = parts(graph);
        GcnInput { x: [[1.0]; NODES], edges, used, nodes }
    };
    let isomorphism = |graph: &Graph| {
        let (edges, used, nodes) = parts(graph);
        IsomorphismInput { x: [[1.0]; NODES], edges, used, nodes }
    };
    let tasks: [Task; 2] = [("regular", Graph::regular, [1, 7, 13, usize::MAX]), ("grown", Graph::grown, [0, 1, 2, 3])];
    for (name, make, classes) in tasks {
        let blind = learn::<Gcn>(&options, make, classes, gcn)?;
        let seeing = learn::<Isomorphism>(&options, make, classes, isomorphism)?;
        let chance = if classes[3] == usize::MAX { 33.3 } else { 25.0 };
        println!("{name}: GCN {blind:.1} %, GIN {seeing:.1} % of 1,000 new graphs right; chance {chance} %");
    }
    Ok(())
}

/// Trains a network, and says how many of 1,000 new graphs it gets right, in percent.
fn learn<N>(
    options: &Options,
    make: fn(&mut Noise) -> Graph,
    classes: [usize; CLASSES],
    input: impl Fn(&Graph) -> N::Input,
) -> Result<f64, Box<dyn Error>>
where
    N: Network<Scalar = f32, Output = [f32; CLASSES]> + Trainable,
{
    let mut noise = Noise::new(options.seed);
    let mut draw = || {
        let graph = make(&mut noise);
        let class = classes.iter().position(|cycles| *cycles == graph.cycles()).unwrap_or(0);
        (input(&graph), class)
    };
    let mut net: Box<N> = monomorph::memory::boxed();
    monomorph::init::initialize(&mut *net, Init::default(), &mut Noise::new(options.seed));
    let steps = if options.quick { 100 } else { 3000 };
    let mut trainer = Trainer::<N, _, BATCH>::new(Adam { learning_rate: 3e-3, ..Adam::default() }, CrossEntropy)
        .schedule(Schedule::one_cycle(steps))
        .clip(1.0);
    let (mut x, mut y): (Box<[N::Input; BATCH]>, _) = (monomorph::memory::boxed(), [0_usize; BATCH]);
    for _ in 0..steps {
        for (x, y) in x.iter_mut().zip(&mut y) {
            (*x, *y) = draw();
        }
        trainer.step(&mut net, &x, &y)?;
    }
    let (tests, targets): (Vec<_>, Vec<_>) = (0..1000).map(|_| draw()).unzip();
    let score = Evaluator::<N, BATCH>::new().score(&net, &CrossEntropy, &tests, &targets)?;
    Ok(100.0 * score.accuracy.unwrap_or(0.0))
}
