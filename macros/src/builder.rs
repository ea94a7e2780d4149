//! Collects the parts of a model: values, nodes, const items, names and mistakes.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Generics, Ident, Lit};

use crate::errors::{Errors, stop};
use crate::graph::{Capabilities, Dim, Node, Op, Shape, Value, ValueId, concrete};
use crate::names::Names;
use crate::parse::{Call, Declaration, ungroup};
use crate::shapes::{self, Text};
use crate::sizes::{self, Computed, mentioned};
use crate::words::text;

/// A model under construction.
pub(crate) struct Builder<'a> {
    pub errors: &'a mut Errors,
    pub scalar: TokenStream,
    /// The generics of the declaration.
    declared: Generics,
    prefix: String,
    parameters: HashSet<Ident>,
    /// The parameters that are sizes and types.
    sizes: Vec<Ident>,
    pub names: Names,
    pub values: Vec<Value>,
    pub nodes: Vec<Node>,
    pub constants: Vec<TokenStream>,
    /// The bounds required by sizes that are types.
    pub bounds: Vec<TokenStream>,
    /// What const items are, and their names.
    items: Vec<(String, Ident)>,
    /// The doc comments of layers.
    pub docs: Vec<(Ident, Vec<Attribute>)>,
    /// How many tokens the embeddings know that give these values.
    pub vocabularies: Vec<(ValueId, Dim)>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(declaration: &Declaration, scalar: TokenStream, errors: &'a mut Errors) -> Self {
        Self {
            errors,
            prefix: format!("__{}", declaration.name.unraw()),
            scalar,
            declared: declaration.generics.clone(),
            parameters: declaration.generics.const_params().map(|parameter| parameter.ident.clone()).collect(),
            sizes: sizes::of(&declaration.generics),
            names: Names::default(),
            values: Vec::new(),
            nodes: Vec::new(),
            constants: Vec::new(),
            bounds: Vec::new(),
            items: Vec::new(),
            docs: Vec::new(),
            vocabularies: Vec::new(),
        }
    }

    /// Adds a value; returns its index.
    pub(crate) fn value(&mut self, shape: Shape, source: impl Into<String>) -> ValueId {
        self.values.push(Value { shape, element: None, source: source.into() });
        self.values.len() - 1
    }

    /// The array type of a value.
    pub(crate) fn ty(&self, value: ValueId) -> TokenStream {
        self.values[value].ty(&self.scalar)
    }

    /// The value that a view shows; the value itself if it is not a view.
    pub(crate) fn viewed(&self, value: ValueId) -> ValueId {
        let view = self.nodes.iter().find(|node| node.output == value && matches!(node.op, Op::View));
        view.map_or(value, |view| self.viewed(view.inputs[0]))
    }

    /// A size that the user wrote; reports an expression that cannot be one.
    pub(crate) fn dim(&mut self, layer: &str, what: &str, expression: &Expr) -> Option<Dim> {
        let dim = self.expression(layer, what, expression)?;
        Some(match dim {
            Dim::Literal(size) => {
                if let Err(text) = shapes::size(layer, what, size) {
                    self.errors.at(expression.span(), text.as_str());
                    return None;
                }
                dim
            }
            Dim::Constant(size) => {
                let result = quote!(::monomorph::shapes::size(#layer, #what, #size));
                let name = self.work_out(expression.span(), quote!(usize), result);
                Dim::Item { name, text: size.to_string() }
            }
            Dim::Type { ref ty, .. } => {
                let bound = quote!(#ty: ::monomorph::__private::ArrayLength);
                self.require(bound);
                dim
            }
            Dim::Parameter(_) | Dim::Item { .. } => dim,
        })
    }

    /// A number that the user wrote, which may be 0; reports an expression that cannot be one.
    pub(crate) fn number(&mut self, layer: &str, what: &str, expression: &Expr) -> Option<Dim> {
        Some(match self.expression(layer, what, expression)? {
            Dim::Constant(number) => {
                let name = self.constant(quote!(usize), &number);
                Dim::Item { name, text: number.to_string() }
            }
            dim => dim,
        })
    }

    /// Notes what has to hold for a size, once.
    fn require(&mut self, bound: TokenStream) {
        let text = bound.to_string();
        if self.bounds.iter().all(|other| other.to_string() != text) {
            self.bounds.push(bound);
        }
    }

    /// A number as the user wrote it; reports an expression that cannot be one.
    pub(crate) fn expression(&mut self, layer: &str, what: &str, expression: &Expr) -> Option<Dim> {
        let expression = ungroup(expression);
        match sizes::compute(expression, &self.sizes) {
            Some(Ok(Computed { ty, text, bounds })) => {
                bounds.into_iter().for_each(|bound| self.require(bound));
                return Some(Dim::Type { ty, text });
            }
            Some(Err(error)) => {
                self.errors.at(error.span(), format!("{layer}: {error}"));
                return None;
            }
            None => {}
        }
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
            Expr::Path(path) if path.path.get_ident().is_some_and(|name| self.parameters.contains(name)) => {
                return path.path.get_ident().cloned().map(Dim::Parameter);
            }
            Expr::Tuple(_) | Expr::Array(_) => {
                self.errors.at(expression.span(), format!("{layer}: {what} is one number here"));
                return None;
            }
            _ => {
                let used = mentioned(quote!(#expression));
                let number = sizes::number_type(&self.declared).map(|parameter| &parameter.ident);
                let mut parameters = self.parameters.iter().chain(number);
                if let Some(parameter) = parameters.find(|parameter| used.contains(&parameter.to_string())) {
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

    /// The tokens with a concrete number type, see [`concrete`].
    pub(crate) fn concrete(&self, tokens: &TokenStream) -> TokenStream {
        concrete(&self.declared, tokens)
    }

    /// Emits a const item with a value that the user wrote, so that a mistake in it is one mistake. Returns its name.
    pub(crate) fn constant(&mut self, ty: TokenStream, value: &TokenStream) -> Ident {
        self.item(quote!(#ty = #value))
    }

    /// Emits a const item of this type and value, if there is none yet. Returns its name.
    fn item(&mut self, value: TokenStream) -> Ident {
        let text = value.to_string();
        if let Some((_, name)) = self.items.iter().find(|(other, _)| *other == text) {
            return name.clone();
        }
        let name = format_ident!("{}_{}", self.prefix, self.constants.len(), span = Span::call_site());
        self.constants.push(quote!(#[doc(hidden)] const #name: #value;));
        self.items.push((text, name.clone()));
        name
    }

    /// Emits a const item with the value of a `Result<_, Text>`; an error becomes a compile error at `span`.
    /// Returns the name of the item.
    pub(crate) fn work_out(&mut self, span: Span, ty: TokenStream, result: TokenStream) -> Ident {
        let (stop, result) = (stop(span), self.concrete(&result));
        self.item(quote! {
            #ty = match #result {
                ::core::result::Result::Ok(__value) => __value,
                ::core::result::Result::Err(__error) => #stop,
            }
        })
    }

    /// Emits a const item that turns the error of a `Result<_, Text>` into a compile error at `span`.
    pub(crate) fn check(&mut self, span: Span, result: TokenStream) {
        let stop = stop(span);
        let result = self.concrete(&result);
        self.constants.push(quote! {
            const _: () = if let ::core::result::Result::Err(__error) = #result {
                #stop
            };
        });
    }

    /// Compares two shapes: if both are literals, `now`, which returns the mistake; if const items can name both, in the
    /// emitted code by `later`. Returns whether they fit as far as is known here; `None` if neither can be asked.
    pub(crate) fn compare(
        &mut self,
        span: Span,
        [a, b]: [&Shape; 2],
        now: impl FnOnce(&[usize], &[usize]) -> Option<Text>,
        later: impl FnOnce(TokenStream, TokenStream) -> TokenStream,
    ) -> Option<bool> {
        match (a.literals(), b.literals()) {
            (Some(a), Some(b)) => {
                let mistake = now(&a, &b);
                if let Some(text) = &mistake {
                    self.errors.at(span, text.as_str());
                }
                Some(mistake.is_none())
            }
            _ if self.is_constant(a) && self.is_constant(b) => {
                let result = later(a.slice(&self.scalar), b.slice(&self.scalar));
                self.check(span, result);
                Some(true)
            }
            _ => None,
        }
    }

    /// The size among the network's generics that the tokens mention: const items cannot name it.
    pub(crate) fn generic_size(&self, tokens: &TokenStream) -> Option<&Ident> {
        let mentioned = mentioned(tokens.clone());
        self.parameters.iter().chain(&self.sizes).find(|size| mentioned.contains(&size.to_string()))
    }

    /// Whether a const item can name the shape.
    pub(crate) fn is_constant(&self, shape: &Shape) -> bool {
        match shape {
            Shape::Known(dims) => !dims.iter().any(|dim| dim.parameter().is_some()),
            Shape::Opaque(ty) => self.generic_size(ty).is_none(),
            Shape::Unknown => false,
        }
    }

    /// The sizes of a value, for a layer that takes `rank` of them; reports a value of another rank.
    pub(crate) fn sizes(
        &mut self,
        name: &Ident,
        span: Span,
        takes: &str,
        rank: usize,
        value: ValueId,
    ) -> Option<Vec<Dim>> {
        let Value { shape, source, .. } = &self.values[value];
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
                let (ty, source) = (ty.clone(), source.clone());
                self.opaque_sizes(span, &text(name), takes, rank, &source, &ty)
            }
        }
    }

    /// The sizes of a value of which only the type is known; reports a type with a size that only generic code knows.
    pub(crate) fn opaque_sizes(
        &mut self,
        span: Span,
        name: &str,
        takes: &str,
        rank: usize,
        source: &str,
        ty: &TokenStream,
    ) -> Option<Vec<Dim>> {
        if let Some(size) = self.generic_size(ty) {
            let message = format!(
                "{name} needs the sizes of its input, but what {source} gives depends on `{size}`, and stable Rust cannot \
                 compute sizes from that; move {name} into the type of {source}"
            );
            self.errors.at(span, message);
            return None;
        }
        let shape = self.concrete(&quote!(<#ty as ::monomorph::Tensor>::SHAPE));
        let dims = (0..rank).map(|axis| Dim::Constant(quote!(#shape[#axis]))).collect();
        self.check(span, quote!(::monomorph::shapes::rank(#name, #takes, #rank, #source, #shape)));
        Some(dims)
    }

    /// Reports integers where numbers of the network's type are needed.
    pub(crate) fn numbers(&mut self, span: Span, name: &str, value: ValueId) -> Option<()> {
        let Value { element: Some(element), source, .. } = &self.values[value] else { return Some(()) };
        let message = format!(
            "{name} takes numbers of the network, but {source} gives whole numbers (`{element}`); insert an Embedding"
        );
        self.errors.at(span, message);
        None
    }

    /// Reports numbers of the network's type where integers are needed.
    pub(crate) fn whole_numbers(&mut self, span: Span, name: &str, value: ValueId) -> Option<()> {
        let Value { element, shape, source } = &self.values[value];
        if element.is_none() && !matches!(shape, Shape::Unknown) {
            let message = format!(
                "{name} takes whole numbers, such as an input `[u8; 128]` of tokens, but {source} gives numbers of the network"
            );
            self.errors.at(span, message);
        }
        element.is_some().then_some(())
    }

    /// Reports numbers of another kind than a layer took at its first use.
    fn same_numbers(&mut self, span: Span, word: &str, first: ValueId, value: ValueId) -> Option<()> {
        let Value { element, source, .. } = &self.values[value];
        match (self.values[first].element.clone(), element) {
            (None, _) => self.numbers(span, word, value),
            (Some(_), None) => self.whole_numbers(span, word, value),
            (Some(takes), Some(given)) if takes != *given => {
                let message = format!("{word} takes whole numbers of the type `{takes}`, but {source} gives `{given}`");
                self.errors.at(span, message);
                None
            }
            _ => Some(()),
        }
    }

    /// The name of a layer's field: the user's, or `kind` and a number.
    pub(crate) fn name(&mut self, kind: &'static str, call: &Call) -> Ident {
        let name = self.names.next(kind, call.name.as_ref(), call.span());
        if !call.docs.is_empty() {
            self.docs.push((name.clone(), call.docs.clone()));
        }
        name
    }

    /// Adds a node with one input; returns its output.
    pub(crate) fn node(
        &mut self,
        op: Op,
        field: Option<(Ident, TokenStream)>,
        title: (String, &str),
        input: ValueId,
        shape: Shape,
    ) -> ValueId {
        self.layer(op, field, title, vec![input], shape)
    }

    /// Adds a node; returns its output.
    pub(crate) fn layer(
        &mut self,
        op: Op,
        field: Option<(Ident, TokenStream)>,
        (name, kind): (String, &str),
        inputs: Vec<ValueId>,
        shape: Shape,
    ) -> ValueId {
        // Messages name the layer that computed the numbers, not the view of them.
        let source = if matches!(op, Op::View) { self.values[inputs[0]].source.clone() } else { name.clone() };
        let output = self.value(shape, source);
        let kind = kind.to_owned();
        // Only the compiler can count the parameters of a user-defined layer.
        let parameters = if matches!(op, Op::Layer(Capabilities { user_defined: true, .. })) { None } else { Some(0) };
        self.nodes.push(Node { op, field, inputs, output, name, kind, uses: 0, parameters, span: None });
        output
    }

    /// Records where the user wrote the layer that computes a value.
    pub(crate) fn locate(&mut self, output: ValueId, span: Span) {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.output == output) {
            node.span = Some(span);
        }
    }

    /// Sets the parameter count of the last node, given the sizes of each of its tensors; reports tensors that are too
    /// large.
    pub(crate) fn count(&mut self, span: Span, tensors: &[&[&Dim]]) {
        let Some(node) = self.nodes.last_mut() else { return };
        node.parameters = Some(0);
        for tensor in tensors {
            let literals: Option<Vec<usize>> =
                tensor.iter().map(|dim| if let Dim::Literal(size) = dim { Some(*size) } else { None }).collect();
            let Some(sizes) = literals else {
                node.parameters = None;
                continue;
            };
            match shapes::numbers(&node.name, &sizes) {
                Ok(count) => node.parameters = node.parameters.map(|sum| sum + count),
                Err(text) => self.errors.at(span, text.as_str()),
            }
        }
    }

    /// Uses an earlier layer, found by its name, again with the same parameters; `None` if there is no such layer.
    pub(crate) fn again(&mut self, word: &str, span: Span, input: ValueId) -> Option<ValueId> {
        let named = |node: &&Node| node.field.as_ref().is_some_and(|(name, _)| text(name) == word);
        let uses = self.nodes.iter().filter(named).count();
        let first = self.nodes.iter().find(named)?;
        let (op, field, kind) = (first.op.clone(), first.field.clone(), first.kind.clone());
        let (taken, gives) = (first.inputs[0], self.values[first.output].shape.clone());
        if self.same_numbers(span, word, taken, input).is_none() {
            return Some(self.value(gives, word));
        }
        let takes = self.values[taken].shape.clone();
        let (source, given) = (self.values[input].source.clone(), self.values[input].shape.clone());
        match (takes.literals(), given.literals()) {
            (Some(p), Some(q)) => {
                if let Err(text) = shapes::taken_input(word, &p, &source, &q) {
                    self.errors.at(span, text.as_str());
                }
            }
            _ if self.is_constant(&takes) && self.is_constant(&given) => {
                let (p, q) = (takes.slice(&self.scalar), given.slice(&self.scalar));
                self.check(span, quote!(::monomorph::shapes::taken_input(#word, #p, #source, #q)));
            }
            _ => {}
        }
        let name = self.names.again(word, uses + 1);
        let output = self.value(gives, name.clone());
        self.nodes.push(Node {
            op,
            field,
            inputs: vec![input],
            output,
            name,
            kind,
            uses,
            parameters: Some(0),
            span: Some(span),
        });
        Some(output)
    }

    /// Adds a node without parameters, and so without a field in the network.
    pub(crate) fn fieldless_node(
        &mut self,
        op: Op,
        name: String,
        kind: &str,
        inputs: Vec<ValueId>,
        shape: Shape,
    ) -> ValueId {
        let output = self.value(shape, name.clone());
        let kind = kind.to_owned();
        self.nodes.push(Node { op, field: None, inputs, output, name, kind, uses: 0, parameters: Some(0), span: None });
        output
    }
}
