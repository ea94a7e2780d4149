//! What the declaration means: values with shapes, and the nodes that compute them.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, GenericParam, Ident, Lit};

use crate::errors::Errors;
use crate::parse::{Call, Chain, Declaration, Dims, Residual, Step};
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
    fn is_constant(&self) -> bool {
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
}

/// What is known of a layer beforehand.
#[derive(Clone, Copy)]
pub(crate) struct Traits {
    /// It can apply the activation that follows it, and its `backward` does not read its output.
    pub fuses: bool,
    /// Its `Saved` is not `()`.
    pub saves: bool,
    /// Its `Workspace` is not `()`.
    pub works: bool,
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
}

/// A network, understood.
pub(crate) struct Model {
    pub declaration: Declaration,
    pub scalar: TokenStream,
    /// The shapes that are declared.
    pub input: Shape,
    pub output: Shape,
    /// Value 0 is the input.
    pub values: Vec<Value>,
    pub nodes: Vec<Node>,
    /// Const items: sizes worked out by the compiler, and checks of them.
    pub constants: Vec<TokenStream>,
    /// Whether sizes depend on const generic parameters.
    pub parametric: bool,
}

/// Understands a declaration; mistakes go to `errors`.
pub(crate) fn build(mut declaration: Declaration, errors: &mut Errors) -> Model {
    let scalar = scalar(&mut declaration, errors);
    let parameters: HashSet<Ident> = declaration.generics.const_params().map(|param| param.ident.clone()).collect();
    let parametric = !parameters.is_empty();
    let mut builder = Builder {
        errors,
        prefix: format!("__{}", upper(&declaration.name)),
        scalar,
        parameters,
        names: Names::default(),
        values: Vec::new(),
        nodes: Vec::new(),
        constants: Vec::new(),
    };
    let input = builder.declared(&declaration.input);
    let output = builder.declared(&declaration.output);
    builder.values.push(Value { shape: input.clone(), source: "the input".to_owned() });

    match syn::parse2::<Chain>(declaration.body.clone()) {
        Ok(Chain(steps)) => {
            builder.names.reserve(&steps, builder.errors);
            let last = builder.chain(&steps, 0);
            if builder.errors.is_empty() && builder.nodes.iter().all(|node| matches!(node.op, Op::View)) {
                builder
                    .errors
                    .at(declaration.body_span, "the network has no layer; write at least one, such as `Dense(10)`");
            }
            builder.check_output(&declaration.output, &output, last);
        }
        Err(error) => builder.errors.add(error),
    }

    let Builder { scalar, values, nodes, constants, .. } = builder;
    Model { declaration, scalar, input, output, values, nodes, constants, parametric }
}

/// The number type: `f32`, a fixed one (`Name<f64>`), or the type parameter of the network.
fn scalar(declaration: &mut Declaration, errors: &mut Errors) -> TokenStream {
    let mut scalar = None;
    let mut kept = syn::punctuated::Punctuated::new();
    for parameter in core::mem::take(&mut declaration.generics.params) {
        match &parameter {
            GenericParam::Type(ty) if scalar.is_none() => {
                let name = &ty.ident;
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
    prefix: String,
    parameters: HashSet<Ident>,
    names: Names,
    pub values: Vec<Value>,
    pub nodes: Vec<Node>,
    constants: Vec<TokenStream>,
}

impl Builder<'_> {
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

    /// Emits a const item that works out `Result<_, Text>` or stops with its text, at `span`.
    /// Returns the item's name.
    pub(crate) fn work_out(&mut self, span: Span, ty: TokenStream, result: TokenStream) -> Ident {
        let name = format_ident!("{}_{}", self.prefix, self.constants.len(), span = Span::call_site());
        // The `panic!` has the user's span, so that the compiler points there.
        let stop = quote_spanned!(span=> ::core::panic!("{}", error.as_str()));
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
                let shape = quote!(<#ty as ::monomorph::Tensor<#scalar>>::SHAPE);
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
        source: String,
        input: ValueId,
        shape: Shape,
    ) -> ValueId {
        self.values.push(Value { shape, source });
        let output = self.values.len() - 1;
        self.nodes.push(Node { op, field, inputs: vec![input], output });
        output
    }

    fn chain(&mut self, steps: &[Step], input: ValueId) -> ValueId {
        steps.iter().fold(input, |value, step| match step {
            Step::Layer(call) => layers::add(self, call, value),
            Step::Residual(residual) => self.residual(residual, value),
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
        self.values.push(Value { shape, source: name.to_string() });
        let output = self.values.len() - 1;
        self.nodes.push(Node { op: Op::Add, field: None, inputs: vec![body, shortcut], output });
        output
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
