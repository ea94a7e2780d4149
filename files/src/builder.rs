//! What readers write: statements of the network's language, and the parameters of the layers in them.

use core::fmt::Write;

use crate::json::Node;
use crate::{Error, Tensor};

/// The weights of a file, taken from its list one after another; zeros if the file has none.
pub(crate) struct Weights {
    numbers: Option<Vec<f32>>,
    taken: usize,
}

/// No structure has more parameters: a file without weights could claim any number.
const MOST: usize = 1 << 24;

impl Weights {
    pub(crate) fn new(list: Option<&Node<'_>>) -> Result<Self, Error> {
        let numbers = list.map(|list| list.list()?.iter().map(Node::parameter).collect());
        Ok(Self { numbers: numbers.transpose()?, taken: 0 })
    }

    /// The next numbers, as many as the product of `shape`; `what` they are is for the message.
    pub(crate) fn take(&mut self, what: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let wanted = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        let end = wanted.and_then(|wanted| self.taken.checked_add(wanted)).filter(|end| *end <= MOST);
        let Some(end) = end else {
            return Err(Error(format!("the network has more than {MOST} weights")));
        };
        let part = match &self.numbers {
            Some(numbers) => numbers.get(self.taken..end).map(<[f32]>::to_vec),
            None => Some(vec![0.0; end - self.taken]),
        };
        let left =
            self.numbers.as_ref().map_or(0, Vec::len) - self.taken.min(self.numbers.as_ref().map_or(0, Vec::len));
        let wanted = end - self.taken;
        self.taken = end;
        part.ok_or_else(|| Error(format!("the weights end too early: {what} takes {wanted}, but {left} are left")))
    }

    /// Checks that none is left.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        match &self.numbers {
            Some(numbers) if numbers.len() != self.taken => {
                let (given, taken) = (numbers.len(), self.taken);
                Err(Error(format!("there are {given} weights, but the network that the file describes has {taken}")))
            }
            _ => Ok(()),
        }
    }
}

/// A convolution as PyTorch stores it: `[out][in / groups][kernel]`.
#[derive(Clone)]
pub(crate) struct Conv {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) kernel: usize,
    pub(crate) groups: usize,
    pub(crate) dilation: usize,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Option<Vec<f32>>,
}

impl Conv {
    /// Takes the next weights: group by group, then the bias.
    pub(crate) fn take(
        weights: &mut Weights,
        what: &str,
        [input, output, kernel]: [usize; 3],
        groups: usize,
        bias: bool,
    ) -> Result<Self, Error> {
        if !input.is_multiple_of(groups) || !output.is_multiple_of(groups) {
            return Err(Error(format!("{what}: {groups} groups do not divide {input} and {output} channels")));
        }
        let weight = weights.take(what, &[output, input / groups, kernel])?;
        let bias = bias.then(|| weights.take(what, &[output])).transpose()?;
        Ok(Self { input, output, kernel, groups, dilation: 1, weight, bias })
    }

    /// The outputs `from..to` as a convolution of their own. One with groups has zeros for what a group does not read.
    pub(crate) fn rows(&self, from: usize, to: usize) -> Self {
        if from == 0 && to == self.output {
            return self.clone();
        }
        let (inside, per_group) = (self.input / self.groups, self.output / self.groups);
        let mut weight = Vec::new();
        for row in from..to {
            let own = row / per_group * inside..(row / per_group + 1) * inside;
            for input in 0..self.input {
                if own.contains(&input) {
                    let at = (row * inside + input - own.start) * self.kernel;
                    weight.extend_from_slice(&self.weight[at..at + self.kernel]);
                } else {
                    weight.extend(core::iter::repeat_n(0.0, self.kernel));
                }
            }
        }
        let bias = self.bias.as_ref().map(|bias| bias[from..to].to_vec());
        Self { output: to - from, groups: 1, weight, bias, ..self.clone() }
    }

    /// Multiplies the output by a number.
    pub(crate) fn scaled(mut self, scale: f32) -> Self {
        self.weight.iter_mut().chain(self.bias.iter_mut().flatten()).for_each(|number| *number *= scale);
        self
    }
}

/// The network so far.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) body: String,
    pub(crate) tensors: Vec<Tensor>,
}

impl Builder {
    /// `let name = flow;`; returns the name.
    pub(crate) fn value(&mut self, name: impl Into<String>, flow: &str) -> String {
        let name = name.into();
        writeln!(self.body, "    let {name} = {flow};").expect("a string grows");
        name
    }

    pub(crate) fn tensor(&mut self, layer: &str, name: &str, shape: &[usize], numbers: Vec<f32>) {
        self.tensors.push(Tensor { name: format!("{layer}.{name}"), shape: shape.to_vec(), numbers });
    }

    /// A layer that maps rows: `weight` is `[in][out]`.
    pub(crate) fn dense(
        &mut self,
        layer: &str,
        [input, output]: [usize; 2],
        weight: Vec<f32>,
        bias: Option<Vec<f32>>,
    ) -> String {
        self.tensor(layer, "weight", &[input, output], weight);
        let biased = self.bias(layer, bias);
        format!("{layer}: Dense({output}{biased})")
    }

    /// Adds the bias of a layer; returns the argument that says that there is none.
    fn bias(&mut self, layer: &str, bias: Option<Vec<f32>>) -> &'static str {
        let Some(bias) = bias else { return ", bias = false" };
        self.tensor(layer, "bias", &[bias.len()], bias);
        ""
    }

    /// A causal convolution.
    pub(crate) fn conv(&mut self, layer: &str, conv: Conv) -> String {
        let Conv { input, output, kernel, groups, dilation, weight, bias } = conv;
        let inside = input / groups;
        let mut by_tap = Vec::with_capacity(weight.len());
        for tap in 0..kernel {
            for channel in 0..inside {
                by_tap.extend((0..output).map(|row| weight[(row * inside + channel) * kernel + tap]));
            }
        }
        if kernel == 1 && groups == 1 {
            return self.dense(layer, [input, output], by_tap, bias);
        }
        self.tensor(layer, "weight", &[kernel, inside, output], by_tap);
        let biased = self.bias(layer, bias);
        let mut arguments = format!("{output}, kernel = {kernel}, padding = causal");
        for (name, number) in [("dilation", dilation), ("groups", groups)] {
            if number > 1 {
                write!(arguments, ", {name} = {number}").expect("a string grows");
            }
        }
        format!("{layer}: Conv1d({arguments}{biased})")
    }
}

/// Rows as columns.
pub(crate) fn transposed(numbers: &[f32], rows: usize) -> Vec<f32> {
    let columns = numbers.len() / rows.max(1);
    (0..columns).flat_map(|column| (0..rows).map(move |row| numbers[row * columns + column])).collect()
}
