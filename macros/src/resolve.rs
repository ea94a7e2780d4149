//! Works out what a declaration means: follows its body from the inputs to the outputs and builds the graph.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, WherePredicate, parse_quote};

use crate::attributes;
use crate::builder::Builder;
use crate::derivative;
use crate::equation::{Equation, is_equation};
use crate::errors::{Errors, did_you_mean};
use crate::graph::{Dim, Model, Node, Op, Shape, Value, ValueId, name_hash};
use crate::layers;
use crate::parse::{Body, Call, Combine, Declaration, Dims, Flow, Let, Port, Residual, Source, Step};
use crate::shapes;
use crate::sizes;
use crate::spans::at;
use crate::transformer;
use crate::words::text;

/// Works out the model of a declaration; mistakes go to `errors`.
pub(crate) fn build(mut declaration: Declaration, errors: &mut Errors) -> Model {
    let scalar = attributes::scalar(&mut declaration, errors);
    let budget = attributes::budget(&mut declaration, errors);
    let packed = attributes::packed(&mut declaration, errors);
    let conditions = attributes::conditions(&mut declaration);
    let comparable = attributes::derives(&mut declaration, errors);
    let unaligned = attributes::flag(&mut declaration, "unaligned").is_some();
    let streaming = attributes::flag(&mut declaration, "streaming");
    let watched = attributes::flag(&mut declaration, "watched").is_some();
    if let Some(Err(error)) = &declaration.file {
        errors.add(error.clone());
    }
    let parametric =
        declaration.generics.const_params().next().is_some() || !sizes::of(&declaration.generics).is_empty();

    let builder = Builder::new(&declaration, scalar, errors);
    let mut resolver = Resolver { builder, declaration: &declaration, bindings: Vec::new(), inner: Vec::new() };
    let (input, input_parts) = resolver.ends(&declaration.inputs, "Input");
    let (output, output_parts) = resolver.ends(&declaration.outputs, "Output");
    resolver.inputs(&input, &input_parts);
    let result = resolver.body(&output);

    let inner = resolver.inner;
    let Builder { scalar, values, nodes, constants, bounds, docs, errors, .. } = resolver.builder;
    if errors.is_empty() {
        attributes::check_packed(&declaration.name, &packed, &nodes, errors);
        if let Some(at) = streaming {
            attributes::check_streaming(at, &values, &nodes, errors);
        }
    }
    if !bounds.is_empty() {
        let clause = declaration.generics.make_where_clause();
        clause.predicates.extend(bounds.into_iter().map(|bound| -> WherePredicate { parse_quote!(#bound) }));
    }
    Model {
        declaration,
        inner,
        scalar,
        input,
        output,
        input_parts,
        output_parts,
        values,
        nodes,
        result,
        conditions,
        comparable,
        budget,
        unaligned,
        streaming: streaming.is_some(),
        watched,
        packed,
        constants,
        docs,
        parametric,
    }
}

/// Follows the body of a declaration.
struct Resolver<'a> {
    builder: Builder<'a>,
    declaration: &'a Declaration,
    /// The values that have been named so far.
    bindings: Vec<Binding>,
    /// The networks that are declared inside this one.
    inner: Vec<(Model, Option<TokenStream>)>,
}

/// A name for a value.
struct Binding {
    name: String,
    span: Span,
    value: ValueId,
    used: bool,
}

impl Resolver<'_> {
    /// The input or output: its shape, or the struct `<network><suffix>` and its parts if there are several.
    fn ends(&mut self, ports: &[Port], suffix: &str) -> (Shape, Vec<(Ident, Value)>) {
        if let [port] = ports {
            return (self.declared_shape(&port.dims), Vec::new());
        }
        let mut parts: Vec<(Ident, Value)> = Vec::new();
        for port in ports {
            let Some(name) = &port.name else { continue };
            if parts.iter().any(|(other, _)| other == name) {
                self.builder
                    .errors
                    .at(name.span(), format!("`{name}` is the name of two; every one has a name of its own"));
                continue;
            }
            let shape = self.declared_shape(&port.dims);
            parts.push((name.clone(), Value { shape, element: port.dims.element.clone(), source: text(name) }));
        }
        let ty = format_ident!("{}{suffix}", self.declaration.name, span = at(self.declaration.name.span()));
        let (_, generics, _) = self.declaration.generics.split_for_impl();
        (Shape::Opaque(quote!(#ty #generics)), parts)
    }

    /// Adds the values of the inputs and binds their names.
    fn inputs(&mut self, whole: &Shape, parts: &[(Ident, Value)]) {
        let name = |port: &Port| port.name.as_ref().map_or_else(|| "input".to_owned(), text);
        let span = |port: &Port| port.name.as_ref().map_or(port.dims.span, Ident::span);
        if let [port] = self.declaration.inputs.as_slice() {
            let source = port.name.as_ref().map_or_else(|| "the input".to_owned(), text);
            self.builder.value(whole.clone(), source);
            self.builder.values[0].element.clone_from(&port.dims.element);
            self.bindings.push(Binding { name: name(port), span: span(port), value: 0, used: false });
            return;
        }
        self.builder.value(whole.clone(), "the input");
        for (part, Value { shape, element, .. }) in parts {
            let op = Op::Part(part.clone(), None);
            let value = self.builder.fieldless_node(op, text(part), "input", vec![0], shape.clone());
            self.builder.values[value].element.clone_from(element);
            self.bindings.push(Binding { name: text(part), span: part.span(), value, used: false });
        }
    }

    /// The declared shape of the input or the output.
    fn declared_shape(&mut self, dims: &Dims) -> Shape {
        if dims.sizes.is_empty() || dims.sizes.len() > 4 {
            let message = "a shape has 1 to 4 sizes, such as `[28, 28, 1]` (height, width, channels)";
            self.builder.errors.at(dims.span, message);
            return Shape::Unknown;
        }
        let sizes: Option<Vec<Dim>> =
            dims.sizes.iter().map(|size| self.builder.dim("the network", "size", size)).collect();
        let Some(sizes) = sizes else { return Shape::Unknown };
        let shape = Shape::Known(sizes);
        if let Some(literals) = shape.literals()
            && let Err(why) = shapes::numbers("the network", &literals)
        {
            self.builder.errors.at(dims.span, why.as_str());
            return Shape::Unknown;
        }
        shape
    }

    /// Follows the body; returns the value that the network returns.
    fn body(&mut self, output: &Shape) -> ValueId {
        if matches!(self.declaration.file, Some(Err(_))) {
            return 0;
        }
        let mut body = match syn::parse2::<Body>(self.declaration.body.clone()) {
            Ok(body) => body,
            Err(error) => {
                self.builder.errors.add(error);
                return 0;
            }
        };
        body.unroll();
        body.for_each_chain(&mut |steps| self.builder.names.reserve(steps, self.builder.errors));
        let result = match body {
            Body::Chain(steps) => self.only_chain(&steps),
            Body::Graph { values, result } => self.graph(&values, result.as_ref(), output),
        };
        if self.builder.errors.is_empty() && result == 0 {
            let message = "the network has no layer; write at least one, such as `Dense(10)`";
            self.builder.errors.at(self.declaration.body_span, message);
        }
        let result = if result != 0 && self.builder.viewed(result) == 0 { self.copied(result) } else { result };
        if let [port] = self.declaration.outputs.as_slice() {
            self.check_output(&port.dims, output, result);
        }
        result
    }

    /// The output of a network that only gives its input another shape.
    fn copied(&mut self, view: ValueId) -> ValueId {
        let Value { shape, source, .. } = self.builder.values[view].clone();
        self.builder.fieldless_node(Op::Copy, source, "", vec![view], shape)
    }

    /// Follows a body that is one chain.
    fn only_chain(&mut self, steps: &[Step]) -> ValueId {
        for (ports, what) in [(&self.declaration.inputs, "inputs"), (&self.declaration.outputs, "outputs")] {
            if ports.len() > 1 {
                let message = format!(
                    "a chain has one input and one output; with several {what}, name the values: `let trunk = ..;`"
                );
                self.builder.errors.at(self.declaration.body_span, message);
                return 0;
            }
        }
        self.chain(steps, 0)
    }

    /// Follows a body of named values.
    fn graph(&mut self, values: &[Let], result: Option<&Flow>, output: &Shape) -> ValueId {
        for Let { name, flow } in values {
            let value = self.flow(flow);
            if self.bindings.iter().any(|binding| text(name) == binding.name) {
                let message = format!("`{name}` is already the name of a value; choose another");
                self.builder.errors.at(name.span(), message);
            }
            if !matches!(flow.source, Source::Value(_)) || !flow.steps.is_empty() {
                self.builder.values[value].source = text(name);
            }
            self.bindings.push(Binding { name: text(name), span: name.span(), value, used: false });
        }
        let given = match (result, self.declaration.outputs.as_slice()) {
            (Some(flow), [_]) => self.flow(flow),
            (None, [Port { name: Some(name), .. }]) => self.value(name),
            (None, [_]) => {
                let message = "the network gives nothing: end it with what it gives, such as `trunk |> Dense(10)`";
                self.builder.errors.at(self.declaration.body_span, message);
                return 0;
            }
            (Some(flow), _) => {
                self.flow(flow);
                let message = "with several outputs, each is a value of that name: `let policy = ..;`";
                self.builder.errors.at(self.declaration.body_span, message);
                return 0;
            }
            (None, ports) => self.outputs(ports, output),
        };
        for binding in &self.bindings {
            if !binding.used {
                let name = &binding.name;
                self.builder.errors.at(binding.span, format!("`{name}` is never used; use it, or leave it out"));
            }
        }
        given
    }

    /// Finds a value by its name.
    fn value(&mut self, name: &Ident) -> ValueId {
        if let Some(binding) = self.bindings.iter_mut().rev().find(|binding| text(name) == binding.name) {
            binding.used = true;
            return binding.value;
        }
        let close = did_you_mean(&text(name), self.bindings.iter().map(|binding| binding.name.as_str()));
        let hint = match close {
            Some(close) => format!("did you mean `{close}`?"),
            None => {
                let known: Vec<_> = self.bindings.iter().map(|binding| format!("`{}`", binding.name)).collect();
                format!("there is {}", known.join(", "))
            }
        };
        // The value that was probably meant counts as used, so that a typo is not reported twice.
        if let Some(binding) =
            close.map(str::to_owned).and_then(|close| self.bindings.iter_mut().find(|b| b.name == close))
        {
            binding.used = true;
        }
        self.builder.errors.at(name.span(), format!("there is no value `{name}`; {hint}"));
        self.builder.value(Shape::Unknown, text(name))
    }

    /// Joins the values named like the outputs into the struct of outputs.
    fn outputs(&mut self, ports: &[Port], output: &Shape) -> ValueId {
        let (mut parts, mut fields) = (Vec::new(), Vec::new());
        for port in ports {
            let Some(name) = &port.name else { continue };
            if !self.bindings.iter().any(|binding| text(name) == binding.name) {
                self.builder
                    .errors
                    .at(name.span(), format!("the output `{name}` is never computed; write `let {name} = ..;`"));
                continue;
            }
            let value = self.value(name);
            let declared = self.declared_shape(&port.dims);
            self.check_output(&port.dims, &declared, value);
            parts.push(value);
            fields.push(name.clone());
        }
        self.builder.fieldless_node(Op::Outputs(fields), "output".to_owned(), "output", parts, output.clone())
    }

    fn flow(&mut self, flow: &Flow) -> ValueId {
        let source = match &flow.source {
            Source::Value(name) => self.value(name),
            Source::Combine(keyword, flows, axis) => {
                let values = flows.iter().map(|flow| self.flow(flow)).collect();
                self.builder.combine(keyword, None, axis.as_deref(), values)
            }
            Source::Part(name, part) => self.part(name, part),
            Source::Several(flows, span) => {
                let values: Vec<_> = flows.iter().map(|flow| self.flow(flow)).collect();
                let Some((Step::Layer(call), steps)) = flow.steps.split_first() else {
                    let message = "several values go into one layer: `(query, memory) |> self::Attention()`";
                    self.builder.errors.at(*span, message);
                    return self.builder.value(Shape::Unknown, "values");
                };
                let output = if transformer::is_block(call) {
                    transformer::add(&mut self.builder, call, &values)
                } else {
                    layers::add_several(&mut self.builder, call, &values)
                };
                return self.chain(steps, output);
            }
        };
        self.chain(&flow.steps, source)
    }

    /// One of the outputs of a nested network: `head.policy`.
    fn part(&mut self, name: &Ident, part: &Ident) -> ValueId {
        let whole = self.value(name);
        // A part that is read twice is one value, whose gradient adds up.
        let same =
            |node: &&Node| matches!(&node.op, Op::Part(other, Some(_)) if other == part) && node.inputs == [whole];
        if let Some(node) = self.builder.nodes.iter().find(same) {
            return node.output;
        }
        let shape = &self.builder.values[whole].shape;
        if matches!(shape, Shape::Unknown) {
            return self.builder.value(Shape::Unknown, text(part));
        }
        let Shape::Opaque(ty) = shape else {
            let message = format!("`{name}` has no parts; only the output of a network with several outputs has");
            self.builder.errors.at(part.span(), message);
            return self.builder.value(Shape::Unknown, text(part));
        };
        let (ty, name_of_part) = (ty.clone(), text(part));
        let key = name_hash(&name_of_part);
        let key = if self.builder.generic_size(&ty).is_some() {
            quote!(#key)
        } else {
            // Without a key there is no type, so this mistake is the only one.
            let whole = text(name);
            let result = quote! {
                ::monomorph::shapes::part(#whole, #name_of_part, <#ty as ::monomorph::Tensor>::PARTS, #key)
            };
            let item = self.builder.work_out(part.span(), quote!(u64), result);
            quote!({ #item })
        };
        let shape = Shape::Opaque(quote_spanned!(part.span()=> <#ty as ::monomorph::__private::Field<#key>>::Type));
        let op = Op::Part(part.clone(), Some(key));
        self.builder.fieldless_node(op, format!("{name}.{part}"), "Part", vec![whole], shape)
    }

    fn chain(&mut self, steps: &[Step], input: ValueId) -> ValueId {
        steps.iter().fold(input, |value, step| match step {
            Step::Layer(call) if transformer::is_block(call) => transformer::add(&mut self.builder, call, &[value]),
            Step::Layer(call) if is_equation(call) => self.equation(call, value),
            Step::Layer(call) if derivative::is_derivative(call) => self.derivative(call, value),
            Step::Layer(call) => layers::add(&mut self.builder, call, value),
            Step::Residual(residual) => self.residual(residual, value),
            Step::Combine(Combine { name, keyword, axis, branches }) => {
                let values = branches.iter().map(|branch| self.chain(branch, value)).collect();
                self.builder.combine(keyword, name.as_ref(), axis.as_ref(), values)
            }
            // `unroll` has replaced these.
            Step::Repeat(repeat) => self.chain(&repeat.body, value),
        })
    }

    /// An equation, and the network that is its right side.
    fn equation(&mut self, call: &Call, input: ValueId) -> ValueId {
        let added = Equation::new(&mut self.builder, self.declaration, call, input).and_then(|(equation, field)| {
            let field = build(field, self.builder.errors);
            let output = equation.add(&mut self.builder, &field, input);
            self.inner.push((field, Some(equation.problem())));
            output
        });
        added.unwrap_or_else(|| self.builder.value(Shape::Unknown, "a layer with a mistake"))
    }

    /// A layer that computes with the derivative of a network inside it.
    fn derivative(&mut self, call: &Call, input: ValueId) -> ValueId {
        let opened = derivative::open(&mut self.builder, self.declaration, call, input);
        let added = opened.and_then(|(name, declaration)| {
            let inside = build(declaration, self.builder.errors);
            let output = derivative::add(&mut self.builder, call, &name, &inside, input);
            self.inner.push((inside, None));
            output
        });
        added.unwrap_or_else(|| self.builder.value(Shape::Unknown, "a layer with a mistake"))
    }

    fn residual(&mut self, residual: &Residual, input: ValueId) -> ValueId {
        let span = residual.keyword.span();
        let name = text(&self.builder.names.next("residual", residual.name.as_ref(), span));
        let body = self.chain(&residual.body, input);
        let shortcut = self.chain(residual.shortcut.as_deref().unwrap_or_default(), input);
        if body == input {
            self.builder.errors.at(span, format!("{name}: its body has no layer"));
        }
        if [body, shortcut].iter().any(|value| self.builder.numbers(span, &name, *value).is_none()) {
            return self.builder.value(Shape::Unknown, name);
        }
        let with = if shortcut == input { "its input is" } else { "its shortcut gives" };
        let (body_shape, other) =
            (self.builder.values[body].shape.clone(), self.builder.values[shortcut].shape.clone());
        // If only the compiler can compare the two, the layers that follow rely on the shape of the input, or of the
        // body if there is a shortcut.
        let mut shape = if shortcut == input { other.clone() } else { body_shape.clone() };
        let now = |a: &[usize], b: &[usize]| shapes::residual(&name, a, with, b).err();
        let later = |a, b| quote!(::monomorph::shapes::residual(#name, #a, #with, #b));
        if self.builder.compare(span, [&body_shape, &other], now, later) == Some(false) {
            shape = Shape::Unknown;
        }
        self.builder.fieldless_node(Op::Add, name, "Add", vec![body, shortcut], shape)
    }

    /// Compares the declared output with the computed one.
    fn check_output(&mut self, written: &Dims, declared: &Shape, last: ValueId) {
        let Value { shape: computed, source, element } = &self.builder.values[last];
        if let Some(element) = element.as_ref().or(written.element.as_ref()) {
            let message = format!(
                "a network gives numbers of its own type; only what it takes can be whole numbers (`{element}`)"
            );
            self.builder.errors.at(written.span, message);
            return;
        }
        let (computed, source) = (computed.clone(), source.clone());
        let now = |a: &[usize], b: &[usize]| shapes::declared_output(a, &source, b).err();
        let later = |a, b| quote!(::monomorph::shapes::declared_output(#a, #source, #b));
        let compared = self.builder.compare(written.span, [declared, &computed], now, later);
        // A const parameter is equal only to itself.
        if let (None, Shape::Known(_), Shape::Known(_)) = (compared, declared, &computed) {
            let (a, b) = (declared.text(), computed.text());
            if a != b {
                let message = format!("the network is declared to give {a}, but {source} gives {b}");
                self.builder.errors.at(written.span, message);
            }
        }
    }
}
