//! What the declaration means: values with shapes, and the nodes that compute them.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, GenericParam, Generics, Ident, Lit, Type};

use crate::errors::{Errors, did_you_mean};
use crate::parse::{Body, Call, Combine, Declaration, Dims, Flow, Let, Port, Residual, Source, Step};
use crate::{layers, shapes};

/// A size: known to the macro, or to the compiler only.
#[derive(Clone, Debug)]
pub(crate) enum Dim {
    Literal(usize),
    /// A const expression of type `usize` that needs no generic parameter.
    Constant(TokenStream),
    /// A const generic parameter of the network.
    Parameter(Ident),
}

impl Dim {
    /// As an expression.
    pub(crate) fn tokens(&self) -> TokenStream {
        match self {
            Dim::Literal(size) => {
                let size = proc_macro2::Literal::usize_unsuffixed(*size);
                quote!(#size)
            }
            Dim::Constant(expression) => quote!({ #expression }),
            Dim::Parameter(name) => quote!(#name),
        }
    }

    /// As a user would write it.
    fn text(&self) -> String {
        match self {
            Dim::Literal(size) => size.to_string(),
            Dim::Constant(expression) => {
                let text = expression.to_string();
                // What the macro worked out has a name that means nothing to the user.
                if text.starts_with("__") || text.starts_with('<') { "_".to_owned() } else { text }
            }
            Dim::Parameter(name) => name.to_string(),
        }
    }
}

/// The shape of a value.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Known(Vec<Dim>),
    /// The output of a layer of the user's: a type that is a tensor.
    Opaque(TokenStream),
    /// What follows a mistake: fits everywhere, so that one mistake is reported once.
    Unknown,
}

impl Shape {
    /// As a user would write it.
    pub(crate) fn text(&self) -> String {
        match self {
            Shape::Known(dims) => format!("[{}]", dims.iter().map(Dim::text).collect::<Vec<_>>().join(", ")),
            Shape::Opaque(_) | Shape::Unknown => "[..]".to_owned(),
        }
    }

    /// Its sizes, if the macro knows them all.
    pub(crate) fn literals(&self) -> Option<Vec<usize>> {
        let Shape::Known(dims) = self else { return None };
        dims.iter().map(|dim| if let Dim::Literal(size) = dim { Some(*size) } else { None }).collect()
    }

    /// The array type, with numbers of type `scalar`.
    pub(crate) fn ty(&self, scalar: &TokenStream) -> TokenStream {
        match self {
            Shape::Known(dims) => dims.iter().rev().fold(scalar.clone(), |inner, dim| {
                let size = dim.tokens();
                quote!([#inner; #size])
            }),
            Shape::Opaque(ty) => ty.clone(),
            Shape::Unknown => quote!([#scalar; 1]),
        }
    }

    /// A `&[usize]` with its sizes, for code that runs in the compiler.
    pub(crate) fn slice(&self, scalar: &TokenStream) -> TokenStream {
        match self {
            Shape::Known(dims) => {
                let sizes = dims.iter().map(Dim::tokens);
                quote!(&[#(#sizes),*])
            }
            _ => {
                let ty = self.ty(scalar);
                quote!(<#ty as ::monomorph::Tensor<#scalar>>::SHAPE)
            }
        }
    }

    /// Whether a const item outside the network can speak of it.
    pub(crate) fn is_constant(&self) -> bool {
        match self {
            Shape::Known(dims) => !dims.iter().any(|dim| matches!(dim, Dim::Parameter(_))),
            Shape::Opaque(_) => true,
            Shape::Unknown => false,
        }
    }
}

/// Something computed: the input or the output of a node.
pub(crate) struct Value {
    pub shape: Shape,
    /// What gives it, for messages: `the input`, `conv1`.
    pub source: String,
}

/// The index of a [`Value`].
pub(crate) type ValueId = usize;

/// What a node does.
#[derive(Clone)]
pub(crate) enum Op {
    /// Calls the passes of the field's layer.
    Layer(Traits),
    /// An elementwise function that can run inside the layer before it, or in place.
    Activation { marker: TokenStream, from_output: bool },
    /// The same numbers under another shape.
    View,
    /// The sum of its two inputs.
    Add,
    /// The product of its two inputs.
    Multiply,
    /// Its inputs side by side: along the last axis, or one whole after another.
    Join(Along),
    /// A part of its input, behind these other parts.
    Part { before: Vec<ValueId> },
}

/// How values are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Along {
    /// `concat`: row by row, along the last axis.
    Channels,
    /// The outputs of a network with several: one whole after another.
    Whole,
}

/// What is known of a layer beforehand.
#[derive(Clone, Copy)]
pub(crate) struct Traits {
    /// It can apply the activation that follows it, and its `backward` does not read its output.
    pub fuses: bool,
    /// It can keep the maximum of every 2 × 2 pixels instead of the pixels.
    pub pools: bool,
    /// It is the maximum of every 2 × 2 pixels.
    pub halves: bool,
    /// Its `Saved` is not `()`.
    pub saves: bool,
    /// Its `Workspace` is not `()`.
    pub works: bool,
    /// Its weights can be stored in fewer bits.
    pub stores: bool,
    /// It is the user's own: its type says what it takes and gives.
    pub own: bool,
}

/// A step of the computation.
pub(crate) struct Node {
    pub op: Op,
    /// The field of the network and its type; views and sums have none.
    pub field: Option<(Ident, TokenStream)>,
    /// What the layer takes, where it may be another array type of the same length.
    pub inputs: Vec<ValueId>,
    pub output: ValueId,
    /// What it is called and what it is, for summaries.
    pub name: String,
    pub kind: String,
    /// How often its layer was used before.
    pub uses: usize,
    /// How many parameters it has, where the macro can count them.
    pub parameters: Option<usize>,
}

/// A network, understood.
pub(crate) struct Model {
    pub declaration: Declaration,
    pub scalar: TokenStream,
    /// What goes in and comes out as a whole: a shape that is declared, or a struct of several.
    pub input: Shape,
    pub output: Shape,
    /// The parts of the input and of the output, where there are several.
    pub input_parts: Vec<(Ident, Shape)>,
    pub output_parts: Vec<(Ident, Shape)>,
    /// Value 0 is the input; the parts of it follow.
    pub values: Vec<Value>,
    pub nodes: Vec<Node>,
    /// What the network gives.
    pub result: ValueId,
    /// The largest sizes that are allowed.
    pub budget: Option<Budget>,
    /// Whether it may begin anywhere in memory: `#[unaligned]`.
    pub unaligned: bool,
    /// The networks beside it that store its weights in fewer bits: `#[stored(..)]`.
    pub stored: Vec<Stored>,
    /// Const items: sizes worked out by the compiler, and checks of them.
    pub constants: Vec<TokenStream>,
    /// Whether sizes depend on const generic parameters.
    pub parametric: bool,
}

/// `#[budget(flash = "64 KiB", ram = "8 KiB")]`: where it is written, and bytes.
pub(crate) struct Budget {
    pub flash: Option<(Span, usize)>,
    pub ram: Option<(Span, usize)>,
}

/// `#[stored(DigitsSmall: i8 { eye: EyeSmall })]`: a network beside the declared one, the format of its weights, and
/// which networks inside it are stored as which.
pub(crate) struct Stored {
    pub name: Ident,
    pub format: &'static str,
    pub networks: Vec<(Ident, Type)>,
}

impl Stored {
    /// The type of its weights' numbers.
    pub(crate) fn format_type(&self) -> TokenStream {
        match self.format {
            "bf16" => quote!(::monomorph::storage::Bf16),
            "f16" => quote!(::monomorph::storage::F16),
            _ => quote!(i8),
        }
    }
}

/// Understands a declaration; mistakes go to `errors`.
pub(crate) fn build(mut declaration: Declaration, errors: &mut Errors) -> Model {
    let scalar = scalar(&mut declaration, errors);
    let budget = budget(&mut declaration, errors);
    let stored = stored(&mut declaration, errors);
    let attributes = declaration.attributes.len();
    declaration.attributes.retain(|attribute| !attribute.path().is_ident("unaligned"));
    let unaligned = declaration.attributes.len() < attributes;
    let parameters: HashSet<Ident> = declaration.generics.const_params().map(|param| param.ident.clone()).collect();
    let parametric = !parameters.is_empty();
    let mut builder = Builder {
        errors,
        prefix: format!("__{}", upper(&declaration.name)),
        scalar,
        declared: declaration.generics.clone(),
        parameters,
        names: Names::default(),
        values: Vec::new(),
        nodes: Vec::new(),
        constants: Vec::new(),
        bindings: Vec::new(),
    };
    let (input, input_parts) = builder.ends(&declaration, &declaration.inputs, "Input");
    let (output, output_parts) = builder.ends(&declaration, &declaration.outputs, "Output");
    builder.inputs(&declaration.inputs, &input, &input_parts);

    let mut result = 0;
    match syn::parse2::<Body>(declaration.body.clone()) {
        Ok(mut body) => {
            body.unroll();
            body.for_each_chain(&mut |steps| builder.names.reserve(steps, builder.errors));
            result = match body {
                Body::Chain(steps) => builder.only_chain(&steps, &declaration),
                Body::Graph { values, result } => builder.graph(&values, result.as_ref(), &declaration, &output),
            };
            let viewed = |value: ValueId| {
                builder
                    .nodes
                    .iter()
                    .find(|node| node.output == value && matches!(node.op, Op::View))
                    .map(|node| node.inputs[0])
            };
            let mut root = result;
            while let Some(value) = viewed(root) {
                root = value;
            }
            if builder.errors.is_empty() && root == 0 {
                let message = "the network has no layer; write at least one, such as `Dense(10)`";
                builder.errors.at(declaration.body_span, message);
            }
            if let [port] = declaration.outputs.as_slice() {
                builder.check_output(&port.dims, &output, result);
            }
        }
        Err(error) => builder.errors.add(error),
    }

    let Builder { scalar, values, nodes, constants, errors, .. } = builder;
    if errors.is_empty() {
        let stores = nodes.iter().any(|node| matches!(node.op, Op::Layer(traits) if traits.stores));
        for stored in &stored {
            stored_networks(&declaration.name, stored, &nodes, errors);
            if !stores && stored.networks.is_empty() {
                let message = format!(
                    "{} has no dense or convolutional layer, whose weights could be stored; leave out `#[stored(..)]`",
                    declaration.name
                );
                errors.at(stored.name.span(), message);
                break;
            }
        }
    }
    Model {
        declaration,
        scalar,
        input,
        output,
        input_parts,
        output_parts,
        values,
        nodes,
        result,
        budget,
        unaligned,
        stored,
        constants,
        parametric,
    }
}

impl Model {
    /// Tokens outside the network's own items, see [`concrete`].
    pub(crate) fn concrete(&self, tokens: &TokenStream) -> TokenStream {
        concrete(&self.declaration.generics, tokens)
    }
}

/// The tokens with `f32` for the number type, if it is a parameter: stable Rust cannot compute with one, but
/// shapes and numbers of parameters are those of every number type.
fn concrete(generics: &Generics, tokens: &TokenStream) -> TokenStream {
    match generics.type_params().next() {
        Some(parameter) => replaced(tokens, &parameter.ident, &format_ident!("f32")),
        None => tokens.clone(),
    }
}

/// The tokens with another identifier for one of them.
fn replaced(tokens: &TokenStream, from: &Ident, to: &Ident) -> TokenStream {
    let tokens = tokens.clone().into_iter().map(|token| match token {
        TokenTree::Ident(ident) if ident == *from => TokenTree::Ident(Ident::new(&to.to_string(), ident.span())),
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), replaced(&group.stream(), from, to));
            inner.set_span(group.span());
            TokenTree::Group(inner)
        }
        other => other,
    });
    tokens.collect()
}

/// Takes `#[budget(..)]` from the attributes.
fn budget(declaration: &mut Declaration, errors: &mut Errors) -> Option<Budget> {
    let mut budget = None;
    let parametric = !declaration.generics.params.is_empty();
    declaration.attributes.retain(|attribute| {
        if !attribute.path().is_ident("budget") {
            return true;
        }
        let limits = budget.get_or_insert(Budget { flash: None, ram: None });
        let parsed = attribute.parse_nested_meta(|meta| {
            let limit = match () {
                () if meta.path.is_ident("flash") => &mut limits.flash,
                () if meta.path.is_ident("ram") => &mut limits.ram,
                () => return Err(meta.error("budget takes `flash` and `ram`, such as `flash = \"64 KiB\"`")),
            };
            let value: Expr = meta.value()?.parse()?;
            match bytes(&value) {
                Some(bytes) => *limit = Some((value.span(), bytes)),
                None => return Err(syn::Error::new(value.span(), "expected bytes, such as `\"64 KiB\"` or `65_536`")),
            }
            Ok(())
        });
        if let Err(error) = parsed {
            errors.add(error);
        }
        if parametric {
            errors.at(attribute.span(), "a budget needs a network without parameters: its size is not known here");
        }
        false
    });
    budget
}

/// The formats of stored weights.
const FORMATS: [&str; 3] = ["bf16", "f16", "i8"];

/// Takes `#[stored(..)]` from the attributes.
fn stored(declaration: &mut Declaration, errors: &mut Errors) -> Vec<Stored> {
    let mut stored: Vec<Stored> = Vec::new();
    let network = declaration.name.clone();
    const EXAMPLE: &str = "stored takes names and formats, such as `#[stored(DigitsSmall: i8)]`";
    const INSIDE: &str = "in braces stand networks inside, and what they are stored as, such as `#[stored(BothSmall: i8 { eye: EyeSmall })]`";
    declaration.attributes.retain(|attribute| {
        if !attribute.path().is_ident("stored") {
            return true;
        }
        let pairs = attribute.parse_args_with(|input: syn::parse::ParseStream| {
            Punctuated::<_, syn::Token![,]>::parse_terminated_with(input, |input| {
                let (name, format) = pair::<Ident>(input, EXAMPLE)?;
                let mut networks = Punctuated::<_, syn::Token![,]>::new();
                if input.peek(syn::token::Brace) {
                    let inside;
                    syn::braced!(inside in input);
                    networks = Punctuated::parse_terminated_with(&inside, |input| pair::<Type>(input, INSIDE))?;
                }
                Ok((name, format, networks.into_iter().collect()))
            })
        });
        match pairs {
            Ok(pairs) if pairs.is_empty() => errors.at(attribute.span(), EXAMPLE),
            Ok(pairs) => {
                for (name, format, networks) in pairs {
                    if name == network || stored.iter().any(|other| other.name == name) {
                        errors.at(name.span(), format!("there is a network `{name}` already; choose another name"));
                    } else if let Some(format) = FORMATS.into_iter().find(|known| format == known) {
                        stored.push(Stored { name, format, networks });
                    } else {
                        let hint = match did_you_mean(&format.to_string(), FORMATS) {
                            Some(hint) => format!("did you mean `{hint}`?"),
                            None => "use `bf16`, `f16` or `i8`".to_owned(),
                        };
                        errors.at(format.span(), format!("weights cannot be stored as `{format}`; {hint}"));
                    }
                }
            }
            Err(error) => errors.add(error),
        }
        false
    });
    stored
}

/// `name: what`.
fn pair<T: syn::parse::Parse>(input: syn::parse::ParseStream, example: &str) -> syn::Result<(Ident, T)> {
    let expected = |error: syn::Error| syn::Error::new(error.span(), example);
    let name = input.parse().map_err(expected)?;
    input.parse::<syn::Token![:]>().map_err(expected)?;
    Ok((name, input.parse().map_err(expected)?))
}

/// Whether what stands in the braces of `#[stored(..)]` are networks inside.
fn stored_networks(network: &Ident, stored: &Stored, nodes: &[Node], errors: &mut Errors) {
    let fields = |own: bool| {
        let fields = nodes.iter().filter(move |node| matches!(node.op, Op::Layer(traits) if traits.own) == own);
        fields.filter_map(|node| node.field.as_ref().map(|field| field.0.to_string()))
    };
    let known: Vec<_> = fields(true).collect();
    for (index, (name, _)) in stored.networks.iter().enumerate() {
        let text = name.to_string();
        let message = if stored.networks[..index].iter().any(|(other, _)| other == name) {
            format!("`{name}` stands here already")
        } else if known.contains(&text) {
            continue;
        } else if fields(false).any(|field| field == text) {
            format!(
                "`{name}` is no network inside {network}; leave it out, weights of {network} itself are stored anyway"
            )
        } else {
            match did_you_mean(&text, known.iter().map(String::as_str)) {
                Some(hint) => format!("{network} has no layer `{name}`; did you mean `{hint}`?"),
                None => format!("{network} has no network inside that is called `{name}`"),
            }
        };
        errors.at(name.span(), message);
    }
}

/// `"64 KiB"`, `"1 MiB"`, `"512 B"`, `512`.
fn bytes(value: &Expr) -> Option<usize> {
    let Expr::Lit(literal) = ungroup(value) else { return None };
    match &literal.lit {
        Lit::Int(number) => number.base10_parse().ok(),
        Lit::Str(text) => {
            let text = text.value().replace('_', "");
            let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
            let unit = match unit.trim() {
                "" | "B" => 1,
                "KiB" => 1 << 10,
                "MiB" => 1 << 20,
                "kB" | "KB" => 1000,
                "MB" => 1_000_000,
                _ => return None,
            };
            number.parse::<usize>().ok()?.checked_mul(unit)
        }
        _ => None,
    }
}

/// The number type: `f32`, a fixed one (`Name<f64>`), or the type parameter of the network.
fn scalar(declaration: &mut Declaration, errors: &mut Errors) -> TokenStream {
    let mut scalar = None;
    let mut kept = syn::punctuated::Punctuated::new();
    for parameter in core::mem::take(&mut declaration.generics.params) {
        match &parameter {
            GenericParam::Type(ty) if scalar.is_none() => {
                let name = &ty.ident;
                let integers = ["u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize", "bool"];
                if integers.iter().any(|integer| name == integer) {
                    let message = format!(
                        "a network cannot be made of `{name}` or trained with it; use `f32`, `f64`, or `T` for both"
                    );
                    errors.at(name.span(), message);
                    scalar = Some(quote!(f32));
                    continue;
                }
                scalar = Some(quote!(#name));
                if name != "f32" && name != "f64" {
                    kept.push(parameter);
                }
            }
            GenericParam::Const(_) => kept.push(parameter),
            other => errors.at(other.span(), "a network is generic over its number type and over sizes, nothing else"),
        }
    }
    declaration.generics.params = kept;
    if declaration.generics.params.is_empty() {
        declaration.generics.lt_token = None;
        declaration.generics.gt_token = None;
    }
    scalar.unwrap_or_else(|| quote!(f32))
}

/// `DigitsNet` → `DIGITS_NET`.
fn upper(name: &Ident) -> String {
    let mut text = String::new();
    for (index, letter) in name.to_string().chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            text.push('_');
        }
        text.extend(letter.to_uppercase());
    }
    text
}

/// The names of layers: the user's, and `conv1`, `conv2` … for the others.
#[derive(Default)]
struct Names {
    taken: HashMap<String, Span>,
    counts: HashMap<&'static str, usize>,
}

impl Names {
    /// Takes the user's names first, so that no other layer gets one.
    fn reserve(&mut self, steps: &[Step], errors: &mut Errors) {
        for step in steps {
            let name = match step {
                Step::Layer(call) => call.name.as_ref(),
                Step::Residual(residual) => {
                    self.reserve(residual.shortcut.as_deref().unwrap_or_default(), errors);
                    self.reserve(&residual.body, errors);
                    residual.name.as_ref()
                }
                Step::Combine(combine) => {
                    combine.branches.iter().for_each(|branch| self.reserve(branch, errors));
                    combine.name.as_ref()
                }
                Step::Repeat(_) => None,
            };
            let Some(name) = name else { continue };
            if self.taken.insert(name.to_string(), name.span()).is_some() {
                errors.at(name.span(), format!("`{name}` names two layers; every layer has a name of its own"));
            }
        }
    }

    fn next(&mut self, kind: &'static str, given: Option<&Ident>, span: Span) -> Ident {
        if let Some(given) = given {
            return given.clone();
        }
        loop {
            let count = self.counts.entry(kind).or_insert(0);
            *count += 1;
            let name = format!("{kind}{count}");
            if !self.taken.contains_key(&name) {
                self.taken.insert(name.clone(), span);
                return Ident::new(&name, Span::call_site());
            }
        }
    }
}

/// Puts the model together.
pub(crate) struct Builder<'a> {
    pub errors: &'a mut Errors,
    pub scalar: TokenStream,
    /// The generics of the declaration.
    declared: Generics,
    prefix: String,
    parameters: HashSet<Ident>,
    names: Names,
    pub values: Vec<Value>,
    pub nodes: Vec<Node>,
    constants: Vec<TokenStream>,
    bindings: Vec<Binding>,
}

/// A name for a value.
struct Binding {
    name: String,
    span: Span,
    value: ValueId,
    used: bool,
}

impl Builder<'_> {
    /// What goes in or comes out: a shape, or several in a struct called `<network><suffix>`.
    fn ends(&mut self, declaration: &Declaration, ports: &[Port], suffix: &str) -> (Shape, Vec<(Ident, Shape)>) {
        if let [port] = ports {
            return (self.declared(&port.dims), Vec::new());
        }
        let mut parts: Vec<(Ident, Shape)> = Vec::new();
        for port in ports {
            let Some(name) = &port.name else { continue };
            if parts.iter().any(|(other, _)| other == name) {
                self.errors.at(name.span(), format!("`{name}` is the name of two; every one has a name of its own"));
                continue;
            }
            parts.push((name.clone(), self.declared(&port.dims)));
        }
        let ty = format_ident!("{}{suffix}", declaration.name);
        let (_, generics, _) = declaration.generics.split_for_impl();
        (Shape::Opaque(quote!(#ty #generics)), parts)
    }

    /// The values that the network begins with, and their names.
    fn inputs(&mut self, ports: &[Port], whole: &Shape, parts: &[(Ident, Shape)]) {
        let name = |port: &Port| port.name.as_ref().map_or_else(|| "input".to_owned(), ToString::to_string);
        let span = |port: &Port| port.name.as_ref().map_or(port.dims.span, Ident::span);
        if let [port] = ports {
            let source = port.name.as_ref().map_or_else(|| "the input".to_owned(), ToString::to_string);
            self.values.push(Value { shape: whole.clone(), source });
            self.bindings.push(Binding { name: name(port), span: span(port), value: 0, used: false });
            return;
        }
        self.values.push(Value { shape: whole.clone(), source: "the input".to_owned() });
        for (index, (part, shape)) in parts.iter().enumerate() {
            let before = (1..=index).collect();
            let value = self.plain(Op::Part { before }, part.to_string(), "input", vec![0], shape.clone());
            self.bindings.push(Binding { name: part.to_string(), span: part.span(), value, used: false });
        }
    }

    /// A body that is one chain.
    fn only_chain(&mut self, steps: &[Step], declaration: &Declaration) -> ValueId {
        for (ports, what) in [(&declaration.inputs, "inputs"), (&declaration.outputs, "outputs")] {
            if ports.len() > 1 {
                let message = format!(
                    "a chain has one input and one output; with several {what}, name the values: `let trunk = ..;`"
                );
                self.errors.at(declaration.body_span, message);
                return 0;
            }
        }
        self.chain(steps, 0)
    }

    /// A body of named values.
    fn graph(&mut self, values: &[Let], result: Option<&Flow>, declaration: &Declaration, output: &Shape) -> ValueId {
        for Let { name, flow } in values {
            let value = self.flow(flow);
            if self.bindings.iter().any(|binding| name == &binding.name) {
                let message = format!("`{name}` is already the name of a value; choose another");
                self.errors.at(name.span(), message);
            }
            if !matches!(flow.source, Source::Value(_)) || !flow.steps.is_empty() {
                self.values[value].source = name.to_string();
            }
            self.bindings.push(Binding { name: name.to_string(), span: name.span(), value, used: false });
        }
        let given = match (result, declaration.outputs.as_slice()) {
            (Some(flow), [_]) => self.flow(flow),
            (None, [Port { name: Some(name), .. }]) => self.value(name),
            (None, [_]) => {
                let message = "the network gives nothing: end it with what it gives, such as `trunk |> Dense(10)`";
                self.errors.at(declaration.body_span, message);
                return 0;
            }
            (Some(flow), _) => {
                self.flow(flow);
                let message = "with several outputs, each is a value of that name: `let policy = ..;`";
                self.errors.at(declaration.body_span, message);
                return 0;
            }
            (None, ports) => self.outputs(ports, output),
        };
        for binding in &self.bindings {
            if !binding.used {
                let name = &binding.name;
                self.errors.at(binding.span, format!("`{name}` is never used; use it, or leave it out"));
            }
        }
        given
    }

    /// Joins the values that have the names of the outputs.
    fn outputs(&mut self, ports: &[Port], output: &Shape) -> ValueId {
        let mut parts = Vec::new();
        for port in ports {
            let Some(name) = &port.name else { continue };
            if !self.bindings.iter().any(|binding| name == &binding.name) {
                self.errors.at(name.span(), format!("the output `{name}` is never computed; write `let {name} = ..;`"));
                continue;
            }
            let value = self.value(name);
            let declared = self.declared(&port.dims);
            self.check_output(&port.dims, &declared, value);
            parts.push(value);
        }
        self.plain(Op::Join(Along::Whole), "output".to_owned(), "output", parts, output.clone())
    }

    /// A value by its name.
    fn value(&mut self, name: &Ident) -> ValueId {
        if let Some(binding) = self.bindings.iter_mut().rev().find(|binding| name == &binding.name) {
            binding.used = true;
            return binding.value;
        }
        let close = did_you_mean(&name.to_string(), self.bindings.iter().map(|binding| binding.name.as_str()));
        let hint = match close {
            Some(close) => format!("did you mean `{close}`?"),
            None => {
                let known: Vec<_> = self.bindings.iter().map(|binding| format!("`{}`", binding.name)).collect();
                format!("there is {}", known.join(", "))
            }
        };
        // Whoever is meant is in use.
        if let Some(binding) =
            close.map(str::to_owned).and_then(|close| self.bindings.iter_mut().find(|b| b.name == close))
        {
            binding.used = true;
        }
        self.errors.at(name.span(), format!("there is no value `{name}`; {hint}"));
        self.values.push(Value { shape: Shape::Unknown, source: name.to_string() });
        self.values.len() - 1
    }

    fn flow(&mut self, flow: &Flow) -> ValueId {
        let source = match &flow.source {
            Source::Value(name) => self.value(name),
            Source::Combine(keyword, flows) => {
                let values = flows.iter().map(|flow| self.flow(flow)).collect();
                self.combine(keyword, None, values)
            }
        };
        self.chain(&flow.steps, source)
    }

    /// Adds a node without a field.
    fn plain(&mut self, op: Op, name: String, kind: &str, inputs: Vec<ValueId>, shape: Shape) -> ValueId {
        self.values.push(Value { shape, source: name.clone() });
        let output = self.values.len() - 1;
        let kind = kind.to_owned();
        self.nodes.push(Node { op, field: None, inputs, output, name, kind, uses: 0, parameters: Some(0) });
        output
    }

    /// `concat`, `add` or `multiply` of values.
    fn combine(&mut self, keyword: &Ident, name: Option<&Ident>, values: Vec<ValueId>) -> ValueId {
        let (kind, text) = match keyword.to_string().as_str() {
            "add" => ("add", "Add"),
            "multiply" => ("multiply", "Multiply"),
            _ => ("concat", "Concat"),
        };
        let name = self.names.next(kind, name, keyword.span()).to_string();
        if values.len() < 2 {
            self.errors.at(keyword.span(), format!("{name}: takes at least two values"));
            self.values.push(Value { shape: Shape::Unknown, source: name });
            return self.values.len() - 1;
        }
        if kind == "concat" {
            let shape = self.joined(keyword.span(), &name, &values);
            return self.plain(Op::Join(Along::Channels), name, text, values, shape);
        }
        let op = if kind == "add" { Op::Add } else { Op::Multiply };
        let mut sum = values[0];
        for (index, &value) in values.iter().enumerate().skip(1) {
            let shape = self.equal(keyword.span(), &name, sum, value);
            let name = if index + 1 == values.len() { name.clone() } else { format!("{name}_{index}") };
            sum = self.plain(op.clone(), name, text, vec![sum, value], shape);
        }
        sum
    }

    /// The shape of two values that must have the same; reports others.
    fn equal(&mut self, span: Span, name: &str, a: ValueId, b: ValueId) -> Shape {
        let (a, b) = (&self.values[a], &self.values[b]);
        let (x, y) = (a.source.clone(), b.source.clone());
        let (first, second) = (a.shape.clone(), b.shape.clone());
        match (first.literals(), second.literals()) {
            (Some(p), Some(q)) => {
                if let Err(text) = shapes::alike(name, &x, &p, &y, &q) {
                    self.errors.at(span, text.as_str());
                    return Shape::Unknown;
                }
            }
            _ if first.is_constant() && second.is_constant() => {
                let (p, q) = (first.slice(&self.scalar), second.slice(&self.scalar));
                self.check(span, quote!(::monomorph::shapes::alike(#name, #x, #p, #y, #q)));
            }
            _ if matches!(first, Shape::Unknown) || matches!(second, Shape::Unknown) => return Shape::Unknown,
            _ => self.same_parameters(span, name, (&x, &first), (&y, &second)),
        }
        first
    }

    /// Sizes that are parameters are equal only to themselves.
    fn same_parameters(&mut self, span: Span, name: &str, (x, first): (&str, &Shape), (y, second): (&str, &Shape)) {
        let (p, q) = (first.text(), second.text());
        if p != q {
            self.errors.at(span, format!("{name}: {x} gives {p}, but {y} gives {q}; they must be alike"));
        }
    }

    /// The shape of values side by side; reports those that cannot be.
    fn joined(&mut self, span: Span, name: &str, values: &[ValueId]) -> Shape {
        let mut all = Vec::new();
        for &value in values {
            match &self.values[value].shape {
                Shape::Unknown => return Shape::Unknown,
                shape => all.push((self.values[value].source.clone(), shape.clone())),
            }
        }
        // Of a layer of the user's only the type is known; its rank is taken to be that of the others.
        let ranks = |(_, shape): &(String, Shape)| if let Shape::Known(dims) = shape { Some(dims.len()) } else { None };
        let rank = all.iter().find_map(ranks).unwrap_or(1);
        for (source, shape) in &mut all {
            if let Shape::Opaque(ty) = &*shape {
                let scalar = &self.scalar;
                let sizes = self.concrete(&quote!(<#ty as ::monomorph::Tensor<#scalar>>::SHAPE));
                let takes = format!("values of rank {rank}");
                let dims = (0..rank).map(|axis| Dim::Constant(quote!(#sizes[#axis]))).collect();
                self.check(span, quote!(::monomorph::shapes::rank(#name, #takes, #rank, #source, #sizes)));
                *shape = Shape::Known(dims);
            }
        }
        let first = &all[0];
        let mut width: Option<Dim> = None;
        for (source, shape) in &all {
            if let (Some(p), Some(q)) = (first.1.literals(), shape.literals()) {
                if let Err(text) = shapes::beside(name, &first.0, &p, source, &q) {
                    self.errors.at(span, text.as_str());
                    return Shape::Unknown;
                }
            } else if first.1.is_constant() && shape.is_constant() {
                let (x, p, q) = (&first.0, first.1.slice(&self.scalar), shape.slice(&self.scalar));
                self.check(span, quote!(::monomorph::shapes::beside(#name, #x, #p, #source, #q)));
            } else {
                let message =
                    format!("{name} adds up a parameter of the network, which stable Rust cannot; make it a constant");
                self.errors.at(span, message);
                return Shape::Unknown;
            }
            let Shape::Known(dims) = shape else { continue };
            let own = dims[dims.len() - 1].clone();
            width = Some(match (width, own) {
                (None, own) => own,
                (Some(Dim::Literal(a)), Dim::Literal(b)) => Dim::Literal(a + b),
                (Some(a), b) => {
                    let (a, b) = (a.tokens(), b.tokens());
                    Dim::Constant(quote!((#a) + (#b)))
                }
            });
        }
        let Some(width) = width else { return Shape::Unknown };
        let Shape::Known(mut dims) = first.1.clone() else { return Shape::Unknown };
        dims[rank - 1] = width;
        Shape::Known(dims)
    }

    /// The declared shape of the input or the output.
    fn declared(&mut self, dims: &Dims) -> Shape {
        if dims.sizes.is_empty() || dims.sizes.len() > 4 {
            let message = "a shape has 1 to 4 sizes, such as `[28, 28, 1]` (height, width, channels)";
            self.errors.at(dims.span, message);
            return Shape::Unknown;
        }
        let sizes: Option<Vec<Dim>> = dims.sizes.iter().map(|size| self.dim("the network", "size", size)).collect();
        let Some(sizes) = sizes else { return Shape::Unknown };
        let shape = Shape::Known(sizes);
        if let Some(literals) = shape.literals()
            && let Err(text) = shapes::numbers("the network", &literals)
        {
            self.errors.at(dims.span, text.as_str());
            return Shape::Unknown;
        }
        shape
    }

    /// A size that the user wrote; reports what cannot be one.
    pub(crate) fn dim(&mut self, layer: &str, what: &str, expression: &Expr) -> Option<Dim> {
        let dim = self.number(layer, what, expression)?;
        match &dim {
            Dim::Literal(size) => {
                if let Err(text) = shapes::size(layer, what, *size) {
                    self.errors.at(expression.span(), text.as_str());
                    return None;
                }
            }
            Dim::Constant(size) => {
                self.check(expression.span(), quote!(::monomorph::shapes::size(#layer, #what, #size)));
            }
            Dim::Parameter(_) => {}
        }
        Some(dim)
    }

    /// A number that the user wrote, 0 included.
    pub(crate) fn number(&mut self, layer: &str, what: &str, expression: &Expr) -> Option<Dim> {
        let expression = ungroup(expression);
        match expression {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Int(number) => match number.base10_parse::<usize>() {
                    Ok(number) => return Some(Dim::Literal(number)),
                    Err(_) => {
                        self.errors.at(number.span(), format!("{layer}: {what} {number} is too large"));
                        return None;
                    }
                },
                other => {
                    self.errors.at(other.span(), format!("{layer}: {what} must be a whole number"));
                    return None;
                }
            },
            Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Neg(_)) => {
                self.errors.at(unary.span(), format!("{layer}: {what} cannot be negative"));
                return None;
            }
            Expr::Path(path) => {
                if let Some(name) = path.path.get_ident()
                    && self.parameters.contains(name)
                {
                    return Some(Dim::Parameter(name.clone()));
                }
            }
            Expr::Tuple(_) | Expr::Array(_) => {
                self.errors.at(expression.span(), format!("{layer}: {what} is one number here"));
                return None;
            }
            _ => {
                let used = mentioned(quote!(#expression));
                if let Some(parameter) = self.parameters.iter().find(|parameter| used.contains(&parameter.to_string()))
                {
                    let message = format!(
                        "{layer}: {what} computes with the parameter `{parameter}`, which stable Rust cannot; \
                         make the result a parameter of its own"
                    );
                    self.errors.at(expression.span(), message);
                    return None;
                }
            }
        }
        Some(Dim::Constant(quote!(#expression)))
    }

    /// Tokens outside the network's own items, see [`concrete`].
    pub(crate) fn concrete(&self, tokens: &TokenStream) -> TokenStream {
        concrete(&self.declared, tokens)
    }

    /// Emits a const item that works out `Result<_, Text>` or stops with its text, at `span`.
    /// Returns the item's name.
    pub(crate) fn work_out(&mut self, span: Span, ty: TokenStream, result: TokenStream) -> Ident {
        let name = format_ident!("{}_{}", self.prefix, self.constants.len(), span = Span::call_site());
        // The `panic!` has the user's span, so that the compiler points there.
        let stop = quote_spanned!(span=> ::core::panic!("{}", error.as_str()));
        let result = self.concrete(&result);
        self.constants.push(quote! {
            #[doc(hidden)]
            const #name: #ty = match #result {
                ::core::result::Result::Ok(worked_out) => worked_out,
                ::core::result::Result::Err(error) => #stop,
            };
        });
        name
    }

    /// Emits a const item that stops with the text of a `Result<_, Text>`, at `span`.
    pub(crate) fn check(&mut self, span: Span, result: TokenStream) {
        let stop = quote_spanned!(span=> ::core::panic!("{}", error.as_str()));
        let result = self.concrete(&result);
        self.constants.push(quote! {
            const _: () = if let ::core::result::Result::Err(error) = #result {
                #stop
            };
        });
    }

    /// The sizes of a value for a layer that takes `rank` of them; reports another rank.
    pub(crate) fn sizes(
        &mut self,
        name: &Ident,
        span: Span,
        takes: &str,
        rank: usize,
        value: ValueId,
    ) -> Option<Vec<Dim>> {
        let Value { shape, source } = &self.values[value];
        match shape {
            Shape::Unknown => None,
            Shape::Known(dims) if dims.len() == rank => Some(dims.clone()),
            Shape::Known(dims) => {
                let mut message = format!("{name} takes {takes}, but {source} gives {}", shape.text());
                if rank == 1 {
                    let all = shape.literals().and_then(|sizes| shapes::product(&sizes).ok());
                    message += &all.map_or("; insert Flatten".to_owned(), |all| format!("; insert Flatten ({all})"));
                } else if dims.len() == 1 && rank > 1 {
                    message += "; declare the input with its sizes, or move this layer before Flatten";
                }
                self.errors.at(span, message);
                None
            }
            Shape::Opaque(ty) => {
                let (scalar, name, source) = (&self.scalar, name.to_string(), source.clone());
                let shape = self.concrete(&quote!(<#ty as ::monomorph::Tensor<#scalar>>::SHAPE));
                let dims = (0..rank).map(|axis| Dim::Constant(quote!(#shape[#axis]))).collect();
                self.check(span, quote!(::monomorph::shapes::rank(#name, #takes, #rank, #source, #shape)));
                Some(dims)
            }
        }
    }

    /// The name of a layer's field: the user's, or `kind` and a number.
    pub(crate) fn name(&mut self, kind: &'static str, call: &Call) -> Ident {
        self.names.next(kind, call.name.as_ref(), call.span())
    }

    /// Adds a node with one input; returns its output.
    pub(crate) fn node(
        &mut self,
        op: Op,
        field: Option<(Ident, TokenStream)>,
        (name, kind): (String, &str),
        input: ValueId,
        shape: Shape,
    ) -> ValueId {
        // A view is given by whom it views.
        let source = if matches!(op, Op::View) { self.values[input].source.clone() } else { name.clone() };
        self.values.push(Value { shape, source });
        let output = self.values.len() - 1;
        let kind = kind.to_owned();
        // A layer of the user's counts its own.
        let parameters = if matches!(op, Op::Layer(Traits { own: true, .. })) { None } else { Some(0) };
        self.nodes.push(Node { op, field, inputs: vec![input], output, name, kind, uses: 0, parameters });
        output
    }

    /// Counts the parameters of the last node: the sum of these products.
    pub(crate) fn count(&mut self, tensors: &[&[&Dim]]) {
        let product = |sizes: &&[&Dim]| {
            let literals: Option<Vec<usize>> =
                sizes.iter().map(|dim| if let Dim::Literal(size) = dim { Some(*size) } else { None }).collect();
            shapes::product(&literals?).ok()
        };
        let count = tensors.iter().map(product).sum();
        if let Some(node) = self.nodes.last_mut() {
            node.parameters = count;
        }
    }

    /// Uses a layer again that was named before, with the same parameters.
    pub(crate) fn again(&mut self, word: &str, span: Span, input: ValueId) -> Option<ValueId> {
        let named = |node: &&Node| node.field.as_ref().is_some_and(|(name, _)| name == word);
        let uses = self.nodes.iter().filter(named).count();
        let first = self.nodes.iter().find(named)?;
        let (op, field, kind) = (first.op.clone(), first.field.clone(), first.kind.clone());
        let (takes, gives) = (self.values[first.inputs[0]].shape.clone(), self.values[first.output].shape.clone());
        let (source, given) = (self.values[input].source.clone(), self.values[input].shape.clone());
        match (takes.literals(), given.literals()) {
            (Some(p), Some(q)) => {
                if let Err(text) = shapes::taken_input(word, &p, &source, &q) {
                    self.errors.at(span, text.as_str());
                }
            }
            _ if takes.is_constant() && given.is_constant() => {
                let (p, q) = (takes.slice(&self.scalar), given.slice(&self.scalar));
                self.check(span, quote!(::monomorph::shapes::taken_input(#word, #p, #source, #q)));
            }
            _ => {}
        }
        let name = format!("{word}_{}", uses + 1);
        self.values.push(Value { shape: gives, source: name.clone() });
        let output = self.values.len() - 1;
        self.nodes.push(Node { op, field, inputs: vec![input], output, name, kind, uses, parameters: Some(0) });
        Some(output)
    }

    fn chain(&mut self, steps: &[Step], input: ValueId) -> ValueId {
        steps.iter().fold(input, |value, step| match step {
            Step::Layer(call) => layers::add(self, call, value),
            Step::Residual(residual) => self.residual(residual, value),
            Step::Combine(Combine { name, keyword, branches }) => {
                let values = branches.iter().map(|branch| self.chain(branch, value)).collect();
                self.combine(keyword, name.as_ref(), values)
            }
            // Written out before.
            Step::Repeat(repeat) => self.chain(&repeat.body, value),
        })
    }

    fn residual(&mut self, residual: &Residual, input: ValueId) -> ValueId {
        let span = residual.keyword.span();
        let name = self.names.next("residual", residual.name.as_ref(), span);
        let body = self.chain(&residual.body, input);
        let shortcut = self.chain(residual.shortcut.as_deref().unwrap_or_default(), input);
        if body == input {
            self.errors.at(span, format!("{name}: its body has no layer"));
        }
        let with = if shortcut == input { "its input is" } else { "its shortcut gives" };
        let (body_shape, other) = (self.values[body].shape.clone(), self.values[shortcut].shape.clone());
        // Where only the compiler can compare, what follows relies on what came before.
        let mut shape = if shortcut == input { other.clone() } else { body_shape.clone() };
        match (body_shape.literals(), other.literals()) {
            (Some(a), Some(b)) => {
                if let Err(text) = shapes::residual(&name.to_string(), &a, with, &b) {
                    self.errors.at(span, text.as_str());
                    shape = Shape::Unknown;
                }
            }
            _ if body_shape.is_constant() && other.is_constant() => {
                let (name, a, b) = (name.to_string(), body_shape.slice(&self.scalar), other.slice(&self.scalar));
                self.check(span, quote!(::monomorph::shapes::residual(#name, #a, #with, #b)));
            }
            _ => {}
        }
        self.plain(Op::Add, name.to_string(), "Add", vec![body, shortcut], shape)
    }

    /// Compares the declared output with the computed one.
    fn check_output(&mut self, written: &Dims, declared: &Shape, last: ValueId) {
        let Value { shape: computed, source } = &self.values[last];
        let source = source.clone();
        match (declared.literals(), computed.literals()) {
            (Some(declared), Some(computed)) => {
                if let Err(text) = shapes::declared_output(&declared, &source, &computed) {
                    self.errors.at(written.span, text.as_str());
                }
            }
            _ if declared.is_constant() && computed.is_constant() => {
                let (a, b) = (declared.slice(&self.scalar), computed.slice(&self.scalar));
                self.check(written.span, quote!(::monomorph::shapes::declared_output(#a, #source, #b)));
            }
            // Sizes that are parameters are equal only to themselves.
            _ if !matches!((declared, computed), (Shape::Unknown, _) | (_, Shape::Unknown)) => {
                let (a, b) = (declared.text(), computed.text());
                if a != b {
                    let message = format!("the network is declared to give {a}, but {source} gives {b}");
                    self.errors.at(written.span, message);
                }
            }
            _ => {}
        }
    }
}

/// Looks through invisible groups, which come from `macro_rules!`.
pub(crate) fn ungroup(expression: &Expr) -> &Expr {
    match expression {
        Expr::Group(group) => ungroup(&group.expr),
        Expr::Paren(paren) => ungroup(&paren.expr),
        other => other,
    }
}

/// All words in a piece of code.
fn mentioned(tokens: TokenStream) -> HashSet<String> {
    let mut words = HashSet::new();
    for token in tokens {
        match token {
            proc_macro2::TokenTree::Ident(word) => {
                words.insert(word.to_string());
            }
            proc_macro2::TokenTree::Group(group) => words.extend(mentioned(group.stream())),
            _ => {}
        }
    }
    words
}
