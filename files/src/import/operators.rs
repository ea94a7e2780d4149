//! The operators, one after another.

use super::body::Step;
use super::graph::{Array, Node, product};
use super::translate::{Known, Live, Refusal, Translator};
use super::windows;

type Inputs<'a> = &'a [Option<Known>];

/// The input at an index, which the network computes.
pub(super) fn live(inputs: Inputs<'_>, index: usize) -> Result<Live, Refusal> {
    match inputs.get(index) {
        Some(Some(Known::Live(live))) => Ok(live.clone()),
        Some(Some(Known::Constant(_))) => Err(format!("its input {index} is a constant, which is not known")),
        _ => Err(format!("it lacks its input {index}")),
    }
}

/// The input at an index, which the file holds; `None` if it is left out.
pub(super) fn constant(inputs: Inputs<'_>, index: usize) -> Result<Option<Array>, Refusal> {
    match inputs.get(index) {
        Some(Some(Known::Constant(array))) => Ok(Some(array.clone())),
        Some(Some(_)) => Err(format!("its input {index} is computed, where only a constant is known")),
        _ => Ok(None),
    }
}

/// An axis that may be counted from the end.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Refusal> {
    let counted = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(counted).ok().filter(|axis| *axis < rank).ok_or_else(|| format!("there is no axis {axis}"))
}

/// How a number is written in the language of networks.
fn written(number: f32) -> String {
    format!("{number:?}")
}

impl<'a> Translator<'a> {
    /// What an operator gives; nothing if there is no such operator.
    pub(super) fn operator(&mut self, node: &'a Node, inputs: Inputs<'_>) -> Result<Option<Known>, Refusal> {
        if let Some(folded) = super::fold::fold(node, inputs) {
            return folded.map(|array| Some(Known::Constant(array)));
        }
        let x = || live(inputs, 0);
        if let Some(step) = activation(node, inputs)? {
            return Ok(Some(Known::Live(self.same(&x()?, step))));
        }
        let given = match node.kind.as_str() {
            "Constant" => Err("it has no number, or one of a type that is not known".into()),
            "Shape" => {
                let shape = x()?.shape.iter().map(|size| *size as i64).collect();
                return Ok(Some(Known::Constant(Array::wholes(shape))));
            }
            "Add" | "Sub" | "Mul" | "Div" => self.binary(node, inputs),
            "Concat" => self.concat(node, inputs),
            "Identity" | "Dropout" | "Cast" => x(),
            "Conv" => windows::conv(self, node, &x()?, inputs),
            "ConvTranspose" => windows::conv_transpose(self, node, &x()?, inputs),
            "MaxPool" | "AveragePool" => windows::pool(self, node, &x()?),
            "GlobalAveragePool" | "GlobalMaxPool" => windows::global_pool(self, node, &x()?),
            "Gemm" | "MatMul" => self.dense(node, &x()?, inputs),
            "BatchNormalization" => self.batch_norm(node, &x()?, inputs),
            "LayerNormalization" => self.layer_norm(node, &x()?, inputs),
            "InstanceNormalization" => self.instance_norm(node, &x()?, inputs),
            "Softmax" | "LogSoftmax" => self.softmax(node, &x()?),
            "PRelu" => self.prelu(&x()?, inputs),
            "Flatten" => match node.whole("axis", 1) {
                1 => self.flat(node, &x()?, vec![1, product(&x()?.shape[1..]).map_err(|error| error.to_string())?]),
                other => Err(format!("its axis is {other}, where 1 is known")),
            },
            "Reshape" => {
                let wanted = constant(inputs, 1)?.ok_or("it lacks its shape")?;
                let shape = reshape(&x()?.shape, wanted.list().unwrap_or_default(), node.whole("allowzero", 0) != 0)?;
                self.flat(node, &x()?, shape)
            }
            "Squeeze" | "Unsqueeze" => {
                let shape = squeeze(node, inputs, &x()?.shape)?;
                self.flat(node, &x()?, shape)
            }
            "Transpose" => transpose(node, &x()?),
            "ReduceMean" | "ReduceSum" | "ReduceMax" => self.reduce(node, &x()?, inputs),
            "Pad" => windows::pad(self, node, &x()?, inputs),
            _ => return Ok(None),
        };
        given.map(|live| Some(Known::Live(live)))
    }

    /// The same numbers in another shape; before a matrix, its rows move instead of the numbers.
    fn flat(&mut self, node: &'a Node, x: &Live, shape: Vec<usize>) -> Result<Live, Refusal> {
        if shape.first() != Some(&1) || shape.len() < 2 {
            return Err(format!("it gives the shape {shape:?}, where a batch of 1 comes first"));
        }
        if product(&shape).ok() != product(&x.shape).ok() {
            return Err(format!("it makes the shape {shape:?} of {:?}", x.shape));
        }
        let all: Vec<usize> = (1..x.shape.len()).filter(|axis| x.shape[*axis] != 1).collect();
        let held: Vec<usize> = x.order.iter().copied().filter(|axis| x.shape[*axis] != 1).collect();
        let reader = node.outputs.first().and_then(|name| self.only_reader(name));
        let matrix = reader.filter(|reader| ["Gemm", "MatMul"].contains(&reader.kind.as_str()) && shape.len() == 2);
        let matrix = matrix.and_then(|reader| reader.inputs.get(1)).and_then(|name| self.constant(name));
        if held != all && matrix.is_some() && x.order.len() > 1 {
            let large = self.then(x, Step::new("Flatten"), shape, vec![1]);
            self.move_rows(node, x);
            return Ok(large);
        }
        Ok(self.reshaped(x, shape))
    }

    fn dense(&mut self, node: &Node, x: &Live, inputs: Inputs<'_>) -> Result<Live, Refusal> {
        let weight = constant(inputs, 1)?.ok_or("it lacks its matrix")?;
        if weight.shape.len() != 2 {
            return Err(format!("its matrix has the shape {:?}", weight.shape));
        }
        let general = node.kind == "Gemm";
        if general && (node.whole("transA", 0) != 0 || x.shape.len() != 2) {
            return Err("its first matrix is no batch of vectors".into());
        }
        let weight = if general && node.whole("transB", 0) != 0 { weight.transposed(&[1, 0]) } else { weight };
        let [rows, columns] = weight.shape[..] else { return Err("its matrix has other than two axes".into()) };
        let rank = x.shape.len();
        if x.shape[rank - 1] != rows {
            return Err(format!("its matrix has {rows} rows for {} numbers", x.shape[rank - 1]));
        }
        let (alpha, beta) = if general { (node.real("alpha", 1.0), node.real("beta", 1.0)) } else { (1.0, 0.0) };
        let weight = node.inputs.first().map_or(weight.clone(), |name| self.with_moved_rows(name, weight));
        let mut numbers = weight.reals();
        numbers.iter_mut().for_each(|number| *number *= alpha);
        let bias = match (general, constant(inputs, 2)) {
            (true, bias) => bias?.map(|bias| spread(&bias, columns)).transpose()?,
            (false, _) => None,
        };
        let bias = bias.map(|bias| bias.iter().map(|number| number * beta).collect());
        let all: Vec<usize> = (1..rank).collect();
        let x = self.arranged(x, &all);
        let mut shape = x.shape.clone();
        shape[rank - 1] = columns;
        let step =
            Step::new("Dense").argument(columns.to_string()).tensor("weight", &[rows, columns], numbers).bias(bias);
        Ok(self.then(&x, step, shape, all))
    }

    fn binary(&mut self, node: &Node, inputs: Inputs<'_>) -> Result<Live, Refusal> {
        let kind = node.kind.as_str();
        match inputs {
            [Some(Known::Live(a)), Some(Known::Live(b))] => {
                let word = match kind {
                    "Add" => "add",
                    "Mul" => "multiply",
                    _ => return Err("both of its inputs are computed, where a constant is known".into()),
                };
                if a.shape != b.shape {
                    return Err(format!("its inputs have the shapes {:?} and {:?}", a.shape, b.shape));
                }
                for (x, y) in [(a, b), (b, a)] {
                    if kind == "Mul" && self.is_function_of(y, x, "Sigmoid") {
                        return Ok(self.same(x, Step::new("Silu")));
                    }
                }
                let b = self.arranged(b, &a.order.clone());
                Ok(self.combined(word, &[a.clone(), b], None, a.shape.clone()))
            }
            [Some(Known::Live(x)), Some(Known::Constant(constant))] => {
                let numbers = constant.reals().into_iter();
                match kind {
                    "Add" => self.affine(x, constant, None, Some(numbers.collect())),
                    "Sub" => self.affine(x, constant, None, Some(numbers.map(|number| -number).collect())),
                    "Mul" => self.affine(x, constant, Some(numbers.collect()), None),
                    _ => self.affine(x, constant, Some(numbers.map(|number| 1.0 / number).collect()), None),
                }
            }
            [Some(Known::Constant(constant)), Some(Known::Live(x))] => {
                let numbers = constant.reals();
                match kind {
                    "Add" => self.affine(x, constant, None, Some(numbers)),
                    "Mul" => self.affine(x, constant, Some(numbers), None),
                    "Sub" => {
                        let minus = vec![-1.0; numbers.len()];
                        self.affine(x, constant, Some(minus), Some(numbers))
                    }
                    _ => Err("it divides a constant by what is computed".into()),
                }
            }
            _ => Err("it has other than two inputs".into()),
        }
    }

    /// `x · weight + bias` by constants of one shape.
    fn affine(
        &mut self,
        x: &Live,
        constant: &Array,
        weight: Option<Vec<f32>>,
        bias: Option<Vec<f32>>,
    ) -> Result<Live, Refusal> {
        let last = *x.order.last().ok_or("its input is a single number")?;
        // As NumPy has it: the last axes of the constant belong to the last axes of the value.
        let missing =
            x.shape.len().checked_sub(constant.shape.len()).ok_or("its constant has more axes than its input")?;
        let along: Vec<usize> =
            (0..constant.shape.len()).filter(|axis| constant.shape[*axis] != 1).map(|axis| axis + missing).collect();
        if along.iter().any(|axis| constant.shape[axis - missing] != x.shape[*axis]) {
            return Err(format!("its constant has the shape {:?}, its input {:?}", constant.shape, x.shape));
        }
        let (per, arranged) = match along.as_slice() {
            [] | [_] if along.first().is_none_or(|axis| *axis == last) => (x.shape[last], None),
            _ => (0, Some(())),
        };
        if arranged.is_some() {
            return Err(format!(
                "its constant has the shape {:?}, where one number or one for each channel is known",
                constant.shape
            ));
        }
        let each = |numbers: Vec<f32>| if numbers.len() == 1 { vec![numbers[0]; per] } else { numbers };
        let (weight, bias) = (weight.map(each), bias.map(each));
        if weight.is_none()
            && let Some(bias) = &bias
            && self.last_step(x).is_some_and(|step| step.late_bias(bias))
        {
            return Ok(x.clone());
        }
        let mut step = Step::new("Affine");
        for (name, numbers) in [("weight", weight), ("bias", bias)] {
            step = match numbers {
                Some(numbers) => step.tensor(name, &[per], numbers),
                None => step.argument(format!("{name} = false")),
            };
        }
        Ok(self.same(x, step))
    }

    fn concat(&mut self, node: &Node, inputs: Inputs<'_>) -> Result<Live, Refusal> {
        let first = live(inputs, 0)?;
        let axis = axis(node.whole("axis", 1), first.shape.len())?;
        let place = first.place(axis).ok_or("it joins along an axis that is not there")?;
        let (mut lives, mut shape) = (vec![first.clone()], first.shape.clone());
        for index in 1..inputs.len() {
            let other = live(inputs, index)?;
            if other.shape.len() != shape.len() {
                return Err("its inputs have different numbers of axes".into());
            }
            shape[axis] += other.shape[axis];
            lives.push(self.arranged(&other, &first.order));
        }
        let last = place + 1 == first.order.len();
        Ok(self.combined("concat", &lives, (!last).then_some(place), shape))
    }

    fn batch_norm(&mut self, node: &Node, x: &Live, inputs: Inputs<'_>) -> Result<Live, Refusal> {
        let channels = if node.channels_last { x.shape.len() - 1 } else { 1 };
        let order = if x.shape.len() > 2 { Live::image(x.shape.len(), node.channels_last) } else { vec![1] };
        let count = x.shape[channels];
        let mut tensors = Vec::new();
        for index in 1..5 {
            let numbers = constant(inputs, index)?.ok_or_else(|| format!("it lacks its input {index}"))?.reals();
            if numbers.len() != count {
                return Err(format!("it has {} numbers for {count} channels", numbers.len()));
            }
            tensors.push(numbers);
        }
        let epsilon = node.real("epsilon", 1e-5);
        let factors: Vec<f32> = (0..count).map(|c| tensors[0][c] / (tensors[3][c] + epsilon).sqrt()).collect();
        let offsets: Vec<f32> = (0..count).map(|c| tensors[1][c] - tensors[2][c] * factors[c]).collect();
        if x.order == order && self.last_step(x).is_some_and(|step| step.scale(&factors, &offsets)) {
            return Ok(x.clone());
        }
        let x = self.arranged(x, &order);
        let mut step = Step::new("BatchNorm").argument(format!("epsilon = {}", written(epsilon)));
        for (name, numbers) in ["weight", "bias", "running_mean", "running_var"].into_iter().zip(tensors) {
            step = step.tensor(name, &[count], numbers);
        }
        Ok(self.same(&x, step))
    }

    fn layer_norm(&mut self, node: &Node, x: &Live, inputs: Inputs<'_>) -> Result<Live, Refusal> {
        let rank = x.shape.len();
        if axis(node.whole("axis", -1), rank)? != rank - 1 {
            return Err("it normalizes over more than the last axis".into());
        }
        let size = x.shape[rank - 1];
        let scale = constant(inputs, 1)?.map_or_else(|| Ok(vec![1.0; size]), |scale| spread(&scale, size))?;
        let bias = constant(inputs, 2)?.map_or_else(|| Ok(vec![0.0; size]), |bias| spread(&bias, size))?;
        let all: Vec<usize> = (1..rank).collect();
        let x = self.arranged(x, &all);
        let step = Step::new("LayerNorm").argument(format!("epsilon = {}", written(node.real("epsilon", 1e-5))));
        Ok(self.same(&x, step.tensor("weight", &[size], scale).tensor("bias", &[size], bias)))
    }

    fn instance_norm(&mut self, node: &Node, x: &Live, inputs: Inputs<'_>) -> Result<Live, Refusal> {
        let rank = x.shape.len();
        let x = self.arranged(x, &Live::image(rank, node.channels_last));
        let size = x.shape[if node.channels_last { rank - 1 } else { 1 }];
        let mut step = Step::new("InstanceNorm").argument(format!("epsilon = {}", written(node.real("epsilon", 1e-5))));
        for (name, index) in [("weight", 1), ("bias", 2)] {
            let numbers = constant(inputs, index)?.ok_or_else(|| format!("it lacks its {name}"))?;
            step = step.tensor(name, &[size], spread(&numbers, size)?);
        }
        Ok(self.same(&x, step))
    }

    fn softmax(&mut self, node: &Node, x: &Live) -> Result<Live, Refusal> {
        let rank = x.shape.len();
        let old = self.version() < 13;
        let axis = axis(node.whole("axis", if old { 1 } else { -1 }), rank)?;
        // Before version 13, all axes from this one on were one.
        if old && x.shape[axis..].iter().filter(|size| **size != 1).count() > 1 {
            return Err("it is one over several axes".into());
        }
        let axis = if old { (axis..rank).rev().find(|axis| x.shape[*axis] != 1).unwrap_or(axis) } else { axis };
        let place = x.place(axis).ok_or("its axis has size 1")?;
        let step = Step::new(if node.kind == "Softmax" { "Softmax" } else { "LogSoftmax" });
        let last = place + 1 == x.order.len();
        Ok(self.same(x, if last { step } else { step.argument(format!("axis = {place}")) }))
    }

    fn prelu(&mut self, x: &Live, inputs: Inputs<'_>) -> Result<Live, Refusal> {
        let slope = constant(inputs, 1)?.ok_or("it lacks its slopes")?;
        let numbers = slope.reals();
        let last = *x.order.last().ok_or("its input is a single number")?;
        if numbers.len() == 1 {
            return Ok(self.same(x, Step::new("PRelu").tensor("slope", &[1], numbers)));
        }
        // As a constant of a binary operator: its last axes are those of the input.
        let from_end = x.shape.len() - last;
        let along = slope.shape.len().checked_sub(from_end).map(|axis| slope.shape[axis]);
        if along != Some(numbers.len()) || numbers.len() != x.shape[last] {
            return Err(format!("its slopes have the shape {:?}; one for each channel is known", slope.shape));
        }
        let size = numbers.len();
        Ok(self.same(x, Step::new("PRelu").argument("per_channel = true").tensor("slope", &[size], numbers)))
    }

    fn reduce(&mut self, node: &Node, x: &Live, inputs: Inputs<'_>) -> Result<Live, Refusal> {
        let rank = x.shape.len();
        let given = match (node.wholes("axes"), constant(inputs, 1)?) {
            (Some(axes), _) => axes.to_vec(),
            (None, Some(axes)) => axes.list().unwrap_or_default().to_vec(),
            (None, None) => (1..rank as i64).collect(),
        };
        let mut axes = given.iter().map(|number| axis(*number, rank)).collect::<Result<Vec<_>, _>>()?;
        axes.sort_unstable();
        axes.dedup();
        if axes.contains(&0) {
            return Err("it reduces over the batch".into());
        }
        let (keeps, kind) = (node.whole("keepdims", 1) != 0, node.kind.as_str());
        let spatial: Vec<usize> = if x.order.len() == 3 { x.order[..2].to_vec() } else { Vec::new() };
        let mut shape = x.shape.clone();
        axes.iter().for_each(|axis| shape[*axis] = 1);
        let mut now = x.clone();
        let same = |a: &[usize], b: &[usize]| a.len() == b.len() && a.iter().all(|axis| b.contains(axis));
        match kind {
            "ReduceMean" | "ReduceMax" if same(&spatial, &axes) => {
                let step = Step::new(if kind == "ReduceMean" { "GlobalAvgPool2d" } else { "GlobalMaxPool2d" });
                now = self.then(&now, step, shape, vec![x.order[2]]);
            }
            _ => {
                let name = match kind {
                    "ReduceMean" => "ReduceMean",
                    "ReduceMax" => "ReduceMax",
                    _ => "ReduceSum",
                };
                for axis in axes.iter().rev() {
                    let Some(place) = now.place(*axis) else { continue };
                    let mut order = now.order.clone();
                    let mut smaller = now.shape.clone();
                    smaller[*axis] = 1;
                    let mut step = Step::new(name).argument(format!("axis = {place}"));
                    if order.len() == 1 {
                        step = step.argument("keepdim = true");
                    } else {
                        order.remove(place);
                    }
                    now = self.then(&now, step, smaller, order);
                }
            }
        }
        if keeps {
            return Ok(now);
        }
        // The axes that are left keep their order in the file.
        let left: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
        let mut shape: Vec<usize> = left.iter().map(|axis| now.shape[*axis]).collect();
        let mut order: Vec<usize> =
            now.order.iter().filter_map(|axis| left.iter().position(|kept| kept == axis)).collect();
        if order.is_empty() {
            shape.push(1);
            order.push(shape.len() - 1);
        }
        Ok(now.seen_as(shape, order))
    }
}

/// The layer of an operator that changes number by number.
fn activation(node: &Node, inputs: Inputs<'_>) -> Result<Option<Step>, Refusal> {
    let with = |name: &'static str, arguments: &[(&str, &str, f32)]| {
        arguments.iter().fold(Step::new(name), |step, (argument, attribute, default)| {
            step.argument(format!("{argument} = {}", written(node.real(attribute, *default))))
        })
    };
    Ok(Some(match node.kind.as_str() {
        "Relu" => Step::new("Relu"),
        "Relu6" => Step::new("Relu6"),
        "Sigmoid" => Step::new("Sigmoid"),
        "Tanh" => Step::new("Tanh"),
        "Softplus" => Step::new("Softplus"),
        "Softsign" => Step::new("Softsign"),
        "Mish" => Step::new("Mish"),
        "HardSwish" => Step::new("HardSwish"),
        "Silu" | "Swish" if node.real("alpha", 1.0) == 1.0 => Step::new("Silu"),
        "Gelu" => Step::new(if node.text("approximate") == "tanh" { "GeluTanh" } else { "Gelu" }),
        "LeakyRelu" => with("LeakyRelu", &[("slope", "alpha", 0.01)]),
        "ThresholdedRelu" => with("ThresholdedRelu", &[("alpha", "alpha", 1.0)]),
        "Elu" => with("Elu", &[("alpha", "alpha", 1.0)]),
        "Celu" => with("Celu", &[("alpha", "alpha", 1.0)]),
        "Selu" => with("Selu", &[("alpha", "alpha", 1.673_263_2), ("scale", "gamma", 1.050_701)]),
        "HardSigmoid" => with("HardSigmoid", &[("slope", "alpha", 0.2), ("offset", "beta", 0.5)]),
        "Clip" => {
            let limit = |index: usize, name: &str, default: f32| -> Result<f32, Refusal> {
                let given = constant(inputs, index)?.and_then(|array| array.scalar());
                Ok(given.unwrap_or_else(|| node.real(name, default)))
            };
            match (limit(1, "min", f32::NEG_INFINITY)?, limit(2, "max", f32::INFINITY)?) {
                (0.0, 6.0) => Step::new("Relu6"),
                (0.0, most) if most >= f32::MAX => Step::new("Relu"),
                (least, most) if least < most && least.is_finite() && most.is_finite() => Step::new("HardTanh")
                    .argument(format!("min = {}", written(least)))
                    .argument(format!("max = {}", written(most))),
                (least, most) => return Err(format!("its limits are {least} and {most}")),
            }
        }
        _ => return Ok(None),
    }))
}

/// A vector of so many numbers, from a constant that has them all or one for all.
fn spread(array: &Array, count: usize) -> Result<Vec<f32>, Refusal> {
    let numbers = array.reals();
    match numbers.len() {
        1 => Ok(vec![numbers[0]; count]),
        len if len == count => Ok(numbers),
        len => Err(format!("{len} numbers stand where {count} are needed")),
    }
}

/// The shape that `Reshape` gives: 0 stands for the size that is there, -1 for what is left.
pub(super) fn reshape(from: &[usize], wanted: &[i64], zeros: bool) -> Result<Vec<usize>, Refusal> {
    let numbers: usize = from.iter().product();
    let mut shape = Vec::new();
    let mut open = None;
    for (index, size) in wanted.iter().enumerate() {
        shape.push(match size {
            0 if !zeros => *from.get(index).ok_or("it copies a size that is not there")?,
            -1 if open.is_none() => {
                open = Some(index);
                1
            }
            size => usize::try_from(*size).map_err(|_| format!("its shape is {wanted:?}"))?,
        });
    }
    let known: usize = product(&shape).map_err(|error| error.to_string())?;
    if let Some(open) = open {
        if known == 0 || !numbers.is_multiple_of(known) {
            return Err(format!("{numbers} numbers do not fit its shape {wanted:?}"));
        }
        shape[open] = numbers / known;
    } else if known != numbers {
        return Err(format!("{numbers} numbers do not fit its shape {wanted:?}"));
    }
    Ok(shape)
}

/// The shape with axes of size 1 more or less.
pub(super) fn squeeze(node: &Node, inputs: Inputs<'_>, from: &[usize]) -> Result<Vec<usize>, Refusal> {
    let given = match (node.wholes("axes"), constant(inputs, 1)?) {
        (Some(axes), _) => Some(axes.to_vec()),
        (None, Some(axes)) => axes.list().map(<[i64]>::to_vec),
        (None, None) => None,
    };
    if node.kind == "Squeeze" {
        let axes = match given {
            Some(axes) => axes.iter().map(|number| axis(*number, from.len())).collect::<Result<Vec<_>, _>>()?,
            None => (0..from.len()).filter(|axis| from[*axis] == 1).collect(),
        };
        return Ok((0..from.len()).filter(|axis| !axes.contains(axis)).map(|axis| from[axis]).collect());
    }
    let given = given.ok_or("it lacks its axes")?;
    let rank = from.len() + given.len();
    let axes = given.iter().map(|number| axis(*number, rank)).collect::<Result<Vec<_>, _>>()?;
    let mut rest = from.iter();
    Ok((0..rank).map(|axis| if axes.contains(&axis) { 1 } else { *rest.next().unwrap_or(&1) }).collect())
}

/// Only the order changes in which the file counts the axes.
fn transpose(node: &Node, x: &Live) -> Result<Live, Refusal> {
    let rank = x.shape.len();
    let order = node.wholes("perm").map_or_else(|| (0..rank as i64).rev().collect(), <[i64]>::to_vec);
    let order = order.iter().map(|number| axis(*number, rank)).collect::<Result<Vec<_>, _>>()?;
    if order.len() != rank || (0..rank).any(|axis| !order.contains(&axis)) {
        return Err(format!("it has the order {order:?}"));
    }
    if order[0] != 0 {
        return Err("it moves the axis of the batch".into());
    }
    let shape = order.iter().map(|axis| x.shape[*axis]).collect();
    let held = x.order.iter().filter_map(|axis| order.iter().position(|from| from == axis)).collect();
    Ok(x.seen_as(shape, held))
}
