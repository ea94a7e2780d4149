//! Where every value and every gradient lives, and for how long.

use crate::graph::{Model, Node, Op, ValueId};

/// The memory that holds a value or its gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The caller's input, or its gradient.
    Input,
    /// The caller's output, or its gradient.
    Output,
    /// A buffer of the network, by its index.
    Buffer(usize),
}

/// A buffer and its lifetime.
#[derive(Clone, Debug)]
pub(crate) struct Buffer {
    /// A value with the shape of the buffer; all values that share a buffer have the same length.
    pub value: ValueId,
    /// The step that writes it first.
    pub from: usize,
    /// The last step that uses it.
    pub to: usize,
}

/// The places of all values in one pass.
#[derive(Debug)]
pub(crate) struct Places {
    pub of: Vec<Place>,
    pub buffers: Vec<Buffer>,
}

impl Places {
    fn new(model: &Model) -> Self {
        Self { of: vec![Place::Input; model.values.len()], buffers: Vec::new() }
    }

    fn fresh(&mut self, value: ValueId, step: usize) -> Place {
        self.buffers.push(Buffer { value, from: step, to: step });
        Place::Buffer(self.buffers.len() - 1)
    }

    fn touch(&mut self, place: Place, step: usize) {
        if let Place::Buffer(index) = place {
            let buffer = &mut self.buffers[index];
            buffer.from = buffer.from.min(step);
            buffer.to = buffer.to.max(step);
        }
    }

    /// Moves the last value from its buffer to the caller's output, and renumbers the buffers after it.
    fn give_output(&mut self, last: ValueId) {
        let Place::Buffer(given) = self.of[last] else { return };
        self.buffers.remove(given);
        for place in &mut self.of {
            *place = match *place {
                Place::Buffer(index) if index == given => Place::Output,
                Place::Buffer(index) if index > given => Place::Buffer(index - 1),
                other => other,
            };
        }
    }
}

/// The nodes that read a value. The caller, who reads the result, is not among them.
fn readers(model: &Model, value: ValueId) -> impl Iterator<Item = usize> {
    let nodes = model.nodes.iter().enumerate();
    nodes.flat_map(move |(index, node)| node.inputs.iter().filter(move |input| **input == value).map(move |_| index))
}

/// Whether exactly one node reads the value, and the caller does not.
fn read_once(model: &Model, value: ValueId) -> bool {
    value != model.result && readers(model, value).count() == 1
}

/// The layer right before an activation, if it can apply the activation itself.
pub(crate) fn fused_into(model: &Model, node: &Node) -> Option<usize> {
    let Op::Activation { .. } = node.op else { return None };
    let input = node.inputs[0];
    let producer = model.nodes.iter().position(|other| other.output == input)?;
    let capabilities = model.nodes[producer].capabilities();
    let fuses = capabilities.fuses_activation || capabilities.user_defined;
    (fuses && read_once(model, input)).then_some(producer)
}

/// Like [`fused_into`], for training: only if the derivative follows from the output, because the input is not kept.
pub(crate) fn trained_into(model: &Model, node: &Node) -> Option<usize> {
    match node.op {
        Op::Activation { from_output: Some(true), .. } => {
            fused_into(model, node).filter(|producer| model.nodes[*producer].capabilities().fuses_activation)
        }
        _ => None,
    }
}

/// The activation that a layer applies itself, if any.
pub(crate) fn epilogue(model: &Model, producer: usize, into: fn(&Model, &Node) -> Option<usize>) -> Option<usize> {
    model.nodes.iter().position(|node| into(model, node) == Some(producer))
}

/// The convolution that can do the work of a 2 × 2 max pool in `evaluate`, if there is one: right before the pool, or
/// before an activation that the convolution applies itself.
pub(crate) fn pooled_into(model: &Model, node: &Node) -> Option<usize> {
    let Op::Layer(capabilities) = node.op else { return None };
    let input = node.inputs[0];
    if !capabilities.is_max_pool_2x2 || !read_once(model, input) {
        return None;
    }
    let before = model.nodes.iter().position(|other| other.output == input)?;
    let producer = fused_into(model, &model.nodes[before]).unwrap_or(before);
    let fuses = model.nodes[producer].capabilities().fuses_max_pool;
    fuses.then_some(producer)
}

/// The 2 × 2 max pool whose work a convolution does, if any.
pub(crate) fn pool(model: &Model, producer: usize) -> Option<&Node> {
    model.nodes.iter().find(|node| pooled_into(model, node) == Some(producer))
}

/// Places for `evaluate`: a buffer is free after the last use of its value, and everything that can be computed in
/// place is.
pub(crate) fn evaluate(model: &Model) -> Places {
    let mut places = Places::new(model);
    for (step, node) in model.nodes.iter().enumerate() {
        let in_place = match node.op {
            Op::View => Some(node.inputs[0]),
            Op::Activation { .. } | Op::Add | Op::Multiply => {
                node.inputs.iter().copied().find(|input| free_to_change(model, &places, *input, step))
            }
            Op::Layer(_) if pooled_into(model, node).is_some() => Some(node.inputs[0]),
            Op::Layer(_) | Op::Copy | Op::Concat(_) | Op::Part(..) | Op::Outputs(_) => None,
        };
        // A convolution that also pools writes the pool's output, not its own.
        let kept = pool(model, step).map_or(node.output, |pool| pool.output);
        for input in &node.inputs {
            let place = places.of[*input];
            places.touch(place, step);
        }
        places.of[node.output] = match in_place {
            Some(input) => places.of[input],
            None => places.fresh(kept, step),
        };
        let place = places.of[node.output];
        places.touch(place, step);
    }
    places.give_output(model.result);
    places
}

/// Whether `step` is the last reader of the memory that holds `value`, and so may overwrite it.
fn free_to_change(model: &Model, places: &Places, value: ValueId, step: usize) -> bool {
    let place = places.of[value];
    if place == Place::Input {
        return false;
    }
    // Values added to the place later are views of this one or computed from it in place.
    let mut sharing: Vec<ValueId> = (0..=value).filter(|other| places.of[*other] == place).collect();
    for node in &model.nodes[..step] {
        if matches!(node.op, Op::View) && sharing.contains(&node.inputs[0]) && !sharing.contains(&node.output) {
            sharing.push(node.output);
        }
    }
    let later_views =
        model.nodes[step..].iter().any(|node| matches!(node.op, Op::View) && sharing.contains(&node.inputs[0]));
    let uses = sharing.iter().flat_map(|value| readers(model, *value)).filter(|reader| *reader >= step).count();
    uses == 1 && !later_views && !sharing.contains(&model.result)
}

/// Places for `forward`: whatever `backward` reads is kept. A value that it does not read is overwritten by the next
/// node, if that can compute in place.
pub(crate) fn forward(model: &Model) -> Places {
    let mut places = Places::new(model);
    for (step, node) in model.nodes.iter().enumerate() {
        let in_place = match node.op {
            Op::View => Some(node.inputs[0]),
            Op::Activation { .. } if trained_into(model, node).is_some() => Some(node.inputs[0]),
            Op::Activation { from_output: Some(true), .. } | Op::Add => {
                node.inputs.iter().copied().find(|input| is_forgotten(model, &places, *input, step))
            }
            _ => None,
        };
        places.of[node.output] = match in_place {
            Some(input) => places.of[input],
            None => places.fresh(node.output, step),
        };
    }
    places.give_output(model.result);
    places
}

/// Whether only the node of `step` still reads the memory that holds `value`, in `forward` and in `backward`.
fn is_forgotten(model: &Model, places: &Places, value: ValueId, step: usize) -> bool {
    let place = places.of[value];
    let computed = |value: &ValueId| model.nodes[..step].iter().any(|node| node.output == *value);
    let sharing: Vec<ValueId> =
        (0..model.values.len()).filter(|other| computed(other) && places.of[*other] == place).collect();
    let is_kept = |node: &Node| {
        let reads_input = node.backward_reads_input() && node.inputs.iter().any(|input| sharing.contains(input));
        reads_input || node.backward_reads_output() && sharing.contains(&node.output)
    };
    let readers = model.nodes[step..].iter().flat_map(|node| &node.inputs).filter(|input| sharing.contains(input));
    place != Place::Input
        && !sharing.contains(&model.result)
        && !model.nodes.iter().any(is_kept)
        && readers.count() == 1
}

/// The value that a view shows, if nothing else reads that value; the value itself if it is not such a view.
fn viewed(model: &Model, value: ValueId) -> ValueId {
    let view = model.nodes.iter().find(|node| node.output == value && matches!(node.op, Op::View));
    match view {
        Some(node) if read_once(model, node.inputs[0]) => viewed(model, node.inputs[0]),
        _ => value,
    }
}

/// How a node's gradient reaches one of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The input is integers, which have no gradient.
    Nowhere,
    /// It is already there: the gradient of the input shares the place of that of the output.
    Shared,
    /// It is the first and overwrites what is there.
    First,
    /// It is added to what is there, through this buffer if the layer can only overwrite.
    Added(Option<usize>),
}

/// Where the gradients of values live in `backward`, and how they get there: by node and then by input.
pub(crate) struct Gradients {
    pub places: Places,
    pub reach: Vec<Vec<Reach>>,
    /// Whether the gradient of the input is written more than once.
    pub input_written_again: bool,
}

pub(crate) fn backward(model: &Model) -> Gradients {
    let mut places = Places::new(model);
    let mut reach: Vec<Vec<Reach>> = model.nodes.iter().map(|node| vec![Reach::Nowhere; node.inputs.len()]).collect();
    let mut reached = vec![false; model.values.len()];
    let mut input_writes = 0;
    if !model.nodes.is_empty() {
        places.of[model.result] = Place::Output;
        reached[model.result] = true;
    }
    for (index, node) in model.nodes.iter().enumerate().rev() {
        if !model.has_gradient(node.output) {
            continue;
        }
        let step = model.nodes.len() - index;
        let output = places.of[node.output];
        places.touch(output, step);
        for (slot, &written) in node.inputs.iter().enumerate() {
            // The gradient of a view is written directly to the gradient of the viewed value.
            let input = viewed(model, written);
            if !model.has_gradient(input) {
                continue;
            }
            let to_caller = input == 0;
            let shared = match node.op {
                Op::View => read_once(model, written),
                Op::Activation { .. } => read_once(model, input) && !to_caller,
                Op::Add => read_once(model, input) && !to_caller && slot == 0,
                Op::Layer(_) | Op::Copy | Op::Multiply | Op::Concat(_) | Op::Part(..) | Op::Outputs(_) => false,
            };
            // The parts of the input do not overlap, so each is written only once.
            let part_of_input = to_caller && matches!(node.op, Op::Part(..));
            reach[index][slot] = if shared {
                places.of[input] = output;
                Reach::Shared
            } else if !reached[input] || part_of_input {
                places.of[input] = if to_caller { Place::Input } else { places.fresh(input, step) };
                Reach::First
            } else {
                let place = places.of[input];
                places.touch(place, step);
                Reach::Added(match node.op {
                    Op::Layer(_) | Op::Activation { .. } => match places.fresh(input, step) {
                        Place::Buffer(index) => Some(index),
                        _ => None,
                    },
                    _ => None,
                })
            };
            reached[input] = true;
            places.of[written] = places.of[input];
            input_writes += usize::from(to_caller && reach[index][slot] != Reach::Shared);
        }
    }
    Gradients { places, reach, input_written_again: input_writes > 1 }
}
