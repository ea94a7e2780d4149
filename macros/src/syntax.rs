//! What a declaration of a network consists of.

use proc_macro2::{Span, TokenStream};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Generics, Ident, Path, Result, Visibility};

use crate::files::File;

/// `/// docs  pub Name<const N: usize>: [in] -> [out] { .. }`, or with named inputs and outputs
/// `pub Name(a: [3], b: [4]) -> (c: [2], d: [1]) { .. }`. The body is parsed later, so that the type
/// is still declared when there is a syntax error in the body.
pub(crate) struct Declaration {
    pub attributes: Vec<Attribute>,
    pub visibility: Visibility,
    pub name: Ident,
    pub generics: Generics,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    pub body: TokenStream,
    pub body_span: Span,
    /// The file that describes it, or why it is not read.
    pub file: Option<Result<File>>,
}

/// An input or an output, named if there are several.
pub(crate) struct Port {
    pub docs: Vec<Attribute>,
    pub name: Option<Ident>,
    pub dims: Dims,
}

/// `[28, 28, 1]`.
pub(crate) struct Dims {
    pub sizes: Vec<Expr>,
    /// The type of its numbers, if they are integers: `[u8; 128]`.
    pub element: Option<Ident>,
    pub span: Span,
}

/// What a network computes.
pub(crate) enum Body {
    /// `Dense(4), Tanh, Dense(2)`.
    Chain(Vec<Step>),
    /// `let a = input |> Dense(4); add(a, input) |> Dense(2)`.
    Graph { values: Vec<Let>, result: Option<Flow> },
}

impl Body {
    /// Calls `f` with every chain of steps.
    pub(crate) fn for_each_chain(&self, f: &mut dyn FnMut(&[Step])) {
        match self {
            Body::Chain(steps) => f(steps),
            Body::Graph { values, result } => {
                values.iter().map(|value| &value.flow).chain(result).for_each(|flow| flow.for_each_chain(f));
            }
        }
    }
}

impl Flow {
    fn for_each_chain(&self, f: &mut dyn FnMut(&[Step])) {
        f(&self.steps);
        if let Source::Combine(_, flows, _) | Source::Several(flows, _) = &self.source {
            flows.iter().for_each(|flow| flow.for_each_chain(f));
        }
    }
}

/// `let name = flow;`.
pub(crate) struct Let {
    pub name: Ident,
    pub flow: Flow,
}

/// `source |> step |> step`.
pub(crate) struct Flow {
    pub source: Source,
    pub steps: Vec<Step>,
}

/// Where a flow starts.
pub(crate) enum Source {
    /// A value, by its name.
    Value(Ident),
    /// `concat(a, b |> Relu)`, with the axis if it is given: `concat(a, b, axis = 0)`.
    Combine(Ident, Vec<Flow>, Option<Box<Expr>>),
    /// `head.policy`: one of the outputs of a nested network.
    Part(Ident, Ident),
    /// `(query, memory)`: several values, which go into one layer.
    Several(Vec<Flow>, Span),
}

/// A step of a chain.
#[derive(Clone)]
pub(crate) enum Step {
    Layer(Call),
    Residual(Residual),
    Combine(Combine),
    Repeat(Repeat),
}

/// `name: Conv2d(6, kernel = 5)`.
#[derive(Clone)]
pub(crate) struct Call {
    pub docs: Vec<Attribute>,
    pub name: Option<Ident>,
    pub path: Path,
    pub arguments: Option<Vec<Argument>>,
    /// The network inside it, and where that is: `{ Dense(32), Tanh, Dense(2) }` behind `ode(..)`.
    pub body: Option<(TokenStream, Span)>,
}

impl Call {
    /// Where the layer's kind is written.
    pub(crate) fn span(&self) -> Span {
        self.path.segments.last().map_or_else(|| self.path.span(), |last| last.ident.span())
    }
}

/// `kernel = 5` or `6`.
#[derive(Clone)]
pub(crate) struct Argument {
    pub name: Option<Ident>,
    pub value: Expr,
}

/// `residual(shortcut = ..) { .. }`.
#[derive(Clone)]
pub(crate) struct Residual {
    pub name: Option<Ident>,
    pub keyword: Ident,
    pub shortcut: Option<Vec<Step>>,
    pub body: Vec<Step>,
}

/// `concat { { .. } { .. } }`, or `concat(axis = 0) { .. }`: branches that read the same input.
#[derive(Clone)]
pub(crate) struct Combine {
    pub name: Option<Ident>,
    pub keyword: Ident,
    pub axis: Option<Expr>,
    pub branches: Vec<Vec<Step>>,
}

/// `repeat 3 { .. }`, or `for c in [16, 32] { .. }`.
#[derive(Clone)]
pub(crate) struct Repeat {
    /// For each copy of the body, the values of its names; empty for `repeat`.
    pub copies: Vec<Vec<(Ident, Expr)>>,
    pub body: Vec<Step>,
}
