//! From the operators of a graph to layers.
//!
//! A value of the network has its channels last, so a value knows in which order it holds the axes that the file counts.
//! Transposing changes that order only; numbers move where a layer needs another order than the one that is there.

use std::collections::HashMap;

use super::body::{Flow, Source, Step, write};
use super::graph::{Array, Graph, Node, product};
use crate::{Error, Model};

/// A value of the network, whose first axis in the file is that of the batch.
#[derive(Clone, Debug)]
pub(super) struct Live {
    /// All sizes, as the file has them.
    pub(super) shape: Vec<usize>,
    /// Which axes of the file the network's value has, in its order. Axes that it lacks have size 1.
    pub(super) order: Vec<usize>,
    /// The flow at whose end it is.
    flow: usize,
    /// Whether something else reads it, too: then nothing is appended to its flow.
    shared: bool,
}

impl Live {
    /// The same numbers, of which the file has another view.
    pub(super) fn seen_as(&self, shape: Vec<usize>, order: Vec<usize>) -> Self {
        Self { shape, order, ..*self }
    }

    /// The sizes in the network.
    pub(super) fn sizes(&self) -> Vec<usize> {
        self.order.iter().map(|axis| self.shape[*axis]).collect()
    }

    /// Where the network has an axis of the file.
    pub(super) fn place(&self, axis: usize) -> Option<usize> {
        self.order.iter().position(|held| *held == axis)
    }

    /// The axes of the network with the channels last, of a value of these many axes in the file.
    pub(super) fn image(rank: usize, channels_last: bool) -> Vec<usize> {
        if channels_last { (1..rank).collect() } else { (2..rank).chain([1]).collect() }
    }
}

/// What is known of a value of the file.
#[derive(Clone, Debug)]
pub(super) enum Known {
    Constant(Array),
    Live(Live),
    /// It depends on an operator that is not known.
    Nothing,
}

/// No value of a network has more numbers: a damaged file could claim any size.
const MOST: usize = 1 << 24;

/// The network so far.
pub(super) struct Translator<'a> {
    graph: &'a Graph,
    values: HashMap<&'a str, Known>,
    uses: HashMap<&'a str, usize>,
    flows: Vec<Flow>,
    /// For values that were flattened in another order than the file's: what was flattened.
    moved: HashMap<&'a str, Live>,
}

/// Why an operator is not translated.
pub(super) type Refusal = String;

/// The network that computes a graph.
pub(super) fn translate(graph: &Graph) -> Result<Model, Error> {
    let [input] = graph.inputs.as_slice() else {
        let names: Vec<_> = graph.inputs.iter().map(|port| format!("`{:.40}`", port.name)).collect();
        return Err(Error(format!("the model has {} inputs, where one is known: {}", names.len(), names.join(", "))));
    };
    let [output] = graph.outputs.as_slice() else {
        let names: Vec<_> = graph.outputs.iter().map(|name| format!("`{name:.40}`")).collect();
        return Err(Error(format!("the model has {} outputs, where one is known: {}", names.len(), names.join(", "))));
    };
    let shape = batch_of_one(&input.name, &input.sizes)?;
    let mut uses = HashMap::new();
    // Who asks for a shape reads no number.
    let readers = graph.nodes.iter().filter(|node| node.kind != "Shape");
    let read = readers.flat_map(|node| &node.inputs).chain(&graph.outputs);
    read.for_each(|name| *uses.entry(name.as_str()).or_insert(0) += 1);
    let mut translator = Translator { graph, values: HashMap::new(), uses, flows: Vec::new(), moved: HashMap::new() };
    for (name, array) in &graph.constants {
        translator.values.insert(name, Known::Constant(array.clone()));
    }
    translator.flows.push(Flow { source: Source::Input, steps: Vec::new() });
    let order: Vec<usize> = (1..shape.len()).collect();
    let live = Live { shape: shape.clone(), order, flow: 0, shared: false };
    translator.define(&input.name, Known::Live(live));
    if let Some(node) =
        graph.nodes.iter().find(|node| node.kind.contains("Quantize") || node.kind.starts_with("QLinear"))
    {
        let title = node.title();
        return Err(Error(format!("{title}: the model computes in integers; models of floats are known")));
    }
    let mut problems = Vec::new();
    for node in &graph.nodes {
        if let Err(problem) = translator.node(node) {
            problems.push(problem);
        }
    }
    if !problems.is_empty() {
        let count = problems.len();
        problems.truncate(40);
        return Err(Error(format!("{count} operators have no layer here:\n  {}", problems.join("\n  "))));
    }
    match translator.values.get(output.as_str()) {
        Some(Known::Live(live)) => {
            let live = live.clone();
            let all: Vec<usize> = (1..live.shape.len()).collect();
            let live = translator.arranged(&live, &all);
            let (body, tensors) = write(translator.flows, live.flow);
            let sizes = |shape: &[usize]| if shape.len() > 1 { shape[1..].to_vec() } else { vec![1] };
            Ok(Model {
                input: sizes(&shape),
                output: sizes(&live.shape),
                streaming: false,
                body,
                tensors: Some(tensors),
                sample_rate: None,
            })
        }
        Some(Known::Constant(_)) => Err(Error(format!("the output `{output:.60}` does not depend on the input"))),
        _ => Err(Error(format!("nothing computes the output `{output:.60}`"))),
    }
}

/// The shape of an input for one sample.
fn batch_of_one(name: &str, sizes: &[Result<usize, String>]) -> Result<Vec<usize>, Error> {
    let mut shape = Vec::new();
    for (axis, size) in sizes.iter().enumerate() {
        match (axis, size) {
            (0, Ok(1) | Err(_)) => shape.push(1),
            (0, Ok(batch)) => {
                return Err(Error(format!(
                    "the input `{name:.60}` is a batch of {batch}: export the model for a batch of 1, or of any size"
                )));
            }
            (_, Ok(0)) => return Err(Error(format!("the input `{name:.60}` has no numbers"))),
            (_, Ok(size)) => shape.push(*size),
            (_, Err(word)) => {
                return Err(Error(format!("the input `{name:.60}` has an unknown size, `{word:.40}`, at axis {axis}")));
            }
        }
    }
    if shape.len() < 2 {
        return Err(Error(format!("the input `{name:.60}` has no axis behind that of the batch")));
    }
    product(&shape)?;
    Ok(shape)
}

impl<'a> Translator<'a> {
    fn define(&mut self, name: &'a str, known: Known) {
        let known = match known {
            Known::Live(live) => {
                Known::Live(Live { shared: live.shared || self.uses.get(name).is_some_and(|uses| *uses > 1), ..live })
            }
            other => other,
        };
        self.values.insert(name, known);
    }

    fn node(&mut self, node: &'a Node) -> Result<(), Refusal> {
        let nowhere = node.inputs.iter().find(|name| !name.is_empty() && !self.values.contains_key(name.as_str()));
        if let Some(name) = nowhere {
            return Err(format!("{}: nothing before it computes its input `{name:.60}`", node.title()));
        }
        let inputs: Vec<Option<Known>> = node
            .inputs
            .iter()
            .map(|name| (!name.is_empty()).then(|| self.values.get(name.as_str()).cloned().unwrap_or(Known::Nothing)))
            .collect();
        let unknown = inputs.iter().flatten().any(|known| matches!(known, Known::Nothing));
        let (known, problem) = match self.operator(node, &inputs) {
            Ok(Some(Known::Live(live))) if product(&live.shape).is_ok_and(|numbers| numbers <= MOST) => {
                (Known::Live(live), None)
            }
            Ok(Some(Known::Live(live))) => {
                (Known::Nothing, Some(format!("it gives the shape {:?}, which is absurd", live.shape)))
            }
            Ok(Some(known)) => (known, None),
            Ok(None) => (Known::Nothing, Some("it is not known".into())),
            // What an operator behind an unknown one says of its inputs is no news.
            Err(_) if unknown => (Known::Nothing, None),
            Err(problem) => (Known::Nothing, Some(problem)),
        };
        if let Some(first) = node.outputs.first() {
            self.define(first, known);
        }
        for other in node.outputs.iter().skip(1).filter(|name| !name.is_empty()) {
            self.define(other, Known::Nothing);
        }
        problem.map_or(Ok(()), |problem| Err(format!("{}: {problem}", node.title())))
    }

    /// The version of the operators of the file.
    pub(super) fn version(&self) -> i64 {
        self.graph.version
    }

    /// A value behind one more layer, which gives this shape in this order.
    pub(super) fn then(&mut self, live: &Live, step: Step, shape: Vec<usize>, order: Vec<usize>) -> Live {
        let flow = if live.shared {
            self.flows.push(Flow { source: Source::Flow(live.flow), steps: vec![step] });
            self.flows.len() - 1
        } else {
            self.flows[live.flow].steps.push(step);
            live.flow
        };
        Live { shape, order, flow, shared: false }
    }

    /// A view of a value, which takes the place of a view before it.
    fn view(&mut self, live: &Live, shape: Vec<usize>, order: Vec<usize>) -> Live {
        let sizes: Vec<usize> = order.iter().map(|axis| shape[*axis]).collect();
        let step = match sizes.as_slice() {
            [_] | [] => Step::new("Flatten"),
            sizes => Step::new("Reshape").argument(format!("{sizes:?}")),
        };
        if self.last_step(live).is_some_and(|last| ["Flatten", "Reshape"].contains(&last.kind)) {
            self.flows[live.flow].steps.pop();
        }
        self.then(live, step, shape, order)
    }

    /// A value behind a layer that changes no shape.
    pub(super) fn same(&mut self, live: &Live, step: Step) -> Live {
        self.then(live, step, live.shape.clone(), live.order.clone())
    }

    /// `add`, `multiply` or `concat` of values of one order.
    pub(super) fn combined(
        &mut self,
        kind: &'static str,
        lives: &[Live],
        axis: Option<usize>,
        shape: Vec<usize>,
    ) -> Live {
        let flows = lives.iter().map(|live| live.flow).collect();
        self.flows.push(Flow { source: Source::Combine(kind, flows, axis), steps: Vec::new() });
        let order = lives.first().map(|live| live.order.clone()).unwrap_or_default();
        Live { shape, order, flow: self.flows.len() - 1, shared: false }
    }

    /// Whether a value is a function of another, number by number: `kind`, and nothing else reads it.
    pub(super) fn is_function_of(&self, value: &Live, of: &Live, kind: &str) -> bool {
        let Flow { source, steps } = &self.flows[value.flow];
        let from = matches!(source, Source::Flow(source) if *source == of.flow);
        from && !value.shared && matches!(steps.as_slice(), [step] if step.kind == kind)
    }

    /// The layer that gave a value, if it is this value's alone.
    pub(super) fn last_step(&mut self, live: &Live) -> Option<&mut Step> {
        if live.shared { None } else { self.flows[live.flow].steps.last_mut() }
    }

    /// The value with these axes of the file in this order.
    pub(super) fn arranged(&mut self, live: &Live, order: &[usize]) -> Live {
        if live.order == order {
            return live.clone();
        }
        let large =
            |order: &[usize]| -> Vec<usize> { order.iter().copied().filter(|axis| live.shape[*axis] != 1).collect() };
        let (from, to) = (large(&live.order), large(order));
        let mut now = live.clone();
        if from != to {
            now = self.viewed(&now, from.clone());
            let places = to.iter().filter_map(|axis| from.iter().position(|held| held == axis));
            let places: Vec<_> = places.map(|place| place.to_string()).collect();
            let step = Step::new("Transpose").argument(format!("axes = ({})", places.join(", ")));
            now = self.then(&now, step, live.shape.clone(), to);
        }
        self.viewed(&now, order.to_vec())
    }

    /// The value with axes of size 1 more or less.
    fn viewed(&mut self, live: &Live, order: Vec<usize>) -> Live {
        let sizes: Vec<usize> = order.iter().map(|axis| live.shape[*axis]).collect();
        if sizes == live.sizes() {
            return live.seen_as(live.shape.clone(), order);
        }
        self.view(live, live.shape.clone(), order)
    }

    /// The value with another shape of the file, whose numbers have the same order in it.
    pub(super) fn reshaped(&mut self, live: &Live, shape: Vec<usize>) -> Live {
        let large = |shape: &[usize]| -> Vec<usize> { (1..shape.len()).filter(|axis| shape[*axis] != 1).collect() };
        let (from, to) = (large(&live.shape), large(&shape));
        if from.iter().map(|axis| live.shape[*axis]).eq(to.iter().map(|axis| shape[*axis])) {
            // Only axes of size 1 come and go, and those that the network has may be any of them.
            let mut small = (1..shape.len()).filter(|axis| shape[*axis] == 1);
            let renamed = live.order.iter().map(|axis| match from.iter().position(|held| held == axis) {
                Some(place) => Some(to[place]),
                None => small.next(),
            });
            if let Some(order) = renamed.collect() {
                return live.seen_as(shape, order);
            }
        }
        let now = self.arranged(live, &from);
        let order: Vec<usize> = (1..shape.len()).collect();
        if now.sizes() == shape[1..] {
            return now.seen_as(shape, order);
        }
        self.view(&now, shape, order)
    }

    /// Notes that an operator flattens a value in the network's order instead of the file's.
    pub(super) fn move_rows(&mut self, node: &'a Node, live: &Live) {
        if let Some(name) = node.outputs.first() {
            self.moved.insert(name, live.clone());
        }
    }

    /// The matrix `[rows, columns]` behind an input, with its rows in the order in which that was flattened.
    pub(super) fn with_moved_rows(&self, input: &str, matrix: Array) -> Array {
        let (Some(live), Some(columns)) = (self.moved.get(input), matrix.shape.last().copied()) else { return matrix };
        let rank = live.shape.len();
        // Axes that the network lacks have size 1.
        let lacking = (0..rank).filter(|axis| !live.order.contains(axis));
        let order: Vec<usize> = lacking.chain(live.order.iter().copied()).chain([rank]).collect();
        let shape = live.shape.iter().copied().chain([columns]).collect();
        let moved = Array { shape, numbers: matrix.numbers }.transposed(&order);
        Array { shape: matrix.shape, numbers: moved.numbers }
    }

    /// Whether a single operator reads a value, and what that is.
    pub(super) fn only_reader(&self, name: &str) -> Option<&'a Node> {
        if self.uses.get(name) != Some(&1) {
            return None;
        }
        self.graph.nodes.iter().find(|node| node.inputs.iter().any(|input| input == name))
    }

    /// A constant by its name.
    pub(super) fn constant(&self, name: &str) -> Option<&Array> {
        match self.values.get(name) {
            Some(Known::Constant(array)) => Some(array),
            _ => None,
        }
    }
}
