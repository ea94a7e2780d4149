//! A network as values with shapes and the nodes that compute them: plain data, whatever the notation it came from.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{format_ident, quote};
use syn::{Generics, Ident, Type};

use crate::parse::Declaration;

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
    Layer(Capabilities),
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

/// What the macro has to know of a layer to plan and to call it.
#[derive(Clone, Copy)]
pub(crate) struct Capabilities {
    /// It can apply the activation that follows it, and its `backward` does not read its output.
    pub fuses_activation: bool,
    /// It can keep the maximum of every 2 × 2 pixels instead of the pixels.
    pub fuses_max_pool: bool,
    /// It is the maximum of every 2 × 2 pixels, without overlap or padding.
    pub is_max_pool_2x2: bool,
    /// Its `Saved` is not `()`.
    pub saves: bool,
    /// Its `Workspace` is not `()`.
    pub needs_workspace: bool,
    /// Its weights can be stored in fewer bits.
    pub packs_weights: bool,
    /// It is defined by the user: only its type says what it takes and gives.
    pub user_defined: bool,
}

impl Capabilities {
    pub(crate) const NONE: Self = Self {
        fuses_activation: false,
        fuses_max_pool: false,
        is_max_pool_2x2: false,
        saves: false,
        needs_workspace: false,
        packs_weights: false,
        user_defined: false,
    };
    pub(crate) const DENSE_OR_CONV: Self = Self { fuses_activation: true, packs_weights: true, ..Self::NONE };
    pub(crate) const SAVES: Self = Self { saves: true, ..Self::NONE };
    pub(crate) const SAVES_AND_NEEDS_WORKSPACE: Self = Self { needs_workspace: true, ..Self::SAVES };
    /// Whether it saves or needs a workspace is not known, so it is given both, which may be `()`.
    pub(crate) const USER_DEFINED: Self = Self { user_defined: true, ..Self::SAVES_AND_NEEDS_WORKSPACE };
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

impl Node {
    /// Those of its layer; none if it is no layer.
    pub(crate) fn capabilities(&self) -> Capabilities {
        if let Op::Layer(capabilities) = self.op { capabilities } else { Capabilities::NONE }
    }
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

impl Model {
    /// Tokens outside the network's own items, see [`concrete`].
    pub(crate) fn concrete(&self, tokens: &TokenStream) -> TokenStream {
        concrete(&self.declaration.generics, tokens)
    }
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

/// The tokens with `f32` for the number type, if it is a parameter: stable Rust cannot compute with one, but
/// shapes and numbers of parameters are those of every number type.
pub(crate) fn concrete(generics: &Generics, tokens: &TokenStream) -> TokenStream {
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
