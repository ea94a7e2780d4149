//! A network as a graph of values, which have shapes, and of the nodes that compute them.
//!
//! Plain data, the same for every notation: `plan` and `expand` do not see whether the user wrote a chain or a graph.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{format_ident, quote};
use syn::{Generics, Ident, Type};

use crate::parse::Declaration;

/// A size, known to the macro or only to the compiler.
#[derive(Clone, Debug)]
pub(crate) enum Dim {
    Literal(usize),
    /// A const expression of type `usize` without generic parameters.
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
                // The names of const items that the macro emits mean nothing to the user.
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
    /// The output of a user-defined layer: a type that implements `Tensor`.
    Opaque(TokenStream),
    /// Follows a mistake and fits everywhere, so that each mistake is reported only once.
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

    /// The sizes, if the macro knows all of them.
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

    /// An expression of type `&[usize]` with the sizes, for const code.
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

    /// Whether a const item can name it, which cannot use the generic parameters of the network.
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
    /// What computes it, for messages: `the input`, `conv1`.
    pub source: String,
}

/// The index of a [`Value`].
pub(crate) type ValueId = usize;

/// What a node does.
#[derive(Clone)]
pub(crate) enum Op {
    /// Calls the layer in the node's field.
    Layer(Capabilities),
    /// An elementwise function, which can run inside the layer before it or in place. `from_output` tells whether its
    /// derivative follows from its output.
    Activation { marker: TokenStream, from_output: bool },
    /// The same numbers in another shape.
    View,
    /// The sum of its two inputs.
    Add,
    /// The product of its two inputs.
    Multiply,
    /// Its inputs side by side.
    Join(Along),
    /// One part of its input, which lies after the parts in `before`.
    Part { before: Vec<ValueId> },
}

/// How values are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Along {
    /// Row by row, along the last axis: `concat`.
    Channels,
    /// One after another, each in one piece: the outputs of a network with several.
    Whole,
}

/// What the planner and the code generator need to know about a layer.
#[derive(Clone, Copy)]
pub(crate) struct Capabilities {
    /// It can apply the activation that follows it; its `backward` does not read its output.
    pub fuses_activation: bool,
    /// It can write the maximum of every 2 × 2 pixels instead of the pixels.
    pub fuses_max_pool: bool,
    /// It is a max pool of 2 × 2 pixels without overlap or padding.
    pub is_max_pool_2x2: bool,
    /// Its `Saved` is not `()`.
    pub saves: bool,
    /// Its `Workspace` is not `()`.
    pub needs_workspace: bool,
    /// Its weights can be stored in fewer bits.
    pub packs_weights: bool,
    /// It is defined by the user, so that only its type tells the shapes of its input and output.
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
    /// The macro does not know whether it uses `Saved` and `Workspace`, so it gets both, even if they are `()`.
    pub(crate) const USER_DEFINED: Self = Self { user_defined: true, ..Self::SAVES_AND_NEEDS_WORKSPACE };
}

/// A step of the computation.
pub(crate) struct Node {
    pub op: Op,
    /// The field of the network and its type; `None` for views, sums and the like.
    pub field: Option<(Ident, TokenStream)>,
    /// What it reads; the layer may take an array type of another shape with the same length.
    pub inputs: Vec<ValueId>,
    pub output: ValueId,
    /// For summaries: its name and what kind of layer it is.
    pub name: String,
    pub kind: String,
    /// How many earlier nodes use the same layer.
    pub uses: usize,
    /// How many parameters it adds to the network, if the macro can count them.
    pub parameters: Option<usize>,
}

impl Node {
    /// The capabilities of its layer; none if it is not a layer.
    pub(crate) fn capabilities(&self) -> Capabilities {
        if let Op::Layer(capabilities) = self.op { capabilities } else { Capabilities::NONE }
    }
}

/// A network after `resolve`.
pub(crate) struct Model {
    pub declaration: Declaration,
    pub scalar: TokenStream,
    /// The input and the output as a whole: the declared shape, or a struct if there are several.
    pub input: Shape,
    pub output: Shape,
    /// The single inputs and outputs, if there are several; else empty.
    pub input_parts: Vec<(Ident, Shape)>,
    pub output_parts: Vec<(Ident, Shape)>,
    /// Value 0 is the whole input; its parts follow.
    pub values: Vec<Value>,
    pub nodes: Vec<Node>,
    /// The value that the network returns.
    pub result: ValueId,
    /// The most memory it may take.
    pub budget: Option<Budget>,
    /// Whether it is not aligned to cache lines: `#[unaligned]`.
    pub unaligned: bool,
    /// Further networks that store its weights in fewer bits: `#[stored(..)]`.
    pub stored: Vec<Stored>,
    /// Const items that compute and check the sizes that only the compiler knows.
    pub constants: Vec<TokenStream>,
    /// Whether sizes depend on const generic parameters.
    pub parametric: bool,
}

impl Model {
    /// The tokens with a concrete number type, see [`concrete`].
    pub(crate) fn concrete(&self, tokens: &TokenStream) -> TokenStream {
        concrete(&self.declaration.generics, tokens)
    }
}

/// `#[budget(flash = "64 KiB", ram = "8 KiB")]`: each limit in bytes, and where it is written.
pub(crate) struct Budget {
    pub flash: Option<(Span, usize)>,
    pub ram: Option<(Span, usize)>,
}

/// `#[stored(DigitsSmall: i8 { eye: EyeSmall })]`: a second network, the format of its weights, and the stored types
/// of the networks inside it.
pub(crate) struct Stored {
    pub name: Ident,
    pub format: &'static str,
    pub networks: Vec<(Ident, Type)>,
}

impl Stored {
    /// The type in which its weights are stored.
    pub(crate) fn format_type(&self) -> TokenStream {
        match self.format {
            "bf16" => quote!(::monomorph::storage::Bf16),
            "f16" => quote!(::monomorph::storage::F16),
            _ => quote!(i8),
        }
    }
}

/// The tokens with `f32` in place of the number type, if that is a type parameter: const items cannot name it, and
/// shapes and parameter counts are the same for every number type.
pub(crate) fn concrete(generics: &Generics, tokens: &TokenStream) -> TokenStream {
    match generics.type_params().next() {
        Some(parameter) => replaced(tokens, &parameter.ident, &format_ident!("f32")),
        None => tokens.clone(),
    }
}

/// The tokens with one identifier replaced by another.
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
