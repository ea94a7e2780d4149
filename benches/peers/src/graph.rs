//! The networks as data, from monomorph's declarations, for all other libraries to build from.

use std::collections::BTreeMap;

use monomorph::parameters::for_each_tensor;
use monomorph::prelude::*;
use monomorph::summary::Node;
use serde_json::{Value, json};

/// The number of inputs that measurements cycle through.
pub const INPUTS: usize = 4;
/// The batch size of a training step.
pub const BATCH: usize = 64;
/// The number of training steps that are compared. After a few more, losses differ because rounding decides whether a
/// unit near 0 passes a gradient.
pub const STEPS: usize = 5;

/// A network, its weights, and its outputs for some inputs.
#[derive(Clone)]
pub struct Net {
    pub name: &'static str,
    pub ops: Vec<Op>,
    /// Weights and biases by their names, such as `conv1.weight`.
    pub tensors: BTreeMap<String, Tensor>,
    pub inputs: Vec<Vec<f32>>,
    pub outputs: Vec<Vec<f32>>,
}

/// A network and its training data.
pub struct Task {
    pub net: Net,
    pub optimizer: Optimizer,
    /// Batches of inputs. There are fewer than batches of labels, so the labels of a picture change
    /// and nothing can be memorized: gradients stay as they are at the start.
    pub images: Vec<Vec<f32>>,
    pub labels: Vec<[u8; BATCH]>,
    /// The losses of the first steps.
    pub losses: Vec<f32>,
}

/// A workload to measure.
pub enum Work {
    Evaluate(Net),
    Train(Task),
}

impl Work {
    pub fn name(&self) -> String {
        match self {
            Work::Evaluate(net) => net.name.into(),
            Work::Train(Task { net, optimizer, .. }) => format!("{} {optimizer:?}", net.name),
        }
    }

    pub fn net(&self) -> &Net {
        match self {
            Work::Evaluate(net) | Work::Train(Task { net, .. }) => net,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    Sgd,
    Adam,
}

impl Optimizer {
    pub fn learning_rate(self) -> f64 {
        match self {
            Optimizer::Sgd => 0.05,
            Optimizer::Adam => 0.001,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

/// A node of the graph; it refers to its inputs by their index.
#[derive(Clone, Debug)]
pub struct Op {
    pub name: String,
    pub kind: Kind,
    pub inputs: Vec<usize>,
    pub shape: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Input,
    Dense,
    Conv(Window),
    Depthwise(Window),
    MaxPool2,
    GlobalAvgPool,
    Flatten,
    Relu,
    Tanh,
    Softmax,
    Add,
}

/// Kernel, stride and padding (before, after) along height and width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [(usize, usize); 2],
}

impl Net {
    pub fn of<N: Network<Scalar = f32>>(net: &N) -> Self {
        let mut data = Self::tensors(net);
        data.ops = N::GRAPH.iter().map(|node| Op::of(node, N::GRAPH, &data.tensors)).collect();
        data
    }

    /// The weights alone.
    pub fn tensors<N: Network<Scalar = f32>>(net: &N) -> Self {
        let mut tensors = BTreeMap::new();
        for_each_tensor(N::ENTRIES, &mut |path, info, range| {
            let tensor = Tensor { shape: info.shape.to_vec(), data: net.as_slice()[range].to_vec() };
            tensors.insert(path.to_string(), tensor);
        });
        Net { name: N::NAME, ops: vec![], tensors, inputs: vec![], outputs: vec![] }
    }

    pub fn weight(&self, op: &Op) -> &Tensor {
        &self.tensors[&format!("{}.weight", op.name)]
    }

    pub fn bias(&self, op: &Op) -> &Tensor {
        &self.tensors[&format!("{}.bias", op.name)]
    }

    /// The weight and the bias of an operation that has them, with their names.
    pub fn tensors_of(&self, op: &Op) -> Option<[(String, &Tensor); 2]> {
        let tensor = |name: &str| {
            let name = format!("{}.{name}", op.name);
            self.tensors.get(&name).map(|tensor| (name, tensor))
        };
        Some([tensor("weight")?, tensor("bias")?])
    }

    pub fn input_shape(&self) -> &[usize] {
        &self.ops[0].shape
    }

    /// The same network for libraries with channels before height and width: convolution weights
    /// `[out][in][kh][kw]`, images `[c][h][w]`, and dense weights after a `Flatten` in that order.
    pub fn channels_first(&self) -> Net {
        let mut net = self.clone();
        for op in &self.ops {
            let weight = format!("{}.weight", op.name);
            match op.kind {
                Kind::Conv(_) | Kind::Depthwise(_) => {
                    net.tensors.insert(weight.clone(), self.tensors[&weight].permute(&[3, 2, 0, 1]));
                }
                Kind::Dense if self.ops[op.inputs[0]].kind == Kind::Flatten => {
                    let flatten = &self.ops[op.inputs[0]];
                    let Tensor { shape, data } = self.tensors[&weight].clone();
                    let split = [&self.ops[flatten.inputs[0]].shape[..], &shape[1..]].concat();
                    let data = Tensor { shape: split, data }.permute(&[2, 0, 1, 3]).data;
                    net.tensors.insert(weight, Tensor { shape, data });
                }
                _ => {}
            }
        }
        for op in &mut net.ops {
            if let [h, w, c] = op.shape[..] {
                op.shape = vec![c, h, w];
            }
        }
        if self.input_shape().len() == 3 {
            for input in &mut net.inputs {
                let image = Tensor { shape: self.input_shape().to_vec(), data: input.clone() };
                *input = image.permute(&[2, 0, 1]).data;
            }
        }
        net
    }

    /// Walks the graph. `apply` takes an operation and its inputs; an input that is not used later is
    /// passed by value, so that a library may overwrite it.
    pub fn walk<V: Clone, E>(
        &self,
        input: V,
        mut apply: impl FnMut(usize, V, Option<V>) -> Result<V, E>,
    ) -> Result<V, E> {
        let mut values: Vec<Option<V>> = vec![None; self.ops.len()];
        values[0] = Some(input);
        for (index, op) in self.ops.iter().enumerate().skip(1) {
            let mut read = |source: usize| {
                let later = self.ops[index + 1..].iter().any(|op| op.inputs.contains(&source));
                if later { values[source].clone() } else { values[source].take() }
            };
            let (first, second) = (read(op.inputs[0]), op.inputs.get(1).and_then(|&source| read(source)));
            values[index] = Some(apply(index, first.expect("graphs are in order"), second)?);
        }
        Ok(values.pop().flatten().expect("a graph ends in its output"))
    }

    /// Multiply-accumulate operations.
    pub fn macs(&self) -> usize {
        self.ops.iter().map(|op| self.macs_of(op)).sum()
    }

    pub fn macs_of(&self, op: &Op) -> usize {
        match op.kind {
            Kind::Dense => self.weight(op).data.len(),
            Kind::Conv(_) | Kind::Depthwise(_) => {
                let weight = self.weight(op);
                weight.data.len() / weight.shape[3] * op.shape.iter().product::<usize>()
            }
            _ => 0,
        }
    }

    pub fn parameters(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.data.len()).sum()
    }

    /// The graph, for programs in other languages.
    pub fn json(&self) -> Value {
        let op = |op: &Op| {
            let mut value = json!({ "name": op.name, "inputs": op.inputs, "shape": op.shape });
            let (kind, window) = match op.kind {
                Kind::Conv(window) => ("Conv".into(), Some(window)),
                Kind::Depthwise(window) => ("Depthwise".into(), Some(window)),
                kind => (format!("{kind:?}"), None),
            };
            value["kind"] = kind.into();
            if let Some(Window { kernel, stride, padding }) = window {
                (value["kernel"], value["stride"], value["padding"]) = (json!(kernel), json!(stride), json!(padding));
            }
            value
        };
        json!({ "name": self.name, "ops": self.ops.iter().map(op).collect::<Vec<_>>() })
    }
}

impl Tensor {
    /// Axis `i` of the result is axis `axes[i]` of this.
    pub fn permute(&self, axes: &[usize]) -> Tensor {
        let mut strides = vec![1; self.shape.len()];
        for axis in (1..self.shape.len()).rev() {
            strides[axis - 1] = strides[axis] * self.shape[axis];
        }
        let shape: Vec<usize> = axes.iter().map(|&axis| self.shape[axis]).collect();
        let data = (0..self.data.len())
            .map(|index| {
                let (mut rest, mut at) = (index, 0);
                for (size, &axis) in shape.iter().zip(axes).rev() {
                    at += rest % size * strides[axis];
                    rest /= size;
                }
                self.data[at]
            })
            .collect();
        Tensor { shape, data }
    }
}

impl Op {
    fn of(node: &Node, graph: &[Node], tensors: &BTreeMap<String, Tensor>) -> Self {
        let window = || {
            let (input, kernel) = (graph[node.inputs[0]].shape, &tensors[&format!("{}.weight", node.name)].shape);
            Window::new([kernel[0], kernel[1]], [input[0], input[1]], [node.shape[0], node.shape[1]])
        };
        let kind = match node.kind {
            "input" => Kind::Input,
            "Dense" => Kind::Dense,
            "Conv2d" => Kind::Conv(window()),
            "DepthwiseConv2d" => Kind::Depthwise(window()),
            "MaxPool2d" => {
                let (from, to) = (graph[node.inputs[0]].shape, node.shape);
                assert!(from[0] / 2 == to[0] && from[1] / 2 == to[1], "{}: only windows of 2 by 2", node.name);
                Kind::MaxPool2
            }
            "GlobalAvgPool2d" => Kind::GlobalAvgPool,
            "Flatten" => Kind::Flatten,
            "Relu" => Kind::Relu,
            "Tanh" => Kind::Tanh,
            "Softmax" => Kind::Softmax,
            "Add" => Kind::Add,
            other => panic!("the peers do not know the layer {other} of {}", node.name),
        };
        Op { name: node.name.into(), kind, inputs: node.inputs.to_vec(), shape: node.shape.to_vec() }
    }
}

impl Window {
    /// Either no padding and stride 1, or `same` padding; a wrong guess would be noticed when the
    /// outputs are compared.
    fn new(kernel: [usize; 2], input: [usize; 2], output: [usize; 2]) -> Self {
        let axis = |i: usize| {
            if output[i] + kernel[i] == input[i] + 1 {
                return (1, (0, 0));
            }
            let stride = input[i].div_ceil(output[i]);
            let padding = ((output[i] - 1) * stride + kernel[i]).saturating_sub(input[i]);
            (stride, (padding / 2, padding - padding / 2))
        };
        let ((vertical, top_bottom), (horizontal, left_right)) = (axis(0), axis(1));
        Window { kernel, stride: [vertical, horizontal], padding: [top_bottom, left_right] }
    }
}
