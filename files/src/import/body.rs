//! The network that a graph becomes: flows of layers, and how they are written.

use core::fmt::Write;

use crate::Tensor;

/// A layer, or a view that has no parameters.
pub(super) struct Step {
    pub(super) kind: &'static str,
    pub(super) arguments: Vec<String>,
    /// Name, shape and numbers of its parameters.
    pub(super) tensors: Vec<(&'static str, Vec<usize>, Vec<f32>)>,
}

/// Where a flow begins.
pub(super) enum Source {
    Input,
    /// At the end of another flow.
    Flow(usize),
    /// `add`, `multiply` or `concat` of the ends of others, with the axis if it is given.
    Combine(&'static str, Vec<usize>, Option<usize>),
}

/// `source |> step |> step`.
pub(super) struct Flow {
    pub(super) source: Source,
    pub(super) steps: Vec<Step>,
}

impl Step {
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, arguments: Vec::new(), tensors: Vec::new() }
    }

    pub(super) fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(super) fn tensor(mut self, name: &'static str, shape: &[usize], numbers: Vec<f32>) -> Self {
        self.tensors.push((name, shape.to_vec(), numbers));
        self
    }

    /// Adds a bias, or says that there is none.
    pub(super) fn bias(self, bias: Option<Vec<f32>>) -> Self {
        match bias {
            Some(bias) => self.tensor("bias", &[bias.len()], bias),
            None => self.argument("bias = false"),
        }
    }

    /// Gives a layer the bias that it did not have; whether it is one that can have it.
    pub(super) fn late_bias(&mut self, bias: &[f32]) -> bool {
        let Some(at) = self.arguments.iter().position(|argument| argument == "bias = false") else { return false };
        if self.tensors.first().is_none_or(|(_, shape, _)| shape.last() != Some(&bias.len())) {
            return false;
        }
        self.arguments.remove(at);
        self.tensors.push(("bias", vec![bias.len()], bias.to_vec()));
        true
    }

    /// Multiplies what a layer gives by a factor for each channel and adds an offset; whether it is one that can.
    pub(super) fn scale(&mut self, factors: &[f32], offsets: &[f32]) -> bool {
        if !["Dense", "Conv1d", "Conv2d"].contains(&self.kind) {
            return false;
        }
        let count = factors.len();
        let [(_, shape, weight), bias @ ..] = self.tensors.as_mut_slice() else { return false };
        if count == 0 || shape.last() != Some(&count) {
            return false;
        }
        weight.iter_mut().zip(factors.iter().cycle()).for_each(|(number, factor)| *number *= factor);
        match bias {
            [(_, _, bias)] => bias.iter_mut().zip(factors).zip(offsets).for_each(|((number, factor), offset)| {
                *number = *number * factor + offset;
            }),
            _ => return self.late_bias(offsets),
        }
        true
    }

    /// The name that the macro gives the first layer of this kind, without its number.
    fn field(&self) -> &'static str {
        match self.kind {
            "Dense" => "dense",
            "PRelu" => "prelu",
            "Affine" => "affine",
            "Lstm" => "lstm",
            "Gru" => "gru",
            "Rnn" => "rnn",
            kind if kind.contains("Conv") => "conv",
            kind if kind.contains("Norm") => "norm",
            _ => "",
        }
    }

    fn text(&self) -> String {
        match self.arguments.as_slice() {
            [] => self.kind.to_owned(),
            arguments => format!("{}({})", self.kind, arguments.join(", ")),
        }
    }
}

/// Leaves out what the output does not depend on, and joins a flow with the only one that goes on with it.
fn tidied(flows: Vec<Flow>, last: usize) -> Vec<Option<Flow>> {
    let mut readers = vec![0; flows.len()];
    readers[last] = 1;
    for index in (0..=last).rev() {
        if readers[index] == 0 {
            continue;
        }
        match &flows[index].source {
            Source::Input => {}
            Source::Flow(source) => readers[*source] += 1,
            Source::Combine(_, sources, _) => sources.iter().for_each(|source| readers[*source] += 1),
        }
    }
    let mut tidied: Vec<Option<Flow>> = Vec::new();
    for (index, mut flow) in flows.into_iter().enumerate() {
        if let Source::Flow(source) = flow.source
            && readers[index] > 0
            && readers[source] == 1
            && let Some(before) = tidied[source].take()
        {
            flow = Flow { source: before.source, steps: before.steps.into_iter().chain(flow.steps).collect() };
        }
        tidied.push((readers[index] > 0).then_some(flow));
    }
    tidied
}

/// The statements of a network that ends with the flow `last`, and the parameters of its layers.
pub(super) fn write(flows: Vec<Flow>, last: usize) -> (String, Vec<Tensor>) {
    let flows = tidied(flows, last);
    let name = |index: usize| match &flows[index] {
        Some(Flow { source: Source::Input, steps }) if steps.is_empty() => "input".to_owned(),
        _ => format!("x{index}"),
    };
    let (mut body, mut tensors, mut counts) = (String::new(), Vec::new(), Vec::<&str>::new());
    let alone = flows.iter().flatten().count() == 1 && matches!(&flows[last], Some(Flow { source: Source::Input, .. }));
    for (index, flow) in flows.iter().enumerate().filter_map(|(index, flow)| Some((index, flow.as_ref()?))) {
        for step in flow.steps.iter().filter(|step| !step.field().is_empty()) {
            counts.push(step.field());
            let number = counts.iter().filter(|field| **field == step.field()).count();
            for (name, shape, numbers) in &step.tensors {
                let name = format!("{}{number}.{name}", step.field());
                tensors.push(Tensor { name, shape: shape.clone(), numbers: numbers.clone() });
            }
        }
        let source = match &flow.source {
            Source::Input if alone => {
                flow.steps.iter().for_each(|step| body.push_str(&format!("    {},\n", step.text())));
                continue;
            }
            Source::Input if flow.steps.is_empty() && index != last => continue,
            Source::Input => "input".to_owned(),
            Source::Flow(source) => name(*source),
            Source::Combine(kind, sources, axis) => {
                let axis = axis.map_or_else(String::new, |axis| format!(", axis = {axis}"));
                let names: Vec<_> = sources.iter().map(|source| name(*source)).collect();
                format!("{kind}({}{axis})", names.join(", "))
            }
        };
        let mut steps: String = flow.steps.iter().map(|step| format!(" |> {}", step.text())).collect();
        if source.len() + steps.len() > 90 {
            steps = flow.steps.iter().map(|step| format!("\n        |> {}", step.text())).collect();
        }
        match index == last {
            true => writeln!(body, "    {source}{steps}"),
            false => writeln!(body, "    let {} = {source}{steps};", name(index)),
        }
        .expect("a string grows");
    }
    (body, tensors)
}
