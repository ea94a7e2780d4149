//! Where every value and every gradient lives, and for how long.

use crate::graph::{Model, Node, Op, ValueId};

/// Memory that holds a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The caller's input, or its gradient.
    Input,
    /// The caller's output, or its gradient.
    Output,
    /// A buffer of the network's.
    Buffer(usize),
}

/// A buffer and its life.
#[derive(Clone, Debug)]
pub(crate) struct Buffer {
    /// A value that has its shape; values that share it have the same length.
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

    /// Makes the place of the last value the caller's output, and closes the gap.
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

/// The nodes that read a value; the caller, who reads the last one, is no node.
fn readers(model: &Model, value: ValueId) -> impl Iterator<Item = usize> {
    let nodes = model.nodes.iter().enumerate();
    nodes.flat_map(move |(index, node)| node.inputs.iter().filter(move |input| **input == value).map(move |_| index))
}

/// Whether nobody but one node reads the value.
fn read_once(model: &Model, value: ValueId) -> bool {
    value != model.result && readers(model, value).count() == 1
}

/// The layer right before an activation that can apply it itself.
pub(crate) fn fused_into(model: &Model, node: &Node) -> Option<usize> {
    let Op::Activation { .. } = node.op else { return None };
    let input = node.inputs[0];
    let producer = model.nodes.iter().position(|other| other.output == input)?;
    let fuses = model.nodes[producer].capabilities().fuses_activation;
    (fuses && read_once(model, input)).then_some(producer)
}

/// As [`fused_into`], in training: only if the derivative follows from the output.
pub(crate) fn trained_into(model: &Model, node: &Node) -> Option<usize> {
    match node.op {
        Op::Activation { from_output: true, .. } => fused_into(model, node),
        _ => None,
    }
}

/// The activation that a layer applies itself.
pub(crate) fn epilogue(model: &Model, producer: usize, into: fn(&Model, &Node) -> Option<usize>) -> Option<usize> {
    model.nodes.iter().position(|node| into(model, node) == Some(producer))
}

/// The convolution before a maximum of 2 × 2 pixels that can keep it instead of the pixels, in `evaluate`: the one right before
/// it, or before an activation that the convolution applies itself.
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

/// The maximum of 2 × 2 pixels that a convolution keeps instead of the pixels.
pub(crate) fn pool(model: &Model, producer: usize) -> Option<&Node> {
    model.nodes.iter().find(|node| pooled_into(model, node) == Some(producer))
}

/// Places for `evaluate`: values are forgotten after their last use, and what can be computed in
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
            Op::Layer(_) | Op::Join(_) | Op::Part { .. } => None,
        };
        // What lies there, if it is not the output itself.
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

/// Whether `step` is the only one that still needs what lies where `value` lies.
fn free_to_change(model: &Model, places: &Places, value: ValueId, step: usize) -> bool {
    let place = places.of[value];
    if place == Place::Input {
        return false;
    }
    // Values that come to share the place later are views of this one or computed from it.
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

/// Places for `forward`: everything that `backward` may read is kept.
pub(crate) fn forward(model: &Model) -> Places {
    let mut places = Places::new(model);
    for (step, node) in model.nodes.iter().enumerate() {
        let shares = matches!(node.op, Op::View) || trained_into(model, node).is_some();
        places.of[node.output] = if shares { places.of[node.inputs[0]] } else { places.fresh(node.output, step) };
    }
    places.give_output(model.result);
    places
}

/// What a value is a view of, if it is the only reader of that.
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
    /// It already lies there: the input's gradient shares the place of the output's.
    Shared,
    /// It is the first to write there.
    First,
    /// It is added to what lies there, by way of this buffer where the layer can only write.
    Added(Option<usize>),
}

/// Places for the gradients of values in `backward`, and how they get there, by node and input.
pub(crate) struct Gradients {
    pub places: Places,
    pub reach: Vec<Vec<Reach>>,
    /// Whether the gradient of the input is written more than once.
    pub input_written_again: bool,
}

pub(crate) fn backward(model: &Model) -> Gradients {
    let mut places = Places::new(model);
    let mut reach: Vec<Vec<Reach>> = model.nodes.iter().map(|node| vec![Reach::First; node.inputs.len()]).collect();
    let mut reached = vec![false; model.values.len()];
    let mut input_writes = 0;
    if !model.nodes.is_empty() {
        places.of[model.result] = Place::Output;
        reached[model.result] = true;
    }
    for (index, node) in model.nodes.iter().enumerate().rev() {
        let step = model.nodes.len() - index;
        let output = places.of[node.output];
        places.touch(output, step);
        for (slot, &written) in node.inputs.iter().enumerate() {
            // The gradient of a view goes straight to what is viewed.
            let input = viewed(model, written);
            let to_caller = input == 0;
            let shared = match node.op {
                Op::View => read_once(model, written),
                Op::Activation { .. } => read_once(model, input) && !to_caller,
                Op::Add => read_once(model, input) && !to_caller && slot == 0,
                Op::Layer(_) | Op::Multiply | Op::Join(_) | Op::Part { .. } => false,
            };
            // Parts of the input do not overlap: each is written once.
            let part = matches!(node.op, Op::Part { .. });
            reach[index][slot] = if shared {
                places.of[input] = output;
                Reach::Shared
            } else if !reached[input] || part {
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
